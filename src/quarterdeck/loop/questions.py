"""One question to a model, whatever it is for: through the gate, under the budgets, into the log, and answered.

A step of the conversation, a last answer, a summary and a judge's verdict all go this way; there is no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from quarterdeck.budgets.estimates import worst_case
from quarterdeck.budgets.records import BudgetsUnknown, Left, Line, Refused, Unit
from quarterdeck.budgets.refusals import budget_words, rate_words
from quarterdeck.core.json import encode
from quarterdeck.gates.asking import ModelAnswer, ModelFault, ModelRequest
from quarterdeck.gates.model import Kind, ModelFacts
from quarterdeck.gates.records import Verdict
from quarterdeck.gates.routing import Choice
from quarterdeck.loop import closing
from quarterdeck.loop.accounts import INTERRUPTED, Stake, may_have_cost
from quarterdeck.loop.answers import failed
from quarterdeck.loop.attempt import Attempt, Interrupted
from quarterdeck.loop.degrees import Degree
from quarterdeck.loop.flights import Flight
from quarterdeck.runs.events import ModelCalled, ModelFailed
from quarterdeck.runs.fold import CLOSING
from quarterdeck.runs.messages import Message
from quarterdeck.runs.parts import Decision

TASK = "task"
"""The tag of a run that names its task, for routes."""
BLIND_PAUSE = 5.0
"""Seconds after which a question is judged anew by a worker that did not know what may be spent."""
BUSY_PAUSE = 1.0
_REBALANCED = 8
"""How often what is left of a hot budget is brought together for one question before it counts as refused."""


class Streams(Protocol):
    """Told of an answer as it comes."""

    def add(self, kind: str, piece: str) -> None:
        """One piece."""
        ...

    def reset(self) -> None:
        """What came before is void."""
        ...

    def send(self) -> None:
        """Pass on what has come so far."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before it is judged: what is asked of whom, and what else the log says of it.

    `tools` are those whose results the model reads for the first time; `trimmed_tokens` is what it is spared of the
    conversation. `deltas` are told of the answer as it comes.
    """

    request: ModelRequest
    choice: Choice
    degree: Degree = Degree.FULL
    digest: str = ""
    deltas: Streams | None = None
    tools: tuple[str, ...] = ()
    trimmed_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Denied:
    """The gate did not let the question out. `later`: seconds after which it may, where it is only "not now"."""

    code: str
    why: str
    later: float | None = None


@dataclass(frozen=True, slots=True)
class Unaffordable:
    """The question costs more, at worst, than a budget has left."""

    why: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The provider gave no useful answer, after all the tries that the gate makes."""

    fault: ModelFault


Trouble: TypeAlias = Denied | Unaffordable | Unanswered
Outcome: TypeAlias = ModelAnswer | Trouble


