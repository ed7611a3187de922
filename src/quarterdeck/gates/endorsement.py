"""Untrusted content that the user pointed at: `pay the bill in bill-december.txt` says whom to pay, in a way.

Such content may be written by the very attacker, so pointing at it is worth little: it lends a destination to a call
only where the value is a field of its own (or a line of its own), alone of its kind, in the thing that the user named,
and the user's words ask for that kind of act. Each of these rules is a reason to say no; none looks for an attack.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from quarterdeck.core.json import JsonObject
from quarterdeck.gates.fields import Field, fields_of
from quarterdeck.gates.forms import POINTERS, Form, Kind, form_of, is_tiny, tokens
from quarterdeck.gates.leaves import strings
from quarterdeck.gates.passages import Passage, Source, telling
from quarterdeck.releases.records import ToolGrant
from quarterdeck.runs.records import Effect

_LONGEST_NAME = 200
MOST_RECORDS = 10
"""A search that answers with more has not found what the user named; it lists."""


@dataclass(slots=True)
class Reading:
    """One tool result: what was asked, what came, and, once somebody wants to know, its fields."""

    tool: str
    arguments: JsonObject
    passage: Passage
    trusted: bool
    _fields: tuple[Field, ...] | None = None
    _naming: Mapping[int, Sequence[Field]] = field(default_factory=dict[int, Sequence[Field]])
    _is_read: bool = False

    @property
    def fields(self) -> tuple[Field, ...] | None:
        """Its fields, or None where it is just text."""
        if not self._is_read:
            self._fields, self._is_read = fields_of(self.passage.text), True
            naming: defaultdict[int, list[Field]] = defaultdict(list)
            for one in self._fields or ():
                if one.own and one.records and _NAMING.search(one.key):
                    naming[one.records[0]].append(one)
            self._naming = naming
        return self._fields

    def naming(self, record: int) -> Sequence[Field]:
        """The fields of a record that can be its name."""
        return self._naming.get(record, ()) if self.fields else ()

    def shows(self, value: str, form: Form) -> bool:
        """Whether the value stands anywhere in it: a quick no for most."""
        return value in self.passage.text or self.passage.has(form)


def handle_in(reading: Reading, value: str) -> bool:
    """Whether the result has a record with this id. Ids are given by the tool's system, not by who writes in it."""
    if value.strip() not in reading.passage.text:
        return False
    return any(is_handle(one) and one.value.strip() == value.strip() for one in reading.fields or ())


def is_handle(one: Field) -> bool:
    """Whether a field is the id of its record."""
    return one.own and _HANDLE.search(one.key) is not None


_HANDLE = re.compile(
    r"(?:^|_)(?:id|key|uuid|guid|number|no|nr|ref|reference|slug)_?$|[a-z](?:Id|ID|Key|Uuid)$", re.IGNORECASE
)
_NAMING = re.compile(
    r"(?:^|_|[a-z](?=[A-Z]))(?:id_?|name|title|subject|filename|label|topic|reference|number|slug|sender|from|email|"
    r"account|recipient|merchant|payee|path|summary)$",
    re.IGNORECASE,
)
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
        fields = reading.fields
        if fields is None:
            return self._narrowed(reading) and _stands_alone(reading.passage, value, form, grant)
        same = [one for one in fields if _is_same(one.value, value, form)]
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
        if len({each.records[-1] for each in reading.fields or () if each.records}) > MOST_RECORDS:
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
            for one in other.fields or ()
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
            twins = [each for each in other.fields or () if each.key == one.key]
            named = {each.records for each in twins if self._named(other, each.records) == name}
            same = {each.records for each in twins if _is_same(each.value, value, form)}
            if named - same:
                return False
        return True

    def _says(self, *spellings: Form) -> bool:
        return any(self._user.first(form) is not None for form in spellings)


def _is_same(found: str, value: str, form: Form) -> bool:
    return found.strip() == value or (form.kind is not Kind.TEXT and form_of(found) == form)


def _spoken(value: str) -> str:
    """A name as people say it: `team-meeting-minutes.docx` is the team meeting minutes."""
    return " ".join(tokens(re.sub(r"[-_./]+", " ", re.sub(r"\.\w{1,5}$", "", value.strip()))))


def _stands_alone(passage: Passage, value: str, form: Form, grant: ToolGrant) -> bool:
    """Whether a value has a line of its own, at most with a label before it, and is the only one of its kind."""
    if form.kind in POINTERS:
        if sum(other.kind is form.kind for other in passage.forms) != 1:
            return False
        return any(form_of(_unlabelled(line)) == form for line in passage.text.splitlines())
    if grant.effect != Effect.WRITE or is_tiny(value):
        return False
    lines = [line for line in passage.text.splitlines() if len(line) <= 80]
    return any(value in [part.strip() for part in (line, *_unlabelled(line).split(","))] for line in lines)


def _unlabelled(line: str) -> str:
    """A line without its label: `IBAN: DE89 …`, `Pay to - DE89 …`. A sentence is no label."""
    found = re.match(r"\s*(?:[-*•]\s+)?(?:(?!https?:)[^\W\d][^:.!?=]{0,30}\s?[:=]\s+)?(?P<rest>.*?)[\s.;,]*$", line)
    return found["rest"] if found else line.strip()
