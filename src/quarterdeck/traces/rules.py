"""The figures of a run: where its time went, how often what was called, who else it happened to. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from quarterdeck.core.ids import ReleaseId
from quarterdeck.runs import events as e
from quarterdeck.runs.entries import Entry
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.records import Run, Status
from quarterdeck.traces.records import Blast, Facts, Kind, Span, Time


def facts(run: Run, state: RunState, entries: Sequence[Entry], spans: Sequence[Span], now: datetime) -> Facts:
    """The figures beside the sentence."""
    end = run.finished_at or now
    return Facts(
        duration_ms=_ms(run.created_at, end),
        time=where_time_went(spans, run.created_at, end),
        cost=run.cost,
        input_tokens=state.usage.input,
        output_tokens=state.usage.output,
        cached_tokens=state.usage.cache_read,
        reasoning_tokens=state.usage.reasoning,
        model_calls=sum(isinstance(entry.event, e.ModelCalled) for entry in entries),
        tool_calls=state.tool_calls,
        failed_calls=state.failed_calls,
        denied_calls=sum(isinstance(entry.event, e.ToolDenied) for entry in entries),
        attempts=run.attempt,
        steps=state.steps,
        events=len(entries),
    )


def where_time_went(spans: Iterable[Span], start: datetime, end: datetime) -> Time:
    """The time from start to end, each moment counted once: what goes on side by side is one of them.

    People first, then queue, timers (a delay, the next try), tools, model; what is left is work of our own.
    """
    edges: list[tuple[datetime, int, int]] = []
    for span in spans:
        share = _share_of(span)
        if share is not None:
            edges += [(max(span.start, start), 1, share), (min(span.end or end, end), -1, share)]
    # Ends before beginnings where they meet, so that nothing seems to overlap that only touches.
    edges.sort(key=lambda edge: (edge[0], edge[1]))
    spent, open_spans, at = [0.0] * len(_SHARES), [0] * len(_SHARES), start
    for moment, change, share in edges:
        going_on = next((index for index, count in enumerate(open_spans) if count > 0), None)
        if going_on is not None:
            spent[going_on] += max(0.0, (moment - at).total_seconds())
        open_spans[share] += change
        at = max(at, moment)
    shares = {name: round(seconds * 1000) for name, seconds in zip(_SHARES, spent, strict=True)}
    return Time(**shares, other=max(0, _ms(start, end) - sum(shares.values())))


_SHARES = ("people", "queue", "timers", "tools", "model")
_SHARE_OF = {Kind.QUEUE: 1, Kind.TOOL: 3, Kind.MODEL: 4}


def _share_of(span: Span) -> int | None:
    if span.kind is Kind.WAIT:
        return 0 if span.attributes.get("until") is None else 2
    return _SHARE_OF.get(span.kind)


def cause_of(run: Run) -> str | None:
    """What a run that did not succeed ended of, as runs are grouped by it."""
    if run.status in {Status.FAILED, Status.STOPPED}:
        return run.error_code or run.reason
    return None


def blast(run: Run, cause: str, counts: Mapping[str, int], previous: ReleaseId | None) -> Blast:
    """How many others there are, from counts by release."""
    return Blast(cause, counts.get(run.release, 0), counts.get(previous, 0) if previous else 0)


def _ms(start: datetime, end: datetime) -> int:
    return max(0, int((end - start).total_seconds() * 1000))