class _Spent(Exception):  # a signal, not a fault
    """Between two tries of a question the budget for the next one went."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self.refused = refused


class Questions:
    """Asks models on behalf of one attempt."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._sizes = Sizes()
        self._kept = False
        self.left: tuple[Left, ...] = ()
        """What the limits had left after the last question that was asked in this attempt."""

    @property
    def money_left(self) -> int | None:
        """Micro-USD that the tightest limit had left after the last question; None = not limited, or not known."""
        return min((max(0, one.left) for one in self.left if one.unit is Unit.USD), default=None)

    def choose(
        self,
        purpose: str,
        degree: Degree = Degree.FULL,
        tokens: int = 0,
        *,
        tools: bool = False,
        tried: Sequence[str] = (),
    ) -> Choice:
        """The route that takes a question now, and why."""
        attempt, step = self._attempt, self._attempt.recorder.state.steps + 1
        kind = Kind(purpose, step, attempt.run.tags.get(TASK, ""), tokens, tools, degree)
        return attempt.around.models.choose(attempt.run.tenant, attempt.release, kind, tried)

    def size_of(self, system: str, messages: Sequence[Message], counted: int) -> int:
        """About how many tokens a question has, for routes: what was counted last, or a guess at the first one."""
        return counted or (len(system.encode()) + _bytes(messages)) // 4

    async def put(self, draft: Draft) -> Outcome:
        """Judge, pay, write down and ask. An answer is not in the log yet: the caller writes it.

        Raises Interrupted, and what losing the run raises.
        """
        try:
            stake, priced = await self._stake(draft, self._attempt.lines())
        except BudgetsUnknown as unknown:
            return Denied("budget", unknown.detail, BLIND_PAUSE)
        decision = await self._decide(draft, stake, priced=priced)
        if decision.later_ms is not None:
            return Denied("switch", decision.reason, decision.later_ms / 1000)
        called = _called(draft, decision, stake)
        if decision.verdict != Verdict.ALLOW:
            self._attempt.recorder.emit(called, _refused(called, decision))
            return Denied(f"model.{decision.rule}", decision.reason)
        refused = await self._pay(called, stake)
        if refused is not None:
            return _too_dear(refused)
        return await self._ask(draft, called, stake)

    async def _stake(self, draft: Draft, lines: tuple[Line, ...]) -> tuple[Stake, bool]:
        """What the question may cost at worst, and whether a price is known for all of it."""
        models, pin = self._attempt.around.models, draft.request.pin
        bound = await models.price(pin)
        if draft.degree is Degree.CLOSING:
            worst = worst_case(bound.price, 0, closing.MOST_BYTES, closing.MOST_TOKENS)
            return Stake(lines, worst), not bound.unpriced
        known, new = self._sizes.of(draft.request)
        factors = self._attempt.around.factors
        worst = worst_case(bound.price, known, new, pin.max_output_tokens, factors.of(pin.id))
        last = None
        if lines and not self._kept:
            cheapest = await models.price(self.choose(CLOSING, Degree.CHEAPER).pin)
            last = worst_case(cheapest.price, 0, closing.MOST_BYTES, closing.MOST_TOKENS)
        return Stake(lines, worst, last, draft.tools, draft.trimmed_tokens), not bound.unpriced

    async def _decide(self, draft: Draft, stake: Stake, *, priced: bool) -> Decision:
        attempt, recorder = self._attempt, self._attempt.recorder
        state = recorder.state
        used = ModelFacts(
            steps=draft.request.step - 1,
            tokens=state.usage.input + state.usage.output,
            seconds=state.active_ms_at(attempt.around.clock.now()) / 1000,
            background=attempt.run.priority < 0,
            beside=bool(draft.request.purpose),
            unpriced=not priced and any(line.unit is Unit.USD for line in stake.lines),
        )
        return await attempt.around.models.decide(draft.request, attempt.release, used, draft.choice)

    async def _pay(self, called: ModelCalled, stake: Stake) -> Refused | None:
        """Commit the question with what is set aside for it, or learn what is not enough."""
        recorder, budgets = self._attempt.recorder, self._attempt.around.budgets
        for again in range(_REBALANCED + 1):
            outcome = await recorder.ask(called, stake)
            if not isinstance(outcome, Refused):
                self.left, self._kept = outcome.left or self.left, True
                return None
            if not outcome.short or again == _REBALANCED:
                return outcome
            await budgets.rebalance(self._attempt.run.tenant, outcome)
        return None

    async def _ask(self, draft: Draft, called: ModelCalled, stake: Stake) -> Outcome:
        attempt, recorder, request = self._attempt, self._attempt.recorder, draft.request
        recorder.step = f"asking {request.pin.id} (step {request.step})"

        async def on_fault(fault: ModelFault, tries: int, again_in: float | None, ms: int) -> None:
            if again_in is None:  # the last one is written below
                return
            if draft.deltas is not None:
                draft.deltas.reset()
            presumed = stake.worst.micro_usd if may_have_cost(fault.fault) else 0
            recorder.emit(failed(request, fault, int(again_in * 1000), ms, tries, presumed))
            await recorder.flush()
            if may_have_cost(fault.fault) and (refused := await self._pay_again(called, stake)) is not None:
                raise _Spent(refused)

        try:
            add = None if draft.deltas is None else draft.deltas.add
            answering = attempt.around.models.answer(request, add, on_fault)
            pin = request.pin
            with attempt.flights.begin(Flight(model=pin.id, provider=pin.provider)) as flight:
                answer = await attempt.unless_interrupted(answering, flight.cancel)
        except ModelFault as fault:
            presumed = stake.worst.micro_usd if may_have_cost(fault.fault) else 0
            recorder.emit(failed(request, fault, presumed=presumed))
            return Unanswered(fault)
        except Interrupted:
            recorder.emit(_stopped(called, stake))
            raise
        except _Spent as spent:
            return _too_dear(spent.refused)
        finally:
            if draft.deltas is not None:
                draft.deltas.send()
        self._sizes.learn(request, answer)
        attempt.around.factors.learn(request.pin.id, stake.worst.tokens, answer.usage.input + answer.usage.output)
        main, trimmed = attempt.release.model, draft.trimmed_tokens
        saved = await attempt.around.models.savings(request, main, answer.usage, trimmed)
        attempt.accounts.saved(called.call, saved)
        return answer

    async def _pay_again(self, called: ModelCalled, stake: Stake) -> Refused | None:
        """Set the worst case aside for the next try: the provider may charge for the one that failed, too."""
        outcome = await self._attempt.recorder.set_aside(called, stake)
        return outcome if isinstance(outcome, Refused) else None


