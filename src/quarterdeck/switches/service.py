"""What is done with switches. Each throw and lift is kept, audited, announced and told to every process, in one go."""

from dataclasses import dataclass

from quarterdeck.audit import store as audit
from quarterdeck.audit.records import DEPLOYMENT, Entry
from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db.pool import Database, Transaction
from quarterdeck.db.records import Tx
from quarterdeck.db.wakes import ADMIT, SWITCH, Wakes
from quarterdeck.switches import rules, store, store_reach
from quarterdeck.switches.reach import reach
from quarterdeck.switches.records import (
    CLOCK,
    Action,
    Reach,
    Scope,
    Switch,
    SwitchId,
    SwitchLifted,
    SwitchUnfit,
    TooManySwitches,
    Wanted,
    pin_of,
)
from quarterdeck.switches.wording import show

MOST_STANDING = 500
"""Switches that may stand in a tenant, and beside those for everybody: every process keeps all of them in memory."""

THROWN, LIFTED = "switch.thrown", "switch.lifted"
"""Kinds of what is announced and audited."""

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Switches:
    """The verbs of switches. Those that take a `tx` work in the caller's transaction, opened by `transaction`."""

    database: Database
    wakes: Wakes
    clock: Clock

    def transaction(self, tenant: TenantId | None, *, deployment: bool) -> Transaction:
        """The transaction for switches of a tenant's own, or for those of the deployment, whomever they hit."""
        if deployment or tenant is None:
            return self.database.system.transaction()
        return self.database.tenant(tenant)

    async def judge(self, tx: Tx, wanted: Wanted) -> Wanted:
        """The switch in its canonical form. Raises SwitchUnfit with what is wrong and what would fit."""
        wanted = rules.settle(wanted, self.clock.now())
        if wanted.action is Action.SWITCH_MODEL:
            provider, _ = pin_of(wanted.value)
            rules.check_pin(wanted.value, await store.kind_of_provider(tx, wanted.tenant, provider))
        agent = wanted.target if wanted.scope is Scope.AGENT else wanted.agent
        if agent and wanted.tenant is not None and not await store.has_agent(tx, wanted.tenant, agent):
            raise SwitchUnfit(f"There is no agent {agent!r} here.", place="agent")
        return wanted

    async def throw(self, tx: Tx, wanted: Wanted, by: str) -> Switch:
        """Throw a switch, once the transaction commits. Who may do it is asked before.

        Raises SwitchUnfit, or TooManySwitches.
        """
        wanted = await self.judge(tx, wanted)
        if await store.count(tx, wanted.tenant) >= MOST_STANDING:
            raise TooManySwitches(limit=MOST_STANDING)
        switch = await store.throw(tx, SwitchId(uuid7()), wanted, by)
        await self._tell(tx, switch, THROWN, by, wanted.why)
        _log.info("switch.thrown", switch=str(switch.id), scope=switch.scope, action=switch.action, by=by)
        return switch

    async def lift(self, tx: Tx, switch: Switch, by: str, why: str) -> Switch:
        """Lift a switch. Runs that wait because of it go on at once. Raises SwitchLifted for one that doesn't stand."""
        if not switch.stands(self.clock.now()):
            raise SwitchLifted(switch_id=str(switch.id))
        own = None if switch.deployment else switch.tenant
        lifted = await store.lift(tx, own, switch.id, by, why)
        if lifted is None:
            raise SwitchLifted(switch_id=str(switch.id))
        await self._gone(tx, lifted, by, why)
        return lifted

    async def expire_due(self) -> int:
        """Lift what has run out, for all tenants: a chore of each second. Boards and admission don't wait for it.

        Runs that a worker parked just when their switch was lifted are let go on too. Returns how many have run out.
        """
        async with self.database.system.transaction() as tx:
            due = await store.due(tx)
            for switch in due:
                lifted = await store.lift(tx, None, switch.id, CLOCK, "its time has run out")
                if lifted is not None:
                    await self._gone(tx, lifted, CLOCK, "its time has run out")
            await store.let_late_ones_go_on(tx)
        return len(due)

    async def preview(self, tx: Tx, wanted: Wanted) -> Reach:
        """What a switch would hit now. Raises SwitchUnfit."""
        wanted = await self.judge(tx, wanted)
        agent = wanted.target if wanted.scope is Scope.AGENT else wanted.agent
        runs = await store_reach.live_runs(tx, wanted.tenant, agent)
        granted = await store_reach.granted(tx, wanted.tenant, agent, runs)
        return reach(wanted, granted, runs, await store_reach.calls_under_way(tx, wanted.tenant, agent))

    async def _gone(self, tx: Tx, switch: Switch, by: str, why: str) -> None:
        """What follows when a switch stands no more."""
        agent = switch.target if switch.scope is Scope.AGENT else switch.agent
        await store.let_go_on(tx, switch.tenant, agent)
        await self._tell(tx, switch, LIFTED, by, why)
        tx.after_commit(lambda: self.wakes.send(ADMIT, 1, key="admit"))
        _log.info("switch.lifted", switch=str(switch.id), scope=switch.scope, action=switch.action, by=by)

    async def _tell(self, tx: Tx, switch: Switch, kind: str, by: str, why: str) -> None:
        """Audit a change, announce it, and wake every process once it is committed."""
        record = show(switch, self.clock.now())
        entry = Entry(
            tenant=switch.tenant or DEPLOYMENT,
            kind=kind,
            actor="system" if by == CLOCK else by,
            action=switch.action,
            target=f"{switch.scope}:{switch.target}" if switch.target else switch.scope,
            rule=f"switch:{switch.id}",
            inputs={**record, "said": why},
        )
        await audit.write(tx, [entry])
        await store.announce(tx, switch.tenant, SwitchId(uuid7()), kind, record)
        tx.after_commit(lambda: self.wakes.send(SWITCH, 1, key="switch"))
