"""Which limits a call spends from, how a hot account's limit is parted among its slots, and which budgets can hold.

A release's limits and those that a tenant and the deployment have set all hold, so that the live ones only narrow. Each
live budget counts in accounts of its own; what releases declare of the same thing is counted together.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias
from uuid import UUID

from quarterdeck.budgets.records import (
    EVERY_ONE,
    INHERITED,
    BadBudget,
    Budget,
    Declared,
    Line,
    Scope,
    Spender,
    Unit,
    Window,
)
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import encode_text
from quarterdeck.core.text import is_storable

HOT = frozenset({Scope.AGENT, Scope.TENANT, Scope.EVERYTHING})
"""Scopes whose accounts many runs spend from at once."""
FEWEST = 2
"""Slots of a hot account at least: one that has slots is never taken for one that has none."""
ROOM: Mapping[Unit, int] = {Unit.USD: 250_000, Unit.TOKENS: 50_000, Unit.REQUESTS: 50}
"""What each slot should have for itself: small limits have fewer slots, so that their last part is soon found."""
LARGEST = 10**15
"""A limit at most: far from where 64 bits end, in sums too."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_OF_RUN = (Scope.REQUEST, Scope.RUN, Scope.THREAD)


class Live:
    """Live budgets, found by what they speak of: a tenant's own and those of the deployment that hit it."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self._by_target: dict[tuple[Scope, str], list[Budget]] = {}
        for budget in budgets:
            self._by_target.setdefault((budget.scope, budget.target), []).append(budget)

    @classmethod
    def by_tenant(cls, budgets: Iterable[Budget]) -> tuple[Self, Mapping[TenantId, Self]]:
        """What the deployment sets for every tenant, and what each tenant has of its own or is set by name."""
        everywhere: list[Budget] = []
        sorted_out: dict[TenantId, list[Budget]] = {}
        for budget in budgets:
            if budget.target_tenant is not None:
                # Named by the deployment: among that tenant's, it speaks of the tenant as a whole.
                sorted_out.setdefault(budget.target_tenant, []).append(replace(budget, target=EVERY_ONE))
            elif budget.tenant is not None:
                sorted_out.setdefault(budget.tenant, []).append(budget)
            else:
                everywhere.append(budget)
        return cls(everywhere), {tenant: cls(own) for tenant, own in sorted_out.items()}

    def applying(self, spender: Spender) -> list[tuple[Budget, str]]:
        """The budgets that a call spends from, each with the one of its scope whose account it is."""
        if not self._by_target:
            return []
        found: list[tuple[Budget, str]] = []
        for scope, whose in _places(spender):
            targets = (EVERY_ONE,) if scope in _OF_RUN else dict.fromkeys((whose, EVERY_ONE))
            for target in targets:
                found += [(budget, whose) for budget in self._by_target.get((scope, target), ())]
        return found


def lines(
    spender: Spender,
    declared: Sequence[Declared],
    live: Sequence[Live],
    *,
    run_cap: int | None = None,
    run_spent: int = 0,
    slots: int = 16,
    zone: str = "UTC",
) -> tuple[Line, ...]:
    """What a call has to reserve from: every limit that holds for it, each account once.

    A run spends from its ancestors' limits too. What their releases declare is not known here: those lines inherit the
    limit that the account was last held to. `run_cap` is what one run may spend at most, whatever is declared;
    `run_spent` is what this one has spent by now, for the case that nobody has counted before.
    """
    found: dict[str, Line] = {}
    for limit in declared:
        _add(found, _declared(spender, limit, slots, zone))
    if run_cap is not None:
        _add(found, [_line(spender, Scope.RUN, spender.run, Window.TOTAL, Unit.USD, run_cap, before=run_spent)])
    for ancestor in spender.ancestors:
        for unit in (Unit.USD, Unit.TOKENS):
            _add(found, [_line(spender, Scope.RUN, ancestor, Window.TOTAL, unit, INHERITED)])
    for limits in live:
        for budget, whose in limits.applying(spender):
            _add(found, _of_budget(spender, budget, whose, slots, zone))
    return tuple(found.values())


def account_id(*parts: str) -> UUID:
    """The id of an account: 128 bits of a hash over everything that tells it from others, whatever names contain."""
    return UUID(bytes=hashlib.sha256(encode_text(list(parts)).encode()).digest()[:16])


def slot_of(run: UUID, slots: int) -> int:
    """The slot that a run takes from. Run ids are random in their low bits."""
    return run.int % slots


@dataclass(frozen=True, slots=True)
class Slot:
    """One row of a hot account, as it was found."""

    slot: int
    granted: int
    basis: int
    used: int
    """Spent, reserved and uncovered."""
    held: int
    """Spent and reserved: a grant never falls below."""
    promised: bool = False
    """What it has was brought here for one who is about to take it."""


def part(limit: int, slots: int) -> list[int]:
    """A limit in equal shares, without losing or gaining one unit."""
    share, rest = divmod(limit, slots)
    return [share + (slot < rest) for slot in range(slots)]


def has_room(slot: Slot, limit: int, want: int) -> bool:
    """Whether a slot can take this much of an account with this limit. The same as the statement that reserves asks."""
    return slot.basis <= limit and slot.used + want <= slot.granted


def regrant(limit: int, slots: Sequence[Slot], slot: int, want: int, among: int) -> list[int] | None:
    """New grants, in the order of `slots`: `slot` gets what it wants, and what nobody uses is parted anew among the
    first `among` slots, which are those that runs take from now. None: there is not so much, or not until those who
    were promised it have used it or let it be.

    What was spent and reserved stands, so with a lowered limit grants may sum to more than it: then nothing is left.
    """
    kept = {one.slot for one in slots if one.promised and one.slot != slot and one.basis <= limit}
    free = limit - sum(max(one.used, one.granted) if one.slot in kept else one.used for one in slots)
    if free < want or all(one.slot != slot for one in slots):
        return None
    taking = [one.slot for one in slots if one.slot not in kept and (one.slot < among or one.slot == slot)]
    shares = dict(zip(taking, part(free - want, len(taking)), strict=True))
    shares[slot] += want
    return [one.granted if one.slot in kept else max(one.held, one.used + shares.get(one.slot, 0)) for one in slots]


def settle(budget: Budget) -> Budget:
    """The same, if it can hold. Raises BadBudget."""
    if not _NAME.fullmatch(budget.name):
        raise BadBudget("a name has lower-case letters, digits and hyphens, at most 63", name=budget.name)
    limits = (budget.max_micro_usd, budget.max_tokens, budget.rpm_limit, budget.tpm_limit)
    if all(limit is None for limit in limits):
        raise BadBudget("say max_budget, max_tokens, rpm_limit or tpm_limit, or several of them")
    if any(limit is not None and not 0 <= limit <= LARGEST for limit in limits):
        raise BadBudget(f"a limit lies between 0 and {LARGEST}")
    if budget.window is Window.MINUTE:
        raise BadBudget("a budget lasts an hour, a day, a month or for ever; minutes have rpm_limit and tpm_limit")
    if any(not 1 <= level <= 100 for level in budget.alert_at) or len(budget.alert_at) > 10:
        raise BadBudget("alert_at names at most ten levels from 1 to 100 per cent")
    _check_target(budget)
    return budget


def _check_target(budget: Budget) -> None:
    if not budget.target or len(budget.target) > 300 or not is_storable(budget.target):
        raise BadBudget("a target is a name, or * for each one by itself")
    if budget.scope is Scope.EVERYTHING and budget.tenant is not None:
        raise BadBudget("scope everything is all tenants together: only a deployment admin sets it", scope="everything")
    if budget.scope is Scope.REQUEST and (budget.rpm_limit is not None or budget.tpm_limit is not None):
        raise BadBudget("one request has no rate: rpm_limit and tpm_limit fit the other scopes", scope="request")
    if budget.scope in {Scope.REQUEST, Scope.EVERYTHING, Scope.RUN, Scope.THREAD} and budget.target != EVERY_ONE:
        raise BadBudget(f"scope {budget.scope} has no target: leave it out, or write *", target=budget.target)
    if budget.scope is Scope.TENANT and budget.tenant is not None and budget.target != EVERY_ONE:
        raise BadBudget("scope tenant is the tenant as a whole: leave its target out, or write *", target=budget.target)
    if budget.tenant is None and budget.scope in {Scope.USER, Scope.AGENT} and budget.target != EVERY_ONE:
        raise BadBudget("the deployment can't name one tenant's user or agent: write *", target=budget.target)
    if budget.scope in _OF_RUN and budget.window is not Window.TOTAL and budget.scope is not Scope.THREAD:
        raise BadBudget(f"a {budget.scope} has one window, total", scope=budget.scope)


_Place: TypeAlias = tuple[Scope, str]


def _places(spender: Spender) -> list[_Place]:
    """Each scope that a call is in, with the one that it is there."""
    places = [
        (Scope.REQUEST, spender.run),
        *((Scope.RUN, run) for run in (*spender.ancestors, spender.run)),
        (Scope.USER, spender.user),
        (Scope.AGENT, spender.agent),
        (Scope.TENANT, str(spender.tenant)),
        (Scope.EVERYTHING, EVERY_ONE),
    ]
    if spender.thread is not None:
        places.append((Scope.THREAD, spender.thread))
    return places


def _add(found: dict[str, Line], more: Iterable[Line]) -> None:
    """Each account once: of several limits the lowest holds, and a known one before one that is inherited."""
    for line in more:
        known = found.get(line.account)
        if known is None or known.limit == INHERITED or INHERITED < line.limit < known.limit:
            found[line.account] = line


def _declared(spender: Spender, limit: Declared, slots: int, zone: str) -> list[Line]:
    scope, window = Scope(limit.scope), Window(limit.window)
    whose = {Scope.USER: spender.user, Scope.AGENT: spender.agent, Scope.THREAD: spender.thread}.get(scope, spender.run)
    if whose is None:
        return []
    wanted = ((Unit.USD, limit.max_micro_usd), (Unit.TOKENS, limit.max_tokens))
    return [
        _line(spender, scope, whose, window, unit, most, slots=slots, zone=zone)
        for unit, most in wanted
        if most is not None
    ]


def _of_budget(spender: Spender, budget: Budget, whose: str, slots: int, zone: str) -> list[Line]:
    wanted = (
        (budget.window, Unit.USD, budget.max_micro_usd),
        (budget.window, Unit.TOKENS, budget.max_tokens),
        (Window.MINUTE, Unit.REQUESTS, budget.rpm_limit),
        (Window.MINUTE, Unit.TOKENS, budget.tpm_limit),
    )
    return [
        _line(spender, budget.scope, whose, window, unit, most, slots=slots, zone=zone, budget=budget)
        for window, unit, most in wanted
        if most is not None
    ]


def _line(
    spender: Spender,
    scope: Scope,
    whose: str,
    window: Window,
    unit: Unit,
    limit: int,
    *,
    slots: int = 1,
    zone: str = "UTC",
    budget: Budget | None = None,
    before: int = 0,
) -> Line:
    own = "" if scope is Scope.EVERYTHING else str(spender.tenant)
    source = str(budget.id) if budget is not None else ""
    return Line(
        account=str(account_id(own, source, scope, whose, window, unit)),
        scope=scope,
        window=window,
        unit=unit,
        limit=limit,
        slots=min(max(FEWEST, limit // ROOM[unit]), max(FEWEST, slots)) if scope in HOT else 1,
        name=budget.name if budget is not None else "",
        waits=window is Window.MINUTE,
        whose=whose,
        budget=budget.id if budget is not None else None,
        zone=zone,
        before=before,
    )
