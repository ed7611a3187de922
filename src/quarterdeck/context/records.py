"""How far a conversation is shown in short, and what planning needs to know of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from quarterdeck.runs.events import ContextShortened
from quarterdeck.runs.messages import Message


@dataclass(frozen=True, slots=True)
class Marks:
    """What is left out. Both marks count messages from the beginning of the conversation.

    Big results before `results_upto` are shown as references; `summary` stands for all messages before `messages_upto`,
    save the user's first request.
    """

    results_upto: int = 0
    messages_upto: int = 0
    summary: Message | None = None

    @classmethod
    def of(cls, shortened: ContextShortened | None) -> "Marks":
        """The marks that a run's log has come to."""
        if shortened is None:
            return WHOLE
        return cls(shortened.results_upto, shortened.messages_upto, shortened.summary)


WHOLE = Marks()
"""Everything is shown."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A shortening to carry out. `summarises`: what stands before `messages_upto` needs a summary.

    `tokens_before` and `tokens_after` are estimates of all that is sent.
    """

    results_upto: int
    messages_upto: int
    summarises: bool
    tokens_before: int
    tokens_after: int


@dataclass(frozen=True, slots=True)
class Extent:
    """A conversation in numbers. `sizes` are the bytes of each message, `short` those of what it is shown as once it is
    old; `turns` says where each turn begins. `fixed` are the bytes of what is sent beside it (system prompt, tools),
    `first` is the place of the user's first request, and `per_token` how many bytes make a token.
    """

    sizes: Sequence[int]
    short: Sequence[int]
    turns: Sequence[int]
    fixed: int
    first: int
    per_token: float
