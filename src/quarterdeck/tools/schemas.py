"""A JSON Schema of somebody else's, compiled once; what does not fit is said in words that a model can act on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import jsonschema_rs

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.core.text import shorten
from quarterdeck.spec.schemas import Compiled

_MOST = 8
_LONGEST = 300


class Schema:
    """One compiled schema. Raises `jsonschema_rs.ValidationError` where it is not a valid schema itself.

    It never fetches what a `$ref` points to, and is not applied where that would take too long: schemas come from
    others.
    """

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema
        self._compiled = Compiled(schema)

    def problems(self, value: Json) -> tuple[str, ...]:
        """What does not fit, each with its place, what is wrong and what is allowed. Empty = it fits."""
        errors = self._compiled.misfits(value)
        if isinstance(errors, str):
            return (f"at the top: {errors}",)
        told = [self._tell(error) for error in errors[:_MOST]]
        if len(errors) > _MOST:
            told.append(f"and {len(errors) - _MOST} more")
        return tuple(told)

    def _tell(self, error: jsonschema_rs.ValidationError) -> str:
        place = _place(error.instance_path)
        message = shorten(error.message, _LONGEST)
        allowed = _allowed(error.kind.name, self._at(error.schema_path[:-1]))
        return f"{place}: {message}" + (f" (allowed: {allowed})" if allowed else "")

    def _at(self, path: Iterable[str | int]) -> Json:
        """The part of the schema that an error came from; None where the path leads through a reference."""
        part: Json = self._schema
        for step in path:
            if isinstance(part, Mapping):
                part = part.get(str(step))
            elif isinstance(part, Sequence) and not isinstance(part, str) and isinstance(step, int):
                part = part[step] if step < len(part) else None
            else:
                return None
        return part


def _place(path: Iterable[str | int]) -> str:
    written = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return written.removeprefix(".") or "at the top"


def _allowed(keyword: str, schema: Json) -> str:
    """What would have fitted, where the message does not say so itself."""
    if not isinstance(schema, Mapping):
        return ""
    if keyword in {"additionalProperties", "unevaluatedProperties"}:
        properties = schema.get("properties")
        return ", ".join(properties) if isinstance(properties, Mapping) else ""
    if keyword in {"anyOf", "oneOf"}:
        branches = schema.get(keyword)
        if isinstance(branches, Sequence) and not isinstance(branches, str):
            return " or ".join(_branch(branch) for branch in branches)
    if keyword == "format":
        return f"a value of the format {schema.get('format')}"
    return ""


def _branch(schema: Json) -> str:
    if not isinstance(schema, Mapping):
        return "anything"
    if "enum" in schema:
        return ", ".join(repr(value) for value in cast("Sequence[Json]", schema["enum"]))
    if "const" in schema:
        return repr(schema["const"])
    return str(schema.get("type") or schema.get("title") or "another schema")
