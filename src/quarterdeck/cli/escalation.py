"""`quarterdeck escalation`: conversations that agents passed to people."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen

if TYPE_CHECKING:
    from quarterdeck.sdk.escalations import Escalation

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Take over conversations from agents.")

State: TypeAlias = Literal["open", "claimed", "closed"]
IdArgument = Annotated[str, typer.Argument(metavar="ESCALATION", help="The escalation's id.")]


@app.command("list", epilog="Example: qd escalation list --state open")
def list_(
    state: Annotated[State | None, typer.Option(help="open, claimed or closed.")] = None,
    agent: Annotated[str | None, typer.Option(help="From this agent.")] = None,
    owner: Annotated[str | None, typer.Option(help="In this queue.")] = None,
    limit: LimitOption = 50,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """The queue, newest first."""
    found = deck(tenant=tenant).escalations.list(state=state, agent=agent, owner=owner, limit=limit)
    Screen(json=json).table(
        found.all(),
        [
            ("escalation", lambda escalation: escalation.escalation_id),
            ("state", lambda escalation: escalation.state),
            ("owner", lambda escalation: escalation.owner),
            ("agent", lambda escalation: escalation.agent),
            ("for", lambda escalation: escalation.user_id),
            ("summary", lambda escalation: escalation.summary),
            ("opened", lambda escalation: escalation.opened_at),
            ("claimed by", lambda escalation: escalation.claimed_by),
        ],
        empty="nobody was passed on",
    )


@app.command(epilog="Example: qd escalation show 0190d2a4-...")
def show(escalation_id: IdArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """What it is about, and the run and the thread that it comes from."""
    _show(Screen(json=json), deck(tenant=tenant).escalations.get(escalation_id))


@app.command(epilog="Example: qd escalation claim 0190d2a4-...")
def claim(
    escalation_id: IdArgument,
    take_over: Annotated[bool, typer.Option("--take-over", help="Also what somebody else has claimed.")] = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Take a conversation."""
    _show(Screen(json=json), deck(tenant=tenant).escalations.claim(escalation_id, take_over=take_over))


@app.command(epilog="Example: qd escalation close 0190d2a4-... --note 'called her, all settled'")
def close(
    escalation_id: IdArgument,
    note: Annotated[str, typer.Option("--note", help="What came of it.")],
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Say what came of a conversation that you have claimed."""
    _show(Screen(json=json), deck(tenant=tenant).escalations.close(escalation_id, note))


def _show(screen: Screen, escalation: "Escalation") -> None:
    screen.facts(
        escalation,
        [
            ("escalation", escalation.escalation_id),
            ("state", escalation.state),
            ("owner", escalation.owner),
            ("summary", escalation.summary),
            ("why", escalation.why),
            ("agent", escalation.agent),
            ("for", escalation.user_id),
            ("run", escalation.run_id),
            ("thread", escalation.thread_id),
            ("opened", escalation.opened_at),
            ("claimed by", escalation.claimed_by),
            ("closed by", escalation.closed_by),
            ("note", escalation.note),
        ],
    )
