"""Calling tools: one try of one call, whatever kind of server the tool lives in, with an honest outcome."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from quarterdeck.core.clock import Clock
from quarterdeck.core.json import Json
from quarterdeck.core.log import get
from quarterdeck.core.settings import Settings
from quarterdeck.mcp import wire
from quarterdeck.mcp.records import Exchange, McpFault, Progress
from quarterdeck.mcp.session import understood
from quarterdeck.net.client import Outbound
from quarterdeck.releases.records import Release, ToolGrant, ToolServer
from quarterdeck.tools import environments, folders
from quarterdeck.tools.content import outcome_of
from quarterdeck.tools.errors import ServerUnavailable, ToolsUnprepared
from quarterdeck.tools.launch import Launch, launch_of, uid_for
from quarterdeck.tools.local import LocalServer
from quarterdeck.tools.pool import Key, Pool, Server
from quarterdeck.tools.records import (
    Failed,
    HostReport,
    Keep,
    ReadFiles,
    Statistics,
    ToolOutcome,
    ToolRequest,
)
from quarterdeck.tools.remote import RemoteServer
from quarterdeck.tools.rules import judge_breakage, judge_fault, judge_silence, schema_problem
from quarterdeck.tools.sandbox import Wanted
from quarterdeck.tools.schemas import Schema
from quarterdeck.tools.waiting import Waiting
from quarterdeck.tools.warden import Warden

log = get(__name__)

T = TypeVar("T")

LOCK = "requirements.lock"
GRACE = 2.0
"""Seconds that a cancelled call is given to answer all the same."""


class Tools:
    """The tools of all releases that this process serves: a `tools.records.Toolbox`. Belongs to one event loop."""

    def __init__(
        self, settings: Settings, clock: Clock, *, files: ReadFiles, keep: Keep, outbound: Outbound | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._files = files
        self._keep = keep
        self._outbound = outbound or Outbound.of(settings)
        self._own_outbound = outbound is None
        self._root: Path = settings.data_dir.absolute()
        self._pool = Pool(settings.tool_host_idle, settings.tool_host_memory, settings.tool_host_cpu)
        self._warden = Warden()
        self._wanted = Wanted.of(settings)
        self._places: dict[tuple[Key, str], asyncio.Semaphore] = {}
        self._promises: dict[tuple[str, str], Schema] = {}
        self._preparing: dict[str, asyncio.Lock] = {}
        self._counts: Counter[str] = Counter()
        self._lingering: set[asyncio.Task[None]] = set()

    async def prepare(self, release: Release) -> None:
        """Write the release's files out and build its locked environment. Idempotent. Raises ToolsUnprepared."""
        digests = {server.lock_digest for server in release.servers if server.lock_digest}
        lacking = [digest for digest in digests if not environments.is_ready(self._root, digest)]
        if folders.place_of(self._root, release.id).is_dir() and not lacking:
            return
        async with self._preparing.setdefault(release.id, asyncio.Lock()):
            files = await self._files(release)
            await asyncio.to_thread(folders.write_out, self._root, release.id, files, release.files)
            for digest in lacking:
                if LOCK not in files:
                    raise ToolsUnprepared(f"The release names locked dependencies and holds no `{LOCK}`.")
                await environments.build(self._root, digest, files[LOCK])

    async def perform(
        self, request: ToolRequest, cancel: asyncio.Event | None = None, progress: Progress | None = None
    ) -> ToolOutcome:
        """One try: see `Toolbox.perform`."""
        began = self._clock.boot()
        try:
            outcome = await self._perform(request, cancel, progress, began)
        except Exception as fault:
            log.exception("tools.broke", tool=request.grant.name, run=str(request.run))
            outcome = judge_breakage(fault, request.grant, self._ms(began))
        kind = f"failed.{outcome.code}" if isinstance(outcome, Failed) else type(outcome).__name__.lower()
        self._counts[kind] += 1
        return outcome

    def statistics(self) -> Statistics:
        """Counters and the present servers."""
        reports = tuple(_report(key, server) for key, server in self._pool.servers() if isinstance(server, LocalServer))
        return Statistics(reports, dict(self._counts), self._pool.started, dict(self._pool.ended))

    async def close(self) -> None:
        """End all hosts and connections. Calls in flight come to their outcomes."""
        await self._pool.close()
        for task in list(self._lingering):
            task.cancel()
        self._warden.close()
        if self._own_outbound:
            await self._outbound.close()

    async def _perform(
        self, request: ToolRequest, cancel: asyncio.Event | None, progress: Progress | None, began: float
    ) -> ToolOutcome:
        """All that comes before the sending may fail without any effect."""
        grant = request.grant
        key = (str(request.tenant), str(request.release.id), grant.server)
        place = self._place(key, grant)
        try:
            if cancel is not None and cancel.is_set():
                raise _CancelledBefore
            server = self._pool.ready(key) or await self._server(key, request, cancel)
            if isinstance(server, RemoteServer):
                server.use(request.secrets)
                await server.refresh()
            else:
                server.know(request.cleaning.redactor)
            if place is not None:
                await self._before(place.acquire(), request, cancel)
        except (ServerUnavailable, ToolsUnprepared) as fault:
            later = fault.retry_after if isinstance(fault, ServerUnavailable) else None
            again = isinstance(fault, ServerUnavailable) and fault.again
            return Failed("host_failed", fault.detail, self._ms(began), retryable=again, retry_after=later)
        except TimeoutError:
            return Failed("too_late", "Its tool was not free in time.", self._ms(began))
        except _CancelledBefore:
            return Failed("cancelled", "It was cancelled before it was sent.", self._ms(began))
        try:
            return await self._send(server, request, cancel, progress, began)
        finally:
            if place is not None:
                place.release()

    def _place(self, key: Key, grant: ToolGrant) -> asyncio.Semaphore | None:
        """What bounds the calls of a tool that may not be called side by side without end."""
        if not grant.max_concurrency:
            return None
        return self._places.setdefault((key, grant.name), asyncio.Semaphore(grant.max_concurrency))

    async def _send(
        self,
        server: Server,
        request: ToolRequest,
        cancel: asyncio.Event | None,
        progress: Progress | None,
        began: float,
    ) -> ToolOutcome:
        grant, meta = request.grant, meta_of(request, own=server.own)
        listed = server.listed.get(grant.remote_name)
        problem = schema_problem(grant, None if listed is None else listed.input_schema or {})
        if problem is not None:
            return Failed("schema_changed", problem, self._ms(began))
        try:
            exchange = await server.call(
                grant.remote_name, request.arguments, meta, partial(self._late, request), progress
            )
        except McpFault as fault:
            return judge_fault(fault, grant, self._ms(began))
        waiting = Waiting(exchange.answer, grant.timeout, cancel)
        try:
            given_up = await waiting.over()
        except asyncio.CancelledError:
            exchange.cancel("the caller is going away")
            self._linger(server, exchange)
            raise
        if given_up:
            exchange.cancel(given_up)
            await asyncio.wait({exchange.answer}, timeout=GRACE)
            if not exchange.answer.done():
                exchange.abandon()
                server.stuck()
                return judge_silence(given_up, grant, self._ms(began))
        return await self._judge(exchange, request, given_up, self._ms(began), own=server.own)

    async def _judge(
        self, exchange: Exchange, request: ToolRequest, given_up: str, ms: int, *, own: bool
    ) -> ToolOutcome:
        fault = exchange.answer.exception()
        if isinstance(fault, McpFault):
            if given_up and fault.sent:
                return judge_silence(given_up, request.grant, ms)
            return judge_fault(fault, request.grant, ms)
        try:
            result = understood(wire.read_call_result, exchange.answer.result())
        except McpFault as nonsense:
            return judge_fault(nonsense, request.grant, ms)
        if not own and result.meta is not None:
            # Words that only our own host may use: they say that nothing has happened.
            result = wire.without_meta(result)
        return await outcome_of(result, request, self._promise(request.release, request.grant), self._keep, ms)

    async def _server(self, key: Key, request: ToolRequest, cancel: asyncio.Event | None) -> Server:
        """A server that has to be started."""
        spec = request.release.server(request.grant.server)
        start = partial(self._start, request.release, spec, key, request.secrets)
        return await self._before(self._pool.get(key, start), request, cancel)

    async def _before(self, work: Coroutine[Any, Any, T], request: ToolRequest, cancel: asyncio.Event | None) -> T:
        """Something that has to be done before a call can be sent.

        Raises TimeoutError when the call may not begin any more, _CancelledBefore when nobody wants it any more.
        """
        doing = asyncio.get_running_loop().create_task(work)
        waiting = Waiting(doing, max(0.0, request.boot_deadline - self._clock.boot()), cancel)
        try:
            given_up = await waiting.over()
        except asyncio.CancelledError:
            doing.cancel()
            raise
        if given_up:
            doing.cancel()
            raise TimeoutError if given_up == "timeout" else _CancelledBefore
        return doing.result()

    async def _start(
        self,
        release: Release,
        spec: ToolServer,
        key: Key,
        secrets: Mapping[str, str],
        on_end: Callable[[LocalServer], None],
    ) -> Server:
        if spec.kind == "http":
            server: Server = RemoteServer(spec.name, self._outbound, spec.url, spec.headers, secrets)
        else:
            await self.prepare(release)
            server = LocalServer(self._launch(release, spec, key), self._warden, on_end)
        await server.start()
        return server

    def _launch(self, release: Release, spec: ToolServer, key: Key) -> Launch:
        return launch_of(
            spec,
            folders.place_of(self._root, release.id),
            self._root,
            memory=self._settings.tool_host_memory,
            uid=uid_for(self._settings.tool_host_uid, "/".join(key)),
            wanted=self._wanted,
        )

    def _promise(self, release: Release, grant: ToolGrant) -> Schema | None:
        """The compiled schema of what a tool has promised to answer."""
        if grant.output_schema is None:
            return None
        known = self._promises.get((release.id, grant.name))
        if known is None:
            known = self._promises[release.id, grant.name] = Schema(grant.output_schema)
        return known

    def _late(self, request: ToolRequest) -> bool:
        return self._clock.boot() > request.boot_deadline

    def _ms(self, began: float) -> int:
        return int((self._clock.boot() - began) * 1000)

    def _linger(self, server: Server, exchange: Exchange) -> None:
        """Give a call that nobody waits for its grace; what ignores it costs its server."""
        task = asyncio.get_running_loop().create_task(_after_grace(server, exchange))
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)


