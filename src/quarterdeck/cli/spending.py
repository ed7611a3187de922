"""How usage and cost are told on a terminal."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from quarterdeck.cli.screen import Screen, usd

if TYPE_CHECKING:
    from quarterdeck.sdk.usage import (
        Concentration,
        Counted,
        Difference,
        Reconciliation,
        Savings,
        Spender,
        UsageLine,
        UsageReport,
    )

Column: TypeAlias = "tuple[str, Callable[[UsageLine], object]]"
_BAR = 12
_DIGEST = 64
_KINDS = {
    "missing_here": "missing here",
    "missing_there": "missing there",
    "tokens_differ": "tokens differ",
    "price_differs": "price differs",
}


def columns(found: "UsageReport | Savings", *, person: bool, saved: bool = False) -> list[Column]:
    """The columns of a report: for people those that say something, for pipes always the same ones."""
    lines = found.lines
    wanted: list[Column] = []
    if not person or any(line.at for line in lines):
        wanted.append(("at", lambda line: _stretch(line, found) if person else _iso(line.at)))
    wanted += [(key, _key(key, first=key == found.by[0], person=person)) for key in found.by]
    wanted.append(("calls", lambda line: f"{line.calls:,}" if person else line.calls))
    numbers: list[tuple[str, Callable[[UsageLine], int]]] = [
        ("input", lambda line: line.input_tokens),
        ("cached", lambda line: line.cache_read_tokens),
        ("output", lambda line: line.output_tokens),
        ("reasoning", lambda line: line.reasoning_tokens),
    ]
    if saved:
        numbers = [("input", numbers[0][1]), ("cached", numbers[1][1]), ("trimmed", lambda line: line.trimmed_tokens)]
    for name, read in numbers:
        if not person or any(read(line) for line in lines):
            wanted.append((name, _short(read) if person else read))
    money: list[tuple[str, Callable[[UsageLine], int]]] = [("cost", lambda line: line.cost_micro_usd)]
    if saved:
        by_way: list[tuple[str, Callable[[UsageLine], int]]] = [
            ("by cache", lambda line: line.saved_cache_micro_usd),
            ("by routes", lambda line: line.saved_route_micro_usd),
            ("by trimming", lambda line: line.saved_trim_micro_usd),
        ]
        money.extend(by_way)
    else:
        money.append(("presumed", lambda line: line.presumed_micro_usd))
    for name, read in money:
        if not person or name == "cost" or any(read(line) for line in lines):
            wanted.append((name, _money(read) if person else read))
    if not person or any(line.unpriced_calls for line in lines):
        wanted.append(("no price", lambda line: line.unpriced_calls or ("" if person else 0)))
    if person and not saved and found.by:
        most = max((line.cost_micro_usd for line in lines if not line.rest), default=0)
        wanted.append(("", lambda line: "" if line.rest else bar(line.cost_micro_usd, most)))
    return wanted


def total(found: "UsageReport") -> str:
    """The last line of a report: everything together."""
    sums = found.total
    tokens = f"{sums.input_tokens:,} tokens in, {sums.output_tokens:,} out"
    said = f"{sums.calls:,} calls · {tokens} · {usd(sums.cost_micro_usd)}"
    if sums.presumed_micro_usd:
        said += f", {usd(sums.presumed_micro_usd)} of it presumed"
    if sums.unpriced_calls:
        said += f" · {sums.unpriced_calls:,} calls without a price count as free"
    return f"{found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}: {said}"


def spenders(found: "Concentration", *, person: bool) -> "list[tuple[str, Callable[[Spender], object]]]":
    """The columns of those who spend most."""
    several = len({one.tenant for one in found.top}) > 1 and found.among != "tenant"
    wanted: list[tuple[str, Callable[[Spender], object]]] = [("", lambda one: one.place)]
    if several or not person:
        wanted.append(("tenant", lambda one: one.tenant))
    rest: list[tuple[str, Callable[[Spender], object]]] = [
        (found.among, lambda one: one.name),
        ("calls", lambda one: f"{one.calls:,}" if person else one.calls),
        ("cost", lambda one: usd(one.cost_micro_usd) if person else one.cost_micro_usd),
        ("share", lambda one: percent(one.share) if person else one.share),
        ("with all before", lambda one: percent(one.cumulative_share) if person else one.cumulative_share),
    ]
    wanted.extend(rest)
    if person:
        most = found.top[0].cost_micro_usd if found.top else 0
        wanted.append(("", lambda one: bar(one.cost_micro_usd, most)))
    return wanted


def shares(found: "Concentration") -> list[str]:
    """Sentences about the spread."""
    spread = "evenly" if found.gini < 0.3 else "unevenly" if found.gini < 0.7 else "very unevenly"
    whole = f"{found.spenders:,} {found.among}s, {usd(found.cost_micro_usd)}"
    return [*found.words, f"{whole}; spread {spread} (Gini {found.gini:.2f})."]


def savings(found: "Savings") -> list[tuple[str, object]]:
    """What was saved, fact by fact."""
    caching, trimming, routing = found.caching, found.trimming, found.routing
    whole = found.cost_micro_usd + found.saved_micro_usd
    return [
        ("saved", f"{usd(found.saved_micro_usd)} of {usd(whole)} ({percent(found.share)})"),
        (
            "cache",
            f"{usd(caching.micro_usd)}, {caching.tokens or 0:,} tokens ({percent(found.cache_hit_rate)} of all read)",
        ),
        (
            "trimming",
            f"{usd(trimming.micro_usd)}, {trimming.tokens or 0:,} tokens not sent in {trimming.calls:,} calls",
        ),
        ("routes", f"{usd(routing.micro_usd)} in {routing.calls:,} calls"),
    ]


def differences(found: "Reconciliation", screen: Screen) -> None:
    """Ledger and bill side by side, and what may be behind each difference."""
    screen.table(
        found.differences,
        [
            ("day", lambda one: one.date),
            ("model", lambda one: one.model),
            ("", lambda one: _KINDS.get(one.kind, one.kind)),
            ("here", lambda one: _side(one.ours, one)),
            ("there", lambda one: _side(one.theirs, one)),
            ("likely", lambda one: one.causes[0] if one.causes else ""),
        ],
        "no difference",
    )
    theirs = "not told" if found.their_cost_micro_usd is None else usd(found.their_cost_micro_usd)
    days = f"{found.first} to {found.last}"
    agreed, differ = found.agreed, len(found.differences)
    said = f"{days}: {agreed} agree, {differ} differ; cost here {usd(found.our_cost_micro_usd)}, there {theirs}"
    screen.note(said) if not screen.person else screen.line(f"\n{said}", "dim")


def percent(share: float) -> str:
    """A share in percent, with as many digits as it needs."""
    return f"{share * 100:.0f} %" if share >= 0.1 or share == 0 else f"{share * 100:.1f} %"


def bar(value: int, most: int) -> str:
    """A bar as long as a value is large."""
    length = round(_BAR * value / most) if most > 0 and value > 0 else 0
    return "█" * length or ("▏" if value > 0 else "")


def _stretch(line: "UsageLine", found: "UsageReport | Savings") -> str:
    if line.at is None:
        return ""
    form = {"hour": "%Y-%m-%d %H:%M", "month": "%Y-%m"}.get(getattr(found, "every", None) or "", "%Y-%m-%d")
    return line.at.strftime(form)


def _iso(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _key(key: str, *, first: bool, person: bool) -> "Callable[[UsageLine], object]":
    def read(line: "UsageLine") -> str:
        if line.rest:
            return f"({line.groups:,} others)" if first else ""
        value = line.keys.get(key)
        if value is None:
            return "–" if person else ""
        return value[:12] if person and len(value) == _DIGEST else value

    return read


def _short(read: "Callable[[UsageLine], int]") -> "Callable[[UsageLine], object]":
    return lambda line: quantity(read(line))


def quantity(number: int) -> str:
    """A number of tokens for people: 999, 12.3 k, 4.56 M."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}" if number < 1000 * size else f"{number // size:,} {unit}"
    return str(number)


def _money(read: "Callable[[UsageLine], int]") -> "Callable[[UsageLine], object]":
    return lambda line: usd(read(line))


def _side(side: "Counted | None", one: "Difference") -> str:
    """What one side counted of that which differs."""
    if side is None:
        return "nothing"
    counts: Sequence[tuple[str, int | None]] = (
        ("input", side.input_tokens),
        ("output", side.output_tokens),
        ("cached", side.cached_tokens),
        ("cost", side.cost_micro_usd),
    )
    shown = one.what or [name for name, count in counts if count is not None]
    said = [
        usd(count) if name == "cost" else f"{count:,} {name}"
        for name, count in counts
        if count is not None and name in shown
    ]
    return ", ".join(said)
