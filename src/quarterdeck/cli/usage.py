"""`quarterdeck usage`: what was used and what it cost, by anything; who spends most; what a provider's bill says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption, pairs
from quarterdeck.cli.connect import deck
from quarterdeck.cli.exits import Exit
from quarterdeck.cli.periods import when
from quarterdeck.cli.screen import Screen, usd
from quarterdeck.cli.spending import columns, differences, savings, shares, spenders, total

if TYPE_CHECKING:
    from quarterdeck.sdk import Quarterdeck
    from quarterdeck.sdk.calls import Query

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="See what was used, what it cost, and who spends most."
)

DIMENSIONS = (
    "tenant, user, agent, release, thread, run, root_run, step, model, served_model, provider, route, purpose, tool, "
    "state, tag:NAME"
)
Among: TypeAlias = Literal["user", "agent", "thread", "tenant"]
ByOption = Annotated[str, typer.Option("--by", help=f"Several with commas: {DIMENSIONS}.")]
SinceOption = Annotated[
    str, typer.Option("--since", metavar="TIME", help="A day or time (UTC unless it has a zone), or 7d, 12h ago.")
]
UntilOption = Annotated[str, typer.Option("--until", metavar="TIME", help="The same; not included. Absent = now.")]
WhereOption = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="NAME=VALUE", help="Only these, such as agent=desk or tag:plan=gold; repeatable."),
]
EveryOption = Annotated[
    Literal["hour", "day", "month"] | None, typer.Option("--every", help="Tell hours, days or months apart.")
]
ZoneOption = Annotated[str, typer.Option("--tz", metavar="ZONE", help="Where days begin, such as Europe/Berlin.")]
TopOption = Annotated[int, typer.Option("--top", min=1, help="So many groups; the others are summed into one.")]
CsvFlag = Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")]
DeploymentOption = Annotated[bool, typer.Option("--deployment", help="All tenants together; for deployment admins.")]


@app.command(
    epilog="Example: qd usage report --by agent,model --since 7d\n\n"
    "qd usage report --by tag:plan --every month --tz Europe/Berlin --csv > plans.csv\n\n"
    "qd usage report --by tool --where agent=desk"
)
def report(  # noqa: PLR0913  # what can be asked
    by: ByOption = "agent",
    since: SinceOption = "30d",
    until: UntilOption = "",
    every: EveryOption = None,
    tz: ZoneOption = "UTC",
    where: WhereOption = None,
    top: TopOption = 20,
    sort: Annotated[
        Literal["cost", "tokens", "calls"], typer.Option("--sort", help="What makes a group large.")
    ] = "cost",
    csv: CsvFlag = False,
    deployment: DeploymentOption = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Calls, tokens and cost by anything and over time.

    By `tool`, the cost of a step is split evenly over the tools whose results it was the first to read.
    """
    client, screen = _deck(tenant, deployment=deployment), Screen(json=json)
    asked = _asked(since, until, where) | {"every": every, "tz": tz, "top": top}
    if csv:
        _print(client.usage.table("report", asked | {"by": by, "sort": sort}))
        return
    with screen.progress("adding up"):
        found = client.usage.report(
            _keys(by),
            since=when(since),
            until=when(until),
            where=_where(where),
            every=every,
            tz=tz,
            top=top,
            sort=sort,
        )
    if json:
        screen.value(found)
        return
    screen.table(found.lines, columns(found, person=screen.person), "nothing was used in this time")
    if screen.person and found.lines:
        screen.line(f"\n{total(found)}", "dim")


@app.command(
    epilog="Example: qd usage concentration\n\nqd usage concentration --among agent --since 2026-11-01 --top 5"
)
def concentration(
    among: Annotated[
        Among, typer.Option("--among", help="Who spends: user, agent, thread; tenant for admins.")
    ] = "user",
    since: SinceOption = "30d",
    until: UntilOption = "",
    where: WhereOption = None,
    top: TopOption = 20,
    csv: CsvFlag = False,
    deployment: DeploymentOption = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """How cost is spread: what the largest 0.1 %, 1 % and 10 % make of it, Gini's coefficient, and who they are."""
    client, screen = _deck(tenant, deployment=deployment), Screen(json=json)
    if csv:
        _print(client.usage.table("concentration", _asked(since, until, where) | {"among": among, "top": top}))
        return
    with screen.progress("adding up"):
        found = client.usage.concentration(among, top=top, since=when(since), until=when(until), where=_where(where))
    if json:
        screen.value(found)
        return
    screen.table(found.top, spenders(found, person=screen.person), "nobody spent anything in this time")
    if screen.person and found.top:
        screen.line("")
        for line in shares(found):
            screen.line(line, "dim")


@app.command(epilog="Example: qd usage outliers --since 7d\n\nqd usage outliers --where agent=desk --threshold 5")
def outliers(
    since: SinceOption = "30d",
    until: UntilOption = "",
    where: WhereOption = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=1, help="Robust z-score from which a run stands out.")
    ] = 3.5,
    limit: LimitOption = 20,
    csv: CsvFlag = False,
    deployment: DeploymentOption = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Runs that cost far more than their agent's usually do, and why: steps, retries, context, output, model."""
    client, screen = _deck(tenant, deployment=deployment), Screen(json=json)
    if csv:
        query = _asked(since, until, where) | {"threshold": threshold, "limit": limit}
        _print(client.usage.table("outliers", query))
        return
    with screen.progress("comparing"):
        found = client.usage.outliers(
            threshold=threshold, limit=limit, since=when(since), until=when(until), where=_where(where)
        )
    if json:
        screen.value(found)
        return
    screen.table(
        found.items,
        [
            ("run", lambda one: one.run_id),
            ("user", lambda one: one.user_id),
            ("when", lambda one: one.at),
            ("cost", lambda one: usd(one.cost_micro_usd)),
            ("z", lambda one: f"{one.z:.1f}"),
            ("why", lambda one: one.why),
        ],
        "no run stands out; an agent needs 8 runs before anything is usual",
    )


