"""The models of a process: provider connections as they stand now, and one open client for each.

Connections are read anew every second while the process runs, so that a key that is changed or a tenant that is shut
out is noticed by every worker without being told.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeAlias, cast

from quarterdeck.core import log as logs
from quarterdeck.core.errors import Error, Unavailable
from quarterdeck.models.cassettes import CassetteInvalid
from quarterdeck.models.library import FolderLibrary, Library, ReleaseLibrary
from quarterdeck.models.prices import UNPRICED, Price, Prices, prices_of
from quarterdeck.models.recorded import Recorded
from quarterdeck.models.recording import Recorder
from quarterdeck.models.records import Fault, Model, ModelFault, ModelRequest
from quarterdeck.models.scripted import Scripted
from quarterdeck.providers.options import RecordedOptions, ScriptedOptions, WireOptions, read_options
from quarterdeck.providers.records import Connection
from quarterdeck.releases.records import ModelPin
from quarterdeck.spec.references import fill, names_in

_log = logs.get(__name__)

REFRESH = 1.0
"""Seconds between two looks at the connections."""

ResolveSecret: TypeAlias = Callable[[str], Awaitable[str]]
"""The value of a secret of the deployment. Raises an Error that names it."""

Files: TypeAlias = Callable[[ModelRequest], Awaitable[Mapping[str, bytes]]]
"""The files of the release that a request belongs to, by path; only `cassettes/*.json` are looked at."""


class Connections(Protocol):
    """Where connections are kept: `providers.service.Providers`, or a test's own."""

    async def all(self) -> Sequence[Connection]:
        """Every connection."""
        ...

    def open_key(self, connection: Connection) -> str:
        """Its key, or nothing."""
        ...


class OpenWire(Protocol):
    """Opens a model that speaks a wire: `models.native.open_native`."""

    def __call__(self, connection: Connection, options: WireOptions, key: str) -> Model:
        """A client of its own, not yet connected."""
        ...


