"""The cassette format: conversations with a model as JSON files, short enough to write by hand.

What a call was asked is optional part by part: what a cassette does not say, a replay does not compare.
docs/reference/cassettes.md explains the format to its authors.
"""

from collections.abc import Iterable, Mapping

import msgspec

from quarterdeck.core.errors import Error
from quarterdeck.models.records import ModelRequest
from quarterdeck.runs.messages import Call, Spoken, Usage

FORMAT = 1
"""Raised when older readers would misread a newer file."""

ANYTHING = "{{*}}"
"""In a recorded text: any text may stand here, for times, ids and other things that change."""


class CassetteInvalid(Error):
    """This cassette can't be read."""

    code, status = "cassette.invalid", 422


class Said(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One message that the model was newly shown: a user's (`user`) or a tool's result (`tool` and `text`).

    A tool's `text` None means that any result will do.
    """

    user: str | None = None
    tool: str | None = None
    text: str | None = None
    is_error: bool = False


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the model answered, as the run's log has it. `cost` is micro-USD; None = ask the price list."""

    content: tuple[Spoken, ...]
    finish: str | None = None
    served_model: str | None = None
    usage: Usage = Usage()
    cost: int | None = None
    response_id: str | None = None
    ms: int = 0
    first_token_ms: int | None = None

    @property
    def ending(self) -> str:
        """`finish`, or what follows from the content where the cassette does not say."""
        return self.finish or ("calls" if any(isinstance(part, Call) for part in self.content) else "stop")


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One question and its answer. `asked` holds only what is new since the answer before it."""

    answer: Answer
    asked: tuple[Said, ...] | None = None


class Conversation(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A conversation from its first question on. The n-th call is answered by the n-th exchange.

    `starts` is the user's first text, by which a run finds it; None = as the first exchange was asked. `tools` maps
    each name that was offered to a digest of its description and schema. `beside` are answers to questions that are no
    step of the conversation, by the call's name: `closing`, `summary-1`, `judge-2`.
    """

    id: str
    calls: tuple[Exchange, ...]
    model: str | None = None
    starts: str | None = None
    system: str | None = None
    tools: Mapping[str, str] | None = None
    beside: Mapping[str, Answer] = {}

    @property
    def opening(self) -> str | None:
        """The user's first text, if the cassette says it."""
        if self.starts is not None or not self.calls:
            return self.starts
        return next((said.user for said in self.calls[0].asked or () if said.user is not None), None)


def name_beside(request: ModelRequest) -> str:
    """How a cassette names a question that is no step: there is one last answer, and any number of the others."""
    return request.purpose if request.purpose == "closing" else request.call


class Cassette(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file."""

    cassette: int
    conversations: tuple[Conversation, ...]


def read(name: str, data: bytes) -> tuple[Conversation, ...]:
    """The conversations of one file. Raises CassetteInvalid, which names the file, the place and what is wrong."""
    try:
        cassette = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise CassetteInvalid(f"{name}: {fault}", file=name) from None
    if cassette.cassette != FORMAT:
        detail = f"{name}: format {cassette.cassette} is not known here; this version reads format {FORMAT}"
        raise CassetteInvalid(detail, file=name)
    for conversation in cassette.conversations:
        _check_calls(name, conversation)
    return cassette.conversations


def write(conversations: Iterable[Conversation]) -> bytes:
    """The file that holds these conversations, indented for people and for diffs."""
    return msgspec.json.format(msgspec.json.encode(Cassette(FORMAT, tuple(conversations))), indent=2) + b"\n"


def _check_calls(name: str, conversation: Conversation) -> None:
    """Within one conversation a call's id names one call: the run's log depends on it."""
    seen: set[str] = set()
    for exchange in conversation.calls:
        for part in exchange.answer.content:
            if isinstance(part, Call):
                if part.id in seen:
                    detail = f"{name}: conversation `{conversation.id}` uses the call id `{part.id}` twice"
                    raise CassetteInvalid(detail, file=name, conversation=conversation.id)
                seen.add(part.id)


_decoder = msgspec.json.Decoder(Cassette)
