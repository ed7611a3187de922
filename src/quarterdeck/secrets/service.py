"""What is done with secrets: kept, listed, rotated, and resolved at the moment of a call."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from quarterdeck.audit.store import note
from quarterdeck.core import log as logs
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import Json
from quarterdeck.core.seal import seal
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx
from quarterdeck.secrets import rules, store
from quarterdeck.secrets.backends import Backend, backends_of, open_to
from quarterdeck.secrets.keys import Masters, newest_first, open_value
from quarterdeck.secrets.records import (
    DEPLOYMENT,
    KEPT,
    MOST,
    NoSuchSecret,
    Sealed,
    Secret,
    SecretMissing,
    SecretUnreadable,
    TooManySecrets,
    Wanted,
    WrappedKey,
)

_log = logs.get(__name__)

LIVES = 5.0
"""Seconds for which a process uses a value without asking again: a rotation counts everywhere within that time."""
_REWRAPPED_AT_ONCE = 500
_TOLD_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Held:
    """A secret's values in memory, the one in force first, and until when they are used without asking again."""

    values: tuple[str, ...] = field(repr=False)
    until: float


@dataclass(slots=True)
class Vault:
    """The secrets of a deployment, as one process uses them. Belongs to one event loop."""

    database: Database
    masters: Masters
    backends: Mapping[str, Backend]
    open_to: Mapping[str, frozenset[str]]
    _held: dict[tuple[TenantId, str], Held] = field(default_factory=dict[tuple[TenantId, str], Held], repr=False)

    @classmethod
    def of(cls, database: Database, settings: Settings) -> "Vault":
        """With the keys and back ends that the settings describe."""
        return cls(database, Masters.of(settings), backends_of(settings), open_to(settings))

    async def resolve(self, tenant: TenantId, names: Iterable[str]) -> Mapping[str, str]:
        """The values of secrets, at most `LIVES` seconds old. Raises SecretMissing, which names the secret."""
        return {name: values[0] for name, values in (await self.known(tenant, names)).items()}

    async def of_deployment(self, name: str) -> str:
        """The value of a secret of the deployment itself. Raises SecretMissing."""
        return (await self.resolve(DEPLOYMENT, [name]))[name]

    async def known(
        self, tenant: TenantId, names: Iterable[str], *, strict: bool = True
    ) -> Mapping[str, Sequence[str]]:
        """All kept values of secrets, the one in force first: what a text may hold.

        Not strict: what can't be had is left out instead of raising SecretMissing.
        """
        wanted, now = tuple(dict.fromkeys(names)), time.monotonic()
        held = {name: self._held.get((tenant, name)) for name in wanted}
        stale = [name for name, one in held.items() if one is None or one.until < now]
        if stale:
            held |= await self._read(tenant, stale, now, strict=strict)
        return {name: one.values for name, one in held.items() if one is not None and one.values}

    async def put(self, tx: Tx, tenant: TenantId, wanted: Wanted, by: str) -> Secret:
        """Keep a secret, or a new value of it, or change what is said of it. In the tenant's own transaction.

        Raises BadSecret, TooManySecrets, and NoSuchSecret where there is none yet and no value was given.
        """
        rules.check(wanted)
        present = await store.find(tx, tenant, wanted.name, lock=True)
        if present is None and wanted.value is None:
            raise NoSuchSecret(name=wanted.name)
        if present is None and await store.count(tx, tenant) >= MOST:
            raise TooManySecrets(most=MOST)
        version = (present.version if present else 0) + (wanted.value is not None)
        due_at = rules.next_due(present, wanted, datetime.now(UTC))
        described = (present.description if present else "") if wanted.description is None else wanted.description
        await store.write(tx, tenant, wanted.name, version, described, due_at)
        if wanted.value is not None:
            key, plain = await self._current_key(tx, tenant)
            sealed = _sealed(tenant, wanted.name, version, key.id, plain, wanted.value)
            await store.add_version(tx, tenant, sealed, by, KEPT)
            self._held.pop((tenant, wanted.name), None)
        await note(tx, tenant, "secret.set", by, f"secret:{wanted.name}", version=version)
        _log.info("secret.set", secret=wanted.name, tenant=str(tenant), version=version, by=by)
        kept = await store.find(tx, tenant, wanted.name)
        assert kept is not None
        return kept

    async def remove(self, tx: Tx, tenant: TenantId, name: str, by: str) -> None:
        """Remove a secret with all its values. Calls that need it fail from then on. Raises NoSuchSecret."""
        if not await store.remove(tx, tenant, name):
            raise NoSuchSecret(name=name)
        self._held.pop((tenant, name), None)
        await note(tx, tenant, "secret.removed", by, f"secret:{name}")
        _log.info("secret.removed", secret=name, tenant=str(tenant), by=by)

    async def rotate_key(self, tx: Tx, tenant: TenantId) -> int:
        """Seal everything that a tenant has under a new data key; the number of values. In its own transaction."""
        present = await store.current_key(tx, tenant, replace=True)
        if present is None:
            return 0
        plain_keys = {key.id: self.masters.unwrap(key) for key in await store.keys(tx, tenant)}
        await store.retire_key(tx, tenant, present.id)
        key, plain = self.masters.wrap(tenant)
        await store.add_key(tx, key)
        sealed = await store.all_values(tx, tenant)
        for one in sealed:
            value = _opened(tenant, one, plain_keys)
            await store.reseal(tx, tenant, _sealed(tenant, one.name, one.version, key.id, plain, value))
        await store.forget_keys(tx, tenant)
        _log.info("secret.key_rotated", tenant=str(tenant), values=len(sealed))
        return len(sealed)

    async def rewrap(self, by: str) -> int:
        """Put the data keys of all tenants under the master key in force; how many there were. May be repeated.

        Raises SecretUnreadable where the master key of one is not among those before.
        """
        done = 0
        while True:
            async with self.database.system.transaction() as tx:
                found = await store.wrapped_otherwise(tx, self.masters.current, _REWRAPPED_AT_ONCE)
                for key in found:
                    await store.rewrap(tx, self.masters.rewrap(key))
                if found:
                    await note(tx, None, "secret.keys_rewrapped", by, keys=len(found), master=self.masters.current)
            done += len(found)
            if len(found) < _REWRAPPED_AT_ONCE:
                _log.info("secret.keys_rewrapped", keys=done, master=self.masters.current)
                return done

    async def tell_leak(self, tenant: TenantId, run: RunId, where: str, found: Mapping[str, int]) -> None:
        """Count and tell that secrets had to be taken out of what a tool or a model said. `where` names which."""
        _log.warning("secret.leaked", secrets=dict(found), where=where, run=str(run), tenant=str(tenant))
        async with self.database.tenant(tenant) as tx:
            await store.leaked(tx, tenant, list(found), list(found.values()))
            facts: dict[str, Json] = {"run_id": str(run), "where": where, "secrets": dict(found)}
            await store.announce(tx, tenant, "secret.leaked", run, facts)

    async def _read(self, tenant: TenantId, names: Sequence[str], now: float, *, strict: bool) -> Mapping[str, Held]:
        kept = [name for name in names if "/" not in name]
        async with self.database.tenant(tenant) as tx:
            slug = await store.slug(tx, tenant)
            found = await self._kept(tx, tenant, kept, strict=strict) if kept else {}
        for name in names:
            if name in found:
                continue
            try:
                found[name] = (await self._elsewhere(tenant, slug, name),)
            except SecretMissing:
                if strict:
                    raise
        fresh = {name: Held(values, now + LIVES) for name, values in found.items()}
        for key in [key for key, one in self._held.items() if one.until < now]:
            del self._held[key]  # what nobody asks for does not stay in memory either
        self._held.update({(tenant, name): one for name, one in fresh.items()})
        return fresh

    async def _kept(
        self, tx: Tx, tenant: TenantId, names: Sequence[str], *, strict: bool
    ) -> dict[str, tuple[str, ...]]:
        sealed = await store.values(tx, tenant, names)
        keys = {key.id: key for key in await store.keys(tx, tenant)} if sealed else {}
        versions: dict[str, list[tuple[int, str]]] = {}
        for one in sealed:
            try:
                value = _opened(tenant, one, {one.key: self.masters.unwrap(keys[one.key])})
            except SecretUnreadable:
                _log.error("secret.unreadable", secret=one.name, version=one.version, tenant=str(tenant))
                if strict:
                    raise
            else:
                versions.setdefault(one.name, []).append((one.version, value))
        return {name: newest_first(several) for name, several in versions.items()}

    async def _elsewhere(self, tenant: TenantId, slug: str, name: str) -> str:
        """A secret of another back end. Raises SecretMissing with the reason and the fix."""
        place, _, bare = name.rpartition("/")
        if not place:
            raise SecretMissing(f"There is no secret `{name}` here; set it with `qd secret set {name}`.", secret=name)
        backend = self.backends.get(place)
        if backend is None:
            raise SecretMissing(f"This deployment has no back end `{place}` for the secret `{name}`.", secret=name)
        if tenant != DEPLOYMENT and not {slug, "*"} & self.open_to.get(place, frozenset()):
            told = f"This tenant may not use `secret://{place}/...`; a deployment admin may allow it."
            raise SecretMissing(told, secret=name)
        value = await backend.read(bare)
        if value is None:
            raise SecretMissing(f"There is no secret `{name}`: its back end has none of that name.", secret=name)
        fault = rules.value_fault(value)
        if fault is not None:
            raise SecretMissing(f"The secret `{name}` can't be used: {fault}.", secret=name)
        return value

    async def _current_key(self, tx: Tx, tenant: TenantId) -> tuple[WrappedKey, bytes]:
        key = await store.current_key(tx, tenant)
        if key is None:
            fresh, _ = self.masters.wrap(tenant)
            await store.add_key(tx, fresh)
            key = await store.current_key(tx, tenant)
            assert key is not None
        return key, self.masters.unwrap(key)


def _sealed(tenant: TenantId, name: str, version: int, key: UUID, plain: bytes, value: str) -> Sealed:
    content = value.encode("utf-8", "surrogatepass")
    return Sealed(name, version, key, seal(plain, content, rules.place(tenant, name, version)))


def _opened(tenant: TenantId, one: Sealed, plain_keys: Mapping[UUID, bytes]) -> str:
    return open_value(plain_keys[one.key], one.sealed, rules.place(tenant, one.name, one.version))


async def tell_due(database: Database) -> int:
    """Tell of secrets that are due and of which nobody was told; how many there were. A chore of every worker."""
    async with database.system.transaction() as tx:
        due = await store.take_due(tx, _TOLD_AT_ONCE)
        for tenant, name, due_at in due:
            _log.warning("secret.due", secret=name, tenant=str(tenant), due_at=due_at.isoformat())
            await store.announce(tx, tenant, "secret.due", None, {"secret": name, "due_at": due_at.isoformat()})
    return len(due)
