"""Ids of traces and spans, derived from what the log holds: exporting twice gives the same spans again."""

from dataclasses import dataclass
from hashlib import blake2b

from quarterdeck.core.ids import RunId
from quarterdeck.traces.records import Kind

SPAN_BYTES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """The trace that a run belongs to, the span above it, if its submitter sent one, and whether that was sampled."""

    trace: str
    parent: str | None


def place_of(run: RunId, traceparent: str | None) -> Place:
    """Where a run's spans belong: in its submitter's trace, else in one of its own, named as the run."""
    if traceparent is None:
        return Place(run.hex, None)
    _, trace, parent, *_ = traceparent.split("-")
    return Place(trace, parent)


def span_id(run: bytes, seq: int, kind: Kind) -> str:
    """The id of the span of a kind that an event begins; `run` is the run's id as bytes. An event begins one a kind."""
    return blake2b(b"%b/%d/%b" % (run, seq, kind.encode()), digest_size=SPAN_BYTES).hexdigest()
