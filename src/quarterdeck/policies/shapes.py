"""Arguments as Cedar can speak of them: which parts of a tool's JSON Schema have a type there, and values made to fit.

Cedar has text, 64-bit integers, decimals of four places, booleans, sets and records, and nothing else. A part that has
no one type there (a union of unlike things, free-form objects, tuples, null alone, schemas that contain themselves) is
left out: policies can't mention it. Sets know neither order nor repetition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from quarterdeck.core.json import Json, JsonObject

_DEEPEST = 8
_MOST_PARTS = 2000
_RESERVED = ("__extn", "__entity", "__expr")
"""Keys with which Cedar's JSON marks values of other kinds: an argument of such a name must never reach it."""


class Kind(StrEnum):
    """The types of Cedar that arguments can have."""

    TEXT = "String"
    LONG = "Long"
    DECIMAL = "decimal"
    BOOL = "Bool"
    SET = "Set"
    RECORD = "Record"


@dataclass(frozen=True, slots=True)
class Shape:
    """The type of a value: of a set with that of its `item`, of a record with those of its `members`."""

    kind: Kind
    item: "Shape | None" = None
    members: Mapping[str, "Member"] = field(default_factory=dict[str, "Member"])

    def cedar(self) -> str:
        """The type as a Cedar schema writes it."""
        if self.item is not None:
            return f"Set<{self.item.cedar()}>"
        if self.kind is not Kind.RECORD:
            return str(self.kind)
        inside = (
            f"{quoted(name)}{'' if one.required else '?'}: {one.shape.cedar()}" for name, one in self.members.items()
        )
        return f"{{ {', '.join(inside)} }}" if self.members else "{}"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a record."""

    shape: Shape
    required: bool


NOTHING = Shape(Kind.RECORD)


def quoted(text: str) -> str:
    """A text as Cedar writes it."""
    return '"' + "".join(_ESCAPES.get(char) or _escaped(char) for char in text) + '"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def _escaped(char: str) -> str:
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"


def shape_of(parameters: JsonObject) -> Shape:
    """The record of a tool's arguments, without the parts that have no type in Cedar."""
    found = _shape(parameters, _Reading(parameters))
    return found if found is not None and found.kind is Kind.RECORD else NOTHING


@dataclass(slots=True)
class _Reading:
    """One pass over a schema: where `$ref` leads, how deep it is, how much was found. Schemas come from others."""

    root: JsonObject
    within: tuple[str, ...] = ()
    depth: int = 0
    left: list[int] = field(default_factory=lambda: [_MOST_PARTS])

    def deeper(self, reference: str | None = None) -> "_Reading":
        within = (*self.within, reference) if reference is not None else self.within
        return _Reading(self.root, within, self.depth + 1, self.left)

    def target(self, reference: str) -> Json:
        """What a reference within the document leads to."""
        at: Json = self.root
        for part in reference.removeprefix("#").split("/")[1:]:
            at = at.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(at, Mapping) else None
        return at


def _shape(schema: Json, reading: _Reading) -> Shape | None:
    reading.left[0] -= 1
    if not isinstance(schema, Mapping) or reading.depth > _DEEPEST or reading.left[0] < 0:
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if not reference.startswith("#") or reference in reading.within:
            return None
        return _shape(reading.target(reference), reading.deeper(reference))
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return _union(members_of(schema[union]), reading)
    if "allOf" in schema:
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        found = [_shape(one, reading.deeper()) for one in (rest, *members_of(schema["allOf"]))]
        return _all_of([one for one in found if one is not None])
    return _typed(schema, reading)


def _typed(schema: JsonObject, reading: _Reading) -> Shape | None:
    said = schema.get("type")
    kinds = [said] if isinstance(said, str) else [one for one in members_of(said) if one != "null"]
    if not kinds:
        return _of_values(schema, reading)
    if len(kinds) > 1:
        return _union([{**schema, "type": kind} for kind in kinds], reading)
    if kinds[0] in _SCALARS:
        return Shape(_SCALARS[kinds[0]])
    if kinds[0] == "object":
        return _record(schema, reading)
    item = _shape(schema.get("items"), reading.deeper()) if "prefixItems" not in schema else None
    return Shape(Kind.SET, item) if kinds[0] == "array" and item is not None else None


