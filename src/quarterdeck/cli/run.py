"""`quarterdeck run`: submit runs, watch them, look at what they did, steer them.

Commands that wait for a run's end say by their exit code how it ended: 0 succeeded, 3 failed, 4 stopped by a control,
5 cancelled, 6 waits for a person, 7 still going on when the time to wait was over.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, cast

import msgspec
import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, RunArgument, TenantOption, WhyOption, pairs
from quarterdeck.cli.connect import deck
from quarterdeck.cli.exits import Exit
from quarterdeck.cli.results import conclude, facts_of, find, interrupted, print_result, wait_for, watch_run
from quarterdeck.cli.screen import Screen, harmless, span, usd
from quarterdeck.core.json import Json, decode

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Submit, watch and steer runs.")

TimeoutOption = Annotated[float | None, typer.Option("--timeout", min=0, help="Seconds to wait; the run goes on.")]


@app.command(epilog="Example: qd run submit support-desk 'Where is order 1001?'")
def submit(  # noqa: PLR0913  # what can be said of a run
    agent: Annotated[str, typer.Argument(help="An agent, `agent@label` or `agent@digits` of a release.")],
    words: Annotated[str, typer.Argument(metavar="INPUT", help="What it is asked; `-` reads it from a pipe.")],
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the run's id and don't wait.")] = False,
    as_json: Annotated[
        bool, typer.Option("--input-json", help='INPUT is JSON: an object, or {"messages": [...]}.')
    ] = False,
    user: Annotated[str | None, typer.Option(help="The end user that it is made for.")] = None,
    thread: Annotated[str | None, typer.Option(help="The thread that it goes on.")] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Higher goes first.")] = 0,
    delay: Annotated[float | None, typer.Option(min=0, help="Seconds before which it does not begin.")] = None,
    tag: Annotated[list[str], typer.Option(metavar="NAME=VALUE", help="A tag; once or several times.")] = [],  # noqa: B006
    variable: Annotated[
        list[str], typer.Option("--var", metavar="NAME=VALUE", help="A variable of the prompt; JSON or text.")
    ] = [],  # noqa: B006
    key: Annotated[str, typer.Option("--idempotency-key", help="Sent twice, it is one run.")] = "",
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Record the conversation with the model there; for deployment admins."),
    ] = None,
    timeout: TimeoutOption = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Submit a run and watch it to its end. On a pipe only the answer is printed.

    With --json the finished run is printed. Ctrl-C asks whether to leave it running or to cancel it. With --record the
    agent's connection to its real model records for as long as the run takes, into files that `recorded` connections
    replay; put them into the agent's folder `cassettes`.
    """
    given = sys.stdin.read() if words == "-" else words
    wanted = _decoded(given) if as_json else given
    client, screen = deck(tenant=tenant), Screen(json=json)
    with _recorded(agent, record, tenant, screen):
        run = client.runs.submit(
            agent,
            wanted,
            user_id=user,
            thread_id=thread,
            priority=priority or None,
            delay_s=delay,
            tags=pairs(tag, "--tag") or None,
            variables={name: _variable(value) for name, value in pairs(variable, "--var").items()} or None,
            idempotency_key=key,
        )
        if detach and record is None:
            screen.value(run) if json else print(run.run_id)
            return
        if screen.person:
            screen.line(f"run {run.run_id}", "dim")
            watch_run(client, run, screen, timeout, interrupted)
        else:
            conclude(wait_for(client, run, timeout), screen)


