"""How far a conversation has come, without counting all of it at every step."""

from collections import OrderedDict
from collections.abc import Sequence

from quarterdeck.core.ids import RunId
from quarterdeck.runs.messages import Message, ModelMessage

_KEPT = 10_000


class Positions:
    """Counts the model's messages of each run; what was counted once is remembered with the message it ended at."""

    def __init__(self) -> None:
        self._runs: OrderedDict[RunId, tuple[int, Message, int]] = OrderedDict()

    def of(self, run: RunId, messages: Sequence[Message]) -> int:
        """How many of these messages the model has said."""
        length, count = 0, 0
        known = self._runs.pop(run, None)
        if known is not None and known[0] <= len(messages) and messages[known[0] - 1] is known[1]:
            length, _, count = known
        for index in range(length, len(messages)):
            count += isinstance(messages[index], ModelMessage)
        if messages:
            self._runs[run] = (len(messages), messages[-1], count)
            if len(self._runs) > _KEPT:
                _ = self._runs.popitem(last=False)
        return count


def newest(messages: Sequence[Message]) -> list[Message]:
    """The messages since the model spoke last, in order."""
    start = len(messages)
    while start and not isinstance(messages[start - 1], ModelMessage):
        start -= 1
    return list(messages[start:])
