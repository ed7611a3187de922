"""How budgets are told on a terminal: a line for each limit, with a bar for the part of it that is used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from quarterdeck.cli.screen import usd

if TYPE_CHECKING:
    from quarterdeck.sdk.budgets import Budget, Spending

WIDTH, NARROW = 10, 6
"""Characters of a bar, and of one in a table with many columns."""
_PARTS = " ▏▎▍▌▋▊▉"
_SPANS = {"1h": "/hour", "1d": "/day", "month": "/month", "total": ""}


@dataclass(frozen=True, slots=True)
class Row:
    """One limit of a budget, and what is spent of it."""

    name: str
    who: str
    limit: str
    spending: "Spending | None" = None
    shared: bool = False
    """Whether several have an account of it."""


def rows(budget: "Budget") -> list[Row]:
    """A line for each limit of a budget."""
    spending = {one.unit: one for one in budget.spending}
    who = whose(budget)
    shared = who.startswith("each ")
    return [Row(budget.name, who, words, spending.get(unit), shared) for unit, words in limits(budget)]


def limits(budget: "Budget") -> list[tuple[str, str]]:
    """Each limit in words, by the unit of what is spent of it; rates have none."""
    span = _SPANS.get(budget.budget_duration, "")
    said: list[tuple[str, str]] = []
    if budget.max_budget is not None:
        said.append(("micro_usd", quantity(round(budget.max_budget * 1_000_000), "micro_usd") + span))
    if budget.max_tokens is not None:
        said.append(("tokens", quantity(budget.max_tokens, "tokens") + span))
    if budget.rpm_limit is not None:
        said.append(("", f"{budget.rpm_limit:,} calls/min"))
    if budget.tpm_limit is not None:
        said.append(("", f"{count(budget.tpm_limit)} tokens/min"))
    return said


def whose(budget: "Budget") -> str:
    """Whose spending a budget limits, in words; of those that the deployment sets, that it does."""
    if budget.scope == "everything":
        return "everything"
    if budget.scope == "tenant" and (budget.source == "tenant" or budget.target == "*"):
        said = "the tenant" if budget.source == "tenant" else "each tenant"
    else:
        said = f"each {budget.scope}" if budget.target == "*" else f"{budget.scope} {budget.target}"
    return f"{said} (deployment's)" if budget.source == "deployment" else said


def columns(found: Sequence[Row], *, person: bool) -> list[tuple[str, Callable[[Row], object]]]:
    """The columns of a list of budgets: those that say something."""
    wanted: list[tuple[str, Callable[[Row], object]]] = [
        ("budget", lambda row: row.name),
        ("for", lambda row: row.who),
        ("limit", lambda row: row.limit),
        ("used", lambda row: _used(row, person=person)),
        ("left", lambda row: _amount(row.spending.left, row.spending.unit) if row.spending else None),
        ("most by", _most_by),
        ("renews in", lambda row: until(row.spending.renews_at if row.spending else None, person=person)),
    ]
    if not person or any(_runs_out(row) for row in found):
        wanted.append(("gone in", lambda row: until(_runs_out(row), person=person)))
    return wanted


def facts(budget: "Budget") -> list[tuple[str, object]]:
    """One budget, fact by fact."""
    said: list[tuple[str, object]] = [
        ("budget", budget.name),
        ("for", whose(budget)),
        ("limit", [words for _, words in limits(budget)]),
        ("alerts at", ", ".join(f"{level} %" for level in budget.alert_at)),
        ("why", budget.why),
        ("set by", budget.set_by),
        ("changed", budget.updated_at),
        ("release", budget.release),
    ]
    for one in budget.spending:
        name = "money" if one.unit == "micro_usd" else one.unit
        said += [
            (f"{name} used", f"{bar(one.used_percent)} {quantity(one.spent + one.uncovered, one.unit)}"),
            (f"{name} reserved", quantity(one.reserved, one.unit) if one.reserved else None),
            (f"{name} uncovered", quantity(one.uncovered, one.unit) if one.uncovered else None),
            (f"{name} left", quantity(one.left, one.unit)),
            (f"{name} most by", _by(one)),
            ("renews", one.renews_at),
            (f"{name} runs out", one.projected_at),
        ]
    return said


def bar(percent: float, width: int = WIDTH) -> str:
    """A bar for a part, with the part in per cent: full is full, however much more was used."""
    filled = min(1.0, max(0.0, percent / 100)) * width
    whole = int(filled)
    part = _PARTS[int((filled - whole) * len(_PARTS))] if whole < width else ""
    return f"{'█' * whole}{part}".ljust(width, "░").replace(" ", "░") + f" {percent:>3.0f} %"


def quantity(amount: int, unit: str) -> str:
    """An amount of an account in words."""
    return usd(amount) if unit == "micro_usd" else f"{count(amount)} {unit}"


def count(amount: int) -> str:
    """A number for people: 12,345, but 1.99M."""
    return f"{amount:,}" if amount < 1_000_000 else f"{amount / 1_000_000:.2f}".rstrip("0").rstrip(".") + "M"


def until(at: datetime | None, *, person: bool, now: datetime | None = None) -> object:
    """How far ahead a time is, in one unit, for people who look at many of them; the time itself for pipes."""
    if at is None or not person:
        return at
    seconds = int((at - (now or datetime.now(UTC))).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s" if seconds > 0 else "now"


def exact(dollars: float) -> str:
    """Dollars with the digits that they have, as an option takes them."""
    text = f"{dollars:.6f}".rstrip("0")
    return text + "00"[: max(0, 2 - len(text.partition(".")[2]))]


def _amount(amount: int, unit: str) -> str:
    """The same where the unit was said already."""
    return usd(amount) if unit == "micro_usd" else count(amount)


def _used(row: Row, *, person: bool) -> object:
    if row.spending is None:
        return None
    return bar(row.spending.used_percent, NARROW) if person else row.spending.used_percent


def _most_by(row: Row) -> str:
    """Who has used most, where that is not who the budget is for."""
    return _by(row.spending) if row.spending is not None and row.shared else ""


def _by(one: "Spending") -> str:
    """Who has used most; nothing where there is only one who could."""
    if not one.account:
        return ""
    return one.account if one.accounts <= 1 else f"{one.account} of {one.accounts:,}"


def _runs_out(row: Row) -> datetime | None:
    return row.spending.projected_at if row.spending is not None else None
