"""Every tenant's policies in memory, so that the gate asks nobody: looked at each second, and at once after a change.

A process that could not look for some seconds says that it does not know. It never goes on with what may be stale.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence

from quarterdeck.core.ids import TenantId
from quarterdeck.db.following import PAUSE, Follower
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import POLICIES, Wakes
from quarterdeck.policies import store
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.statements import read
from quarterdeck.policies.tenant import PoliciesUnknown


class PolicyBook:
    """What tenants' policies say at the moment, as one process knows it. Start it once; close it at the end.

    `digest` changes whenever a tenant's policies do: decisions and approvals are bound to it.
    """

    def __init__(
        self, database: Database, wakes: Wakes, *, pause: float = PAUSE, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._texts: Mapping[TenantId, tuple[PolicyText, ...]] = {}
        self._digests: Mapping[TenantId, str] = {}
        self._changes: str | None = None
        self._follower = Follower("policies", self._read, wakes, POLICIES, pause=pause, now=now)

    async def start(self) -> None:
        """Read all and go on following. Raises what the database raises: a process without policies must not begin."""
        await self._follower.start(patient=False)

    async def close(self) -> None:
        """Follow no more."""
        await self._follower.close()

    @property
    def known(self) -> bool:
        """Whether the last successful look is recent enough to be relied on."""
        return self._follower.known

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
        await self._follower.look()

    async def _read(self) -> None:
        async with self._database.system.transaction() as tx:
            changes = await store.changes(tx)
            rows = None if changes == self._changes else await store.every(tx)
        if rows is not None:
            await asyncio.to_thread(_parse, self._fresh(rows))
            self._take(rows)
            self._changes = changes

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
