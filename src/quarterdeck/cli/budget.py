"""`quarterdeck budget`: what may be spent, what is spent of it, and what use suggests."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from quarterdeck.cli import usage
from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption, WhyOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.meters import bar, columns, exact, facts, quantity, rows, until
from quarterdeck.cli.screen import Screen
from quarterdeck.cli.usage import report

if TYPE_CHECKING:
    from quarterdeck.sdk import Quarterdeck
    from quarterdeck.sdk.budgets import Account, Spread, Suggestion

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Limit what may be spent, and see what is.")

Scope: TypeAlias = Literal["request", "run", "thread", "user", "agent", "tenant", "everything"]
NameArgument = Annotated[str, typer.Argument(metavar="BUDGET", help="The budget's name.")]
ScopeOption = Annotated[Scope, typer.Option("--scope", help="Whose spending: " + ", ".join(Scope.__args__) + ".")]
TargetOption = Annotated[
    str, typer.Option("--target", help="A user or agent by name, for the deployment a tenant; * = each one by itself.")
]
DurationOption = Annotated[
    str, typer.Option("--duration", metavar="TIME", help="When it renews: 1h, 1d, month; total never does.")
]
DeploymentOption = Annotated[
    bool, typer.Option("--deployment", help="The deployment's budgets and no tenant's; for its admins.")
]


@app.command(
    "set",
    epilog="Example: qd budget set all --scope tenant --max-budget 50 --duration 1d\n\n"
    "Example: qd budget set each-user --scope user --max-budget 0.50 --max-tokens 200000 --duration 1d\n\n"
    "Example: qd budget set desk-pace --scope agent --target desk --rpm-limit 120",
)
def set_(  # noqa: PLR0913  # what can be said of a budget
    name: NameArgument,
    scope: ScopeOption,
    target: TargetOption = "*",
    max_budget: Annotated[
        str | None,
        typer.Option("--max-budget", metavar="USD", help="US dollars, such as 0.50; 0 lets nothing be spent."),
    ] = None,
    duration: DurationOption = "total",
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", min=0, help="Tokens read and written.")] = None,
    rpm_limit: Annotated[int | None, typer.Option("--rpm-limit", min=0, help="Model calls a minute.")] = None,
    tpm_limit: Annotated[int | None, typer.Option("--tpm-limit", min=0, help="Tokens a minute.")] = None,
    alert_at: Annotated[
        list[int] | None, typer.Option("--alert-at", metavar="PERCENT", help="When to alert; may be repeated.")
    ] = None,
    why: WhyOption = "",
    deployment: DeploymentOption = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Make or replace a budget. It narrows what releases declare and never widens it, and holds for the next call."""
    budget = _deck(tenant, deployment=deployment or scope == "everything").budgets.put(
        name,
        scope,
        target,
        max_budget=max_budget,
        budget_duration=duration,
        max_tokens=max_tokens,
        rpm_limit=rpm_limit,
        tpm_limit=tpm_limit,
        alert_at=alert_at,
        why=why,
    )
    Screen(json=json).facts(budget, facts(budget))


@app.command("list", epilog="Example: qd budget list")
def list_(
    limit: LimitOption = 200, deployment: DeploymentOption = False, tenant: TenantOption = "", json: JsonFlag = False
) -> None:
    """Everything that limits spending, with what is spent: of what each one has by itself, who has spent most."""
    budgets = _deck(tenant, deployment=deployment).budgets.list(limit=limit).all()
    screen = Screen(json=json)
    if json:
        screen.value(budgets)
        return
    found = [row for budget in budgets for row in rows(budget)]
    empty = "nothing limits spending; set a budget with `qd budget set NAME --scope SCOPE --max-budget USD`"
    screen.table(found, columns(found, person=screen.person), empty=empty)


@app.command(epilog="Example: qd budget show each-user")
def show(
    name: NameArgument, deployment: DeploymentOption = False, tenant: TenantOption = "", json: JsonFlag = False
) -> None:
    """One budget, live or declared by a release."""
    budget = _deck(tenant, deployment=deployment).budgets.get(name)
    Screen(json=json).facts(budget, facts(budget))


@app.command(epilog="Example: qd budget remove each-user")
def remove(
    name: NameArgument, deployment: DeploymentOption = False, tenant: TenantOption = "", json: JsonFlag = False
) -> None:
    """Remove a budget; what releases and the deployment say still holds."""
    _deck(tenant, deployment=deployment).budgets.remove(name)
    Screen(json=json).facts({"removed": name}, [("removed", name)])


