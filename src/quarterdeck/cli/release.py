"""`quarterdeck release`: what was registered, and what changed from one release to another."""

from typing import Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.facts import items, members, text
from quarterdeck.cli.screen import Screen

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at releases and compare them.")

VersionArgument = Annotated[
    str, typer.Argument(metavar="RELEASE", help="An id, its first 8 or more digits, or `agent@label`.")
]


@app.command("list", epilog="Example: qd release list support-desk")
def list_(agent: str, limit: LimitOption = 50, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """All releases of an agent, the newest first."""
    Screen(json=json).table(
        deck(tenant=tenant).agents.releases(agent, limit=limit).all(),
        [
            ("release", lambda release: release.release[:12]),
            ("label", lambda release: release.label),
            ("model", lambda release: release.model.id if release.model else ""),
            ("registered", lambda release: release.registered_at),
            ("by", lambda release: release.registered_by),
            ("current", lambda release: release.current or None),
        ],
    )


@app.command(epilog="Example: qd release show support-desk@3f9c2a71")
def show(version: VersionArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """One release: model, tools, limits, files. --json prints the whole manifest."""
    release = deck(tenant=tenant).releases.get(version)
    limits = members(release.manifest.get("limits"))
    tools = [members(tool) for tool in items(release.manifest.get("tools"))]
    Screen(json=json).facts(
        release,
        [
            ("release", release.release),
            ("agent", release.agent_version),
            ("label", release.label),
            ("description", release.description),
            ("owner", release.owner),
            ("model", f"{release.model.id} over {release.model.provider}" if release.model else ""),
            ("tools", [f"{text(tool, 'name')} ({text(tool, 'effect')}, {text(tool, 'repeat')})" for tool in tools]),
            ("limits", [f"{name} {value}" for name, value in limits.items()]),
            ("files", len(release.files)),
            ("registered", release.registered_at),
            ("by", release.registered_by),
            ("current", release.current),
        ],
    )


@app.command(epilog="Example: qd release diff support-desk@2026-05 support-desk@2026-06")
def diff(old: VersionArgument, new: VersionArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """What changed from one release to another, in words."""
    release = deck(tenant=tenant).releases.get(new, against=old)
    screen = Screen(json=json)
    if json:
        screen.value({"from": release.against, "to": release.release, "changes": release.changes})
        return
    for change in release.changes or ["nothing"]:
        screen.line(change)
