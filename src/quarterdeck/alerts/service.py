"""Looking at what was measured, raising and ending what follows from it; and what people do with alerts.

Each look is one transaction of one worker at a time: alerts, and the word of them to webhooks, are there together.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from quarterdeck.alerts import rules, store, store_accounts, store_spending, store_troubles
from quarterdeck.alerts.records import Alert, AlertId, Changes, Facts, Kind, NoSuchAlert
from quarterdeck.audit.store import note
from quarterdeck.budgets.records import Scope
from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import TenantId
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx

KEPT_FOR = timedelta(days=90)
"""How long alerts that are over can still be read."""
OF_SPENDING = (Kind.SPIKE, Kind.PRESUMED)
OF_PROVIDERS = (Kind.THROTTLED, Kind.OPEN)

_Measure: TypeAlias = Callable[[Tx, datetime], Awaitable[Facts]]

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Alerts:
    """The looks that workers take. As qd_system; each answers how many alerts began and ended."""

    database: Database
    clock: Clock

    async def look_at_shared(self) -> int:
        """Budgets of agents, tenants and everything: every few seconds, since there money runs out quickly."""
        return await self._look("shared", _of_shared, _shared)

    async def look_at_users(self) -> int:
        """Budgets of users: once a minute, since there may be very many."""
        return await self._look("users", _of_users, _users)

    async def look_at_spending(self) -> int:
        """Spikes, and calls whose outcome never came: once a minute, since it reads hours of usage."""
        return await self._look("spending", lambda alert: alert.kind in OF_SPENDING, _spending)

    async def look_at_providers(self) -> int:
        """Providers that turn calls away, and models that are left alone: every few seconds."""
        return await self._look("providers", lambda alert: alert.kind in OF_PROVIDERS, _providers)

    async def say_open(self, routes: Sequence[tuple[str, str, float]]) -> None:
        """Tell all workers which routes this one leaves alone: provider, model, and for how many seconds still."""
        if not routes:
            return
        now = self.clock.now()
        open_until = [(provider, model, now + timedelta(seconds=left)) for provider, model, left in routes]
        async with self.database.system.transaction() as tx:
            await store_troubles.say_open(tx, open_until)

    async def prune(self) -> None:
        """Forget what has been over for a long time."""
        async with self.database.system.transaction() as tx:
            await store.prune(tx, KEPT_FOR)
            await store_troubles.forget(tx)

    async def _look(self, name: str, concerns: Callable[[Alert], bool], measure: _Measure) -> int:
        """One look: what was measured, and the alerts that it concerns. Another worker's look is not repeated."""
        async with self.database.system.transaction() as tx:
            if not await store.try_lock(tx, name):
                return 0
            facts = await measure(tx, self.clock.now())
            standing = [alert for alert in await store.standing(tx) if concerns(alert)]
            return await _carry_out(tx, rules.judge(facts, standing))


async def _shared(tx: Tx, at: datetime) -> Facts:
    return Facts(at, accounts=tuple(await store_accounts.shared(tx)))


async def _users(tx: Tx, at: datetime) -> Facts:
    return Facts(at, accounts=tuple(await store_accounts.of_users(tx)))


async def _spending(tx: Tx, at: datetime) -> Facts:
    hours = await store_spending.hours(tx, at, rules.LEAST)
    return Facts(at, hours=tuple(hours), presumed=tuple(await store_spending.presumed(tx, at)))


async def _providers(tx: Tx, at: datetime) -> Facts:
    return Facts(at, troubles=tuple(await store_troubles.troubles(tx, at)))


def _of_users(alert: Alert) -> bool:
    return alert.kind in rules.OF_BUDGETS and alert.facts.get("scope") == Scope.USER


def _of_shared(alert: Alert) -> bool:
    return alert.kind in rules.OF_BUDGETS and alert.facts.get("scope") != Scope.USER


async def acknowledge(tx: Tx, tenant: TenantId | None, alert: AlertId, by: str) -> Alert:
    """Say that somebody has seen it: it stays, and nobody need look again. Doing so twice is doing so once.

    In the tenant's transaction, or qd_system's for the deployment's (None). Raises NoSuchAlert.
    """
    found = await find(tx, tenant, alert)
    if found.acknowledged_at is not None:
        return found
    seen = await store.acknowledge(tx, tenant, alert, by)
    if seen is None:
        raise NoSuchAlert
    await note(tx, tenant, "alert.acknowledged", by, f"alert:{alert}", about=seen.kind, subject=seen.subject)
    return seen


async def find(tx: Tx, tenant: TenantId | None, alert: AlertId) -> Alert:
    """One alert. Raises NoSuchAlert."""
    found = await store.find(tx, tenant, alert)
    if found is None:
        raise NoSuchAlert
    return found


async def _carry_out(tx: Tx, changes: Changes) -> int:
    done = 0
    for ended in changes.ended:
        over = await store.end(tx, ended)
        if over is not None:
            done += 1
            _say(tx, "alert.resolved", over)
    for finding in changes.begun:
        raised = await store.raise_(tx, finding)
        if raised is not None:
            done += 1
            _say(tx, "alert.raised", raised)
    for alert, finding in changes.going_on:
        await store.renew(tx, alert, finding)
    return done


def _say(tx: Tx, event: str, alert: Alert) -> None:
    tenant = None if alert.tenant is None else str(alert.tenant)
    tx.after_commit(lambda: _log.warning(event, kind=alert.kind, subject=alert.subject, tenant=tenant))
