"""What an author does not want to be said: by regular expressions, or by the words that belong to a topic."""

import re
from collections.abc import Mapping, Sequence

from quarterdeck.guardrails.placed import Placed
from quarterdeck.guardrails.records import Subject
from quarterdeck.guardrails.spans import Span, plain, settled
from quarterdeck.spec.patterns import Pattern

_WHITE = re.compile(r"\s+")


class Patterns(Placed):
    """Regular expressions, each applied to every line by itself."""

    advice = "Leave out what the rules of this agent do not allow to be said."

    def __init__(self, expressions: Sequence[str], *, ignore_case: bool = False) -> None:
        """Raises `spec.patterns.BadPattern`."""
        self._patterns = [Pattern(expression, ignore_case=ignore_case) for expression in expressions]

    def find(self, text: str, _subject: Subject, /) -> list[Span]:
        """Where any of them matches; the kind is the number of the expression, from 1 on."""
        found = (
            Span(str(number), start, end, 1.0)
            for number, pattern in enumerate(self._patterns, 1)
            for start, end in pattern.spans(text)
        )
        return settled(found)

    def word(self, kind: str) -> str:
        """What was found: by number, since the expression may hold what nobody is to read."""
        return f"pattern {kind}"


class Topics(Placed):
    """Topics by their words. A topic is found where enough different words of it stand in the text, as whole words."""

    advice = "Stay away from topics that the rules of this agent exclude."

    def __init__(self, topics: Mapping[str, Sequence[str]], matches: int = 1) -> None:
        """`matches`: how many different words make it the topic."""
        self._matches = matches
        self._topics = {topic: _any_of(words) for topic, words in topics.items()}

    def find(self, text: str, _subject: Subject, /) -> list[Span]:
        """Where words of the topics stand that the text is about."""
        found: list[Span] = []
        for topic, words in self._topics.items():
            said = [*words.finditer(plain(text))]
            if len({_WHITE.sub(" ", match[0]).casefold() for match in said}) >= self._matches:
                found += (Span(topic, *match.span(), 1.0) for match in said)
        return settled(found)

    def word(self, kind: str) -> str:
        """A topic's name."""
        return f"topic {kind}"

    def unfinished(self, text: str, _subject: Subject, /) -> int:
        """Up to the last line, or the first word of any topic, which others may join."""
        words = (pattern.search(plain(text)) for pattern in self._topics.values())
        return min([text.rfind("\n") + 1, *(match.start() for match in words if match)])


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    """Alternatives of plain words: no expression of the author's, so it takes linear time. The longest comes first."""
    ordered = sorted(words, key=len, reverse=True)
    written = (r"[^\S\n]{1,3}".join(map(re.escape, word.split())) for word in ordered)
    return re.compile(rf"(?<!\w)(?:{'|'.join(written)})(?!\w)", re.IGNORECASE)
