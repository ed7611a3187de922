"""`quarterdeck autonomy`: how far agents may go by themselves, and what people's answers say for it."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen

if TYPE_CHECKING:
    from quarterdeck.sdk.autonomy import Level

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Set how far agents may go by themselves.")

LevelName: TypeAlias = Literal["suggest", "ask_always", "ask_when_risky", "free"]
AgentArgument = Annotated[str, typer.Argument(metavar="AGENT")]
ToolArgument = Annotated[str, typer.Argument(metavar="TOOL")]
WhyOption = Annotated[str, typer.Option("--why", help="The reason; it is audited with the evidence of now.")]


@app.command("list", epilog="Example: qd autonomy list --agent support-desk")
def list_(
    agent: Annotated[str | None, typer.Option(help="Of this agent.")] = None,
    limit: LimitOption = 200,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """What holds for each tool that is not a read, and how questions about it end."""
    Screen(json=json).table(
        deck(tenant=tenant).autonomy.list(agent=agent, limit=limit).all(),
        [
            ("agent", lambda line: line.agent),
            ("tool", lambda line: line.tool),
            ("effect", lambda line: line.effect),
            ("level", lambda line: line.level),
            ("granted", lambda line: line.ceiling),
            ("evidence", lambda line: line.evidence.words if line.evidence else ""),
            ("set by", lambda line: line.setting.set_by if line.setting else ""),
            ("why", lambda line: line.setting.why if line.setting else ""),
        ],
        empty="no agent has a tool that is more than a read",
    )


@app.command("set", epilog="Example: qd autonomy set support-desk refund ask_always --why 'new model'")
def set_(
    agent: AgentArgument,
    tool: ToolArgument,
    level: Annotated[LevelName, typer.Argument(metavar="LEVEL", help="suggest, ask_always, ask_when_risky or free.")],
    why: WhyOption,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Set how far an agent may go with a tool; at most as far as its release grants."""
    _show(Screen(json=json), deck(tenant=tenant).autonomy.set(agent, tool, level, why))


@app.command(epilog="Example: qd autonomy forget support-desk refund --why 'as the release says'")
def forget(
    agent: AgentArgument, tool: ToolArgument, why: WhyOption, tenant: TenantOption = "", json: JsonFlag = False
) -> None:
    """Set a tool back to what the agent's release grants."""
    deck(tenant=tenant).autonomy.forget(agent, tool, why)
    Screen(json=json).facts({"agent": agent, "tool": tool, "forgotten": True}, [("set back", f"{agent}/{tool}")])


@app.command(epilog="Example: qd autonomy changes support-desk refund")
def changes(
    agent: AgentArgument,
    tool: ToolArgument,
    limit: LimitOption = 50,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Who changed it, when, why, and what was known then; newest first."""
    Screen(json=json).table(
        deck(tenant=tenant).autonomy.changes(agent, tool, limit=limit).all(),
        [
            ("set", lambda change: change.set_at),
            ("level", lambda change: change.level or "as granted"),
            ("before", lambda change: change.previous or "as granted"),
            ("by", lambda change: change.set_by),
            ("why", lambda change: change.why),
            ("evidence", lambda change: change.evidence.words if change.evidence else ""),
        ],
    )


def _show(screen: Screen, line: "Level") -> None:
    screen.facts(
        line,
        [
            ("agent", line.agent),
            ("tool", line.tool),
            ("level", line.level),
            ("granted", line.ceiling),
            ("evidence", line.evidence.words if line.evidence else None),
        ],
    )
