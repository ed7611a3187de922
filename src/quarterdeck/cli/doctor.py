"""`quarterdeck doctor`: what is well here and what is not, each with the way to put it right."""

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import typer

from quarterdeck.cli.arguments import JsonFlag
from quarterdeck.cli.exits import Exit
from quarterdeck.cli.screen import COLOURS, Screen

if TYPE_CHECKING:
    from quarterdeck.cli.checks import Check

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: qd doctor --json | jq '.[] | select(.verdict != \"ok\")'")
def command(json: JsonFlag = False) -> None:
    """Look at everything a process here needs: settings, disk, database, roles, clock, workers, providers, tool host.

    Exit code 1 if something has to be put right; warnings alone exit 0.
    """
    from quarterdeck.cli.checks import Verdict
    from quarterdeck.core import log

    log.configure("critical", json=False)
    screen = Screen(json=json)
    verdicts = asyncio.run(_examine(screen))
    if Verdict.FAIL in verdicts:
        raise typer.Exit(Exit.ERROR)


async def _examine(screen: Screen) -> list[str]:
    from quarterdeck.cli.checks import Check, examine
    from quarterdeck.cli.configured import read_settings
    from quarterdeck.cli.presence import NoDatabase, settings_here
    from quarterdeck.db.faults import SecretMissing

    try:
        settings = settings_here()
    except (NoDatabase, SecretMissing):
        settings = read_settings()
    checks: list[Check] = []
    # Closed in good order also when whoever reads the output has had enough of it.
    async with aclosing(examine(settings)) as found:
        async for check in found:
            checks.append(check)
            _tell(screen, check)
    if screen.json:
        screen.value(checks)
    return [str(check.verdict) for check in checks]


def _tell(screen: Screen, check: "Check") -> None:
    screen.line(f"{check.verdict:<5} {check.name:<12} {check.found}", COLOURS[check.verdict])
    if check.verdict != "ok":
        screen.line(f"      {'':<12} fix: {check.fix}")
