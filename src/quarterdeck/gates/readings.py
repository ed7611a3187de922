"""Tool results as the gate looks into them: what was asked, what came, and its fields, found without searching."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from quarterdeck.core.json import JsonObject
from quarterdeck.gates.fields import Field, fields_of
from quarterdeck.gates.forms import POINTERS, Form, Kind, form_of
from quarterdeck.gates.leaves import leaves
from quarterdeck.gates.passages import Passage

_LONGEST_POINTER = 200
_HANDLE = re.compile(
    r"(?:^|_)(?:id|key|uuid|guid|number|no|nr|ref|reference|slug)_?$|[a-z](?:Id|ID|Key|Uuid)$", re.IGNORECASE
)
_NAMING = re.compile(
    r"(?:^|_|[a-z](?=[A-Z]))(?:id_?|name|title|subject|filename|label|topic|reference|number|slug|sender|from|email|"
    r"account|recipient|merchant|payee|path|summary)$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Index:
    """The fields of one result by what they are looked up by."""

    fields: tuple[Field, ...] = ()
    values: dict[str, list[Field]] = field(default_factory=lambda: defaultdict[str, list[Field]](list))
    forms: dict[Form, list[Field]] = field(default_factory=lambda: defaultdict[Form, list[Field]](list))
    keys: dict[str, list[Field]] = field(default_factory=lambda: defaultdict[str, list[Field]](list))
    names: dict[int, list[Field]] = field(default_factory=lambda: defaultdict[int, list[Field]](list))
    outermost: set[int] = field(default_factory=set[int])

    def add(self, one: Field) -> None:
        value = one.value.strip()
        self.values[value].append(one)
        self.keys[one.key].append(one)
        form = form_of(value) if len(value) <= _LONGEST_POINTER else None
        if form is not None and form.kind in POINTERS:
            self.forms[form].append(one)
        if one.records:
            self.outermost.add(one.records[-1])
            if one.own and _NAMING.search(one.key):
                self.names[one.records[0]].append(one)


class Reading:
    """One tool result. Its fields are read when somebody first wants to know, once."""

    def __init__(self, arguments: JsonObject, passage: Passage, *, trusted: bool) -> None:
        self.arguments = arguments
        self.passage = passage
        self.trusted = trusted
        self._kept: _Index | None = None
        self._is_structured = False

    def answers_to(self, value: str) -> bool:
        """Whether the call itself named this value: a tool that says back what it was asked confirms nothing."""
        text = value.strip()
        return any(str(leaf).strip() == text for _, leaf in leaves(self.arguments))

    @property
    def is_structured(self) -> bool:
        """Whether it has fields at all, and is not just text."""
        _ = self._index
        return self._is_structured

    @property
    def fields(self) -> tuple[Field, ...]:
        """All of its fields."""
        return self._index.fields

    @property
    def size(self) -> int:
        """How many records it has that are in no other."""
        return len(self._index.outermost)

    def holding(self, value: str, form: Form) -> Sequence[Field]:
        """The fields that hold a value as a whole, in any of its spellings. Words have one only."""
        found = self._index.values.get(value.strip(), [])
        if form.kind is Kind.TEXT:
            return found
        return [*found, *(one for one in self._index.forms.get(form, ()) if one not in found)]

    def under(self, key: str) -> Sequence[Field]:
        """The fields of that name."""
        return self._index.keys.get(key, ())

    def naming(self, record: int) -> Sequence[Field]:
        """The fields of a record that can be its name."""
        return self._index.names.get(record, ())

    def shows(self, value: str, form: Form) -> bool:
        """Whether the value stands anywhere in it: a quick no for most."""
        return value in self.passage.text or self.passage.has(form)

    @property
    def _index(self) -> _Index:
        if self._kept is None:
            fields = fields_of(self.passage.text)
            self._is_structured = fields is not None
            self._kept = _Index(fields or ())
            for one in self._kept.fields:
                self._kept.add(one)
        return self._kept


def is_handle(one: Field) -> bool:
    """Whether a field is the id of its record. Ids are given by the tool's system, not by who writes in the record."""
    return one.own and _HANDLE.search(one.key) is not None


def handle_in(reading: Reading, value: str) -> bool:
    """Whether the result has a record with this id."""
    text = value.strip()
    return text in reading.passage.text and any(map(is_handle, reading.holding(text, Form(Kind.TEXT, text))))
