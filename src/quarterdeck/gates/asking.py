"""Behind the model gate's decision: the question asked, again where that helps, at the pace that the provider bears.

No secret is shown to a model, and none of its words is read before those that it should not know are taken out of them.
"""

import asyncio
import random
import time
from dataclasses import replace
from functools import partial

from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock, SystemClock
from quarterdeck.gates import discretion
from quarterdeck.gates.outages import ModelRoute, Outages, outcome_of
from quarterdeck.gates.pacing import LONGEST_PAUSE, Pace
from quarterdeck.gates.secrecy import Secrecy
from quarterdeck.gates.sizes import Sizes
from quarterdeck.models.records import Delta, Fault, Model, ModelAnswer, ModelFault, ModelRequest, OnFault
from quarterdeck.models.service import Models
from quarterdeck.models.spotlight import mark_of
from quarterdeck.pacing.records import Asker, LaneName, Told, Wait
from quarterdeck.pacing.service import Pacer
from quarterdeck.providers.options import limits_by_model, wire_options
from quarterdeck.providers.records import LOCAL, Connection
from quarterdeck.rates.circuit import Outcome, Pass
from quarterdeck.releases.records import ModelPin
from quarterdeck.secrets.redaction import NONE_KNOWN, Cleaning, Redactor

_log = logs.get(__name__)

TRIES = 4
"""Tries in a row within one step. Whoever needs more patience parks the run, which holds no slot meanwhile."""
TIME = 600.0
"""Seconds in which all tries of one answer, and the waiting between them, must be done."""
_BACKOFF, _BACKOFF_LIMIT = 0.5, 15.0


