"""What a model reads and says, in our own words: provider-neutral, label-carrying, storable.

Structs rather than dataclasses, because they are written and read at every step and carry their own JSON tag.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

import msgspec

from quarterdeck.core.json import JsonObject


class Trust(StrEnum):
    """Whether outsiders can have written a piece of text. Never raised again once lowered."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Label(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a piece of content comes from: `author`, `user`, `model`, or `tool:NAME`."""

    source: str
    trust: Trust = Trust.UNTRUSTED


AUTHOR = Label("author", Trust.TRUSTED)
USER = Label("user", Trust.TRUSTED)
MODEL = Label("model", Trust.UNTRUSTED)
SUMMARY = "summary of "
"""How the source of a summary of untrusted words begins; the sources of all that is in it follow."""


class Text(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """Words. `label` None means the label of the message that holds it; `opaque` as in Thinking."""

    text: str
    label: Label | None = None
    opaque: JsonObject | None = None


class Stored(msgspec.Struct, frozen=True, tag="stored", omit_defaults=True):
    """Words or bytes too big for the log: the blob's key (hex), its size in bytes and how it begins."""

    key: str
    size: int
    media_type: str = "text/plain"
    begins: str = ""
    label: Label | None = None


class Thinking(msgspec.Struct, frozen=True, tag="thinking", omit_defaults=True):
    """Reasoning that the provider exposes; `signature` goes back to it unchanged.

    `opaque` holds what else it wants back (ids, signatures of its own); nobody but its own adapter reads it.
    """

    text: str
    signature: str | None = None
    opaque: JsonObject | None = None


class Call(msgspec.Struct, frozen=True, tag="call", omit_defaults=True):
    """A tool call that the model asks for. `raw` holds the text when the arguments were no JSON object."""

    id: str
    tool: str
    arguments: JsonObject
    raw: str | None = None
    opaque: JsonObject | None = None


Content: TypeAlias = Text | Stored
"""What people and tools say."""
Spoken: TypeAlias = Text | Stored | Thinking | Call
"""What a model says."""


def words(content: Iterable[Spoken], between: str = " ") -> str:
    """The words in some content, of stored parts how they begin; without reasoning and calls."""
    parts = (part for part in content if isinstance(part, Text | Stored))
    return between.join(part.text if isinstance(part, Text) else part.begins for part in parts)


class UserMessage(msgspec.Struct, frozen=True, tag="user", omit_defaults=True):
    """What the user said, or what the runtime tells the model on the user's side of the conversation."""

    content: tuple[Content, ...]
    label: Label = USER


class ModelMessage(msgspec.Struct, frozen=True, tag="model", omit_defaults=True):
    """One answer of a model, whole."""

    content: tuple[Spoken, ...]

    @property
    def calls(self) -> tuple[Call, ...]:
        """The tool calls it asks for, in order."""
        return tuple(part for part in self.content if isinstance(part, Call))

    @property
    def text(self) -> str:
        """Its words, without reasoning."""
        return "".join(part.text for part in self.content if isinstance(part, Text))


class ToolMessage(msgspec.Struct, frozen=True, tag="tool", omit_defaults=True):
    """What one call came to. `is_error` tells the model that it did not work."""

    call: str
    tool: str
    content: tuple[Content, ...]
    is_error: bool = False
    label: Label | None = None


Message: TypeAlias = UserMessage | ModelMessage | ToolMessage


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one model call as the provider counted them. `input` includes cached ones, `output` the reasoning."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """The sum, field by field."""
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.reasoning + other.reasoning,
        )
