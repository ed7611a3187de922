"""One text that a run has met, made ready once so that any value can be looked up in it in no time."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quarterdeck.gates.forms import Form, Kind, forms_in, host_of_root, tokens

_SHINGLE = 4
_TELLING = 4


@dataclass(frozen=True, slots=True)
class Passage:
    """A text, its words, and every form that stands in it as a whole."""

    text: str
    words: str
    tokens: frozenset[str]
    forms: frozenset[Form]
    shingles: frozenset[int]

    def has(self, form: Form) -> bool:
        """Whether the value stands in the text as a whole, in one of its spellings."""
        if form in self.forms:
            return True
        if form.kind is Kind.URL:
            host = host_of_root(form.key)
            return host is not None and Form(Kind.HOST, host) in self.forms
        if form.kind is not Kind.TEXT or not form.key:
            return False
        return form.key in self.tokens if " " not in form.key else f" {form.key} " in self.words


def passage(text: str) -> Passage:
    """The passage of a text."""
    found = tokens(text)
    forms = set(forms_in(text))
    for form in tuple(forms):
        host = host_of_root(form.key) if form.kind is Kind.URL else None
        if host is not None:
            forms.add(Form(Kind.HOST, host))
    return Passage(text, f" {' '.join(found)} ", frozenset(found), frozenset(forms), frozenset(shingles(found)))


class Source:
    """All texts of one origin, in the order in which they came, looked up as one."""

    def __init__(self) -> None:
        self.passages: list[Passage] = []
        self.tokens: dict[str, int] = {}
        self.shingles: set[int] = set()
        self._forms: dict[Form, int] = {}

    def add(self, one: Passage) -> None:
        """The next text."""
        at = len(self.passages)
        self.passages.append(one)
        for form in one.forms:
            self._forms.setdefault(form, at)
        for token in one.tokens:
            self.tokens.setdefault(token, at)
        self.shingles |= one.shingles

    def first(self, form: Form) -> int | None:
        """The position of the first text that has a value as a whole, None where none has."""
        if form.kind is not Kind.TEXT:
            found = self._forms.get(form)
            host = host_of_root(form.key) if found is None and form.kind is Kind.URL else None
            return self._forms.get(Form(Kind.HOST, host)) if host is not None else found
        if " " not in form.key:
            return self.tokens.get(form.key)
        if not all(token in self.tokens for token in form.key.split(" ")):
            return None
        return next((at for at, one in enumerate(self.passages) if one.has(form)), None)


def shingles(words: Sequence[str]) -> Iterable[int]:
    """A mark for every few words that follow one another."""
    return (hash(tuple(words[at : at + _SHINGLE])) for at in range(len(words) - _SHINGLE + 1))


def telling(value: str) -> bool:
    """Whether words point at one thing among many: two words that are not small ones, or something like a file's name.

    `meeting` or `the file` stand in half of all texts, whoever wrote them.
    """
    found = tokens(value)
    if any(_is_name(token) for token in found):
        return True
    return sum(len(token) >= _TELLING for token in found) >= 2


def _is_name(token: str) -> bool:
    return len(token) >= 6 and re.search(r"[\d@_./]|[a-z][A-Z]", token) is not None and not token.isdigit()
