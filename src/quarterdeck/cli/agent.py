"""`quarterdeck agent`: check an agent's folder, register it, see which agents there are."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.facts import items, members, text
from quarterdeck.cli.screen import Screen
from quarterdeck.spec.findings import AgentInvalid, Severity
from quarterdeck.spec.marks import Marks, suggest

if TYPE_CHECKING:
    from quarterdeck.releases.build import Draft
    from quarterdeck.sdk import Quarterdeck
    from quarterdeck.sdk.holdings import Registered

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Check, register and list agents.")

FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="The folder with agent.yaml.")
]
_BYTES_A_TOKEN = 4


@app.command(epilog="Example: qd agent check examples/support-desk")
def check(
    folder: FolderArgument,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors; hints never do.")] = False,
    json: JsonFlag = False,
) -> None:
    """Judge an agent's folder on this machine, without a server: files, prompt, model pins, tools as their servers say.

    Tool servers are started, confined as in production, and asked what they offer. What is found names file, line and
    column and how to put it right: errors, warnings (credentials, callers' words among the instructions, prompts that
    can't be cached, what models misunderstand about tools) and hints. Exit code 1 if there are errors.
    """
    screen = Screen(json=json)
    with screen.progress("asking the tool servers"):
        draft = build_draft(folder)
    warnings = tuple(sorted((*draft.warnings, *draft.patterns(), *draft.lint), key=lambda found: found.place))
    if strict and any(found.severity is not Severity.HINT for found in warnings):
        raise AgentInvalid(warnings)
    if json:
        screen.value(
            {
                "release": draft.id,
                "agent": draft.manifest["agent"],
                "warnings": [warning.as_json() for warning in warnings],
                "tools": _tools(draft),
                "suggested": {
                    name: {"destinations": list(marks.destinations), "payload": list(marks.payload)}
                    for name, marks in _unmarked(draft)
                },
            }
        )
        return
    for warning in warnings:
        screen.line(str(warning), "dim" if warning.hint else "yellow")
    screen.line(f"{draft.manifest['agent']}@{draft.id[:12]}: no errors", "green")
    model = members(draft.manifest["model"])
    screen.line(f"model {text(model, 'id')} over {text(model, 'provider')}")
    for route in map(members, items(draft.manifest.get("routes"))):
        pin = members(route["pin"])
        screen.line(f"route {text(route, 'name')}: {text(pin, 'id')} over {text(pin, 'provider')}")
    if draft.grants:
        screen.line("")
        screen.table(
            _tools(draft),
            [
                (name, lambda tool, name=name: tool[name])
                for name in ("tool", "effect", "repeat", "trust", "tokens", "hints")
            ],
        )
    for name, marks in _unmarked(draft):
        screen.line(f"`{name}` does not say where its effect goes; if this is right, write: {marks.words}")


@app.command(epilog="Example: qd agent register examples/support-desk --tenant acme")
def register(
    folder: FolderArgument,
    label: Annotated[str | None, typer.Option(help="A name for people, such as 2026-06-09.")] = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Build a release of an agent's folder and register it: new runs of the agent take it from then on.

    The same folder is always the same release. Agents that bring code need a deployment admin's key.
    """
    screen, client = Screen(json=json), deck(admin=True, tenant=tenant)
    with screen.progress("building the release"):
        draft = build_draft(folder)
    with screen.progress("sending it"):
        registered = send(client, draft, label)
    if json:
        screen.value(registered)
        return
    for line in told(registered):
        screen.line(line)
    for warning in draft.warnings:
        screen.note(str(warning))
    way = way_to_model(client, draft)
    if way:
        screen.note(f"  fix: {way}")


@app.command("list", epilog="Example: qd agent list")
def list_(limit: LimitOption = 100, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """The agents that this key may use, by name."""
    Screen(json=json).table(
        deck(tenant=tenant).agents.list(limit=limit).all(),
        [
            ("agent", lambda agent: agent.name),
            ("release", lambda agent: agent.release[:12]),
            ("label", lambda agent: agent.label),
            ("model", lambda agent: agent.model.id if agent.model else ""),
            ("tools", lambda agent: len(agent.tools)),
            ("owner", lambda agent: agent.owner),
            ("changed", lambda agent: agent.updated_at),
            ("disabled", lambda agent: agent.disabled or None),
        ],
        empty="no agents; register one with `qd agent register DIR`",
    )


@app.command(epilog="Example: qd agent show support-desk")
def show(name: str, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """One agent and the release that new runs of it take."""
    agent = deck(tenant=tenant).agents.get(name)
    Screen(json=json).facts(
        agent,
        [
            ("agent", agent.agent_version),
            ("label", agent.label),
            ("description", agent.description),
            ("owner", agent.owner),
            ("model", f"{agent.model.id} over {agent.model.provider}" if agent.model else ""),
            ("tools", agent.tools),
            ("changed", agent.updated_at),
            ("disabled", agent.disabled_at),
        ],
    )


@app.command(epilog="Example: qd agent disable support-desk")
def disable(name: str, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Take an agent out of service for new runs; runs that exist go on."""
    agent = deck(tenant=tenant).agents.disable(name)
    Screen(json=json).facts(agent, [("agent", agent.agent_version), ("disabled", agent.disabled_at)])


@app.command(epilog="Example: qd agent enable support-desk")
def enable(name: str, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Put an agent back into service."""
    agent = deck(tenant=tenant).agents.enable(name)
    Screen(json=json).facts(agent, [("agent", agent.agent_version), ("disabled", agent.disabled)])


def build_draft(folder: Path) -> "Draft":
    """The release that a folder makes. Raises AgentInvalid, for what a careful reader calls an error too, and what
    starting the tool servers raises.
    """
    from quarterdeck.cli.configured import altered, read_settings
    from quarterdeck.cli.local import find_folder
    from quarterdeck.core import log
    from quarterdeck.releases.build import build
    from quarterdeck.spec.reading import read_agent
    from quarterdeck.tools.extract import extractor

    log.configure("error", json=False)
    settings = read_settings()
    if "data_dir" not in settings.model_fields_set:
        settings = altered(settings, data_dir=find_folder(Path.cwd()))
    draft = asyncio.run(build(read_agent(folder), extractor(settings)))
    if any(found.severity is Severity.ERROR for found in draft.lint):
        raise AgentInvalid([*draft.lint, *draft.warnings])
    return draft


def send(client: "Quarterdeck", draft: "Draft", label: str | None = None) -> "Registered":
    """Register what was built."""
    return client.agents.register(draft.manifest, draft.files, release=draft.id, label=label)


def told(registered: "Registered") -> list[str]:
    """What registering came to, in lines."""
    state = "registered" if registered.created else "nothing has changed: it is registered already"
    return [
        f"{registered.agent_version} {state}",
        *(f"  {change}" for change in registered.changes),
        *(f"  recording kept as it was: {path}" for path in registered.ignored),
        *(f"  warning: {warning}" for warning in registered.warnings),
    ]


def model_of(draft: "Draft") -> tuple[str, bool]:
    """The provider connection that a release names, and whether it brings recordings to replay."""
    recorded = any(path.startswith("cassettes/") for path in draft.files)
    return text(members(draft.manifest["model"]), "provider"), recorded


def way_to_model(client: "Quarterdeck", draft: "Draft") -> str:
    """How to make the connection that a release names; empty where it is there, or can't be seen with this key."""
    from quarterdeck.sdk.errors import NotFound, Refused

    name, recorded = model_of(draft)
    try:
        client.providers.get(name)
    except NotFound:
        live = f"qd provider add {name} --kind openai --key-from OPENAI_API_KEY"
        return f"{live}  (or --kind recorded, to replay its recordings)" if recorded else live
    except Refused:
        return ""
    return ""


def _unmarked(draft: "Draft") -> Iterator[tuple[str, Marks]]:
    """Tools that change something and mark nothing, with what their arguments look like. The author confirms it."""
    for grant in draft.grants:
        if grant.effect != "read" and not grant.controls.destinations and not grant.controls.payload:
            marks = suggest(grant.parameters)
            if marks.destinations:
                yield grant.name, marks


def _tools(draft: "Draft") -> list[dict[str, object]]:
    return [
        {
            "tool": grant.name,
            "server": grant.server,
            "effect": str(grant.effect),
            "repeat": str(grant.repeat),
            "trust": str(grant.trust),
            "tokens": _tokens(grant.description, grant.parameters),
            "hints": ", ".join(name for name, said in grant.hints.items() if said is True),
        }
        for grant in draft.grants
    ]


def _tokens(description: str, parameters: object) -> int:
    """About how many tokens a tool takes of each question to the model."""
    from quarterdeck.core.json import encode

    return (len(description.encode()) + len(encode(parameters))) // _BYTES_A_TOKEN
