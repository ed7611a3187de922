"""Where each argument of a call can have come from: the guarantee that a hijacked model cannot choose whom it pays.

A model's word is never evidence. A value counts as the user's, a trusted tool's or the author's only if it stands there
as a whole, in a spelling that means the same thing; everything else is the model's own or comes from words that
outsiders can write. `docs/explanation/provenance.md` has the reasons for each rule.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from quarterdeck.context.view import READ_RESULT
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.gates.endorsement import Endorsement
from quarterdeck.gates.forms import POINTERS, Form, Kind, form_of, forms_in, is_tiny, tokens
from quarterdeck.gates.leaves import leaves, marked, strings
from quarterdeck.gates.passages import Passage, Source, passage, shingles
from quarterdeck.gates.readings import Reading, handle_in
from quarterdeck.gates.terms import Payments
from quarterdeck.releases.records import ToolGrant
from quarterdeck.runs.messages import Call, Label, Message, ModelMessage, Text, ToolMessage, Trust, UserMessage
from quarterdeck.runs.records import Effect


class Origin(StrEnum):
    """Where a value can have come from, from the cleanest to the worst."""

    AUTHOR = "author"
    USER = "user"
    REVIEWER = "reviewer"
    TRUSTED = "trusted"
    ENDORSED = "endorsed"
    MODEL = "model"
    UNTRUSTED = "untrusted"

    @property
    def clean(self) -> bool:
        """Whether nobody outside can have chosen it, as far as the session shows."""
        return self not in {Origin.MODEL, Origin.UNTRUSTED}


_RANK = {origin: rank for rank, origin in enumerate(Origin)}
_SOURCES = (Origin.AUTHOR, Origin.USER, Origin.REVIEWER, Origin.TRUSTED)
NOT_MADE = "This call was not made"
"""How the runtime's words begin about a call that never went out."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of a call's arguments: the origin of each leaf by path, and what speaks against calling it clean.

    `clean`: every destination that the call names has a clean origin and there is no doubt. A call that names no
    destination is clean: whether that is enough for its tool is for policy to say.
    """

    origins: Mapping[str, Origin]
    clean: bool
    doubts: tuple[str, ...] = ()


@dataclass(slots=True)
class Said:
    """What one call carried out into the world, and which of the trusted texts after it can be its echo.

    The answer to a read can repeat the question, and no more; what was written somewhere can come back at any time.
    """

    passages: tuple[Passage, ...]
    since: int
    until: float = math.inf

    def has(self, form: Form) -> bool:
        """Whether the value was in it."""
        return any(one.has(form) for one in self.passages)


class Provenance:
    """All that a run has read, with who said it. Grows with the run; looking something up costs no I/O.

    `tainted` from the start: a child run, or one that goes on from a summary, whose task was put into words near
    untrusted content. Its user's words are then no better than that. Not thread-safe; one per attempt.
    """

    def __init__(self, tools: Iterable[ToolGrant] = (), *, tainted: bool = False) -> None:
        self._grants = {tool.name: tool for tool in tools}
        self._lowered = tainted
        self._tainted = tainted
        self._heard: dict[Origin, Source] = {origin: Source() for origin in Origin}
        self._calls: dict[str, Call] = {}
        self._readings: list[Reading] = []
        self._said: list[Said] = []
        self._payments = Payments()
        self._endorsement: Endorsement | None = None

    @property
    def tainted(self) -> bool:
        """Whether words that outsiders can write were read. Never false again once true."""
        return self._tainted

    def add(self, text: str, label: Label) -> None:
        """A text that the run starts from or has met. The model's own words are evidence of nothing, and not kept."""
        origin = self._origin_of(label)
        self._endorsement = None
        if origin is Origin.UNTRUSTED:
            self._tainted = True
        if origin is not Origin.MODEL and text:
            self._heard[origin].add(passage(text))

    def hear(self, message: Message, *, earlier: bool = False) -> None:
        """The next message of the conversation, blobs read back. `earlier`: it belongs to a run before this one."""
        match message:
            case UserMessage():
                # The runtime's own nudges stand on the user's side and quote the model.
                if message.label.source != "author":
                    for part in _texts(message.content):
                        self.add(part.text, part.label or message.label)
            case ModelMessage():
                self._calls.update({call.id: call for call in message.calls})
            case ToolMessage():
                call = self._calls.get(message.call) or Call(message.call, message.tool, {})
                self.answered(call.tool, call.arguments, message, earlier=earlier)

    def answered(self, tool: str, arguments: JsonObject, message: ToolMessage, *, earlier: bool = False) -> None:
        """What a call came to. `arguments` are those that were sent: a reviewer may have edited them."""
        parts = list(_texts(message.content))
        if message.label is None and parts and parts[0].text.startswith(NOT_MADE):
            return
        grant = self._grants.get(tool)
        if grant is None and tool == READ_RESULT:
            self._shown_again(parts, message.label)
            return
        said = self._say(arguments)
        if grant is not None and not earlier and not message.is_error:
            self._payments.made(grant, arguments)
        if message.label is None:
            return
        label = Label(message.label.source, Trust.UNTRUSTED) if message.is_error else message.label
        for part in parts:
            self._read(arguments, part.text, part.label if part.label and not message.is_error else label)
        if grant is not None and grant.effect == Effect.READ:
            said.until = len(self._heard[Origin.TRUSTED].passages)

    def _shown_again(self, parts: Iterable[Text], label: Label | None) -> None:
        """A page of what was heard as a whole before. Whoever chose where it begins may have cut an address out of a
        longer one: it makes nothing any better, and what it shows of untrusted words is no better than they are.
        """
        if label is not None and label.trust is not Trust.TRUSTED:
            for part in parts:
                self.add(part.text, part.label or label)

    def of(self, value: Json) -> Origin:
        """The origin of a value that is carried along; of several parts the worst."""
        return max((self._carried(leaf) for _, leaf in leaves(value)), key=_RANK.__getitem__, default=Origin.AUTHOR)

    def origins(self, arguments: JsonObject, grant: ToolGrant | None = None) -> dict[str, Origin]:
        """The origin of each leaf by its path: `to`, `items[0].account`. Destinations of `grant` are held to more."""
        found: dict[str, Origin] = {}
        for path, leaf in leaves(arguments):
            if leaf is None or isinstance(leaf, bool) or leaf == "":
                found[path] = Origin.AUTHOR  # one of two, or nothing: there is nothing to have come from anywhere
            elif grant is not None and marked(path, grant.destinations):
                found[path] = self._pointed(path, str(leaf), grant)
            elif grant is not None and listed(leaf, path, grant.parameters):
                found[path] = Origin.AUTHOR
            else:
                found[path] = self._carried(leaf)
        return found

    def see(self, grant: ToolGrant, arguments: JsonObject) -> Sighting:
        """All that policy needs to know of a call's arguments."""
        origins = self.origins(arguments, grant)
        dirty = [path for path, origin in origins.items() if marked(path, grant.destinations) and not origin.clean]
        doubts = self._payments.doubts(grant, arguments, self._heard[Origin.USER].passages)
        return Sighting(origins, not dirty and not doubts, doubts)

    def _origin_of(self, label: Label) -> Origin:
        if label.source == "model":
            return Origin.MODEL
        if label.trust is not Trust.TRUSTED:
            return Origin.UNTRUSTED
        if label.source == "author":
            return Origin.AUTHOR
        if self._lowered and label.source == "user":
            return Origin.UNTRUSTED
        return Origin(label.source) if label.source in {"user", "reviewer"} else Origin.TRUSTED

    def _say(self, arguments: JsonObject) -> "Said":
        """Note what the model put into a call: a trusted tool that says it back does not make it any better."""
        said = Said(tuple(passage(text) for text in strings(arguments)), len(self._heard[Origin.TRUSTED].passages))
        self._said.append(said)
        return said

    def _read(self, arguments: JsonObject, text: str, label: Label) -> None:
        self.add(text, label)
        origin = self._origin_of(label)
        if text and origin in {Origin.TRUSTED, Origin.UNTRUSTED}:
            trusted = origin is Origin.TRUSTED
            self._readings.append(Reading(arguments, self._heard[origin].passages[-1], trusted=trusted))

    def _found(self, form: Form) -> Origin | None:
        """The cleanest source that holds a value as a whole. An attacker may repeat what the user said: it stays so."""
        for origin in _SOURCES:
            first = self._heard[origin].first(form)
            if first is not None and not (origin is Origin.TRUSTED and self._is_echo(form, first)):
                return origin
        return Origin.UNTRUSTED if self._heard[Origin.UNTRUSTED].first(form) is not None else None

    def _is_echo(self, form: Form, first: int) -> bool:
        """Whether the model had put a value into a call before a trusted tool first showed it."""
        return any(said.since <= first < said.until and said.has(form) for said in self._said)

    def _carried(self, leaf: Json) -> Origin:
        if leaf is None or isinstance(leaf, bool) or leaf == "":
            return Origin.AUTHOR
        value = str(leaf)
        found = self._found(form_of(value))
        if found is not None or not isinstance(leaf, str):
            return found or Origin.MODEL
        return self._composed(value)

    def _composed(self, value: str) -> Origin:
        """Of a text that stands nowhere as a whole: the worst of the addresses in it, its lines and its items."""
        worst = [self._found(form) or Origin.MODEL for form in set(forms_in(value)) if form.kind in POINTERS]
        worst += [self._found(form_of(part)) or self._worded(part) for part in parts_of(value)]
        return max(worst, key=_RANK.__getitem__, default=Origin.MODEL)

    def _worded(self, part: str) -> Origin:
        """Words that are nowhere together: untrusted if a few of them in a row are, else the model's own."""
        marks = set(shingles(tokens(part)))
        for origin in (Origin.AUTHOR, Origin.USER, Origin.TRUSTED):
            marks -= self._heard[origin].shingles
        return Origin.MODEL if marks.isdisjoint(self._heard[Origin.UNTRUSTED].shingles) else Origin.UNTRUSTED

    def _pointed(self, path: str, value: str, grant: ToolGrant) -> Origin:
        """The origin of a destination: whole, or a list of wholes; endorsed where the user pointed at its source."""
        form = form_of(value)
        if is_tiny(value) or form.kind in {Kind.NUMBER, Kind.DATE}:
            found = self._numbered(path, value, grant)
        else:
            found = self._found(form) or self._listed(value, form)
        if found is not None and found.clean:
            return found
        if self.endorsement().covers(grant, value, form):
            return Origin.ENDORSED
        return found or Origin.MODEL

    def _listed(self, value: str, form: Form) -> Origin | None:
        parts = list(parts_of(value)) if form.kind is Kind.TEXT else []
        if len(parts) < 2:
            return None
        return max((self._found(form_of(part)) or Origin.MODEL for part in parts), key=_RANK.__getitem__)

    def _numbered(self, path: str, value: str, grant: ToolGrant) -> Origin | None:
        """The origin of a short id. Such a value stands in many texts by chance: what it is must stand beside it."""
        said = _introduced(path, value, grant)
        for origin in (Origin.AUTHOR, Origin.USER, Origin.REVIEWER):
            if any(said.search(one.text) for one in self._heard[origin].passages):
                return origin
        if any(one.trusted and not one.answers_to(value) and handle_in(one, value) for one in self._readings):
            return Origin.TRUSTED
        return Origin.UNTRUSTED if self._heard[Origin.UNTRUSTED].first(form_of(value)) is not None else None

    def endorsement(self) -> Endorsement:
        """What the user's own words point at, in what was read so far."""
        if self._endorsement is None:
            self._endorsement = Endorsement(self._heard[Origin.USER], self._readings)
        return self._endorsement


