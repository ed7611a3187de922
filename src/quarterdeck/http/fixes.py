"""A refused value is named by its place, with what is wrong and how to put it right; its content is not repeated."""

from collections.abc import Mapping, Sequence
from typing import cast

from quarterdeck.core.errors import Error, Invalid, Malformed
from quarterdeck.core.json import Json
from quarterdeck.core.text import shorten

_SHOWN = 20
_FIXES = {
    "missing": "add it",
    "extra_forbidden": "remove it, or check its spelling",
    "uuid_parsing": "send an id as it was given to you, a UUID",
    "uuid_type": "send an id as it was given to you, a UUID",
    "string_type": "send a string",
    "string_unicode": "send Unicode text without lone surrogates",
    "int_type": "send a whole number",
    "int_parsing": "send a whole number",
    "float_type": "send a number",
    "float_parsing": "send a number",
    "bool_type": "send true or false",
    "bool_parsing": "send true or false",
    "dict_type": "send an object",
    "model_type": "send an object",
    "model_attributes_type": "send an object, with content-type application/json",
    "list_type": "send a list",
    "datetime_parsing": "send a time as ISO 8601, such as 2026-01-31T12:00:00Z",
    "datetime_from_date_parsing": "send a time as ISO 8601, such as 2026-01-31T12:00:00Z",
    "timezone_aware": "send a time with its zone, such as 2026-01-31T12:00:00Z",
    "json_invalid": "send JSON",
}
_BOUNDS = {
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
    "string_too_long": "max_length",
    "string_too_short": "min_length",
    "too_long": "max_length",
    "too_short": "min_length",
    "string_pattern_mismatch": "pattern",
    "enum": "expected",
    "literal_error": "expected",
}


def invalid(place: str, problem: str, fix: str) -> Invalid:
    """One refused value, for checks that are made by hand."""
    return Invalid(f"{place}: {problem}; {fix}.", errors=[{"place": place, "problem": problem, "fix": fix}])


def explain_invalid(faults: Sequence[Mapping[str, object]]) -> Error:
    """Our error for what pydantic found: Malformed when the body is no JSON at all, else Invalid with each place."""
    for fault in faults:
        if fault["type"] == "json_invalid" and _place(fault).startswith("body"):
            return _malformed(fault)
    shown: list[Json] = [
        {"place": _place(fault), "problem": _problem(fault), "fix": _fix(fault)} for fault in faults[:_SHOWN]
    ]
    first = cast("Mapping[str, str]", shown[0])
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Invalid(f"{first['place']}: {first['problem']}; {first['fix']}{more}.", errors=shown)


def _malformed(fault: Mapping[str, object]) -> Malformed:
    at = cast("Sequence[object]", fault["loc"])[-1]
    context = cast("Mapping[str, object]", fault.get("ctx") or {})
    reason = str(context.get("error", "it can't be parsed"))
    if isinstance(at, int):
        return Malformed(f"The body is not JSON: {reason} at character {at}.", position=at)
    return Malformed(f"The body is not JSON: {reason}.")


def _place(fault: Mapping[str, object]) -> str:
    text = ""
    for part in cast("Sequence[object]", fault["loc"]):
        text += f"[{part}]" if isinstance(part, int) else f".{shorten(str(part), 80)}"
    return text.removeprefix(".")


def _problem(fault: Mapping[str, object]) -> str:
    message = shorten(str(fault["msg"]), 200)
    return message[:1].lower() + message[1:]


def _fix(fault: Mapping[str, object]) -> str:
    kind = str(fault["type"])
    if kind in _FIXES:
        return _FIXES[kind]
    context = cast("Mapping[str, object]", fault.get("ctx") or {})
    bound = context.get(_BOUNDS.get(kind, ""))
    match kind:
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
            return f"send {words[_BOUNDS[kind]]} {bound}"
        case "string_too_long" | "too_long":
            return f"send at most {bound}"
        case "string_too_short" | "too_short":
            return f"send at least {bound}"
        case "string_pattern_mismatch":
            return f"send what matches {bound}"
        case "enum" | "literal_error":
            return f"send one of {bound}"
        case _:
            return "see /docs for what is accepted"
