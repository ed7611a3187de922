"""What is done with a tenant's limits, one transaction each. Who may do it is asked at the border.

Workers follow within a second. A limit that was changed goes on counting what was counted before.
"""

from collections.abc import Callable

from quarterdeck.audit.store import note
from quarterdeck.core import log as logs
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Tx
from quarterdeck.rates import store
from quarterdeck.rates.records import Limit, NoSuchRate, TooManyRates
from quarterdeck.rates.rules import settle

MOST = 500
"""Limits of one tenant: each worker keeps all of them in memory."""
_log = logs.get(__name__)


async def find(tx: Tx, tenant: TenantId, name: str) -> Limit:
    """One limit. Raises NoSuchRate."""
    found = await store.find(tx, tenant, name)
    if found is None:
        raise NoSuchRate(name=name)
    return found


async def put(tx: Tx, tenant: TenantId, wanted: Limit, check: Callable[[Limit | None], None]) -> Limit:
    """Make a limit, or make it what is wanted.

    `check` is shown the present one, held against other writers, or None, and may refuse. Raises BadRate, TooManyRates.
    """
    wanted = settle(wanted)
    present = await store.find(tx, tenant, wanted.name, lock=True)
    check(present)
    if present is None and await store.count(tx, tenant) >= MOST:
        raise TooManyRates(most=MOST)
    written = await store.write(tx, tenant, wanted)
    said = f"{wanted.scope}:{wanted.target}"
    await note(tx, tenant, "rate.set", wanted.set_by, f"rate:{wanted.name}", limits=said, calls=wanted.calls)
    _log.info("rate.set", tenant=str(tenant), rate=wanted.name, scope=wanted.scope, by=wanted.set_by)
    return written


async def remove(tx: Tx, tenant: TenantId, name: str, check: Callable[[Limit | None], None], *, by: str) -> None:
    """Remove a limit. Raises NoSuchRate."""
    check(await store.find(tx, tenant, name, lock=True))
    if not await store.delete(tx, tenant, name):
        raise NoSuchRate(name=name)
    await note(tx, tenant, "rate.removed", by, f"rate:{name}")
    _log.info("rate.removed", tenant=str(tenant), rate=name, by=by)
