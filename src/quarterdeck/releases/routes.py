"""`/v1/agents` and `/v1/releases`: register what was built, see what is there and what changed."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from quarterdeck.audit.store import note
from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.core.text import shorten
from quarterdeck.db.pool import Database, Transaction
from quarterdeck.db.records import Tx
from quarterdeck.http.actor import Actor, ActorDep, Role
from quarterdeck.http.answers import Answer
from quarterdeck.http.fixes import invalid
from quarterdeck.http.idempotency import idempotent
from quarterdeck.http.pages import DEFAULT_LIMIT, CursorQuery, LimitQuery, page, read_cursor
from quarterdeck.http.parts import PartsDep
from quarterdeck.net.records import Reach
from quarterdeck.releases import store
from quarterdeck.releases.bodies import (
    AgentChange,
    AgentPage,
    AgentRecord,
    NewRelease,
    RegisteredRecord,
    ReleasePage,
    WholeReleaseRecord,
    show_agent,
    show_line,
    show_registered,
    show_whole,
)
from quarterdeck.releases.errors import NoSuchRelease
from quarterdeck.releases.records import Submission
from quarterdeck.releases.service import Releases
from quarterdeck.spec import values

router = APIRouter(prefix="/v1", tags=["agents"])

_READERS = (Role.OPERATOR, Role.DEVELOPER, Role.REVIEWER, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, in which tenant, and what the answer is made with."""

    actor: Actor
    tenant: TenantId
    database: Database
    releases: Releases

    def transaction(self) -> Transaction:
        """The tenant's transaction."""
        return self.database.tenant(self.tenant)


async def _desk(request: Request, actor: ActorDep, parts: PartsDep) -> Desk:
    return Desk(actor, actor.in_tenant(), parts.database, cast("Releases", request.app.state.releases))


async def _readers_desk(desk: Annotated[Desk, Depends(_desk)]) -> Desk:
    """Prompts and code are not for those who may only submit runs."""
    desk.actor.require(*_READERS)
    return desk


DeskDep = Annotated[Desk, Depends(_desk)]
ReaderDep = Annotated[Desk, Depends(_readers_desk)]
AgentPath = Annotated[str, Path(pattern=values.NAME, examples=["support-desk"])]
Version = Annotated[
    str,
    Path(max_length=200, description="An id, its first 8 or more digits, or `agent@label`.", examples=["3f9c2a71"]),
]


@router.post(
    "/agents",
    status_code=201,
    response_model=RegisteredRecord,
    responses={200: {"model": RegisteredRecord, "description": "The release was there before."}},
)
async def register_release(request: Request, body: NewRelease, desk: DeskDep, parts: PartsDep) -> Response:
    """Register a release and make it the one that new runs of its agent take.

    Registering the same manifest again is the same release. Code and local commands are registered by deployment
    admins, other releases also by a tenant's developers.
    """
    actor = desk.actor
    if not actor.admin:
        actor.require(Role.DEVELOPER)
    if body.tenant is not None and body.tenant != actor.tenant_slug:
        raise invalid("body.tenant", "it is not the tenant of this request", "send the Quarterdeck-Tenant header")
    agent = body.manifest.get("agent")
    if isinstance(agent, str):
        actor.require_agent(AgentName(agent))
    submission = Submission(body.manifest, _decoded(body.files), body.label, body.release)

    async def act() -> Answer:
        registered = await desk.releases.register(
            tx, desk.tenant, submission, actor.subject, may_bring_code=actor.admin, reach=Reach.of(parts.settings)
        )
        location = f"/v1/releases/{registered.release.id}"
        return Answer(show_registered(registered), 201 if registered.created else 200, location=location)

    async with desk.transaction() as tx:
        return await idempotent(request, actor, tx, act)


@router.get("/agents", response_model=AgentPage)
async def list_agents(desk: DeskDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None) -> Response:
    """The agents that this key may use, by name."""
    after = read_cursor(cursor, str) or ""
    async with desk.transaction() as tx:
        rows = await store.list_agents(tx, desk.tenant, after, desk.actor.agents, limit + 1)
    return page(rows, limit, lambda row: row.name, show_agent)


@router.get("/agents/{name}", response_model=AgentRecord)
async def get_agent(name: AgentPath, desk: DeskDep) -> Response:
    """One agent."""
    desk.actor.require_agent(AgentName(name))
    async with desk.transaction() as tx:
        return Answer(show_agent(await desk.releases.agent(tx, desk.tenant, AgentName(name))))


@router.patch("/agents/{name}", response_model=AgentRecord)
async def change_agent(name: AgentPath, body: AgentChange, desk: DeskDep) -> Response:
    """Take an agent out of service for new runs, or put it back."""
    desk.actor.require(Role.OPERATOR)
    desk.actor.require_agent(AgentName(name))
    async with desk.transaction() as tx:
        changed = await desk.releases.disable(tx, desk.tenant, AgentName(name), disabled=body.disabled)
        kind = "agent.disabled" if body.disabled else "agent.enabled"
        await note(tx, desk.tenant, kind, desk.actor.subject, f"agent:{name}")
    return Answer(show_agent(changed))


@router.get("/agents/{name}/releases", response_model=ReleasePage)
async def list_releases(
    name: AgentPath, desk: ReaderDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None
) -> Response:
    """All releases of an agent, the newest first."""
    desk.actor.require_agent(AgentName(name))
    before = read_cursor(cursor, tuple[datetime, str])
    async with desk.transaction() as tx:
        await desk.releases.agent(tx, desk.tenant, AgentName(name))
        rows = await store.list_releases(tx, desk.tenant, AgentName(name), before, limit + 1)
    return page(rows, limit, lambda row: (row.registered_at, row.id), show_line)


@router.get("/releases/{version}", response_model=WholeReleaseRecord)
async def get_release(
    version: Version,
    desk: ReaderDep,
    against: Annotated[str | None, Query(max_length=200, description="Another release, named in the same way.")] = None,
) -> Response:
    """One release, whole; with `against`, also what changed since that one."""
    async with desk.transaction() as tx:
        found = await _find(tx, desk, version)
        other = None if against is None else await _find(tx, desk, against)
        whole = await desk.releases.whole(tx, desk.tenant, found)
        changed = () if other is None else await desk.releases.compare(tx, desk.tenant, other, found)
    return Answer(show_whole(whole, other, changed))


async def _find(tx: Tx, desk: Desk, version: str) -> ReleaseId:
    """The id behind `agent@version` or the digits of an id. Other agents than those of the key are not found."""
    agent, at, rest = version.rpartition("@")
    name = AgentName(agent) if at else None
    release = await desk.releases.find(tx, desk.tenant, name, rest)
    found = await desk.releases.load(tx, desk.tenant, release)
    if not desk.actor.may_use(found.agent):
        raise NoSuchRelease(version=version)
    return release


def _decoded(files: Mapping[str, str]) -> dict[str, bytes]:
    decoded: dict[str, bytes] = {}
    for path, text in files.items():
        try:
            decoded[path] = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise invalid(f"body.files[{shorten(path, 80)!r}]", "it is not base64", "send it in base64") from None
    return decoded
