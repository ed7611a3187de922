"""`/v1/switches`: what is stopped or narrowed now, and the levers. What stands is answered from memory: it is asked for
by every open page of the console.
"""

import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from quarterdeck.core.errors import Unavailable
from quarterdeck.core.json import Json
from quarterdeck.core.text import storable, storable_json
from quarterdeck.db.pool import Transaction
from quarterdeck.http.actor import Actor, ActorDep
from quarterdeck.http.answers import Answer
from quarterdeck.http.fixes import invalid
from quarterdeck.http.idempotency import idempotent
from quarterdeck.http.pages import DEFAULT_LIMIT, CursorQuery, LimitQuery, read_cursor, write_cursor
from quarterdeck.http.parts import Parts, PartsDep
from quarterdeck.http.segments import keep_apart
from quarterdeck.switches import rights, store
from quarterdeck.switches.board import Board
from quarterdeck.switches.bodies import LiftRequest, NewSwitch, ReachRecord, SwitchPage, SwitchRecord, Throw
from quarterdeck.switches.records import Scope, Switch, SwitchId, Wanted
from quarterdeck.switches.service import Switches
from quarterdeck.switches.wording import show
from quarterdeck.tenants import store as tenants
from quarterdeck.tenants.records import NoSuchTenant

router = APIRouter(prefix="/v1/switches", tags=["switches"])
keep_apart("switch", "preview")


async def _switches(parts: PartsDep) -> Switches:
    return Switches(parts.database, parts.wakes, parts.clock)


async def _board(request: Request) -> Board:
    return cast("Board", request.app.state.board)


SwitchesDep = Annotated[Switches, Depends(_switches)]
BoardDep = Annotated[Board, Depends(_board)]
AllQuery = Annotated[bool, Query(alias="all", description="All that were ever thrown, newest first, in pages.")]


@router.get("", response_model=SwitchPage, summary="List switches")
async def list_switches(
    actor: ActorDep,
    parts: PartsDep,
    switches: SwitchesDep,
    board: BoardDep,
    history: AllQuery = False,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> Response:
    """The switches that stand, oldest first: all of them on one page. With `all=true` the history, newest first."""
    rights.check_reader(actor)
    now = parts.clock.now()
    if history:
        async with _reading(switches, actor) as tx:
            before = read_cursor(cursor, UUID)
            rows = await store.history(tx, actor.tenant, SwitchId(before) if before else None, limit + 1)
        shown = [show(one, now) for one in rows[:limit] if rights.sees(actor, one)]
        return Answer({"items": shown, "next_cursor": write_cursor(rows[limit - 1].id) if len(rows) > limit else None})
    if board.known:
        standing = board.standing_in(actor.tenant)
    else:
        async with _reading(switches, actor) as tx:
            standing = list((await store.read_standing(tx, actor.tenant)).switches)
    return Answer({"items": [show(one, now) for one in standing if rights.sees(actor, one)], "next_cursor": None})


@router.post("", status_code=201, response_model=SwitchRecord, summary="Throw a switch")
async def throw_switch(
    body: NewSwitch, request: Request, actor: ActorDep, parts: PartsDep, switches: SwitchesDep, board: BoardDep
) -> Response:
    """Throw a switch. Every process knows within a second. Operators in their tenant, deployment admins everywhere."""
    wanted = await _wanted(body, parts, actor, storable(body.why))
    rights.check_throw(actor, wanted)
    async with switches.transaction(wanted.tenant, deployment=wanted.deployment) as tx:

        async def act() -> Answer:
            switch = await switches.throw(tx, wanted, actor.subject)
            return Answer(show(switch, parts.clock.now()), 201, location=f"/v1/switches/{switch.id}")

        answer = await idempotent(request, actor, tx, act)
    await _look(board)
    return answer


@router.post("/preview", response_model=ReachRecord, summary="See what a switch would hit")
async def preview_switch(body: Throw, actor: ActorDep, parts: PartsDep, switches: SwitchesDep) -> Response:
    """Agents, tools, runs and calls under way that a switch would hit if it were thrown now."""
    wanted = await _wanted(body, parts, actor, "to see what it would hit")
    rights.check_throw(actor, wanted)
    async with switches.transaction(wanted.tenant, deployment=wanted.deployment) as tx:
        return Answer(await switches.preview(tx, wanted))


@router.get("/{switch_id:switch}", response_model=SwitchRecord, summary="Read a switch")
async def read_switch(switch_id: UUID, actor: ActorDep, parts: PartsDep, switches: SwitchesDep) -> Response:
    """One switch, whether it stands or was lifted."""
    rights.check_reader(actor)
    return Answer(show(await _find(switches, actor, SwitchId(switch_id)), parts.clock.now()))


@router.delete("/{switch_id:switch}", response_model=SwitchRecord, summary="Lift a switch")
async def lift_switch(
    switch_id: UUID,
    actor: ActorDep,
    parts: PartsDep,
    switches: SwitchesDep,
    board: BoardDep,
    body: LiftRequest | None = None,
) -> Response:
    """Lift a switch, which stays in the history. Runs that wait because of it go on at once."""
    rights.check_reader(actor)
    found = await _find(switches, actor, SwitchId(switch_id))
    rights.check_lift(actor, found)
    async with switches.transaction(found.tenant, deployment=found.deployment) as tx:
        lifted = await switches.lift(tx, found, actor.subject, storable(body.why) if body else "")
    await _look(board)
    return Answer(show(lifted, parts.clock.now()))


def _reading(switches: Switches, actor: Actor) -> Transaction:
    return switches.transaction(actor.tenant, deployment=actor.admin)


async def _find(switches: Switches, actor: Actor, switch: SwitchId) -> Switch:
    async with _reading(switches, actor) as tx:
        return rights.seen(actor, await store.find(tx, actor.tenant, switch))


async def _wanted(body: Throw, parts: Parts, actor: Actor, why: str) -> Wanted:
    """What somebody wants to throw, with the tenant that it hits."""
    if body.until is not None and body.for_s is not None:
        raise invalid("body.for_s", "`until` says when it ends already", "send one of the two")
    until = body.until if body.for_s is None else parts.clock.now() + timedelta(seconds=body.for_s)
    wanted = Wanted(
        scope=body.scope,
        action=body.action,
        why=why,
        target=storable(body.target),
        agent=storable(body.agent) if body.agent else None,
        value=storable_json(cast("Json", body.value)),
        in_flight=body.in_flight,
        until=until,
        tenant=actor.tenant,
        deployment=actor.admin,
    )
    match body.scope:
        case Scope.EVERYTHING:
            return replace(wanted, tenant=None)
        case Scope.TENANT:
            return await _of_tenant(wanted, parts, actor)
        case _:
            return wanted


async def _of_tenant(wanted: Wanted, parts: Parts, actor: Actor) -> Wanted:
    """A switch for a whole tenant: the actor's own, or for a deployment admin the one that is named."""
    slug = wanted.target or actor.tenant_slug
    if slug == actor.tenant_slug:
        return replace(wanted, target=slug)
    if not actor.admin:
        raise NoSuchTenant(slug=slug)
    async with parts.database.system.transaction() as tx:
        found = await tenants.find_tenant(tx, slug)
    if found is None:
        raise NoSuchTenant(slug=slug)
    return replace(wanted, target=slug, tenant=found.tenant)


async def _look(board: Board) -> None:
    """Who has just changed something sees it in this process at once; elsewhere the wake is under way."""
    with contextlib.suppress(Unavailable):
        await board.look()
