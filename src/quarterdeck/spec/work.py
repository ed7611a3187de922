"""How much work a JSON Schema can make. A few hundred bytes of references that multiply ask for more comparisons than
anybody can wait for, and while one process makes them nothing else in it moves: not its other runs, not its lease.

So what a schema does to one value is counted before it is compiled, and what it would do to a big or deep value before
it is applied. Counted are applications of a part of the schema to a part of the value, at worst.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import jsonschema_rs

from quarterdeck.core.json import Json, JsonObject

MOST_AT_ONCE = 1_000
"""Parts of a schema that may be applied to one and the same value."""
SLIGHT = 200
"""Parts that a schema may have, all references written out, to be applied to any value without counting first."""
_BACKTRACKING_WEIGHT = 5_000
_LONGEST_CHAIN = 200
_MOST_STEPS = 300_000
_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLES = ("not", "if", "then", "else")
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_REST = ("unevaluatedProperties", "unevaluatedItems")
_OF_ANY_MEMBER = ("additionalProperties", "unevaluatedProperties", "propertyNames")
_OF_ANY_ITEM = ("items", "additionalItems", "contains", "unevaluatedItems")
_TOO_MUCH = f"its references multiply: more than {MOST_AT_ONCE:,} of its parts would be applied to one value"


class TooMuchWork(Exception):
    """What is wrong with a schema, as a clause."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One schema within a schema: what else it applies to the same value, and what to the values in that one."""

    weight: int
    beside: tuple[JsonObject, ...]
    members: Mapping[str, JsonObject]
    any_member: tuple[JsonObject, ...]
    places: tuple[JsonObject, ...]
    any_item: tuple[JsonObject, ...]

    @property
    def within(self) -> Iterator[JsonObject]:
        """Everything that is applied to values in the value."""
        yield from self.members.values()
        yield from (*self.any_member, *self.places, *self.any_item)


class Work:
    """The work that one schema makes. Raises TooMuchWork for one that must not even be compiled."""

    def __init__(self, schema: JsonObject) -> None:
        self._root = schema
        self._anchors = _anchors(schema)
        self._parts: dict[int, _Part] = {}
        self._at_once: dict[int, int] = {}
        self._beside: dict[int, Counter[int]] = {}
        for part in _objects(schema):
            self._count_at_once(part, ())
        self.slight = self._written_out(schema, frozenset()) <= SLIGHT
        """Whether it may be applied to any value without asking `on`."""

    def on(self, value: Json, most: int) -> int | None:
        """Applications that a value would ask for at worst; None for more than `most`, or more than can be counted."""
        total = steps = 0
        waiting: list[tuple[Json, Counter[int]]] = [(value, Counter({id(self._root): 1}))]
        while waiting:
            value, applied = waiting.pop()
            expanded: Counter[int] = Counter()
            for part, times in applied.items():
                for beside, count in self._expanded(part).items():
                    expanded[beside] += count * times
            steps += len(expanded)
            size = 1 + len(value) // 1000 if isinstance(value, str) else 1
            total += size * sum(self._parts[part].weight * times for part, times in expanded.items())
            if total > most:
                return None
            for inner in self._within(value, expanded):
                waiting.append(inner)
                steps += 1
                if total + len(waiting) > most or steps > _MOST_STEPS:
                    return None
        return total

    def _within(self, value: Json, expanded: Counter[int]) -> Iterator[tuple[Json, Counter[int]]]:
        """The values in a value to which something is applied, each with what that is."""
        parts = [(self._parts[part], times) for part, times in expanded.items()]
        if isinstance(value, Mapping):
            always = _counted((part.any_member, times) for part, times in parts)
            named = [(part.members, times) for part, times in parts if part.members]
            for name, item in value.items():
                own = _counted(((members[name],), times) for members, times in named if name in members)
                if own or always:
                    yield item, own + always if own else always
        elif isinstance(value, Sequence) and not isinstance(value, str):
            always = _counted((part.any_item, times) for part, times in parts)
            placed = [(part.places, times) for part, times in parts if part.places]
            for place, item in enumerate(value):
                own = _counted(((places[place],), times) for places, times in placed if place < len(places))
                if own or always:
                    yield item, own + always if own else always

    def _expanded(self, part: int) -> Counter[int]:
        """A part with all that it applies to the same value."""
        known = self._beside.get(part)
        if known is None:
            known = Counter({part: 1})
            for beside in self._parts[part].beside:
                known.update(self._expanded(id(beside)))
            self._beside[part] = known
        return known

    def _count_at_once(self, schema: JsonObject, chain: tuple[int, ...]) -> int:
        """How many parts a part applies to one value, itself included."""
        known = self._at_once.get(id(schema))
        if known is not None:
            return known
        if id(schema) in chain:
            raise TooMuchWork("it refers to itself without going a level deeper, so it never comes to an end")
        if len(chain) >= _LONGEST_CHAIN:
            raise TooMuchWork(f"it chains more than {_LONGEST_CHAIN} references")
        chain = (*chain, id(schema))
        count = 1 + sum(self._count_at_once(part, chain) for part in self._part(schema).beside)
        if any(rest in schema for rest in _REST):
            count *= 2  # to find what is left over, everything beside it is applied once more
        if count > MOST_AT_ONCE:
            raise TooMuchWork(_TOO_MUCH)
        self._at_once[id(schema)] = count
        return count

    def _written_out(self, schema: JsonObject, above: frozenset[int]) -> int:
        """How many parts there are with all references written out, as far as that is not more than slight."""
        if id(schema) in above or len(above) > SLIGHT:
            return SLIGHT + 1
        part, above = self._part(schema), above | {id(schema)}
        total = part.weight
        for inner in (*part.beside, *part.within):
            total += self._written_out(inner, above)
            if total > SLIGHT:
                break
        return total

    def _part(self, schema: JsonObject) -> _Part:
        known = self._parts.get(id(schema))
        if known is None:
            known = self._parts[id(schema)] = self._read(schema)
        return known

    def _read(self, schema: JsonObject) -> _Part:
        beside = [part for name in _LISTS for part in _list(schema.get(name))]
        beside += [part for name in _SINGLES for part in _single(schema.get(name))]
        beside += [part for name in ("dependentSchemas", "dependencies") for part in _map(schema.get(name)).values()]
        beside += self._referred(schema)
        patterns = _map(schema.get("patternProperties"))
        any_member = [*patterns.values(), *(part for name in _OF_ANY_MEMBER for part in _single(schema.get(name)))]
        return _Part(
            weight=_weight(schema, [str(schema.get("pattern", "")), *patterns]),
            beside=tuple(beside),
            members=_map(schema.get("properties")),
            any_member=tuple(any_member),
            places=(*_list(schema.get("prefixItems")), *_list(schema.get("items"))),
            any_item=tuple(part for name in _OF_ANY_ITEM for part in _single(schema.get(name))),
        )

    def _referred(self, schema: JsonObject) -> Iterator[JsonObject]:
        """What its references lead to. One that leads nowhere is told by whoever compiles the schema."""
        for name in REFERENCES:
            if isinstance(reference := schema.get(name), str):
                place = unquote(reference.removeprefix("#"))
                if place and not place.startswith("/"):
                    yield from self._anchors.get(place, ())
                else:
                    yield from _single(self._at(place))

    def _at(self, pointer: str) -> Json:
        found: Json = self._root
        for step in pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(name)
            elif isinstance(found, Sequence) and not isinstance(found, str) and name.isdigit():
                found = found[int(name)] if int(name) < len(found) else None
            else:
                return None
        return found


