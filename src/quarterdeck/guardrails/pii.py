"""Personal identifiers that have a form: found by shape, check digits and numbering plans, in one pass each.

Names and addresses of people have no form and are not found here: `presidio.py` is for those.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from quarterdeck.guardrails import internet, numbers
from quarterdeck.guardrails.phones import PHONE, phones
from quarterdeck.guardrails.spans import Span, last_word, plain, settled

REGIONS = ("US", "GB", "DE", "FR", "AU")
"""Whose telephone numbers are known without an international prefix, unless a rule names others."""
SURE = 0.5
"""The least score that counts."""

WORDS: Mapping[str, str] = {
    internet.EMAIL: "e-mail",
    PHONE: "phone number",
    numbers.SSN: "SSN",
    numbers.CARD: "card number",
    numbers.IBAN: "IBAN",
    internet.IP: "IP address",
}
"""What each kind is called where people read of it."""
KINDS = frozenset(WORDS)

_SCANNERS: Mapping[str, Callable[[str], Iterable[Span]]] = {
    internet.EMAIL: internet.emails,
    numbers.IBAN: numbers.ibans,
    numbers.CARD: numbers.cards,
    numbers.SSN: numbers.ssns,
    internet.IP: internet.ips,
}


def find(text: str, regions: Sequence[str] = REGIONS, kinds: Collection[str] = KINDS) -> list[Span]:
    """Where a text holds personal identifiers, in the order of the text and without overlaps.

    `regions` are ISO 3166 codes (upper case); the time it takes grows linearly with the text.
    """
    text = plain(text)
    # All kinds are looked for, so that a card is not taken for a telephone number where only those are wanted.
    found = [span for scanner in _SCANNERS.values() for span in scanner(text)]
    found += phones(text, regions)
    return [span for span in settled(found) if span.kind in kinds and span.score >= SURE]


def unfinished(text: str) -> int:
    """From which place on more text may still make or change a finding; all before it is as it will stay.

    Nothing reaches across a line. On the last line it is the last word, with the words before it that may belong to a
    number: an IBAN that is not complete, and groups of digits up to the first real word.
    """
    text = plain(text)
    line = text.rfind("\n") + 1
    start = last_word(text, len(text))
    while start > line:
        end = len(text[line:start].rstrip()) + line
        before = max(line, last_word(text, end))
        if not _MAY_GO_ON.fullmatch(text, before, end):
            break
        start = before
    return min([start, *numbers.unfinished_ibans(text, line)])


_MAY_GO_ON = re.compile(r"\S*[0-9+()]\S*|\W*|\w{1,2}\W?|[eE][xX][tT]\W?")
"""Words behind which a number may go on, or that may stand in it or decide what it is: not one of three letters."""
