"""An answer is shown while it is being written, but never a part that its rules could still take out.

What is shown is let go sentence by sentence, as soon as nothing that may follow can change what the rules find in it. A
rule that has to read the whole answer lets nothing through before it was judged. Known secrets are held back before
that, where the model's words come in (`gates.discretion.Streamed`): these here are known by form only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from quarterdeck.guardrails.judging import made
from quarterdeck.guardrails.placed import Placed
from quarterdeck.guardrails.records import Action, Edge, Make, Subject
from quarterdeck.guardrails.spans import Span, taken_out
from quarterdeck.releases.records import GuardrailRule

Delta: TypeAlias = Callable[[str, str], None]
"""Told of each piece of an answer: its kind (`text`, `thinking`) and the words."""

_TEXT = "text"
PATIENCE = 240
"""Characters after which the end of a sentence is no longer waited for."""
_ENDS = (". ", "! ", "? ", ": ", "; ", ".\n", "\n")
_WHOLE = frozenset({Action.ASK, Action.RETRY})
"""What is done with an answer as a whole: then nobody has seen a part of it."""


class Holdback:
    """Between the model's words and those who listen. One for each try: what a fault made void is not taken back here.

    `end` is told what the rules have made of the whole answer. Never shows more than that: where what was shown is not
    how it begins, it shows no more.
    """

    def __init__(
        self,
        rules: Sequence[GuardrailRule],
        makers: Mapping[str, Make],
        subject: Subject,
        delta: Delta,
        *,
        patience: int = PATIENCE,
    ) -> None:
        """`subject` says what the checks may know of the agent; its text does not matter. Raises Unusable."""
        self._stages = stages_of(rules, makers)
        self._subject = subject
        self._delta = delta
        self._patience = patience
        self._flows: dict[str, _Flow] = {}
        self.shown = ""
        """What has been let through of the answer's text."""

    def take(self, kind: str, piece: str) -> None:
        """The next piece of some kind."""
        if self._stages is None:
            return
        if not self._stages:
            self._show(kind, piece)
            return
        flow = self._flows.get(kind)
        if flow is None:
            flow = self._flows[kind] = self._flow(self._stages)
        self._show(kind, flow.feed(piece))

    def end(self, answer: str | None) -> None:
        """There is no more. `answer` is what may be shown of the text: None = nothing (more) of it."""
        for kind, flow in self._flows.items():
            if kind != _TEXT:
                self._show(kind, flow.rest())
        if answer is not None and answer.startswith(self.shown):
            self._show(_TEXT, answer[len(self.shown) :])

    def _flow(self, stages: Sequence[tuple[Placed, bool]]) -> "_Flow":
        return _Flow([_Stage(check, self._subject, takes_out=takes_out) for check, takes_out in stages], self._patience)

    def _show(self, kind: str, words: str) -> None:
        if not words:
            return
        if kind == _TEXT:
            self.shown += words
        self._delta(kind, words)


def stages_of(rules: Sequence[GuardrailRule], makers: Mapping[str, Make]) -> list[tuple[Placed, bool]] | None:
    """The checks that an answer passes while it is written, with whether they take out; None = one needs all of it.

    A rule that only records changes nothing of what is shown, and holds nothing back.
    """
    stages: list[tuple[Placed, bool]] = []
    for rule in rules:
        if rule.edge != Edge.OUTPUT or rule.action == Action.RECORD:
            continue
        check = made(rule, makers)
        if not isinstance(check, Placed) or rule.action in _WHOLE:
            return None
        stages.append((check, rule.action == Action.REDACT))
    return stages


class _Flow:
    """One kind's way through all checks, each of which sees what those before it left."""

    def __init__(self, stages: Sequence["_Stage"], patience: int) -> None:
        self._stages = stages
        self._patience = patience
        self._waiting = ""

    def feed(self, piece: str) -> str:
        """What may be shown now."""
        self._waiting += piece
        if len(self._waiting) < self._patience and not any(end in self._waiting for end in _ENDS):
            return ""
        words, self._waiting = self._waiting, ""
        for stage in self._stages:
            words = stage.feed(words)
        return words

    def rest(self) -> str:
        """What is left at the end."""
        words, self._waiting = self._waiting, ""
        for stage in self._stages:
            words = stage.feed(words) + stage.rest()
        return words


class _Stage:
    """One check over a text that grows. Keeps what is not let go, and as much before it as may decide what is there.

    Where its rule does not take out, the first finding is where it ends: the answer will be blocked.
    """

    def __init__(self, check: Placed, subject: Subject, *, takes_out: bool) -> None:
        self._check = check
        self._takes_out = takes_out
        self._subject = subject
        self._text = ""
        self._gone: int = 0
        self._ended = False

    def feed(self, words: str) -> str:
        """What of the text so far may go on."""
        if self._ended or not words:
            return ""
        self._text += words
        return self._let_go(max(self._gone, self._check.unfinished(self._text, self._subject)))

    def rest(self) -> str:
        """Everything that was kept."""
        return "" if self._ended else self._let_go(len(self._text))

    def _let_go(self, upto: int) -> str:
        if upto <= self._gone:
            return ""
        spans = [span for span in self._check.find(self._text, self._subject) if span.start >= self._gone]
        for span in spans:
            if span.start < upto < span.end:
                upto = span.start
        within = [span for span in spans if span.end <= upto]
        if within and not self._takes_out:
            self._ended = True
            return self._text[self._gone : within[0].start]
        moved = [Span(span.kind, span.start - self._gone, span.end - self._gone, span.score) for span in within]
        words = taken_out(self._text[self._gone : upto], moved, self._check.word)
        kept = max(0, upto - self._check.behind)
        self._text, self._gone = self._text[kept:], upto - kept
        return words
