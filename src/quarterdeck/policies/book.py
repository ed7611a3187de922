"""Every tenant's policies in memory, so that the gate asks nobody: looked at each second, and at once after a change.

A process that could not look for some seconds says that it does not know. It never goes on with what may be stale.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence

from quarterdeck.core import log as logs
from quarterdeck.core.ids import TenantId
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import POLICIES, Heard, Wakes
from quarterdeck.policies import store
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.statements import read
from quarterdeck.policies.tenant import PoliciesUnknown

PAUSE = 1.0
"""Seconds between two looks when nobody says that something changed."""
STALE = 5.0
"""Seconds after the last successful look from which on the book does not know."""
_PATIENCE = 4.0

_log = logs.get(__name__)


class PolicyBook:
    """What tenants' policies say at the moment, as one process knows it. Start it once; close it at the end.

    `digest` changes whenever a tenant's policies do: decisions and approvals are bound to it.
    """

    def __init__(
        self, database: Database, wakes: Wakes, *, pause: float = PAUSE, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._wakes = wakes
        self._pause = pause
        self._now = now
        self._texts: Mapping[TenantId, tuple[PolicyText, ...]] = {}
        self._digests: Mapping[TenantId, str] = {}
        self._changes: str | None = None
        self._looked_at = float("-inf")
        self._stir = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._deaf: Callable[[], None] | None = None

    async def start(self) -> None:
        """Read all and go on following. Raises what the database raises: a process without policies must not begin."""
        self._deaf = self._wakes.listen(POLICIES, self._heard)
        await self.look()
        self._task = asyncio.create_task(self._follow(), name="policies")

    async def close(self) -> None:
        """Follow no more."""
        if self._deaf is not None:
            self._deaf()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def known(self) -> bool:
        """Whether the last successful look is recent enough to be relied on."""
        return self._now() - self._looked_at <= STALE

    def tenant(self, tenant: TenantId) -> Sequence[PolicyText]:
        """A tenant's policies in force, by name. Raises PoliciesUnknown."""
        self._require_known()
        return self._texts.get(tenant, ())

    def digest(self, tenant: TenantId) -> str:
        """What changes whenever the tenant's policies do; empty where it has none. Raises PoliciesUnknown."""
        self._require_known()
        return self._digests.get(tenant, "")

    async def look(self) -> None:
        """Read what changed, if anything did."""
        began = self._now()
        async with self._database.system.transaction() as tx:
            changes = await store.changes(tx)
            rows = None if changes == self._changes else await store.every(tx)
        if rows is not None:
            await asyncio.to_thread(_parse, self._fresh(rows))
            self._take(rows)
            self._changes = changes
        self._looked_at = began

    def _fresh(self, rows: Sequence[tuple[TenantId, str, str]]) -> list[PolicyText]:
        """Texts that were changed while this process ran. At its start all are new, and parsed when they are needed."""
        if self._changes is None:
            return []
        known = {(tenant, text.name): text.text for tenant, texts in self._texts.items() for text in texts}
        return [PolicyText(name, text) for tenant, name, text in rows if known.get((tenant, name)) != text]

    def _take(self, rows: Sequence[tuple[TenantId, str, str]]) -> None:
        texts: dict[TenantId, list[PolicyText]] = {}
        for tenant, name, text in rows:
            texts.setdefault(tenant, []).append(PolicyText(name, text))
        self._texts = {tenant: tuple(found) for tenant, found in texts.items()}
        self._digests = {tenant: digest_of(found) for tenant, found in texts.items()}

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._stir.wait()
            self._stir.clear()
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self.look()
            except Exception as fault:  # whatever it is, the book grows stale and says so
                _log.warning("policies.not_read", reason=str(fault) or type(fault).__name__)

    def _heard(self, heard: Heard) -> None:
        del heard  # that something changed is all there is to know
        self._stir.set()

    def _require_known(self) -> None:
        if not self.known:
            raise PoliciesUnknown


def _parse(texts: Sequence[PolicyText]) -> None:
    """Parse texts beside the event loop. What was parsed is remembered: the gate then finds it done."""
    for text in texts:
        read(text)


def digest_of(texts: Sequence[PolicyText]) -> str:
    """SHA-256 over names and texts, in their order."""
    sums = hashlib.sha256()
    for each in texts:
        for part in (each.name, each.text):
            encoded = part.encode()
            sums.update(len(encoded).to_bytes(8, "big") + encoded)
    return sums.hexdigest()
