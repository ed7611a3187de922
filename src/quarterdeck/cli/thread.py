"""`quarterdeck thread`: conversations of a user with an agent."""

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.results import conclude, interrupted, wait_for, watch_run
from quarterdeck.cli.screen import Screen, harmless

if TYPE_CHECKING:
    from quarterdeck.sdk.records import Thread

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Hold conversations with an agent.")

IdArgument = Annotated[str, typer.Argument(metavar="THREAD", help="The thread's id.")]


@app.command(epilog="Example: qd thread create support-desk --user ann")
def create(
    agent: str,
    user: Annotated[str | None, typer.Option(help="Whose conversation it is.")] = None,
    title: Annotated[str | None, typer.Option(help="For lists.")] = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Start a conversation; prints its id."""
    thread = deck(tenant=tenant).threads.create(agent, user_id=user, title=title)
    if json:
        Screen(json=True).value(thread)
    else:
        print(thread.thread_id)


@app.command(epilog="Example: qd thread say 0190d2a4-... 'And order 1002?'")
def say(
    thread_id: IdArgument,
    words: Annotated[str, typer.Argument(help="The next thing to say.")],
    strategy: Annotated[
        str, typer.Option(help="While an earlier run goes on: reject, enqueue or interrupt.")
    ] = "reject",
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds to wait; the run goes on.")] = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Say the next thing and watch the run to its end. Exit codes are those of `qd run`."""
    if strategy not in {"reject", "enqueue", "interrupt"}:
        raise typer.BadParameter("say reject, enqueue or interrupt", param_hint="--strategy")
    client, screen = deck(tenant=tenant), Screen(json=json)
    run = client.threads.submit(thread_id, words, strategy=cast("Literal['reject', 'enqueue', 'interrupt']", strategy))
    if screen.person:
        watch_run(client, run, screen, timeout, interrupted)
    else:
        conclude(wait_for(client, run, timeout), screen)


@app.command("list", epilog="Example: qd thread list --user ann")
def list_(
    agent: Annotated[str | None, typer.Option(help="With this agent.")] = None,
    user: Annotated[str | None, typer.Option(help="Of this user.")] = None,
    limit: LimitOption = 20,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Threads, newest first."""
    Screen(json=json).table(
        deck(tenant=tenant).threads.list(agent=agent, user_id=user, limit=limit).all(),
        [
            ("thread", lambda thread: thread.thread_id),
            ("agent", lambda thread: thread.agent),
            ("user", lambda thread: thread.user_id),
            ("status", lambda thread: thread.status),
            ("runs", lambda thread: thread.run_count),
            ("changed", lambda thread: thread.updated_at),
            ("title", lambda thread: thread.title),
        ],
    )


@app.command(epilog="Example: qd thread show 0190d2a4-...")
def show(thread_id: IdArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """One thread and all that was said in it."""
    from quarterdeck.cli.events import words_of

    client, screen = deck(tenant=tenant), Screen(json=json)
    thread: Thread = client.threads.get(thread_id)
    turns = client.threads.messages(thread_id).all()
    if json:
        screen.value({"thread": thread, "messages": turns})
        return
    screen.line(f"{thread.agent} · {thread.user_id} · {thread.status}", "dim")
    for turn in turns:
        said = harmless(words_of(turn.content))
        if said:
            screen.line(f"{turn.role:<6} {said}", "" if turn.role == "model" else "dim")
