"""Reads providers' exports from files, names the lines that can't be read, and adds up the others."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import typer

from quarterdeck.cli.screen import Screen, harmless
from quarterdeck.core.json import Json
from quarterdeck.spec.exports import NAMES, BadLine, ExportDay, plain, read

if TYPE_CHECKING:
    from rich.progress import Progress

_SHOWN = 20


def read_bills(files: Sequence[Path], columns: Mapping[str, str], screen: Screen) -> tuple[list[dict[str, Json]], int]:
    """What all of them say by day and model, as the API takes it, and how many lines can't be read.

    Memory holds a line and the sums. Raises BadParameter for columns that mean nothing.
    """
    if unknown := sorted(columns.keys() - set(NAMES)):
        raise typer.BadParameter(f"there is no {unknown[0]!r}: one of {', '.join(NAMES)}", param_hint="--map")
    sums: dict[tuple[object, str], ExportDay] = {}
    bad = 0
    for path in files:
        with _opened(path, screen) as file:
            for found in read(file, columns):
                if isinstance(found, BadLine):
                    bad += 1
                    if bad <= _SHOWN:
                        screen.note(f"{path}:{found.line}: {harmless(found.problem)}")
                    continue
                place = (found.day, plain(found.model))
                sums[place] = sums[place].plus(found) if place in sums else found
    if bad > _SHOWN:
        screen.note(f"... and {bad - _SHOWN:,} more lines that can't be read")
    return [_sent(day) for day in sums.values()], bad


@contextmanager
def _opened(path: Path, screen: Screen) -> "Generator[BinaryIO]":
    """A file to be read line by line. A person who waits sees how far it is."""
    import sys

    with path.open("rb") as file:
        if screen.json or not sys.stderr.isatty():
            yield file
            return
        with _bar() as progress:
            yield progress.wrap_file(file, path.stat().st_size, description=path.name)


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*shown, console=Console(stderr=True), transient=True)


def _sent(day: ExportDay) -> dict[str, Json]:
    told: dict[str, Json] = {
        "calls": day.calls,
        "input_tokens": day.input,
        "output_tokens": day.output,
        "cached_tokens": day.cached,
        "cost_micro_usd": day.cost,
    }
    known = {name: value for name, value in told.items() if value is not None}
    return {"date": day.day.isoformat(), "model": day.model, **known}
