"""What the model is shown after the system prompt: the thread's conversation and this run's own, the old in short.

Part of `behaviour_version`: a change here that changes any assembled prompt raises it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from quarterdeck.context import rules, view
from quarterdeck.context.records import WHOLE, Extent, Marks
from quarterdeck.core.json import encode
from quarterdeck.runs.messages import Content, Message, ModelMessage, Spoken, Stored, Text, ToolMessage, UserMessage


class Conversation:
    """Everything that was said so far, what of it is shown, and a digest of that which costs only what is new.

    `hear` is told of each message that is added, once and in order, whatever is shown of it later. Results above
    `results_over` bytes are shown as references once they are old; `readable`: the model may read them again.
    """

    def __init__(
        self,
        system_text: str,
        history: Sequence[Message] = (),
        hear: Callable[[Message], None] | None = None,
        *,
        results_over: int = 0,
        readable: bool = True,
    ) -> None:
        self.system = system_text
        self.marks: Marks = WHOLE
        self._said: list[Message] = []
        self._sizes: list[int] = []
        self._short: list[int] = []
        self._shown: list[Message] = []
        self._hear = hear
        self._results_over = results_over
        self._readable = readable
        self._seen = 0
        self._hash = hashlib.sha256(self._opening())
        for message in history:
            self._add(message)
        self._own = len(self._said)

    @property
    def messages(self) -> Sequence[Message]:
        """What the model is shown after the system prompt. The same objects each time; not to be changed."""
        return self._shown

    @property
    def said(self) -> Sequence[Message]:
        """Everything that was said, whatever is shown of it: places in it are what marks and references count by."""
        return self._said

    @property
    def first(self) -> int:
        """The place of the user's first request of this run."""
        return view.first_request(self._said, self._own)

    @property
    def left_out(self) -> int:
        """About how many bytes of what was said are not sent."""
        if self.marks == WHOLE:
            return 0
        return max(0, sum(self._sizes) - rules.shown(self.extent(0, 1.0), self.marks, self.summary_size))

    @property
    def summary_size(self) -> int:
        """The bytes of the summary that is shown."""
        return 0 if self.marks.summary is None else view.size_of(self.marks.summary)

    def digest(self) -> str:
        """SHA-256 over system prompt and what is shown, 64 hexadecimal digits."""
        return self._hash.copy().hexdigest()

    def extent(self, fixed: int, per_token: float) -> Extent:
        """The conversation in numbers; `fixed` bytes are sent beside it."""
        return Extent(self._sizes, self._short, rules.turns(self._said), fixed, self.first, per_token)

    def missing(self, own: Sequence[Message]) -> list[Stored]:
        """Stored parts of the run's messages that were not yet added and have to be read back first."""
        return [part for message in own[self._seen :] for part in message.content if isinstance(part, Stored)]

    def extend(self, own: Sequence[Message], read_back: Mapping[str, str]) -> None:
        """Add the run's messages that are new since the last time, stored parts replaced by their words."""
        for message in own[self._seen :]:
            whole = _whole(message, read_back)
            self._add(whole)
            if self._hear is not None:
                self._hear(whole)
        self._seen = len(own)

    def show(self, marks: Marks) -> None:
        """Show as much as these marks leave. What was shown changes only where they do."""
        if marks == self.marks:
            return
        self.marks = marks
        self._shown = view.assemble(self._said, marks, self.first, self._results_over, readable=self._readable)
        self._hash = hashlib.sha256(self._opening())
        for message in self._shown:
            self._hash.update(encode(message))

    def _opening(self) -> bytes:
        return self.system.encode("utf-8", "replace")

    def _add(self, whole: Message) -> None:
        size, short = view.size_of(whole), view.short(whole, len(self._said), self._results_over)
        self._said.append(whole)
        self._sizes.append(size)
        self._short.append(size if short is whole else view.size_of(short))
        self._shown.append(whole)
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
