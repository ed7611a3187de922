"""`quarterdeck alert`: what somebody should know before it hurts, and which runs are near a limit."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.meters import bar
from quarterdeck.cli.screen import Screen, usd

if TYPE_CHECKING:
    from quarterdeck.sdk import Quarterdeck
    from quarterdeck.sdk.alerts import Alert, NearLimit, Use

app = typer.Typer(add_completion=False, no_args_is_help=True, help="See what somebody should know before it hurts.")

AlertArgument = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id.")]
DeploymentOption = Annotated[
    bool, typer.Option("--deployment", help="The deployment's alerts and no tenant's; for its admins.")
]


@app.command("list", epilog="Example: qd alert list --severity critical")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    kind: Annotated[str | None, typer.Option("--kind", help="Such as budget.threshold or spend.spike.")] = None,
    severity: Annotated[
        Literal["notice", "warning", "critical"] | None, typer.Option("--severity", help="Only those of one severity.")
    ] = None,
    limit: LimitOption = 50,
    deployment: DeploymentOption = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """The alerts that stand, newest first."""
    state = None if everything else "standing"
    alerts = _deck(tenant, deployment=deployment).alerts
    Screen(json=json).table(
        alerts.list(state=state, kind=kind, severity=severity, limit=limit).all(),
        [
            ("alert", lambda alert: alert.alert_id),
            ("severity", lambda alert: alert.severity),
            ("what", lambda alert: alert.words),
            ("since", lambda alert: alert.raised_at),
            ("state", lambda alert: alert.state),
        ],
        empty="no alert stands",
    )


@app.command(epilog="Example: qd alert show 0190d2a4-...")
def show(
    alert_id: AlertArgument, deployment: DeploymentOption = False, tenant: TenantOption = "", json: JsonFlag = False
) -> None:
    """One alert with its figures."""
    _show(Screen(json=json), _deck(tenant, deployment=deployment).alerts.get(alert_id))


@app.command(epilog="Example: qd alert acknowledge 0190d2a4-...")
def acknowledge(
    alert_id: AlertArgument, deployment: DeploymentOption = False, tenant: TenantOption = "", json: JsonFlag = False
) -> None:
    """Say that somebody has seen it. It stays until it is over."""
    _show(Screen(json=json), _deck(tenant, deployment=deployment).alerts.acknowledge(alert_id))


@app.command("near-limits", epilog="Example: qd alert near-limits --agent desk")
def near_limits(
    agent: Annotated[str | None, typer.Option("--agent", help="Only runs of this agent.")] = None,
    limit: LimitOption = 50,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Runs that have used four fifths of their budget, steps, tokens or tool calls, and what brought them there."""
    screen = Screen(json=json)
    screen.table(
        deck(tenant=tenant).alerts.near_limits(agent=agent, limit=limit).all(),
        [
            ("run", lambda run: run.run_id),
            ("agent", lambda run: run.agent),
            ("near", lambda run: _near(run, person=screen.person)),
            ("because", lambda run: run.words),
            ("status", lambda run: run.status),
        ],
        empty="no run is near a limit",
    )


def _near(run: "NearLimit", *, person: bool) -> str:
    if not run.limits:
        return ""
    use = run.limits[0]
    return f"{bar(use.used_percent)} {_of(use)}" if person else f"{use.used_percent} {_of(use)}"


def _of(use: "Use") -> str:
    if use.limit == "budget":
        return f"of {usd(use.most)}"
    return f"of {use.most:,} {use.limit.replace('_', ' ')}"


def _deck(tenant: str, *, deployment: bool) -> "Quarterdeck":
    """A client in a tenant, or with the right to the deployment's own alerts, naming no tenant."""
    return deck(admin=True).acting(tenant="") if deployment else deck(tenant=tenant)


def _show(screen: Screen, alert: "Alert") -> None:
    screen.facts(
        alert,
        [
            ("alert", alert.alert_id),
            ("kind", alert.kind),
            ("severity", alert.severity),
            ("what", alert.words),
            ("state", alert.state),
            ("raised", alert.raised_at),
            ("last seen", alert.last_at),
            ("over", alert.resolved_at),
            ("because", alert.resolved_why),
            ("acknowledged", alert.acknowledged_at),
            ("by", alert.acknowledged_by),
        ],
    )
