"""`quarterdeck approval`: what people are asked before a risky call, and their answers."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption, WhyOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen
from quarterdeck.core.json import decode_object, encode_text

if TYPE_CHECKING:
    from quarterdeck.core.json import Json
    from quarterdeck.sdk.approvals import Approval

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Answer what agents ask before they act.")

State: TypeAlias = Literal["pending", "approved", "denied", "expired", "withdrawn", "all"]
Verdict: TypeAlias = Literal["approve", "deny"]
IdArgument = Annotated[str, typer.Argument(metavar="APPROVAL", help="The approval's id.")]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list", epilog="Example: qd approval list --agent support-desk")
def list_(
    state: Annotated[State, typer.Option(help="pending, approved, denied, expired, withdrawn or all.")] = "pending",
    agent: Annotated[str | None, typer.Option(help="Of this agent.")] = None,
    tool: Annotated[str | None, typer.Option(help="About this tool.")] = None,
    run: Annotated[str | None, typer.Option(help="Of this run.")] = None,
    risk: Annotated[str | None, typer.Option(help="read, write, money or irreversible.")] = None,
    limit: LimitOption = 50,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """The inbox: what waits for an answer, newest first."""
    wanted = None if state == "all" else state
    found = deck(tenant=tenant).approvals.list(state=wanted, agent=agent, tool=tool, run=run, risk=risk, limit=limit)
    Screen(json=json).table(
        found.all(),
        [
            ("approval", lambda approval: approval.approval_id),
            ("risk", lambda approval: approval.risk_level),
            ("what", lambda approval: approval.summary),
            ("agent", lambda approval: approval.agent),
            ("for", lambda approval: approval.user_id),
            ("state", lambda approval: approval.state),
            ("asked", lambda approval: approval.asked_at),
            ("expires", lambda approval: approval.expires_at),
        ],
        empty="nobody waits for an answer",
    )


@app.command(epilog="Example: qd approval show 0190d2a4-...")
def show(approval_id: IdArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """The exact effect, where its values come from, why it is asked, and what was decided before."""
    _show(Screen(json=json), deck(tenant=tenant).approvals.get(approval_id))


@app.command(epilog="Example: qd approval approve 0190d2a4-... --why 'checked with the customer'")
def approve(
    approval_id: IdArgument,
    arguments: Annotated[
        str, typer.Option("--arguments", metavar="JSON", help="Approve these instead; the gate judges them anew.")
    ] = "",
    digest: Annotated[
        str, typer.Option("--digest", help="What you saw. Left out = what is asked about now, which is shown.")
    ] = "",
    why: WhyOption = "",
    yes: YesFlag = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Say yes to a call. On a terminal it is shown first, and asked once more."""
    approvals, screen = deck(tenant=tenant).approvals, Screen(json=json)
    edited = _edited(arguments)
    if not digest:
        seen = approvals.get(approval_id)
        digest = seen.digest
        if screen.person and not yes:
            _show(screen, seen)
            typer.confirm("Approve it?" if edited is None else f"Approve {encode_text(edited)}?", abort=True, err=True)
    _show_answer(screen, approvals.approve(approval_id, digest, arguments=edited, why=why))


@app.command(epilog="Example: qd approval deny 0190d2a4-... --why 'not this customer'")
def deny(
    approval_id: IdArgument,
    why: Annotated[str, typer.Option("--why", help="The reason: the agent is told.")],
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Say no to a call, and why."""
    _show_answer(Screen(json=json), deck(tenant=tenant).approvals.deny(approval_id, why))


@app.command(epilog="Example: qd approval batch approve 0190d2a4-... 0190d2a5-... --why 'known senders'")
def batch(
    verdict: Annotated[Verdict, typer.Argument(metavar="VERDICT", help="approve or deny.")],
    approval_ids: Annotated[list[str], typer.Argument(metavar="APPROVAL...", help="Up to 100.")],
    why: WhyOption = "",
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Give many the same answer. A yes covers reads and plain writes only; exits with 1 when one did not count."""
    items = deck(tenant=tenant).approvals.answer_many(approval_ids, verdict, why)
    Screen(json=json).table(
        items,
        [
            ("approval", lambda item: item.approval_id),
            ("state", lambda item: item.state),
            ("why not", lambda item: item.detail),
        ],
    )
    if any(item.code for item in items):
        raise typer.Exit(1)


def _edited(arguments: str) -> "dict[str, Json] | None":
    if not arguments:
        return None
    try:
        return decode_object(arguments)
    except ValueError:
        raise typer.BadParameter("this is no JSON object", param_hint="--arguments") from None


def _show(screen: Screen, approval: "Approval") -> None:
    similar, previous = approval.similar, approval.previous
    wanted = approval.arguments if approval.edited is None else approval.edited
    screen.facts(
        approval,
        [
            ("approval", approval.approval_id),
            ("state", approval.state),
            ("what", approval.summary),
            ("risk", f"{approval.risk_level} ({approval.effect})"),
            ("agent", approval.agent_version),
            ("for", approval.user_id),
            ("run", approval.run_id),
            *((f"  {name}", _argument(approval, name, value)) for name, value in wanted.items()),
            ("edited", "yes: the agent asked for " + encode_text(approval.arguments) if approval.edited else None),
            ("why it is asked", approval.reason),
            ("policies", approval.policies or approval.rule),
            ("people", f"{len(approval.votes)} of {approval.people}" if approval.people > 1 else None),
            ("roles", approval.roles),
            ("asked", approval.asked_at),
            ("expires", approval.expires_at),
            ("last approved", encode_text(previous.arguments) if previous else None),
            ("similar", f"{similar.approved} approved, {similar.denied} denied in 90 days" if similar else None),
            ("answered by", approval.answered_by),
            ("why", approval.why),
            ("digest", approval.digest),
        ],
    )


def _argument(approval: "Approval", name: str, value: object) -> str:
    origins = {origin for path, origin in approval.origins.items() if path.partition(".")[0].partition("[")[0] == name}
    said = encode_text(value)
    return f"{said}  (from: {', '.join(sorted(origins))})" if origins and approval.edited is None else said


def _show_answer(screen: Screen, approval: "Approval") -> None:
    screen.facts(
        approval,
        [
            ("approval", approval.approval_id),
            ("state", approval.state),
            ("what", approval.summary),
            ("people", f"{len(approval.votes)} of {approval.people}" if approval.people > 1 else None),
            ("run", approval.run_id),
        ],
    )