class Sizes:
    """How much of a question its provider has counted before, so that only what is new has to be guessed."""

    def __init__(self) -> None:
        self._model = ""
        self._counted = 0
        self._last: Message | None = None
        self._tokens = 0

    def of(self, request: ModelRequest) -> tuple[int, int]:
        """Tokens that were counted already, and the bytes of what comes on top."""
        messages = request.messages
        known = 0 < self._counted <= len(messages) and messages[self._counted - 1] is self._last
        if known and self._model == request.pin.id:
            return self._tokens, _bytes(messages[self._counted :])
        return 0, _bytes(messages) + len(request.system.encode()) + len(encode(request.tools))

    def learn(self, request: ModelRequest, answer: ModelAnswer) -> None:
        """What the provider has counted. Questions beside the conversation are no part of it."""
        if request.purpose or not request.messages or not answer.usage.input:
            return
        self._model, self._counted = request.pin.id, len(request.messages)
        self._last, self._tokens = request.messages[-1], answer.usage.input


_AROUND_EACH = 16
"""Bytes that a message takes beside its words, on any wire."""


def _bytes(messages: Sequence[Message]) -> int:
    return sum(len(encode(message)) + _AROUND_EACH for message in messages)


def _called(draft: Draft, decision: Decision, stake: Stake) -> ModelCalled:
    request = draft.request
    return ModelCalled(
        step=request.step,
        call=request.call,
        provider=request.pin.provider,
        model=request.pin.id,
        decision=decision,
        prompt=draft.digest,
        messages=len(request.messages),
        purpose=request.purpose,
        route=draft.choice.route,
        route_why=draft.choice.why,
        reserved=stake.worst.micro_usd,
        reserved_tokens=stake.worst.tokens,
        notice=request.notice,
        degree=draft.degree,
    )


def _refused(called: ModelCalled, decision: Decision) -> ModelFailed:
    return ModelFailed(
        step=called.step, call=called.call, code="denied", message=decision.reason, purpose=called.purpose
    )


def _stopped(called: ModelCalled, stake: Stake) -> ModelFailed:
    """The question was stopped on its way; it stays asked, and the provider may have answered."""
    return ModelFailed(
        step=called.step,
        call=called.call,
        code=INTERRUPTED,
        message="It was stopped on its way.",
        retry_in_ms=0,
        purpose=called.purpose,
        presumed=stake.worst.micro_usd,
    )


def _too_dear(refused: Refused) -> Denied | Unaffordable:
    if refused.line.waits:
        return Denied("rate", rate_words(refused), refused.retry_in or BLIND_PAUSE)
    if refused.short:  # there is enough, and others were always faster
        return Denied("budget", "others spend from the same budget at this moment", refused.retry_in or BUSY_PAUSE)
    return Unaffordable(budget_words(refused))
