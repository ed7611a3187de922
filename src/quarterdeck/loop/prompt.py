"""What the model is shown after the system prompt: the thread's conversation, this run's own.

Part of `behaviour_version`: a change here that changes any assembled prompt raises it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from quarterdeck.core.json import encode
from quarterdeck.runs.messages import Content, Message, ModelMessage, Spoken, Stored, Text, ToolMessage, UserMessage


class Conversation:
    """The messages so far, ready to be sent, and a digest of all of them that costs only what is new.

    `hear` is told of each message that is added, once and in order.
    """

    def __init__(
        self, system_text: str, history: Sequence[Message] = (), hear: Callable[[Message], None] | None = None
    ) -> None:
        self.system = system_text
        self._ready: list[Message] = []
        self._hear = hear
        self._seen = 0
        self._hash = hashlib.sha256(system_text.encode("utf-8", "replace"))
        for message in history:
            self._show(message)

    @property
    def messages(self) -> Sequence[Message]:
        """Everything that the model is shown after the system prompt. Not to be changed."""
        return self._ready

    def digest(self) -> str:
        """SHA-256 over system prompt and messages, 64 hexadecimal digits."""
        return self._hash.copy().hexdigest()

    def missing(self, own: Sequence[Message]) -> list[Stored]:
        """Stored parts of the run's messages that were not yet added and have to be read back first."""
        return [part for message in own[self._seen :] for part in message.content if isinstance(part, Stored)]

    def extend(self, own: Sequence[Message], read_back: Mapping[str, str]) -> None:
        """Add the run's messages that are new since the last time, stored parts replaced by their words."""
        for message in own[self._seen :]:
            whole = _whole(message, read_back)
            self._show(whole)
            if self._hear is not None:
                self._hear(whole)
        self._seen = len(own)

    def _show(self, whole: Message) -> None:
        self._ready.append(whole)
        self._hash.update(encode(whole))


def _whole(message: Message, read_back: Mapping[str, str]) -> Message:
    if not any(isinstance(part, Stored) for part in message.content):
        return message
    match message:
        case UserMessage():
            return UserMessage(_words(message.content, read_back), message.label)
        case ToolMessage():
            content = _words(message.content, read_back)
            return ToolMessage(message.call, message.tool, content, message.is_error, message.label)
        case ModelMessage():
            return ModelMessage(tuple(_spoken(part, read_back) for part in message.content))


def _words(content: Sequence[Content], read_back: Mapping[str, str]) -> tuple[Content, ...]:
    return tuple(Text(_text(part, read_back), part.label) if isinstance(part, Stored) else part for part in content)


def _spoken(part: Spoken, read_back: Mapping[str, str]) -> Spoken:
    return Text(_text(part, read_back), part.label) if isinstance(part, Stored) else part


def _text(part: Stored, read_back: Mapping[str, str]) -> str:
    if part.media_type.startswith("text/"):
        return read_back.get(part.key, part.begins)
    return f"[{part.media_type}, {part.size:,} bytes, kept as {part.key[:12]}]"
