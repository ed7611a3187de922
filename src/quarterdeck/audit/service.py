"""What is done with the audit: look at it, check it, take it along, erase what it must not keep."""

import hashlib
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from uuid import UUID

from quarterdeck.audit import rules, store, store_reading, store_sealing
from quarterdeck.audit.keys import Keys
from quarterdeck.audit.records import (
    Chain,
    Entry,
    NotASeal,
    NotSealed,
    PayloadInLog,
    Report,
    Row,
    RowMissing,
)
from quarterdeck.core.chain import GENESIS, Fault, Head, Walk, stamp
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json, encode
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database

CHECKED_AT_ONCE = 1000
EXPORTED_AT_ONCE = 100
"""Rows of one transaction: a row's payload may be large."""


class Audit:
    """The audit of all tenants, as one process reaches it. `DEPLOYMENT` is the tenant of what belongs to none."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys

    @classmethod
    def of(cls, database: Database, settings: Settings) -> "Audit":
        """The audit of a deployment."""
        return cls(database, Keys.of(settings))

    @property
    def public_key(self) -> bytes:
        """The Ed25519 key that this deployment's heads are checked with."""
        return self._keys.signer.public

    async def chain(self, tenant: TenantId) -> Chain:
        """Where a tenant's chain stands."""
        async with self._database.tenant(tenant) as tx:
            return await store_reading.chain(tx, tenant)

    async def find(self, tenant: TenantId, row: UUID) -> Row:
        """One row with its payload. Raises RowMissing."""
        async with self._database.tenant(tenant) as tx:
            found = await store_reading.find(tx, tenant, row)
        if found is None:
            raise RowMissing
        return found

    def payload_of(self, tenant: TenantId, row: Row) -> rules.Payload:
        """What there is of a row's payload, which has been read with it. Unsealed, it is bound to nothing yet."""
        if row.position is None:
            return rules.Payload.NONE if row.payload is None else rules.Payload.KEPT
        return rules.payload_of(_digested(row), self._keys.of_row(tenant, row.id))

    async def verify(self, tenant: TenantId, after: int | None = None, digest: bytes | None = None) -> Report:
        """Go along the whole chain and say what is wrong with it, and where.

        With `after` only from there on: behind a position where a head was signed, or where the caller knows the hash
        by another way, such as the end of an earlier export: `digest`. Raises NotASeal where there is no such head.
        """
        began = time.monotonic()
        async with self._database.tenant(tenant) as tx:
            chain = await store_reading.chain(tx, tenant)
        walk = await self._begin(tenant, chain, after, digest)
        first, counts = walk.position + 1, dict.fromkeys(rules.Payload, 0)
        sealed, position = 0, walk.position
        last = max(chain.last, chain.head.position if chain.head else 0)
        while position < last:
            rows, seals = await self._stretch(tenant, position, last, CHECKED_AT_ONCE, payloads=False)
            for row in rows:
                state = rules.payload_of(row, self._keys.of_row(tenant, row.id))
                counts[state] += 1
                _step(walk, tenant, row, seals, state)
            sealed += len(rows)
            _pass(walk, seals, last + 1)
            if len(rows) < CHECKED_AT_ONCE:
                break
            position = _position(rows[-1])
        walk.end(chain.head)
        return Report(
            chain=chain,
            first=first,
            sealed=sealed,
            kept=counts[rules.Payload.KEPT],
            erased=counts[rules.Payload.ERASED],
            findings=tuple(walk.findings),
            faults=walk.faults,
            ms=round((time.monotonic() - began) * 1000),
        )

    async def export(self, tenant: TenantId, after: int | None = None) -> AsyncGenerator[bytes]:
        """The chain as lines of JSON: where it begins, rows and seals in order, and the signed head as the last line.

        With `after` only what follows a signed head, such as the one that the export before ended with. What is
        sealed after this begins is left to the next one. Raises NotASeal.
        """
        chain = await self.chain(tenant)
        start = await self._anchor(tenant, chain, after)
        return self._lines(tenant, chain, start)

    async def erase(self, tenant: TenantId, row: UUID, by: str, why: str) -> None:
        """Erase a row's inputs and outputs; the row itself and the chain stay. Idempotent, and itself audited.

        Raises RowMissing, NotSealed for a row of the last second, and PayloadInLog.
        """
        found = await self.find(tenant, row)
        if found.position is None:
            raise NotSealed
        if found.seq is not None:
            raise PayloadInLog(run=str(found.run))
        entry = Entry(
            tenant=tenant, kind="audit.erased", actor=by, action="erase", target=f"row:{row}", inputs={"why": why}
        )
        async with self._database.system.transaction() as tx:
            if await store_sealing.erase(tx, tenant, row):
                await store.write(tx, [entry])

    async def _begin(self, tenant: TenantId, chain: Chain, after: int | None, digest: bytes | None) -> Walk:
        if after is not None and digest is not None:
            if chain.floor is not None and after < chain.floor.position:
                raise NotASeal(after=after, floor=chain.floor.position)
            start = after, digest
        else:
            anchor = await self._anchor(tenant, chain, after)
            start = (anchor.position, anchor.hash) if anchor else (0, GENESIS)
        walk = Walk(str(tenant), {self.public_key}, *start)
        if chain.floor is not None and not walk.trusts(chain.floor):
            walk.find(Fault.BAD_SIGNATURE, chain.floor.position, chain.floor.position)
        return walk

    async def _anchor(self, tenant: TenantId, chain: Chain, after: int | None) -> Head | None:
        """The signed head or floor that one may begin behind; None for the very beginning."""
        if after is None:
            return chain.floor
        if after == 0 and chain.floor is None:
            return None
        for head in (chain.floor, chain.head):
            if head is not None and head.position == after:
                return head
        async with self._database.tenant(tenant) as tx:
            seals = await store_reading.seals(tx, tenant, after - 1, after)
        if not seals or (chain.floor is not None and after < chain.floor.position):
            raise NotASeal(after=after)
        return seals[0]

    async def _stretch(
        self, tenant: TenantId, after: int, last: int, limit: int, *, payloads: bool
    ) -> tuple[list[Row], list[Head]]:
        """Rows and seals behind a position, in order."""
        async with self._database.tenant(tenant) as tx:
            rows = await store_reading.stretch(tx, tenant, after, last, limit, payloads=payloads)
            until = _position(rows[-1]) if len(rows) == limit else last
            return rows, await store_reading.seals(tx, tenant, after, until)

    async def _lines(self, tenant: TenantId, chain: Chain, start: Head | None) -> AsyncGenerator[bytes]:
        yield _line({"audit": {"v": 1, "tenant": str(tenant), "after": _shown(start)}})
        position, rows_in_all = start.position if start else 0, 0
        last = chain.head.position if chain.head else 0
        while position < last:
            rows, seals = await self._stretch(tenant, position, last, EXPORTED_AT_ONCE, payloads=True)
            for row in rows:
                while seals and seals[0].position < _position(row):
                    yield _line({"seal": _shown(seals.pop(0))})
                yield _line(self._row(tenant, row))
            for seal in seals:
                yield _line({"seal": _shown(seal)})
            rows_in_all += len(rows)
            if len(rows) < EXPORTED_AT_ONCE:
                break
            position = _position(rows[-1])
        yield _line({"head": _shown(chain.head), "rows": rows_in_all, "unsealed": chain.unsealed})

    def _row(self, tenant: TenantId, row: Row) -> dict[str, Json]:
        assert row.hash is not None, "sealed rows have one"
        shown: dict[str, Json] = {
            "row": rules.record_of(tenant, row, _position(row), row.mac),
            "hash": row.hash.hex(),
        }
        if row.payload is not None:
            # The key is given away with the payload that it binds, and never without.
            shown |= {"payload": row.payload, "key": self._keys.of_row(tenant, row.id).hex()}
        return shown


def _step(walk: Walk, tenant: TenantId, row: Row, seals: list[Head], state: rules.Payload) -> None:
    """One row, and the seals that come before it."""
    position = _position(row)
    assert row.hash is not None, "sealed rows have one"
    _pass(walk, seals, position)
    walk.record(position, rules.record_of(tenant, row, position, row.mac), row.hash)
    if state == rules.Payload.CHANGED:
        walk.find(Fault.PAYLOAD_CHANGED, position, position)


def _pass(walk: Walk, seals: list[Head], position: int) -> None:
    """The seals below a position."""
    while seals and seals[0].position < position:
        walk.head(seals.pop(0))


def _position(row: Row) -> int:
    assert row.position is not None, "sealed rows have one"
    return row.position


def _digested(row: Row) -> Row:
    return row if row.payload is None else replace(row, digest=hashlib.sha256(row.payload.encode()).digest())


def _shown(head: Head | None) -> Json:
    if head is None:
        return None
    return {
        "mark": head.mark.value,
        "position": head.position,
        "hash": head.hash.hex(),
        "at": stamp(head.at),
        "signer": head.signer.hex(),
        "signature": head.signature.hex(),
    }


def _line(value: Json) -> bytes:
    return encode(value) + b"\n"
