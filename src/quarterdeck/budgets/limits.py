"""What is done with live budgets, one transaction each. Who may do it is asked at the border.

A change holds for the very next reservation: each reads the limit where it is kept. Processes learn within a second of
budgets that are new. What was spent stands, whatever becomes of the limit.
"""

from collections.abc import Callable
from dataclasses import replace

from quarterdeck.audit.store import note
from quarterdeck.budgets import store_budgets as store
from quarterdeck.budgets.records import EVERY_ONE, BadBudget, Budget, NoSuchBudget, Scope, TooManyBudgets
from quarterdeck.budgets.rules import settle
from quarterdeck.core import log as logs
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Tx
from quarterdeck.db.wakes import BUDGETS, Wakes

MOST = 500
"""Budgets of one tenant, and of the deployment: each process keeps all of them in memory."""
_log = logs.get(__name__)


async def find(tx: Tx, tenant: TenantId | None, name: str) -> Budget:
    """One budget of a tenant, or for None of the deployment. Raises NoSuchBudget."""
    found = await store.find(tx, tenant, name)
    if found is None:
        raise NoSuchBudget(name=name)
    return found


async def put(tx: Tx, wanted: Budget, check: Callable[[Budget | None], None], wakes: Wakes) -> Budget:
    """Make a budget of `wanted.tenant` (None: the deployment's, in qd_system's transaction), or make it what is wanted.

    `check` is shown the present one, held against other writers, or None, and may refuse. Raises BadBudget,
    TooManyBudgets.
    """
    wanted = await _aimed(tx, settle(wanted))
    present = await store.find(tx, wanted.tenant, wanted.name, lock=True)
    check(present)
    if present is None and await store.count(tx, wanted.tenant) >= MOST:
        raise TooManyBudgets(most=MOST)
    written = await store.write(tx, wanted)
    await note(
        tx,
        wanted.tenant,
        "budget.set",
        wanted.set_by,
        f"budget:{wanted.name}",
        limits=f"{wanted.scope}:{wanted.target}",
        window=wanted.window,
        max_micro_usd=wanted.max_micro_usd,
        max_tokens=wanted.max_tokens,
        rpm_limit=wanted.rpm_limit,
        tpm_limit=wanted.tpm_limit,
        before_micro_usd=present.max_micro_usd if present else None,
        before_tokens=present.max_tokens if present else None,
        why=wanted.why,
    )
    tx.after_commit(lambda: wakes.send(BUDGETS, 1, key="budgets"))
    _log.info("budget.set", tenant=str(wanted.tenant), budget=wanted.name, scope=wanted.scope, by=wanted.set_by)
    return written


async def remove(
    tx: Tx, tenant: TenantId | None, name: str, check: Callable[[Budget | None], None], wakes: Wakes, *, by: str
) -> None:
    """Remove a budget. Raises NoSuchBudget."""
    check(await store.find(tx, tenant, name, lock=True))
    if not await store.delete(tx, tenant, name):
        raise NoSuchBudget(name=name)
    await note(tx, tenant, "budget.removed", by, f"budget:{name}")
    tx.after_commit(lambda: wakes.send(BUDGETS, 1, key="budgets"))
    _log.info("budget.removed", tenant=str(tenant), budget=name, by=by)


async def _aimed(tx: Tx, wanted: Budget) -> Budget:
    """The same, with the tenant that the deployment names in it. Raises BadBudget where there is no such tenant."""
    if wanted.tenant is not None or wanted.scope is not Scope.TENANT or wanted.target == EVERY_ONE:
        return replace(wanted, target_tenant=None)
    target = await store.tenant_of(tx, wanted.target)
    if target is None:
        raise BadBudget("there is no tenant of this name", target=wanted.target)
    return replace(wanted, target_tenant=target)
