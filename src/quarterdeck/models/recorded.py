"""A model that answers from cassettes: the n-th question of a conversation gets the n-th recorded answer."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from quarterdeck.core.ids import RunId
from quarterdeck.core.json import digest
from quarterdeck.core.text import shorten
from quarterdeck.models import differences
from quarterdeck.models.cassettes import CassetteInvalid, Conversation, Exchange, Said, name_beside
from quarterdeck.models.library import Library, Shelf
from quarterdeck.models.prices import ANYBODYS, Prices
from quarterdeck.models.records import Delta, Fault, ModelAnswer, ModelFault, ModelRequest, ToolOffer
from quarterdeck.models.turns import newest, own
from quarterdeck.runs.messages import Message, Text, ToolMessage, UserMessage, words

TAG = "quarterdeck.conversation"
"""The tag by which a run names the conversation that answers it."""

_KEPT_RUNS = 10_000
_ALIKE = 0.6
_PIECE = 24


class Recorded:
    """Answers from a library. `speed` 0 = at once, 1 = as slowly as it was recorded, 2 = twice as fast."""

    def __init__(self, library: Library, *, strict: bool = True, speed: float = 0.0, prices: Prices = ANYBODYS) -> None:
        self._library = library
        self._prices = prices
        self._strict = strict
        self._speed = speed
        self._chosen: OrderedDict[RunId, Conversation] = OrderedDict()
        self._noted: dict[RunId, str] = {}

    async def answer(self, request: ModelRequest, delta: Delta | None) -> ModelAnswer:
        """The recorded answer. Raises ModelFault `diverged`, `not_recorded` or `unconfigured`; none can be retried."""
        started = time.monotonic()
        conversation = self._chosen.get(request.run) or await self._choose(request)
        if request.purpose:
            return await self._beside(conversation, request, delta, started)
        position = request.step - 1
        if position >= len(conversation.calls):
            detail = (
                f"The recorded conversation `{conversation.id}` has {len(conversation.calls)} answers; "
                f"this run asks for number {position + 1}."
            )
            raise _fault(detail, Fault.NOT_RECORDED)
        exchange = conversation.calls[position]
        found = tuple(_differences(conversation, exchange, request, position))
        if found and self._strict:
            listed = "\n".join(found)
            raise _fault(
                f"The run left the recorded conversation `{conversation.id}` at answer {position + 1}:\n{listed}",
                Fault.DIVERGED,
            )
        if position == 0 and (note := self._noted.pop(request.run, None)) is not None:
            found = (note, *found)
        first_token_ms = await self._speak(exchange, delta, started)
        return _answer(conversation, exchange, request, started, first_token_ms, found, self._prices)

    async def close(self) -> None:
        """Nothing is held open."""

    async def _beside(
        self, conversation: Conversation, request: ModelRequest, delta: Delta | None, started: float
    ) -> ModelAnswer:
        """What was answered to a question that is no step of the conversation. What was asked is not compared."""
        recorded = conversation.beside.get(name_beside(request))
        if recorded is None:
            detail = f"The recorded conversation `{conversation.id}` has no answer to `{name_beside(request)}`."
            raise _fault(detail, Fault.NOT_RECORDED)
        exchange = Exchange(answer=recorded)
        first_token_ms = await self._speak(exchange, delta, started)
        return _answer(conversation, exchange, request, started, first_token_ms, (), self._prices)

    async def _choose(self, request: ModelRequest) -> Conversation:
        try:
            shelf = await self._library.shelf(request)
        except CassetteInvalid as fault:
            raise _fault(fault.detail, Fault.UNCONFIGURED) from None
        conversation = self._find(shelf, request)
        self._chosen[request.run] = conversation
        if len(self._chosen) > _KEPT_RUNS:
            run, _ = self._chosen.popitem(last=False)
            _ = self._noted.pop(run, None)
        return conversation

    def _find(self, shelf: Shelf, request: ModelRequest) -> Conversation:
        wanted = request.tags.get(TAG)
        if wanted is not None:
            if (named := shelf.by_id.get(wanted)) is None:
                raise _fault(f"There is no recorded conversation `{wanted}`. {_listed(shelf)}", Fault.NOT_RECORDED)
            return named
        opening = differences.plain(_opening(request))
        if (found := shelf.opening_with(opening)) is not None:
            return found
        alike = next(iter(get_close_matches(opening[:2000], list(shelf.by_opening), 1, _ALIKE)), None)
        if alike is not None and not self._strict:
            chosen = shelf.by_opening[alike]
            self._noted[request.run] = (
                f"answered from `{chosen.id}`, which opens alike: {differences.compare(alike, opening)}"
            )
            return chosen
        hint = f" The nearest opens with: {shorten(alike, 120)!r}." if alike is not None else ""
        shown = shorten(opening, 120)
        raise _fault(f"No recorded conversation opens with {shown!r}.{hint} {_listed(shelf)}", Fault.NOT_RECORDED)

    async def _speak(self, exchange: Exchange, delta: Delta | None, started: float) -> int | None:
        """Stream the answer, at the recorded pace where that is wanted. Milliseconds to its first piece."""
        recorded = exchange.answer
        whole = recorded.ms / 1000 / self._speed if self._speed else 0.0
        first = (recorded.first_token_ms or recorded.ms) / 1000 / self._speed if self._speed else 0.0
        if first:
            await asyncio.sleep(min(first, whole))
        if delta is None:
            if whole > first:
                await asyncio.sleep(whole - first)
            return None
        pieces = list(_pieces(exchange))
        at = int((time.monotonic() - started) * 1000) if pieces else None
        for kind, piece in pieces:
            delta(kind, piece)
            if whole > first:
                await asyncio.sleep((whole - first) / len(pieces))
        return at


def tool_digest(offer: ToolOffer) -> str:
    """What stands for a tool in a cassette: the beginning of a digest of its description and schema."""
    return digest({"description": offer.description, "parameters": offer.parameters})[:16]


def said(message: Message) -> Said:
    """A message as a cassette has it."""
    match message:
        case UserMessage():
            return Said(user=words(message.content, "\n"))
        case ToolMessage():
            return Said(tool=message.tool, text=words(message.content, "\n"), is_error=message.is_error)
        case _:
            raise TypeError("a model's own message is an answer, not a question")


def _answer(
    conversation: Conversation,
    exchange: Exchange,
    request: ModelRequest,
    started: float,
    first_token_ms: int | None,
    found: tuple[str, ...],
    prices: Prices,
) -> ModelAnswer:
    recorded = exchange.answer
    served = recorded.served_model or conversation.model or request.pin.id
    return ModelAnswer(
        content=recorded.content,
        finish=recorded.ending,
        served_model=served,
        usage=recorded.usage,
        cost=prices.charge(request.pin.id, served, recorded.usage) if recorded.cost is None else recorded.cost,
        response_id=recorded.response_id,
        ms=int((time.monotonic() - started) * 1000),
        first_token_ms=first_token_ms,
        differences=found,
    )


def _differences(conversation: Conversation, exchange: Exchange, request: ModelRequest, position: int) -> Iterator[str]:
    """What is asked otherwise than it was recorded. What the cassette does not say is not compared."""
    if position == 0:
        yield from _setting(conversation, request)
    if exchange.asked is None:
        return
    asked = [said(message) for message in newest(request.messages)]
    if len(asked) != len(exchange.asked):
        yield f"messages: {len(exchange.asked)} recorded ({_kinds(exchange.asked)}), {len(asked)} now ({_kinds(asked)})"
    for recorded, actual in zip(exchange.asked, asked, strict=False):
        if (difference := _message(recorded, actual)) is not None:
            yield difference


def _setting(conversation: Conversation, request: ModelRequest) -> Iterator[str]:
    if conversation.model is not None and conversation.model != request.pin.id:
        yield f"model: [-{conversation.model}-] {{+{request.pin.id}+}}"
    if conversation.system is not None and not differences.matches(conversation.system, request.system):
        yield f"system prompt: {differences.compare(conversation.system, request.system)}"
    if conversation.tools is not None:
        # What the runtime offers every agent is no part of what an author recorded.
        offered = {offer.name: tool_digest(offer) for offer in request.tools if not offer.builtin}
        for name in sorted(conversation.tools.keys() - offered.keys()):
            yield f"tool {name}: was offered, is not now"
        for name in sorted(offered.keys() - conversation.tools.keys()):
            yield f"tool {name}: was not offered, is now"
        for name in sorted(offered.keys() & conversation.tools.keys()):
            if offered[name] != conversation.tools[name]:
                yield f"tool {name}: its description or schema is another"


def _message(recorded: Said, actual: Said) -> str | None:
    if recorded.user is not None:
        if actual.user is None:
            return f"a user's message was recorded, now it is a result of {actual.tool}"
        if not differences.matches(recorded.user, actual.user):
            return f"user: {differences.compare(recorded.user, actual.user)}"
        return None
    if recorded.tool != actual.tool:
        now = "a user's message" if actual.user is not None else f"a result of {actual.tool}"
        return f"a result of {recorded.tool} was recorded, now it is {now}"
    if recorded.is_error != actual.is_error:
        return f"{recorded.tool}: {'failed' if recorded.is_error else 'worked'} when recorded, not now"
    if recorded.text is not None and not differences.matches(recorded.text, actual.text or ""):
        return f"{recorded.tool}: {differences.compare(recorded.text, actual.text or '')}"
    return None


def _kinds(messages: Sequence[Said]) -> str:
    return ", ".join("user" if message.user is not None else message.tool or "tool" for message in messages) or "none"


def _opening(request: ModelRequest) -> str:
    """The user's first text in this run; what was said in its thread before is another conversation."""
    said = (message for message in own(request.messages, request.step) if isinstance(message, UserMessage))
    return next((words(message.content, "\n") for message in said), "")


def _pieces(exchange: Exchange) -> Iterator[tuple[str, str]]:
    for part in exchange.answer.content:
        text = getattr(part, "text", "")
        kind = "text" if isinstance(part, Text) else "thinking"
        for start in range(0, len(text), _PIECE):
            yield kind, text[start : start + _PIECE]


def _listed(shelf: Shelf) -> str:
    if not shelf.by_id:
        return "There are no cassettes; put some into the agent's folder as cassettes/*.json."
    names = list(shelf.by_id)
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"Recorded: {', '.join(names[:8])}{more}."


def _fault(detail: str, code: Fault) -> ModelFault:
    return ModelFault(detail, code=code, retryable=False)
