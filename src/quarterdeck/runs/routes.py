"""`/v1/runs`: submit, watch, wait, list, cancel, retry, say what became of a doubtful call."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from quarterdeck.blobs.records import BlobKey, BlobMissing
from quarterdeck.core.ids import RunId, ThreadId, uuid7_floor
from quarterdeck.core.text import storable
from quarterdeck.http import streams
from quarterdeck.http.actor import Role
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.fixes import invalid
from quarterdeck.http.pages import CursorQuery, page, read_cursor, write_cursor
from quarterdeck.http.streams import EventStream, position_of, wants_stream
from quarterdeck.runs import log, store
from quarterdeck.runs.bodies import (
    EventPage,
    FacetsRecord,
    OutcomeRequest,
    Reason,
    RunPage,
    RunQuery,
    RunRequest,
    TokenRecord,
    TokenRequest,
    WholeRunRecord,
)
from quarterdeck.runs.bodies_proof import ProofRecord, proof_json
from quarterdeck.runs.demands import demands_of
from quarterdeck.runs.desk import AnyDeskDep, Desk, DeskDep, narrowed, thing_of
from quarterdeck.runs.proof import prove
from quarterdeck.runs.records import Run, StoredEvent
from quarterdeck.runs.store import Filter
from quarterdeck.runs.submissions import Target, answer, submit, user_of
from quarterdeck.runs.waits import settled
from quarterdeck.tenants.minting import Peppers
from quarterdeck.tenants.tokens import issue_token

router = APIRouter(prefix="/v1", tags=["runs"])
_BYTES = "application/octet-stream"

MOST_EVENTS = 1_000

WaitQuery = Annotated[float, Query(ge=0, le=60, description="Seconds to hold the answer until it has ended or parked.")]
Time = Annotated[AwareDatetime | None, Query(description="ISO 8601 with a zone.")]
SETTLED: dict[int | str, dict[str, object]] = {
    200: {"model": WholeRunRecord, "description": "It has ended, or waits for a person."}
}


@router.post("/runs", status_code=202, response_model=WholeRunRecord, responses=SETTLED)
async def submit_run(body: RunRequest, desk: DeskDep, wait: WaitQuery = 0) -> Response:
    """Submit a run. The answer comes at once; the run is executed by a worker and is never lost."""
    thread = ThreadId(body.thread_id) if body.thread_id else None
    run, release, is_new = await submit(desk, body, Target(body.agent, user_of(desk.actor, body.user_id), thread))
    return await answer(desk, run, release, is_new=is_new, wait=wait)


@router.get("/runs", response_model=RunPage)
async def list_runs(desk: DeskDep, query: Annotated[RunQuery, Query()]) -> Response:
    """Runs, newest first."""
    before = read_cursor(query.cursor, UUID)
    wanted = narrowed(
        desk.actor,
        Filter(
            status=list(query.status) or None,
            agent=_plain(query.agent),
            user_id=_plain(query.user_id),
            release=query.release,
            thread=ThreadId(query.thread_id) if query.thread_id else None,
            since=_run_at(query.since),
            until=_run_at(query.until),
            words=_plain(query.q),
            cause=_plain(query.cause),
        ),
    )
    async with desk.transaction() as tx:
        last = RunId(before) if before else None
        rows = await store.listed(tx, desk.tenant, wanted, last, query.limit + 1) if wanted else []
        shown = await desk.listed(tx, rows)
    return page(list(zip(rows, shown, strict=True)), query.limit, lambda row: row[0].id, lambda row: row[1])


@router.get("/runs/facets", response_model=FacetsRecord)
async def count_runs(desk: DeskDep, since: Time = None, until: Time = None) -> Response:
    """How many of the newest 10,000 runs there are of each status, agent and cause."""
    wanted = narrowed(desk.actor, Filter(since=_run_at(since), until=_run_at(until)))
    assert wanted is not None, "a filter without a user is never empty"
    async with desk.transaction() as tx:
        return Answer(await store.facets(tx, desk.tenant, wanted))


@router.get("/runs/{run_id}", response_model=WholeRunRecord)
async def get_run(run_id: UUID, desk: AnyDeskDep) -> Response:
    """One run."""
    async with desk.transaction() as tx:
        return Answer(await desk.shown(tx, await desk.visible(tx, RunId(run_id))))


@router.get("/runs/{run_id}/wait", response_model=WholeRunRecord, responses=SETTLED | {202: {"model": WholeRunRecord}})
async def wait_for_run(run_id: UUID, desk: AnyDeskDep, seconds: WaitQuery = 30) -> Response:
    """The run once it has ended or waits for a person: 200. As it is after `seconds` when it has not: 202."""
    async with desk.transaction() as tx:
        await desk.visible(tx, RunId(run_id))
    run = await desk.waits.until_settled(desk.tenant, RunId(run_id), seconds)
    return await _shown(desk, run, 200 if settled(run) else 202)


@router.get(
    "/runs/{run_id}/events",
    response_model=EventPage,
    responses={200: {"content": {streams.MEDIA_TYPE: {}}}, 204: {"description": "A stream that has nothing more."}},
)
async def read_events(
    request: Request,
    run_id: UUID,
    desk: AnyDeskDep,
    after: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="The last number that you have.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_EVENTS)] = 200,
    cursor: CursorQuery = None,
) -> Response:
    """The run's log: a page of it, or, with `Accept: text/event-stream`, a stream from there on until the run ends.

    An event's id in the stream is its number in the log: `Last-Event-ID` resumes exactly.
    """
    async with desk.transaction() as tx:
        run = await desk.visible(tx, RunId(run_id))
        if not wants_stream(request):
            position = read_cursor(cursor, int) or after or 0
            return _events(await log.read(tx, desk.tenant, run.id, position, limit + 1), limit)
    position = position_of(request, after, run.last_seq)
    if run.ended and position == run.last_seq:
        return Nothing()
    return EventStream(desk.live.watch(desk.tenant, run.id, position))


@router.get("/runs/{run_id}/proof", response_model=ProofRecord)
async def prove_run(run_id: UUID, desk: DeskDep) -> Response:
    """What the run's log proves: each edge that was crossed with the decision before it, and each that has none."""
    async with desk.transaction() as tx:
        run = await desk.visible(tx, RunId(run_id))
        rows = await log.read(tx, desk.tenant, run.id)
        demands = demands_of(await desk.releases.load(tx, desk.tenant, run.release))
    # The row was read before the log, which may hold more by now, never less.
    last = max(run.last_seq, len(rows))
    return Answer(proof_json(run, demands, await asyncio.to_thread(prove, rows, demands, last)))


