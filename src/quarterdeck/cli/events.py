"""Events of a run as lines that a person follows: what happened, in words, without what only machines need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quarterdeck.cli.facts import items, members, number, text
from quarterdeck.cli.screen import COLOURS, harmless, span, usd
from quarterdeck.core.json import Json, encode_text
from quarterdeck.core.text import shorten

if TYPE_CHECKING:
    from quarterdeck.sdk import Event

_WIDE = 160


@dataclass(frozen=True, slots=True)
class Line:
    """One line, its mark before it and its colour."""

    mark: str
    text: str
    style: str = ""


class Teller:
    """Tells one run's events in order. Remembers what later ones refer to: which call was of which tool."""

    def __init__(self) -> None:
        self._tools: dict[str, str] = {}
        self._let_go = False
        self.spoken = ""
        """The model's last words, whole."""

    def tell(self, event: "Event") -> Line | None:
        """The line of an event; None for what a person need not see."""
        told = _LINES.get(event.kind)
        if told is None:
            return None if event.kind in _UNTOLD else Line("·", event.kind, "dim")
        line = told(self, {"attempt": event.attempt, **event.data})
        self._let_go = event.kind in _LET_GO or (self._let_go and event.kind != "run.claimed")
        return None if line is None else Line(line.mark, harmless(line.text).replace("\n", " "), line.style)

    def admitted(self, facts: Mapping[str, Json]) -> Line:
        """The run was taken in."""
        release = text(facts, "release")
        return Line("·", f"submitted{f' · release {release[:12]}' if release else ''}", "dim")

    def claimed(self, facts: Mapping[str, Json]) -> Line | None:
        """A worker has it; worth telling when it is not the first."""
        attempt = number(facts, "attempt")
        if attempt <= 1:
            return None
        if self._let_go:
            return Line("↻", f"goes on (attempt {attempt:.0f})", "dim")
        return Line("↻", f"taken over by another worker (attempt {attempt:.0f})", "yellow")

    def answered(self, facts: Mapping[str, Json]) -> Line | None:
        """The model has answered. Where it only asks for tools, their calls are the news."""
        if text(facts, "purpose") in {"summary", "judge"}:
            return None
        self.spoken = words_of(facts.get("content"))
        if not self.spoken.strip():
            return None
        usage = members(facts.get("usage"))
        cost = facts.get("cost")
        parts = [
            f"{number(usage, 'input'):.0f} in, {number(usage, 'output'):.0f} out",
            span(number(facts, "ms") / 1000),
            usd(int(cost)) if isinstance(cost, int | float) else "",
        ]
        said = shorten(" ".join(self.spoken.split()), _WIDE)
        return Line("●", f"{said}  [{' · '.join(part for part in parts if part)}]")

    def model_failed(self, facts: Mapping[str, Json]) -> Line:
        """One try at the model did not work."""
        again = facts.get("retry_in_ms")
        more = f"; again in {span(again / 1000)}" if isinstance(again, int | float) else ""
        return Line("!", f"the model did not answer: {text(facts, 'message') or text(facts, 'code')}{more}", "yellow")

    def drifted(self, facts: Mapping[str, Json]) -> Line:
        """Not the pinned model answered, or a replay left its path."""
        what = text(facts, "difference") or f"{text(facts, 'served')} answered for {text(facts, 'wanted')}"
        return Line("!", shorten(what, _WIDE), "yellow")

    def called(self, facts: Mapping[str, Json]) -> Line:
        """A tool is about to be called."""
        tool = self._tools[text(facts, "call")] = text(facts, "tool")
        effect = text(facts, "effect")
        style = "" if effect == "read" else "bold"
        return Line("→", f"{tool}({_arguments(facts)}){'' if effect == 'read' else f'  [{effect}]'}", style)

    def denied(self, facts: Mapping[str, Json]) -> Line:
        """The gate refused a call."""
        why = text(members(facts.get("decision")), "reason") or words_of(facts.get("content"))
        return Line("✗", f"{text(facts, 'tool')}({_arguments(facts)}) refused: {shorten(why, _WIDE)}", "red")

    def asked(self, facts: Mapping[str, Json]) -> Line:
        """A person has to say yes first."""
        tool = self._tools[text(facts, "call")] = text(facts, "tool")
        why = text(members(facts.get("decision")), "reason")
        said = f"{tool}({_arguments(facts)}) needs a person's approval{f': {shorten(why, _WIDE)}' if why else ''}"
        return Line("?", f"{said}  [qd approval show {text(facts, 'approval')}]", "yellow")

    def said(self, facts: Mapping[str, Json]) -> Line:
        """What became of a question."""
        state, why = text(facts, "state"), text(facts, "why")
        by = ", ".join(str(one) for one in items(facts.get("by")))
        edited = f" as ({_arguments(facts)})" if facts.get("arguments") is not None else ""
        words = f"{self._tool(facts)}: {state}{edited}{f' by {by}' if by else ''}{f': {why}' if why else ''}"
        return Line("·", words, "" if state == "approved" else "yellow")

    def escalated(self, facts: Mapping[str, Json]) -> Line:
        """The conversation is a person's now."""
        return Line("↗", f"passed to {text(facts, 'to')}: {shorten(text(facts, 'summary'), _WIDE)}", "yellow")

    def judged(self, facts: Mapping[str, Json]) -> Line | None:
        """What guardrails said; worth telling where they found something."""
        found = [members(one) for one in items(facts.get("findings"))]
        if not found:
            return None
        what = ", ".join(dict.fromkeys(f"{text(one, 'check')}: {text(one, 'what')}" for one in found))
        verdict = text(facts, "verdict")
        style = "red" if verdict == "deny" else "yellow"
        return Line("◇", f"guardrails on the {text(facts, 'edge')} → {verdict} ({shorten(what, _WIDE)})", style)

    def shortened(self, facts: Mapping[str, Json]) -> Line:
        """The model is shown less of the conversation."""
        before, after = number(facts, "tokens_before"), number(facts, "tokens_after")
        how = "summarised" if facts.get("summary") is not None else "shortened"
        return Line("≡", f"conversation {how}: about {before:,.0f} tokens → {after:,.0f}", "dim")

    def closing(self, facts: Mapping[str, Json]) -> Line:
        """A limit is reached."""
        return Line("■", f"coming to an end: {text(facts, 'why')}; asking for a last answer", "yellow")

    def tool_answered(self, facts: Mapping[str, Json]) -> Line:
        """A tool has answered."""
        wrong = facts.get("is_error") is True
        said = shorten(" ".join(words_of(facts.get("content")).split()), _WIDE)
        return Line(
            "←", f"{self._tool(facts)}: {said}  [{span(number(facts, 'ms') / 1000)}]", "red" if wrong else "dim"
        )

    def tool_failed(self, facts: Mapping[str, Json]) -> Line:
        """A call did not take place."""
        return Line("✗", f"{self._tool(facts)} failed: {text(facts, 'code')}", "red")

    def unknown(self, facts: Mapping[str, Json]) -> Line:
        """Nobody knows whether a call took effect."""
        return Line("?", f"{text(facts, 'tool')}: nobody knows whether it happened; {text(facts, 'why')}", "yellow")

    def resolved(self, facts: Mapping[str, Json]) -> Line:
        """A person said what became of a call."""
        outcome = text(facts, "outcome").replace("_", " ")
        return Line("·", f"{self._tool(facts)}: {text(facts, 'by')} says that it {outcome}")

    def parked(self, facts: Mapping[str, Json]) -> Line:
        """The run waits."""
        return Line("‖", f"{text(facts, 'status').replace('_', ' ')}: {text(facts, 'why')}", "yellow")

    def released(self, facts: Mapping[str, Json]) -> Line:
        """A worker let go of the run."""
        known = {"lease": "its worker is dead; another takes over", "drain": "its worker leaves; another goes on"}
        return Line("↺", known.get(text(facts, "why"), "its worker gave it back"), "yellow")

    def why(self, facts: Mapping[str, Json]) -> Line:
        """Whatever is told by its reason."""
        by = text(facts, "by")
        return Line("·", " · ".join(part for part in (text(facts, "why"), by) if part) or "goes on", "dim")

    def cancelled(self, facts: Mapping[str, Json]) -> Line:
        """Somebody wants it to end."""
        why = text(facts, "why")
        return Line("·", f"{text(facts, 'by')} asks for its end{f': {why}' if why else ''}", "yellow")

    def rejected(self, facts: Mapping[str, Json]) -> Line:
        """The answer did not fit its schema."""
        said = "; ".join(str(one) for one in items(facts.get("errors")))
        return Line("!", f"the answer does not fit its schema: {shorten(said, _WIDE)}", "yellow")

    def finished(self, facts: Mapping[str, Json]) -> Line:
        """The end."""
        status = text(facts, "status")
        reason = text(facts, "error") or text(facts, "reason")
        return Line("■", f"{status}{f': {reason}' if reason else ''}", COLOURS.get(status, ""))

    def _tool(self, facts: Mapping[str, Json]) -> str:
        return self._tools.get(text(facts, "call"), "tool")


