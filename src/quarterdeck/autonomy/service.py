"""Setting levels: kept, noted and audited in one transaction, with what was known at that moment."""

from dataclasses import dataclass
from datetime import timedelta

from quarterdeck.audit import store as audit
from quarterdeck.audit.records import Entry
from quarterdeck.autonomy import rules, store
from quarterdeck.autonomy.records import (
    EVIDENCE_DAYS,
    Autonomy,
    Evidence,
    Granted,
    Grants,
    NoSuchGrant,
    NotSet,
    Setting,
)
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import AgentName, TenantId, uuid7_floor
from quarterdeck.core.json import Json
from quarterdeck.db.records import Tx
from quarterdeck.db.wakes import AUTONOMY, Wakes


@dataclass(frozen=True, slots=True)
class Line:
    """One tool of one agent: what its release grants, what was set, and how questions about it end."""

    granted: Granted
    setting: Setting | None
    evidence: Evidence

    @property
    def level(self) -> str:
        """What holds now."""
        return rules.lowest(self.granted.ceiling, self.setting.level if self.setting else None)


class Levels:
    """What people do with levels. Verbs work in the caller's transaction, which has to be the tenant's."""

    def __init__(self, grants: Grants, wakes: Wakes, clock: Clock) -> None:
        self._grants = grants
        self._wakes = wakes
        self._clock = clock

    async def listed(
        self, tx: Tx, tenant: TenantId, after: tuple[str, str] | None, limit: int, only: frozenset[AgentName] | None
    ) -> list[Line]:
        """Tools that are not reads, by agent and name, from behind a position on."""
        start = after or ("", "")
        found: list[Granted] = []
        for agent in await self._grants.agents(tx, tenant):
            if agent < start[0] or (only is not None and agent not in only):
                continue
            tools = await self._grants.tools(tx, tenant, agent)
            found += [one for one in tools if one.effect != "read" and (one.agent, one.tool) > start]
            if len(found) >= limit:
                break
        return await self._lines(tx, tenant, found[:limit])

    async def line(self, tx: Tx, tenant: TenantId, agent: str, tool: str) -> Line:
        """One tool of one agent. Raises NoSuchGrant."""
        return (await self._lines(tx, tenant, [await self._granted(tx, tenant, agent, tool)]))[0]

    async def set(self, tx: Tx, tenant: TenantId, agent: str, tool: str, level: Autonomy, by: str, why: str) -> Line:
        """Set how far an agent may go with a tool; at most as far as its release grants. Setting the same is nothing.

        Raises NoSuchGrant, NeedsNoLevel, AboveCeiling or ReasonMissing. Every process knows within a second.
        """
        granted = await self._granted(tx, tenant, agent, tool)
        rules.check_level(granted, level, why)
        present = await store.hold(tx, tenant, agent, tool)
        known = await self._evidence(tx, tenant, [granted])
        evidence = known[agent, tool]
        if present is not None and present.level is level:
            return Line(granted, present, evidence)
        setting = await store.set_level(tx, tenant, agent, tool, level, by, why, evidence.shown())
        await self._note(tx, tenant, granted, level, present.level if present else None, by, why, evidence)
        return Line(granted, setting, evidence)

    async def forget(self, tx: Tx, tenant: TenantId, agent: str, tool: str, by: str, why: str) -> None:
        """Set a tool back to what the agent's release grants. Raises NotSet, or ReasonMissing.

        Also for a tool that the present release does not grant any more.
        """
        rules.check_reason(why)
        present = await store.hold(tx, tenant, agent, tool)
        if present is None:
            raise NotSet
        granted = Granted(AgentName(agent), tool, "", present.level)
        known = await self._evidence(tx, tenant, [granted])
        await store.forget(tx, tenant, agent, tool)
        await self._note(tx, tenant, granted, None, present.level, by, why, known[agent, tool])

    async def _note(
        self,
        tx: Tx,
        tenant: TenantId,
        granted: Granted,
        level: Autonomy | None,
        previous: Autonomy | None,
        by: str,
        why: str,
        evidence: Evidence,
    ) -> None:
        shown = evidence.shown()
        await store.note(tx, tenant, granted.agent, granted.tool, level, previous, by, why, shown)
        inputs: dict[str, Json] = {"level": level, "previous": previous, "why": why, "evidence": shown}
        entry = Entry(
            tenant=tenant,
            kind="autonomy.changed",
            actor=by,
            action="set" if level else "forget",
            target=f"{granted.agent}/{granted.tool}",
            status=level.value if level else "as granted",
            inputs=inputs,
        )
        await audit.write(tx, [entry])
        tx.after_commit(lambda: self._wakes.send(AUTONOMY, tenant.hex, key=tenant.hex))

    async def _granted(self, tx: Tx, tenant: TenantId, agent: str, tool: str) -> Granted:
        tools = await self._grants.tools(tx, tenant, AgentName(agent))
        found = next((one for one in tools if one.tool == tool), None)
        if found is None:
            raise NoSuchGrant(agent=agent, tool=tool)
        return found

    async def _lines(self, tx: Tx, tenant: TenantId, granted: list[Granted]) -> list[Line]:
        settings = await store.of_agents(tx, tenant, list({one.agent for one in granted}))
        known = await self._evidence(tx, tenant, granted)
        return [
            Line(one, settings.get((one.agent, one.tool)), known.get((one.agent, one.tool), Evidence()))
            for one in granted
        ]

    async def _evidence(self, tx: Tx, tenant: TenantId, granted: list[Granted]) -> dict[tuple[str, str], Evidence]:
        since = uuid7_floor(int((self._clock.now() - timedelta(days=EVIDENCE_DAYS)).timestamp() * 1000))
        return await store.evidence(tx, tenant, [(one.agent, one.tool) for one in granted], since)
