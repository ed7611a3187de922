"""`quarterdeck worker`: one worker process; `quarterdeck worker list`: those that there are."""

from typing import Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag

app = typer.Typer(add_completion=False, invoke_without_command=True)


@app.callback(epilog="Example: QUARTERDECK_WORKER_CAPACITY=50 qd worker")
def command(
    context: typer.Context,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Execute runs until SIGTERM, which lets steps in hand finish (QUARTERDECK_DRAIN_GRACE) and hands the rest over.

    Stateless: run as many as you like, on as many machines. Needs the same settings as `qd serve`.
    """
    if context.invoked_subcommand is not None:
        return
    from quarterdeck.cli.child import leave_with_parent
    from quarterdeck.cli.presence import settings_here

    settings = settings_here()
    if with_parent:
        leave_with_parent()
    from quarterdeck.worker.process import run

    run(settings)


@app.command("list", epilog="Example: qd worker list")
def list_(json: JsonFlag = False) -> None:
    """The worker processes of the last hour: who executes, how much each holds. For deployment admins."""
    from quarterdeck.cli.connect import deck
    from quarterdeck.cli.screen import Screen

    Screen(json=json).table(
        deck(admin=True).workers.list().all(),
        [
            ("worker", lambda worker: worker.id),
            ("state", lambda worker: worker.state),
            ("host", lambda worker: worker.host),
            ("pid", lambda worker: worker.pid),
            ("runs", lambda worker: f"{worker.running} of {worker.capacity}"),
            ("version", lambda worker: worker.version),
            ("since", lambda worker: worker.started_at),
        ],
    )
