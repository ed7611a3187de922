"""`quarterdeck rate`: what a tenant allows of tool calls, beside what its releases declare."""

from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption, WhyOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen

if TYPE_CHECKING:
    from quarterdeck.sdk.holdings import Rate

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Limit how often and how many tool calls are made.")

NameArgument = Annotated[str, typer.Argument(metavar="RATE", help="The limit's name.")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@app.command("set", epilog="Example: qd rate set refunds --scope tool --target refund --calls 5 --every 1m")
def set_(
    name: NameArgument,
    scope: Annotated[str, typer.Option(help="Whose calls are counted: tool, user, agent or tenant.")],
    target: Annotated[str, typer.Option(help="One of them by name; * = each one by itself.")] = "*",
    calls: Annotated[int | None, typer.Option(min=1, help="At most so many calls ...")] = None,
    every: Annotated[str, typer.Option(help="... in any such time: 30, 30s, 1m, 12h or 7d.")] = "",
    concurrency: Annotated[int | None, typer.Option(min=1, help="At most so many at once.")] = None,
    why: WhyOption = "",
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Make or replace a limit. It narrows what releases declare and never widens it; workers follow within a second."""
    rate = deck(tenant=tenant).rates.put(
        name, scope, target, calls=calls, every=seconds_of(every), concurrency=concurrency, why=why
    )
    _show(rate, json=json)


@app.command("list", epilog="Example: qd rate list")
def list_(limit: LimitOption = 100, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """The tenant's limits, by name."""
    Screen(json=json).table(
        deck(tenant=tenant).rates.list(limit=limit).all(),
        [
            ("rate", lambda rate: rate.name),
            ("scope", lambda rate: rate.scope),
            ("target", lambda rate: rate.target),
            ("calls", lambda rate: rate.calls),
            ("every, s", lambda rate: rate.every),
            ("at once", lambda rate: rate.concurrency),
            ("why", lambda rate: rate.why),
        ],
        empty="no limits beside those of the releases; set one with `qd rate set NAME --scope SCOPE`",
    )


@app.command(epilog="Example: qd rate show refunds")
def show(name: NameArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """One limit."""
    _show(deck(tenant=tenant).rates.get(name), json=json)


@app.command(epilog="Example: qd rate remove refunds")
def remove(name: NameArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Remove a limit; what releases declare still holds."""
    deck(tenant=tenant).rates.remove(name)
    Screen(json=json).facts({"removed": name}, [("removed", name)])


def seconds_of(text: str) -> int | None:
    """Seconds in `30`, `30s`, `1m`, `12h` or `7d`; None in nothing. Raises BadParameter for anything else."""
    if not text:
        return None
    number, unit = (text[:-1], text[-1]) if text[-1] in _UNITS else (text, "s")
    if not number.isdecimal() or not number.isascii() or int(number) == 0:
        raise typer.BadParameter(f"{text!r} is no time such as 30, 30s, 1m, 12h or 7d", param_hint="--every")
    return int(number) * _UNITS[unit]


def _show(rate: "Rate", *, json: bool) -> None:
    Screen(json=json).facts(
        rate,
        [
            ("rate", rate.name),
            ("scope", rate.scope),
            ("target", rate.target),
            ("calls", rate.calls),
            ("every, s", rate.every),
            ("at once", rate.concurrency),
            ("why", rate.why),
            ("set by", rate.set_by),
            ("changed", rate.updated_at),
        ],
    )