_SCALARS: Mapping[Json, Kind] = {
    "string": Kind.TEXT,
    "integer": Kind.LONG,
    "number": Kind.DECIMAL,
    "boolean": Kind.BOOL,
}


def _of_values(schema: JsonObject, reading: _Reading) -> Shape | None:
    """The type of a schema that names none: that of the values that it lists, or an object where it has members."""
    if "properties" in schema:
        return _record(schema, reading)
    listed = [schema["const"]] if "const" in schema else members_of(schema.get("enum"))
    kinds = {_kind_of_value(one) for one in listed if one is not None}
    return Shape(kind) if len(kinds) == 1 and (kind := kinds.pop()) is not None else None


def _kind_of_value(value: Json) -> Kind | None:
    if isinstance(value, bool):
        return Kind.BOOL
    if isinstance(value, int):
        return Kind.LONG
    return Kind.TEXT if isinstance(value, str) else None


def _record(schema: JsonObject, reading: _Reading) -> Shape | None:
    """An object with declared members. What it may hold besides is not there for policies."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return NOTHING if reading.depth == 0 else None
    required = set(members_of(schema.get("required")))
    members: dict[str, Member] = {}
    for name, inner in properties.items():
        shape = _shape(inner, reading.deeper()) if name not in _RESERVED else None
        if shape is not None:
            members[name] = Member(shape, name in required and not _nullable(inner))
    return Shape(Kind.RECORD, members=members) if members or reading.depth == 0 else None


def _nullable(schema: Json) -> bool:
    """Whether a value may be null, which Cedar has no word for: such a member may be missing."""
    if not isinstance(schema, Mapping):
        return True
    said = schema.get("type")
    branches = [*members_of(schema.get("anyOf")), *members_of(schema.get("oneOf"))]
    values = members_of(schema.get("enum"))
    return (
        said == "null"
        or "null" in members_of(said)
        or any(isinstance(one, Mapping) and one.get("type") == "null" for one in branches)
        or ("enum" in schema and None in values)
        or "$ref" in schema
    )


def _union(branches: Sequence[Json], reading: _Reading) -> Shape | None:
    """One type for all alternatives; null is none of them, since a missing member says the same."""
    real = [one for one in branches if not (isinstance(one, Mapping) and one.get("type") == "null")]
    found = [_shape(one, reading.deeper()) for one in real]
    shapes = [one for one in found if one is not None]
    if not shapes or len(shapes) < len(found):
        return None
    common: Shape | None = shapes[0]
    for shape in shapes[1:]:
        common = None if common is None else _either(common, shape)
    return common


def _either(one: Shape, other: Shape) -> Shape | None:
    """The type that values of both have: a whole number is a number, one of something is a set of it."""
    if one == other:
        return one
    if {one.kind, other.kind} == {Kind.LONG, Kind.DECIMAL}:
        return Shape(Kind.DECIMAL)
    if one.kind is Kind.RECORD and other.kind is Kind.RECORD:
        return _merged(one, other)
    for many, single in ((one, other), (other, one)):
        if many.kind is Kind.SET and many.item is not None:
            item = _either(many.item, single.item or single)
            return None if item is None else Shape(Kind.SET, item)
    return None


def _merged(one: Shape, other: Shape) -> Shape:
    """Members of either, each of which may be missing; those that differ in type are left out."""
    members: dict[str, Member] = {}
    for name in [*one.members, *(name for name in other.members if name not in one.members)]:
        shapes = [shape.members[name].shape for shape in (one, other) if name in shape.members]
        shape = shapes[0] if len(shapes) == 1 else _either(shapes[0], shapes[1])
        if shape is not None:
            members[name] = Member(shape, required=False)
    return Shape(Kind.RECORD, members=members)


def _all_of(shapes: Sequence[Shape]) -> Shape | None:
    """The type of what is all of these at once."""
    if not shapes or any(one.kind is not shapes[0].kind for one in shapes):
        return None
    if shapes[0].kind is not Kind.RECORD:
        return shapes[0]
    return Shape(Kind.RECORD, members={name: member for one in shapes for name, member in one.members.items()})


def members_of(value: Json) -> list[Json]:
    """The members of a list; none of anything else."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
