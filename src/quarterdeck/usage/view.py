"""Answers of the ledger as `/v1/usage` shows them, in JSON and in tables."""

from collections.abc import Mapping, Sequence

from quarterdeck.core.money import MicroUsd, to_usd
from quarterdeck.spec.exports import ExportDay
from quarterdeck.usage import rules
from quarterdeck.usage.reconciling import Difference, Reconciliation
from quarterdeck.usage.records import DaySums, Filters, Group, Report, Spender, Spread, Sums
from quarterdeck.usage.rules import Outlier

SUMS = (
    "calls",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_micro_usd",
    "estimated_cost_usd",
    "presumed_micro_usd",
    "presumed_calls",
    "unpriced_calls",
    "saved_cache_micro_usd",
    "saved_route_micro_usd",
    "saved_trim_micro_usd",
    "trimmed_tokens",
)
SPENDER = ("place", "name", "tenant", "calls", "cost_micro_usd", "estimated_cost_usd", "share", "cumulative_share")
OUTLIER = (
    "run_id",
    "tenant",
    "agent",
    "user_id",
    "at",
    "cost_micro_usd",
    "estimated_cost_usd",
    "usual_micro_usd",
    "times",
    "z",
    "calls",
    "models",
    "why",
)


def show_sums(sums: Sums) -> dict[str, object]:
    """What some calls used."""
    return {
        "calls": sums.calls,
        "input_tokens": sums.input,
        "output_tokens": sums.output,
        "cache_read_tokens": sums.cache_read,
        "cache_write_tokens": sums.cache_write,
        "reasoning_tokens": sums.reasoning,
        "cost_micro_usd": sums.cost,
        "estimated_cost_usd": to_usd(MicroUsd(sums.cost)),
        "presumed_micro_usd": sums.presumed,
        "presumed_calls": sums.presumed_calls,
        "unpriced_calls": sums.unpriced_calls,
        "saved_cache_micro_usd": sums.saved_cache,
        "saved_route_micro_usd": sums.saved_route,
        "saved_trim_micro_usd": sums.saved_trim,
        "trimmed_tokens": sums.trimmed_tokens,
    }


def show_report(report: Report) -> dict[str, object]:
    """A report as `UsageReport`."""
    question = report.question
    return {
        "since": question.filters.since,
        "until": question.filters.until,
        "by": question.by,
        "every": question.every,
        "tz": question.zone,
        "lines": [_line(group, report) for group in report.groups],
        "total": show_sums(report.total),
    }


def lay_out(report: Report) -> tuple[list[str], list[Mapping[str, object]]]:
    """A report as a table: its columns and its lines."""
    question = report.question
    columns = [*(("at",) if question.every else ()), *question.by, *(("rest", "groups") if question.by else ()), *SUMS]
    lines: list[Mapping[str, object]] = [
        {**_keys(group, report), **_line(group, report), "at": _at(group, report)} for group in report.groups
    ]
    return columns, lines


def show_spread(spread: Spread, filters: Filters, among: str) -> dict[str, object]:
    """How cost is spread as `Concentration`."""
    return {
        "since": filters.since,
        "until": filters.until,
        "among": among,
        "spenders": spread.count,
        "cost_micro_usd": spread.cost,
        "estimated_cost_usd": to_usd(MicroUsd(spread.cost)),
        "gini": round(spread.gini, 4),
        "shares": [
            {
                "of_spenders": share,
                "spenders": one.place,
                "cost_micro_usd": one.cumulative,
                "share": _share(one.cumulative, spread.cost),
            }
            for share, one in spread.reached.items()
        ],
        "top": [show_spender(one, spread) for one in spread.top],
        "words": rules.say_spread(spread, among),
    }


