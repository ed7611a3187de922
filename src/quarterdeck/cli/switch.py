"""`quarterdeck switch`: stop or narrow what runs, at once and without a deployment, and let it go on again."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption, WhyOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen

if TYPE_CHECKING:
    from quarterdeck.core.json import Json
    from quarterdeck.sdk import Quarterdeck
    from quarterdeck.sdk.switches import Reach, Switch

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Stop or narrow what runs, and let it go on.")

Scope: TypeAlias = Literal["tool", "server", "model", "route", "agent", "tenant", "everything"]
ScopeArgument = Annotated[Scope, typer.Argument(metavar="SCOPE", help=", ".join(Scope.__args__))]
TargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="Which one; none for everything, and for your own tenant.")
]
AgentOption = Annotated[str | None, typer.Option("--agent", help="Only for this agent.")]
Disable = Annotated[bool, typer.Option("--disable", help="Refuse its calls; pause the runs of an agent or tenant.")]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Let only reads through.")]
ForceReview = Annotated[bool, typer.Option("--force-review", help="A person approves each call.")]
LowerAutonomy = Annotated[
    str | None, typer.Option("--lower-autonomy", metavar="LEVEL", help="suggest, ask_always or ask_when_risky.")
]
CapSteps = Annotated[int | None, typer.Option("--cap-steps", metavar="N", min=0, help="At most N steps a run.")]
CapBudget = Annotated[
    float | None, typer.Option("--cap-budget", metavar="USD", min=0, help="At most so much money a run.")
]
SwitchModel = Annotated[
    str | None, typer.Option("--switch-model", metavar="PROVIDER/ID", help="Ask this exact model instead.")
]
StopBackground = Annotated[bool, typer.Option("--stop-background", help="Hold runs whose priority is below zero.")]
PauseNew = Annotated[bool, typer.Option("--pause-new", help="Hold new runs; those that have begun go on.")]
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@app.command(epilog='Example: qd switch throw tool refund --disable --why "double refunds" --for 1h')
def throw(  # noqa: PLR0913  # what can be said of a switch
    scope: ScopeArgument,
    target: TargetArgument = "",
    *,
    disable: Disable = False,
    read_only: ReadOnly = False,
    force_review: ForceReview = False,
    lower_autonomy: LowerAutonomy = None,
    cap_steps: CapSteps = None,
    cap_budget: CapBudget = None,
    switch_model: SwitchModel = None,
    stop_background: StopBackground = False,
    pause_new: PauseNew = False,
    why: Annotated[str, typer.Option("--why", help="The reason, shown to everybody whom it hits.")],
    agent: AgentOption = None,
    lasting: Annotated[
        str, typer.Option("--for", metavar="TIME", help="When it ends by itself: 30m, 2h, 1d. Left out = when lifted.")
    ] = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel calls under way too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Throw a switch. On a terminal it first shows what that will hit and asks."""
    action, value = _action(
        disable=disable,
        read_only=read_only,
        force_review=force_review,
        autonomy=lower_autonomy,
        steps=cap_steps,
        budget=cap_budget,
        model=switch_model,
        stop_background=stop_background,
        pause_new=pause_new,
    )
    client, screen = _deck(scope, tenant), Screen(json=json)
    for_s = seconds_of(lasting)
    if screen.person and not yes:
        _show_reach(screen, client.switches.preview(scope, target, action=action, agent=agent, value=value))
        typer.confirm("Throw it?", abort=True, err=True)
    switch = client.switches.throw(
        scope, target, action=action, why=why, agent=agent, value=value, cancel=cancel, for_s=for_s
    )
    _show(screen, switch)