class Asking:
    """How a process asks models. Asks whatever it is given: whether that may be asked is the gate's to decide."""

    def __init__(
        self,
        models: Models,
        secrecy: Secrecy | None = None,
        marks: bytes = b"",
        *,
        pacer: Pacer | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`marks` is the key of the codes between which untrusted results are shown; empty = they are not marked.

        Without a `pacer` each process finds out by itself how much a provider bears.
        """
        self._models = models
        self._secrecy = secrecy
        self._marks = marks
        self.pacer = pacer
        self._paces: dict[str, Pace] = {}
        self._sizes = Sizes()
        self._lanes: dict[ModelRoute, LaneName] = {}
        self.outages = Outages(clock or SystemClock())

    async def answer(
        self, request: ModelRequest, delta: Delta | None = None, on_fault: OnFault | None = None
    ) -> ModelAnswer:
        """Ask, and ask again where that may help: at most `TRIES` times and `TIME` seconds.

        `on_fault` is told of each failed try; what was streamed of it is void. A provider that says when to come back
        is obeyed, within reason: when that is too far off the fault is raised with its `retry_after`, for the caller to
        wait without holding a slot. So it is when what the provider allows all workers together is used up: nothing
        was sent then, and the fault is `paced`. Raises ModelFault. Cancelling it ends the try under way.

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
                wait = self._next_try(fault, number, until - time.monotonic())
                ms = int((time.monotonic() - started) * 1000)
                _log.info("model.failed", run=str(request.run), fault=fault.fault, tries=number, retry_in=wait)
                if on_fault is not None:
                    await on_fault(fault, number, wait, ms)
                if wait is None:
                    raise
                await asyncio.sleep(wait)
                number += 1

    def closed(self, connection: str, model: str) -> str | None:
        """Why a model over a connection is left alone at the moment, as a clause; None = it is not.

        It failed again and again, or wants to be left alone for long. A short wait for the pace is no reason.
        """
        if (why := self.outages.closed((connection, model))) is not None:
            return why
        name = self._lanes.get((connection, model))
        held = self.pacer.held(name) if self.pacer is not None and name is not None else 0.0
        return f"`{connection}` wants to be left alone for {held:.0f} s" if held > LONGEST_PAUSE else None

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
        borrowed = await self._models.borrow(found)
        async with borrowed as model:
            if found.kind in LOCAL:
                return await model.answer(request, delta)
            patience = asyncio.timeout(left)
            try:
                async with patience:
                    return await self._in_turn(found, borrowed.fingerprint, model, request, delta)
            except TimeoutError:
                if not patience.expired():
                    raise
                detail = f"`{found.name}` had no place free or gave no answer within {left:.0f} s."
                raise ModelFault(detail, code=Fault.TIMEOUT, retryable=True) from None

    async def _in_turn(
        self, found: Connection, fingerprint: str, model: Model, request: ModelRequest, delta: Delta | None
    ) -> ModelAnswer:
        """One try at the pace that all workers keep. What comes of it is told to the pace."""
        self._spare(request.pin)
        options = wire_options(found.kind, found.options)
        pace = self._pace(found.name, options.max_concurrency)
        if self.pacer is None:
            return await self._send(pace, model, request, delta)
        name = LaneName(found.name, fingerprint, request.pin.id if limits_by_model(found.kind, options) else "")
        self._lanes[found.name, request.pin.id] = name
        limits = (options.rpm_limit, options.tpm_limit)
        turn = await self.pacer.turn(
            name, Asker(request.tenant, request.run), partial(self._sizes.estimate, request), limits
        )
        if isinstance(turn, Wait):
            raise ModelFault(turn.why, code=Fault.PACED, retryable=True, retry_after=turn.seconds)
        try:
            answer = await self._send(pace, model, request, delta)
        except ModelFault as fault:
            if fault.fault is Fault.RATE_LIMITED:
                told = fault.pace or Told()
                await self.pacer.refused(turn, replace(told, retry_after=told.retry_after or fault.retry_after))
            else:
                self.pacer.heard(turn, fault.pace, None)
            raise
        used = answer.usage.input + answer.usage.output
        if used:
            self._sizes.learn(request, used)
        self.pacer.heard(turn, answer.pace, used or None)
        return answer

    async def _send(self, pace: Pace, model: Model, request: ModelRequest, delta: Delta | None) -> ModelAnswer:
        """One try, as one of so many under way. What comes of it is told to the model's circuit."""
        with await pace.turn():
            given = self.outages.ask((request.pin.provider, request.pin.id))
            if isinstance(given, Pass):
                return await self._send_now(given, model, request, delta)
        raise self._spared(request.pin, given.seconds)

    async def _send_now(self, given: Pass, model: Model, request: ModelRequest, delta: Delta | None) -> ModelAnswer:
        outcome = Outcome.NO_WORD
        try:
            answer = await model.answer(request, delta)
            outcome = Outcome.WELL
        except ModelFault as fault:
            outcome = outcome_of(fault.fault)
            raise
        finally:
            self.outages.tell((request.pin.provider, request.pin.id), given, outcome)
        return answer

    def _spare(self, pin: ModelPin) -> None:
        """Ask nothing of a model that is left alone for longer than one would wait in place."""
        seconds = self.outages.wait((pin.provider, pin.id))
        if seconds > 0:
            raise self._spared(pin, seconds)

    def _spared(self, pin: ModelPin, seconds: float) -> ModelFault:
        why = self.outages.closed((pin.provider, pin.id)) or f"`{pin.id}` over `{pin.provider}` is being tried out"
        return ModelFault(f"{why}.", code=Fault.OVERLOADED, retryable=True, retry_after=seconds)

    def _next_try(self, fault: ModelFault, number: int, left: float) -> float | None:
        """Seconds until the next try, or None when there is none."""
        if fault.fault is Fault.PACED:
            return None
        if fault.fault is Fault.RATE_LIMITED and self.pacer is not None and number < TRIES:
            return 0.0  # the pace says when
        return _wait(fault, number, left)

    def _pace(self, connection: str, most: int) -> Pace:
        pace = self._paces.get(connection)
        if pace is None:
            pace = self._paces[connection] = Pace(most, shared=self.pacer is not None)
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
