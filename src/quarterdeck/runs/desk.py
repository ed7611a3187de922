"""What routes about runs work with: who asks, in which tenant, and which runs that one may see."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from quarterdeck.blobs.service import Blobs
from quarterdeck.core.ids import AgentName, RunId, TenantId, UserId
from quarterdeck.core.json import Json
from quarterdeck.db.pool import Transaction
from quarterdeck.db.records import Tx
from quarterdeck.http.actor import Actor, ActorDep, AnyActorDep, Role
from quarterdeck.http.parts import Parts, PartsDep
from quarterdeck.releases.service import Releases
from quarterdeck.runs import log, view
from quarterdeck.runs.fold import RunState, fold
from quarterdeck.runs.messages import Message
from quarterdeck.runs.records import ADMISSIBLE, Run, Strategy, Submission
from quarterdeck.runs.service import NoSuchRun, Runs
from quarterdeck.runs.store import Filter
from quarterdeck.runs.waits import Waits
from quarterdeck.switches.board import Board
from quarterdeck.switches.wording import held_words


class Live(Protocol):
    """Streams of runs as they go."""

    def watch(self, tenant: TenantId, run: RunId, after: int = 0) -> AsyncGenerator[bytes, None]:
        """The frames of a run's stream after a position."""
        ...


class Lanes(Protocol):
    """Where a run of a conversation takes its place. Stands above runs and is put on the application by `serve`."""

    async def submit(
        self, tx: Tx, submission: Submission, messages: Sequence[Message], strategy: Strategy, actor: Actor
    ) -> tuple[Run, bool]:
        """Admit a run into its thread, after those before it, if the actor may see that. True where it is new."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """One request's view of runs. `serve` puts the services on `app.state` under the names used below."""

    actor: Actor
    tenant: TenantId
    parts: Parts
    request: Request

    @property
    def runs(self) -> Runs:
        """The verbs of runs."""
        return cast("Runs", self.request.app.state.runs)

    @property
    def releases(self) -> Releases:
        """The releases, each read once a process."""
        return cast("Releases", self.request.app.state.releases)

    @property
    def waits(self) -> Waits:
        """Who waits for a run."""
        return cast("Waits", self.request.app.state.waits)

    @property
    def live(self) -> Live:
        """The streams."""
        return cast("Live", self.request.app.state.live)

    @property
    def lanes(self) -> Lanes:
        """The threads."""
        return cast("Lanes", self.request.app.state.threads)

    @property
    def blobs(self) -> Blobs:
        """The payloads."""
        return cast("Blobs", self.request.app.state.blobs)

    @property
    def board(self) -> Board:
        """The switches that stand."""
        return cast("Board", self.request.app.state.board)

    def transaction(self) -> Transaction:
        """The tenant's transaction."""
        return self.parts.database.tenant(self.tenant)

    async def visible(self, tx: Tx, run_id: RunId) -> Run:
        """A run that the actor may see. Raises NoSuchRun for any other."""
        run = await self.runs.find(tx, self.tenant, run_id)
        if not sees(self.actor, run):
            raise NoSuchRun
        return run

    async def owned(self, run_id: RunId, *roles: Role) -> Run:
        """A run that the actor may steer: by one of these roles, or as the caller that it belongs to.

        Raises NoSuchRun for what it may not even see, Forbidden for what it may only look at.
        """
        async with self.transaction() as tx:
            run = await self.visible(tx, run_id)
        if not self.actor.has(*roles) and not (self.actor.has(Role.CALLER) and is_own(self.actor, run)):
            self.actor.require(*roles)
        return run

    async def shown(self, tx: Tx, run: Run, state: RunState | None = None) -> dict[str, Json]:
        """The whole record of a run; its log is read unless `state` is the fold of it."""
        release = await self.releases.load(tx, self.tenant, run.release)
        folded = fold(await log.read(tx, self.tenant, run.id)) if state is None else state
        now = self.parts.clock.now()
        return view.whole(self._explained(run), folded, release.limits, self.actor.tenant_slug, now, release.owner)

    async def listed(self, tx: Tx, runs: Sequence[Run]) -> list[dict[str, Json]]:
        """The records of some runs as lists show them."""
        now, slug = self.parts.clock.now(), self.actor.tenant_slug
        owners: dict[str, str] = {}
        for run in runs:
            if run.release not in owners:
                owners[run.release] = (await self.releases.load(tx, self.tenant, run.release)).owner
        return [view.brief(self._explained(run), slug, now, owners[run.release]) for run in runs]

    def _explained(self, run: Run) -> Run:
        """The run, with the reason where a switch keeps it from being admitted. The row is not touched for that."""
        if run.status not in ADMISSIBLE or run.delivered_at is not None or run.cancel_requested_at is not None:
            return run
        fresh = run.started_at is None and run.parent is None
        held = self.board.holding(run.tenant, run.agent, fresh=fresh, background=run.priority < 0)
        return run if held is None else replace(run, reason="switch", why=held_words(held))


def is_own(actor: Actor, run: Run) -> bool:
    """Whether a run belongs to who asks: to the end user it acts for, else to the key that submitted it."""
    if actor.for_one_user:
        return run.user_id == actor.user_id
    return run.submitted_by == actor.subject


def sees(actor: Actor, run: Run) -> bool:
    """Whether an actor may see a run: everything in its tenant for those who read all, else what is its own."""
    if actor.only:
        return actor.covers(thing_of(run.id))
    return actor.may_use(run.agent) and (actor.reads_all or is_own(actor, run))


def thing_of(run: RunId) -> str:
    """How a narrow token names a run."""
    return f"run:{run}"


def narrowed(actor: Actor, wanted: Filter) -> Filter | None:
    """A filter held to what the actor may see; None where that leaves nothing."""
    if actor.agents is not None:
        wanted = replace(wanted, agents=sorted(actor.agents))
    if actor.reads_all:
        return wanted
    if not actor.for_one_user:
        # Without the right to name users all its runs are its own user's, and those have an index.
        user = wanted.user_id if actor.may_assert_user else wanted.user_id or actor.user_id
        return replace(wanted, submitted_by=actor.subject, user_id=user)
    if wanted.user_id not in {None, actor.user_id}:
        return None
    return replace(wanted, user_id=UserId(actor.user_id))


def agent_of(name: str) -> AgentName:
    """The agent in `agent`, `agent@label` or `agent@digits`."""
    return AgentName(name.partition("@")[0])


async def desk_of(request: Request, actor: ActorDep, parts: PartsDep) -> Desk:
    """The desk of a key or session."""
    return Desk(actor, actor.in_tenant(), parts, request)


async def any_desk_of(request: Request, actor: AnyActorDep, parts: PartsDep) -> Desk:
    """The desk of a key, a session, or a token that reads one run."""
    return Desk(actor, actor.in_tenant(), parts, request)


DeskDep = Annotated[Desk, Depends(desk_of)]
AnyDeskDep = Annotated[Desk, Depends(any_desk_of)]
"""For what a narrow token may read too: `visible` asks whether it covers the run."""
