"""Reads what providers export of usage and cost, line by line and offline: CSV, JSON lines, or the pages of their APIs.

Known are OpenAI's usage and costs, Anthropic's usage and cost reports, and anything with a day, a model and counts. All
of them are flattened to one row of names and values first; what a name means stands in a table.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import TypeAlias, cast

from quarterdeck.core.json import decode
from quarterdeck.core.text import shorten

_MARK = b"\xef\xbb\xbf"
"""What some programs begin a file of UTF-8 with."""
Row: TypeAlias = Mapping[str, object]

_MEANINGS: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "day", "usage_date_utc", "start_time", "starting_at", "start_time_iso", "timestamp"),
    "model": ("model", "model_version", "model_id", "line_item"),
    "calls": ("calls", "num_model_requests", "requests", "num_requests"),
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "usage_output_tokens"),
    "cached_tokens": (
        "cached_tokens",
        "input_cached_tokens",
        "cache_read_input_tokens",
        "usage_input_tokens_cache_read",
    ),
    "cost": ("cost", "cost_usd", "amount_value"),
}
"""Our names, and what they are called by those who export."""
NAMES = tuple(_MEANINGS)

_FRESH = ("uncached_input_tokens", "usage_input_tokens_no_cache")
_WRITTEN = re.compile(r"cache_creation.*input_tokens|usage_input_tokens_cache_write\w*")
"""Where an export counts cached tokens apart, the input is what is fresh, what was read and what was written."""


@dataclass(frozen=True, slots=True)
class ExportDay:
    """What a provider says of one model on one day in UTC. `input` includes the cached; None = it does not say."""

    day: date
    model: str
    calls: int | None = None
    input: int | None = None
    output: int | None = None
    cached: int | None = None
    cost: int | None = None

    def plus(self, other: "ExportDay") -> "ExportDay":
        """Both together; what one of them does not say is what the other says."""
        sums = {name: _sum(getattr(self, name), getattr(other, name)) for name in _COUNTS}
        return replace(self, **sums)


_COUNTS = tuple(field.name for field in fields(ExportDay))[2:]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be read."""

    line: int
    problem: str


def plain(model: str) -> str:
    """A model's name without what providers put around it."""
    return model.strip().lower().removeprefix("models/")


class _Unreadable(Exception):
    """What is wrong with a row, for `BadLine`."""


def read(lines: Iterable[bytes], columns: Mapping[str, str] | None = None) -> Iterator[ExportDay | BadLine]:
    """What an export says, row by row; the caller adds up. `columns` are names of columns by what they mean (`NAMES`).

    Holds one line at a time, except of a JSON document that is laid out over several lines.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return
    rows = _json(first, numbered) if first[1].removeprefix(_MARK).lstrip()[:1] in b"{[" else _csv(first, numbered)
    for number, found in rows:
        if isinstance(found, str):
            yield BadLine(number, found)
            continue
        try:
            yield _day(found, columns or {})
        except _Unreadable as fault:
            yield BadLine(number, str(fault))


def _csv(first: tuple[int, bytes], rest: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, Row | str]]:
    # A quoted text may go over several lines: where a row began is where the one before it ended.
    at = first[0]

    def texts() -> Iterator[str]:
        nonlocal at
        for number, line in chain((first,), rest):
            at = number
            yield line.decode("utf-8-sig" if number == 1 else "utf-8", "replace")

    reader = csv.reader(texts(), strict=True)
    head: Sequence[str] | None = None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            yield at, f"it is no CSV: {fault}"
            continue
        if head is None:
            head = [name.strip().lower() for name in row]
        elif len(row) != len(head):
            yield at, f"it has {len(row)} columns and the head {len(head)}"
        elif "\ufffd" in "".join(row):
            yield at, "it is not UTF-8"
        else:
            yield at, dict(zip(head, row, strict=True))


def _json(first: tuple[int, bytes], rest: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, Row | str]]:
    number, line = first
    line = line.removeprefix(_MARK)
    try:
        value = decode(line)
    except ValueError:
        yield from _document((number, line), rest)
        return
    yield from ((number, row) for row in _rows(value))
    for number, line in rest:
        try:
            value = decode(line)
        except ValueError as fault:
            yield number, f"it is no JSON: {fault}"
            continue
        yield from ((number, row) for row in _rows(value))


def _document(first: tuple[int, bytes], rest: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, Row | str]]:
    """One value that is laid out over several lines."""
    lines = [first, *rest]
    try:
        value = decode(b"".join(line for _, line in lines))
    except ValueError as fault:
        yield _line_of(lines, str(fault)), f"it is no JSON: {fault}"
    else:
        yield from ((first[0], row) for row in _rows(value))


def _line_of(lines: Sequence[tuple[int, bytes]], fault: str) -> int:
    """The line of the byte that a fault speaks of, else the last."""
    told = re.search(r"\(byte (\d+)\)", fault)
    left = int(told[1]) if told else sum(len(line) for _, line in lines)
    for number, line in lines:
        if left < len(line):
            return number
        left -= len(line)
    return lines[-1][0]


def _rows(value: object) -> Iterator[Row | str]:
    """The rows of a page, of a bucket, of a list of either, or the row itself."""
    if isinstance(value, list):
        for one in cast("list[object]", value):
            yield from _rows(one)
    elif not isinstance(value, dict):
        yield "it is no object"
    else:
        members = cast("dict[str, object]", value)
        inner = members.get("data", members.get("results"))
        if not isinstance(inner, list):
            yield _flat(members)
            return
        outer = {name: one for name, one in members.items() if not isinstance(one, list)}
        for one in cast("list[object]", inner):
            yield from _rows({**outer, **cast("dict[str, object]", one)} if isinstance(one, dict) else one)


def _flat(members: Mapping[str, object]) -> Row:
    """Inner objects' members beside the others, as `amount_value`."""
    row: dict[str, object] = {}
    for name, value in members.items():
        if isinstance(value, dict):
            row |= {f"{name}_{inner}": one for inner, one in cast("dict[str, object]", value).items()}
        else:
            row[name.lower()] = value
    return row


