"""About how many tokens a question will take, answer included: for the pace, which is put right afterwards.

Not for budgets: those reserve the worst case, which would leave most of a provider's limit unused.
"""

from collections import OrderedDict

from quarterdeck.models.records import ModelRequest
from quarterdeck.runs.messages import Call, Message, Stored

_BYTES_A_TOKEN = 4.0
_LIKELY_ANSWER = 300
"""Tokens that an answer is thought to have, where nothing is known yet and it may have as many."""
_KEPT = 1024
_LEARNING = 0.2


class Sizes:
    """Estimates by connection and model, which learn from what was used."""

    def __init__(self) -> None:
        self._factors: OrderedDict[tuple[str, str], float] = OrderedDict()

    def estimate(self, request: ModelRequest) -> float:
        """Tokens that the question and its answer will take, more or less."""
        return self._plainly(request) * self._factors.get((request.pin.provider, request.pin.id), 1.0)

    def learn(self, request: ModelRequest, used: float) -> None:
        """What it took."""
        key = (request.pin.provider, request.pin.id)
        ratio = min(20.0, max(0.05, used / self._plainly(request)))
        known = self._factors.pop(key, ratio)
        self._factors[key] = known + (ratio - known) * _LEARNING
        if len(self._factors) > _KEPT:
            self._factors.popitem(last=False)

    def _plainly(self, request: ModelRequest) -> float:
        letters = len(request.system) + sum(map(_letters, request.messages))
        letters += sum(len(tool.description) + 200 for tool in request.tools)
        return letters / _BYTES_A_TOKEN + min(request.pin.max_output_tokens, _LIKELY_ANSWER)


def _letters(message: Message) -> int:
    total = 0
    for part in message.content:
        if isinstance(part, Stored):
            total += len(part.begins)
        elif isinstance(part, Call):
            total += 200
        else:
            total += len(part.text)
    return total