class _CancelledBefore(Exception):
    """Cancelled while its server was starting."""


async def _after_grace(server: Server, exchange: Exchange) -> None:
    await asyncio.wait({exchange.answer}, timeout=GRACE)
    if not exchange.answer.done():
        exchange.abandon()
        server.stuck()


def meta_of(request: ToolRequest, *, own: bool) -> dict[str, Json]:
    """Who the call is for. Only our own host looks at clocks of this machine, and only it is given secrets, which it
    hands to this one call.
    """
    meta: dict[str, Json] = {
        "quarterdeck/run": str(request.run),
        "quarterdeck/tenant": str(request.tenant),
        "quarterdeck/user": request.user,
        "quarterdeck/call": request.call,
        "quarterdeck/key": request.key,
        "quarterdeck/attempt": request.attempt,
        "quarterdeck/not_after": request.not_after,
    }
    if own:
        meta["quarterdeck/boot_deadline"] = request.boot_deadline
        meta["quarterdeck/max_output"] = request.grant.max_output
        if request.secrets:
            meta["quarterdeck/secrets"] = request.secrets
    if request.traceparent:
        meta["traceparent"] = request.traceparent
    return meta


def _report(key: Key, server: LocalServer) -> HostReport:
    return HostReport(
        tenant=key[0],
        release=key[1],
        server=server.name,
        pid=server.process.main,
        started_at=server.process.started_at,
        state=server.state,
        calls=server.calls,
        in_flight=server.in_flight,
        memory=server.memory(),
        isolation=server.process.isolation,
    )
