"""What the user said about a payment is what was asked for: one, and of the amount that was named with the payee.

A destination can be the user's own and the call still not be: a hijacked model may pay the right account a second time,
or another sum.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from quarterdeck.core.json import JsonObject
from quarterdeck.gates.forms import Form, Kind, form_of, forms_in, number_key
from quarterdeck.gates.leaves import leaves, marked
from quarterdeck.gates.passages import Passage
from quarterdeck.releases.records import ToolGrant
from quarterdeck.runs.records import Effect

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")


class Payments:
    """The payments that a run has made, by whom they went to."""

    def __init__(self) -> None:
        self._made: Counter[Form] = Counter()

    def made(self, grant: ToolGrant, arguments: JsonObject) -> None:
        """A payment went out."""
        if grant.effect == Effect.PAYMENT:
            self._made.update(_payees(grant, arguments))

    def doubts(self, grant: ToolGrant, arguments: JsonObject, user: Sequence[Passage]) -> tuple[str, ...]:
        """Sentences on why a payment is not the one that the user asked for, as far as the words tell."""
        if grant.effect != Effect.PAYMENT:
            return ()
        return tuple(self._doubts(grant, arguments, user))

    def _doubts(self, grant: ToolGrant, arguments: JsonObject, user: Sequence[Passage]) -> Iterator[str]:
        amounts = {
            number_key(str(leaf))
            for path, leaf in leaves(arguments)
            if isinstance(leaf, (int, float)) and not isinstance(leaf, bool) and not marked(path, grant.destinations)
        }
        for payee in _payees(grant, arguments):
            if self._made[payee] >= max(1, sum(mentions(one.text, payee) for one in user)):
                yield "This run has paid the same destination before, and the user named it no more often."
            named = set[str]().union(*(terms(one.text, payee) for one in user))
            if named and amounts and not amounts & named:
                yield f"The user's words name {' and '.join(sorted(named))} for this destination."


def _payees(grant: ToolGrant, arguments: JsonObject) -> set[Form]:
    forms = (
        form_of(leaf) for path, leaf in leaves(arguments) if isinstance(leaf, str) and marked(path, grant.destinations)
    )
    return {form for form in forms if form.key}


def mentions(text: str, payee: Form) -> int:
    """In how many sentences a destination is named."""
    return sum(_names(sentence, payee) for sentence in _SENTENCE.split(text))


def terms(text: str, payee: Form) -> set[str]:
    """The numbers that stand in one sentence with a destination, dates and percentages apart."""
    found: set[str] = set()
    for sentence in _SENTENCE.split(text):
        if _names(sentence, payee):
            plain = re.sub(r"\d[\d.,]*\s?%|\b\d{4}-\d\d-\d\d\b|\b\d{1,2}(?:st|nd|rd|th)\b", " ", sentence)
            found |= {form.key for form in forms_in(plain) if form.kind is Kind.NUMBER}
    return found


def _names(sentence: str, payee: Form) -> bool:
    if payee.kind is Kind.TEXT:
        return f" {payee.key} " in f" {form_of(sentence).key} "
    return payee in set(forms_in(sentence))
