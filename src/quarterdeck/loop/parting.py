"""How a run leaves its worker: ended, parked, put off or given back. Needs its log and nothing else, so that a run can
also be parted from whose release can't be loaded or whose tools can't be made ready.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from quarterdeck.core.clock import Clock
from quarterdeck.core.text import shorten, storable, storable_json
from quarterdeck.loop import rules
from quarterdeck.loop.handoffs import handoff as handing_over
from quarterdeck.loop.recorder import Recorder
from quarterdeck.loop.tool_turn import unknown
from quarterdeck.runs.events import RunFinished, RunParked, RunReleased
from quarterdeck.runs.log import Departure
from quarterdeck.runs.records import Status

FAR_OFF = datetime(9999, 1, 1, tzinfo=UTC)
"""When a run is due that somebody else has to send on: whoever does so makes it due."""


class Parting:
    """The last words of one attempt at a run. Each verb is one transaction; raises FencedOut or Unavailable."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock

    async def finish(self, step: rules.Finish) -> None:
        """End the run. Effects that nobody has heard of are doubts from now on."""
        self._recorder.emit(*map(unknown, rules.lost(self._recorder.state)))
        state = self._recorder.state
        handoff = None if step.status is Status.SUCCEEDED else handing_over(state, step.why)
        finished = RunFinished(
            status=step.status,
            reason=step.reason,
            text=storable(step.text),
            output=storable_json(step.output) if step.output is not None else None,
            handoff=handoff,
            error_code=step.error_code,
            error=step.why if step.status is Status.FAILED else None,
        )
        why = _in_one_sentence(step, state.tools_called)
        await self._recorder.leave(Departure(step.status, step.reason, why, step.error_code, ended=True), finished)

    async def fail_for_good(self, code: str, why: str) -> None:
        """End the run as failed, with what is known of it."""
        await self.finish(rules.Finish(Status.FAILED, why=storable(why), error_code=code))

    async def park(self, step: rules.Park) -> None:
        """Give the place up until somebody has answered. Who did so in this very moment gets it queued again."""
        reason = step.reason or step.status.value
        due = FAR_OFF if step.status is Status.WAITING_FOR_RETRY else None
        to = Departure(step.status, reason=reason, why=step.why, parked=True, available_at=due)
        await self._recorder.park(to, RunParked(status=step.status, why=step.why))

    async def try_later(self, reason: str, why: str, wait: timedelta, *, in_vain: bool = False) -> None:
        """Give the run up until later, because something went wrong that may not go wrong again.

        `in_vain` counts the attempt as one of which nothing came: only so many of those are made.
        """
        at = self._clock.now() + wait
        words = storable(why)
        parked = RunParked(status=Status.WAITING_FOR_RETRY, why=words, until=int(at.timestamp() * 1000))
        to = Departure(Status.WAITING_FOR_RETRY, reason, words, available_at=at, in_vain=in_vain)
        await self._recorder.leave(to, parked)

    async def give_back(self, why: str) -> None:
        """Put the run back into the queue for another worker, which repeats what is in flight and may be repeated."""
        await self._recorder.leave(Departure(Status.QUEUED), RunReleased(why=why))


def _in_one_sentence(step: rules.Finish, tools_called: Mapping[str, int]) -> str:
    """What lists say of an ending."""
    if step.why:
        return shorten(step.why, 300)
    count = sum(tools_called.values())
    return "" if not count else f"answered after {count} tool call{'s' if count != 1 else ''}"
