"""How commands print: for people on a terminal, plain when piped, JSON when asked for.

Results go to standard output and nothing else does: progress, questions and errors go to standard error.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from quarterdeck.core.json import encode

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

COLOURS: Mapping[str, str] = {
    "succeeded": "green",
    "failed": "red",
    "stopped": "magenta",
    "cancelled": "dim",
    "running": "blue",
    "queued": "dim",
    "cancelling": "yellow",
    "active": "green",
    "alive": "green",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
    "revoked": "red",
    "expired": "red",
    "dead": "red",
    "draining": "yellow",
    "warning": "yellow",
    "critical": "red",
}
"""Colours of states; whatever waits is yellow."""

_SENTENCE = 40
"""Cells that are longer are sentences and may be broken; ids are shorter."""


class Screen:
    """Where a command prints. Decided once: JSON or not, a person or a pipe."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.person = not json and sys.stdout.isatty()
        self._console: Console | None = None

    @property
    def console(self) -> "Console":
        """Rich's console for standard output, made when a person is there to see it."""
        from rich.console import Console

        self._console = self._console or Console(highlight=False, soft_wrap=True)
        return self._console

    def line(self, text: str, style: str = "") -> None:
        """One line for people or pipes; nothing when JSON was asked for."""
        if self.json:
            return
        if self.person and style:
            from rich.text import Text

            self.console.print(Text(text, style=style))
        else:
            print(text)

    def value(self, value: object) -> None:
        """A result as JSON, laid out to be read."""
        print(msgspec.json.format(encode(value), indent=2).decode())

    def stream(self, value: object) -> None:
        """One result of many as JSON on one line, at once."""
        print(encode(value).decode(), flush=True)

    def facts(self, value: object, rows: Iterable[tuple[str, object]]) -> None:
        """One thing: as JSON, or as a line for each fact that is there."""
        if self.json:
            self.value(value)
            return
        shown = [(name, said) for name, fact in rows if (said := self.cell(fact))]
        wide = max((len(name) for name, _ in shown), default=0)
        for name, said in shown:
            if self.person:
                from rich.text import Text

                self.console.print(Text(f"{name:<{wide}}  ", style="dim").append(said, style=colour(said)))
            else:
                print(f"{name}\t{said}")

    def table(
        self, items: Sequence[T], columns: Sequence[tuple[str, Callable[[T], object]]], empty: str = "nothing here yet"
    ) -> None:
        """Many things: as a JSON list, as a table for people, or with a tab between columns for pipes."""
        if self.json:
            self.value(items)
        elif not self.person:
            for item in items:
                print("\t".join(self.cell(read(item)) for _, read in columns))
        elif not items:
            self.line(empty, "dim")
        else:
            self._table(items, columns)

    def _table(self, items: Sequence[T], columns: Sequence[tuple[str, Callable[[T], object]]]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        rows = [[self.cell(read(item)) for _, read in columns] for item in items]
        for at, (name, _) in enumerate(columns):
            longest = max(len(row[at]) for row in rows)
            # Sentences make room first. What stands first is never cut: half an id is of no use.
            table.add_column(
                name,
                overflow="fold" if longest > _SENTENCE else "ellipsis",
                no_wrap=longest <= _SENTENCE,
                min_width=longest if at == 0 else None,
            )
        for row in rows:
            table.add_row(*(Text(cell, style=colour(cell)) for cell in row))
        self.console.print(table, soft_wrap=False)

    def cell(self, fact: object) -> str:
        """A fact as text. Times are ages for people and ISO 8601 for pipes."""
        match fact:
            case None | "":
                return ""
            case bool():
                return "yes" if fact else "no"
            case datetime():
                return age(fact) if self.person else fact.astimezone(UTC).isoformat(timespec="seconds")
            case list() | tuple() | set() | frozenset():
                return ", ".join(self.cell(one) for one in fact)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # of whatever
            case _:
                return harmless(str(fact)).replace("\n", " ")

    def progress(self, words: str) -> AbstractContextManager[object]:
        """A spinner on standard error while something takes long; nothing for pipes."""
        if self.json or not sys.stderr.isatty():
            return nullcontext()
        from rich.console import Console

        return Console(stderr=True).status(words)

    def note(self, words: str) -> None:
        """Something that a person should know beside the result, on standard error."""
        if not self.json:
            print(words, file=sys.stderr)


def harmless(text: str) -> str:
    """A text that a terminal only shows: it would act on control characters, and models and tools write such things."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def colour(word: str) -> str:
    """The colour of a state; none for any other word."""
    return "yellow" if word.startswith("waiting_") else COLOURS.get(word, "")


def age(at: datetime, now: datetime | None = None) -> str:
    """How long ago, or how far ahead, in the unit that says enough."""
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    words = span(abs(seconds))
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def span(seconds: float) -> str:
    """A duration for people: 340 ms, 2.4 s, 3 min 5 s, 2 h 10 min, 12 d."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d"


def usd(micro: int) -> str:
    """Money for people: cents from one cent up, more digits below."""
    dollars = micro / 1_000_000
    return f"${dollars:,.2f}" if dollars >= 1 or micro == 0 else f"${dollars:.4f}"
