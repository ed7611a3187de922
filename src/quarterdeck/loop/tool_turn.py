"""The tools' turn: put each call before the gate, commit intents and questions, carry intents out, commit outcomes."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from quarterdeck.gates.again import Shown
from quarterdeck.gates.builtin import is_escalation, is_reading
from quarterdeck.gates.intents import Intent, Later, Refusal, ToolFacts
from quarterdeck.gates.provenance import Provenance
from quarterdeck.loop import escalation, rules
from quarterdeck.loop.attempt import Attempt
from quarterdeck.loop.delegation import delegate, server_of
from quarterdeck.loop.flights import Flight
from quarterdeck.loop.ledger import Child
from quarterdeck.loop.questions import Questions
from quarterdeck.loop.talk import Talk
from quarterdeck.releases.records import ToolServer
from quarterdeck.runs.events import ToolDenied, ToolUnknown
from quarterdeck.runs.fold import CallState
from quarterdeck.runs.records import Effect

LONGEST_PAUSE = 2.0
"""Seconds for which a run that is told "not now" keeps its place; for longer ones it is parked."""
_SHORTEST_PAUSE = 0.05


class ToolTurn:
    """Calls tools on behalf of one attempt."""

    def __init__(self, attempt: Attempt, talk: Talk, questions: Questions) -> None:
        self._attempt = attempt
        self._talk = talk
        self._questions = questions

    async def take(self, step: rules.CallTools) -> Later | None:
        """Decide and carry out the calls of one turn, side by side within the release's limit.

        Answers what a call has to wait for so long that the run had better be parked. Calls that wait for a person or
        for later stay as they are: the rules find them again.
        """
        recorder = self._attempt.recorder
        said = await self._talk.provenance()
        sending: list[tuple[Intent, ToolFacts]] = []
        waits: list[Later] = []
        for call, again in self._at_once(step):
            verdict = await self._decide(call, step.step, said, again=again)
            if isinstance(verdict, Later):
                waits.append(verdict)
            elif verdict is not None:
                sending.append(verdict)
        recorder.step = _doing(sending, waits)
        await recorder.flush()
        await self._perform_all(sending)
        # What was done may have freed what the others wait for: they are judged again at once.
        return None if sending else await self._wait(waits)

    def _at_once(self, step: rules.CallTools) -> Iterator[tuple[CallState, bool]]:
        """The calls to judge now: of a tool that is limited no more than may be under way; the others come next."""
        taken: Counter[str] = Counter()
        for call, again in _in_order(step):
            grant = self._attempt.release.tool(call.call.tool)
            taken[call.call.tool] += 1
            if grant is None or not grant.concurrency or taken[call.call.tool] <= grant.concurrency:
                yield call, again

    async def doubt(self, calls: tuple[CallState, ...]) -> None:
        """Note calls of an attempt that died and may not be repeated: nobody knows what became of them."""
        self._attempt.recorder.emit(*(unknown(call) for call in calls))
        await self._attempt.recorder.flush()

    async def _decide(
        self, call: CallState, step: int, said: Provenance, *, again: bool
    ) -> tuple[Intent, ToolFacts] | Later | None:
        """Judge one call and note what was decided, unless it is "not now"."""
        attempt, recorder = self._attempt, self._attempt.recorder
        if is_escalation(attempt.release, call.call) and recorder.state.escalated is None:
            recorder.emit(*escalation.escalate(attempt.release, call.call, step))
            return None
        facts = self._facts(call, step, again=again)
        if is_reading(attempt.release, call.call):
            return await self._read_again(call, facts)
        verdict = await attempt.around.tools.decide(attempt.release, call.call, facts, said)
        if isinstance(verdict, Later):
            return verdict
        event = verdict.event(step)
        if again and isinstance(event, ToolDenied):
            # Sent by the attempt before and not allowed any more: whether it took effect is still not known.
            event = ToolUnknown(
                call=call.call.id, tool=call.call.tool, why=f"sent before, refused now: {event.decision.reason}"
            )
        if isinstance(verdict, Intent) and (server := server_of(attempt.release, verdict)) is not None:
            await self._delegate(server, verdict, step, said)
            return None
        recorder.emit(event)
        return (verdict, facts) if isinstance(verdict, Intent) else None

    async def _read_again(self, call: CallState, facts: ToolFacts) -> Later | None:
        """A page of an earlier result. Nothing is sent: call and answer go into the log together."""
        attempt = self._attempt
        said = (await self._talk.conversation()).said
        verdict = attempt.around.tools.read_again(attempt.release, call.call, facts, said)
        match verdict:
            case Later():
                return verdict
            case Refusal():
                attempt.recorder.emit(verdict.event(facts.step))
            case Shown():
                attempt.recorder.emit(verdict.call, verdict.answer)
        return None

    async def _delegate(self, server: ToolServer, intent: Intent, step: int, said: Provenance) -> None:
        """A call of another agent: its run begins with the intent, and brings the outcome when it ends."""
        recorder = self._attempt.recorder
        child = await delegate(self._attempt, server, intent, said)
        if isinstance(child, Child):
            recorder.expect(child)
            recorder.emit(replace(intent, child=str(child.submission.id)).event(step))
        else:
            recorder.emit(intent.event(step), child)

    def _facts(self, call: CallState, step: int, *, again: bool) -> ToolFacts:
        attempt, run, state = self._attempt, self._attempt.run, self._attempt.recorder.state
        admitted = state.admitted
        return ToolFacts(
            tenant=run.tenant,
            run=run.id,
            agent=run.agent,
            user=run.user_id,
            step=step,
            attempt=attempt.recorder.hold.attempt,
            tool_calls=state.tool_calls,
            again=again,
            traceparent=run.traceparent,
            roles=admitted.roles if admitted else (),
            claims=admitted.claims if admitted else {},
            narrowed=admitted.narrowed if admitted else None,
            used=state.tools_called,
            affected=state.affected,
            asked=call.asked,
            said=call.said,
            background=run.priority < 0,
            reviewed=state.input_judged is not None and state.input_judged.verdict == "ask",
            budget_left=self._questions.money_left,
        )

    async def _perform_all(self, sending: list[tuple[Intent, ToolFacts]]) -> None:
        if len(sending) == 1:
            await self._perform(*sending[0])
        elif sending:
            places = asyncio.Semaphore(self._attempt.release.limits.max_parallel_calls)
            async with asyncio.TaskGroup() as group:
                for intent, facts in sending:
                    group.create_task(self._perform_in_turn(places, intent, facts))

    async def _perform_in_turn(self, places: asyncio.Semaphore, intent: Intent, facts: ToolFacts) -> None:
        async with places:
            await self._perform(intent, facts)

    async def _perform(self, intent: Intent, facts: ToolFacts) -> None:
        """Carry one intent out. An outcome that is not a read's is committed before anything else happens."""
        attempt, grant = self._attempt, intent.grant
        with attempt.flights.begin(Flight(grant.name, grant.server, grant.effect == Effect.READ)) as flight:
            outcome = await attempt.around.tools.perform(attempt.release, intent, facts, flight.cancel)
        attempt.recorder.emit(outcome)
        if grant.effect != Effect.READ:
            await attempt.recorder.flush()

    async def _wait(self, waits: list[Later]) -> Later | None:
        """Wait here where that is short; nobody is kept from ending the run meanwhile."""
        if not waits:
            return None
        soonest = min(waits, key=lambda later: later.seconds)
        if soonest.seconds > LONGEST_PAUSE:
            return soonest
        try:
            async with asyncio.timeout(max(_SHORTEST_PAUSE, soonest.seconds)):
                await self._attempt.interrupt.wait()
        except TimeoutError:
            pass
        return None


def _in_order(step: rules.CallTools) -> Iterator[tuple[CallState, bool]]:
    yield from ((call, False) for call in step.fresh)
    yield from ((call, True) for call in step.again)


def _doing(sending: list[tuple[Intent, ToolFacts]], waits: list[Later]) -> str:
    names = ", ".join(dict.fromkeys(intent.grant.name for intent, _ in sending))
    if names:
        return f"calling {names}"
    return f"waiting: {waits[0].why}" if waits else "refusing a call"


def unknown(call: CallState) -> ToolUnknown:
    """The doubt about a call: nobody may answer for it before it can no longer begin and finish."""
    intent = call.intent
    assert intent is not None
    return ToolUnknown(
        call=call.call.id,
        tool=intent.tool,
        why="its worker died between the intent and the outcome",
        ask_after=intent.not_after + intent.timeout_ms,
    )
