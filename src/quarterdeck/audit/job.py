"""What workers do for the audit: seal what waits, each second, and prune what has served its time.

Every worker runs this. A tenant's head is held by one of them at a time and the others pass it over, so a chain never
forks; a worker that dies in between leaves its transaction's work to the next.
"""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from quarterdeck.audit import rules, store, store_sealing
from quarterdeck.audit.keys import Keys
from quarterdeck.audit.records import Entry, Row
from quarterdeck.core import log
from quarterdeck.core.chain import Head, Mark
from quarterdeck.core.ids import TenantId
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database

TENANTS = 200
ROWS = 500
"""Of one tenant in one transaction; a tenant with more does not hold the others up."""
ROUNDS = 20
"""Transactions of one turn."""
PRUNE_EVERY = 3600.0
_PAGE = 5000

_log = log.get("quarterdeck.audit")


class Sealer:
    """One worker's sealer: call `round` each second."""

    def __init__(self, database: Database, keys: Keys, kept_for: timedelta | None) -> None:
        self._database = database
        self._keys = keys
        self._kept_for = kept_for
        self._seen: dict[TenantId, int] = {}
        self._pruned_at = time.monotonic()

    @classmethod
    def of(cls, database: Database, settings: Settings) -> "Sealer":
        """The sealer of a deployment's worker."""
        days = settings.audit_days
        return cls(database, Keys.of(settings), timedelta(days=days) if days else None)

    async def round(self) -> None:
        """Seal what waits, in as many transactions as it takes within reason. Prunes once an hour."""
        for _ in range(ROUNDS):
            heads, full = await seal_some(self._database, self._keys)
            self._compare(heads)
            if not full:
                break
        if self._kept_for is not None and time.monotonic() - self._pruned_at > PRUNE_EVERY:
            await prune(self._database, self._keys, datetime.now(UTC) - self._kept_for)
            self._pruned_at = time.monotonic()

    def _compare(self, heads: list[Head]) -> None:
        """A chain only grows. One that is shorter than this worker knows was cut off, or the database was set back."""
        for head in heads:
            tenant = TenantId(UUID(head.chain))
            if head.position <= self._seen.get(tenant, 0):
                _log.error("audit.chain_was_cut", tenant=head.chain, position=head.position, knew=self._seen[tenant])
            self._seen[tenant] = head.position
            _log.debug("audit.sealed", tenant=head.chain, position=head.position, hash=head.hash.hex())


async def seal_round(database: Database, keys: Keys) -> int:
    """Seal all that waits and that nobody else is sealing; the number of heads that were signed."""
    signed = 0
    for _ in range(ROUNDS):
        heads, full = await seal_some(database, keys)
        signed += len(heads)
        if not full:
            break
    return signed


async def seal_some(database: Database, keys: Keys) -> tuple[list[Head], bool]:
    """Seal a bounded number of rows of every tenant that has some waiting, in one transaction.

    Answers the heads that were signed, and whether there may be more to seal at once.
    """
    async with database.system.transaction() as tx:
        held = await store_sealing.hold_waiting(tx, TENANTS)
        if not held:
            return [], False
        waiting = await store_sealing.waiting(tx, [each.tenant for each in held], ROWS)
        sealed: list[tuple[TenantId, Row, rules.Sealing]] = []
        heads: dict[TenantId, Head] = {}
        for each in held:
            tenant, position, before = each.tenant, each.position, each.hash
            for row in waiting[tenant]:
                position += 1
                sealing = rules.seal(tenant, row, position, before, keys.of_row(tenant, row.id))
                sealed.append((tenant, row, sealing))
                before = sealing.hash
            if position > each.position:
                heads[tenant] = keys.signer.sign(str(tenant), position, before, each.now)
        if sealed:
            await store_sealing.move(tx, sealed)
            await store_sealing.sign(tx, heads)
    return list(heads.values()), any(len(rows) == ROWS for rows in waiting.values()) or len(held) == TENANTS


async def prune(database: Database, keys: Keys, before: datetime) -> int:
    """Remove rows that were sealed before a time, of all tenants; the number of rows.

    First the floor is signed and raised, then rows go, page by page: what is above stays verifiable at every moment,
    and a pruner that dies leaves the rest to the next.
    """
    removed = 0
    while True:
        async with database.system.transaction() as tx:
            found = await store_sealing.prunable(tx, before, TENANTS)
            for each in found:
                floor = keys.signer.sign(str(each.tenant), each.position, each.hash, each.now, Mark.FLOOR)
                if await store_sealing.raise_floor(tx, each.tenant, floor):
                    await store.write(tx, [_pruned(each.tenant, each.position)])
        async with database.system.transaction() as tx:
            unfinished = await store_sealing.unfinished(tx, TENANTS)
        for tenant, position in unfinished:
            removed += await _prune_tenant(database, tenant, position)
        if len(found) < TENANTS and len(unfinished) < TENANTS:
            return removed


async def _prune_tenant(database: Database, tenant: TenantId, floor: int) -> int:
    removed = 0
    while True:
        async with database.system.transaction() as tx:
            some = await store_sealing.prune_some(tx, tenant, floor, _PAGE)
        removed += some
        if some < _PAGE:
            return removed


def _pruned(tenant: TenantId, position: int) -> Entry:
    return Entry(
        tenant=tenant, kind="audit.pruned", actor="system", action="prune", target=f"position:{position}", status="done"
    )
