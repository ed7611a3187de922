"""What an author does not want to be said: by regular expressions, or by the words that belong to a topic."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

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
        of_words: defaultdict[str, set[str]] = defaultdict(set)
        for topic, words in topics.items():
            for word in words:
                of_words[_same(word)].add(topic)
        # A longer word is found first: what it says, the shorter ones in it say too.
        self._topics = {word: own.union(*_inside(word, of_words)) for word, own in of_words.items()}
        self._words = _any_of(list(self._topics))

    def find(self, text: str, _subject: Subject, /) -> list[Span]:
        """Where words of the topics stand that the text is about; one word may belong to several."""
        found: list[tuple[str, Span]] = []
        for match in self._words.finditer(plain(text)):
            word = _same(match[0])
            found += ((word, Span(topic, *match.span(), 1.0)) for topic in sorted(self._topics.get(word, ())))
        said = Counter(topic for _, topic in {(word, span.kind) for word, span in found})
        return [span for _, span in found if said[span.kind] >= self._matches]

    def word(self, kind: str) -> str:
        """A topic's name."""
        return f"topic {kind}"

    def unfinished(self, text: str, _subject: Subject, /) -> int:
        """Up to the last line, or the first word of any topic, which others may join."""
        first = self._words.search(plain(text))
        line = text.rfind("\n") + 1
        return line if first is None else min(line, first.start())


def _inside(word: str, topics: Mapping[str, set[str]]) -> Iterator[set[str]]:
    parts = word.split(" ")
    for start, end in combinations(range(len(parts) + 1), 2):
        yield topics.get(" ".join(parts[start:end]), set())


def _same(word: str) -> str:
    """A word as it is compared: in one case, with single blanks."""
    return _WHITE.sub(" ", word.strip()).lower()


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    """Any of some plain words: no expression of the author's, so it takes linear time. The longest comes first."""
    ordered = sorted(words, key=len, reverse=True)
    written = (r"[^\S\n]{1,3}".join(map(re.escape, word.split())) for word in ordered)
    return re.compile(rf"(?<!\w)(?:{'|'.join(written) or '(?!)'})(?!\w)", re.IGNORECASE)
