"""The log, opened: each row with its event, decoded once for everybody who projects something from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quarterdeck.runs import events as e
from quarterdeck.runs.fold import RunState, apply
from quarterdeck.runs.records import StoredEvent


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log."""

    seq: int
    attempt: int
    at: datetime
    event: e.Event


def opened(rows: Iterable[StoredEvent]) -> list[Entry]:
    """The rows with their events, in the same order. Raises UnknownEvent for events of a newer version."""
    return [Entry(row.seq, row.attempt, row.at, e.read(row.kind, row.v, row.data)) for row in rows]


def state_of(entries: Sequence[Entry]) -> RunState:
    """The state after these entries: what `fold` makes of their rows, but for `last_seq`."""
    state = RunState()
    for entry in entries:
        state = apply(state, entry.event, entry.attempt, entry.at)
    return state
