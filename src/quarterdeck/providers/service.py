"""What is done with provider connections, one transaction each. Who may do it is asked at the border."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from quarterdeck.audit.store import note
from quarterdeck.core import log as logs
from quarterdeck.core.json import Json
from quarterdeck.core.seal import SealBroken, seal, unseal
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx
from quarterdeck.providers import rules, store
from quarterdeck.providers.records import (
    BadConnection,
    Connection,
    KeyBound,
    KeyUnreadable,
    Kind,
    NoSuchProvider,
    ProviderExists,
    Wanted,
)
from quarterdeck.spec import references

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Providers:
    """The deployment's provider connections."""

    database: Database
    sealing_key: bytes

    @classmethod
    def of(cls, database: Database, settings: Settings) -> "Providers":
        """With the sealing key that derives from the deployment's secret."""
        return cls(database, settings.derive("providers"))

    async def all(self) -> list[Connection]:
        """Every connection, by name."""
        async with self.database.app.transaction() as tx:
            return await store.read_all(tx)

    async def get(self, name: str) -> Connection:
        """One connection. Raises NoSuchProvider."""
        async with self.database.app.transaction() as tx:
            return _found(await store.find(tx, name), name)

    async def add(self, tx: Tx, wanted: Wanted, by: str = "system") -> Connection:
        """Make a connection, in qd_system's transaction. Raises BadConnection or ProviderExists."""
        wanted = rules.settle(wanted)
        added = await store.add(tx, self._connection(wanted, None))
        if added is None:
            raise ProviderExists(name=wanted.name)
        await note(tx, None, "provider.added", by, f"provider:{added.name}", base_url=added.base_url)
        _log.info("provider.added", provider=added.name, kind=added.kind, base_url=added.base_url)
        return added

    async def change(
        self,
        name: str,
        changes: Mapping[str, Json],
        check: Callable[[Connection], None] | None = None,
        by: str = "system",
    ) -> Connection:
        """Change what `changes` names (base_url, key, options, tenants, agents), the kind excepted.

        `check` is shown the present connection, held against other writers, and may refuse. Raises NoSuchProvider,
        BadConnection, and KeyBound when the origin changes and the key is not given again.
        """
        async with self.database.system.transaction() as tx:
            present = _found(await store.find(tx, name, lock=True), name)
            if check is not None:
                check(present)
            wanted = rules.settle(rules.merge(present, changes))
            changed = await store.write(tx, self._connection(wanted, present))
            await note(tx, None, "provider.changed", by, f"provider:{name}", changed=sorted(changes))
        changed = _found(changed, name)
        _log.info("provider.changed", provider=name, base_url=changed.base_url, changed=sorted(changes))
        return changed

    async def remove(self, name: str, by: str = "system") -> None:
        """Remove a connection. Raises NoSuchProvider."""
        async with self.database.system.transaction() as tx:
            if not await store.delete(tx, name):
                raise NoSuchProvider(name=name)
            await note(tx, None, "provider.removed", by, f"provider:{name}")
        _log.info("provider.removed", provider=name)

    async def ensure(self, wanted: Wanted) -> Connection:
        """Make the connection, or bring its address and key up to what is wanted; leaves the rest of it as it is.

        For what the environment of a development machine says. Writes nothing where nothing differs.
        """
        wanted = rules.settle(wanted)
        async with self.database.system.transaction() as tx:
            if (added := await store.add(tx, self._connection(wanted, None))) is not None:
                return added
            present = _found(await store.find(tx, wanted.name, lock=True), wanted.name)
            if self._is(present, wanted):
                return present
            if present.kind == wanted.kind:
                wanted = replace(wanted, options=present.options, tenants=present.tenants, agents=present.agents)
            return _found(await store.write(tx, self._connection(wanted, None)), wanted.name)

    async def follow(self, environment: Mapping[str, str], recorded: Collection[str] = ()) -> list[Connection]:
        """Make and update the connections that a development machine's environment speaks of, as `wanted_from` says."""
        return [await self.ensure(wanted) for wanted in wanted_from(environment, recorded)]

    def open_key(self, connection: Connection) -> str:
        """The connection's key, or nothing where it has none. Raises KeyUnreadable."""
        if connection.sealed_key is None:
            return ""
        try:
            place = rules.place(connection.name, connection.base_url)
            return unseal(self.sealing_key, connection.sealed_key, place).decode()
        except SealBroken:
            raise KeyUnreadable(name=connection.name) from None

    def _is(self, present: Connection, wanted: Wanted) -> bool:
        if present.kind != wanted.kind or present.base_url != wanted.base_url:
            return False
        try:
            return self.open_key(present) == (wanted.key or "")
        except KeyUnreadable:
            return False

    def _connection(self, wanted: Wanted, present: Connection | None) -> Connection:
        """The row to write. A key that is not given again stays, if it may."""
        now = datetime.now(UTC)
        return Connection(
            name=wanted.name,
            kind=wanted.kind,
            base_url=wanted.base_url,
            options=wanted.options,
            tenants=wanted.tenants,
            agents=wanted.agents,
            sealed_key=self._sealed(wanted, present),
            created_at=present.created_at if present else now,
            updated_at=now,
        )

    def _sealed(self, wanted: Wanted, present: Connection | None) -> bytes | None:
        if wanted.key:
            if wanted.key != wanted.key.strip() or not wanted.key.isascii() or not wanted.key.isprintable():
                raise BadConnection("a key is one line of printable ASCII without blanks around it")
            if references.SCHEME in wanted.key and not references.is_reference(wanted.key):
                raise BadConnection("a key is a secret's reference as a whole, secret://NAME, or none")
            return seal(self.sealing_key, wanted.key.encode(), rules.place(wanted.name, wanted.base_url))
        if wanted.key == "" or present is None or present.sealed_key is None:
            return None
        if rules.origin(present.base_url) != rules.origin(wanted.base_url):
            raise KeyBound(name=wanted.name, bound_to=rules.origin(present.base_url))
        return present.sealed_key


def _found(connection: Connection | None, name: str) -> Connection:
    if connection is None:
        raise NoSuchProvider(name=name)
    return connection


def wanted_from(environment: Mapping[str, str], recorded: Collection[str] = ()) -> list[Wanted]:
    """The connections that a development machine's environment speaks of: keys of vendors, an Ollama address.

    A vendor without a key that is named in `recorded` answers from cassettes instead.
    """
    found: list[Wanted] = []
    for name, (kind, variables, address) in _VENDORS.items():
        key = next((environment[variable].strip() for variable in variables if environment.get(variable)), "")
        if key:
            found.append(Wanted(name, kind, environment.get(address, ""), key))
        elif name in recorded:
            found.append(Wanted(name, Kind.RECORDED))
    if url := environment.get("OLLAMA_URL", "").strip().rstrip("/"):
        found.append(Wanted("ollama", Kind.OLLAMA, url if url.endswith("/v1") else f"{url}/v1"))
    return found


_VENDORS: Mapping[str, tuple[Kind, tuple[str, ...], str]] = {
    "openai": (Kind.OPENAI, ("OPENAI_API_KEY",), "OPENAI_BASE_URL"),
    "anthropic": (Kind.ANTHROPIC, ("ANTHROPIC_API_KEY",), "ANTHROPIC_BASE_URL"),
    "google": (Kind.GOOGLE, ("GOOGLE_API_KEY", "GEMINI_API_KEY"), "GOOGLE_BASE_URL"),
}
"""Connection, the variables that may hold its key, and the one that may move its address."""
