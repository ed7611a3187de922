"""A trace as a waterfall of characters: each span a line, indented under what it belongs to, its time as a bar."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from quarterdeck.cli.screen import harmless, span
from quarterdeck.core.text import shorten

if TYPE_CHECKING:
    from quarterdeck.sdk.records import Span

_NAME, _BAR = 44, 32
_PASSED = ("policy", "ok")
"""A check that let something pass is no news."""
_STYLES = {"error": "red", "denied": "red", "unknown": "yellow", "waiting": "yellow", "running": "blue"}


def draw(spans: "Sequence[Span]") -> Iterator[tuple[str, str]]:
    """Lines and their colours, in the order of the spans."""
    depths = _depths(spans)
    spans = [one for one in spans if (one.kind, one.status) != _PASSED]
    placed = [(one.start, one.end or one.start) for one in spans if one.start is not None]
    if not placed:
        return
    first, last = min(begin for begin, _ in placed), max(end for _, end in placed)
    total = max((last - first).total_seconds(), 1e-6)
    for one in spans:
        name = shorten("  " * depths[one.id] + harmless(one.name or one.kind).replace("\n", " "), _NAME)
        took = span(one.ms / 1000) if one.ms is not None else "…"
        yield f"{name:<{_NAME}} {took:>10}  {_bar(one, first, total)}", _STYLES.get(one.status, "")


def _bar(one: "Span", first: datetime, total: float) -> str:
    if one.start is None:
        return ""
    begin = round((one.start - first).total_seconds() / total * _BAR)
    width = max(1, round((one.ms or 0) / 1000 / total * _BAR))
    begin = min(begin, _BAR - 1)
    return " " * begin + "━" * min(width, _BAR - begin)


def _depths(spans: "Sequence[Span]") -> dict[str, int]:
    depths: dict[str, int] = {}
    for one in spans:  # parents stand before their children
        depths[one.id] = depths.get(one.parent, -1) + 1 if one.parent else 0
    return depths
