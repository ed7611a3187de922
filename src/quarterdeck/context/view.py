"""The conversation as the model is shown it, and how it finds again what it is shown no more."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from quarterdeck.context.records import Marks
from quarterdeck.core.text import shorten
from quarterdeck.runs.messages import (
    AUTHOR,
    USER,
    Content,
    Label,
    Message,
    Spoken,
    Stored,
    Text,
    Thinking,
    ToolMessage,
    UserMessage,
)

READ_RESULT = "read_result"
PAGE = 6_000
"""Characters of a kept result that one call shows, unless it asks for fewer."""
MOST = 12_000
_REF = re.compile(r"r([1-9]\d{0,8}|0)")


def assemble(
    said: Sequence[Message], marks: Marks, first: int, results_over: int, *, readable: bool = True
) -> list[Message]:
    """What the model is shown: its user's first request, the summary, old results as references, the rest whole.

    `readable`: it may read results again, and references say how. A result whose call was left out is left out as well:
    providers refuse a conversation with one.
    """
    view: list[Message] = []
    if first < marks.messages_upto:
        view.append(said[first])
    if marks.summary is not None:
        view.append(marks.summary)
    begin = marks.messages_upto
    while 0 < begin < len(said) and isinstance(said[begin], ToolMessage):
        begin += 1
    upto = max(begin, min(marks.results_upto, len(said)))
    view += [short(said[at], at, results_over, readable=readable) for at in range(begin, upto)]
    view += said[upto:]
    return view


def short(message: Message, at: int, results_over: int, *, readable: bool = True) -> Message:
    """An old message as it is shown: a big result as a reference, anything else as it is."""
    if not isinstance(message, ToolMessage) or (size := size_of(message)) <= results_over:
        return message
    what = f"result of {shorten(message.tool, 80)}, {size:,} bytes"
    again = f'kept as r{at}; {READ_RESULT}("r{at}") shows it again' if readable else "not shown any more"
    return ToolMessage(message.call, message.tool, (Text(f"[{what}, {again}]"),), message.is_error)


def size_of(message: Message) -> int:
    """About how many bytes of it are sent."""
    return sum(_size(part) for part in message.content)


def _size(part: object) -> int:
    match part:
        case Text(text=text) | Thinking(text=text):
            return len(text.encode("utf-8", "replace"))
        case Stored(begins=begins):
            return len(begins.encode("utf-8", "replace"))
        case _:
            return len(str(getattr(part, "arguments", "")).encode("utf-8", "replace")) + 40


def first_request(said: Sequence[Message], begin: int) -> int:
    """The place of the user's first words at or after `begin`, where a run's own messages start; `begin` if none."""
    wanted = (
        at for at in range(begin, len(said)) if isinstance(said[at], UserMessage) and _source(said[at]) != AUTHOR.source
    )
    return next(wanted, begin)


def _source(message: Message) -> str:
    return message.label.source if isinstance(message, UserMessage) else USER.source


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a kept result: `content` with the label that the result itself has."""

    content: tuple[Content, ...]
    label: Label | None
    size: int


@dataclass(frozen=True, slots=True)
class NotKept:
    """There is nothing of that name or in that place, in words for the model."""

    why: str


def kept(said: Sequence[Message], results_over: int) -> list[int]:
    """The places of the results that can be read again."""
    return [
        at
        for at, message in enumerate(said)
        if isinstance(message, ToolMessage) and message.tool != READ_RESULT and size_of(message) > results_over
    ]


def read_again(said: Sequence[Message], ref: str, begin: int = 0, end: int | None = None) -> Page | NotKept:
    """Characters `begin` to `end` of the result that is kept under a reference, at most `MOST` of them."""
    found = _REF.fullmatch(ref.strip())
    at = int(found[1]) if found else -1
    message = said[at] if 0 <= at < len(said) else None
    if not isinstance(message, ToolMessage):
        return NotKept(f"There is no result kept as {shorten(ref, 40)!r}.")
    whole = words_of(message)
    if begin >= len(whole) and whole:
        return NotKept(f"r{at} has {len(whole):,} characters; there is nothing from {begin:,} on.")
    last = min(len(whole), begin + MOST, begin + PAGE if end is None else max(end, begin))
    page: list[Content] = [Text(whole[begin:last])]
    if begin > 0 or last < len(whole):
        goes_on = f'; {READ_RESULT}("r{at}", from={last}) goes on' if last < len(whole) else ""
        page.append(Text(f"[characters {begin:,} to {last:,} of {len(whole):,}{goes_on}]", AUTHOR))
    return Page(tuple(page), worst_label(message), len(whole[begin:last].encode("utf-8", "replace")))


def words_of(message: Message) -> str:
    """The words of a message, as the model reads them."""
    return "\n".join(_words(message.content))


def _words(content: Iterable[Spoken]) -> Iterator[str]:
    for part in content:
        if isinstance(part, Text):
            yield part.text
        elif isinstance(part, Stored):
            yield part.begins


def worst_label(message: ToolMessage) -> Label | None:
    """The label of a result; where parts have labels of their own, the first that is not trusted."""
    labels = [message.label, *(part.label for part in message.content)]
    known = [label for label in labels if label is not None]
    return next((label for label in known if label.trust != "trusted"), known[0] if known else None)
