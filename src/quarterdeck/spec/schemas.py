"""Judges JSON Schemas that authors and tool servers hand in: they must be sound, small and self-contained.

A reference to another document would be fetched by whoever compiles the schema; it is refused here, before anybody
does.
"""

from collections.abc import Iterator, Mapping, Sequence

import jsonschema_rs

from quarterdeck.core.json import Json, JsonObject, encode
from quarterdeck.core.text import shorten
from quarterdeck.spec.values import LARGEST_SCHEMA
from quarterdeck.spec.work import REFERENCES, TooMuchWork, Work

_DEEPEST = 48
_MOST_TO_JUDGE = 1_000_000
_MOST_TO_EXPLAIN = 20_000
_BACKTRACKING = 3_000


class Compiled:
    """A schema of somebody else's, ready to be applied. It fetches nothing, and never takes longer than half a second.

    Raises TooMuchWork or `jsonschema_rs.ValidationError` for one that `schema_fault` has not passed.
    """

    def __init__(self, schema: JsonObject) -> None:
        self._work = Work(schema)
        # Most patterns match in linear time; those with look-around or backreferences get so many steps.
        patterns = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKING)
        self._validator = jsonschema_rs.validator_for(dict(schema), offline=True, pattern_options=patterns)

    def misfits(self, value: Json) -> Sequence[jsonschema_rs.ValidationError] | str:
        """What does not fit; none = it fits. In words, as a clause, where looking for it would take too long."""
        if not self._work.slight and self._work.on(value, _MOST_TO_JUDGE) is None:
            return "it is too big or nested too deeply to be checked against its schema; make it smaller"
        if self._validator.is_valid(value):
            return ()
        # Making an error costs a hundred times what a comparison does.
        if self._work.on(value, _MOST_TO_EXPLAIN) is None:
            return "it does not fit its schema, and is too big or nested too deeply to say where; make it smaller"
        return list(self._validator.iter_errors(value))


def schema_fault(schema: JsonObject, *, of_object: bool = True) -> str | None:
    """What is wrong with a schema, as a clause (`it ...`); None when nothing is.

    `of_object` demands that it describes a JSON object, as the arguments of a tool and structured output must be.
    """
    if _deeper_than(schema, _DEEPEST):
        return f"it is nested deeper than {_DEEPEST} levels"
    size = len(encode(schema))
    if size > LARGEST_SCHEMA:
        return f"it has {size:,} bytes; at most {LARGEST_SCHEMA:,} are accepted"
    foreign = next((ref for ref in _references(schema) if not ref.startswith("#")), None)
    if foreign is not None:
        return f'it refers to {shorten(foreign, 120)!r}; only references inside it ("#/...") are accepted'
    if of_object and schema.get("type") != "object":
        return 'it has to describe an object: say "type": "object" at its top'
    try:
        _ = Work(schema)
    except TooMuchWork as fault:
        return str(fault)
    try:
        # Offline, or a `$schema` or `$ref` would make this very check fetch an address that a stranger chose.
        _ = jsonschema_rs.validator_for(dict(schema), offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as fault:
        return f"it is no valid JSON Schema: {_first_line(fault)}"
    return None


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in REFERENCES and isinstance(item, str):
                yield item
            else:
                yield from _references(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _references(item)


def _deeper_than(value: Json, levels: int) -> bool:
    """Looked at level by level, so that hostile nesting can't exhaust the stack."""
    level: list[Json] = [value]
    for _ in range(levels):
        below: list[Json] = []
        for item in level:
            if isinstance(item, Mapping):
                below.extend(item.values())
            elif isinstance(item, Sequence) and not isinstance(item, str):
                below.extend(item)
        if not below:
            return False
        level = below
    return True


def _first_line(fault: Exception) -> str:
    if isinstance(fault, jsonschema_rs.ValidationError):
        place = "".join(f"/{part}" for part in fault.instance_path)
        return f"{shorten(fault.message, 200)}" + (f" at {place}" if place else "")
    return shorten(str(fault).splitlines()[0], 200)
