"""Which messages are whose turn: what the model was shown newly, and where a run begins within its thread."""

from collections.abc import Sequence

from quarterdeck.runs.messages import Message, ModelMessage


def newest(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages since the model spoke last, in order."""
    return own(messages, 1)


def own(messages: Sequence[Message], step: int) -> Sequence[Message]:
    """The messages of the run that is at this step, without those of its thread before it.

    Before its n-th question a run holds n - 1 answers, so the n-th answer from the end is another run's.
    """
    start, answers = len(messages), 0
    while start:
        answers += isinstance(messages[start - 1], ModelMessage)
        if answers == step:
            break
        start -= 1
    return messages[start:]
