"""The tools' turn: put each call before the gate, commit the intents, carry them out, commit what came of them."""

import asyncio

from quarterdeck.gates.intents import Intent, ToolFacts
from quarterdeck.loop import rules
from quarterdeck.loop.attempt import Attempt
from quarterdeck.runs.events import ToolDenied, ToolUnknown
from quarterdeck.runs.fold import CallState
from quarterdeck.runs.messages import Call
from quarterdeck.runs.records import Effect


class ToolTurn:
    """Calls tools on behalf of one attempt."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    async def take(self, step: rules.CallTools) -> None:
        """Decide and carry out the calls of one turn, side by side within the release's limit."""
        recorder = self._attempt.recorder
        sending: list[tuple[Intent, ToolFacts]] = []
        for call in step.fresh:
            self._decide(call.call, step.step, sending, again=False)
        for call in step.again:
            self._decide(call.call, step.step, sending, again=True)
        names = ", ".join(dict.fromkeys(intent.grant.name for intent, _ in sending))
        recorder.step = f"calling {names}" if names else "refusing a call"
        await recorder.flush()
        if len(sending) == 1:
            await self._perform(*sending[0])
        elif sending:
            places = asyncio.Semaphore(self._attempt.release.limits.max_parallel_calls)
            async with asyncio.TaskGroup() as group:
                for intent, facts in sending:
                    group.create_task(self._perform_in_turn(places, intent, facts))

    async def doubt(self, calls: tuple[CallState, ...]) -> None:
        """Note calls of an attempt that died and may not be repeated: nobody knows what became of them."""
        self._attempt.recorder.emit(*(unknown(call) for call in calls))
        await self._attempt.recorder.flush()

    def _decide(self, call: Call, step: int, sending: list[tuple[Intent, ToolFacts]], *, again: bool) -> None:
        attempt, run = self._attempt, self._attempt.run
        facts = ToolFacts(
            tenant=run.tenant,
            run=run.id,
            user=run.user_id,
            step=step,
            attempt=attempt.recorder.hold.attempt,
            tool_calls=attempt.recorder.state.tool_calls,
            again=again,
            traceparent=run.traceparent,
        )
        verdict = attempt.around.tools.decide(attempt.release, call, facts)
        event = verdict.event(step)
        if again and isinstance(event, ToolDenied):
            # Sent by the attempt before and not allowed any more: whether it took effect is still not known.
            event = ToolUnknown(call=call.id, tool=call.tool, why=f"sent before, refused now: {event.decision.reason}")
        attempt.recorder.emit(event)
        if isinstance(verdict, Intent):
            sending.append((verdict, facts))

    async def _perform_in_turn(self, places: asyncio.Semaphore, intent: Intent, facts: ToolFacts) -> None:
        async with places:
            await self._perform(intent, facts)

    async def _perform(self, intent: Intent, facts: ToolFacts) -> None:
        """Carry one intent out. An outcome that is not a read's is committed before anything else happens."""
        attempt = self._attempt
        outcome = await attempt.around.tools.perform(attempt.release, intent, facts, attempt.interrupt)
        attempt.recorder.emit(outcome)
        if intent.grant.effect != Effect.READ:
            await attempt.recorder.flush()


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
