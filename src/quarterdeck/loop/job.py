"""One attempt at one run: ask the rules what comes next, do it through the gates, write down what came of it."""

import asyncio
import contextlib
import random
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

from quarterdeck.core.errors import Unavailable
from quarterdeck.core.text import shorten
from quarterdeck.gates.asking import Fault, ModelFault
from quarterdeck.guardrails.shape import OutputCheck
from quarterdeck.loop import rules
from quarterdeck.loop.aside import Aside
from quarterdeck.loop.attempt import Attempt, Interrupted
from quarterdeck.loop.flights import Flight
from quarterdeck.loop.guarding import Guarding
from quarterdeck.loop.handoffs import handoff, parting_words
from quarterdeck.loop.model_turn import ModelTurn
from quarterdeck.loop.parting import Parting
from quarterdeck.loop.questions import Denied, Questions, Unanswered
from quarterdeck.loop.shortening import Shortening
from quarterdeck.loop.talk import Talk
from quarterdeck.loop.tool_turn import ToolTurn
from quarterdeck.releases.records import Limits
from quarterdeck.runs import log
from quarterdeck.runs.events import CancelRequested, MessageAdded, OutputRejected, RunClosing
from quarterdeck.runs.fold import PATIENT
from quarterdeck.runs.log import FencedOut
from quarterdeck.runs.messages import AUTHOR, Text, UserMessage
from quarterdeck.runs.records import Status

FAULTS = 5
"""Model calls in a row that may come to nothing, each after a longer wait, before the run fails."""
FIRST_WAIT = 5.0
LONGEST_WAIT = 60.0
"""Seconds that a run waits at most beyond what a busy provider asks for."""
PACE = "pace"
"""Why a run waits whose provider has no room."""
_Going: TypeAlias = rules.CallModel | rules.CallTools | rules.JudgeInput | rules.Close | rules.Doubt | rules.Nudge