@app.command(epilog="Example: qd run watch last")
def watch(
    run_id: RunArgument,
    after: Annotated[int, typer.Option(min=0, help="Begin behind this event.")] = 0,
    timeout: TimeoutOption = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Follow a run to its end: what it does, what the model is writing. --json prints an event a line."""
    client = deck(tenant=tenant)
    run = find(client, run_id)
    watch_run(client, run, Screen(json=json), timeout, interrupted, after)


@app.command("list", epilog="Example: qd run list --status failed --agent support-desk")
def list_(
    status: Annotated[list[str], typer.Option(help="Once or several times.")] = [],  # noqa: B006
    agent: Annotated[str | None, typer.Option(help="Of this agent.")] = None,
    user: Annotated[str | None, typer.Option(help="For this end user.")] = None,
    thread: Annotated[str | None, typer.Option(help="Of this thread.")] = None,
    cause: Annotated[str | None, typer.Option(help="With this error code or reason.")] = None,
    search: Annotated[
        str | None, typer.Option("--search", "-q", help="Words in title, why, agent, user or id.")
    ] = None,
    limit: LimitOption = 20,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Runs, newest first."""
    runs = deck(tenant=tenant).runs.list(
        status=status, agent=agent, user_id=user, thread_id=thread, cause=cause, q=search, limit=limit
    )
    Screen(json=json).table(
        runs.all(),
        [
            ("run", lambda run: run.run_id),
            ("status", lambda run: run.status),
            ("agent", lambda run: run.agent),
            ("submitted", lambda run: run.created_at),
            ("took", lambda run: span(run.duration_ms / 1000)),
            ("steps", lambda run: run.steps_used),
            ("cost", lambda run: usd(run.cost_micro_usd)),
            ("title", lambda run: run.title),
        ],
        empty="no runs; submit one with `qd run submit AGENT 'words'`",
    )


@app.command(epilog="Example: qd run show last")
def show(run_id: RunArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """One run: where it stands, why, what it used and what it came to."""
    run = find(deck(tenant=tenant), run_id)
    screen = Screen(json=json)
    screen.facts(run, facts_of(run))
    if json:
        return
    for doubt in run.unknown_outcomes:
        screen.line(f"\nNobody knows whether {doubt.tool} happened. Find out, then say so:", "yellow")
        screen.line(f"  qd run outcome {run.run_id} happened --call {doubt.call}   (or did_not_happen)")
    if run.result is not None:
        print_result(run, screen)


@app.command(epilog="Example: qd run cancel last --why 'wrong customer'")
def cancel(
    run_id: RunArgument,
    why: WhyOption = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has ended.")] = True,
    timeout: TimeoutOption = 60,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """End a run. What is in flight is interrupted and accounted for first; it has ended when its status says so."""
    client, screen = deck(tenant=tenant), Screen(json=json)
    run = client.runs.cancel(find(client, run_id).run_id, why)
    if wait:
        with screen.progress("waiting for its end"):
            run = client.runs.wait(run.run_id, timeout=timeout, through_people=True)
    if json:
        screen.value(run)
    else:
        screen.line(run.status)
    if wait and not run.ended:
        raise typer.Exit(Exit.RUN_GOES_ON)


@app.command(epilog="Example: qd run retry last")
def retry(
    run_id: RunArgument,
    why: WhyOption = "",
    watch: Annotated[bool, typer.Option("--watch/--detach", help="Follow it to its end.")] = True,
    timeout: TimeoutOption = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Send a run that did not succeed back from its last checkpoint. What has happened is not repeated."""
    client, screen = deck(tenant=tenant), Screen(json=json)
    run = client.runs.retry(find(client, run_id).run_id, why)
    if not watch:
        screen.value(run) if json else screen.line(run.status)
    elif screen.person:
        watch_run(client, run, screen, timeout, interrupted, run.last_seq)
    else:
        conclude(wait_for(client, run, timeout), screen)


@app.command(epilog="Example: qd run outcome last did_not_happen --why 'not in the ledger'")
def outcome(
    run_id: RunArgument,
    what: Annotated[str, typer.Argument(metavar="happened|did_not_happen", help="What you found out.")],
    call: Annotated[str, typer.Option(help="Which call; not needed where there is only one.")] = "",
    result: Annotated[str, typer.Option(help="What the model is told that it answered.")] = "",
    why: WhyOption = "",
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Say what became of a call whose outcome nobody knows. The run goes on once no doubt is left."""
    if what not in {"happened", "did_not_happen"}:
        raise typer.BadParameter("say `happened` or `did_not_happen`", param_hint="outcome")
    client, screen = deck(tenant=tenant), Screen(json=json)
    run = find(client, run_id)
    if not call:
        if len(run.unknown_outcomes) != 1:
            calls = ", ".join(f"{doubt.call} ({doubt.tool})" for doubt in run.unknown_outcomes) or "there is none"
            raise typer.BadParameter(f"name the call: {calls}", param_hint="--call")
        call = run.unknown_outcomes[0].call
    settled = client.runs.resolve(
        run.run_id, call, cast("Literal['happened', 'did_not_happen']", what), result=result, why=why
    )
    screen.facts(settled, facts_of(settled))


@app.command(epilog="Example: qd run events last --json | jq .kind")
def events(
    run_id: RunArgument,
    after: Annotated[int, typer.Option(min=0, help="Begin behind this event.")] = 0,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """The run's log, event by event. --json prints an event a line."""
    from quarterdeck.cli.events import Teller

    client, screen, teller = deck(tenant=tenant), Screen(json=json), Teller()
    found, cursor = find(client, run_id).run_id, None
    while True:
        page = client.runs.events(found, after=after, cursor=cursor)
        for event in page.items:
            if json:
                screen.stream(event)
                continue
            line = teller.tell(event)
            at = event.at.astimezone().strftime("%H:%M:%S.%f")[:-3] if event.at else ""
            text = f"{line.mark} {line.text}" if line else ""
            screen.line(f"{event.seq:>5}  {at}  {event.kind:<18} {text}", line.style if line else "dim")
        cursor = page.next_cursor
        if cursor is None:
            return


@app.command(epilog="Example: qd run trace last")
def trace(run_id: RunArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """What happened, told: one sentence, then each step with its time."""
    from quarterdeck.cli.waterfall import draw

    client, screen = deck(tenant=tenant), Screen(json=json)
    with screen.progress("reading the log"):
        found = client.runs.trace(find(client, run_id).run_id)
    if json:
        screen.value(found)
        return
    screen.line(harmless(found.story.sentence), "bold")
    for text, style in draw(found.spans):
        screen.line(text, style)


@app.command(epilog="Example: qd run prove last")
def prove(run_id: RunArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Prove from the run's log alone that every edge has its decision: what came in, each question to a model, each
    tool call and its result, each approval, summary and call of another agent, what went out.

    Exit code 1 where an edge has none, a check was left out, or events are missing.
    """
    from quarterdeck.cli.proving import told

    client, screen = deck(tenant=tenant), Screen(json=json)
    with screen.progress("going through the log"):
        proof = client.runs.prove(find(client, run_id).run_id)
    if json:
        screen.value(proof)
    else:
        told(proof, screen)
    if not proof.proven:
        raise typer.Exit(1)


@contextmanager
def _recorded(agent: str, folder: Path | None, tenant: str, screen: Screen) -> Generator[None]:
    """Record while the block lasts, if a folder was named; then say what was written."""
    if folder is None:
        yield
        return
    from quarterdeck.cli.recording import recording

    written: set[Path] = set()
    try:
        with recording(deck(admin=True, tenant=tenant), agent, folder) as written:
            yield
    finally:
        for path in sorted(written):
            screen.note(f"recorded {path}")


def _decoded(text: str) -> dict[str, Json]:
    try:
        found = decode(text)
    except msgspec.DecodeError as fault:
        raise typer.BadParameter(f"this is no JSON: {fault}", param_hint="INPUT") from None
    if not isinstance(found, dict):
        raise typer.BadParameter("give a JSON object", param_hint="INPUT")
    return found


def _variable(text: str) -> Json:
    """A value as JSON where it is some, else as text."""
    try:
        return decode(text)
    except msgspec.DecodeError:
        return text
