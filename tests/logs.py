"""Logs as real runs write them: a small simulator that asks the loop's own rules what comes next.

Everything that is chance in the world (answers, failures, deaths, cancels, people) is a choice: made by hypothesis in
property tests, by a seeded generator elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, UserId
from quarterdeck.core.money import MicroUsd
from quarterdeck.loop import rules
from quarterdeck.loop.handoffs import handoff as handing_over
from quarterdeck.releases.records import Limits
from quarterdeck.runs import events as e
from quarterdeck.runs.fold import CLOSING, CallState, RunState, apply
from quarterdeck.runs.messages import AUTHOR, Call, Label, Spoken, Text, Usage, UserMessage
from quarterdeck.runs.records import ENDED, Effect, Run, Status, StoredEvent

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALLOW = e.Decision("allow", "default", checks=("known", "schema", "limits"))
LIMITS = Limits(max_steps=8, max_tool_calls=12, max_seconds=3600, max_tokens=100_000, max_repeats=2)
TENANT = TenantId(UUID(int=7))
TOOLS = (("lookup", "read", "safe"), ("refund", "payment", "never"), ("notify", "external_message", "keyed"))

Choose = Callable[[str, int], int]
"""A choice among so many possibilities; 0 is what usually happens."""


def seeded(seed: int, trouble: float = 0.2) -> Choose:
    """Choices of a generator: trouble comes this often."""
    generator = Random(seed)

    def choose(_: str, count: int) -> int:
        return 0 if count == 1 or generator.random() > trouble else generator.randrange(1, count)

    return choose


@dataclass
class Simulator:
    """A run and the world around it."""

    choose: Choose
    limits: Limits = LIMITS
    calls_wanted: int = 3
    state: RunState = field(default_factory=RunState)
    log: list[StoredEvent] = field(default_factory=list[StoredEvent])
    now: datetime = START
    attempt: int = 0

    def emit(self, *events: e.Event, after_ms: int = 50) -> None:
        for event in events:
            self.now += timedelta(milliseconds=after_ms)
            row = StoredEvent(len(self.log) + 1, self.attempt, event.kind, event.v, self.now, e.write(event))
            self.log.append(row)
            self.state = apply(self.state, event, self.attempt, self.now)

    def run(self, most_turns: int = 40) -> list[StoredEvent]:
        """The log once the run has ended and nobody sent it back, or after so many turns of the world."""
        self.emit(
            e.RunAdmitted(agent="desk", release="ab" * 32, user="ann", input=(UserMessage((Text("Refund order 7"),)),))
        )
        for _ in range(most_turns):
            if self.state.finished:
                if self.choose("sent back", 4) != 3 or self.state.finished.status == "succeeded":
                    break
                self.emit(e.RunRetried(by="key:op"))
            self.turn()
        return self.log

    def turn(self) -> None:
        if self.state.active_since is not None:
            self._execute()
        elif self.state.parked and self.state.parked.status == Status.WAITING_FOR_OUTCOME:
            self._answer_for_unknown_outcomes()
        elif self.state.parked and self.state.parked.status == Status.WAITING_FOR_APPROVAL:
            self._answer_questions()
        elif self.state.parked and self.state.children:
            self._children_end()
        elif self.choose("cancelled before it runs", 12) == 11:
            self._end_cancelled()
        else:
            self.attempt += 1
            claimed = e.RunClaimed(worker=f"w{self.attempt}", host="h", version="1", behaviour=1)
            self.emit(claimed, after_ms=2_000)

    def _execute(self) -> None:
        match self.choose("of the worker", 12):
            case 9:
                self.emit(e.RunReleased(why="lease"), after_ms=10_000)
                return
            case 10:
                self.emit(e.RunReleased(why="drain"))
                return
            case 11 if self.state.cancel is None:
                self.emit(e.CancelRequested(by="key:op", why="enough"))
            case _:
                pass
        self._step(rules.next_step(self.state, self.limits, self.now))

    def _step(self, step: rules.Step) -> None:
        match step:
            case rules.CallModel():
                self._ask(step)
            case rules.CallTools():
                self._call(step)
            case rules.JudgeInput():
                self.emit(self._judged())
            case rules.Close(reason=reason, why=why):
                self.emit(e.RunClosing(reason=reason, why=why))
            case rules.Doubt(calls=calls):
                self.emit(*(self._unknown(call) for call in calls))
            case rules.Nudge():
                self.emit(e.MessageAdded(message=UserMessage((Text(step.text),), AUTHOR), cause=step.cause))
            case rules.Park(status=status, why=why):
                self.emit(e.RunParked(status=status, why=why))
            case rules.Finish():
                handoff = None if step.status is Status.SUCCEEDED else handing_over(self.state, step.why)
                error = step.why if step.status is Status.FAILED else None
                self.emit(
                    e.RunFinished(
                        status=step.status,
                        reason=step.reason,
                        text=step.text,
                        handoff=handoff,
                        error_code=step.error_code,
                        error=error,
                    )
                )
            case rules.Rest():
                pass

    def _judged(self) -> e.GuardrailJudged:
        if self.choose("of the input", 4) != 3:
            return e.GuardrailJudged(edge="input", step=0, verdict="allow", checks=("injection",))
        found = e.Finding("injection", "label", "role-play", score=0.9)
        return e.GuardrailJudged(edge="input", step=0, verdict="label", checks=("injection",), findings=(found,))

    def _close(self, step: rules.CallModel) -> None:
        """The question for a last answer: answered, failed, or lost with its worker."""
        call = f"m{step.step}"
        asked = e.ModelCalled(
            step=step.step, call=call, provider="openai", model="gpt-x", decision=ALLOW, purpose=CLOSING, degree=CLOSING
        )
        self.emit(asked)
        match self.choose("of the last question", 3):
            case 1:
                self.emit(e.ModelFailed(step=step.step, call=call, code="timeout", message="", purpose=CLOSING))
            case 2:
                self.emit(e.RunReleased(why="lease"), after_ms=10_000)
            case _:
                said = e.ModelAnswered(
                    step=step.step,
                    call=call,
                    content=(Text("That is how far I came."),),
                    finish="stop",
                    served_model="gpt-x",
                    usage=Usage(input=90, output=9),
                    purpose=CLOSING,
                )
                self.emit(said, after_ms=300)

    def _ask(self, step: rules.CallModel) -> None:
        if step.closing:
            self._close(step)
            return
        call = f"m{step.step}"
        self.emit(e.ModelCalled(step=step.step, call=call, provider="openai", model="gpt-x", decision=ALLOW))
        match self.choose("of the model", 8):
            case 5:
                self.emit(e.RunReleased(why="lease"), after_ms=10_000)
            case 6:
                fault = e.ModelFailed(step=step.step, call=call, code="rate_limited", message="429", retry_in_ms=500)
                self.emit(fault, after_ms=400)
                self._answered(step.step, call)
            case 7:
                self.emit(e.ModelFailed(step=step.step, call=call, code="server", message="500"), after_ms=400)
                if self.state.faults >= 3:
                    self.emit(e.RunFinished(status="failed", error_code="model.server", error="gpt-x: 500"))
                else:
                    until = int((self.now + timedelta(seconds=5)).timestamp() * 1000)
                    self.emit(e.RunParked(status=Status.WAITING_FOR_RETRY, why="gpt-x gave no answer", until=until))
            case _:
                self._answered(step.step, call)

    def _answered(self, step: int, call: str) -> None:
        content, finish = self._content(step)
        self.emit(
            e.ModelAnswered(
                step=step,
                call=call,
                content=content,
                finish=finish,
                served_model="gpt-x",
                usage=Usage(100, 20, 10),
                cost=150,
                ms=900,
            ),
            after_ms=900,
        )

    def _content(self, step: int) -> tuple[tuple[Spoken, ...], str]:
        done = sum(self.state.tools_called.values())
        match self.choose("of the answer", 8):
            case 5:
                return (), "stop"
            case 6:
                return (Text("I will not."),), "refusal"
            case 7:
                return (Text("Too long"),), "length"
            case number if done < self.calls_wanted:
                count = 1 + number % 3
                # Some providers number the calls of each answer from zero.
                ids = [f"c{index}" if number % 2 else f"s{step}c{index}" for index in range(count)]
                tools = [TOOLS[(step + index) % 3] for index in range(count)]
                calls = [Call(id_, tool[0], {"order": 7, "n": step}) for id_, tool in zip(ids, tools, strict=True)]
                return (Text("One moment."), *calls), "tool_calls"
            case _:
                return (Text("Done."),), "stop"

    def _call(self, step: rules.CallTools) -> None:
        sent: list[CallState] = []
        for call in step.fresh:
            if call.said is not None and call.said.state != "approved":
                refusal = e.Decision("deny", f"approval.{call.said.state}", "Nobody said yes.")
                self.emit(self._denied(call.call, step.step, refusal))
                continue
            match self.choose("of the gate", 10):
                case 7:
                    refusal = e.Decision("deny", "schema", "Its arguments do not fit.")
                    self.emit(self._denied(call.call, step.step, refusal))
                case 8 if call.said is None:
                    self.emit(self._question(call.call, step.step), after_ms=1)
                case 9 if call.said is None:
                    self.emit(replace(self._intent(call.call, step.step), child="a-child"), after_ms=1)
                case _:
                    self.emit(self._intent(call.call, step.step), after_ms=1)
                    sent.append(call)
        for call in step.again:
            self.emit(self._intent(call.call, step.step), after_ms=1)
            sent.append(call)
        if sent and self.choose("dead in mid-call", 8) == 7:
            self.emit(e.RunReleased(why="lease"), after_ms=10_000)
            return
        for call in reversed(sent) if self.choose("order", 2) else sent:
            self.emit(self._outcome(call), after_ms=300)

    def _question(self, call: Call, step: int) -> e.ApprovalAsked:
        _, effect, _ = next(tool for tool in TOOLS if tool[0] == call.tool)
        return e.ApprovalAsked(
            step=step,
            call=call.id,
            approval=f"a-{step}-{call.id}",
            tool=call.tool,
            arguments=call.arguments,
            effect=effect,
            decision=e.Decision("ask", "permission", "Calls of this kind need a yes."),
            digest="00",
            expires_at=int((self.now + timedelta(days=1)).timestamp() * 1000),
        )

    def _answer_questions(self) -> None:
        if self.choose("cancelled while it waits for a yes", 6) == 5:
            self._end_cancelled()
            return
        for call in self.state.pending:
            assert call.asked is not None
            said = ("approved", "approved", "denied", "expired")[self.choose("what the reviewer said", 4)]
            answer = e.ApprovalAnswered(call=call.call.id, approval=call.asked.approval, state=said, by=("key:rev",))
            self.emit(answer, after_ms=90_000)
        self.emit(e.RunResumed(why="answered", by="key:rev"))

    def _children_end(self) -> None:
        for call in self.state.children:
            self.emit(self._outcome(call), after_ms=5_000)
        self.emit(e.RunResumed(why="its child has ended"))

    def _intent(self, call: Call, step: int) -> e.ToolCalled:
        _, effect, repeat = next(tool for tool in TOOLS if tool[0] == call.tool)
        return e.ToolCalled(
            step=step,
            call=call.id,
            tool=call.tool,
            arguments=call.arguments,
            effect=effect,
            repeat=repeat,
            decision=ALLOW,
            key=f"{step}/{call.id}",
            not_after=int((self.now + timedelta(seconds=10)).timestamp() * 1000),
            timeout_ms=5_000,
        )

    def _denied(self, call: Call, step: int, decision: e.Decision) -> e.ToolDenied:
        return e.ToolDenied(
            step=step,
            call=call.id,
            tool=call.tool,
            arguments=call.arguments,
            decision=decision,
            content=(Text(decision.reason),),
        )

    def _outcome(self, call: CallState) -> e.Event:
        label = Label(f"tool:{call.call.tool}")
        match self.choose("of the tool", 8):
            case 5:
                return e.ToolAnswered(call=call.call.id, content=(Text("no such order"),), is_error=True, ms=250)
            case 6:
                return e.ToolFailed(call=call.call.id, code="timeout", content=(Text("timed out"),), ms=290)
            case 7 if call.call.tool != "lookup":
                return e.ToolUnknown(call=call.call.id, tool=call.call.tool, why="the connection was cut", ask_after=1)
            case _:
                return e.ToolAnswered(call=call.call.id, content=(Text("ok"),), label=label, ms=250)

    def _unknown(self, call: CallState) -> e.ToolUnknown:
        return e.ToolUnknown(call=call.call.id, tool=call.call.tool, why="its worker died", ask_after=1)

    def _answer_for_unknown_outcomes(self) -> None:
        if self.choose("cancelled while it waits", 6) == 5:
            self._end_cancelled()
            return
        for call in self.state.unknown:
            outcome = "happened" if self.choose("what the person found", 2) == 0 else "did_not_happen"
            resolved = e.ToolResolved(call=call.call.id, outcome=outcome, by="key:op", content=(Text(outcome),))
            self.emit(resolved, after_ms=60_000)
        self.emit(e.RunResumed(why="named", by="key:op"))

    def _end_cancelled(self) -> None:
        self.emit(e.CancelRequested(by="key:op"), e.RunFinished(status="cancelled", handoff=e.Handoff(why="enough")))


@st.composite
def logs(draw: Any) -> list[StoredEvent]:
    """Logs of whole runs: what usually happens is drawn most often, and shrinks to nothing special."""

    def choose(_: str, count: int) -> int:
        return draw(st.integers(0, 2 * count)) % count if draw(st.booleans()) else 0

    return Simulator(choose).run(most_turns=draw(st.integers(1, 40)))


def long_log(events: int, seed: int = 1) -> list[StoredEvent]:
    """A log of about so many events, of a run that calls tools for as long as it is let."""
    limits = Limits(max_steps=100_000, max_tool_calls=100_000, max_seconds=1e9, max_tokens=10**9, max_repeats=10**6)
    simulator = Simulator(seeded(seed, trouble=0.02), limits, calls_wanted=10**9)
    simulator.emit(e.RunAdmitted(agent="desk", release="ab" * 32, user="ann", input=(UserMessage((Text("go"),)),)))
    while len(simulator.log) < events:
        simulator.turn()
        if simulator.state.finished:
            simulator.emit(e.RunRetried(by="key:op"))
    return simulator.log


def run_of(log: Sequence[StoredEvent], state: RunState, now: datetime) -> Run:
    """The row that goes with a log."""
    status = state.status
    if status is Status.RUNNING and state.cancel:
        status = Status.CANCELLING
    ended = status in ENDED
    finished = state.finished
    return Run(
        tenant=TENANT,
        id=RunId(UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0001)),
        kind="agent",
        agent=AgentName("desk"),
        release=ReleaseId("ab" * 32),
        behaviour=1,
        user_id=UserId("ann"),
        thread=None,
        thread_position=None,
        parent=None,
        priority=0,
        tags={},
        submitted_by="key:k",
        title="Refund order 7",
        traceparent=None,
        created_at=log[0].at,
        status=status,
        available_at=log[0].at,
        delivered_at=None,
        worker=None,
        started_at=log[1].at if len(log) > 1 else None,
        finished_at=log[-1].at if ended else None,
        attempt=state.attempt,
        last_seq=len(log),
        last_event_at=log[-1].at,
        parked_at=None,
        waited_ms=0,
        step="",
        steps_used=state.steps,
        tool_calls=state.tool_calls,
        failed_calls=state.failed_calls,
        input_tokens=state.usage.input,
        output_tokens=state.usage.output,
        cost=MicroUsd(state.cost),
        risk_level="read",
        reason=finished.reason if finished else None,
        why="",
        error_code=finished.error_code if finished else None,
        cancel_requested_at=now if state.cancel and not ended else None,
    )


def repeated_effects(log: Sequence[StoredEvent]) -> list[str]:
    """Keys of calls that must not be repeated and were sent more than once."""
    keys: list[str] = []
    for row in log:
        event = e.read(row.kind, row.v, row.data)
        if isinstance(event, e.ToolCalled) and event.effect != Effect.READ and event.repeat == "never":
            keys.append(event.key)
    return [key for key in keys if keys.count(key) > 1]
