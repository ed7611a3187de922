"""Calls side by side in one host: each begins only in time, has a context of its own, and can be cancelled."""

import asyncio
import contextvars
import queue
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from quarterdeck.tools.author import CURRENT, Context, ToolError
from quarterdeck.tools.host import messages
from quarterdeck.tools.host.answers import answer_of, failure_of
from quarterdeck.tools.host.functions import FunctionTool

THREADS = 64
_PROGRESS_EVERY = 0.1
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class CallTask:
    """One call from its arrival to its answer."""

    def __init__(self, id_: int | str, tool: FunctionTool, asked: messages.CallParams, scratch: Path) -> None:
        meta = asked.meta
        self.id = id_
        self.tool = tool
        self.asked = asked
        self.begun = False
        self.task: asyncio.Task[None] | None = None
        self._told_at = 0.0
        self.context = Context(
            run=meta.run,
            tenant=meta.tenant,
            user=meta.user,
            call=meta.call,
            key=meta.key,
            attempt=meta.attempt,
            scratch=scratch,
            secrets=meta.secrets,
        )

    @property
    def late(self) -> bool:
        """Whether it may not begin any more: the instant has passed on the wall clock or on the boot clock."""
        meta = self.asked.meta
        if meta.not_after is not None and time.time() * 1000 > meta.not_after:
            return True
        return meta.boot_deadline is not None and time.clock_gettime(_BOOT) > meta.boot_deadline

    def report(self, write: Callable[[bytes], None]) -> None:
        """Let the call's own progress be told, where the client asked for it: a few times a second at most."""
        token = self.asked.meta.progress_token
        if token is None:
            return

        def told(done: float, total: float | None, message: str) -> None:
            now = time.monotonic()
            if now - self._told_at >= _PROGRESS_EVERY or done == total:
                self._told_at = now
                write(messages.progress(token, done, total, message))

        self.context.on_progress = told


class Calls:
    """All calls of this host. `write` takes a line from any thread; `loop` runs the asynchronous tools, if any."""

    def __init__(self, write: Callable[[bytes], None], loop: asyncio.AbstractEventLoop | None) -> None:
        self._write = write
        self._loop = loop
        self._running: dict[int | str, CallTask] = {}
        self._waiting: queue.SimpleQueue[CallTask] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = self._idle = 0
        # What modules set while they were loaded is every call's start; what a call sets is its own.
        self._base = contextvars.copy_context()

    def begin(self, call: CallTask) -> None:
        """Take a call. Its answer is written when it has one."""
        call.report(self._write)
        self._running[call.id] = call
        if call.tool.asynchronous:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._start, call)
            return
        with self._lock:
            if self._idle == 0 and self._threads < THREADS:
                self._threads += 1
                threading.Thread(target=self._work, name="tool", daemon=True).start()
        self._waiting.put(call)

    def cancel(self, id_: int | str | None) -> None:
        """Nobody wants this answer any more. What had not begun never will; what had is told."""
        call = self._running.get(id_) if id_ is not None else None
        if call is None:
            return
        call.context.cancelled = True
        if call.tool.asynchronous and self._loop is not None:
            self._loop.call_soon_threadsafe(_interrupt, call)

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            call = self._waiting.get()
            with self._lock:
                self._idle -= 1
            if self._may_begin(call):
                self._base.copy().run(self._perform, call)
            del call

    def _perform(self, call: CallTask) -> None:
        CURRENT.set(call.context)
        try:
            answer = answer_of(call.tool.function(**self._arguments(call)), call.asked.meta.max_output)
        except BaseException as fault:  # whatever foreign code raises is its answer
            answer = self._failed(fault)
        self._answer(call, messages.result(call.id, answer))

    def _start(self, call: CallTask) -> None:
        assert self._loop is not None
        if self._may_begin(call):
            call.task = self._loop.create_task(self._perform_async(call), context=self._base.copy())

    async def _perform_async(self, call: CallTask) -> None:
        CURRENT.set(call.context)
        try:
            running = cast("Awaitable[object]", call.tool.function(**self._arguments(call)))
            answer = answer_of(await running, call.asked.meta.max_output)
        except asyncio.CancelledError as fault:
            if call.context.cancelled:
                self._answer(call, messages.error(call.id, messages.REFUSED, "It was cancelled midway.", "interrupted"))
                return
            answer = self._failed(fault)
        except BaseException as fault:  # as above
            answer = self._failed(fault)
        self._answer(call, messages.result(call.id, answer))

    def _may_begin(self, call: CallTask) -> bool:
        """The last look before foreign code runs: a call may have waited for a thread, or the host been frozen."""
        if call.context.cancelled:
            self._answer(call, messages.error(call.id, messages.REFUSED, "It was cancelled.", "cancelled"))
        elif call.late:
            told = "It came too late: it may not begin any more."
            self._answer(call, messages.error(call.id, messages.REFUSED, told, "too_late"))
        else:
            call.begun = True
            return True
        return False

    def _arguments(self, call: CallTask) -> dict[str, object]:
        arguments = call.tool.bind(call.asked.arguments)
        if call.tool.context_name is not None:
            arguments[call.tool.context_name] = call.context
        return arguments

    def _failed(self, fault: BaseException) -> dict[str, object]:
        if not isinstance(fault, ToolError):
            traceback.print_exception(fault, file=sys.stderr)
        return failure_of(fault)

    def _answer(self, call: CallTask, line: bytes) -> None:
        self._running.pop(call.id, None)
        self._write(line)


def _interrupt(call: CallTask) -> None:
    if call.task is not None:
        call.task.cancel()
