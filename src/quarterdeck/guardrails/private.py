"""The checks `pii` and `secrets` of the output: what has no business in an answer, by form and check digits."""

import re
from collections.abc import Collection, Sequence

from quarterdeck.guardrails import credentials, pii
from quarterdeck.guardrails.placed import Placed
from quarterdeck.guardrails.records import Subject
from quarterdeck.guardrails.spans import Span
from quarterdeck.spec.patterns import Pattern


class Pii(Placed):
    """Personal identifiers, but for those that an author lets be said: `*` stands for any text."""

    advice = "Leave out personal data such as e-mail addresses, telephone, card and account numbers."

    def __init__(
        self,
        kinds: Collection[str] = pii.KINDS,
        regions: Sequence[str] = pii.REGIONS,
        allow: Sequence[str] = (),
    ) -> None:
        self._kinds = frozenset(kinds)
        self._regions = tuple(regions)
        self._allowed = [Pattern(f"^(?:{as_expression(one)})$", ignore_case=True) for one in allow]

    def find(self, text: str, _subject: Subject, /) -> list[Span]:
        """Where personal identifiers stand."""
        found = pii.find(text, self._regions, self._kinds)
        return [span for span in found if not self._is_allowed(text[span.start : span.end])]

    def word(self, kind: str) -> str:
        """What a kind is called."""
        return pii.WORDS[kind]

    def unfinished(self, text: str, _subject: Subject, /) -> int:
        """A number may go on behind a blank, never on another line."""
        return pii.unfinished(text)

    def _is_allowed(self, found: str) -> bool:
        return any(True for pattern in self._allowed for _ in pattern.spans(found))


class Secrets(Placed):
    """Credentials by their form."""

    advice = "Leave out keys, tokens, passwords and other credentials."

    def find(self, text: str, _subject: Subject, /) -> list[Span]:
        """Where credentials stand."""
        return credentials.find(text)

    def word(self, kind: str) -> str:
        """What a kind is called."""
        return credentials.WORDS[kind]

    def unfinished(self, text: str, _subject: Subject, /) -> int:
        """A key may have many lines, and a name may wait for its value."""
        return credentials.unfinished(text)


def as_expression(wildcard: str) -> str:
    """Text in which `*` stands for any text, as an expression."""
    return ".*".join(map(re.escape, wildcard.split("*")))
