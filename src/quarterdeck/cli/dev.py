"""`quarterdeck dev`: a whole deployment in one terminal, for one person on one machine."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import quarterdeck
from quarterdeck.cli.child import Event, What
from quarterdeck.cli.configured import altered, read_settings
from quarterdeck.cli.fleet import Fleet
from quarterdeck.cli.lines import show
from quarterdeck.cli.local import Access, recall
from quarterdeck.cli.workshop import Workshop
from quarterdeck.core import log
from quarterdeck.sdk import Quarterdeck

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: qd dev --workers 2 --agent ./my-agent")
def command(
    workers: Annotated[int, typer.Option("--workers", "-w", min=0, max=64, help="Worker processes to run.")] = 1,
    tenant: Annotated[str, typer.Option(help="Tenant that the key of this folder belongs to.")] = "dev",
    port: Annotated[int, typer.Option(help="Port to serve on, in place of QUARTERDECK_PORT.", max=65535)] = -1,
    agent: Annotated[
        list[Path],
        typer.Option(metavar="DIR", exists=True, file_okay=False, help="Register this agent, again at each change."),
    ] = [],  # noqa: B006
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, help="Write conversations with real models here, as cassettes."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every line that the processes log.")] = False,
) -> None:
    """Run everything on this machine until Ctrl-C: database, migrations, API, console, workers.

    Everything is kept in .quarterdeck (QUARTERDECK_DATA_DIR): the database, logs, the secret, and in access.json an
    admin's key and a tenant's, which `qd` commands in this folder and below find by themselves. With
    QUARTERDECK_DATABASE_URL set, that database is used instead of one of its own. Processes that die are started again.
    With --agent, a provider connection that the agent names is made where there is none: with OPENAI_API_KEY,
    ANTHROPIC_API_KEY, GOOGLE_API_KEY or OLLAMA_URL from the environment, else replaying the agent's recordings.
    """
    settings = read_settings()
    if port >= 0:
        settings = altered(settings, port=port)
    if record is not None:
        settings = altered(settings, record=str(record.absolute()))
    if not settings.vault_env_tenants:
        # Whose machine this is may give its own variables to its own agents.
        settings = altered(settings, vault_env_tenants=tenant)
    log.configure("warning", json=False)
    screen = Screen(everything=verbose)
    # Whatever ends a terminal session ends the deployment in good order.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    fleet = Fleet(settings, workers=workers, on_line=screen.line, on_event=screen.event)
    known = recall(fleet.folder)
    workshop: Workshop | None = None
    try:
        fleet.start(note=screen.step)
        access = fleet.open_doors(tenant)
        if agent:
            workshop = Workshop(Quarterdeck(access.url, access.admin_key, tenant=tenant), agent, screen.say)
            workshop.open()
        screen.welcome(fleet, access, fresh=known is None or access.key != known.key)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        screen.say("stopping: steps in hand are finished, the rest waits in the database (Ctrl-C again: at once)")
    finally:
        if workshop is not None:
            workshop.close()
        _stop(fleet, screen.say)
    screen.say("stopped")


def _stop(fleet: Fleet, say: Callable[[str], None]) -> None:
    """Stop in good order; in haste once Ctrl-C comes again. The database is always stopped properly."""
    stopping = threading.Thread(target=fleet.stop, name="stop")
    stopping.start()
    while stopping.is_alive():
        try:
            stopping.join()
        except KeyboardInterrupt:
            say("stopping at once")
            fleet.hasten()


class Screen:
    """What a person sees of it. Called from several threads."""

    def __init__(self, *, everything: bool) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._everything = everything
        self._ready = False

    def say(self, words: str) -> None:
        """A line of our own."""
        self._put("dev", Text(words))

    def step(self, words: str) -> None:
        """A step of starting."""
        self._put("dev", Text(f"starting: {words}", style="dim"))

    def event(self, event: Event) -> None:
        """A process started or ended."""
        died = event.what is What.DIED
        if died or self._everything or (self._ready and event.what is What.STARTED):
            self._put(event.child, Text(event.words, style="yellow" if died else "dim"))

    def line(self, name: str, line: str) -> None:
        """A process has logged."""
        shown = show(line, everything=self._everything)
        if shown is not None:
            self._put(name, Text(shown[0], style=shown[1]))

    def welcome(self, fleet: Fleet, access: Access, *, fresh: bool) -> None:
        """Where everything is. Keys are shown when they are new; after that the folder has them."""
        self._ready = True
        folder = os.path.relpath(fleet.folder)
        rows = [("Console", fleet.url), ("API", f"{fleet.url}/docs")]
        if fresh:
            rows += [(f"Key of tenant {access.tenant}", access.key), ("Admin's key", access.admin_key)]
        rows += [("Keys are kept in", str(Path(folder) / "access.json")), ("Logs", str(Path(folder) / "logs"))]
        wide = max(len(name) for name, _ in rows)
        body = "\n".join(f"  {name:<{wide}}  {value}" for name, value in rows)
        self._console.print(
            Text(f"\nQuarterdeck {quarterdeck.__version__} is running. Ctrl-C stops it.\n\n{body}\n"), soft_wrap=True
        )

    def _put(self, name: str, text: Text) -> None:
        self._console.print(Text(f"{name:<9} ", style="cyan").append_text(text), soft_wrap=True)
