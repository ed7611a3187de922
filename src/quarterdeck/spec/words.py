"""What pydantic finds wrong, said in the words of somebody who writes YAML: place, problem and fix."""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from quarterdeck.core.json import Json
from quarterdeck.core.text import shorten
from quarterdeck.spec import values
from quarterdeck.spec.document import Document, Path
from quarterdeck.spec.findings import Finding, did_you_mean, listed
from quarterdeck.spec.section import Section

_TYPES: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping (`key: value`)",
    "model_type": "a mapping (`key: value`)",
    "model_attributes_type": "a mapping (`key: value`)",
}
_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
}
_LENGTHS: Mapping[str, tuple[str, str]] = {
    "string_too_short": ("min_length", "write at least {} character(s)"),
    "string_too_long": ("max_length", "write at most {:,} characters"),
    "too_short": ("min_length", "give it at least {}"),
    "too_long": ("max_length", "give it at most {}"),
}
_PATTERNS: Mapping[str, str] = {
    values.NAME: "lower-case letters, digits and dashes, at most 63, beginning with a letter or digit",
    values.SERVER_NAME: "lower-case letters, digits, dashes and underscores, beginning with a letter or digit",
    values.TOOL_NAME: "letters, digits, dashes and underscores, at most 64",
    values.VARIABLE_NAME: "lower-case letters, digits and underscores, beginning with a letter",
    values.ARGUMENT: "an argument's path: `to`, `order.amount`, `items[].account`",
    values.SPAN: "a whole number and a unit: `30s`, `1m`, `24h`, `7d`",
    values.VAULT_NAME: "letters, digits, dots, dashes and underscores, at most 100",
    values.ROLE: "letters, digits and `_.:/-`, at most 100",
    values.HOST: "a host such as `api.example.com`, `*.example.com` or `localhost:8080`; `*` is all",
    values.SUB_AGENT: "an agent's name, or one release of it: `researcher@` and a label or digits of its id",
    values.POINTER: "a JSON pointer such as `/deleted`",
}


def findings_of(document: Document, section: type[Section], fault: ValidationError) -> list[Finding]:
    """Every fault that pydantic found, one finding a place, in the order of the file."""
    by_path: dict[Path, list[ErrorDetails]] = {}
    for error in fault.errors(include_url=False):
        by_path.setdefault(_path(document, error), []).append(error)
    found = [_finding(document, section, path, errors) for path, errors in by_path.items()]
    return sorted(found, key=lambda finding: finding.place)


def findings_within(document: Document, section: type[Section], fault: ValidationError, under: Path) -> list[Finding]:
    """The same for a section that was judged by itself and stands at a path."""
    inner = Document(
        document.file,
        document.value,
        {path[len(under) :]: place for path, place in document.values.items() if path[: len(under)] == under},
        {path[len(under) :]: place for path, place in document.keys.items() if path[: len(under)] == under},
    )
    return findings_of(inner, section, fault)


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: `tools[0].stdio.command`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{shorten(part, 60)}" for part in path)
    return text.removeprefix(".")


def _path(document: Document, error: ErrorDetails) -> Path:
    """The path in the document that an error speaks of, without what pydantic adds to tell alternatives apart."""
    path = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "missing":
        return path
    while path and path not in document.values:
        path = path[:-1]
    return path


def _finding(document: Document, root: type[Section], path: Path, errors: Sequence[ErrorDetails]) -> Finding:
    error = errors[0]
    kind = error["type"]
    field = _field(root, path)
    if kind == "missing":
        return Finding(document.key(path[:-1]), f"`{dotted(path)}` is missing", f"add {_example(str(path[-1]), field)}")
    if kind == "extra_forbidden":
        return _unknown(document, root, path)
    if "[key]" in error["loc"] or kind == "string_pattern_mismatch":
        return _misnamed(document, path, error)
    if len(errors) > 1 or kind in _TYPES:
        wanted = list(dict.fromkeys(_TYPES.get(one["type"], "something else") for one in errors))
        return _mistyped(document, path, field, wanted, error["input"])
    context = cast("Mapping[str, object]", error.get("ctx") or {})
    what = f"`{dotted(path)}` is {_shown(error['input'])}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return Finding(document.place(path), what, f"write {words.format(_number(context[name]))}")
    if kind in _LENGTHS:
        name, words = _LENGTHS[kind]
        long = "short" if "short" in kind else "long"
        return Finding(document.place(path), f"`{dotted(path)}` is too {long}", words.format(context[name]))
    if kind == "enum":
        allowed = re.findall(r"'([^']*)'", str(context.get("expected")))
        near = did_you_mean(str(error["input"]), allowed)
        one_of = f"write one of {listed(allowed)}"
        return Finding(document.place(path), what, f"{near} {one_of}" if near.startswith("did") else one_of)
    problem = error["msg"]
    return Finding(document.place(path), f"`{dotted(path)}`: {problem[:1].lower()}{problem[1:]}", "correct the value")


