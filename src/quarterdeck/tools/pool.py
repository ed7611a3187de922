"""The tool servers of this process: started on demand, shared by a release's runs, ended when nobody needs them."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import psutil

from quarterdeck.core.log import get
from quarterdeck.tools.errors import ServerUnavailable
from quarterdeck.tools.host.processes import below, children, cpu_time, resident
from quarterdeck.tools.local import LocalServer
from quarterdeck.tools.remote import RemoteServer
from quarterdeck.tools.rules import is_forgiven, pause_after

log = get(__name__)

Key: TypeAlias = tuple[str, str, str]
"""Tenant, release, server: nobody else's calls reach what stands under it."""
Server: TypeAlias = LocalServer | RemoteServer
Start: TypeAlias = Callable[[Callable[[LocalServer], None]], Awaitable[Server]]
"""Make and start a server; the argument is to be told when a local one has ended."""

_TICK = 0.5
_TREE_EVERY = 4
"""Ticks between two looks at the children of hosts: finding them reads all of /proc."""
_SCARCE = 0.05
"""The part of the machine's memory below which idle servers are ended early."""


@dataclass(slots=True)
class Slot:
    """One server's place: the running one, the one that is starting, and how often it has failed lately."""

    server: Server | None = None
    starting: asyncio.Task[Server] | None = None
    failures: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class Pool:
    """All slots. `idle` is in seconds, `memory` in bytes per server, `cpu` in seconds of processor time per server."""

    idle: float
    memory: int
    cpu: float
    started: int = 0
    ended: Counter[str] = field(default_factory=Counter[str])
    _slots: dict[Key, Slot] = field(default_factory=dict[Key, Slot])
    _leaving: set[LocalServer] = field(default_factory=set[LocalServer])
    _watch: asyncio.Task[None] | None = None
    _closing: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _closed: bool = False

    def ready(self, key: Key) -> Server | None:
        """The running server, if it takes calls: the quick way."""
        slot = self._slots.get(key)
        return slot.server if slot is not None and slot.server is not None and slot.server.state == "ready" else None

    async def get(self, key: Key, start: Start) -> Server:
        """The running server, or a new one. Raises ServerUnavailable, at once while it is left alone after failures.

        Callers that give up waiting do not stop the start: the next caller needs it too.
        """
        server = self.ready(key)
        if server is not None:
            return server
        if self._closed:
            raise ServerUnavailable("This process is ending.")
        slot = self._slots.setdefault(key, Slot())
        if slot.starting is None:
            left = slot.not_before - asyncio.get_running_loop().time()
            if left > 0:
                raise ServerUnavailable(f"The tool server `{key[2]}` has failed repeatedly.", retry_after=left)
            slot.starting = asyncio.get_running_loop().create_task(self._start(key, slot, start))
            slot.starting.add_done_callback(_look_at)
        return await asyncio.shield(slot.starting)

    def servers(self) -> list[tuple[Key, Server]]:
        """All running servers, those that are leaving included."""
        running = [(key, slot.server) for key, slot in self._slots.items() if slot.server is not None]
        return running + [(("", "", server.name), server) for server in self._leaving]

    async def close(self) -> None:
        """End all servers and wait until they are gone."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        starting = [slot.starting for slot in self._slots.values() if slot.starting is not None]
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        closing = [*self._closing, *(server.close() for _, server in self.servers())]
        await asyncio.gather(*closing, return_exceptions=True)

    async def _start(self, key: Key, slot: Slot, start: Start) -> Server:
        try:
            server = await start(lambda local: self._gone(key, local))
        except Exception:
            self._failed(slot)
            raise
        finally:
            slot.starting = None
        if isinstance(slot.server, LocalServer):
            self._leave(slot.server)
        slot.server = server
        self.started += 1
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._keep_watch())
        return server

    def _failed(self, slot: Slot) -> None:
        slot.failures += 1
        slot.not_before = asyncio.get_running_loop().time() + pause_after(slot.failures)

    def _leave(self, server: LocalServer) -> None:
        """Remember a server that takes no more calls, until its process is gone."""
        self._leaving.add(server)
        server.process.exited.add_done_callback(lambda _: self._leaving.discard(server))

    def _gone(self, key: Key, server: LocalServer) -> None:
        self._leave(server)
        self.ended[server.ended_by] += 1
        slot = self._slots.get(key)
        if slot is None or slot.server is not server:
            return
        slot.server = None
        if server.ended_by == "crash":
            slot.failures = 0 if is_forgiven(asyncio.get_running_loop().time() - server.started) else slot.failures
            self._failed(slot)
        elif slot.starting is None:
            del self._slots[key]

    async def _keep_watch(self) -> None:
        """Look after memory and idleness for as long as there is a server."""
        ticks = 0
        while self._slots or self._leaving:
            await asyncio.sleep(_TICK)
            ticks += 1
            try:
                self._look(with_children=ticks % _TREE_EVERY == 0)
            except Exception:
                log.exception("tools.watch_broke")

    def _look(self, *, with_children: bool) -> None:
        now = asyncio.get_running_loop().time()
        tree = children() if with_children else {}
        for key, server in self.servers():
            if isinstance(server, LocalServer):
                pid = server.process.main
                held = sum(resident(one) for one in {pid, *below(pid, tree)})
                if held > 2 * self.memory:
                    server.retire("memory", now=True)
                elif server.state == "ready" and (spent := _overspent(held > self.memory, pid, self.cpu)):
                    server.retire(spent)
            if server.state == "ready" and now - server.idle_since() > self.idle:
                self._let_go(key, server)
        for key in [key for key, slot in self._slots.items() if _is_over(slot, now)]:
            del self._slots[key]
        if with_children:
            self._relieve(now)

    def _relieve(self, now: float) -> None:
        """When the machine runs short of memory, end the server that has been idle longest."""
        memory = psutil.virtual_memory()
        if memory.available > memory.total * _SCARCE:
            return
        idle = [(server.idle_since(), key) for key, server in self.servers() if server.idle_since() < now - _TICK]
        for _, key in sorted(idle)[:1]:
            server = self._slots[key].server if key in self._slots else None
            if server is not None:
                log.warning("tools.machine_short_of_memory", server=server.name, available=memory.available)
                self._let_go(key, server)

    def _let_go(self, key: Key, server: Server) -> None:
        if isinstance(server, LocalServer):
            server.retire("idle")
        else:
            self._slots.pop(key, None)
            self.ended["idle"] += 1
            closing = asyncio.get_running_loop().create_task(server.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _overspent(of_memory: bool, pid: int, cpu: float) -> str:
    """What a server has had too much of, if anything: its place is taken by a fresh one."""
    return "memory" if of_memory else "cpu" if cpu_time(pid) > cpu else ""


def _is_over(slot: Slot, now: float) -> bool:
    """Whether a slot need not be remembered: nothing runs or starts in it, and its failures are long ago."""
    gone = slot.server is None or (isinstance(slot.server, RemoteServer) and slot.server.state == "ended")
    return gone and slot.starting is None and is_forgiven(now - slot.not_before)


def _look_at(task: asyncio.Task[Server]) -> None:
    """A start that nobody waits for any more is no noise in the log when it fails."""
    _ = task.cancelled() or task.exception()
