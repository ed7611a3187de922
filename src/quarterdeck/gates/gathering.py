"""Everything that the tool gate's checks look at, gathered before they are asked: what the release grants, what stands
live and narrows it, where each argument comes from.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from quarterdeck.autonomy.rules import lowest
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import AgentName, TenantId
from quarterdeck.core.json import JsonObject, digest
from quarterdeck.gates.checks import Granted, Wish, with_arguments
from quarterdeck.gates.intents import ToolFacts
from quarterdeck.gates.provenance import Origin, Provenance, marked
from quarterdeck.gates.scope import Bound, bind
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.records import PolicyRequest, PolicyText
from quarterdeck.policies.tenant import PoliciesUnknown
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.messages import Call
from quarterdeck.switches.records import Standing

CountCalls = Callable[[TenantId, str, str, datetime], Awaitable[int]]
"""How many calls of a tool a user's runs have made since a time: (tenant, user, tool, since)."""
_KEPT = 512

Key = TypeVar("Key")
Value = TypeVar("Value")


class Standings(Protocol):
    """What switches leave: `switches.board.Board`."""

    def standing(
        self,
        tenant: TenantId,
        agent: str,
        *,
        tool: str | None = None,
        server: str | None = None,
        background: bool = False,
    ) -> Standing:
        """What they leave of a call; never waits."""
        ...


class TenantTexts(Protocol):
    """What tenants' policies say: `policies.book.PolicyBook`."""

    def tenant(self, tenant: TenantId) -> Sequence[PolicyText]:
        """The policies in force. Raises PoliciesUnknown."""
        ...

    def digest(self, tenant: TenantId) -> str:
        """What changes whenever they do. Raises PoliciesUnknown."""
        ...


class Levels(Protocol):
    """How far agents may go by themselves at the moment: `autonomy.book.AutonomyBook`."""

    def level(self, tenant: TenantId, agent: str, tool: str, ceiling: str) -> str:
        """The level in force, at most the release's."""
        ...


@dataclass(frozen=True, slots=True)
class Live:
    """What stands live: kept in memory by each process, refreshed within a second."""

    switches: Standings
    policies: TenantTexts
    autonomy: Levels
    count: CountCalls


class Gathering:
    """Gathers for one process. What belongs to a release is made once and kept."""

    def __init__(self, live: Live, clock: Clock) -> None:
        self._live = live
        self._clock = clock
        self._granted = _Kept[tuple[object, ...], Granted]()
        self._policies = _Kept[tuple[object, ...], PolicySet]()

    def granted(self, release: Release) -> Granted:
        """The release's tools. A child run's are fewer than its release's, so their names are part of what is kept."""
        key = (release.tenant, release.id, tuple((tool.name, tool.autonomy) for tool in release.tools))
        return self._granted.get(key, lambda: Granted(release))

    def standing(self, facts: ToolFacts) -> Standing:
        """What switches leave of calls that are of no tool of the release."""
        return self._live.switches.standing(facts.tenant, facts.agent, background=facts.background)

    async def wish(self, release: Release, call: Call, facts: ToolFacts, said: Provenance) -> Wish:
        """A call with everything that it is judged by. Raises only what counting a user's calls of the day raises."""
        granted = self.granted(release)
        grant = granted.grant(call.tool)
        now = self._clock.now()
        if grant is None:
            nothing = Bound(call.arguments)
            return Wish(call, release, None, granted, facts, self.standing(facts), None, None, nothing, "", ms(now))
        wanted = call.arguments if facts.edited is None else facts.edited
        bound = bind(grant, wanted, facts)
        standing = self._live.switches.standing(
            facts.tenant, facts.agent, tool=grant.name, server=grant.server, background=facts.background
        )
        level = self._level(grant, facts, standing)
        policies = await self._policies_of(release, facts.tenant)
        effective = in_force(policies.digest if policies else "", level, standing.switches)
        sent = with_arguments(call, bound.arguments)
        wish = Wish(sent, release, grant, granted, facts, standing, policies, None, bound, effective, ms(now))
        if policies is None:
            return wish
        today = await self._today(grant, facts, now) if policies.needs_user_counts else 0
        origins, doubts = _origins(wish, grant, said)
        request = _request(wish, grant, level, origins, now)
        clean = not doubts and not any(
            marked(path, grant.destinations) and not origin.clean for path, origin in origins.items()
        )
        request = replace(request, clean=clean, tainted=said.tainted, calls_by_user_today=today)
        return replace(wish, request=request, doubts=doubts)

    def _level(self, grant: ToolGrant, facts: ToolFacts, standing: Standing) -> str:
        """The level in force: the release's is the most, what is set live may be less, and a switch less again."""
        level = self._live.autonomy.level(facts.tenant, facts.agent, grant.name, grant.autonomy)
        return lowest(level, standing.max_autonomy)

    async def _policies_of(self, release: Release, tenant: TenantId) -> PolicySet | None:
        """None where this process can't tell what the tenant's policies are. Parsed beside the event loop, and once."""
        book = self._live.policies
        try:
            # A child run's release has its parent's id and fewer tools.
            key = (tenant, release.id, book.digest(tenant), tuple(tool.name for tool in release.tools))
            texts = book.tenant(tenant)
        except PoliciesUnknown:
            return None
        known = self._policies.find(key)
        if known is None:
            known = self._policies.keep(key, await asyncio.to_thread(PolicySet.of, release, texts))
        return known

    async def _today(self, grant: ToolGrant, facts: ToolFacts, now: datetime) -> int:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return await self._live.count(facts.tenant, facts.user, grant.name, midnight)


