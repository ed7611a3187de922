"""Carrying a committed intent out: one call, tried again only where that can do no harm; its outcome is an event."""

import asyncio
import random
from dataclasses import replace

from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Error, Unavailable
from quarterdeck.gates.intents import Intent, ToolFacts
from quarterdeck.gates.outcomes import Outcome, Results
from quarterdeck.gates.recalling import Change, Recalling
from quarterdeck.gates.secrecy import Secrecy
from quarterdeck.rates.circuit import Outcome as Health
from quarterdeck.rates.circuit import PassOrWait, Wait
from quarterdeck.rates.circuits import Circuits, Key
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.events import ToolAnswered, ToolFailed, ToolUnknown
from quarterdeck.runs.messages import Text
from quarterdeck.runs.records import Effect, Repeat
from quarterdeck.tools.records import Answered, Failed, Keep, Progress, Toolbox, ToolOutcome, ToolRequest, Unknown

_BACKOFF, _BACKOFF_LIMIT = 0.25, 5.0
_DATABASE_PAUSE = 0.5
_IN_PLACE = 2.0
"""Seconds for which a call whose tool is being left alone waits here, as long as it does before its intent."""


class Sending:
    """The way from intents to outcomes, one per process. Nothing of a run is kept in it."""

    def __init__(
        self,
        tools: Toolbox,
        keep: Keep,
        clock: Clock,
        circuits: Circuits,
        secrecy: Secrecy | None = None,
        recalling: Recalling | None = None,
    ) -> None:
        """Without `secrecy` there are no secrets: a tool that needs one is called without. Without `recalling` no
        answer is given twice.
        """
        self._tools = tools
        self._clock = clock
        self._circuits = circuits
        self._secrecy = secrecy
        self._recalling = recalling
        self._results = Results(keep)

    async def perform(
        self,
        release: Release,
        intent: Intent,
        facts: ToolFacts,
        cancel: asyncio.Event | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Carry a committed intent out and answer the event to append: answered, failed or unknown. Never raises.

        Tries again where that can do no harm, with the same key, as long as a try may still begin. Big results are kept
        as blobs. `cancel` set: the tool is told; what it had not begun is failed, what it had may be unknown. A read
        may be answered with what it was answered before.
        """
        if self._recalling is None:
            return await self._send(release, intent, facts, cancel, progress)
        known = await self._recalling.find(release, intent, facts)
        if isinstance(known, ToolAnswered):
            return known
        try:
            change = await self._changing(self._recalling, release, intent, facts)
        except Unavailable as away:
            words = f"The call failed and had no effect: what it changes could not be noted first. {away.detail}"
            return ToolFailed(call=intent.call, code="not_sent", content=(Text(words),))
        event = await self._send(release, intent, facts, cancel, progress)
        if known is not None and isinstance(event, ToolAnswered):
            await self._recalling.keep(known, intent, facts, event)
        if change is not None and not isinstance(event, ToolUnknown):
            await self._recalling.changed(change)
        return event

    async def _changing(
        self, recalling: Recalling, release: Release, intent: Intent, facts: ToolFacts
    ) -> Change | None:
        """Note what a call is about to change; a database that is away is waited for as long as it may still begin."""
        while True:
            left = intent.boot_deadline - self._clock.boot()
            try:
                return await recalling.changing(release, intent, facts, left)
            except Unavailable:
                if left <= _DATABASE_PAUSE:
                    raise
                await asyncio.sleep(_DATABASE_PAUSE)

    async def _send(
        self,
        release: Release,
        intent: Intent,
        facts: ToolFacts,
        cancel: asyncio.Event | None,
        progress: Progress | None,
    ) -> Outcome:
        request = ToolRequest(
            tenant=facts.tenant,
            run=facts.run,
            user=facts.user,
            release=release,
            grant=intent.grant,
            call=intent.call,
            arguments=intent.arguments,
            key=intent.key,
            not_after=intent.not_after,
            boot_deadline=intent.boot_deadline,
            attempt=facts.attempt,
            traceparent=facts.traceparent,
        )
        tries, began = 0, self._clock.boot()
        while True:
            tries += 1
            outcome = await self._try_if_well(request, cancel, progress)
            pause = pause_before_next(outcome, intent, tries, self._clock.boot())
            if pause is None or await _told_to_stop(cancel, pause):
                break
        ms = int((self._clock.boot() - began) * 1000)
        event = await self._results.event(request, outcome, tries, ms)
        if request.cleaning.found and self._secrecy is not None:
            where = f"tool:{intent.grant.name}"
            await self._secrecy.tell(facts.tenant, facts.run, where, request.cleaning.found)
        return event

    async def _try_if_well(
        self, request: ToolRequest, cancel: asyncio.Event | None, progress: Progress | None
    ) -> ToolOutcome:
        """One try, unless its tool is being left alone; what comes of it says how well the tool is."""
        key = (request.tenant, request.grant.server, request.grant.name)
        given = await self._leave(key, request.boot_deadline, cancel)
        if isinstance(given, Wait):
            words = f"`{request.grant.name}` fails at the moment and is left alone for a while."
            return Failed("not_sent", words, 0, retryable=True, retry_after=given.seconds)
        health, retry_after = Health.NO_WORD, None
        try:
            outcome = await self._try(request, cancel, progress)
            health = health_of(outcome)
            retry_after = outcome.retry_after if isinstance(outcome, Failed) else None
            return outcome
        finally:
            # A probe that was cancelled must not keep others from probing.
            self._circuits.tell(key, given, health, retry_after)

    async def _leave(self, key: Key, deadline: float, cancel: asyncio.Event | None) -> PassOrWait:
        """Leave to send. A short wait is no failed try: one of many calls at once may have been asked for it."""
        left = min(deadline - self._clock.boot(), _IN_PLACE)
        while isinstance(given := self._circuits.ask(key), Wait) and given.seconds < left:
            left -= given.seconds
            if await _told_to_stop(cancel, given.seconds):
                break
        return given

    async def _try(self, request: ToolRequest, cancel: asyncio.Event | None, progress: Progress | None) -> ToolOutcome:
        """One try, with the secrets as they are at this moment: one that was rotated meanwhile counts already."""
        release, grant = request.release, request.grant
        if self._secrecy is None:
            return await self._tools.perform(request, cancel, progress)
        try:
            request.cleaning.redactor = await self._secrecy.redactor(
                request.tenant, release.secrets, release.model.provider
            )
            given = await self._secrecy.given(release, grant)
        except Unavailable as away:
            return Failed("not_sent", f"Its secrets could not be looked up: {away.detail}", 0, retryable=True)
        except Error as fault:
            return Failed("secret_missing", fault.detail, 0)
        if given:
            request = replace(request, secrets=given)
        return await self._tools.perform(request, cancel, progress)


def pause_before_next(outcome: ToolOutcome, intent: Intent, tries: int, boot: float) -> float | None:
    """Seconds until the next try, or None when this outcome stands.

    Repeated is only what surely had no effect, or may be repeated whatever became of it; and never past the intent.
    """
    if tries > intent.grant.retries or not _may_try_again(outcome, intent.grant):
        return None
    wanted = outcome.retry_after if isinstance(outcome, Failed) else None
    # Full jitter: those that failed together must not come back together.
    pause = wanted if wanted is not None else random.uniform(0, min(_BACKOFF_LIMIT, _BACKOFF * 2**tries))
    return pause if boot + pause < intent.boot_deadline else None


def health_of(outcome: ToolOutcome) -> Health:
    """What the outcome of a try says about its tool. An error that the tool reports itself is no sign of illness."""
    match outcome:
        case Answered():
            return Health.WELL
        case Failed(code="rate_limited"):
            return Health.THROTTLED
        case Failed(code="unreachable" | "host_failed" | "crashed" | "timeout" | "bad_answer"):
            return Health.FAILED
        case _:
            return Health.NO_WORD


def _may_try_again(outcome: ToolOutcome, grant: ToolGrant) -> bool:
    match outcome:
        case Failed(retryable=retryable):
            return retryable
        case Unknown():
            return grant.effect == Effect.READ or grant.repeat in {Repeat.SAFE, Repeat.KEYED}
        case _:
            return False


async def _told_to_stop(cancel: asyncio.Event | None, pause: float) -> bool:
    if cancel is None:
        await asyncio.sleep(pause)
        return False
    try:
        async with asyncio.timeout(pause):
            await cancel.wait()
    except TimeoutError:
        return False
    return True
