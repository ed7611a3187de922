"""Untrusted content that the user pointed at: `pay the bill in bill-december.txt` says whom to pay, in a way.

Such content may be written by the very attacker, so pointing at it is worth little: it lends a destination to a call
only where the value is a field of its own (or a line of its own), alone of its kind, in the thing that the user named,
and the user's words ask for that kind of act. Each of these rules is a reason to say no; none looks for an attack.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from quarterdeck.gates.fields import Field
from quarterdeck.gates.forms import POINTERS, Form, Kind, form_of, is_tiny, tokens
from quarterdeck.gates.leaves import strings
from quarterdeck.gates.passages import Passage, Source, telling
from quarterdeck.gates.readings import Reading, is_handle
from quarterdeck.releases.records import ToolGrant
from quarterdeck.runs.records import Effect

_LONGEST_NAME = 200
MOST_RECORDS = 10
"""A search that answers with more has not found what the user named; it lists."""


_FREE = re.compile(
    r"(?:subject|title|name|body|content|text|description|summary|note|notes|comment|message|snippet|label|topic)$",
    re.IGNORECASE,
)


_THINGS = ("payment", "payee", "payroll", "sender", "address")
"""What begins like a word for doing something and is a thing: `adjust my rent payment` asks for no payment."""


class Endorsement:
    """The user's words and what was read, asked about one destination at a time."""

    ACTS: ClassVar[dict[str, tuple[str, ...]]] = {
        Effect.PAYMENT: ("pay", "transfer", "send", "refund", "reimburs", "wire", "remit", "settle", "donat", "tip"),
        Effect.EXTERNAL_MESSAGE: ("send", "write", "reply", "answer", "forward", "invite", "notif", "contact", "tell"),
        Effect.DELETION: ("delet", "remov", "eras", "clear", "discard", "drop", "cancel"),
        Effect.ACCESS_CHANGE: ("share", "grant", "give", "invite", "add", "allow", "revoke", "remov"),
        Effect.PRODUCTION_CHANGE: ("deploy", "releas", "roll", "restart", "scale", "chang", "updat", "switch"),
    }
    """How people speak of each dangerous effect, by the beginnings of words; beside these, a tool's own name counts."""

    def __init__(self, user: Source, readings: Sequence[Reading]) -> None:
        self._user = user
        self._readings = [one for one in readings if not one.trusted]
        self._names: dict[tuple[int, int], str | None] = {}

    def covers(self, grant: ToolGrant, value: str, form: Form) -> bool:
        """Whether the user's own words point at this value as a destination of such a call."""
        if grant.effect != Effect.WRITE and not self.asks_for(grant):
            return False
        text = value.strip()
        return any(one.shows(text, form) and self._lends(one, grant, text, form) for one in self._readings)

    def was_asked_for(self, form: Form) -> bool:
        """Whether a value stands, in any place, in what the user's words told a read to read. It lends nothing."""
        return any(reading.passage.has(form) and self._narrowed(reading) for reading in self._readings)

    def asks_for(self, grant: ToolGrant) -> bool:
        """Whether the user's words speak of doing what the tool does."""
        verb = re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])", grant.name)[0].lower()
        begins = (*self.ACTS.get(grant.effect, ()), *((verb[:6],) if len(verb) > 2 else ()))
        return any(word.startswith(begins) and not word.startswith(_THINGS) for word in self._user.tokens)

    def _lends(self, reading: Reading, grant: ToolGrant, value: str, form: Form) -> bool:
        if not reading.is_structured:
            return self._narrowed(reading) and _stands_alone(reading.passage, value, form, grant)
        same = reading.holding(value, form)
        # What can be told to be an account or an address is one, though its field be called a number.
        if form.kind not in POINTERS and any(is_handle(one) and self._points_at(reading, one, grant) for one in same):
            return True
        if form.kind not in POINTERS | {Kind.TEXT}:
            return False
        return any(not is_handle(one) or form.kind in POINTERS for one in same if self._sole(reading, one, value, form))

    def _points_at(self, reading: Reading, one: Field, grant: ToolGrant) -> bool:
        """Whether the user named this record, or searched for it; a plain write may also follow what the user named."""
        if self._named(reading, one.records) is not None:
            return True
        if reading.size > MOST_RECORDS:
            return False
        return self._narrowed(reading) or (grant.effect == Effect.WRITE and self._follows(reading))

    def _narrowed(self, reading: Reading) -> bool:
        """Whether a read was told by the user's words what to read: each of its arguments stands there, one tells.

        Dates and numbers may be the model's own: they leave less of what the words found, and add nothing to it.
        """
        asked = [form_of(text) for text in strings(reading.arguments)]
        asked = [form for form in asked if form.kind not in {Kind.DATE, Kind.NUMBER}]
        return all(self._says(form) for form in asked) and any(telling(form.key) for form in asked)

    def _follows(self, reading: Reading) -> bool:
        """Whether a read was told what to read by the text of a record that the user named."""
        asked = [text for text in strings(reading.arguments) if telling(text)]
        return bool(asked) and all(self._is_told(form_of(text), reading) for text in asked)

    def _is_told(self, form: Form, reading: Reading) -> bool:
        others = (other for other in self._readings if other is not reading and other.passage.has(form))
        return any(
            form.key in one.value and self._named(other, one.records) is not None
            for other in others
            for one in other.fields
        )

    def _named(self, reading: Reading, records: Sequence[int]) -> str | None:
        """The name by which the user's words point at a record, or at what holds it."""
        names = (self._name(reading, record) for record in records)
        return next((name for name in names if name is not None), None)

    def _name(self, reading: Reading, record: int) -> str | None:
        key = (id(reading), record)
        if key not in self._names:
            said = (one.value for one in reading.naming(record) if self._is_said(one.value))
            self._names[key] = next(map(_spoken, said), None)
        return self._names[key]

    def _is_said(self, name: str) -> bool:
        return (
            len(name) <= _LONGEST_NAME and telling(name) and self._says(Form(Kind.TEXT, _spoken(name)), form_of(name))
        )

    def _sole(self, reading: Reading, one: Field, value: str, form: Form) -> bool:
        """Whether the user named the record of a field, and no other of the same name says something else there."""
        name = None if _FREE.search(one.key) else self._named(reading, one.records)
        if name is None:
            return False
        for other in self._readings:
            named = {twin.records for twin in other.under(one.key) if self._named(other, twin.records) == name}
            if named - {twin.records for twin in other.holding(value, form) if twin.key == one.key}:
                return False
        return True

    def _says(self, *spellings: Form) -> bool:
        return any(self._user.first(form) is not None for form in spellings)


