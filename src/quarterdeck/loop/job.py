"""One attempt at one run: ask the rules what comes next, do it through the gates, write down what came of it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import TenantId, ThreadId
from quarterdeck.core.json import Json
from quarterdeck.core.text import shorten, storable, storable_json
from quarterdeck.db.pool import Database
from quarterdeck.gates.model import ModelFacts, ModelGate
from quarterdeck.gates.records import Verdict
from quarterdeck.gates.tool import Intent, ToolFacts, ToolGate
from quarterdeck.loop import prompt, rules
from quarterdeck.loop.deltas import Deltas
from quarterdeck.loop.recorder import Recorder
from quarterdeck.models.records import ModelAnswer, ModelFault, ModelRequest
from quarterdeck.releases.records import Release
from quarterdeck.runs import log, store
from quarterdeck.runs.events import (
    CancelRequested,
    Event,
    MessageAdded,
    ModelAnswered,
    ModelCalled,
    ModelDrifted,
    ModelFailed,
    OutputRejected,
    RunFinished,
    RunParked,
    RunReleased,
    ThreadContinued,
    ToolDenied,
    ToolUnknown,
)
from quarterdeck.runs.fold import CallState, fold
from quarterdeck.runs.log import Departure
from quarterdeck.runs.messages import AUTHOR, Call, Message, Spoken, Stored, Text, UserMessage
from quarterdeck.runs.records import Effect, Run, Status
from quarterdeck.runs.service import Wakes

_log = logs.get(__name__)
T = TypeVar("T")

FAULTS = 5
"""Model calls in a row that may come to nothing, each after a longer wait, before the run fails."""
ReadBlobs = Callable[[TenantId, str, list[str]], Coroutine[object, object, Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a job needs of its process. `watched` tells whether anybody listens to a run's deltas."""

    db: Database
    wakes: Wakes
    clock: Clock
    models: ModelGate
    tools: ToolGate
    read_blobs: ReadBlobs
    watched: Callable[[str], bool]
    max_attempts: int


class Interrupted(Exception):
    """Somebody wants this to end while something is in flight."""


