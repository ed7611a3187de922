"""`/v1/approvals`: the inbox, answers to one or many questions, and links that answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from quarterdeck.approvals import rules, store
from quarterdeck.approvals.bodies import (
    ApprovalFacets,
    ApprovalPage,
    ApprovalQuery,
    ApprovalRecord,
    ApproveRequest,
    BatchRecord,
    BatchRequest,
    DenyRequest,
    LinkedRecord,
    LinkRequest,
)
from quarterdeck.approvals.links import Links, name_of
from quarterdeck.approvals.records import Approval, LinkInvalid, NoSuchApproval, Person, Said, Verdict
from quarterdeck.approvals.service import Approvals
from quarterdeck.approvals.store import Wanted
from quarterdeck.approvals.view import show
from quarterdeck.core.errors import Error, Unavailable
from quarterdeck.core.ids import TenantId, uuid7_floor
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.core.text import storable, storable_json
from quarterdeck.db.pool import Transaction
from quarterdeck.db.records import Tx
from quarterdeck.http.actor import READERS, Actor, ActorDep
from quarterdeck.http.answers import Answer
from quarterdeck.http.pages import page, read_cursor
from quarterdeck.http.parts import Parts, PartsDep
from quarterdeck.http.segments import keep_apart

router = APIRouter(prefix="/v1/approvals", tags=["approvals"])
keep_apart("approval", "batch", "facets")

LOOK_BACK = timedelta(days=90)

TokenQuery = Annotated[str, Query(max_length=256, description="What the link holds.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, in which tenant, and what the answer is made with."""

    actor: Actor
    tenant: TenantId
    parts: Parts
    approvals: Approvals

    def transaction(self) -> Transaction:
        """The tenant's transaction."""
        return self.parts.database.tenant(self.tenant)

    async def visible(self, approval: UUID) -> Approval:
        """A question about an agent that the actor's key is for. Raises NoSuchApproval for any other."""
        async with self.transaction() as tx:
            found = await store.find(tx, self.tenant, approval)
        if found is None or not self.actor.may_use(found.agent):
            raise NoSuchApproval
        return found

    async def answer(self, approval: UUID, said: Said) -> Approval:
        """Take this actor's answer to a question that it may see."""
        await self.visible(approval)
        return await self.approvals.answer(self.tenant, approval, said)

    async def shown(self, tx: Tx, approvals: Sequence[Approval]) -> list[dict[str, Json]]:
        """Questions as JSON, each with what was decided about its tool before."""
        now = self.parts.clock.now()
        since = uuid7_floor(int((now - LOOK_BACK).timestamp() * 1000))
        tools = list(dict.fromkeys((one.agent, one.tool) for one in approvals))
        known = await store.precedents(tx, self.tenant, tools, since)
        return [show(one, now) | _before(known[one.agent, one.tool]) for one in approvals]

    async def answered(self, approval: Approval) -> Answer:
        """One question as the answer to a request."""
        async with self.transaction() as tx:
            return Answer((await self.shown(tx, [approval]))[0])


async def _desk(request: Request, actor: ActorDep, parts: PartsDep) -> Desk:
    actor.require(*READERS)
    return Desk(actor, actor.in_tenant(), parts, _approvals(request))


DeskDep = Annotated[Desk, Depends(_desk)]


@router.get("", response_model=ApprovalPage)
async def list_approvals(desk: DeskDep, query: Annotated[ApprovalQuery, Query()]) -> Response:
    """Approvals, newest first. Those of runs that have ended are not pending."""
    before = read_cursor(query.cursor, UUID)
    wanted = Wanted(
        query.state,
        storable(query.agent) if query.agent else None,
        storable(query.tool) if query.tool else None,
        query.run,
        query.risk,
        None if desk.actor.agents is None else sorted(desk.actor.agents),
    )
    async with desk.transaction() as tx:
        rows = await store.listed(tx, desk.tenant, wanted, before, query.limit + 1)
        shown = await desk.shown(tx, rows)
    return page(list(zip(rows, shown, strict=True)), query.limit, lambda row: row[0].id, lambda row: row[1])