@app.command(epilog="Example: qd budget accounts each-user --limit 20")
def accounts(
    name: NameArgument,
    unit: Annotated[
        Literal["micro_usd", "tokens"] | None, typer.Option("--unit", help="Left out = money, where it is limited.")
    ] = None,
    limit: LimitOption = 20,
    deployment: DeploymentOption = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Who has spent most of a budget in its present window."""
    screen = Screen(json=json)
    screen.table(
        _deck(tenant, deployment=deployment).budgets.accounts(name, unit=unit, limit=limit).all(),
        [
            ("account", _named),
            ("used", lambda one: bar(one.used_percent) if screen.person else one.used_percent),
            ("spent", lambda one: quantity(one.spent + one.uncovered, one.unit)),
            ("reserved", lambda one: quantity(one.reserved, one.unit) if one.reserved else None),
            ("left", lambda one: quantity(one.left, one.unit)),
            ("renews in", lambda one: until(one.renews_at, person=screen.person)),
            ("gone in", lambda one: until(one.projected_at, person=screen.person)),
        ],
        empty="nobody has spent anything of it in its present window",
    )


@app.command(epilog="Example: qd budget suggest user --duration 1d --days 60")
def suggest(
    scope: Annotated[Scope, typer.Argument(metavar="SCOPE", help=", ".join(Scope.__args__))],
    target: TargetOption = "*",
    duration: Annotated[
        str, typer.Option("--duration", metavar="TIME", help="1h, 1d or month; left out = 1d, for what ends total.")
    ] = "",
    days: Annotated[int | None, typer.Option("--days", min=1, max=366, help="How far back to look.")] = None,
    deployment: DeploymentOption = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Suggest limits from measured use: twice what is usual. It refuses to guess from too little."""
    client = _deck(tenant, deployment=deployment or scope == "everything")
    found = client.budgets.suggest(scope, target, budget_duration=duration, days=days)
    screen = Screen(json=json)
    if json:
        screen.value(found)
        return
    screen.table(
        [(unit, spread) for unit, spread in _spreads(found) if spread.max > 0],
        [
            ("", lambda one: "money" if one[0] == "micro_usd" else "tokens"),
            ("half use up to", lambda one: _said(one[1].p50, one[0])),
            ("99 % up to", lambda one: _said(one[1].p99, one[0])),
            ("the most", lambda one: _said(one[1].max, one[0])),
            ("suggested", lambda one: _said(one[1].suggested, one[0])),
            ("would stop", lambda one: f"{one[1].over} of {found.samples}"),
        ],
    )
    screen.line(f"\n{found.words}")
    for warning in found.warnings:
        screen.line(warning, "yellow")
    screen.line(f"\nqd budget set NAME {_options(found)}", "dim")


# The same as `qd usage report`: who sets a limit looks here for what was spent.
_ = app.command("report", epilog="Example: qd budget report --by user,model --since 7d")(report)


# The same command under both nouns: who looks for what was spent looks here first.
app.command("report", epilog="Example: qd budget report --by agent,model --since 7d")(usage.report)


def _deck(tenant: str, *, deployment: bool) -> "Quarterdeck":
    """A client in a tenant, or with the right to the deployment's own budgets, naming no tenant."""
    return deck(admin=True).acting(tenant="") if deployment else deck(tenant=tenant)


def _named(one: "Account") -> str:
    """Whose account it is, with its tenant where several have one."""
    return f"{one.tenant}/{one.account}" if one.tenant and one.tenant != one.account else one.account


def _spreads(found: "Suggestion") -> "list[tuple[str, Spread]]":
    return [("micro_usd", found.max_budget), ("tokens", found.max_tokens)]


def _said(amount: float | None, unit: str) -> str:
    if amount is None:
        return ""
    return quantity(round(amount * 1_000_000) if unit == "micro_usd" else round(amount), unit)


def _options(found: "Suggestion") -> str:
    """What sets the suggestion."""
    said = [f"--scope {found.scope}"]
    said += [f"--target {found.target}"] if found.target != "*" else []
    said += [f"--max-budget {exact(found.max_budget.suggested)}"] if found.max_budget.suggested is not None else []
    said += [f"--max-tokens {found.max_tokens.suggested:.0f}"] if found.max_tokens.suggested is not None else []
    said += [f"--duration {found.budget_duration}"] if found.budget_duration != "total" else []
    return " ".join(said)
