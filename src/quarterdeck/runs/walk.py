"""Goes through a run's log, event by event, and holds what crosses an edge against the decision before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, cast

from quarterdeck.runs import events as e
from quarterdeck.runs.crossings import Crossing, Edge, Gap
from quarterdeck.runs.demands import Demands
from quarterdeck.runs.fold import CLOSING, NEW, RunState, apply
from quarterdeck.runs.messages import Call, Label, ToolMessage, Trust, UserMessage
from quarterdeck.runs.parts import Decision
from quarterdeck.runs.records import Status, StoredEvent

_ALLOW, _DENY = "allow", "deny"
_CONVERSATION = frozenset({"", CLOSING})
_NOT_ASKED = frozenset({"denied", "no_last_answer"})
"""Failures of a question that never went out."""


@dataclass(slots=True)
class Walk:
    """A log while it is gone through: `hear` each event in order; `edges` and `gaps` are what it has shown so far."""

    demands: Demands
    edges: list[Crossing] = field(default_factory=list[Crossing])
    gaps: list[Gap] = field(default_factory=list[Gap])
    state: RunState = NEW
    seq: int = 0
    input: e.GuardrailJudged | None = None
    asked: dict[str, e.ModelCalled] = field(default_factory=dict[str, e.ModelCalled])
    silent: set[str] = field(default_factory=set[str])
    wanted: dict[str, str] = field(default_factory=dict[str, str])
    decided: dict[str, e.Event] = field(default_factory=dict[str, e.Event])
    questions: dict[str, e.ApprovalAsked] = field(default_factory=dict[str, e.ApprovalAsked])
    answers: dict[str, e.ApprovalAnswered] = field(default_factory=dict[str, e.ApprovalAnswered])
    unjudged: e.ModelAnswered | None = None
    answered: bool = False

    def hear(self, row: StoredEvent, event: e.Event) -> None:
        """The next event, which the row holds."""
        self.seq = row.seq
        if self.state.admitted is None and not isinstance(event, e.RunAdmitted):
            self._gap("log", "it does not begin with how the run was admitted")
        rule = self._RULES.get(type(event))
        if rule is not None:
            rule(self, event)
        self.state = apply(self.state, event, row.attempt, row.at)

    def _judged(self, event: e.GuardrailJudged) -> None:
        demanded = self.demands.input if event.edge == Edge.INPUT else self.demands.output
        missing = _left_out(demanded, event.checks, event.verdict, event.rule)
        self.edges.append(
            Crossing(
                seq=self.seq,
                edge=Edge(event.edge),
                step=event.step,
                name=event.edge,
                verdict=event.verdict,
                rule=event.rule,
                reason=event.reason,
                checks=event.checks,
                missing=missing,
            )
        )
        self._left_out(event.edge, missing)
        if event.edge == Edge.INPUT:
            self.input = event
        elif self.unjudged is None or self.unjudged.step != event.step:
            if self.demands.output:
                self._gap(Edge.OUTPUT, "an answer was judged that does not stand in the log")
        else:
            self.unjudged = None

    def _model_called(self, event: e.ModelCalled) -> None:
        self._decision(Edge.MODEL, event.step, event.model, event.decision, self.demands.model, call=event.call)
        if self.demands.guarded and self.input is None:
            self._gap(Edge.INPUT, "a model is asked before what came in was judged")
        elif self.input is not None and self.input.verdict == _DENY:
            self._gap(Edge.INPUT, "a model is asked although what came in was refused")
        if event.purpose in _CONVERSATION:
            self._close_turn(closing=event.purpose == CLOSING)
        self.asked[event.call] = event
        self.silent.add(event.call)

    def _model_answered(self, event: e.ModelAnswered) -> None:
        called = self.asked.pop(event.call, None)
        self.silent.discard(event.call)
        if called is None:
            self._gap(Edge.MODEL, f"an answer to `{event.call}` stands there, and nobody decided to ask it")
        elif called.decision.verdict != _ALLOW:
            self._gap(Edge.MODEL, f"`{event.call}` was answered although the gate did not allow it")
        if event.purpose not in _CONVERSATION:
            return
        calls = {one.id: one.tool for one in event.content if isinstance(one, Call)}
        self.wanted, self.decided = calls, {}
        self.answered = True
        self.unjudged = event if self.demands.output and not calls else None

    def _model_failed(self, event: e.ModelFailed) -> None:
        known = self.asked.get(event.call)
        if known is None and event.code not in _NOT_ASKED:
            self._gap(Edge.MODEL, f"a question `{event.call}` failed, and nobody decided to ask it")
        self.silent.discard(event.call)
        if event.retry_in_ms is None:
            self.asked.pop(event.call, None)

    def _tool_called(self, event: e.ToolCalled) -> None:
        demanded = self.demands.of_tool(event.tool)
        by = event.approved_by
        self._decision(
            Edge.TOOL, event.step, event.tool, event.decision, demanded, call=event.call, by=by, child=event.child or ""
        )
        if event.decision.verdict != _ALLOW:
            self._gap(Edge.TOOL, f"`{event.tool}` was called although the gate did not allow it")
        if event.call not in self.wanted:
            self._gap(Edge.TOOL, f"`{event.tool}` was called, and no model asked for it")
        if event.approval is not None:
            self._approved(event)
        if event.child is not None:
            self._note(Edge.CHILD, event.step, event.tool, event.decision, call=event.call, child=event.child)
        self.decided[event.call] = event

    def _approved(self, event: e.ToolCalled) -> None:
        asked, said = self.questions.get(event.approval or ""), self.answers.get(event.approval or "")
        if asked is None or asked.call != event.call:
            self._gap(Edge.APPROVAL, f"`{event.tool}` uses an approval that nobody was asked for")
        elif said is None or said.state != "approved":
            self._gap(Edge.APPROVAL, f"`{event.tool}` uses an approval that nobody gave")
        elif len(said.by) < asked.people:
            self._gap(Edge.APPROVAL, f"`{event.tool}` needed a yes of {asked.people} people and has {len(said.by)}")

    def _tool_denied(self, event: e.ToolDenied) -> None:
        self._decision(
            Edge.TOOL,
            event.step,
            event.tool,
            event.decision,
            self.demands.of_tool(event.tool),
            call=event.call,
        )
        self.decided[event.call] = event

    def _approval_asked(self, event: e.ApprovalAsked) -> None:
        self._decision(Edge.APPROVAL, event.step, event.tool, event.decision, self.demands.tool, call=event.call)
        self.questions[event.approval] = event

    def _approval_answered(self, event: e.ApprovalAnswered) -> None:
        if event.approval not in self.questions:
            self._gap(Edge.APPROVAL, "a question is answered that nobody was asked")
        self.answers[event.approval] = event

    def _escalated(self, event: e.RunEscalated) -> None:
        to = f"to {event.to}"
        self.edges.append(
            Crossing(self.seq, Edge.ESCALATION, event.step, to, _ALLOW, "builtin", event.why, call=event.call)
        )
        if event.call:
            self.decided[event.call] = event

    def _tool_answered(self, event: e.ToolAnswered) -> None:
        decision = self._sent(event.call, "answered")
        label = event.label
        tool = self.wanted.get(event.call, "")
        missing = _unlabelled(label, tool, self.demands, own=isinstance(decision, e.RunEscalated))
        found = ("label", "hidden", "score", *event.redacted, *event.noted)
        self.edges.append(
            Crossing(
                seq=self.seq,
                edge=Edge.RESULT,
                step=self.state.steps,
                name=tool,
                verdict="" if label is None else label.trust,
                rule="cached" if event.cached else "",
                checks=found if label is not None else found[1:],
                missing=missing,
                call=event.call,
            )
        )
        self._left_out(Edge.RESULT, missing)

    def _tool_failed(self, event: e.ToolFailed) -> None:
        self._sent(event.call, "failed")

    def _tool_unknown(self, event: e.ToolUnknown) -> None:
        self._sent(event.call, "left open")

    def _tool_resolved(self, event: e.ToolResolved) -> None:
        self._sent(event.call, "resolved")

    def _shortened(self, event: e.ContextShortened) -> None:
        if event.summary is None:
            return
        label = event.summary.label if isinstance(event.summary, UserMessage) else None
        missing = () if label is not None and not self._hides(event, label) else ("label",)
        trust = "" if label is None else label.trust
        made = ("label",) if not missing else ()
        self.edges.append(Crossing(self.seq, Edge.SUMMARY, event.step, "summary", trust, checks=made, missing=missing))
        self._left_out(Edge.SUMMARY, missing)

    def _hides(self, event: e.ContextShortened, label: Label) -> bool:
        """Whether a summary is called trusted that stands for words that outsiders may have written.

        Only of this run's own messages: those of the thread before it stand in other logs.
        """
        if label.trust != Trust.TRUSTED or self.state.history:
            return False
        covered = self.state.messages[: event.messages_upto]
        return any(
            isinstance(one, ToolMessage | UserMessage) and one.label is not None and one.label.trust == Trust.UNTRUSTED
            for one in covered
        )

    def _finished(self, event: e.RunFinished) -> None:
        if event.status != Status.SUCCEEDED:
            return
        if not self.answered:
            self._gap(Edge.OUTPUT, "the run succeeded, and no model has answered")
        self._close_turn(closing=False)

    def _claimed(self, _event: e.RunClaimed) -> None:
        # Whatever the attempt before had asked: it heard no answer, so nothing came in.
        self.silent = set()

    def _retried(self, _event: e.RunRetried) -> None:
        self.asked, self.silent, self.unjudged = {}, set(), None

    def _close_turn(self, *, closing: bool) -> None:
        """The conversation goes on: everything that the model asked for has been decided, and what it said judged."""
        if not closing:  # a last answer is asked for with calls left open
            for call, tool in self.wanted.items():
                if call not in self.decided:
                    self._gap(Edge.TOOL, f"`{tool}` was asked for ({call}), and nothing was decided about it")
        if self.unjudged is not None:
            self._gap(Edge.OUTPUT, "an answer was given that was not judged")
            self.unjudged = None
        if self.demands.guarded:
            for call, called in self.asked.items():
                if call in self.silent and called.decision.verdict == _ALLOW and called.purpose in _CONVERSATION:
                    self._gap(Edge.MODEL, f"what became of the question `{call}` does not stand in the log")
        self.asked, self.silent = {}, set()

    def _sent(self, call: str, word: str) -> e.Event | None:
        """The decision behind an outcome."""
        decision = self.decided.get(call)
        if not isinstance(decision, e.ToolCalled | e.RunEscalated):
            self._gap(Edge.RESULT, f"the call `{call}` was {word}, and nobody decided to make it")
        return decision

    def _decision(
        self,
        edge: Edge,
        step: int,
        name: str,
        decision: Decision,
        demanded: Sequence[str],
        *,
        call: str = "",
        by: tuple[str, ...] = (),
        child: str = "",
    ) -> None:
        missing = _left_out(demanded, decision.checks, decision.verdict, decision.rule.partition(".")[0])
        # What no release grants is denied before anybody asks what is in force.
        if not decision.effective and decision.verdict != _DENY:
            missing = (*missing, "effective")
        self._note(edge, step, name, decision, missing, call=call, by=by, child=child)
        self._left_out(edge, missing)

    def _note(
        self,
        edge: Edge,
        step: int,
        name: str,
        decision: Decision,
        missing: tuple[str, ...] = (),
        *,
        call: str = "",
        by: tuple[str, ...] = (),
        child: str = "",
    ) -> None:
        self.edges.append(
            Crossing(
                seq=self.seq,
                edge=edge,
                step=step,
                name=name,
                verdict=decision.verdict,
                rule=decision.rule,
                reason=decision.reason,
                checks=decision.checks,
                missing=missing,
                policies=decision.policies,
                by=by,
                effective=decision.effective,
                call=call,
                child=child,
            )
        )

    def _left_out(self, edge: str, missing: Sequence[str]) -> None:
        if missing:
            self._gap(edge, f"without {', '.join(missing)}")

    def _gap(self, edge: str, what: str) -> None:
        self.gaps.append(Gap(self.seq, str(edge), what))

    _RULES: ClassVar[Mapping[type[e.Event], Callable[["Walk", e.Event], None]]] = cast(
        "Mapping[type[e.Event], Callable[[Walk, e.Event], None]]",
        {
            e.GuardrailJudged: _judged,
            e.ModelCalled: _model_called,
            e.ModelAnswered: _model_answered,
            e.ModelFailed: _model_failed,
            e.ToolCalled: _tool_called,
            e.ToolDenied: _tool_denied,
            e.ApprovalAsked: _approval_asked,
            e.ApprovalAnswered: _approval_answered,
            e.RunEscalated: _escalated,
            e.ToolAnswered: _tool_answered,
            e.ToolFailed: _tool_failed,
            e.ToolUnknown: _tool_unknown,
            e.ToolResolved: _tool_resolved,
            e.ContextShortened: _shortened,
            e.RunFinished: _finished,
            e.RunRetried: _retried,
            e.RunClaimed: _claimed,
        },
    )


def _left_out(demanded: Sequence[str], made: Sequence[str], verdict: str, rule: str) -> tuple[str, ...]:
    """The checks that had to be made and were not. A denial ends the list; by a rule that is none of it, it is none."""
    if verdict == _DENY:
        if rule not in demanded:
            return () if rule in made else (f"the check `{rule}`",)
        demanded = demanded[: demanded.index(rule) + 1]
    return tuple(check for check in demanded if check not in made)


def _unlabelled(label: Label | None, tool: str, demands: Demands, *, own: bool) -> tuple[str, ...]:
    """A result needs a label, and of a tool that is not declared trusted none that says so."""
    if label is None:
        return ("label",)
    declared = demands.trust.get(tool)
    return ("label",) if declared == Trust.UNTRUSTED and label.trust == Trust.TRUSTED and not own else ()