@router.get("/facets", response_model=ApprovalFacets)
async def count_approvals(desk: DeskDep) -> Response:
    """How many wait for an answer: in all, and by agent, tool and risk."""
    async with desk.transaction() as tx:
        agents = None if desk.actor.agents is None else sorted(desk.actor.agents)
        return Answer(await store.facets(tx, desk.tenant, agents))


@router.post("/batch", response_model=BatchRecord)
async def answer_batch(body: BatchRequest, desk: DeskDep) -> Response:
    """Give many questions the same answer, each by itself: what is wrong with one leaves the others alone."""
    said = Said(body.verdict, rules.person_of(desk.actor), why=storable(body.why), many=True)
    return Answer({"items": [await _one_of_many(desk, one, said) for one in dict.fromkeys(body.ids)]})


@router.get("/{approval_id:approval}", response_model=ApprovalRecord)
async def get_approval(approval_id: UUID, desk: DeskDep) -> Response:
    """One approval."""
    return await desk.answered(await desk.visible(approval_id))


@router.post("/{approval_id}/approve", response_model=ApprovalRecord)
async def approve(approval_id: UUID, body: ApproveRequest, desk: DeskDep) -> Response:
    """Say yes to what was seen, or to other arguments. A second click changes nothing; somebody else's gets 409."""
    arguments = None if body.arguments is None else cast("JsonObject", storable_json(cast("Json", body.arguments)))
    said = Said(Verdict.APPROVE, rules.person_of(desk.actor), body.digest, arguments, storable(body.why))
    return await desk.answered(await desk.answer(approval_id, said))


@router.post("/{approval_id}/deny", response_model=ApprovalRecord)
async def deny(approval_id: UUID, body: DenyRequest, desk: DeskDep) -> Response:
    """Say no, and why. One no is enough, however many would have to say yes."""
    said = Said(Verdict.DENY, rules.person_of(desk.actor), why=storable(body.why))
    return await desk.answered(await desk.answer(approval_id, said))


@router.get("/{approval_id}/link", response_model=LinkedRecord)
async def look_by_link(request: Request, approval_id: UUID, parts: PartsDep, token: TokenQuery) -> Response:
    """What a link's question is. Looking answers nothing: that takes a POST."""
    found = await _linked(request, parts, approval_id, token)
    return Answer(show(found, parts.clock.now()))


@router.post("/{approval_id}/link", response_model=LinkedRecord)
async def answer_by_link(
    request: Request, approval_id: UUID, body: LinkRequest, parts: PartsDep, token: TokenQuery
) -> Response:
    """Answer by link. Not where two people have to agree, nor for what can't be undone, nor with other arguments."""
    found = await _linked(request, parts, approval_id, token)
    said = Said(body.verdict, Person(name_of(token), link=True), body.digest, why=storable(body.why))
    answered = await _approvals(request).answer(found.tenant, approval_id, said)
    return Answer(show(answered, parts.clock.now()))


async def _one_of_many(desk: Desk, approval: UUID, said: Said) -> dict[str, Json]:
    try:
        answered = await desk.answer(approval, said)
    except Unavailable:
        raise
    except Error as error:
        return {"approval_id": str(approval), "state": None, "code": error.code, "detail": error.detail}
    return {"approval_id": str(approval), "state": answered.state.value, "code": None, "detail": None}


async def _linked(request: Request, parts: Parts, approval: UUID, token: str) -> Approval:
    """The question of a genuine link. Raises LinkInvalid, also for a tenant that is disabled."""
    links: Links | None = _approvals(request).links
    if links is None:
        raise LinkInvalid
    tenant = links.read(token, approval, parts.clock.now())
    async with parts.database.tenant(tenant) as tx:
        found = await store.find(tx, tenant, approval) if await store.slug_of(tx, tenant) is not None else None
    if found is None:
        raise LinkInvalid
    return found


def _approvals(request: Request) -> Approvals:
    return cast("Approvals", request.app.state.approvals)


def _before(known: store.Precedent) -> dict[str, Json]:
    at = known.at.isoformat().replace("+00:00", "Z") if known.at else None
    previous = None if known.arguments is None else {"arguments": known.arguments, "at": at}
    return {"previous": previous, "similar": dict(known.similar)}
