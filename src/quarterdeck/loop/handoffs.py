"""What a run that did not succeed leaves behind: what was done, what is left, why it stopped. Pure."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from quarterdeck.core.json import Json
from quarterdeck.core.text import shorten
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.messages import Call, ModelMessage, ToolMessage, UserMessage, words
from quarterdeck.runs.parts import Handoff


def handoff(state: RunState, why: str) -> Handoff:
    """What was done, what is left and why it stopped, from the log alone: no model has to be asked for it."""
    return Handoff(tuple(_done(state)), tuple(_left(state)), why, _last_words(state))


def parting_words(left: Handoff) -> str:
    """What the user is told when no model can be asked for a last answer any more."""
    said = [f"I had to stop before this was finished: {left.why}."]
    if left.done:
        said.append("Done so far:\n" + "\n".join(f"- {line}" for line in left.done))
    said.append("Still to do:\n" + "\n".join(f"- {line}" for line in left.left))
    return "\n\n".join(said)


def request_of(state: RunState) -> str:
    """What the user asked for in this run."""
    for message in state.messages:
        if isinstance(message, UserMessage):
            return words(message.content)
    return ""


_MOST_TOLD = 12
_CENTS = "_cents"


def _done(state: RunState) -> list[str]:
    """Each call that worked, in order, with what it was about; of many only the last ones, and how many there were."""
    failed = {message.call for message in state.messages if isinstance(message, ToolMessage) and message.is_error}
    answered = {message.call for message in state.messages if isinstance(message, ToolMessage)} - failed
    answered |= {call.call.id for call in state.calls if call.outcome is not None and not call.outcome.is_error}
    calls = [
        call
        for message in state.messages
        if isinstance(message, ModelMessage)
        for call in message.calls
        if call.id in answered
    ]
    told = list(_counted(map(_told, calls)))
    more = len(told) - _MOST_TOLD
    return [f"{more} other calls before these", *told[-_MOST_TOLD:]] if more > 0 else told


def _counted(told: Iterable[str]) -> Iterator[str]:
    """The same several times in a row is told once."""
    for line, same in groupby(told):
        count = len(list(same))
        yield f"{line} × {count}" if count > 1 else line


def _left(state: RunState) -> list[str]:
    left = [f"find out whether {_told(call.call)} took effect" for call in state.unknown]
    left += [
        f"{_told(call.call)} was asked for and not carried out"
        for call in state.calls
        if call.outcome is None and call.unknown is None and call.intent is None
    ]
    left += [
        f"{_told(call.call)} was sent and its answer not awaited"
        for call in state.calls
        if call.outcome is None and call.unknown is None and call.intent is not None
    ]
    return left or [_rest_of(state)]


def _rest_of(state: RunState) -> str:
    """The request in its own words: what of it is done stands beside."""
    request = shorten(" ".join(request_of(state).split()), 400)
    return f"the rest of what was asked: “{request}”" if request else "a final answer to the user"


def _told(call: Call) -> str:
    """A call as a person would say it: `refund order (number: 1042, amount: 49.50)`."""
    name = call.tool.replace("_", " ")
    brief = shorten(", ".join(f"{_word(key)}: {_value(key, value)}" for key, value in call.arguments.items()), 120)
    return f"{name} ({brief})" if brief else name


def _word(key: str) -> str:
    return key.removesuffix(_CENTS).replace("_", " ")


def _value(key: str, value: Json) -> str:
    if key.endswith(_CENTS) and isinstance(value, int):
        return f"{value / 100:,.2f}"
    return str(value)


def _last_words(state: RunState) -> str:
    for message in reversed(state.messages):
        if isinstance(message, ModelMessage) and message.text.strip():
            return message.text.strip()
    return ""
