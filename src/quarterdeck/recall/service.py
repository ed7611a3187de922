"""Give an earlier answer of a read again, keep a new one, and tell that something has changed where it came from."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from quarterdeck.blobs.records import BlobKey, BlobMissing, BlobsErased
from quarterdeck.blobs.service import Blobs
from quarterdeck.core.ids import RunId, TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx
from quarterdeck.recall import rules, store
from quarterdeck.recall.records import Asked, Found, Known, Principal, Unknown, Want

PAGE = 500
"""Answers that a sweep removes in one transaction."""
_BESIDE = timedelta(hours=1)
"""For how long changes are told beyond the time of the last answer: a call that began before may end after it."""


class Recall:
    """The answers that one process may give again. Nothing of them is kept in it: all workers share them.

    An answer is given again to the principal who got it, by the release that would have asked the same tool of the same
    server, until its time is over or a call that is no read has been under way to that server for that principal since
    it was asked for. Every verb is a transaction of its own and raises Unavailable where the database is away.
    """

    def __init__(self, database: Database, blobs: Blobs, secret: bytes) -> None:
        self._database = database
        self._blobs = blobs
        self._secret = secret

    @classmethod
    def of(cls, database: Database, blobs: Blobs, settings: Settings) -> "Recall":
        """The answers of a deployment."""
        return cls(database, blobs, settings.derive("recall"))

    def want(self, asked: Asked) -> Want | None:
        """The keys of a read; None where no two of it are surely the same."""
        return rules.want_of(self._secret, asked)

    async def find(self, tenant: TenantId, run: RunId, want: Want, seconds: int) -> Found:
        """An earlier answer, whose payloads `run` refers to from now on; else the time as of which one can be kept.

        `seconds` is for how long one would be kept: changes are told from this moment on.
        """
        async with self._database.tenant(tenant) as tx:
            at, row = await store.find(tx, tenant, want.key)
            value = None if row is None else await self._given(tx, tenant, run, row)
            if value is not None:
                return Known(value)
            await store.open_place(tx, tenant, want.place, timedelta(seconds=seconds) + _BESIDE)
            return Unknown(at)

    async def keep(
        self,
        tenant: TenantId,
        run: RunId,
        want: Want,
        asked_at: datetime,
        seconds: int,
        value: bytes,
        parts: Sequence[str],
    ) -> None:
        """Keep what a read has answered that was asked after `asked_at`. `parts` are payloads of the run's in it."""
        holder = uuid7()
        name = store.holder_of(holder)
        async with self._database.tenant(tenant) as tx:
            before = await store.forget(tx, tenant, want.key)
            if before is not None:
                await self._blobs.let_go(tx, tenant, store.holder_of(before))
            keys = [BlobKey(bytes.fromhex(part)) for part in parts]
            held: Mapping[BlobKey, bytes] = {}
            if keys:
                held = await self._blobs.get_many(tx, tenant, keys, str(run))
            for content in held.values():
                _ = await self._blobs.put(tx, tenant, content, name)
            key = await self._blobs.put(tx, tenant, value, name)
            row = store.Row(holder, key, tuple(held))
            if not await store.keep(tx, tenant, want, row, asked_at, timedelta(seconds=seconds)):
                await self._blobs.let_go(tx, tenant, name)

    async def changing(self, principal: Principal, server: str, seconds: float) -> datetime | None:
        """A call that is no read is about to be sent, and may have its effect within `seconds`. Say when it is over."""
        place = rules.place_of(self._secret, principal, server)
        if place is None:
            return None
        async with self._database.tenant(principal.tenant) as tx:
            return await store.changing(tx, principal.tenant, place, timedelta(seconds=seconds))

    async def changed(self, principal: Principal, server: str, told: datetime | None) -> None:
        """The call that was told as `told` has its outcome, and nothing of it comes later."""
        place = rules.place_of(self._secret, principal, server)
        if place is None:
            return
        async with self._database.tenant(principal.tenant) as tx:
            await store.changed(tx, principal.tenant, place, told)

    async def _given(self, tx: Tx, tenant: TenantId, run: RunId, row: store.Row) -> bytes | None:
        """The answer; None where its payloads were erased meanwhile."""
        name, parts = store.holder_of(row.holder), [BlobKey(part) for part in row.parts]
        try:
            found = await self._blobs.get_many(tx, tenant, [BlobKey(row.value), *parts], name)
        except (BlobMissing, BlobsErased):
            return None
        for part in parts:
            _ = await self._blobs.put(tx, tenant, found[part], str(run))
        return found[BlobKey(row.value)]


async def sweep(tx: Tx) -> int:
    """Remove answers whose time is over, in a transaction of qd_system; how many. Their payloads go with the blobs'."""
    removed = 0
    while (gone := await store.sweep(tx, PAGE)) > 0:
        removed += gone
    return removed
