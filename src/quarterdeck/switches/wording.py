"""What switches are called in words, and the record of one that API, webhooks and audit show."""

from datetime import UTC, datetime

from quarterdeck.core.json import Json
from quarterdeck.core.money import show as show_money
from quarterdeck.switches.records import CLOCK, Action, Scope, Switch, Wanted, budget_of, pin_of


def held_words(switch: Switch) -> str:
    """Why a run is not admitted, for people who look at it."""
    return f"held by switch {switch.id}: {says(switch)}: {switch.why}"


def says(switch: Switch) -> str:
    """What a switch does, in words without its reason."""
    of = whole(switch)
    match switch.action:
        case Action.DISABLE:
            return f"{of} is switched off"
        case Action.READ_ONLY:
            return f"{of} may only read"
        case Action.FORCE_REVIEW:
            return f"a person has to approve each call of {of}"
        case Action.LOWER_AUTONOMY:
            return f"autonomy of {of} is at most {switch.value}"
        case Action.CAP_STEPS | Action.CAP_BUDGET:
            return f"runs of {of} {_cap(switch)}"
        case Action.SWITCH_MODEL:
            return f"{of} asks {'/'.join(pin_of(switch.value))}"
        case Action.STOP_BACKGROUND:
            return f"background runs of {of} are stopped"
        case Action.PAUSE_NEW:
            return f"new runs of {of} are paused"


def _cap(switch: Switch) -> str:
    if switch.action is Action.CAP_BUDGET:
        return f"spend at most {show_money(budget_of(switch.value))} each"
    return f"take at most {switch.value} steps"


def whole(switch: Switch | Wanted) -> str:
    """What a switch is thrown for, in words."""
    match switch.scope:
        case Scope.EVERYTHING:
            return "everything"
        case Scope.TENANT:
            return f"tenant {switch.target}" if switch.target else "the tenant"
        case _:
            return f"{switch.scope} {switch.target}" + (f" for agent {switch.agent}" if switch.agent else "")


def show(switch: Switch, now: datetime) -> dict[str, Json]:
    """The record of a switch. `tenant` is whom it hits, null = every tenant."""
    return {
        "switch_id": str(switch.id),
        "tenant": switch.tenant_slug,
        "deployment": switch.deployment,
        "scope": switch.scope,
        "target": switch.target,
        "agent": switch.agent,
        "action": switch.action,
        "value": switch.value,
        "in_flight": switch.in_flight,
        "words": says(switch),
        "why": switch.why,
        "thrown_by": switch.thrown_by,
        "thrown_at": _moment(switch.thrown_at),
        "until": _moment(switch.until),
        "state": state_of(switch, now),
        "lifted_at": _moment(switch.lifted_at),
        "lifted_by": switch.lifted_by,
        "lifted_why": switch.lifted_why,
    }


def state_of(switch: Switch, now: datetime) -> str:
    """`standing`, `lifted` by somebody, or `expired` by itself."""
    if switch.stands(now):
        return "standing"
    return "lifted" if switch.lifted_at is not None and switch.lifted_by != CLOCK else "expired"


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