class Job:
    """One attempt at one run. `execute` returns once the run has left this worker, for whatever reason."""

    def __init__(self, attempt: Attempt, parting: Parting) -> None:
        self._attempt = attempt
        self._recorder = attempt.recorder
        self._parting = parting
        talk, questions = Talk(attempt), Questions(attempt)
        aside = Aside(attempt, questions)
        run, signals = attempt.run, (Interrupted, FencedOut, Unavailable)
        ports = attempt.around.guards.ports(attempt.release, run.id, run.user_id, ask=aside.judge, signals=signals)
        self._guarding = Guarding(attempt, talk, ports)
        self._model = ModelTurn(attempt, talk, questions, Shortening(attempt, talk, aside), self._guarding)
        self._tools = ToolTurn(attempt, talk, questions)
        self._drain = asyncio.Event()
        schema = attempt.release.output_schema
        self._output = OutputCheck(schema) if schema else None

    def interrupt(self) -> None:
        """A cancel request is in the log: stop what is in flight and account for it."""
        self._attempt.interrupt.set()
        self._attempt.flights.stop()

    def review(self) -> None:
        """Switches have changed: stop those calls on their way that one says may not even finish."""
        run, switches = self._attempt.run, self._attempt.around.switches

        def is_meant(flight: Flight) -> bool:
            standing = switches.standing(
                run.tenant,
                run.agent,
                tool=flight.tool or None,
                server=flight.server or None,
                model=flight.model or None,
                provider=flight.provider or None,
                background=run.priority < 0,
            )
            return standing.interrupts(reads=flight.reads) is not None

        self._attempt.flights.stop_those(is_meant)

    def drain(self) -> None:
        """Finish the step in hand, then give the run back."""
        self._drain.set()

    async def execute(self) -> None:
        """Work until the run ends, parks or is given back. Raises FencedOut or Unavailable: then it is not ours."""
        self._model.note_lost()
        while not await self._step():
            pass

    async def _step(self) -> bool:
        """One step. True once the run has left."""
        if self._attempt.interrupt.is_set() and self._recorder.state.cancel is None:
            await self._learn_of_cancel()
        now = self._attempt.around.clock.now()
        behaviour = self._attempt.release.behaviour
        step = rules.next_step(self._recorder.state, self._limits(), now, self._output, behaviour)
        if isinstance(step, rules.Finish | rules.Park | rules.Rest):
            await self._end(step)
            return True
        if self._drain.is_set():
            await self._parting.give_back("drain")
            return True
        return await self._go_on(step)

    def _limits(self) -> Limits:
        """The release's limits, as far as a switch leaves them."""
        limits, run = self._attempt.release.limits, self._attempt.run
        cap = self._attempt.around.switches.standing(run.tenant, run.agent, background=run.priority < 0).max_steps
        return limits if cap is None or cap >= limits.max_steps else replace(limits, max_steps=cap)

    async def _go_on(self, step: _Going) -> bool:
        match step:
            case rules.CallModel():
                return await self._ask(step)
            case rules.JudgeInput():
                return await self._judge_input()
            case rules.Close(reason=reason, why=why):
                self._recorder.emit(RunClosing(reason=reason, why=why))
            case rules.CallTools():
                return await self._call(step)
            case rules.Doubt():
                await self._tools.doubt(step.calls)
            case rules.Nudge():
                self._nudge(step)
        return False

    async def _judge_input(self) -> bool:
        # Why it was interrupted, if it was, is the next thing that is looked at.
        with contextlib.suppress(Interrupted):
            await self._guarding.judge_input()
        return False

    async def _call(self, step: rules.CallTools) -> bool:
        """True where a call has to wait for so long that the run was parked."""
        later = await self._tools.take(step)
        if later is None:
            return False
        await self._parting.try_later(later.cause, later.why, timedelta(seconds=later.seconds))
        return True

    async def _end(self, step: rules.Finish | rules.Park | rules.Rest) -> None:
        match step:
            case rules.Finish():
                await self._parting.finish(await self._in_own_words(step))
            case rules.Park():
                await self._parting.park(step)
            case rules.Rest():
                pass

    async def _in_own_words(self, step: rules.Finish) -> rules.Finish:
        """A stop that no model has words for is told from the log, and passes the guardrails like other words."""
        if step.text or step.status is not Status.STOPPED:
            return step
        state = self._recorder.state
        words = parting_words(handoff(state, step.why))
        judged = await self._guarding.judge_words(state.steps, (Text(words),))
        self._recorder.emit(*judged.events)
        return replace(step, text=judged.shown or "")

    async def _ask(self, step: rules.CallModel) -> bool:
        """Ask the model. True when the run left because of what came of it."""
        try:
            trouble = await self._model.take(step)
        except Interrupted:
            return False
        match trouble:
            case None:
                return False
            case Denied(code=code, why=why, later=float(seconds)):
                await self._parting.try_later(code, why, timedelta(seconds=seconds))
            case Denied(code=code, why=why):
                await self._parting.fail_for_good(code, why)
            case Unanswered():
                await self._wait_or_fail(trouble)
        return True

    async def _wait_or_fail(self, trouble: Unanswered) -> None:
        """A model that can't be had now: wait, longer each time; in the end fail with the evidence.

        One that has too much to do is waited for as long as it takes: nothing is dropped because others were faster.
        """
        fault, faults = trouble.fault, self._recorder.state.faults
        model = self._attempt.release.model.id
        if fault.fault in PATIENT:
            await self._wait_for_room(fault)
            return
        if not fault.retryable or faults >= FAULTS:
            await self._parting.fail_for_good(f"model.{fault.fault}", f"{model}: {shorten(fault.detail, 1000)}")
            return
        wait = timedelta(seconds=max(fault.retry_after or 0.0, FIRST_WAIT * 2 ** (faults - 1)))
        why = f"{model} gave no answer ({fault.fault}); next try in {wait.total_seconds():.0f} s"
        await self._parting.try_later(f"model.{fault.fault}", why, wait)

    async def _wait_for_room(self, fault: ModelFault) -> None:
        held = min(self._recorder.state.held, 16)
        # Full jitter, so that those who were sent away together do not come back together.
        longest = min(LONGEST_WAIT, 2.0 ** (held - 1))
        wait = (fault.retry_after or 0.0) + random.uniform(0.0, 1.0 if fault.fault == Fault.PACED else longest)
        why = f"its provider has too much to do ({fault.fault}); next try in {wait:.0f} s"
        await self._parting.try_later(PACE, why, timedelta(seconds=wait))

    def _nudge(self, step: rules.Nudge) -> None:
        if step.errors:
            self._recorder.emit(OutputRejected(step=self._recorder.state.steps, errors=step.errors))
        self._recorder.emit(MessageAdded(message=UserMessage((Text(step.text),), AUTHOR), cause=step.cause))

    async def _learn_of_cancel(self) -> None:
        """The request stands in the log already, written by whoever asked."""
        run = self._attempt.run
        async with self._attempt.around.db.tenant(run.tenant) as tx:
            request = await log.last_of(tx, run.tenant, run.id, CancelRequested)
        self._recorder.learn(request or CancelRequested(by="an operator"))
