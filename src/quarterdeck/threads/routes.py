"""`/v1/threads`: start a conversation, go on in it, read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import AgentName, ThreadId, UserId, new_thread_id
from quarterdeck.core.json import Json
from quarterdeck.core.text import storable
from quarterdeck.db.records import Tx
from quarterdeck.http.actor import Actor, Role
from quarterdeck.http.answers import Answer
from quarterdeck.http.idempotency import idempotent
from quarterdeck.http.pages import CursorQuery, page, read_cursor, write_cursor
from quarterdeck.runs.bodies import WholeRunRecord
from quarterdeck.runs.desk import Desk, DeskDep
from quarterdeck.runs.routes import SETTLED, WaitQuery
from quarterdeck.runs.submissions import Target, answer, submit, tags_of, user_of
from quarterdeck.runs.turns import show
from quarterdeck.threads import rules, store
from quarterdeck.threads.bodies import (
    NewThread,
    ThreadPage,
    ThreadQuery,
    ThreadRecord,
    ThreadRunRequest,
    TurnPage,
    show_thread,
)
from quarterdeck.threads.records import NoSuchThread, Thread
from quarterdeck.threads.service import Threads

router = APIRouter(prefix="/v1/threads", tags=["threads"])

_LONGEST = 100_000


@dataclass(frozen=True, slots=True)
class ThreadDesk:
    """The desk of runs, with the threads beside it."""

    desk: Desk
    threads: Threads

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self.desk.actor

    async def visible(self, tx: Tx, thread_id: UUID) -> Thread:
        """A thread that the actor may see. Raises NoSuchThread for any other."""
        thread = await self.threads.find(tx, self.desk.tenant, ThreadId(thread_id))
        if not rules.sees(self.actor, thread):
            raise NoSuchThread
        return thread

    async def shown(self, tx: Tx, threads: Sequence[Thread]) -> list[dict[str, Json]]:
        """Threads as JSON, each with its runs that have not ended."""
        running = await store.open_runs(tx, self.desk.tenant, [thread.id for thread in threads])
        by_thread = {thread: list(runs) for thread, runs in groupby(running, lambda run: run.thread)}
        return [show_thread(thread, by_thread.get(thread.id, [])) for thread in threads]


async def _thread_desk(request: Request, desk: DeskDep) -> ThreadDesk:
    return ThreadDesk(desk, cast("Threads", request.app.state.threads))


ThreadDeskDep = Annotated[ThreadDesk, Depends(_thread_desk)]


@router.post("", status_code=201, response_model=ThreadRecord)
async def start_thread(request: Request, body: NewThread, here: ThreadDeskDep) -> Response:
    """Start a conversation of a user with an agent."""
    desk, agent = here.desk, AgentName(body.agent)
    desk.actor.require(Role.CALLER)
    desk.actor.require_agent(agent)
    user_id = user_of(desk.actor, body.user_id)

    async def act() -> Answer:
        await desk.releases.resolve(tx, desk.tenant, agent)
        thread = await here.threads.start(tx, _fresh(desk, agent, user_id, body, desk.parts.clock))
        return Answer(show_thread(thread, []), 201, location=f"/v1/threads/{thread.id}")

    async with desk.transaction() as tx:
        return await idempotent(request, desk.actor, tx, act)


@router.get("", response_model=ThreadPage)
async def list_threads(here: ThreadDeskDep, query: Annotated[ThreadQuery, Query()]) -> Response:
    """Threads, newest first."""
    desk, actor = here.desk, here.actor
    before = read_cursor(query.cursor, UUID)
    user_id = storable(query.user_id) if query.user_id else None
    created_by = None
    if not actor.reads_all:
        if actor.for_one_user:
            if user_id not in {None, actor.user_id}:
                return Answer({"items": [], "next_cursor": None})
            user_id = actor.user_id
        else:
            created_by = actor.subject
    async with desk.transaction() as tx:
        rows = await store.listed(
            tx,
            desk.tenant,
            ThreadId(before) if before else None,
            query.limit + 1,
            agent=storable(query.agent) if query.agent else None,
            user_id=user_id,
            agents=None if actor.agents is None else sorted(actor.agents),
            created_by=created_by,
        )
        shown = await here.shown(tx, rows)
    return page(list(zip(rows, shown, strict=True)), query.limit, lambda row: row[0].id, lambda row: row[1])


@router.get("/{thread_id}", response_model=ThreadRecord)
async def get_thread(thread_id: UUID, here: ThreadDeskDep) -> Response:
    """One thread."""
    async with here.desk.transaction() as tx:
        shown = await here.shown(tx, [await here.visible(tx, thread_id)])
    return Answer(shown[0])


@router.get("/{thread_id}/messages", response_model=TurnPage)
async def read_messages(
    thread_id: UUID,
    here: ThreadDeskDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Runs whose messages are on a page.")] = 20,
    cursor: CursorQuery = None,
) -> Response:
    """What was said, in order, by user, model and tools. A run that failed or was cancelled is part of it."""
    after = read_cursor(cursor, int) or 0
    async with here.desk.transaction() as tx:
        thread = await here.visible(tx, thread_id)
        found = await here.threads.conversation(tx, here.desk.tenant, thread.id, after, limit + 1)
    items = [
        {"run_id": str(run.id), "position": run.thread_position, **show(turn, _LONGEST)}
        for run, said in found[:limit]
        for turn in said
    ]
    more = len(found) > limit
    return Answer({"items": items, "next_cursor": write_cursor(found[limit - 1][0].thread_position) if more else None})


@router.post("/{thread_id}/runs", status_code=202, response_model=WholeRunRecord, responses=SETTLED)
async def submit_to_thread(
    thread_id: UUID, body: ThreadRunRequest, here: ThreadDeskDep, wait: WaitQuery = 0
) -> Response:
    """Say the next thing in a conversation. While an earlier run of it has not ended, `multitask_strategy` decides."""
    desk = here.desk
    async with desk.transaction() as tx:
        thread = await here.visible(tx, thread_id)
    user_id = user_of(desk.actor, body.user_id or _user_for(desk.actor, thread))
    run, release, is_new = await submit(desk, body, Target(thread.agent, user_id, thread.id))
    return await answer(desk, run, release, is_new=is_new, wait=wait)


def _user_for(actor: Actor, thread: Thread) -> UserId | None:
    """The thread's user, where a key that may name users named none; else the actor's own."""
    return thread.user_id if actor.may_assert_user and not actor.for_one_user else None


def _fresh(desk: Desk, agent: AgentName, user_id: UserId, body: NewThread, clock: Clock) -> Thread:
    now = clock.now()
    return Thread(
        tenant=desk.tenant,
        id=new_thread_id(),
        agent=agent,
        user_id=user_id,
        title=storable(body.title),
        tags=tags_of(body.tags),
        run_count=0,
        created_by=desk.actor.subject,
        created_at=now,
        updated_at=now,
    )