def parts_of(value: str) -> Iterator[str]:
    """The items of a list that was written as text, and the lines of one with several."""
    for part in re.split(r"[,;\n]|\s(?:and|or|&)\s", value):
        if part.strip():
            yield part.strip()


def listed(leaf: Json, path: str, schema: JsonObject) -> bool:
    """Whether the tool's schema lists the few values that an argument can have: choosing one of them tells nothing."""
    properties = schema.get("properties")
    wanted = properties.get(path) if isinstance(properties, Mapping) else None
    choices = [wanted, *_alternatives(wanted)]
    return any(leaf in _members(choice, schema) for choice in choices)


def _alternatives(schema: Json) -> Sequence[Json]:
    found = schema.get("anyOf") if isinstance(schema, Mapping) else None
    return cast("Sequence[Json]", found) if isinstance(found, Sequence) and not isinstance(found, str) else ()


def _members(schema: Json, whole: JsonObject) -> Sequence[Json]:
    if not isinstance(schema, Mapping):
        return ()
    target, kept = schema.get("$ref"), whole.get("$defs")
    if isinstance(target, str) and isinstance(kept, Mapping):
        return _members(kept.get(target.rpartition("/")[2]), {})
    found = schema.get("enum")
    return cast("Sequence[Json]", found) if isinstance(found, Sequence) and not isinstance(found, str) else ()


def _texts(content: Iterable[object]) -> Iterator[Text]:
    return (part for part in content if isinstance(part, Text))


def _introduced(path: str, value: str, grant: ToolGrant) -> re.Pattern[str]:
    """`file 13`, `order number 13`, `id: 13`, `#13`: a number with the name of what it numbers before it."""
    names = {word for word in re.split(r"[^a-z]+", f"{path} {grant.name}".lower()) if len(word) > 2}
    names |= {"id", "no", "nr", "number"}
    what = "|".join(sorted(re.escape(name) + "s?" for name in names))
    return re.compile(rf"(?:(?<!\w)(?:{what})\.?\W{{0,3}}|#){re.escape(value)}(?![\w-]|[.,:]\w)", re.IGNORECASE)