class Job:
    """One attempt at one run. `execute` returns once the run has left this worker, for whatever reason."""

    def __init__(self, around: Surroundings, recorder: Recorder, run: Run, release: Release) -> None:
        self._around = around
        self._recorder = recorder
        self._run = run
        self._release = release
        self._interrupt = asyncio.Event()
        self._drain = asyncio.Event()
        self._output = rules.OutputCheck(release.output_schema) if release.output_schema else None
        self._conversation: prompt.Conversation | None = None

    def interrupt(self) -> None:
        """A cancel request is in the log: stop what is in flight and account for it."""
        self._interrupt.set()

    def drain(self) -> None:
        """Finish the step in hand, then give the run back."""
        self._drain.set()

    async def execute(self) -> None:
        """Work until the run ends, parks or is given back. Raises FencedOut and database errors: then it is not ours."""
        while not await self._step():
            pass

    async def give_back(self, why: str) -> None:
        """Put the run back into the queue for another worker. What is in flight and was not committed is repeated there."""
        await self._recorder.leave(Departure(Status.QUEUED, why=""), RunReleased(why=why))

    async def _step(self) -> bool:
        """One step. True once the run has left."""
        if self._interrupt.is_set() and self._recorder.state.cancel is None:
            await self._learn_of_cancel()
        state, now = self._recorder.state, self._around.clock.now()
        step = rules.next_step(state, self._release.limits, now, self._output)
        if self._drain.is_set() and not isinstance(step, rules.Finish | rules.Park | rules.Rest):
            await self.give_back("drain")
            return True
        match step:
            case rules.CallModel():
                return await self._call_model(step)
            case rules.CallTools():
                await self._call_tools(step)
            case rules.Doubt():
                await self._doubt(step)
            case rules.Nudge():
                self._nudge(step)
            case rules.Park():
                await self._park(step.status, step.why)
                return True
            case rules.Finish():
                await self._finish(step)
                return True
            case rules.Rest():
                return True
        return False

    # --- the model

    async def _call_model(self, step: rules.CallModel) -> bool:
        """Ask the model. True when the run left because of it."""
        request = await self._request(step)
        self._recorder.step = f"asking {self._release.model.id} (step {step.step})"
        state = self._recorder.state
        facts = ModelFacts(state.steps if step.again else state.steps, state.usage.input + state.usage.output)
        decision = self._around.models.decide(request, self._release, facts)
        self._recorder.emit(
            ModelCalled(
                step=step.step,
                call=request.call,
                provider=request.pin.provider,
                model=request.pin.id,
                decision=decision,
                prompt=self._talk.digest(),
                messages=len(request.messages),
            )
        )
        if decision.verdict != Verdict.ALLOW:
            failed = ModelFailed(step=step.step, call=request.call, code="denied", message=decision.reason)
            self._recorder.emit(failed)
            await self._fail(f"model.{decision.rule}", decision.reason)
            return True
        await self._recorder.flush()
        try:
            answer = await self._answer(request)
        except Interrupted:
            return False
        except ModelFault as fault:
            return await self._after_fault(request, fault)
        self._keep(request, answer)
        return False

    async def _answer(self, request: ModelRequest) -> ModelAnswer:
        recorder, run = self._recorder, self._run
        deltas: Deltas | None = None
        if self._around.watched(run.id.hex):
            watched = self._around.watched
            deltas = Deltas(
                self._around.wakes, lambda: watched(run.id.hex), run.id, request.step, recorder.hold.attempt
            )

        async def on_fault(fault: ModelFault, tries: int, again_in: float | None, ms: int) -> None:
            if again_in is None:
                return  # the last one is written by whoever catches it
            recorder.emit(
                ModelFailed(
                    step=request.step,
                    call=request.call,
                    code=fault.fault,
                    message=storable(shorten(fault.detail, 500)),
                    status=fault.http_status,
                    retry_in_ms=int(again_in * 1000),
                    ms=ms,
                    try_=tries,
                )
            )
            await recorder.flush()

        try:
            answering = self._around.models.answer(request, deltas.add if deltas else None, on_fault)
            return await self._unless_interrupted(answering)
        finally:
            if deltas is not None:
                deltas.send()

    def _keep(self, request: ModelRequest, answer: ModelAnswer) -> None:
        """The answer into the log, and what was odd about it."""
        state = self._recorder.state
        self._recorder.emit(
            ModelAnswered(
                step=request.step,
                call=request.call,
                content=_clean(answer.content),
                finish=answer.finish,
                served_model=answer.served_model,
                usage=answer.usage,
                cost=answer.cost,
                response_id=answer.response_id,
                ms=answer.ms,
                first_token_ms=answer.first_token_ms,
                tries=state.faults + 1,
            )
        )
        if not self._around.models.same_model(request.pin, answer.served_model):
            self._recorder.emit(_drift(request, answer.served_model, ""))
        for difference in answer.differences:
            self._recorder.emit(_drift(request, answer.served_model, storable(difference)))

    async def _after_fault(self, request: ModelRequest, fault: ModelFault) -> bool:
        """A model that can't be had now: the run waits for a retry, longer each time; else it fails with the evidence."""
        message = storable(shorten(fault.detail, 2000))
        failed = ModelFailed(
            step=request.step, call=request.call, code=fault.fault, message=message, status=fault.http_status
        )
        self._recorder.emit(failed)
        faults = self._recorder.state.faults
        if fault.retryable and faults < FAULTS:
            wait = timedelta(seconds=max(fault.retry_after or 0.0, 5.0 * 2**faults))
            why = f"{request.pin.id} could not be reached ({fault.fault}); next try in {wait.total_seconds():.0f} s"
            at = self._around.clock.now() + wait
            parked = RunParked(status=Status.WAITING_FOR_RETRY, why=why, until=int(at.timestamp() * 1000))
            await self._recorder.leave(
                Departure(Status.WAITING_FOR_RETRY, reason=fault.fault, why=why, available_at=at), parked
            )
        else:
            await self._fail(f"model.{fault.fault}", message)
        return True

    async def _request(self, step: rules.CallModel) -> ModelRequest:
        release, state = self._release, self._recorder.state
        if self._conversation is None:
            given = state.admitted.variables if state.admitted else {}
            text = prompt.system(release.prompt, release.variables, given)
            self._conversation = prompt.Conversation(text, await self._history())
        missing = self._conversation.missing(state.messages)
        self._conversation.extend(state.messages, await self._read(missing))
        return ModelRequest(
            tenant=self._run.tenant,
            run=self._run.id,
            agent=release.agent,
            release=release.id,
            step=step.step,
            call=f"m{step.step}",
            pin=release.model,
            system=self._conversation.system,
            messages=self._conversation.messages,
            tools=self._around.tools.offers(release),
            output_schema=release.output_schema,
            tags=self._run.tags,
        )

    @property
    def _talk(self) -> prompt.Conversation:
        assert self._conversation is not None
        return self._conversation

    async def _history(self) -> list[Message]:
        """What was said in the thread before this run; which runs that are is written down at the first look."""
        if self._run.thread is None:
            return []
        if self._recorder.state.history is None:
            position = self._run.thread_position or 0
            async with self._around.db.tenant(self._run.tenant) as tx:
                earlier = await store.earlier(tx, self._run.tenant, ThreadId(self._run.thread), position)
            self._recorder.emit(ThreadContinued(runs=tuple(str(run) for run in earlier)))
        said: list[Message] = []
        for run in self._recorder.state.history or ():
            said += await self._said_in(run)
        return said

    async def _said_in(self, run: str) -> list[Message]:
        async with self._around.db.tenant(self._run.tenant) as tx:
            state = fold(await log.read(tx, self._run.tenant, store.run_id(run)))
        stored = [part for message in state.messages for part in message.content if isinstance(part, Stored)]
        earlier = prompt.Conversation("")
        earlier.extend(state.messages, await self._read(stored, run))
        return list(earlier.messages)

    async def _read(self, parts: list[Stored], run: str | None = None) -> Mapping[str, str]:
        keys = [part.key for part in parts if part.media_type.startswith("text/")]
        return await self._around.read_blobs(self._run.tenant, run or str(self._run.id), keys) if keys else {}

    # --- tools

    async def _call_tools(self, step: rules.CallTools) -> None:
        sending: list[tuple[Intent, ToolFacts]] = []
        for call in step.fresh:
            self._decide(call.call, step.step, sending, again=False)
        for call in step.again:
            self._decide(call.call, step.step, sending, again=True)
        names = ", ".join(dict.fromkeys(intent.grant.name for intent, _ in sending))
        self._recorder.step = f"calling {names}" if names else "refusing a call"
        await self._recorder.flush()
        if len(sending) == 1:
            await self._perform(*sending[0])
        elif sending:
            places = asyncio.Semaphore(self._release.limits.max_parallel_calls)
            async with asyncio.TaskGroup() as group:
                for intent, facts in sending:
                    group.create_task(self._perform_in_turn(places, intent, facts))

    def _decide(self, call: Call, step: int, sending: list[tuple[Intent, ToolFacts]], *, again: bool) -> None:
        state = self._recorder.state
        facts = ToolFacts(
            tenant=self._run.tenant,
            run=self._run.id,
            user=self._run.user_id,
            step=step,
            attempt=self._recorder.hold.attempt,
            tool_calls=state.tool_calls,
            again=again,
            traceparent=self._run.traceparent,
        )
        verdict = self._around.tools.decide(self._release, call, facts)
        event = verdict.event(step)
        if again and isinstance(event, ToolDenied):
            # Sent by the attempt before and not allowed any more: whether it took effect is still not known.
            event = ToolUnknown(call=call.id, tool=call.tool, why=f"sent before, refused now: {event.decision.reason}")
        self._recorder.emit(event)
        if isinstance(verdict, Intent):
            sending.append((verdict, facts))

    async def _perform_in_turn(self, places: asyncio.Semaphore, intent: Intent, facts: ToolFacts) -> None:
        async with places:
            await self._perform(intent, facts)

    async def _perform(self, intent: Intent, facts: ToolFacts) -> None:
        """Carry one intent out. An outcome that is not a read's is committed before anything else happens."""
        outcome = await self._around.tools.perform(self._release, intent, facts, self._interrupt)
        self._recorder.emit(outcome)
        if intent.grant.effect != Effect.READ:
            await self._recorder.flush()

    async def _doubt(self, step: rules.Doubt) -> None:
        """Calls of an attempt that died: nobody may answer for them before they can no longer begin and finish."""
        for call in step.calls:
            self._recorder.emit(_unknown(call))
        await self._recorder.flush()

    # --- nudges and endings

    def _nudge(self, step: rules.Nudge) -> None:
        if step.errors:
            self._recorder.emit(OutputRejected(step=self._recorder.state.steps, errors=step.errors))
        message = UserMessage((Text(step.text),), AUTHOR)
        self._recorder.emit(MessageAdded(message=message, cause=step.cause))

    async def _park(self, status: Status, why: str) -> None:
        await self._recorder.leave(
            Departure(status, reason=status.value, why=why, parked=True), RunParked(status=status, why=why)
        )

    async def _finish(self, step: rules.Finish) -> None:
        why = _why(step, self._recorder.state.tools_called)
        finished = RunFinished(
            status=step.status,
            reason=step.reason,
            text=step.text,
            output=_storable_output(step.output),
            handoff=None if step.status is Status.SUCCEEDED else rules.handoff(self._recorder.state, step.why),
            error_code=step.error_code,
            error=step.why if step.status is Status.FAILED else None,
        )
        await self._recorder.leave(Departure(step.status, step.reason, why, step.error_code, ended=True), finished)

    async def _fail(self, code: str, why: str) -> None:
        await self._finish(rules.Finish(Status.FAILED, why=why, error_code=code))

    async def fail_for_good(self, code: str, why: str) -> None:
        """End the run as failed, with what is known of it."""
        await self._fail(code, storable(why))

    async def try_later(self, why: str, wait: timedelta) -> None:
        """Give the run up until later, because something here went wrong that may not go wrong again."""
        at = self._around.clock.now() + wait
        parked = RunParked(status=Status.WAITING_FOR_RETRY, why=storable(why), until=int(at.timestamp() * 1000))
        await self._recorder.leave(
            Departure(Status.WAITING_FOR_RETRY, reason="fault", why=storable(why), available_at=at), parked
        )

    # --- interruption

    async def _learn_of_cancel(self) -> None:
        async with self._around.db.tenant(self._run.tenant) as tx:
            request = await log.last_of(tx, self._run.tenant, self._run.id, CancelRequested)
        self._recorder.learn(request or CancelRequested(by="an operator"))

    async def _unless_interrupted(self, work: Coroutine[object, object, T]) -> T:
        """The result of `work`, or Interrupted as soon as somebody wants the run to end; the work is cancelled then."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._interrupt.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Interrupted
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})


def _clean(content: tuple[Spoken, ...]) -> tuple[Spoken, ...]:
    """Storable, and with one id a call: what the model said twice under one id must not be answered as one."""
    seen: set[str] = set()
    cleaned: list[Spoken] = []
    for part in content:
        match part:
            case Text(text=text):
                safe = storable(text)
                cleaned.append(part if safe is text else Text(safe, part.label))
            case Call():
                cleaned.append(_clean_call(part, seen))
            case _:
                cleaned.append(part)
    return tuple(cleaned)


def _clean_call(call: Call, seen: set[str]) -> Call:
    id_, number = storable(call.id) or "call", 2
    while id_ in seen:
        id_, number = f"{call.id or 'call'}-{number}", number + 1
    seen.add(id_)
    arguments = storable_json(call.arguments)
    assert isinstance(arguments, Mapping)
    return Call(id_, storable(call.tool), arguments, storable(call.raw) if call.raw is not None else None)


def _drift(request: ModelRequest, served: str, difference: str) -> Event:
    return ModelDrifted(
        step=request.step, call=request.call, wanted=request.pin.id, served=served, difference=difference
    )


def _unknown(call: CallState) -> ToolUnknown:
    intent = call.intent
    assert intent is not None
    return ToolUnknown(
        call=call.call.id,
        tool=intent.tool,
        why="its worker died between the intent and the outcome",
        ask_after=intent.not_after + intent.timeout_ms,
    )


def _storable_output(output: Json) -> Json:
    return storable_json(output) if output is not None else None


def _why(step: rules.Finish, tools_called: Mapping[str, int]) -> str:
    """One sentence for lists."""
    if step.why:
        return shorten(step.why, 300)
    count = sum(tools_called.values())
    return "" if not count else f"answered after {count} tool call{'s' if count != 1 else ''}"
