"""What does not belong into a conversation, taken out or only counted: one scanner for what tools return and for what
an agent is about to say.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from quarterdeck.guardrails import credentials, pii
from quarterdeck.guardrails.spans import Span, taken_out

SECRETS, PII = "secrets", "pii"
_GROUPS: tuple[tuple[str, Callable[[str], Sequence[Span]], Mapping[str, str]], ...] = (
    (SECRETS, credentials.find, credentials.WORDS),
    (PII, pii.find, pii.WORDS),
)


def scan(text: str, what: frozenset[str], *, take_out: bool) -> tuple[str, Mapping[str, int]]:
    """How many things of each kind stand in a text, and the text without them if so wanted.

    `what` holds `secrets`, `pii` or both; secrets go first, so that their digits are not taken for personal data.
    """
    found: Counter[str] = Counter()
    for group, find, words in _GROUPS:
        if group in what and (spans := find(text)):
            found.update(words[span.kind] for span in spans)
            text = taken_out(text, spans, words.__getitem__) if take_out else text
    return text, found
