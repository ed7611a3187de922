"""`/v1/escalations`: the queue of conversations that agents passed to people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quarterdeck.core.ids import TenantId
from quarterdeck.core.text import storable
from quarterdeck.db.pool import Transaction
from quarterdeck.db.records import Tx
from quarterdeck.escalations import service, store
from quarterdeck.escalations.records import Escalation, NoSuchEscalation, State
from quarterdeck.escalations.store import Wanted
from quarterdeck.escalations.view import show
from quarterdeck.http.actor import READERS, Actor, ActorDep, Role
from quarterdeck.http.answers import Answer
from quarterdeck.http.pages import DEFAULT_LIMIT, MAX_LIMIT, page, read_cursor
from quarterdeck.http.parts import Parts, PartsDep
from quarterdeck.runs.bodies import Words

router = APIRouter(prefix="/v1/escalations", tags=["escalations"])

_TAKERS = (Role.REVIEWER, Role.OPERATOR)


class EscalationQuery(BaseModel):
    """What a list of escalations is narrowed to, and the page of it."""

    state: State | None = None
    agent: Words = None
    owner: Words = Field(default=None, description="Whose queue.")
    run: UUID | None = None
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items on a page.")
    cursor: str | None = Field(default=None, max_length=1024, description="`next_cursor` of the page before.")


class ClaimRequest(BaseModel):
    """How to claim."""

    model_config = ConfigDict(extra="forbid")

    take_over: bool = Field(default=False, description="Also what somebody else has claimed.")


class CloseRequest(BaseModel):
    """How it ended."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, StringConstraints(max_length=4_000)] = Field(default="", description="What came of it.")


class EscalationRecord(BaseModel):
    """A conversation that an agent passed to a person."""

    escalation_id: UUID
    run_id: UUID
    thread_id: UUID | None
    call: str
    agent: str
    user_id: str
    owner: str = Field(description="Whose queue it went to.")
    summary: str
    why: str
    state: State
    opened_at: datetime
    age_s: int = Field(description="How long it has been open, or was until it was closed.")
    claimed_by: str | None
    claimed_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None
    note: str


class EscalationPage(BaseModel):
    """A page of escalations, newest first."""

    items: list[EscalationRecord]
    next_cursor: str | None


class EscalationFacets(BaseModel):
    """How many of the newest 10,000 there are of each state, and of those not closed of each agent and owner."""

    state: dict[str, int]
    agent: dict[str, int]
    owner: dict[str, int]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, in which tenant."""

    actor: Actor
    tenant: TenantId
    parts: Parts

    def transaction(self) -> Transaction:
        """The tenant's transaction."""
        return self.parts.database.tenant(self.tenant)

    async def visible(self, tx: Tx, escalation: UUID) -> Escalation:
        """One of an agent that the actor's key is for. Raises NoSuchEscalation for any other."""
        found = await service.find(tx, self.tenant, escalation)
        if not self.actor.may_use(found.agent):
            raise NoSuchEscalation
        return found

    def answered(self, escalation: Escalation) -> Answer:
        """One escalation as the answer to a request."""
        return Answer(show(escalation, self.parts.clock.now()))


async def _desk(actor: ActorDep, parts: PartsDep) -> Desk:
    actor.require(*READERS)
    return Desk(actor, actor.in_tenant(), parts)


async def _takers_desk(desk: Annotated[Desk, Depends(_desk)]) -> Desk:
    desk.actor.require(*_TAKERS)
    return desk


ReaderDep = Annotated[Desk, Depends(_desk)]
TakerDep = Annotated[Desk, Depends(_takers_desk)]


@router.get("", response_model=EscalationPage)
async def list_escalations(desk: ReaderDep, query: Annotated[EscalationQuery, Query()]) -> Response:
    """Escalations, newest first."""
    before = read_cursor(query.cursor, UUID)
    wanted = Wanted(
        query.state,
        storable(query.agent) if query.agent else None,
        storable(query.owner) if query.owner else None,
        query.run,
        None if desk.actor.agents is None else sorted(desk.actor.agents),
    )
    async with desk.transaction() as tx:
        rows = await store.listed(tx, desk.tenant, wanted, before, query.limit + 1)
    now = desk.parts.clock.now()
    return page(rows, query.limit, lambda row: row.id, lambda row: show(row, now))


@router.get("/facets", response_model=EscalationFacets)
async def count_escalations(desk: ReaderDep) -> Response:
    """How many there are of each state, agent and owner."""
    async with desk.transaction() as tx:
        agents = None if desk.actor.agents is None else sorted(desk.actor.agents)
        return Answer(await store.facets(tx, desk.tenant, agents))


@router.get("/{escalation_id}", response_model=EscalationRecord)
async def get_escalation(escalation_id: UUID, desk: ReaderDep) -> Response:
    """One escalation."""
    async with desk.transaction() as tx:
        return desk.answered(await desk.visible(tx, escalation_id))


@router.post("/{escalation_id}/claim", response_model=EscalationRecord)
async def claim_escalation(escalation_id: UUID, desk: TakerDep, body: ClaimRequest | None = None) -> Response:
    """Take a conversation. Claiming twice is claiming once; what somebody else has claimed needs `take_over`."""
    take_over = body is not None and body.take_over
    async with desk.transaction() as tx:
        await desk.visible(tx, escalation_id)
        by = desk.actor.named
        return desk.answered(await service.claim(tx, desk.tenant, escalation_id, by, take_over=take_over))


@router.post("/{escalation_id}/close", response_model=EscalationRecord)
async def close_escalation(escalation_id: UUID, body: CloseRequest, desk: TakerDep) -> Response:
    """Say what came of a conversation that you have claimed. Operators may close anybody's."""
    async with desk.transaction() as tx:
        await desk.visible(tx, escalation_id)
        by, note = desk.actor.named, storable(body.note)
        anyone = desk.actor.has(Role.OPERATOR)
        return desk.answered(await service.close(tx, desk.tenant, escalation_id, by, note, anyone=anyone))