@app.command(epilog="Example: qd switch preview agent support-desk --disable")
def preview(  # noqa: PLR0913  # the same
    scope: ScopeArgument,
    target: TargetArgument = "",
    *,
    disable: Disable = False,
    read_only: ReadOnly = False,
    force_review: ForceReview = False,
    lower_autonomy: LowerAutonomy = None,
    cap_steps: CapSteps = None,
    cap_budget: CapBudget = None,
    switch_model: SwitchModel = None,
    stop_background: StopBackground = False,
    pause_new: PauseNew = False,
    agent: AgentOption = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Show what a switch would hit now, without throwing it."""
    action, value = _action(
        disable=disable,
        read_only=read_only,
        force_review=force_review,
        autonomy=lower_autonomy,
        steps=cap_steps,
        budget=cap_budget,
        model=switch_model,
        stop_background=stop_background,
        pause_new=pause_new,
    )
    found = _deck(scope, tenant).switches.preview(scope, target, action=action, agent=agent, value=value)
    _show_reach(Screen(json=json), found)


@app.command("list", epilog="Example: qd switch list --all")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Also those that were lifted, newest first.")] = False,
    limit: LimitOption = 100,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """The switches that stand."""
    switches = deck(tenant=tenant).switches
    Screen(json=json).table(
        switches.history(limit=limit).all() if everything else switches.standing(),
        [
            ("switch", lambda switch: switch.switch_id),
            ("what", lambda switch: switch.words),
            ("why", lambda switch: switch.why),
            ("state", lambda switch: switch.state),
            ("by", lambda switch: switch.thrown_by),
            ("since", lambda switch: switch.thrown_at),
            ("until", lambda switch: switch.lifted_at or switch.until),
        ],
        empty="no switch is thrown",
    )


@app.command(epilog='Example: qd switch lift 0190d2a4-... --why "fixed in 1.3"')
def lift(
    switch_id: Annotated[str, typer.Argument(metavar="SWITCH", help="The switch's id.")],
    why: WhyOption = "",
    deployment: Annotated[bool, typer.Option("--deployment", help="One that a deployment admin has thrown.")] = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Lift a switch. Runs that wait because of it go on at once."""
    _show(Screen(json=json), deck(admin=deployment, tenant=tenant).switches.lift(switch_id, why))


def seconds_of(text: str) -> float | None:
    """`90s`, `30m`, `2h` or `1d` as seconds; None for nothing. Raises BadParameter for anything else."""
    if not text:
        return None
    number, unit = text[:-1], text[-1:]
    if unit not in SECONDS or not number.isdigit() or int(number) == 0:
        raise typer.BadParameter(f"{text!r} is not a time such as 90s, 30m, 2h or 1d", param_hint="--for")
    return float(int(number) * SECONDS[unit])


def _deck(scope: Scope, tenant: str) -> "Quarterdeck":
    """A client with the right to stop everything where that is what is asked for."""
    return deck(admin=scope == "everything", tenant=tenant)


def _action(
    *, autonomy: str | None, steps: int | None, budget: float | None, model: str | None, **flags: bool
) -> tuple[str, "Json"]:
    """The one action that was asked for, and its value. Raises BadParameter for none or several."""
    provider, _, name = (model or "").partition("/")
    asked: dict[str, Json] = {flag: None for flag, given in flags.items() if given}
    if autonomy is not None:
        asked["lower_autonomy"] = autonomy
    if steps is not None:
        asked["cap_steps"] = steps
    if budget is not None:
        asked["cap_budget"] = budget
    if model is not None:
        asked["switch_model"] = {"provider": provider, "id": name}
    if len(asked) != 1:
        known = (*flags, "lower_autonomy", "cap_steps", "cap_budget", "switch_model")
        names = ", ".join(f"--{name.replace('_', '-')}" for name in known)
        raise typer.BadParameter(f"give one of {names}", param_hint="what it does")
    return asked.popitem()


def _show(screen: Screen, switch: "Switch") -> None:
    screen.facts(
        switch,
        [
            ("switch", switch.switch_id),
            ("what", switch.words),
            ("why", switch.why),
            ("state", switch.state),
            ("until", switch.until),
        ],
    )


def _show_reach(screen: Screen, found: "Reach") -> None:
    screen.facts(
        found,
        [
            ("agents", list(found.agents) or "none"),
            ("tools", list(found.tools)),
            ("runs", f"{found.running_runs} running, {found.queued_runs} queued, {found.waiting_runs} waiting"),
            ("calls under way", str(found.calls_in_flight)),
        ],
    )
