"""Behind the model gate's decision: the question asked, again where that helps, at the pace that the provider bears.

No secret is shown to a model, and none of its words is read before those that it should not know are taken out of them.
"""

import asyncio
import random
import time
from dataclasses import replace

from quarterdeck.core import log as logs
from quarterdeck.gates import discretion
from quarterdeck.gates.pacing import LONGEST_PAUSE, Pace
from quarterdeck.gates.secrecy import Secrecy
from quarterdeck.models.records import Delta, Fault, ModelAnswer, ModelFault, ModelRequest, OnFault
from quarterdeck.models.service import Models
from quarterdeck.models.spotlight import mark_of
from quarterdeck.providers.options import wire_options
from quarterdeck.providers.records import LOCAL, Connection
from quarterdeck.secrets.redaction import NONE_KNOWN, Cleaning, Redactor

_log = logs.get(__name__)

TRIES = 4
"""Tries in a row within one step. Whoever needs more patience parks the run, which holds no slot meanwhile."""
TIME = 600.0
"""Seconds in which all tries of one answer, and the waiting between them, must be done."""
_BACKOFF, _BACKOFF_LIMIT = 0.5, 15.0


class Asking:
    """How a process asks models. Asks whatever it is given: whether that may be asked is the gate's to decide."""

    def __init__(self, models: Models, secrecy: Secrecy | None = None, marks: bytes = b"") -> None:
        """`marks` is the key of the codes between which untrusted results are shown; empty = they are not marked."""
        self._models = models
        self._secrecy = secrecy
        self._marks = marks
        self._paces: dict[str, Pace] = {}

    async def answer(
        self, request: ModelRequest, delta: Delta | None = None, on_fault: OnFault | None = None
    ) -> ModelAnswer:
        """Ask, and ask again where that may help: at most `TRIES` times and `TIME` seconds.

        `on_fault` is told of each failed try; what was streamed of it is void. A provider that says when to come back
        is obeyed, within reason: when that is too far off the fault is raised with its `retry_after`, for the caller to
        wait without holding a slot. Raises ModelFault. Cancelling it ends the try under way.

        No secret that the run's tools can be given, and no key of the provider, is asked or answered: what is said of
        one is replaced by its name before anybody reads it.
        """
        cleaning = Cleaning(await self._redactor(request))
        request = discretion.asked(request, Cleaning(cleaning.redactor))
        if self._marks:
            request = replace(request, mark=mark_of(self._marks, request.run))
        try:
            return await self._answer(request, delta, on_fault, cleaning)
        finally:
            if cleaning.found and self._secrecy is not None:
                where = f"model:{request.pin.id}"
                await self._secrecy.tell(request.tenant, request.run, where, cleaning.found)

    async def _answer(
        self, request: ModelRequest, delta: Delta | None, on_fault: OnFault | None, cleaning: Cleaning
    ) -> ModelAnswer:
        until = time.monotonic() + TIME
        number = 1
        while True:
            started = time.monotonic()
            try:
                return await self._try_discreetly(request, delta, until - started, cleaning)
            except ModelFault as fault:
                wait = _wait(fault, number, until - time.monotonic())
                ms = int((time.monotonic() - started) * 1000)
                _log.info("model.failed", run=str(request.run), fault=fault.fault, tries=number, retry_in=wait)
                if on_fault is not None:
                    await on_fault(fault, number, wait, ms)
                if wait is None:
                    raise
                await asyncio.sleep(wait)
                number += 1

    def paces(self) -> dict[str, Pace]:
        """The pace of each connection that was asked so far, for metrics."""
        return dict(self._paces)

    async def _redactor(self, request: ModelRequest) -> Redactor:
        if self._secrecy is None:
            return NONE_KNOWN
        return await self._secrecy.redactor(request.tenant, request.secrets, request.pin.provider)

    async def _try_discreetly(
        self, request: ModelRequest, delta: Delta | None, left: float, cleaning: Cleaning
    ) -> ModelAnswer:
        """One try, of which nothing comes through that holds a secret."""
        if not cleaning.redactor:
            return await self._try(request, delta, left)
        streamed = None if delta is None else discretion.Streamed(delta, Cleaning(cleaning.redactor))
        try:
            answer = await self._try(request, None if streamed is None else streamed.take, left)
        except ModelFault as fault:
            raise discretion.failed(fault, cleaning) from None
        if streamed is not None:
            streamed.end()
        return discretion.answered(answer, cleaning)

    async def _try(self, request: ModelRequest, delta: Delta | None, left: float) -> ModelAnswer:
        found = await self._models.connection(request.pin.provider)
        # Looked at again, because a retry may come long after the decision.
        if found is None or not found.serves(request.tenant, request.agent):
            raise ModelFault(
                f"The provider connection `{request.pin.provider}` is gone or no longer open to this agent.",
                code=Fault.UNCONFIGURED,
                retryable=False,
            )
        async with await self._models.borrow(found) as model:
            if found.kind in LOCAL:
                return await model.answer(request, delta)
            patience = asyncio.timeout(left)
            try:
                async with patience:
                    with await self._pace(found).turn():
                        return await model.answer(request, delta)
            except TimeoutError:
                if not patience.expired():
                    raise
                detail = f"`{found.name}` had no place free or gave no answer within {left:.0f} s."
                raise ModelFault(detail, code=Fault.TIMEOUT, retryable=True) from None

    def _pace(self, found: Connection) -> Pace:
        most = _most(found)
        pace = self._paces.get(found.name)
        if pace is None:
            pace = self._paces[found.name] = Pace(most)
        pace.allow(most)
        return pace


def _wait(fault: ModelFault, number: int, left: float) -> float | None:
    """Seconds until the next try, or None when there is none. Full jitter, so that runs do not come back together."""
    if not fault.retryable or number >= TRIES:
        return None
    asked = fault.retry_after or 0.0
    if asked > LONGEST_PAUSE:
        return None
    backoff = min(_BACKOFF_LIMIT, _BACKOFF * 2**number)
    wait = asked + random.uniform(0.0, min(backoff, asked or backoff))
    return wait if wait < left else None


def _most(found: Connection) -> int:
    return wire_options(found.kind, found.options).max_concurrency
