"""`cli.md`: every command with its arguments, options and an example, as the commands say it themselves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from typer.core import TyperGroup

from quarterdeck.cli.exits import Exit
from quarterdeck.cli.root import COMMANDS, load
from scripts.reference.pages import page, paragraphs, table

if TYPE_CHECKING:
    from typer._click import Command, Parameter

INTRODUCTION = """
`quarterdeck`, short `qd`. Commands about runs, agents, keys and the like speak to a deployment over HTTP:
`QUARTERDECK_URL` and `QUARTERDECK_KEY` say which and as whom. Where they are not set, the `qd dev` of this folder or of
the nearest one above is meant, and its keys are found in `.quarterdeck/access.json`. Commands that start processes take
the [settings](settings.md).

Results go to standard output, everything else (progress, questions, errors) to standard error. On a terminal results
are laid out for people; on a pipe they are plain, with a tab between columns and without headings; with `--json` they
are JSON, an object for one thing, a list for many, an object a line for events. JSON carries the records of the
[HTTP API](http.md), is stable, and goes for errors too.
"""

CODES: dict[Exit, str] = {
    Exit.OK: "Done; of commands that wait for a run: it succeeded.",
    Exit.ERROR: "An error. Standard error says in a line what is wrong and what to do.",
    Exit.USAGE: "Wrong usage: no such command, an option that can't be read.",
    Exit.RUN_FAILED: "The run failed.",
    Exit.RUN_STOPPED: "The run was stopped by a control, with a handoff.",
    Exit.RUN_CANCELLED: "The run was cancelled.",
    Exit.RUN_WAITS: "The run waits for a person.",
    Exit.RUN_GOES_ON: "The time to wait was over; the run goes on.",
    Exit.CHAIN_BROKEN: "The audit was changed: `audit verify` tells where.",
    Exit.BILL_DIFFERS: "A provider's bill differs: `usage reconcile` tells where.",
    Exit.INTERRUPTED: "Ctrl-C. A run that was watched goes on.",
}


def written() -> str:
    """The page."""
    codes = table(("exit code", "meaning"), [(str(int(code)), CODES[code]) for code in Exit])
    overview = table(("command", "what it does"), [(f"[`{name}`](#{name})", COMMANDS[name].words) for name in COMMANDS])
    return page("Command line", INTRODUCTION, codes, overview, *(part for name in COMMANDS for part in _noun(name)))


def _noun(name: str) -> Iterator[str]:
    command = load(name)
    yield f"## {name}"
    if not isinstance(command, TyperGroup):
        yield from _said(command, name)
        return
    if command.invoke_without_command:
        yield from _said(command, name)
    else:
        yield paragraphs(command.help)
    for verb, part in command.commands.items():
        yield f"### {name} {verb}"
        yield from _said(part, f"{name} {verb}")


def _said(command: "Command", path: str) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not getattr(one, "hidden", False)]
    words = " ".join(_metavar(one) for one in arguments)
    yield f"`qd {path}{f' {words}' if words else ''}{' [OPTIONS]' if options else ''}`"
    yield paragraphs(command.help)
    yield table(("argument", ""), [(f"`{_metavar(one)}`", _help(one)) for one in arguments if _help(one)])
    yield table(("option", "", "default"), [(_names(one), _help(one), _default(one)) for one in options])
    example = (command.epilog or "").removeprefix("Example: ")
    if example:
        yield f"```sh\n{example}\n```"


def _metavar(parameter: "Parameter") -> str:
    name = getattr(parameter, "metavar", None) or (parameter.name or "").upper()
    return name if parameter.required else f"[{name}]"


def _names(parameter: "Parameter") -> str:
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _help(parameter: "Parameter") -> str:
    return str(getattr(parameter, "help", None) or "")


def _default(parameter: "Parameter") -> str:
    value: object = parameter.default
    if value is None or value in ("", False, -1) or value == []:
        return ""
    return f"`{' '.join(cast('list[str]', value))}`" if isinstance(value, list) else f"`{value}`"