def show_spender(one: Spender, spread: Spread) -> dict[str, object]:
    """One of those who spend most."""
    return {
        "place": one.place,
        "name": one.name,
        "tenant": one.tenant,
        "calls": one.calls,
        "cost_micro_usd": one.cost,
        "estimated_cost_usd": to_usd(MicroUsd(one.cost)),
        "share": _share(one.cost, spread.cost),
        "cumulative_share": _share(one.cumulative, spread.cost),
    }


def show_outlier(found: Outlier) -> dict[str, object]:
    """A run that stands out."""
    run = found.run
    return {
        "run_id": run.run,
        "tenant": run.tenant,
        "agent": run.agent,
        "user_id": run.user,
        "at": run.at,
        "cost_micro_usd": run.cost,
        "estimated_cost_usd": to_usd(MicroUsd(run.cost)),
        "usual_micro_usd": round(found.usual.cost),
        "times": round(found.times, 2),
        "z": round(found.z, 2),
        "calls": run.calls,
        "models": [model for model, _ in run.models],
        "causes": [
            {
                "cause": cause.cause,
                "times": round(cause.times, 2),
                "here": round(cause.here, 4),
                "usual": round(cause.usual, 4),
                "words": cause.words,
            }
            for cause in found.causes
        ],
        "why": found.why,
    }


def show_savings(report: Report) -> dict[str, object]:
    """What was saved as `Savings`."""
    total, filters = report.total, report.question.filters
    saved = rules.saved(total)
    return {
        "since": filters.since,
        "until": filters.until,
        "cost_micro_usd": total.cost,
        "saved_micro_usd": saved,
        "share": _share(saved, total.cost + saved),
        "caching": {"calls": total.cached_calls, "tokens": total.cache_read, "micro_usd": total.saved_cache},
        "cache_hit_rate": round(rules.hit_rate(total), 4),
        "trimming": {"calls": total.trimmed_calls, "tokens": total.trimmed_tokens, "micro_usd": total.saved_trim},
        "routing": {"calls": total.routed_calls, "tokens": None, "micro_usd": total.saved_route},
        "by": report.question.by,
        "lines": [_line(group, report) for group in report.groups],
    }


def show_reconciliation(found: Reconciliation) -> dict[str, object]:
    """Both sides as `ReconciliationRecord`."""
    return {
        "first": found.first,
        "last": found.last,
        "agreed": found.agreed,
        "our_cost_micro_usd": found.our_cost,
        "their_cost_micro_usd": found.their_cost,
        "differences": [_difference(one) for one in found.differences],
    }


def _difference(one: Difference) -> dict[str, object]:
    return {
        "kind": one.kind,
        "date": one.day,
        "model": one.model,
        "ours": _side(one.ours),
        "theirs": _side(one.theirs),
        "what": one.what,
        "causes": one.causes,
    }


def _side(side: DaySums | ExportDay | None) -> dict[str, object] | None:
    if side is None:
        return None
    return {
        "calls": side.calls,
        "input_tokens": side.input,
        "output_tokens": side.output,
        "cached_tokens": side.cached,
        "cost_micro_usd": side.cost,
    }


def _line(group: Group, report: Report) -> dict[str, object]:
    return {
        "at": _at(group, report),
        "keys": _keys(group, report),
        "rest": group.rest,
        "groups": group.groups,
        **show_sums(group.sums),
    }


def _keys(group: Group, report: Report) -> Mapping[str, str | None]:
    return dict(zip(report.question.by, group.keys, strict=True))


def _at(group: Group, report: Report) -> str | None:
    """With the zone's own offset, so that a day reads as a day there."""
    return None if group.at is None else rules.begin_of(group.at, report.question.zone).isoformat()


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole > 0 else 0.0


def columns_of(lines: Sequence[Mapping[str, object]], columns: Sequence[str]) -> list[Mapping[str, object]]:
    """Lines with their lists in one cell each."""
    return [{name: _cell(line.get(name)) for name in columns} for line in lines]


def _cell(value: object) -> object:
    return ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # of texts