_LINES: Mapping[str, Callable[[Teller, Mapping[str, Json]], Line | None]] = {
    "run.admitted": Teller.admitted,
    "run.claimed": Teller.claimed,
    "model.answered": Teller.answered,
    "model.failed": Teller.model_failed,
    "model.drifted": Teller.drifted,
    "tool.called": Teller.called,
    "tool.denied": Teller.denied,
    "approval.asked": Teller.asked,
    "approval.answered": Teller.said,
    "run.escalated": Teller.escalated,
    "tool.answered": Teller.tool_answered,
    "tool.failed": Teller.tool_failed,
    "tool.unknown": Teller.unknown,
    "tool.resolved": Teller.resolved,
    "run.parked": Teller.parked,
    "run.released": Teller.released,
    "run.resumed": Teller.why,
    "run.retried": Teller.why,
    "run.cancel_requested": Teller.cancelled,
    "output.rejected": Teller.rejected,
    "run.finished": Teller.finished,
    "guardrail.judged": Teller.judged,
    "context.shortened": Teller.shortened,
    "run.closing": Teller.closing,
}
_LET_GO = frozenset({"run.parked", "run.resumed", "run.retried"})
"""After these no worker had the run, so nobody took it over from another."""
_UNTOLD = frozenset({"thread.continued", "message.added", "model.called"})


def words_of(content: Json) -> str:
    """The words in a message's content, without reasoning and calls."""
    return "\n".join(said for part in items(content) if (said := _part(members(part))))


def _part(part: Mapping[str, Json]) -> str:
    match part.get("type"):
        case "text":
            return text(part, "text")
        case "stored":
            return f"{text(part, 'begins')} … ({number(part, 'size'):,.0f} bytes)"
        case _:
            return ""


def _arguments(facts: Mapping[str, Json]) -> str:
    given = members(facts.get("arguments"))
    return shorten(", ".join(f"{name}={encode_text(value)}" for name, value in given.items()), _WIDE)