@app.command("savings", epilog="Example: qd usage savings\n\nqd usage savings --by model --since 7d")
def savings_(  # noqa: PLR0913  # what can be asked
    by: ByOption = "agent",
    since: SinceOption = "30d",
    until: UntilOption = "",
    every: EveryOption = None,
    tz: ZoneOption = "UTC",
    where: WhereOption = None,
    top: TopOption = 20,
    csv: CsvFlag = False,
    deployment: DeploymentOption = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Tokens and money that the provider's cache, trimmed context and cheaper routes have saved."""
    client, screen = _deck(tenant, deployment=deployment), Screen(json=json)
    if csv:
        asked = _asked(since, until, where) | {"every": every, "tz": tz, "top": top, "by": by}
        _print(client.usage.table("savings", asked))
        return
    with screen.progress("adding up"):
        found = client.usage.savings(
            _keys(by), since=when(since), until=when(until), where=_where(where), every=every, tz=tz, top=top
        )
    if json:
        screen.value(found)
        return
    screen.facts(found, savings(found))
    if found.lines and by:
        screen.line("")
        screen.table(found.lines, columns(found, person=screen.person, saved=True))


@app.command(
    epilog="Example: qd usage reconcile openai-usage.json --provider openai\n\n"
    "qd usage reconcile costs.csv usage.csv --provider claude --tolerance 1\n\n"
    "qd usage reconcile bill.csv --provider gateway --map input_tokens=prompt --map cost=usd"
)
def reconcile(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="CSV, JSON lines, or pages of the API."),
    ],
    provider: Annotated[list[str], typer.Option("--provider", help="The connection it is about; may be repeated.")],
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="NAME=COLUMN", help="Which column holds what: date, model, input_tokens, cost ..."
        ),
    ] = None,
    tolerance: Annotated[float, typer.Option("--tolerance", min=0, max=100, help="Percent that may differ.")] = 0.5,
    skip_bad_lines: Annotated[bool, typer.Option("--skip-bad-lines", help="Compare what can be read.")] = False,
    all_: Annotated[
        bool, typer.Option("--deployment", help="Compare all tenants' usage; for deployment admins.")
    ] = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Compare with what a provider exported: what is missing on either side, where tokens or prices differ, and why.

    Understands OpenAI's usage and costs, Anthropic's usage and cost reports, and tables with a day, a model and counts.
    Files are read here and added up by day (UTC) and model; only that is sent. Exits with 9 when something differs.
    """
    from quarterdeck.cli.bills import read_bills

    screen = Screen(json=json)
    days, bad = read_bills(files, pairs(map_ or [], "--map"), screen)
    if bad and not skip_bad_lines:
        screen.note("Nothing was compared. Correct these lines, or leave them out with --skip-bad-lines.")
        raise SystemExit(Exit.ERROR)
    if not days:
        raise typer.BadParameter("there is nothing in it that can be read", param_hint="FILE")
    with screen.progress("comparing"):
        found = _deck(tenant, deployment=all_).usage.reconcile(provider, days, tolerance / 100)
    if json:
        screen.value(found)
    else:
        differences(found, screen)
    if found.differences:
        raise SystemExit(Exit.BILL_DIFFERS)


def _deck(tenant: str, *, deployment: bool) -> "Quarterdeck":
    """A client in a tenant, or with the right to see all of them. Raises BadParameter for a key that has it not."""
    if not deployment:
        return deck(tenant=tenant)
    client = deck(admin=True).acting(tenant="")
    if tenant or not client.whoami().admin:
        wrong = "name no tenant with it" if tenant else "only a deployment admin's key sees all tenants"
        raise typer.BadParameter(wrong, param_hint="--deployment")
    return client


def _keys(by: str) -> list[str]:
    return [key for part in by.split(",") if (key := part.strip())]


def _where(given: list[str] | None) -> "dict[str, list[str]]":
    """Filters as the API takes them. `tag:plan=gold` is `tag=plan=gold` there."""
    found: dict[str, list[str]] = {}
    for one in given or []:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{one!r} is not NAME=VALUE", param_hint="--where")
        if name.startswith("tag:"):
            name, value = "tag", f"{name.removeprefix('tag:')}={value}"
        elif name not in DIMENSIONS.split(", "):
            raise typer.BadParameter(f"there is no {name!r}: one of {DIMENSIONS}", param_hint="--where")
        found.setdefault(name, []).append(value)
    return found


def _asked(since: str, until: str, where: list[str] | None) -> "dict[str, Query]":
    return {"since": when(since), "until": when(until), **_where(where)}


def _print(table: bytes) -> None:
    import sys

    sys.stdout.buffer.write(table)
