"""What fits together in a switch, and what several switches come to: always the strictest, so that throwing one more
never allows what was forbidden before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias, cast

from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json
from quarterdeck.core.text import is_storable
from quarterdeck.spec.pins import refusal
from quarterdeck.switches.records import (
    CLEAR,
    LEVELS,
    Action,
    InFlight,
    Scope,
    Standing,
    Subject,
    Switch,
    SwitchUnfit,
    Wanted,
    budget_of,
    pin_of,
)
from quarterdeck.switches.wording import says

CALLS = (Scope.TOOL, Scope.SERVER, Scope.MODEL, Scope.ROUTE)
"""Scopes whose `disable` refuses a call; that of the others pauses the run."""
RUNS = (Scope.AGENT, Scope.TENANT, Scope.EVERYTHING)
_TOOLS = (Scope.TOOL, Scope.SERVER, *RUNS)

FITS: Mapping[Action, tuple[Scope, ...]] = {
    Action.DISABLE: tuple(Scope),
    Action.READ_ONLY: (Scope.SERVER, *RUNS),
    Action.FORCE_REVIEW: _TOOLS,
    Action.LOWER_AUTONOMY: _TOOLS,
    Action.CAP_STEPS: RUNS,
    Action.CAP_BUDGET: RUNS,
    Action.SWITCH_MODEL: (Scope.MODEL, Scope.ROUTE, Scope.AGENT, Scope.TENANT),
    Action.STOP_BACKGROUND: RUNS,
    Action.PAUSE_NEW: RUNS,
}
"""Which scopes an action fits."""

MOST_STEPS = 100_000
LONGEST_NAME, LONGEST_WHY = 300, 1_000

Key: TypeAlias = tuple[TenantId | None, Scope, str]
Index: TypeAlias = Mapping[Key, tuple[Switch, ...]]
"""Switches by whom and what they hit, so that asking costs a few look-ups however many stand."""


def settle(wanted: Wanted, now: datetime) -> Wanted:
    """The same in its canonical form. Raises SwitchUnfit with what is wrong and what would fit.

    Whether a model is exact is asked by `check_pin`, once the kind of its provider is known.
    """
    if wanted.scope not in FITS[wanted.action]:
        fitting = [str(action) for action, scopes in FITS.items() if wanted.scope in scopes]
        raise SwitchUnfit(
            f"`{wanted.action}` does not fit a switch of scope {wanted.scope}, only of {_or(FITS[wanted.action])}. "
            f"What fits {wanted.scope}: {', '.join(fitting)}.",
            scope=wanted.scope,
            action=wanted.action,
            fits=fitting,
        )
    _check_words(wanted)
    _check_place(wanted)
    if wanted.until is not None and wanted.until <= now:
        raise SwitchUnfit("`until` has passed already; name a time to come, or none.", place="until")
    if wanted.in_flight is InFlight.CANCEL and wanted.action not in {Action.DISABLE, Action.READ_ONLY}:
        raise SwitchUnfit(
            "`in_flight: cancel` fits disable and read_only only: nothing else makes a call under way forbidden.",
            place="in_flight",
        )
    return replace(wanted, value=_value(wanted.action, wanted.value))


def check_pin(value: Json, kind: str | None) -> None:
    """Refuse a model that is no exact one. `kind` is that of its provider connection, None where there is no such.

    Raises SwitchUnfit, which for a floating alias lists exact ids.
    """
    provider, model = pin_of(value)
    if kind is None:
        raise SwitchUnfit(f"There is no provider connection {provider!r} that this tenant may use.", place="value")
    if why := refusal(kind, model):
        raise SwitchUnfit(why, place="value")


def index(switches: Iterable[Switch]) -> Index:
    """Switches by what they hit."""
    found: dict[Key, tuple[Switch, ...]] = {}
    for switch in switches:
        key = (switch.tenant, switch.scope, "" if switch.scope in {Scope.TENANT, Scope.EVERYTHING} else switch.target)
        found[key] = (*found.get(key, ()), switch)
    return found


def standing(thrown: Index, subject: Subject) -> Standing:
    """What all switches together leave of a subject. Adding a switch never makes it wider."""
    hit = touching(thrown, subject)
    if not hit:
        return CLEAR
    pins = [one for one in hit if one.action is Action.SWITCH_MODEL]
    for one in pins:
        # What it is switched to may be off as well, and counts even where another switch names yet another model:
        # else a switch more could open what was closed.
        provider, model = pin_of(one.value)
        instead = touching(thrown, replace(subject, provider=provider, model=model))
        hit += [off for off in instead if off.action is Action.DISABLE and off not in hit]
    return _combined(hit, subject, _pin(pins))


def touching(thrown: Index, subject: Subject) -> list[Switch]:
    """The switches that have a say about a subject."""
    if not thrown:
        return []
    return [
        switch
        for tenant in (None, subject.tenant)
        for scope, target in _places(subject)
        for switch in thrown.get((tenant, scope, target), ())
        if switch.agent is None or switch.agent == subject.agent
    ]


def holding(thrown: Index, tenant: TenantId, agent: str, *, fresh: bool, background: bool) -> Switch | None:
    """The switch because of which a queued run is not admitted, or None. The same as admission asks in SQL.

    `fresh`: it has never started and is nobody's child, since a child belongs to a run that has. `background`: its
    priority is below zero.
    """
    said = {
        Action.DISABLE: True,
        Action.PAUSE_NEW: fresh,
        Action.STOP_BACKGROUND: background,
    }
    hit = touching(thrown, Subject(tenant, agent))
    return next((one for one in hit if one.scope in RUNS and said.get(one.action, False)), None)


def _check_words(wanted: Wanted) -> None:
    if not wanted.why.strip():
        raise SwitchUnfit("`why` is needed: people who find this switch later want to know.", place="why")
    for place, text, longest in (
        ("why", wanted.why, LONGEST_WHY),
        ("target", wanted.target, LONGEST_NAME),
        ("agent", wanted.agent or "", LONGEST_NAME),
    ):
        if len(text) > longest or not is_storable(text):
            raise SwitchUnfit(f"`{place}` is at most {longest} characters, without NUL.", place=place)


def _check_place(wanted: Wanted) -> None:
    if wanted.scope is Scope.EVERYTHING:
        if wanted.target or wanted.agent or wanted.tenant is not None:
            raise SwitchUnfit("A switch of scope everything has neither a target nor an agent.", place="target")
        return
    if not wanted.target:
        raise SwitchUnfit(f"`target` is needed: which {wanted.scope}?", place="target")
    if wanted.agent is not None and wanted.scope not in CALLS:
        raise SwitchUnfit(f"`agent` narrows switches of {_or(CALLS)} only.", place="agent")
    if wanted.tenant is None and wanted.scope not in CALLS:
        raise SwitchUnfit(
            f"Which tenant's? A switch of scope {wanted.scope} is thrown in one: name it with the "
            "`Quarterdeck-Tenant` header.",
            place="tenant",
        )


def _value(action: Action, value: Json) -> Json:
    match action:
        case Action.CAP_STEPS:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_STEPS:
                raise SwitchUnfit(f"`value` of cap_steps is a whole number from 0 to {MOST_STEPS}.", place="value")
            return value
        case Action.CAP_BUDGET:
            budget_of(value)
            return value
        case Action.LOWER_AUTONOMY:
            if value not in LEVELS[:-1]:
                raise SwitchUnfit(f"`value` of lower_autonomy is one of {', '.join(LEVELS[:-1])}.", place="value")
            return value
        case Action.SWITCH_MODEL:
            provider, model = pin_of(value)
            return {"provider": provider, "id": model}
        case _:
            if value is not None:
                raise SwitchUnfit(f"`{action}` takes no value.", place="value")
            return None


def _places(subject: Subject) -> list[tuple[Scope, str]]:
    """Each scope and target under which a switch for this subject may be found."""
    places = [(Scope.EVERYTHING, ""), (Scope.TENANT, ""), (Scope.AGENT, subject.agent)]
    if subject.tool is not None:
        places.append((Scope.TOOL, subject.tool))
    if subject.server is not None:
        places.append((Scope.SERVER, subject.server))
    if subject.model is not None:
        places.append((Scope.MODEL, subject.model))
        if subject.provider is not None:
            places.append((Scope.MODEL, f"{subject.provider}/{subject.model}"))
    if subject.route is not None:
        places.append((Scope.ROUTE, subject.route))
    return places


_NEAREST = {Scope.MODEL: 3, Scope.ROUTE: 2, Scope.AGENT: 1, Scope.TENANT: 0}


def _pin(pins: Sequence[Switch]) -> tuple[str, str] | None:
    """The model to ask instead: the deployment's word before the tenant's, the nearer scope's, the later one's."""
    if not pins:
        return None
    first = max(
        pins, key=lambda one: (one.deployment, _NEAREST[one.scope], one.agent is not None, one.thrown_at, one.id)
    )
    return pin_of(first.value)


def _combined(hit: Sequence[Switch], subject: Subject, pin: tuple[str, str] | None) -> Standing:
    off = [one for one in hit if one.action is Action.DISABLE]
    denying = [one for one in off if one.scope in CALLS]
    pausing = [one for one in off if one.scope in RUNS]
    if subject.background:
        pausing += [one for one in hit if one.action is Action.STOP_BACKGROUND]
    reading = [one for one in hit if one.action is Action.READ_ONLY]
    levels = [LEVELS.index(str(one.value)) for one in hit if one.action is Action.LOWER_AUTONOMY]
    caps = [cast("int", one.value) for one in hit if one.action is Action.CAP_STEPS]
    budgets = [budget_of(one.value) for one in hit if one.action is Action.CAP_BUDGET]
    said = [one for one in hit if one.action is not Action.PAUSE_NEW and _speaks(one, subject)]
    return Standing(
        denied=says(denying[0]) if denying else None,
        paused=f"{says(pausing[0])}: {pausing[0].why}" if pausing else None,
        read_only=bool(reading),
        force_review=any(one.action is Action.FORCE_REVIEW for one in hit),
        max_autonomy=LEVELS[min(levels)] if levels else None,
        max_steps=min(caps) if caps else None,
        max_run_micro_usd=min(budgets) if budgets else None,
        model=pin,
        switches=tuple(sorted({str(one.id) for one in said})),
        cancel=_cancelling(off),
        cancel_writes=_cancelling(reading),
    )


def _speaks(switch: Switch, subject: Subject) -> bool:
    return switch.action is not Action.STOP_BACKGROUND or subject.background


def _cancelling(switches: Iterable[Switch]) -> str | None:
    return next((says(one) for one in switches if one.in_flight is InFlight.CANCEL), None)


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
