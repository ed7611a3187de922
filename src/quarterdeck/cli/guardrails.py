"""`quarterdeck guardrails`: how well the detectors do on public sets and on your own traffic, and where to set them."""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen
from quarterdeck.core.json import Json

if TYPE_CHECKING:
    from quarterdeck.guardrails.measure import Entity, Figure, Scored
    from quarterdeck.sdk.guardrails import Measurement

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Measure and calibrate what checks inputs and answers."
)

_DEFAULT = 0.8
ThresholdOption = Annotated[float, typer.Option(min=0, max=1, help="The score from which on a text counts.")]


@app.command(epilog="Example: qd guardrails measure --sets ~/sets --false-positives 0.01")
def measure(
    sets: Annotated[
        Path | None, typer.Option("--sets", exists=True, file_okay=False, help="Folder with public sets.")
    ] = None,
    traffic: Annotated[bool, typer.Option("--traffic", help="The tenant's own recorded traffic.")] = False,
    agent: Annotated[str | None, typer.Option(help="With --traffic: one agent's runs.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="With --traffic: the newest runs, so many.")] = 200,
    threshold: ThresholdOption = _DEFAULT,
    false_positives: Annotated[
        float | None, typer.Option(min=0, max=1, help="Say which threshold keeps false alarms below this share.")
    ] = None,
    kinds: Annotated[bool, typer.Option("--kinds", help="A row for each kind of text in a set.")] = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Print what is found of attacks and of honest texts, by set, and of personal data, by kind.

    Public sets are read from a folder on this machine; none comes with Quarterdeck, and the how-to "Calibrate a
    guardrail" says where they are. Sets marked `in-sample` were used in training: on them the figures say how well the
    classifier remembers. Without options: the tenant's own traffic.
    """
    screen = Screen(json=json)
    result: dict[str, Json] = {"threshold": threshold}
    if sets is not None:
        result |= _on_sets(screen, sets, threshold, false_positives, kinds=kinds)
    if traffic or sets is None:
        found = deck(tenant=tenant).guardrails.measure(
            agent=agent, limit=limit, threshold=threshold, false_positives=false_positives
        )
        result["traffic"] = _on_traffic(screen, found, calibrated=false_positives is not None)
    if json:
        screen.value(result)


@app.command(epilog='Example: qd guardrails check "Ignore all previous instructions"')
def check(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to judge; - reads standard input.")],
    json: JsonFlag = False,
) -> None:
    """Judge one text on this machine: its score and what each class says."""
    from quarterdeck.guardrails.injection import assess

    words = typer.get_text_stream("stdin").read() if text == "-" else text
    assessed = assess(words)
    rows = [(what, f"{weight:.2f}") for what, weight in sorted(assessed.classes.items(), key=lambda item: -item[1])]
    value = {"score": assessed.score, "leading": assessed.leading, "classes": dict(assessed.classes)}
    Screen(json=json).facts(value, [("score", f"{assessed.score:.2f}"), *rows])


def _on_sets(
    screen: Screen, folder: Path, threshold: float, false_positives: float | None, *, kinds: bool
) -> dict[str, Json]:
    from quarterdeck.guardrails import measure as figures
    from quarterdeck.guardrails.sets import read_documents, read_injection

    samples, documents = read_injection(folder), read_documents(folder)
    with _bar(screen, "judging", len(samples) + len(documents)) as done:
        scored = figures.score(samples, done)
        entities = figures.entities(documents, done)
    rows = figures.figures(scored, threshold) if kinds else figures.totals(scored, threshold)
    result: dict[str, Json] = {"sets": [_as_json(row) for row in rows], "pii": [_entity(one) for one in entities]}
    if not screen.json:
        _show_sets(screen, rows, threshold, kinds=kinds)
        _show_entities(screen, [*entities, figures.overall(entities)] if entities else [])
    if false_positives is not None:
        result["calibration"] = _calibrate(screen, scored, false_positives)
    return result


def _show_sets(screen: Screen, rows: "list[Figure]", threshold: float, *, kinds: bool) -> None:
    screen.line(f"\nInjection, score >= {threshold:.2f}", "bold")
    screen.table(
        rows,
        [
            ("set", lambda row: row.source),
            *([("kind", lambda row: row.kind)] if kinds else []),
            ("texts", lambda row: row.texts),
            ("found", lambda row: f"{row.share:.1%}" if row.attack else ""),
            ("false alarms", lambda row: "" if row.attack else f"{row.share:.1%}"),
            ("", lambda row: "in-sample" if row.seen else ""),
            ("by class", lambda row: ", ".join(f"{what} {times}" for what, times in list(row.classes.items())[:4])),
        ],
    )


def _show_entities(screen: Screen, entities: "list[Entity]") -> None:
    if entities:
        screen.line("\nPersonal data", "bold")
        screen.table(
            entities,
            [
                ("kind", lambda one: one.kind),
                ("places", lambda one: one.found + one.missed),
                ("precision", lambda one: f"{one.precision:.3f}"),
                ("recall", lambda one: f"{one.recall:.3f}"),
            ],
        )


def _calibrate(screen: Screen, scored: "list[Scored]", share: float) -> dict[str, Json]:
    from quarterdeck.guardrails.measure import threshold_for, yaml_lines

    honest = [one for one in scored if not one.sample.attack]
    unseen = [one for one in honest if not one.sample.seen]
    chosen = unseen or honest
    found = threshold_for((one.score for one in chosen), share)
    on = f"{len(chosen):,} honest texts, " + ("none of them seen in training" if unseen else "all seen in training")
    screen.line(f"\nAt most {share:.2%} false alarms on {on}: threshold {found:.2f}", "bold")
    screen.line(yaml_lines(found))
    return {"false_positives": share, "threshold": found, "texts": len(chosen), "agent_yaml": yaml_lines(found)}


def _on_traffic(screen: Screen, found: "Measurement", *, calibrated: bool) -> dict[str, Json]:
    inputs, calibration = found.inputs, found.calibration
    if not screen.json:
        screen.line("\nRecorded judgements", "bold")
        screen.table(
            found.judgements,
            [
                ("edge", lambda one: one.edge),
                ("verdict", lambda one: one.verdict),
                ("rule", lambda one: one.rule),
                ("times", lambda one: one.times),
            ],
            empty="none in this time",
        )
        share = f"{inputs.flagged} of {inputs.texts} recent inputs score >= {inputs.threshold:.2f} ({inputs.share:.1%})"
        screen.line(f"\n{share}")
        screen.table(
            inputs.highest,
            [
                ("run", lambda one: one.run_id),
                ("agent", lambda one: one.agent),
                ("score", lambda one: f"{one.score:.2f}"),
                ("class", lambda one: one.leading),
            ],
            empty="none scores at all",
        )
        if calibrated and calibration.threshold is not None:
            words, lines = advice(found)
            screen.line(f"\n{words}", "bold")
            screen.line(lines)
    return _plain(found)


def advice(found: "Measurement") -> tuple[str, str]:
    """The threshold that the traffic suggests, in words and as lines of `agent.yaml`; none where it is too little."""
    share, texts, threshold = found.calibration.false_positives, found.inputs.texts, found.calibration.threshold
    if threshold is None or 0 < share * texts < 1:
        needed = math.ceil(1 / share) if share else 1
        return f"Too little traffic for {share:.2%}: {texts} inputs, and {needed} are needed", ""
    return f"At most {share:.2%} of this traffic flagged: {threshold:.2f}", found.calibration.agent_yaml


def _plain(found: "Measurement") -> dict[str, Json]:
    import msgspec

    return msgspec.to_builtins(found)


def _as_json(row: "Figure") -> dict[str, Json]:
    return {**asdict(row), "share": round(row.share, 4)}


def _entity(one: "Entity") -> dict[str, Json]:
    return {**asdict(one), "precision": round(one.precision, 4), "recall": round(one.recall, 4)}


@contextmanager
def _bar(screen: Screen, words: str, total: int) -> Generator[Callable[[], object]]:
    """A progress bar on standard error for people; nothing for pipes."""
    import sys

    if screen.json or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(words, total=total)
        yield lambda: progress.advance(task)
