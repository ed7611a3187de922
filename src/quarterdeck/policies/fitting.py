"""Values of arguments made to fit their types in Cedar, and the paths by which people name them."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.policies.shapes import Kind, Shape, members_of

_LONG = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A value as Cedar's JSON writes it, and the paths of what would not fit and was left out."""

    value: Json
    misfits: tuple[str, ...] = ()


def steps(path: str) -> list[str]:
    """The parts of a path, `[]` being one of its own: `items[].account` = items, [], account."""
    return [
        step for part in path.split(".") for step in (part.removesuffix("[]"), *(["[]"] if part.endswith("[]") else []))
    ]


def at(shape: Shape, path: str) -> Shape | None:
    """The type at a path; None where there is nothing that policies can speak of."""
    found: Shape | None = shape
    for step in steps(path):
        if found is None:
            return None
        if step == "[]":
            found = found.item
        else:
            member = found.members.get(step)
            found = member.shape if member is not None else None
    return found


def leaves(shape: Shape, before: str = "", *, listed: bool = False) -> Iterator[tuple[str, Shape]]:
    """Every text, number and boolean that stands in some list, with its path: `to[]`, `items[].account`."""
    if shape.item is not None:
        yield from leaves(shape.item, f"{before}[]", listed=True)
    elif shape.kind is Kind.RECORD:
        for name, member in shape.members.items():
            if _plain(name):
                yield from leaves(member.shape, f"{before}.{name}" if before else name, listed=listed)
    elif listed:
        yield before, shape


def _plain(name: str) -> bool:
    return not any(char in ".[]" or char.isspace() for char in name)


def fit(shape: Shape, value: Json, path: str = "") -> Fitted:
    """A value as Cedar's JSON. What is null or not declared is not there; what has no form is left out, a misfit."""
    match shape.kind:
        case Kind.TEXT if isinstance(value, str):
            return Fitted(value)
        case Kind.BOOL if isinstance(value, bool):
            return Fitted(value)
        case Kind.LONG | Kind.DECIMAL if isinstance(value, int | float) and not isinstance(value, bool):
            return _number(shape.kind, value, path)
        case Kind.SET if shape.item is not None:
            many = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
            return _set(shape.item, many, path)
        case Kind.RECORD if isinstance(value, Mapping):
            return _record(shape, value, path)
        case _:
            return Fitted(None, (path,))


def _number(kind: Kind, value: float, path: str) -> Fitted:
    exact = Decimal(repr(value))
    if not exact.is_finite():
        return Fitted(None, (path,))
    if kind is Kind.LONG:
        whole = int(exact) if exact == exact.to_integral_value() and abs(exact) < 2**64 else None
        return Fitted(whole) if whole is not None and whole in _LONG else Fitted(None, (path,))
    text = decimal_text(exact)
    return Fitted({"__extn": {"fn": "decimal", "arg": text}}) if text is not None else Fitted(None, (path,))


def decimal_text(exact: Decimal) -> str | None:
    """A number as Cedar's `decimal`: at most four places, 64 bits in all; None where it is not exactly one of those."""
    if abs(exact) >= 2**63:
        return None
    scaled = exact.scaleb(4)
    if scaled != scaled.to_integral_value() or int(scaled) not in _LONG:
        return None
    return f"{exact:.4f}"


def _set(item: Shape, values: Iterable[Json], path: str) -> Fitted:
    fitted = [fit(item, value, f"{path}[]") for value in values]
    misfits = tuple(dict.fromkeys(misfit for one in fitted for misfit in one.misfits))
    return Fitted([one.value for one in fitted if one.value is not None], misfits)


def _record(shape: Shape, value: JsonObject, path: str) -> Fitted:
    found: dict[str, Json] = {}
    misfits: list[str] = []
    for name, member in shape.members.items():
        inner = value.get(name)
        if inner is None:
            continue
        fitted = fit(member.shape, inner, f"{path}.{name}" if path else name)
        misfits += fitted.misfits
        if fitted.value is not None:
            found[name] = fitted.value
    return Fitted(found, tuple(misfits))


def elements(value: Json, path: str) -> list[Json]:
    """Every value that a path with `[]` leads to. One that stands where a list may is an element by itself."""
    found: list[Json] = [value]
    for step in steps(path):
        if step == "[]":
            found = [inner for one in found for inner in (members_of(one) if _is_list(one) else [one])]
        else:
            found = [one.get(step) for one in found if isinstance(one, Mapping)]
    return [one for one in found if one is not None]


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def folded(text: str) -> str:
    """A text without case, and with forms that look alike made one."""
    return unicodedata.normalize("NFKC", text).casefold().strip()
