"""What came of a call, as the log holds it: storable, labelled, and small, with what is big kept as a blob."""

from typing import TypeAlias

from quarterdeck.core.text import shorten, storable
from quarterdeck.releases.records import ToolGrant
from quarterdeck.runs.events import ToolAnswered, ToolFailed, ToolUnknown
from quarterdeck.runs.messages import Content, Label, Stored, Text, Trust
from quarterdeck.tools.records import Answered, Failed, Keep, ToolOutcome, ToolRequest

Outcome: TypeAlias = ToolAnswered | ToolFailed | ToolUnknown

INLINE = 16 * 1024
"""Bytes of one piece of text that stand in the log itself; more is kept as a blob with a beginning."""
_BEGINNING = 1000


class Results:
    """Turns outcomes into events."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    async def event(self, request: ToolRequest, outcome: ToolOutcome, tries: int, ms: int) -> Outcome:
        """The event to append. `ms` counts all tries and the pauses between them."""
        if isinstance(outcome, Answered):
            content = tuple([await self._small(request, part) for part in outcome.content])
            return ToolAnswered(
                call=request.call,
                content=content,
                is_error=outcome.is_error,
                label=label_of(request.grant),
                ms=ms,
                size=outcome.size,
                truncated=outcome.truncated,
                tries=tries,
            )
        if isinstance(outcome, Failed):
            told = f"The call failed and had no effect: {outcome.message}"
            return ToolFailed(call=request.call, code=outcome.code, content=(Text(storable(told)),), ms=ms)
        return ToolUnknown(
            call=request.call,
            tool=request.grant.name,
            why=storable(outcome.why),
            ask_after=request.not_after + int(request.grant.timeout * 1000),
        )

    async def _small(self, request: ToolRequest, part: Content) -> Content:
        if isinstance(part, Stored):
            return part
        text = storable(part.text)
        raw = text.encode()
        if len(raw) <= INLINE:
            return part if text is part.text else Text(text, part.label)
        key = await self._keep(request.tenant, request.run, raw)
        return Stored(key, len(raw), "text/plain", shorten(text, _BEGINNING), part.label)


def label_of(grant: ToolGrant) -> Label:
    """Where a tool's words come from. What is not declared trusted is not."""
    return Label(f"tool:{grant.name}", Trust.TRUSTED if grant.trust == Trust.TRUSTED else Trust.UNTRUSTED)
