"""The tool gate: the only way from a model's wish to an effect.

`decide` judges a call and makes it an intent, which the loop commits, or a question, which the loop puts before a
person; `perform` carries a committed intent out.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Unavailable
from quarterdeck.core.ids import TenantId
from quarterdeck.gates import again
from quarterdeck.gates.again import ReadingVerdict
from quarterdeck.gates.checks import CHECKS, Wish
from quarterdeck.gates.gathering import Gathering, Live
from quarterdeck.gates.intents import Inquiry, Intent, Later, Refusal, ToolFacts, ToolVerdict, idempotency_key
from quarterdeck.gates.outcomes import Outcome
from quarterdeck.gates.provenance import Provenance
from quarterdeck.gates.records import Verdict
from quarterdeck.gates.rules import decide
from quarterdeck.gates.scope import records
from quarterdeck.gates.sending import Sending
from quarterdeck.models.records import ToolOffer
from quarterdeck.rates.circuits import Circuits
from quarterdeck.rates.records import (
    Declared,
    Place,
    PlaceOrLater,
    PlaceWant,
    RateWant,
    Subject,
    TakenOrLater,
)
from quarterdeck.rates.records import Later as Crowded
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.messages import Call, Message
from quarterdeck.runs.parts import Decision
from quarterdeck.tools.records import Progress

_log = logs.get(__name__)

_SLACK = 5.0
BEGIN_WITHIN = 10.0
"""Seconds after its intent within which a call may begin, at least; a longer time-out allows later tries."""


class Counting(Protocol):
    """Limits that all workers share: `rates.service.Rates`."""

    def wants(self, tenant: TenantId, subject: Subject, declared: Sequence[Declared]) -> tuple[RateWant, ...]:
        """What a call counts against."""
        ...

    async def take(self, tenant: TenantId, wants: Sequence[RateWant], *, waited: float = 0.0) -> TakenOrLater:
        """Count it under all of these, or say how long to wait. Raises Unavailable."""
        ...

    def places(self, tenant: TenantId, subject: Subject, concurrency: int) -> tuple[PlaceWant, ...]:
        """Where a call needs a place."""
        ...

    async def enter(
        self, tenant: TenantId, wants: Sequence[PlaceWant], seconds: float, *, waited: float = 0.0
    ) -> PlaceOrLater:
        """Take a place under all of these, or say how long to wait. Raises Unavailable."""
        ...

    async def leave(self, place: Place) -> None:
        """Give a place up. Raises Unavailable."""
        ...


class ToolGate:
    """The door to tools, one per process. Nothing of a run is kept in it."""

    def __init__(self, sending: Sending, live: Live, rates: Counting, circuits: Circuits, clock: Clock) -> None:
        self._sending = sending
        self._gathering = Gathering(live, clock)
        self._rates = rates
        self._circuits = circuits
        self._clock = clock

    def offers(self, release: Release) -> tuple[ToolOffer, ...]:
        """The release's tools as the model is shown them: the same tuple each time."""
        return self._gathering.granted(release).offers

    async def decide(self, release: Release, call: Call, facts: ToolFacts, said: Provenance) -> ToolVerdict:
        """An intent to commit and then perform, a question to put before a person, a refusal that the model is told, or
        "not now". Raises only what counting raises when the database is away; nothing was let through then.

        The same call gets the same key again, at every attempt.
        """
        wish = await self._gathering.wish(release, call, facts, said)
        decision = decide(CHECKS, wish, wish.effective)
        origins: Mapping[str, str] = {} if wish.request is None else wish.request.origins
        if decision.later_ms is not None:
            return Later(call, "switch", decision.reason, decision.later_ms / 1000)
        if wish.grant is None or decision.verdict == Verdict.DENY:
            return Refusal(wish.call, decision, origins)
        if decision.verdict == Verdict.ASK:
            expires = wish.now + int(wish.grant.asking.expires_in * 1000)
            return Inquiry(call.id, wish.grant, wish.call.arguments, decision, expires, origins)
        place = await self._enter(wish.grant, wish.call, facts)
        if isinstance(place, Later):
            return place
        if not facts.again and (later := await self._count(wish.grant, wish.call, facts)) is not None:
            await self._leave(place)
            return later
        return self._intent(wish, wish.grant, decision, place)

    def read_again(self, release: Release, call: Call, facts: ToolFacts, said: Sequence[Message]) -> ReadingVerdict:
        """A page of a result in `said`, the whole conversation, or why not: see `again.read`."""
        standing = self._gathering.standing(facts)
        return again.read(again.Reading(call, facts, release.limits, standing, said))

    async def perform(
        self,
        release: Release,
        intent: Intent,
        facts: ToolFacts,
        cancel: asyncio.Event | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Carry a committed intent out: see `Sending.perform`. Its place among the calls under way is given up then."""
        try:
            return await self._sending.perform(release, intent, facts, cancel, progress)
        finally:
            if intent.place is not None:
                await self._leave(intent.place)

    async def _count(self, grant: ToolGrant, call: Call, facts: ToolFacts) -> Later | None:
        """Count the call under all rates that hold for it. None: it may be made, and its turn has come."""
        if (seconds := self._circuits.wait((facts.tenant, grant.server, grant.name))) > 0:
            return Later(call, "circuit", f"`{grant.name}` fails at the moment and is left alone for a while.", seconds)
        subject = Subject(grant.name, facts.agent, facts.user, str(facts.run))
        wants = self._rates.wants(facts.tenant, subject, grant.rates)
        taken = await self._rates.take(facts.tenant, wants, waited=facts.waited)
        if isinstance(taken, Crowded):
            return Later(call, "rate", taken.why, taken.seconds)
        if taken.after > 0:
            await asyncio.sleep(taken.after)
        return None

    async def _enter(self, grant: ToolGrant, call: Call, facts: ToolFacts) -> Place | Later:
        """A place among the calls under way; where none is limited that is a place of no kind."""
        subject = Subject(grant.name, facts.agent, facts.user, str(facts.run))
        wants = self._rates.places(facts.tenant, subject, grant.concurrency)
        seconds = max(BEGIN_WITHIN, grant.timeout) + grant.timeout + _SLACK
        place = await self._rates.enter(facts.tenant, wants, seconds, waited=facts.waited)
        return Later(call, "rate", place.why, place.seconds) if isinstance(place, Crowded) else place

    async def _leave(self, place: Place) -> None:
        if place.keys:
            try:
                await self._rates.leave(place)
            except Unavailable as away:
                # It frees itself when its time is over.
                _log.warning("rates.place_not_left", error=away.code)

    def _intent(self, wish: Wish, grant: ToolGrant, decision: Decision, place: Place) -> Intent:
        within, facts = max(BEGIN_WITHIN, grant.timeout), wish.facts
        approved = facts.asked is not None and wish.approved and not facts.again
        return Intent(
            call=wish.call.id,
            grant=grant,
            arguments=wish.call.arguments,
            decision=decision,
            key=idempotency_key(facts, wish.call.id),
            not_after=int((self._clock.now().timestamp() + within) * 1000),
            boot_deadline=self._clock.boot() + within,
            origins={} if wish.request is None else wish.request.origins,
            approval=facts.asked.approval if approved and facts.asked else None,
            approved_by=_approved_by(wish),
            records=records(grant, wish.call.arguments) if grant.affects else 0,
            place=place,
        )


def _approved_by(wish: Wish) -> tuple[str, ...]:
    """Who or what let a call pass: the people who were asked, else the level of autonomy; and the policies."""
    said, request = wish.facts.said, wish.request
    people = tuple(f"person:{name}" for name in said.by) if said is not None and wish.approved else ()
    level = () if people or request is None else (f"autonomy:{request.autonomy}",)
    return (*people, *level)
