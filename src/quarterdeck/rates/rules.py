"""Which limits a call counts against. A release's and the tenant's all hold, so that a tenant can only narrow."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from quarterdeck.core.json import encode_text
from quarterdeck.core.text import is_storable
from quarterdeck.rates.records import EVERY_ONE, BadRate, Declared, Limit, PlaceWant, RateWant, Scope, Subject

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_UNITS = {1: "a second", 60: "a minute", 3600: "an hour", 86_400: "a day"}
LONGEST = 31 * 86_400
"""Seconds over which calls can be counted at most."""


class Limits:
    """A tenant's limits, found by what they speak of."""

    def __init__(self, limits: Iterable[Limit] = ()) -> None:
        self._by_target: dict[tuple[Scope, str], list[Limit]] = {}
        for limit in limits:
            self._by_target.setdefault((limit.scope, limit.target), []).append(limit)

    @classmethod
    def by_tenant(cls, limits: Iterable[tuple[object, Limit]]) -> Mapping[object, Self]:
        """Every tenant's limits."""
        sorted_out: dict[object, list[Limit]] = {}
        for tenant, limit in limits:
            sorted_out.setdefault(tenant, []).append(limit)
        return {tenant: cls(own) for tenant, own in sorted_out.items()}

    def applying(self, subject: Subject) -> list[tuple[Limit, str]]:
        """The limits that a call counts against, each with the one of its scope that this call is by."""
        if not self._by_target:
            return []
        own = ((Scope.TOOL, subject.tool), (Scope.USER, subject.user), (Scope.AGENT, subject.agent))
        found: list[tuple[Limit, str]] = []
        for scope, one in (*own, (Scope.TENANT, EVERY_ONE)):
            for target in dict.fromkeys((one, EVERY_ONE)):
                found += [(limit, one) for limit in self._by_target.get((scope, target), ())]
        return found


def rate_wants(subject: Subject, declared: Sequence[Declared], limits: Limits) -> tuple[RateWant, ...]:
    """What a call has to take before it may be made, once for each thing that is counted: the lower limit holds."""
    wants = [_declared(subject, rate) for rate in declared]
    for limit, one in limits.applying(subject):
        if limit.calls is not None and limit.every is not None:
            key = _key(limit.scope, one, limit.every)
            words = f"{_times(limit.calls, limit.every)} {_of(limit, one)} (limit {limit.name})"
            wants.append(RateWant(key, limit.calls, limit.every, words))
    lowest: dict[str, RateWant] = {}
    for want in wants:
        known = lowest.get(want.key)
        if known is None or want.calls < known.calls:
            lowest[want.key] = want
    return tuple(lowest.values())


def place_wants(subject: Subject, concurrency: int, limits: Limits) -> tuple[PlaceWant, ...]:
    """Where a call needs a place while it is under way. `concurrency` is the release's for this tool; 0 = any."""
    wants: list[PlaceWant] = []
    if concurrency > 0:
        words = f"at most {concurrency} calls of `{subject.tool}` at once"
        wants.append(PlaceWant(_key(Scope.TOOL, subject.tool), concurrency, words))
    for limit, one in limits.applying(subject):
        if limit.concurrency is not None:
            words = f"at most {limit.concurrency} calls at once {_of(limit, one)} (limit {limit.name})"
            wants.append(PlaceWant(_key(limit.scope, one), limit.concurrency, words))
    lowest: dict[str, PlaceWant] = {}
    for want in wants:
        known = lowest.get(want.key)
        if known is None or want.most < known.most:
            lowest[want.key] = want
    return tuple(lowest.values())


def settle(limit: Limit) -> Limit:
    """The same, if it can hold. Raises BadRate."""
    if not _NAME.fullmatch(limit.name):
        raise BadRate("a name has lower-case letters, digits and hyphens, at most 63", name=limit.name)
    if not limit.target or not is_storable(limit.target):
        raise BadRate("a target is a name, or * for each one by itself")
    if limit.scope is Scope.TENANT and limit.target != EVERY_ONE:
        raise BadRate("scope tenant is the tenant as a whole: leave its target out, or write *", target=limit.target)
    if (limit.calls is None) != (limit.every is None):
        raise BadRate("calls and every go together: so many calls in so many seconds")
    if limit.calls is None and limit.concurrency is None:
        raise BadRate("say calls and every, or concurrency, or all three")
    if limit.every is not None and limit.every > LONGEST:
        raise BadRate("calls can be counted over 31 days at most", every=limit.every)
    return limit


def _declared(subject: Subject, rate: Declared) -> RateWant:
    whose = {"run": subject.run, "user": subject.user, "agent": subject.agent}.get(rate.per)
    words = f"{_times(rate.calls, rate.seconds)} of `{subject.tool}`"
    if whose is None:
        return RateWant(_key(Scope.TOOL, subject.tool, rate.seconds), rate.calls, rate.seconds, words)
    key = _key(Scope.TOOL, subject.tool, rate.per, whose, rate.seconds)
    return RateWant(key, rate.calls, rate.seconds, f"{words} for each {rate.per}")


def _key(*parts: str | float) -> str:
    """What is counted, as text that no two things share whatever characters their names have."""
    return encode_text(parts)


def _of(limit: Limit, one: str) -> str:
    match limit.scope:
        case Scope.TENANT:
            return "in all"
        case Scope.TOOL:
            return f"of `{one}`"
        case scope:
            return f"for each {scope}" if limit.target == EVERY_ONE else f"for this {scope}"


def _times(calls: int, seconds: int) -> str:
    unit = _UNITS.get(seconds) or f"in {seconds} seconds"
    return f"at most {calls} call{'s'[: calls != 1]} {unit}"
