"""`quarterdeck bootstrap`: the first key, for whoever runs the deployment's processes."""

import asyncio
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: qd bootstrap > admin.key && chmod 600 admin.key")
def command(
    force: Annotated[bool, typer.Option("--force", help="Make a further admin key although there is one.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the key and its id as JSON.")] = False,
) -> None:
    """Make the deployment's first admin key and print it, this once.

    With it, make tenants and their keys: `qd tenant create acme`, `qd key create --tenant acme`. Needs the database,
    so it is for who runs the deployment; refused where there is an admin key that works, unless forced.
    """
    from quarterdeck.core.json import encode_text

    key_id, secret = asyncio.run(_issue(force=force))
    print(encode_text({"id": key_id, "secret": secret}) if json else secret)


async def _issue(*, force: bool) -> tuple[str, str]:
    from quarterdeck.cli.presence import settings_here
    from quarterdeck.db.checks import refuse_unmigrated
    from quarterdeck.db.pool import Database
    from quarterdeck.db.urls import urls_of
    from quarterdeck.tenants.service import bootstrap

    settings = settings_here()
    database = await Database.open(urls_of(settings), size=2)
    try:
        await refuse_unmigrated(database)
        issued = await bootstrap(database, settings, force=force)
        return str(issued.key.id), issued.secret
    finally:
        await database.close()