def _spoken(value: str) -> str:
    """A name as people say it: `team-meeting-minutes.docx` is the team meeting minutes."""
    return " ".join(tokens(re.sub(r"[-_./]+", " ", re.sub(r"\.\w{1,5}$", "", value.strip()))))


def _stands_alone(passage: Passage, value: str, form: Form, grant: ToolGrant) -> bool:
    """Whether a value has a line of its own, at most with a label before it, and is the only one of its kind."""
    lines = [line.strip() for line in passage.text.splitlines() if len(line) <= _LONGEST_LINE]
    if form.kind in POINTERS:
        if sum(other.kind is form.kind for other in passage.forms) != 1:
            return False
        return any(form_of(_unlabelled(line)) == form for line in lines)
    if grant.effect != Effect.WRITE or is_tiny(value):
        return False
    return any(value in [part.strip() for part in (line, *_unlabelled(line).split(","))] for line in lines)


_LONGEST_LINE = 120
_LABEL = re.compile(r"(?:[-*•]\s+)?(?:(?!https?:)[^\W\d][^:.!?=]{0,30}\s?[:=]\s+)?")


def _unlabelled(line: str) -> str:
    """A line without its label: `IBAN: DE89 …`, `Pay to = DE89 …`. A sentence is no label."""
    found = _LABEL.match(line)
    return line[found.end() if found else 0 :].strip(" .;,")