@router.post("/runs/{run_id}/cancel", status_code=202, response_model=WholeRunRecord)
async def cancel_run(run_id: UUID, desk: DeskDep, body: Reason | None = None) -> Response:
    """Ask for the end of a run. It has ended when its status says so: what is in flight is accounted for first."""
    run = await desk.owned(RunId(run_id), Role.OPERATOR)
    why = storable(body.why) if body else ""
    return await _shown(desk, await desk.runs.cancel(desk.tenant, run.id, desk.actor.subject, why), 202)


@router.post("/runs/{run_id}/retry", status_code=202, response_model=WholeRunRecord)
async def retry_run(run_id: UUID, desk: DeskDep, body: Reason | None = None) -> Response:
    """Send a run that failed, stopped or was cancelled back from its last checkpoint; no effect is repeated."""
    run = await desk.owned(RunId(run_id), Role.OPERATOR)
    why = storable(body.why) if body else ""
    return await _shown(desk, await desk.runs.retry(desk.tenant, run.id, desk.actor.subject, why), 202)


@router.post("/runs/{run_id}/outcome", response_model=WholeRunRecord)
async def name_outcome(run_id: UUID, body: OutcomeRequest, desk: DeskDep) -> Response:
    """Say what became of a call whose outcome nobody knew. The run goes on once no doubt is left."""
    desk.actor.require(Role.OPERATOR)
    run = await desk.owned(RunId(run_id), Role.OPERATOR)
    resolved = await desk.runs.resolve(
        desk.tenant,
        run.id,
        storable(body.call),
        happened=body.outcome == "happened",
        by=desk.actor.subject,
        words=storable(body.result),
        why=storable(body.why),
    )
    return await _shown(desk, resolved)


@router.post("/runs/{run_id}/tokens", status_code=201, response_model=TokenRecord)
async def issue_run_token(run_id: UUID, desk: DeskDep, body: TokenRequest | None = None) -> Response:
    """A token that reads this run for a while: for a stream in somebody's page, as `?token=` or as a bearer."""
    async with desk.transaction() as tx:
        run = await desk.visible(tx, RunId(run_id))
    peppers = Peppers.of(desk.parts.settings)
    lifetime = timedelta(seconds=(body or TokenRequest()).ttl_s)
    token, until = issue_token(peppers, desk.parts.clock, desk.actor, thing_of(run.id), lifetime)
    return Answer({"token": token, "expires_at": until}, 201)


@router.get("/blobs/{key}", response_class=Response, responses={200: {"content": {"text/plain": {}, _BYTES: {}}}})
async def read_blob(key: str, run: UUID, desk: DeskDep) -> Response:
    """A payload that a run's log refers to."""
    try:
        wanted = BlobKey(bytes.fromhex(key))
    except ValueError:
        raise BlobMissing from None
    async with desk.transaction() as tx:
        holder = await desk.visible(tx, RunId(run))
        content = await desk.blobs.get(tx, desk.tenant, wanted, str(holder.id))
    return _payload(content)


async def _shown(desk: Desk, run: Run, status: int = 200) -> Answer:
    async with desk.transaction() as tx:
        return Answer(await desk.shown(tx, run), status)


class _Shown(msgspec.Struct):
    seq: int
    kind: str
    v: int
    attempt: int
    at: datetime
    data: msgspec.Raw


def _events(rows: list[StoredEvent], limit: int) -> Answer:
    """A page of the log. Its facts go out as the database gave them: nothing is decoded on the way."""
    items = [
        _Shown(row.seq, row.kind, row.v, row.attempt, row.at.astimezone(UTC), msgspec.Raw(row.data.encode()))
        for row in rows[:limit]
    ]
    return Answer({"items": items, "next_cursor": write_cursor(items[-1].seq) if len(rows) > limit else None})


def _payload(content: bytes) -> Response:
    """Text as text, anything else as a download: whatever a tool wrote, no browser takes it for a page of ours."""
    headers = {"cache-control": "private, max-age=3600, immutable"}
    try:
        return Response(content.decode(), headers=headers, media_type="text/plain; charset=utf-8")
    except UnicodeDecodeError:
        headers["content-disposition"] = 'attachment; filename="payload"'
        return Response(content, headers=headers, media_type=_BYTES)


def _plain(words: str | None) -> str | None:
    """A filter as it can be compared with what is stored."""
    return storable(words) if words else None


def _run_at(at: datetime | None) -> RunId | None:
    """The smallest run id of a time."""
    if at is None:
        return None
    milliseconds = int(at.timestamp() * 1000)
    if not 0 <= milliseconds < 1 << 48:
        raise invalid("query.since", "it is out of range", "send a time of this century")
    return RunId(uuid7_floor(milliseconds))
