"""A span while its log is still being read."""

from dataclasses import dataclass
from datetime import datetime

from quarterdeck.core.json import Json
from quarterdeck.runs.entries import Entry
from quarterdeck.traces.records import Kind, Mark, Span


@dataclass(slots=True)
class Draft:
    """A span that may still grow."""

    id: str
    parent: str | None
    seq: int
    kind: Kind
    name: str
    start: datetime
    mark: Mark
    attributes: dict[str, Json]
    risk: str | None = None
    end: datetime | None = None
    end_seq: int | None = None

    def close(self, entry: Entry, mark: Mark, at: datetime | None = None) -> None:
        """It ends with this event."""
        self.end, self.end_seq, self.mark = max(at or entry.at, self.start), entry.seq, mark

    def finished(self) -> Span:
        """The span as it stands at the end of the log."""
        return Span(
            self.id,
            self.parent,
            self.seq,
            self.end_seq,
            self.kind,
            self.name,
            self.mark,
            self.start,
            self.end,
            self.risk,
            self.attributes,
        )
