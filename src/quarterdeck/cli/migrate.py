"""`quarterdeck migrate`: bring a database's roles and tables up to this version. Safe to repeat."""

import asyncio
from typing import Annotated

import typer

from quarterdeck.core.settings import Settings
from quarterdeck.db import driver
from quarterdeck.db.migrations import migrate
from quarterdeck.db.urls import OWNER
from quarterdeck.engine import store as engine

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: QUARTERDECK_DATABASE_URL=postgresql://owner:pw@db/quarterdeck qd migrate")
def command(
    json: Annotated[bool, typer.Option("--json", help="Print what was applied as JSON.")] = False,
) -> None:
    """Bring the database up to this version: roles, tables, the queue. Safe to repeat and to run twice at once.

    Needs QUARTERDECK_DATABASE_URL (a role with CREATEROLE and CREATE on the database) and QUARTERDECK_SECRET_KEY.
    In a folder where `qd dev` runs it does the same for that database, which `dev` has done already.
    """
    from quarterdeck.cli.presence import settings_here
    from quarterdeck.core.json import encode_text

    settings = settings_here()
    applied = asyncio.run(bring_up(settings, settings.database_url))
    if json:
        print(encode_text({"applied": applied}))
    else:
        print("\n".join(f"applied {name}" for name in applied) or "nothing to do: the database is up to date")


async def bring_up(settings: Settings, owner_url: str) -> tuple[str, ...]:
    """Migrate, then see to the queue's own tables; the files that were applied. Raises what `migrate` raises."""
    applied = await migrate(settings, owner=owner_url)
    owner = await driver.connect(owner_url)
    try:
        await owner.execute(f"SET ROLE {OWNER}")
        await engine.install(owner)
    finally:
        await owner.close()
    return applied
