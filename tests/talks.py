"""Conversations of any shape for tests of what a model is shown: turns of a model, its calls, their results."""

from collections.abc import Sequence

from hypothesis import strategies as st

from quarterdeck.runs.messages import (
    AUTHOR,
    USER,
    Call,
    Label,
    Message,
    ModelMessage,
    Text,
    ToolMessage,
    Trust,
    UserMessage,
)

ASKED = UserMessage((Text("Find every order of erika@example.com and add the totals up."),))


def result(call: str, text: str, tool: str = "search", *, trusted: bool = False) -> ToolMessage:
    trust = Trust.TRUSTED if trusted else Trust.UNTRUSTED
    return ToolMessage(call, tool, (Text(text),), label=Label(f"tool:{tool}", trust))


def turn(number: int, size: int = 3_000, calls: int = 1, *, trusted: bool = False) -> list[Message]:
    """One answer of the model with its calls, and the results of these."""
    asked = tuple(Call(f"c{number}-{at}", "search", {"page": number * 10 + at}) for at in range(calls))
    results = [result(one.id, f"{one.id}: " + "x" * size, trusted=trusted) for one in asked]
    return [ModelMessage((Text(f"Looking at page {number}."), *asked)), *results]


def talk(turns: int, size: int = 3_000, calls: int = 1) -> list[Message]:
    """A request and so many turns."""
    return [ASKED, *(message for number in range(turns) for message in turn(number, size, calls))]


@st.composite
def talks(draw: st.DrawFn, longest: int = 12) -> list[Message]:
    """A request and turns of any kind: with and without calls, nudges between them, further words of the user."""
    said: list[Message] = [ASKED]
    for number in range(draw(st.integers(0, longest))):
        kind = draw(st.sampled_from(["calls", "calls", "calls", "words", "nudge"]))
        if kind == "calls":
            size, calls = draw(st.integers(0, 4_000)), draw(st.integers(1, 3))
            said += turn(number, size, calls, trusted=draw(st.booleans()))
        elif kind == "words":
            said += [ModelMessage((Text(f"Answer {number}."),)), UserMessage((Text(f"And {number}?"),), USER)]
        else:
            said += [ModelMessage((Text(""),)), UserMessage((Text("Your last answer was empty."),), AUTHOR)]
    return said


def is_whole(view: Sequence[Message]) -> bool:
    """Whether every result stands right behind its call, and every call has its result."""
    open_calls: list[str] = []
    for message in view:
        if isinstance(message, ToolMessage):
            if message.call not in open_calls:
                return False
            open_calls.remove(message.call)
            continue
        if open_calls:
            return False
        if isinstance(message, ModelMessage):
            open_calls = [call.id for call in message.calls]
    return not open_calls