def _unknown(document: Document, root: type[Section], path: Path) -> Finding:
    section = _section(root, path[:-1])
    word = str(path[-1])
    later = section.LATER.get(word) if section is not None else None
    if later is not None:
        problem = f"`{dotted(path)}` is reserved: {later} come in a later version"
        return Finding(document.key(path), problem, "remove it for now")
    known = list(section.model_fields) if section is not None else []
    instead = section.INSTEAD.get(word) if section is not None else None
    return Finding(document.key(path), f"there is no `{dotted(path)}`", instead or did_you_mean(word, known))


def _misnamed(document: Document, path: Path, error: ErrorDetails) -> Finding:
    word = str(error["input"])
    context = cast("Mapping[str, object]", error.get("ctx") or {})
    allowed = _PATTERNS.get(str(context.get("pattern")), "other characters")
    if "[key]" in error["loc"]:
        return Finding(document.key(path), f"`{shorten(word, 60)}` can't be a name here", f"use {allowed}")
    return Finding(document.place(path), f"`{dotted(path)}` is {_shown(word)}", f"use {allowed}{_slug(word, context)}")


def _slug(word: str, context: Mapping[str, object]) -> str:
    if context.get("pattern") != values.NAME:
        return ""
    slug = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:63]
    return f", such as `{slug}`" if slug else ""


def _mistyped(document: Document, path: Path, field: FieldInfo | None, wanted: Sequence[str], given: Json) -> Finding:
    words = " or ".join(wanted)
    place, name = document.place(path), f"`{dotted(path)}`" if path else "the file"
    if given is None and path:
        return Finding(document.key(path), f"{name} is empty", f"write {_example(str(path[-1]), field)}")
    shown = f'the text "{shorten(given, 60)}"' if isinstance(given, str) else _shown(given)
    return Finding(place, f"{name} has to be {words}, not {shown}", _conversion(wanted[0], given, path, field))


def _conversion(wanted: str, given: Json, path: Path, field: FieldInfo | None) -> str:
    """How to write what was probably meant."""
    if wanted == "true or false" and isinstance(given, str) and given.lower() in {"yes", "no", "on", "off", "y", "n"}:
        return f"write `{'true' if given.lower() in {'yes', 'on', 'y'} else 'false'}`"
    if wanted.endswith("number") and isinstance(given, str) and re.fullmatch(r"-?[\d_,]+(\.\d+)?", given):
        return f"write `{re.sub('[_,]', '', given)}`, without quotes or separators"
    if wanted == "text" and isinstance(given, int | float):
        return f'write "{str(given).lower() if isinstance(given, bool) else given}", in quotes'
    if wanted == "a list" and isinstance(given, str):
        return f"write `[{shorten(given, 60)}]`"
    return f"write {_example(str(path[-1]), field)}" if path else "begin with `name: ...`"


def _example(name: str, field: FieldInfo | None) -> str:
    """A line that would be right."""
    if field is None:
        return "a value of that kind"
    if field.examples:
        return f"`{name}: {_yaml(field.examples[0])}`"
    default = field.get_default()
    return f"`{name}: {_yaml(default)}`" if isinstance(default, int | float) else f"`{name}: ...`"


def _yaml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_yaml(item) for item in cast('Iterable[object]', value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(bound: object) -> str:
    return f"{bound:,g}" if isinstance(bound, float) else f"{bound:,}" if isinstance(bound, int) else str(bound)


def _shown(value: Json) -> str:
    if isinstance(value, str):
        return f"`{shorten(' '.join(value.split()), 60)}`" if value.strip() else "empty"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, Sequence) else f"`{value}`"


def _field(root: type[Section], path: Path) -> FieldInfo | None:
    """The field that a path leads to; None within lists and free mappings."""
    section = _section(root, path[:-1]) if path else None
    return section.model_fields.get(str(path[-1])) if section is not None else None


def _section(root: type[Section], path: Path) -> type[Section] | None:
    """The section that a path leads to."""
    at: object = root
    for part in path:
        if isinstance(at, type) and issubclass(at, BaseModel):
            field = at.model_fields.get(str(part))
            at = None if field is None else _meant(field.annotation)
        else:
            inner = get_args(at)
            at = _meant(inner[-1]) if inner else None
    return at if isinstance(at, type) and issubclass(at, Section) else None


def _meant(annotation: Any) -> object:  # noqa: ANN401 - an annotation may be anything
    """The alternative of an annotation that holds more: a section, or a list or mapping of some."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _meant(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        alternatives = [_meant(one) for one in get_args(annotation)]
        return next((one for one in alternatives if isinstance(one, type) or get_args(one)), None)
    return annotation
