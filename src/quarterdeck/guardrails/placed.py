"""Checks whose findings stand at places of a text: they can be taken out, and an answer can be shown up to the first of
them while it is still being written.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

from quarterdeck.guardrails.records import NOTHING, Hit, Ports, Seen, Subject
from quarterdeck.guardrails.spans import Span, taken_out

_LARGE = 20_000
"""Characters from which on a text is searched beside the event loop, which others wait for too."""


class Placed(ABC):
    """One check with its settings. `advice` tells the model what to do without."""

    advice = ""
    behind = 96
    """How many characters before a place may decide what stands there."""

    @abstractmethod
    def find(self, text: str, subject: Subject, /) -> Sequence[Span]:
        """What stands where, in the order of the text and without overlaps."""

    @abstractmethod
    def word(self, kind: str) -> str:
        """What a kind is called where people read of it."""

    def unfinished(self, text: str, _subject: Subject, /) -> int:
        """A place that more text can't change what is found before: no finding will reach across it.

        By default the beginning of the last line.
        """
        return text.rfind("\n") + 1

    async def look(self, subject: Subject, _ports: Ports) -> Seen:
        """What it finds, and the text without it."""
        if len(subject.text) > _LARGE:
            spans = await asyncio.to_thread(self.find, subject.text, subject)
        else:
            spans = self.find(subject.text, subject)
        if not spans:
            return NOTHING
        return Seen(self.hits(spans), taken_out(subject.text, spans, self.word))

    def hits(self, spans: Sequence[Span]) -> tuple[Hit, ...]:
        """What was found by kind, without the things themselves."""
        counts = Counter(span.kind for span in spans)
        scores = {kind: max(span.score for span in spans if span.kind == kind) for kind in counts}
        return tuple(
            Hit(self.word(kind), count, round(scores[kind], 2), advice=self.advice) for kind, count in counts.items()
        )