def _request(wish: Wish, grant: ToolGrant, level: str, origins: Mapping[str, Origin], now: datetime) -> PolicyRequest:
    facts, arguments = wish.facts, wish.call.arguments
    return PolicyRequest(
        tenant=facts.tenant,
        agent=AgentName(facts.agent),
        release=wish.release.id,
        user=facts.user,
        roles=facts.roles,
        claims=facts.claims,
        tool=grant.name,
        server=grant.server,
        effect=grant.effect,
        arguments=arguments,
        now=now,
        origins={path: str(origin) for path, origin in origins.items()},
        destinations=grant.destinations,
        autonomy=level,
        calls_in_run=facts.used.get(grant.name, 0),
        affected_in_run=facts.affected,
        budget_left_micro_usd=facts.budget_left,
        approved=wish.approved,
    )


def _origins(wish: Wish, grant: ToolGrant, said: Provenance) -> tuple[Mapping[str, Origin], tuple[str, ...]]:
    """Where each argument comes from, and what else speaks against the call.

    What a reviewer put there comes from the reviewer, and what the gate filled in from the author.
    """
    facts, arguments = wish.facts, wish.call.arguments
    sighting = said.see(grant, arguments)
    origins = dict(sighting.origins)
    scoped, edited = grant.scope or {}, facts.edited
    for path in origins:
        name = path.partition(".")[0].partition("[")[0]
        if name in scoped:
            origins[path] = Origin.AUTHOR
        elif edited is not None and edited.get(name) != asked_for(facts).get(name):
            origins[path] = Origin.REVIEWER
    return origins, sighting.doubts


@lru_cache(maxsize=4096)
def in_force(policies: str, level: str, switches: tuple[str, ...]) -> str:
    """The digest of what stands beside a release: the same for very many decisions."""
    return digest([policies, level, list(switches)])


def asked_for(facts: ToolFacts) -> JsonObject:
    """The arguments that a person was asked about."""
    return {} if facts.asked is None else facts.asked.arguments


def ms(at: datetime) -> int:
    """Unix milliseconds."""
    return int(at.timestamp() * 1000)


class _Kept(Generic[Key, Value]):
    """So many values by key, those used last; each made when it is first wanted."""

    def __init__(self) -> None:
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        value = self.find(key)
        return self.keep(key, make()) if value is None else value

    def find(self, key: Key) -> Value | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def keep(self, key: Key, value: Value) -> Value:
        self._values[key] = value
        if len(self._values) > _KEPT:
            self._values.popitem(last=False)
        return value
