"""What came of a call, as the log holds it: storable, without secrets, labelled, small, and what is big as a blob."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from quarterdeck.core.text import shorten, storable
from quarterdeck.gates.results import Guarded, guard
from quarterdeck.releases.records import ToolGrant
from quarterdeck.runs.events import ToolAnswered, ToolFailed, ToolUnknown
from quarterdeck.runs.messages import Content, Label, Stored, Text, Trust
from quarterdeck.tools.records import Answered, Failed, Keep, ToolOutcome, ToolRequest

Outcome: TypeAlias = ToolAnswered | ToolFailed | ToolUnknown

INLINE = 16 * 1024
"""Bytes of one piece of text that stand in the log itself; more is kept as a blob with a beginning."""
_BEGINNING = 1000
_QUOTED = frozenset({"refused", "host_failed", "rate_limited"})
"""Failures whose message may hold words of the tool's server."""


@dataclass(slots=True)
class Noted:
    """What was found in all parts of one answer."""

    redacted: Counter[str] = field(default_factory=Counter[str])
    noted: Counter[str] = field(default_factory=Counter[str])
    hidden: int = 0
    score: float = 0.0

    def take(self, guarded: Guarded) -> str:
        """The text of a part, with what was found in it counted."""
        self.redacted.update(guarded.redacted)
        self.noted.update(guarded.noted)
        self.hidden += guarded.hidden
        self.score = max(self.score, guarded.score)
        return guarded.text


class Results:
    """Turns outcomes into events."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    async def event(self, request: ToolRequest, outcome: ToolOutcome, tries: int, ms: int) -> Outcome:
        """The event to append. `ms` counts all tries and the pauses between them."""
        clean = request.cleaning.text
        if isinstance(outcome, Answered):
            noted = Noted()
            content = tuple([await self._small(request, part, noted) for part in outcome.content])
            return ToolAnswered(
                call=request.call,
                content=content,
                is_error=outcome.is_error,
                label=label_of(request.grant),
                ms=ms,
                size=outcome.size,
                truncated=outcome.truncated,
                tries=tries,
                redacted={**noted.redacted, **request.cleaning.found},
                noted=dict(noted.noted),
                hidden=noted.hidden,
                score=noted.score,
            )
        if isinstance(outcome, Failed):
            told = guard(clean(storable(f"The call failed and had no effect: {outcome.message}")), scored=False).text
            label = label_of(request.grant) if outcome.code in _QUOTED else None
            return ToolFailed(call=request.call, code=outcome.code, content=(Text(told, label),), ms=ms)
        return ToolUnknown(
            call=request.call,
            tool=request.grant.name,
            why=guard(clean(storable(outcome.why)), scored=False).text,
            ask_after=request.not_after + int(request.grant.timeout * 1000),
        )

    async def _small(self, request: ToolRequest, part: Content, noted: Noted) -> Content:
        scanned, scored = request.grant.scan, request.grant.trust != Trust.TRUSTED
        if isinstance(part, Stored):
            begins = noted.take(guard(request.cleaning.text(storable(part.begins)), scanned, scored=scored))
            return part if begins == part.begins else Stored(part.key, part.size, part.media_type, begins, part.label)
        text = noted.take(guard(request.cleaning.text(storable(part.text)), scanned, scored=scored))
        raw = text.encode()
        if len(raw) <= INLINE:
            return part if text == part.text else Text(text, part.label)
        key = await self._keep(request.tenant, request.run, raw)
        return Stored(key, len(raw), "text/plain", shorten(text, _BEGINNING), part.label)


def label_of(grant: ToolGrant) -> Label:
    """Where a tool's words come from. What is not declared trusted is not."""
    return Label(f"tool:{grant.name}", Trust.TRUSTED if grant.trust == Trust.TRUSTED else Trust.UNTRUSTED)