def _day(row: Row, columns: Mapping[str, str]) -> ExportDay:
    def value(name: str) -> object:
        if name in columns:
            if columns[name].lower() not in row:
                raise _Unreadable(f"it has no {columns[name]!r}")
            return row[columns[name].lower()]
        return next((row[one] for one in _MEANINGS[name] if row.get(one, "") not in (None, "")), None)

    read, cost = _count(value("cached_tokens"), "cached_tokens"), _cost(row, value("cost"))
    told, fresh = value("input_tokens"), next((row[name] for name in _FRESH if name in row), None)
    if told is None and fresh is not None:
        written = [_count(one, name) or 0 for name, one in row.items() if _WRITTEN.fullmatch(name)]
        told = (_count(fresh, "uncached tokens") or 0) + (read or 0) + sum(written)
    return ExportDay(
        day=_date(value("date")),
        model=_model(value("model")),
        calls=_count(value("calls"), "calls"),
        input=_count(told, "input_tokens"),
        output=_count(value("output_tokens"), "output_tokens"),
        cached=read,
        cost=cost,
    )


def _date(value: object) -> date:
    """A day in UTC: seconds since 1970, or ISO 8601, which is UTC unless it says otherwise."""
    if value is None:
        raise _Unreadable("it has no date")
    text = str(value).strip()
    try:
        if re.fullmatch(r"\d{9,11}(\.\d+)?", text):
            return datetime.fromtimestamp(float(text), UTC).date()
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise _Unreadable(f"{shorten(text, 40)!r} is no date") from None
    return (at.astimezone(UTC) if at.tzinfo else at).date()


def _model(value: object) -> str:
    """A model's name. OpenAI's costs put what is charged for behind it: `gpt-4.1, input`."""
    name = str(value or "").split(",")[0].strip()
    if not name:
        raise _Unreadable("it has no model: export it grouped by model")
    if len(name) > 200 or not name.isprintable():
        raise _Unreadable("its model is no name")
    return name


def _count(value: object, name: str) -> int | None:
    if value is None or value == "":
        return None
    number = _number(value, name)
    if number < 0 or number != number.to_integral_value() or number > 10**15:
        raise _Unreadable(f"{name}: {shorten(str(value), 40)!r} is no count")
    return int(number)


def _cost(row: Row, value: object) -> int | None:
    """Micro-USD. Anthropic's cost report gives cents, as a text called `amount`; everybody else dollars."""
    cents = row.get("amount") if value is None else None
    given = value if cents is None else cents
    if given is None:
        return None
    currency = row.get("currency", row.get("amount_currency")) or "usd"
    if str(currency).lower() != "usd":
        raise _Unreadable(f"its cost is in {shorten(str(currency), 10)!r}, and ours in USD")
    micro = _number(given, "cost") * 1_000_000 / (1 if cents is None else 100)
    if abs(micro) > 10**15:
        raise _Unreadable("its cost is no sum of money")
    return round(micro)


def _number(value: object, name: str) -> Decimal:
    text = str(value).strip().removeprefix("$").replace(",", "")
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise _Unreadable(f"{name}: {shorten(str(value), 40)!r} is no number")
    return number


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