def _anchors(schema: JsonObject) -> Mapping[str, Sequence[JsonObject]]:
    """The parts that have a name. A dynamic one may be any of those that share it, so all count."""
    named: dict[str, list[JsonObject]] = {}
    for part in _objects(schema):
        if part is not schema and isinstance(part.get("$id"), str):
            raise TooMuchWork("a part of it has an `$id`, which gives references another meaning; only its top may")
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(name := part.get(keyword), str):
                named.setdefault(name, []).append(part)
    return named


def _weight(schema: JsonObject, patterns: Sequence[str]) -> int:
    """What applying a part costs by itself."""
    values = schema.get("enum")
    compared = len(values) if isinstance(values, Sequence) and any(isinstance(one, Mapping) for one in values) else 1
    return compared + _BACKTRACKING_WEIGHT * sum(_backtracks(pattern) for pattern in patterns)


def _backtracks(pattern: str) -> bool:
    """Whether a pattern needs more than an engine of linear time."""
    if not {"\\", "("} & set(pattern):
        return False
    try:
        _ = jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
    except (jsonschema_rs.ValidationError, ValueError):
        return True
    return False


def _counted(applied: Iterator[tuple[tuple[JsonObject, ...], int]]) -> Counter[int]:
    counted: Counter[int] = Counter()
    for parts, times in applied:
        for part in parts:
            counted[id(part)] += times
    return counted


def _objects(value: Json) -> Iterator[JsonObject]:
    """Every object in a schema that could be a schema."""
    waiting: list[Json] = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Mapping):
            yield found
            waiting.extend(found.values())
        elif isinstance(found, Sequence) and not isinstance(found, str):
            waiting.extend(found)


def _single(value: Json) -> tuple[JsonObject, ...]:
    return (value,) if isinstance(value, Mapping) else ()


def _list(value: Json) -> tuple[JsonObject, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(part for part in value if isinstance(part, Mapping))


def _map(value: Json) -> Mapping[str, JsonObject]:
    if not isinstance(value, Mapping):
        return {}
    return {name: part for name, part in value.items() if isinstance(part, Mapping)}
