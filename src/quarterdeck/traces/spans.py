"""From a log to spans: a pure projection, the same spans with the same ids however often it is made.

Outcomes of reads are committed with the next step and not when they came, so how long a call took is told by the event
itself and not by the time of its row.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from quarterdeck.core.ids import RunId
from quarterdeck.core.json import Json
from quarterdeck.runs import events as e
from quarterdeck.runs.entries import Entry
from quarterdeck.runs.fold import is_aside
from quarterdeck.runs.parts import Decision
from quarterdeck.runs.records import Effect, Status
from quarterdeck.runs.rules import RISK
from quarterdeck.runs.turns import plain
from quarterdeck.traces import attributes as a
from quarterdeck.traces.drafts import Draft
from quarterdeck.traces.ids import span_id
from quarterdeck.traces.records import Kind, Mark, Span

_ROOT_MARKS = {Status.FAILED: Mark.ERROR, Status.STOPPED: Mark.DENIED}
_WAITS = {
    Status.WAITING_FOR_APPROVAL: "waiting for approval",
    Status.WAITING_FOR_CONNECTION: "waiting for a sign-in",
    Status.WAITING_FOR_OUTCOME: "waiting for somebody to name an outcome",
    Status.WAITING_FOR_RETRY: "waiting to try again",
}


def project(run: RunId, entries: Iterable[Entry]) -> list[Span]:
    """The spans of a log, in the order in which they began. Those without an end go on."""
    projection = _Projection(run)
    for entry in entries:
        projection.take(entry)
    projection.look()
    return [draft.finished() for draft in sorted(projection.drafts, key=lambda draft: draft.start)]


class _Projection:
    """What is open at a point of the log."""

    def __init__(self, run: RunId) -> None:
        self.drafts: list[Draft] = []
        self._run = run.bytes
        self._root: Draft | None = None
        self._attempt: Draft | None = None
        self._queue: Draft | None = None
        self._wait: Draft | None = None
        self._until: datetime | None = None
        self._model: Draft | None = None
        self._asides: dict[str, Draft] = {}
        self._tools: dict[str, tuple[Draft, e.ToolCalled]] = {}
        self._questions: dict[str, Draft] = {}

    def take(self, entry: Entry) -> None:
        """One more event."""
        rule = _RULES.get(type(entry.event))
        if rule is not None:
            rule(self, entry, entry.event)

    def look(self) -> None:
        """The log is read as far as it goes: a run that waits for a person does not run."""
        if self._root is not None and self._root.end is None and self._wait is not None and self._until is None:
            self._root.mark = Mark.WAITING

    def admitted(self, entry: Entry, event: e.RunAdmitted) -> None:
        self._root = self._begin(entry, Kind.RUN, f"run {event.agent}", Mark.RUNNING, a.of_admission(event))
        if event.not_before is not None and event.not_before > entry.at.timestamp() * 1000:
            self._wait_until(entry, "waiting for its time", {}, event.not_before)
        else:
            self._queue = self._begin(entry, Kind.QUEUE, "queued", Mark.WAITING)

    def claimed(self, entry: Entry, event: e.RunClaimed) -> None:
        self._end_wait(entry)
        self._close_queue(entry)
        self._leave(entry, Mark.ERROR)
        name = f"attempt {entry.attempt}"
        self._attempt = self._begin(entry, Kind.ATTEMPT, name, Mark.RUNNING, a.of_claim(event))

    def asked(self, entry: Entry, event: e.ModelCalled) -> None:
        aside = is_aside(event)
        if not aside:
            self._abandon_question(entry)
        self._judged(entry, f"policy {event.model}", event.decision)
        what = f"model turn {event.step}" if not event.purpose else event.purpose
        draft = self._begin(entry, Kind.MODEL, f"{what} · {event.model}", Mark.RUNNING, a.of_question(event))
        if aside:
            self._asides[event.call] = draft
        else:
            self._model = draft

    def _question(self, event: e.ModelAnswered | e.ModelFailed) -> Draft | None:
        return self._asides.get(event.call) if is_aside(event) else self._model

    def answered(self, entry: Entry, event: e.ModelAnswered) -> None:
        if (question := self._question(event)) is None:
            return
        question.close(entry, Mark.OK)
        question.attributes |= a.of_answer(event)

    def model_failed(self, entry: Entry, event: e.ModelFailed) -> None:
        if (question := self._question(event)) is None:
            return
        if event.retry_in_ms is None:
            question.close(entry, Mark.DENIED if event.code == "denied" else Mark.ERROR)
            question.attributes |= a.of_fault(event)
            return
        name = f"try {event.try_} · {event.code}"
        start = max(question.start, entry.at - timedelta(milliseconds=event.ms))
        failed = self._begin(entry, Kind.MODEL, name, Mark.ERROR, a.of_fault(event), parent=question.id, at=start)
        failed.close(entry, Mark.ERROR)

    def guarded(self, entry: Entry, event: e.GuardrailJudged) -> None:
        mark = Mark.DENIED if event.verdict in {"deny", "ask", "retry"} else Mark.OK
        start = entry.at - timedelta(milliseconds=event.ms)
        name = f"guardrails {event.edge} → {event.verdict}"
        self._begin(entry, Kind.GUARDRAIL, name, mark, a.of_judgement(event), at=start).close(entry, mark)

    def shortened(self, entry: Entry, event: e.ContextShortened) -> None:
        name = f"conversation shortened · {event.tokens_before:,} → {event.tokens_after:,} tokens"
        self._noted(entry, name, a.of_shortening(event))

    def closing(self, entry: Entry, event: e.RunClosing) -> None:
        self._noted(entry, f"closing: {event.why}", {"reason": event.reason, "why": event.why}, Mark.DENIED)

    def drifted(self, entry: Entry, event: e.ModelDrifted) -> None:
        name = event.difference or f"answered by {event.served} instead of {event.wanted}"
        self._noted(entry, name, {"wanted": event.wanted, "served": event.served}, Mark.ERROR)

    def called(self, entry: Entry, event: e.ToolCalled) -> None:
        risk = RISK[Effect(event.effect)]
        self._judged(entry, f"policy {event.tool}", event.decision, risk)
        if before := self._tools.pop(event.call, None):
            # The attempt before died with this call in flight; it may be repeated and is.
            self._lost(entry, *before, Mark.ERROR)
        name = f"{event.tool}({a.brief(event.arguments)})"
        draft = self._begin(entry, Kind.TOOL, name, Mark.RUNNING, a.of_call(event), risk=risk)
        self._tools[event.call] = (draft, event)

    def denied(self, entry: Entry, event: e.ToolDenied) -> None:
        shown = {"tool": event.tool, "call": event.call, "arguments": a.bounded(event.arguments)}
        self._judged(entry, f"policy {event.tool}", event.decision, more=shown)

    def person_asked(self, entry: Entry, event: e.ApprovalAsked) -> None:
        risk = RISK[Effect(event.effect)]
        self._judged(entry, f"policy {event.tool}", event.decision, risk)
        name = f"approval of {event.tool}({a.brief(event.arguments)})"
        facts = a.of_asking(event)
        parent = None if self._root is None else self._root.id
        asked = self._begin(entry, Kind.APPROVAL, name, Mark.WAITING, facts, parent=parent, risk=risk)
        self._questions[event.approval] = asked

    def person_answered(self, entry: Entry, event: e.ApprovalAnswered) -> None:
        if (asked := self._questions.pop(event.approval, None)) is None:
            return
        asked.close(entry, Mark.OK if event.state == "approved" else Mark.DENIED)
        asked.attributes |= a.of_answer_by_people(event)

    def passed_on(self, entry: Entry, event: e.RunEscalated) -> None:
        facts: dict[str, Json] = {"to": event.to, "summary": event.summary, "why": event.why, "id": event.escalation}
        self._noted(entry, f"passed to {event.to}", facts)

    def tool_answered(self, entry: Entry, event: e.ToolAnswered) -> None:
        self._settle(entry, event.call, event.ms, Mark.ERROR if event.is_error else Mark.OK, a.of_outcome(event))

    def tool_failed(self, entry: Entry, event: e.ToolFailed) -> None:
        self._settle(entry, event.call, event.ms, Mark.ERROR, a.of_failure(event))

    def tool_unknown(self, entry: Entry, event: e.ToolUnknown) -> None:
        if (found := self._tools.get(event.call)) is None:
            return
        draft, _ = found
        draft.close(entry, Mark.UNKNOWN, draft.end)
        draft.attributes |= {"error": event.why, "ask_after": event.ask_after}

    def tool_resolved(self, entry: Entry, event: e.ToolResolved) -> None:
        facts: dict[str, Json] = {"call": event.call, "outcome": event.outcome, "by": event.by}
        if found := self._tools.pop(event.call, None):
            found[0].attributes |= {"resolved": event.outcome, "resolved_by": event.by}
        self._noted(entry, f"{event.by} said: it {event.outcome.replace('_', ' ')}", facts)

    def parked(self, entry: Entry, event: e.RunParked) -> None:
        self._leave(entry, Mark.OK)
        name = _WAITS.get(Status(event.status), "waiting")
        if any(intent.child is not None for _, intent in self._tools.values()) and event.until is None:
            name = event.why
        self._wait_until(entry, name, {"status": event.status, "why": event.why}, event.until)

    def released(self, entry: Entry, event: e.RunReleased) -> None:
        self._leave(entry, Mark.ERROR if event.why == "lease" else Mark.OK, event.why)
        self._queue = self._begin(entry, Kind.QUEUE, "queued again", Mark.WAITING)

    def resumed(self, entry: Entry, event: e.RunResumed) -> None:
        if self._wait is not None:
            self._wait.attributes |= {"by": event.by, "resumed": event.why}
        self._end_wait(entry)
        self._queue = self._begin(entry, Kind.QUEUE, "queued again", Mark.WAITING)

    def retried(self, entry: Entry, event: e.RunRetried) -> None:
        if self._root is not None:
            self._root.end, self._root.end_seq, self._root.mark = None, None, Mark.RUNNING
        self._noted(entry, f"sent back by {event.by}", {"by": event.by, "why": event.why})
        self._queue = self._begin(entry, Kind.QUEUE, "queued again", Mark.WAITING)

    def cancelled(self, entry: Entry, event: e.CancelRequested) -> None:
        self._noted(entry, f"cancel requested by {event.by}", {"by": event.by, "why": event.why})

    def continued(self, entry: Entry, event: e.ThreadContinued) -> None:
        count = len(event.runs)
        name = f"goes on from {count} earlier run{'s' if count != 1 else ''}"
        self._noted(entry, name, {"runs": list(event.runs)})

    def added(self, entry: Entry, event: e.MessageAdded) -> None:
        words = plain(event.message.content, 500)
        self._noted(entry, f"told the model: {event.cause.replace('_', ' ')}", {"cause": event.cause, "text": words})

    def rejected(self, entry: Entry, event: e.OutputRejected) -> None:
        self._noted(entry, "the answer did not fit the schema", {"errors": list(event.errors)}, Mark.ERROR)

    def finished(self, entry: Entry, event: e.RunFinished) -> None:
        self._close_queue(entry)
        self._leave(entry, Mark.ERROR if event.status == Status.FAILED else Mark.OK)
        self._end_wait(entry)
        for question in self._questions.values():
            question.close(entry, Mark.DENIED)
        for draft, intent in self._tools.values():
            if draft.end_seq is None:
                self._lost(entry, draft, intent, Mark.ERROR if intent.effect == Effect.READ else Mark.UNKNOWN)
        self._tools.clear()
        point = self._begin(entry, Kind.CHECKPOINT, f"checkpoint {entry.seq} · run {event.status}", Mark.OK)
        point.close(entry, Mark.OK)
        if self._root is not None:
            self._root.close(entry, _ROOT_MARKS.get(Status(event.status), Mark.OK))
            self._root.attributes |= a.of_end(event)

    def _begin(
        self,
        entry: Entry,
        kind: Kind,
        name: str,
        mark: Mark,
        attributes: Mapping[str, Json] | None = None,
        *,
        parent: str | None = None,
        risk: str | None = None,
        at: datetime | None = None,
    ) -> Draft:
        above = self._above(kind) if parent is None else parent
        id_ = span_id(self._run, entry.seq, kind)
        draft = Draft(id_, above, entry.seq, kind, name, at or entry.at, mark, {**(attributes or {})}, risk)
        self.drafts.append(draft)
        return draft

    def _above(self, kind: Kind) -> str | None:
        """What a span stands in: the attempt where there is one; what is between attempts stands in the run."""
        if self._root is None:
            return None
        if self._attempt is None or kind in {Kind.ATTEMPT, Kind.QUEUE, Kind.WAIT}:
            return self._root.id
        return self._attempt.id

    def _judged(
        self,
        entry: Entry,
        name: str,
        decision: Decision,
        risk: str | None = None,
        more: Mapping[str, Json] | None = None,
    ) -> None:
        """A decision of a gate, as a span of its own that takes no time."""
        mark = Mark.OK if decision.verdict in {"allow", "ask"} else Mark.DENIED
        facts = {**a.of_decision(decision), **(more or {})}
        self._begin(entry, Kind.POLICY, f"{name} → {decision.verdict}", mark, facts, risk=risk).close(entry, mark)

    def _noted(self, entry: Entry, name: str, facts: Mapping[str, Json], mark: Mark = Mark.OK) -> None:
        """Something that takes no time."""
        self._begin(entry, Kind.MESSAGE, name, mark, facts).close(entry, mark)

    def _settle(self, entry: Entry, call: str, ms: int, mark: Mark, outcome: Mapping[str, Json]) -> None:
        if (found := self._tools.pop(call, None)) is None:
            return
        draft, intent = found
        took = timedelta(milliseconds=ms)
        if intent.effect == Effect.READ:
            draft.close(entry, mark, min(entry.at, draft.start + took))
        else:
            # Committed when it came: the row's own time is the end, and it may have waited for its turn before.
            draft.start = max(draft.start, entry.at - took)
            draft.close(entry, mark)
        draft.attributes |= outcome

    def _lost(self, entry: Entry, draft: Draft, intent: e.ToolCalled, mark: Mark) -> None:
        """Nobody heard what became of a call."""
        draft.close(entry, mark, draft.end)
        draft.attributes |= {"lost": True, "error": f"its answer was never heard ({intent.repeat})"}

    def _wait_until(self, entry: Entry, name: str, facts: Mapping[str, Json], until: int | None) -> None:
        """It waits from here on: for somebody, or for a time (Unix milliseconds)."""
        self._wait = self._begin(entry, Kind.WAIT, name, Mark.WAITING, {**facts, "until": until})
        self._until = None if until is None else datetime.fromtimestamp(until / 1000, UTC)

    def _end_wait(self, entry: Entry) -> None:
        """It waits no longer. What waited for its time, and not for a person, was queued again when that came."""
        wait, until, self._wait, self._until = self._wait, self._until, None, None
        if wait is None:
            return
        wait.close(entry, Mark.OK, until if until and until < entry.at else None)
        if until is not None and until < entry.at:
            queued = self._begin(entry, Kind.QUEUE, "queued again", Mark.OK, at=max(until, wait.start))
            queued.close(entry, Mark.OK)

    def _close_queue(self, entry: Entry) -> None:
        if self._queue is not None:
            self._queue.close(entry, Mark.OK)
            self._queue = None

    def _abandon_question(self, entry: Entry) -> None:
        if self._model is not None and self._model.end is None:
            self._model.close(entry, Mark.ERROR)
            self._model.attributes["error"] = "abandoned"
        self._model = None
        for aside in self._asides.values():
            if aside.end is None:
                aside.close(entry, Mark.ERROR)
        self._asides.clear()

    def _leave(self, entry: Entry, mark: Mark, why: str = "") -> None:
        """The attempt is over. A question in flight is abandoned; what becomes of calls in flight, later events say."""
        self._abandon_question(entry)
        for draft, intent in self._tools.values():
            # A call of another agent goes on in a run of its own.
            if draft.end is None and intent.child is None:
                draft.end, draft.mark = entry.at, Mark.UNKNOWN
        if self._attempt is not None:
            self._attempt.close(entry, mark)
            if why:
                self._attempt.attributes["left"] = why
            self._attempt = None


_Rule = Callable[[_Projection, Entry, e.Event], None]
_RULES: dict[type[e.Event], _Rule] = cast(
    "dict[type[e.Event], _Rule]",
    {
        e.RunAdmitted: _Projection.admitted,
        e.RunClaimed: _Projection.claimed,
        e.ThreadContinued: _Projection.continued,
        e.MessageAdded: _Projection.added,
        e.GuardrailJudged: _Projection.guarded,
        e.ContextShortened: _Projection.shortened,
        e.RunClosing: _Projection.closing,
        e.ModelCalled: _Projection.asked,
        e.ModelAnswered: _Projection.answered,
        e.ModelFailed: _Projection.model_failed,
        e.ModelDrifted: _Projection.drifted,
        e.ToolCalled: _Projection.called,
        e.ToolDenied: _Projection.denied,
        e.ApprovalAsked: _Projection.person_asked,
        e.ApprovalAnswered: _Projection.person_answered,
        e.RunEscalated: _Projection.passed_on,
        e.ToolAnswered: _Projection.tool_answered,
        e.ToolFailed: _Projection.tool_failed,
        e.ToolUnknown: _Projection.tool_unknown,
        e.ToolResolved: _Projection.tool_resolved,
        e.RunParked: _Projection.parked,
        e.RunReleased: _Projection.released,
        e.RunResumed: _Projection.resumed,
        e.RunRetried: _Projection.retried,
        e.CancelRequested: _Projection.cancelled,
        e.OutputRejected: _Projection.rejected,
        e.RunFinished: _Projection.finished,
    },
)