class Models:
    """All models that this process can ask. Start it, then use it, then close it."""

    def __init__(
        self,
        connections: Connections,
        files: Files,
        *,
        record: Path | None = None,
        resolve: ResolveSecret | None = None,
    ) -> None:
        """`record`: a folder into which every conversation with a real model is recorded.

        `resolve` finds the secrets that connections name instead of holding a key.
        """
        self._connections = connections
        self._files = files
        self._record = record
        self._resolve = resolve
        self._known: Mapping[str, Connection] = {}
        self._open: dict[str, _Open] = {}
        self._priced: dict[str, tuple[datetime, Prices]] = {}
        self._opening = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._looked_at = 0.0
        self._refresher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the connections, and keep reading them. Raises what the database raises."""
        await self._look()
        self._refresher = asyncio.create_task(self._keep_looking(), name="models.refresh")

    async def close(self) -> None:
        """Stop and let go of all clients."""
        if self._refresher is not None:
            self._refresher.cancel()
            _ = await asyncio.gather(self._refresher, return_exceptions=True)
        opened, self._open = list(self._open.values()), {}
        for one in opened:
            await one.model.close()

    async def connection(self, name: str) -> Connection | None:
        """The connection of that name, at most about a second old. One that is not known is looked for at once."""
        known = self._known.get(name)
        if known is None:
            await self._look(pause=0.1)
            known = self._known.get(name)
        return known

    def price(self, connection: Connection, pin: ModelPin, at: datetime | None = None) -> Price | None:
        """What a pinned model costs on a connection, with the most that a call may be charged; None = not known."""
        return self._prices(connection).price(pin, at)

    def allows_unpriced(self, connection: Connection) -> bool:
        """Whether models without a known price may be asked on it where money is limited."""
        return self._prices(connection).allow_unpriced

    async def borrow(self, connection: Connection) -> "Borrowed":
        """`with await models.borrow(connection) as model:` its open client, kept open for as long as somebody uses it.

        Raises ModelFault `unconfigured` when it can't be opened.
        """
        opened = self._open.get(connection.name)
        if opened is None or opened.version != connection.updated_at or await self._rotated(opened):
            opened = await self._open_anew(connection, opened)
        return Borrowed(self, opened)

    async def keys_of(self, name: str) -> Mapping[str, Sequence[str]]:
        """The key of a connection by the name that stands in its place in texts; nothing where it has none to read."""
        found = self._known.get(name)
        if found is None or found.sealed_key is None:
            return {}
        try:
            key, _ = await self._key(found)
        except Error:
            return {}  # then nothing can be asked with it either
        return {f"provider/{name}": (key,)} if key else {}

    async def _key(self, connection: Connection) -> tuple[str, str]:
        """A connection's key, and the reference it comes from, if any. Raises an Error that says why not."""
        given = self._connections.open_key(connection)
        names = names_in(given)
        if not names:
            return given, ""
        if self._resolve is None:
            raise Unavailable(f"The secret `{names[0]}` can't be looked up here.")
        return fill(given, {name: await self._resolve(name) for name in names}), given

    async def _rotated(self, opened: "_Open") -> bool:
        """Whether a client's key is not the present value of its secret any more, or can't be had."""
        if not opened.reference or self._resolve is None:
            return False
        try:
            values = {name: await self._resolve(name) for name in names_in(opened.reference)}
        except Error:
            return True
        return fill(opened.reference, values) != opened.key

    async def _open_anew(self, connection: Connection, stale: "_Open | None") -> "_Open":
        async with self._opening:
            opened = self._open.get(connection.name)
            if opened is not None and opened is not stale and opened.version == connection.updated_at:
                return opened
            model, key, reference = await self._make(connection)
            fresh = self._open[connection.name] = _Open(model, connection.updated_at, key, reference)
        if opened is not None:
            await self._retire(opened)
        _log.info("model.opened", provider=connection.name, kind=connection.kind)
        return fresh

    async def _make(self, connection: Connection) -> tuple[Model, str, str]:
        """A client, its key, and the reference that the key was resolved from."""
        try:
            options = read_options(connection.kind, connection.options)
            if isinstance(options, RecordedOptions):
                library, strict = self._library(options), options.mode == "strict"
                return Recorded(library, strict=strict, speed=options.speed, prices=prices_of(connection)), "", ""
            if isinstance(options, ScriptedOptions):
                return Scripted.read(options, prices_of(connection)), "", ""
            key, reference = await self._key(connection)
            # Importing the vendors' SDKs takes seconds: not on the event loop, and not where nobody needs them.
            native = await asyncio.to_thread(import_module, "quarterdeck.models.native")
            model = cast("OpenWire", native.open_native)(connection, options, key)
            folder = options.record or self._record
            return Recorder(model, Path(folder), secrets=[key]) if folder else model, key, reference
        except (Error, ImportError, ValueError) as fault:
            if isinstance(fault, ModelFault):
                raise
            detail = fault.detail if isinstance(fault, Error) else str(fault)
            raise ModelFault(
                f"The provider connection {connection.name} can't be opened: {detail}",
                code=Fault.UNCONFIGURED,
                retryable=False,
            ) from fault

    def _prices(self, connection: Connection) -> Prices:
        known = self._priced.get(connection.name)
        if known is None or known[0] != connection.updated_at:
            known = self._priced[connection.name] = connection.updated_at, _read_prices(connection)
        return known[1]

    def _library(self, options: RecordedOptions) -> Library:
        if options.folder is None:
            return ReleaseLibrary(self._files)
        folder = Path(options.folder)
        if not folder.is_dir():
            raise CassetteInvalid(f"there is no folder {options.folder}")
        return FolderLibrary(folder)

    async def _look(self, pause: float = 0.0) -> None:
        """Read the connections as they are now or later, not sooner than `pause` seconds after the last time."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        async with self._looking:
            if self._looked_at > asked:
                return  # somebody else has looked since
            await asyncio.sleep(max(0.0, self._looked_at + pause - loop.time()))
            began = loop.time()
            self._known = {one.name: one for one in await self._connections.all()}
            self._looked_at = began
        for name in [name for name in self._open if name not in self._known]:
            await self._retire(self._open.pop(name))

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            try:
                await self._look()
            except Unavailable as fault:
                # Without the database no run gets as far as asking a model; the old state does no harm meanwhile.
                _log.warning("model.connections_unknown", error=fault.code)
            except Exception:
                _log.exception("model.refresh_failed")

    async def _retire(self, opened: "_Open") -> None:
        opened.retired = True
        if opened.users == 0:
            await opened.model.close()

    async def give_back(self, opened: "_Open") -> None:
        """One user less; the last one of a retired client closes it."""
        if opened.retired and opened.users == 0:
            await opened.model.close()


def _read_prices(connection: Connection) -> Prices:
    """A connection whose options can't be read has no prices, and nothing is asked on it anyway."""
    try:
        return prices_of(connection)
    except Error:
        return UNPRICED


@dataclass(slots=True)
class _Open:
    """An open client and how many are using it just now. `fingerprint` tells its key apart from others."""

    model: Model
    version: datetime
    key: str = field(default="", repr=False)
    reference: str = ""
    users: int = 0
    retired: bool = False
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        self.fingerprint = hashlib.sha256(f"quarterdeck pace\0{self.key}".encode()).hexdigest()[:16]


class Borrowed:
    """An open client in use."""

    __slots__ = ("_models", "_opened")

    def __init__(self, models: Models, opened: _Open) -> None:
        self._models = models
        self._opened = opened

    @property
    def fingerprint(self) -> str:
        """What tells the client's key apart from others, and can't be turned back into it."""
        return self._opened.fingerprint

    async def __aenter__(self) -> Model:
        self._opened.users += 1
        return self._opened.model

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.users -= 1
        if self._opened.retired:
            await self._models.give_back(self._opened)
