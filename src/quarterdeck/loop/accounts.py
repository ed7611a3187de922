"""The money of one attempt: what its questions may cost at worst is set aside before they are asked, what they did cost
is booked after, each in the transaction of the event that tells of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from msgspec import structs

from quarterdeck.budgets import store as budgets
from quarterdeck.budgets.records import CLOSING, Amount, Left, Line, Refused, Reserved
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import ThreadId
from quarterdeck.db.records import Tx
from quarterdeck.gates.asking import TRIES, Fault
from quarterdeck.gates.model import Savings
from quarterdeck.runs.events import Event, ModelAnswered, ModelCalled, ModelFailed, RunFinished
from quarterdeck.runs.messages import Usage
from quarterdeck.runs.records import Run
from quarterdeck.usage import store as usage
from quarterdeck.usage.records import State, UsageRow

CHECK = "budget"
"""The name of this check in the log, after those of the model gate."""
LOST, INTERRUPTED = "lost", "interrupted"
"""Codes of questions whose answer nobody received: their worker died, or they were stopped on their way."""
_MAY_HAVE_COST = frozenset({Fault.TIMEOUT.value, Fault.CUT_OFF.value, Fault.MALFORMED.value, LOST, INTERRUPTED})


def may_have_cost(code: str) -> bool:
    """Whether a provider may charge for a try that failed in this way."""
    return code in _MAY_HAVE_COST


@dataclass(frozen=True, slots=True)
class Stake:
    """What is at stake with a question: under which limits, how much at worst, and what reports will say of it.

    `closing` is set aside with a run's first question for its last answer. `tools` are those whose results the model
    reads for the first time, `trimmed_tokens` what it is spared.
    """

    lines: tuple[Line, ...]
    worst: Amount
    closing: Amount | None = None
    tools: tuple[str, ...] = ()
    trimmed_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Paid:
    """A question for which money is set aside, and what its limits have left."""

    called: ModelCalled
    left: tuple[Left, ...]


@dataclass(slots=True)
class _Open:
    called: ModelCalled
    stake: Stake
    attempt: int
    tried: int
    saved: Savings = field(default_factory=Savings)


class Accounts:
    """The books of one attempt at one run. Its verbs run inside the transaction that appends."""

    def __init__(self, run: Run, clock: Clock, root: UUID) -> None:
        self._run = run
        self._clock = clock
        self._root = root
        self._open: dict[str, _Open] = {}
        self._tried: dict[str, int] = {}

    async def set_aside(self, tx: Tx, called: ModelCalled, stake: Stake) -> Paid | Refused:
        """Set a question's worst case aside under all its limits or under none; the last answer's with the first.

        Paid: the question as it goes into the log, with this among the checks that it has passed.
        """
        outcome = await self._reserve(tx, called, stake)
        if isinstance(outcome, Refused):
            return outcome
        decision = structs.replace(called.decision, checks=(*called.decision.checks, CHECK))
        return Paid(structs.replace(called, decision=decision), outcome.left)

    async def _reserve(self, tx: Tx, called: ModelCalled, stake: Stake) -> Reserved | Refused:
        run = self._run
        if stake.closing is not None:
            kept = await self._reserve_last(tx, stake.lines, stake.closing)
            if isinstance(kept, Refused):
                return kept
        if called.degree == CLOSING:
            return await self._reserve_last(tx, stake.lines, stake.worst)
        name = _name(called.call, self._tried.get(called.call, 0) + 1)
        return await budgets.reserve(tx, run.tenant, run.id, name, run.attempt, stake.lines, stake.worst)

    async def _reserve_last(self, tx: Tx, lines: Sequence[Line], worst: Amount) -> Reserved | Refused:
        """The last answer's slice: one a run, whichever attempt asks for it. A minute's limits don't last that long."""
        run, lasting = self._run, [line for line in lines if not line.waits]
        return await budgets.reserve(tx, run.tenant, run.id, CLOSING, 0, lasting, worst)

    def asked(self, called: ModelCalled, stake: Stake) -> None:
        """The question is in the log, with what was set aside for it."""
        tried = self._tried[called.call] = self._tried.get(called.call, 0) + 1
        self._open[called.call] = _Open(called, stake, self._run.attempt, tried)

    def lost(self, called: ModelCalled, attempt: int) -> None:
        """An attempt before asked this, and nobody will ever know the answer."""
        self._open[called.call] = _Open(called, Stake((), Amount(0, 0)), attempt, 1)

    def saved(self, call: str, savings: Savings) -> None:
        """What an answer that is about to be written down cost less than it might have."""
        if (asked := self._open.get(call)) is not None:
            asked.saved = savings

    async def enter(self, tx: Tx, events: Sequence[Event]) -> None:
        """Book what these events say was used. The same again changes nothing."""
        rows: list[UsageRow] = []
        for event in events:
            match event:
                case ModelAnswered():
                    rows += await self._answered(tx, event)
                case ModelFailed():
                    rows += await self._failed(tx, event)
                case RunFinished():
                    await budgets.settle_run(tx, self._run.tenant, self._run.id)
                case _:
                    pass
        if rows:
            await usage.enter(tx, rows)

    async def _answered(self, tx: Tx, event: ModelAnswered) -> list[UsageRow]:
        asked = self._open.get(event.call)
        if asked is None:
            return []
        used = Amount(event.cost or 0, event.usage.input + event.usage.output)
        await self._settle(tx, asked, used)
        return [self._row(asked, event.usage, event.cost, State.SPENT, event.served_model, event.ms)]

    async def _failed(self, tx: Tx, event: ModelFailed) -> list[UsageRow]:
        asked = self._open.get(event.call)
        if event.code == LOST:
            names = [CLOSING] if asked and asked.called.degree == CLOSING else _names(event.call)
            for name in names:
                await budgets.settle(tx, self._run.tenant, self._run.id, name, None)
        if asked is None or (not event.presumed and event.retry_in_ms is not None):
            return []  # the next try is paid from what was set aside for this one
        if not may_have_cost(event.code):
            await self._settle(tx, asked, Amount(0, 0))
            return []
        await self._settle(tx, asked, None)
        return [self._row(asked, Usage(), event.presumed, State.PRESUMED, "", event.ms)]

    async def _settle(self, tx: Tx, asked: _Open, used: Amount | None) -> None:
        name = CLOSING if asked.called.degree == CLOSING else _name(asked.called.call, asked.tried)
        if asked.stake.lines:
            await budgets.settle(tx, self._run.tenant, self._run.id, name, used)

    def _row(self, asked: _Open, used: Usage, cost: int | None, state: State, served: str, ms: int) -> UsageRow:
        run, called, stake = self._run, asked.called, asked.stake
        return UsageRow(
            tenant=run.tenant,
            run=run.id,
            call=called.call,
            attempt=asked.attempt,
            tried=asked.tried,
            step=called.step,
            at=self._clock.now(),
            agent=run.agent,
            release=run.release,
            user=run.user_id,
            thread=None if run.thread is None else ThreadId(run.thread),
            root_run=self._root,
            provider=called.provider,
            model=called.model,
            served_model=served,
            route=called.route,
            purpose=called.purpose,
            tools=stake.tools,
            tags=run.tags,
            input=used.input,
            output=used.output,
            cache_read=used.cache_read,
            cache_write=used.cache_write,
            reasoning=used.reasoning,
            cost=cost,
            state=state,
            saved_cache=asked.saved.cache,
            saved_route=asked.saved.route,
            saved_trim=asked.saved.trim,
            trimmed_tokens=stake.trimmed_tokens,
            ms=ms,
        )


def _names(call: str) -> list[str]:
    return [_name(call, tried) for tried in range(1, TRIES + 1)]


def _name(call: str, tried: int) -> str:
    return f"{call}.{tried}"
