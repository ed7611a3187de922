"""Proves from its log alone that nothing crossed an edge of a run without having been judged: what came in, each
question to a model, each tool call and what came back, each summary, each call of another agent, what went out.

An edge that no decision stands before, or whose decision leaves out a check that had to be made, is a gap. So is a
number that is missing in the log: what was taken out of it can't hide.
"""

from collections.abc import Iterable

from quarterdeck.runs.crossings import Gap, Proof
from quarterdeck.runs.demands import Demands
from quarterdeck.runs.events import read
from quarterdeck.runs.records import StoredEvent
from quarterdeck.runs.walk import Walk


def prove(rows: Iterable[StoredEvent], demands: Demands, last_seq: int | None = None) -> Proof:
    """The proof of a run's log. `last_seq` is where the run's row says that it ends; pure, and total over any log.

    Raises UnknownEvent for events of a newer version.
    """
    walk = Walk(demands)
    expected = 0
    for row in rows:
        expected += 1
        if row.seq != expected:
            walk.gaps.append(Gap(row.seq, "log", f"the log goes from {expected - 1} to {row.seq}: events are missing"))
            expected = row.seq
        walk.hear(row, read(row.kind, row.v, row.data))
    if last_seq is not None and last_seq != expected:
        walk.gaps.append(Gap(expected, "log", f"the log ends at {expected} and not at {last_seq}: events are missing"))
    return Proof(tuple(walk.edges), tuple(walk.gaps), expected, walk.state.finished is not None)
