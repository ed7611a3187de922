"""`quarterdeck serve`: one api process."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: QUARTERDECK_PORT=8080 qd serve")
def command(
    host: Annotated[str, typer.Option(help="Address to listen on, in place of QUARTERDECK_HOST.")] = "",
    port: Annotated[int, typer.Option(help="Port to listen on, in place of QUARTERDECK_PORT.", max=65535)] = -1,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Serve the HTTP API and the console until SIGTERM, which lets answers under way finish.

    Stateless: run as many as you like. Needs QUARTERDECK_DATABASE_URL (or QUARTERDECK_APP_URL and
    QUARTERDECK_SYSTEM_URL) and QUARTERDECK_SECRET_KEY, and a database that `qd migrate` has brought up.
    """
    from quarterdeck.cli.child import leave_with_parent
    from quarterdeck.cli.configured import altered
    from quarterdeck.cli.presence import settings_here

    changes: dict[str, object] = {**({"host": host} if host else {}), **({"port": port} if port >= 0 else {})}
    settings = altered(settings_here(), **changes)
    if with_parent:
        leave_with_parent()
    from quarterdeck.serve.process import run

    run(settings)
