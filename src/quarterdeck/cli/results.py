"""What commands about runs share: finding one, following it, printing what it came to, and the exit code for that."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import typer

from quarterdeck.cli.exits import OF_STATUS, Exit
from quarterdeck.cli.screen import Screen, harmless, span, usd

if TYPE_CHECKING:
    from quarterdeck.cli.live import Choice
    from quarterdeck.sdk import Quarterdeck, Run


def find(client: "Quarterdeck", run_id: str) -> "Run":
    """A run by its id; `last` is the newest. Raises BadParameter where there is none."""
    if run_id != "last":
        return client.runs.get(run_id)
    newest = client.runs.list(limit=1).all()
    if not newest:
        raise typer.BadParameter("there are no runs yet", param_hint="RUN")
    return client.runs.get(newest[0].run_id)


def watch_run(
    client: "Quarterdeck",
    run: "Run",
    screen: Screen,
    timeout: float | None,
    ask: "Callable[[], Choice]",
    after: int = 0,
) -> None:
    """Follow a run to its end, print what it came to, exit as it ended. `ask` is asked when a person interrupts."""
    from quarterdeck.cli.live import LeftRunning, TimeUp, follow

    try:
        ended = follow(client, run, screen, after=after, timeout=timeout, ask=ask if screen.person else None)
    except LeftRunning:
        screen.note(f"It goes on: qd run watch {run.run_id}")
        raise typer.Exit(Exit.INTERRUPTED) from None
    except TimeUp:
        screen.note(f"It goes on: qd run watch {run.run_id}")
        raise typer.Exit(Exit.RUN_GOES_ON) from None
    if not screen.json:
        print_result(ended, screen)
        spent = f"{ended.steps_used} steps · {span(ended.duration_ms / 1000)} · {usd(ended.cost_micro_usd)}"
        if screen.person:
            screen.line(f"\n{ended.status} · {spent}", "dim")
    raise typer.Exit(code_of(ended))


def code_of(run: "Run") -> int:
    """The exit code that tells how a run stands."""
    return OF_STATUS.get(run.status, Exit.RUN_WAITS if run.waits_for_person else Exit.RUN_GOES_ON)


def wait_for(client: "Quarterdeck", run: "Run", timeout: float | None) -> "Run":
    """Wait for a run without showing it. Ctrl-C leaves it running."""
    try:
        return client.runs.wait(run.run_id, timeout=timeout)
    except KeyboardInterrupt:
        print(f"It goes on: qd run watch {run.run_id}", file=sys.stderr)
        raise typer.Exit(Exit.INTERRUPTED) from None


def conclude(run: "Run", screen: Screen) -> None:
    """Print what a pipe wants of a run, and exit as it ended."""
    if screen.json:
        screen.value(run)
    else:
        print_result(run, screen)
        if not run.succeeded:
            screen.note(f"{run.status}: {harmless(run.why)} (run {run.run_id})")
    raise typer.Exit(code_of(run))


def print_result(run: "Run", screen: Screen) -> None:
    """What a run came to: its output as JSON, else its words; for people also what it leaves behind."""
    result = run.result
    if result is None:
        return
    if result.output is not None:
        print(msgspec.json.format(msgspec.json.encode(result.output), indent=2).decode())
    elif result.text:
        screen.line(f"\n{harmless(result.text)}" if screen.person else harmless(result.text))
    if result.handoff is not None and screen.person:
        left = result.handoff
        for title, lines in (("Done", left.done), ("Left", left.left), ("Why", (left.why,) if left.why else ())):
            for line in lines:
                screen.line(f"{title}: {harmless(line)}", "dim")


def facts_of(run: "Run") -> list[tuple[str, object]]:
    """What a person wants to know of a run, in order."""
    limits = run.budget
    steps = f"{run.steps_used} of {limits['max_steps']:.0f}" if "max_steps" in limits else run.steps_used
    return [
        ("run", run.run_id),
        ("status", run.status),
        ("why", run.why),
        ("now", run.current_step),
        ("agent", run.agent_version),
        ("user", run.user_id),
        ("thread", run.thread_id),
        ("title", run.title),
        ("submitted", run.created_at),
        ("took", span(run.duration_ms / 1000)),
        ("attempts", run.attempt if run.attempt > 1 else None),
        ("steps", steps),
        ("tool calls", f"{run.tool_calls} ({run.failed_calls} failed)" if run.failed_calls else run.tool_calls),
        ("tools", run.tools_called),
        ("tokens", f"{run.input_tokens:,} in, {run.output_tokens:,} out"),
        ("cost", usd(run.cost_micro_usd)),
        ("risk", run.risk_level),
        ("error", run.error_code),
    ]


def interrupted() -> "Choice":
    """What shall become of the run that is being watched? A second Ctrl-C leaves it running."""
    try:
        answer = typer.prompt("The run goes on. [l]eave it running, [c]ancel it, [w]atch on", default="l", err=True)
    except (KeyboardInterrupt, typer.Abort):
        return "leave"
    return {"c": "cancel", "w": "watch"}.get(str(answer).strip().lower()[:1], "leave")  # pyright: ignore[reportReturnType]  # of these words
