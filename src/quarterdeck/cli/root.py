"""The table of commands. A command's file is imported when the command is run, so that `qd --help` is quick."""

import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

import typer
from typer.core import TyperCommand, TyperGroup

import quarterdeck
from quarterdeck.cli.exits import fail, told

if TYPE_CHECKING:
    from typer._click import Command, Context

START = "To begin with"
PROCESSES = "Processes of a deployment"
NOUNS = "What a deployment holds"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command as the list shows it. Its module has a Typer called `app`."""

    module: str
    words: str
    panel: str


COMMANDS: dict[str, Entry] = {
    "init": Entry("quarterdeck.cli.init", "Write an agent to begin with.", START),
    "dev": Entry("quarterdeck.cli.dev", "Run everything on this machine: database, api, workers.", START),
    "doctor": Entry("quarterdeck.cli.doctor", "Say what is not well here, and the fix.", START),
    "completion": Entry("quarterdeck.cli.completion", "Print the completion script for a shell.", START),
    "serve": Entry("quarterdeck.cli.serve", "Serve the HTTP API and the console.", PROCESSES),
    "worker": Entry("quarterdeck.cli.worker", "Execute runs; `worker list` shows who does.", PROCESSES),
    "migrate": Entry("quarterdeck.cli.migrate", "Bring the database up to this version.", PROCESSES),
    "bootstrap": Entry("quarterdeck.cli.bootstrap", "Make the deployment's first admin key.", PROCESSES),
    "run": Entry("quarterdeck.cli.run", "Submit, watch and steer runs.", NOUNS),
    "thread": Entry("quarterdeck.cli.thread", "Hold conversations with an agent.", NOUNS),
    "approval": Entry("quarterdeck.cli.approval", "Answer what agents ask before they act.", NOUNS),
    "escalation": Entry("quarterdeck.cli.escalation", "Take over conversations from agents.", NOUNS),
    "agent": Entry("quarterdeck.cli.agent", "Check, register and list agents.", NOUNS),
    "release": Entry("quarterdeck.cli.release", "Look at releases and compare them.", NOUNS),
    "autonomy": Entry("quarterdeck.cli.autonomy", "Set how far agents may go by themselves.", NOUNS),
    "provider": Entry("quarterdeck.cli.provider", "Connect model providers.", NOUNS),
    "secret": Entry("quarterdeck.cli.secret", "Keep secrets for tools and providers.", NOUNS),
    "tenant": Entry("quarterdeck.cli.tenant", "Found and list tenants.", NOUNS),
    "key": Entry("quarterdeck.cli.key", "Make, list and revoke API keys.", NOUNS),
    "policy": Entry("quarterdeck.cli.policy", "Narrow what agents may do, and see what policies come to.", NOUNS),
    "budget": Entry("quarterdeck.cli.budget", "Limit what may be spent, and see what is.", NOUNS),
    "usage": Entry("quarterdeck.cli.usage", "See what was used, what it cost, and who spends most.", NOUNS),
    "alert": Entry("quarterdeck.cli.alert", "See what somebody should know before it hurts.", NOUNS),
    "guardrails": Entry("quarterdeck.cli.guardrails", "Measure and calibrate what checks inputs and answers.", NOUNS),
    "rate": Entry("quarterdeck.cli.rate", "Limit how often and how many tool calls are made.", NOUNS),
    "audit": Entry("quarterdeck.cli.audit", "See what was decided and done, and prove it.", NOUNS),
    "switch": Entry("quarterdeck.cli.switch", "Stop or narrow what runs, and let it go on.", NOUNS),
    "webhook": Entry("quarterdeck.cli.webhook", "Register webhooks and see their deliveries.", NOUNS),
}


class LazyGroup(TyperGroup):
    """Knows its commands by name and sentence; loads the one that is run."""

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        """The command of these arguments, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, (None if command is None else load(cast("str", name))), rest


def load(name: str) -> "Command":
    """The command itself."""
    command = typer.main.get_command(importlib.import_module(COMMANDS[name].module).app)
    command.name = name
    return command


def _version(wanted: bool) -> None:
    if wanted:
        print(f"quarterdeck {quarterdeck.__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    name="quarterdeck",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(epilog="Example: [bold]qd dev[/bold], then [bold]qd run submit desk 'Where is order 1001?'[/bold]")
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run AI agents in production, and command them."""
    del version


def build() -> TyperGroup:
    """The whole command, ready to be called."""
    group = cast("TyperGroup", typer.main.get_command(app))
    for name, entry in COMMANDS.items():
        group.add_command(
            TyperCommand(name, help=entry.words, short_help=entry.words, rich_help_panel=entry.panel), name
        )
    return group


def run(arguments: list[str] | None = None) -> None:
    """Run a command line and exit: 0 done, 1 an error, 2 wrong usage; `run` commands say how the run ended."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        build().main(given, prog_name="qd" if sys.argv[0].endswith("qd") else "quarterdeck")
    except Exception as fault:
        error = told(fault)
        if error is None:
            raise
        fail(error, json="--json" in given)
