"""`quarterdeck worker`: one worker process."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command(epilog="Example: QUARTERDECK_WORKER_CAPACITY=50 qd worker")
def command(
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Execute runs until SIGTERM, which lets steps in hand finish (QUARTERDECK_DRAIN_GRACE) and hands the rest over.

    Stateless: run as many as you like, on as many machines. Needs the same settings as `qd serve`.
    """
    from quarterdeck.cli.child import leave_with_parent
    from quarterdeck.cli.presence import settings_here

    settings = settings_here()
    if with_parent:
        leave_with_parent()
    from quarterdeck.worker.process import run

    run(settings)
