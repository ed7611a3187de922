"""A run while it goes: lines for what has happened, below them what the model is writing and where the run stands."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

from quarterdeck.cli.events import Line, Teller
from quarterdeck.cli.screen import Screen, harmless, span, usd
from quarterdeck.sdk import Delta, Event, QuarterdeckError, Reset

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from quarterdeck.sdk import Quarterdeck, Run

Choice: TypeAlias = Literal["watch", "leave", "cancel"]

_SHOWN_LINES = 12


class LeftRunning(Exception):
    """The person has gone; the run goes on."""


class TimeUp(Exception):
    """The time to watch is over; the run goes on."""


class Writing:
    """What the model is just writing: pieces put together by their offsets, whatever was missed before."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._place = (0, 0)

    def take(self, item: Delta | Reset) -> None:
        """Add a piece; one of another step or attempt begins anew."""
        place = (item.step, item.attempt)
        if place != self._place or isinstance(item, Reset):
            self.clear()
            self._place = place
        if isinstance(item, Delta):
            known = self._texts.get(item.kind, "")
            if item.offset > len(known):
                known = "…".rjust(item.offset)  # joined in the middle
            self._texts[item.kind] = known[: item.offset] + item.text

    def clear(self) -> None:
        """The message is complete, or void."""
        self._texts.clear()

    @property
    def text(self) -> str:
        """Its words, or while there are none, its reasoning."""
        return (self._texts.get("text") or self._texts.get("thinking") or "").strip()


def follow(
    deck: "Quarterdeck",
    run: "Run",
    screen: Screen,
    *,
    after: int = 0,
    timeout: float | None = None,
    ask: Callable[[], Choice] | None = None,
) -> "Run":
    """Show a run until it has ended, and answer it as it is then.

    On a terminal live, for JSON an event a line, for a pipe the same lines without colour. Ctrl-C asks `ask` whether
    to leave it running (raises LeftRunning), to cancel it or to go on; without `ask` it leaves. Raises TimeUp.
    """
    view = _View(screen, run)
    last, until = after, None if timeout is None else time.monotonic() + timeout
    with view:
        while True:
            try:
                left = None if until is None else max(0.0, until - time.monotonic())
                for item in deck.runs.stream(
                    run.run_id, after=last, deltas=screen.person, timeout=left, on_cut=view.cut
                ):
                    if isinstance(item, Event):
                        last = item.seq
                    view.take(item)
                seen = deck.runs.get(run.run_id)
                if not seen.ended:
                    raise TimeUp
                return seen
            except KeyboardInterrupt:
                with view.aside():
                    choice = ask() if ask is not None else "leave"
                if choice == "leave":
                    raise LeftRunning from None
                if choice == "cancel":
                    deck.runs.cancel(run.run_id, "from the command line")


class _View:
    """The screen of one watched run."""

    def __init__(self, screen: Screen, run: "Run") -> None:
        self._screen = screen
        self._run = run
        self._teller = Teller()
        self._writing = Writing()
        self._began = time.monotonic()
        self._doing = run.status
        self._steps = run.steps_used
        self._cost = 0
        self._cut = False
        self._live = self._make_live() if screen.person else None

    def __enter__(self) -> "_View":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._writing.clear()
            self._doing = ""
            self._live.stop()

    def aside(self) -> "_Aside":
        """The live part is away while something else is on the screen."""
        return _Aside(self._live)

    def cut(self, error: QuarterdeckError) -> None:
        """The connection was lost; a new one is being made."""
        del error
        self._cut = True

    def take(self, item: Event | Delta | Reset) -> None:
        """Show one thing."""
        self._cut = False
        if not isinstance(item, Event):
            self._writing.take(item)
            self._doing = "the model is writing"
            return
        if self._screen.json:
            self._screen.stream(item)
            return
        line = self._teller.tell(item)
        self._note(item)
        if line is not None:
            self._put(line)

    def _note(self, event: Event) -> None:
        """What the status line says from now on."""
        match event.kind:
            case "model.called":
                self._steps += 1
                self._doing = "asking the model"
            case "model.answered":
                cost = event.data.get("cost")
                self._cost += int(cost) if isinstance(cost, int | float) else 0
                self._writing.clear()
                self._doing = "working"
            case "tool.called":
                self._doing = f"calling {event.data.get('tool', 'a tool')}"
            case "run.parked":
                self._doing = str(event.data.get("status", "waiting")).replace("_", " ")
            case "run.finished":
                self._writing.clear()
                self._doing = ""
            case "run.cancel_requested":
                self._doing = "cancelling"
            case _:
                pass

    def _put(self, line: Line) -> None:
        if self._live is None:
            print(f"{line.mark} {line.text}", flush=True)
            return
        from rich.text import Text

        self._live.console.print(Text(f"{line.mark} {line.text}", style=line.style))

    def _make_live(self) -> "Live":
        from rich.live import Live

        return Live(get_renderable=self._render, console=self._screen.console, refresh_per_second=8, transient=True)

    def _render(self) -> "RenderableType":
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        if not self._doing:
            return Text("", end="")
        seconds = int(time.monotonic() - self._began)
        elapsed = f"{seconds} s" if seconds < 60 else span(seconds)
        facts = [
            self._doing,
            f"step {self._steps}" if self._steps else "",
            elapsed,
            usd(self._cost) if self._cost else "",
        ]
        status = Spinner("dots", Text(" · ".join(fact for fact in facts if fact), style="blue"))
        written = "\n".join(harmless(self._writing.text).splitlines()[-_SHOWN_LINES:])
        return Group(*([Text(written)] if written else []), status)


class _Aside:
    def __init__(self, live: "Live | None") -> None:
        self._live = live

    def __enter__(self) -> None:
        if self._live is not None:
            self._live.stop()

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.start()
