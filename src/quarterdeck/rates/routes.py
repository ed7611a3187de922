"""`/v1/rates`: what a tenant allows of tool calls, beside what its releases declare."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from quarterdeck.core.ids import TenantId
from quarterdeck.http.actor import READERS, Actor, ActorDep, Role
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.etags import check_if_match, etag_of
from quarterdeck.http.pages import DEFAULT_LIMIT, CursorQuery, LimitQuery, page, read_cursor
from quarterdeck.http.parts import PartsDep
from quarterdeck.rates import limits, store
from quarterdeck.rates.records import EVERY_ONE, Limit, Scope
from quarterdeck.rates.rules import LONGEST

router = APIRouter(prefix="/v1/rates", tags=["rates"])


class RateBody(BaseModel):
    """A limit: `calls` in any `every` seconds, `concurrency` at once, or both."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope = Field(description="Whose calls are counted.")
    target: str = Field(
        default=EVERY_ONE, min_length=1, max_length=200, description="A name; * = each one of the scope by itself."
    )
    calls: int | None = Field(default=None, ge=1, le=10_000_000, strict=True)
    every: int | None = Field(default=None, ge=1, le=LONGEST, strict=True, description="Seconds.")
    concurrency: int | None = Field(default=None, ge=1, le=100_000, strict=True)
    why: str = Field(default="", max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$", description="For people.")


class RateRecord(BaseModel):
    """A limit as it is shown."""

    name: str
    scope: Scope
    target: str
    calls: int | None
    every: int | None
    concurrency: int | None
    why: str
    set_by: str
    created_at: datetime
    updated_at: datetime


class RatePage(BaseModel):
    """A page of limits."""

    items: list[RateRecord]
    next_cursor: str | None


async def _reader(actor: ActorDep) -> Actor:
    actor.require(*READERS)
    return actor


async def _writer(actor: ActorDep) -> Actor:
    actor.require(Role.OPERATOR)
    return actor


ReaderDep = Annotated[Actor, Depends(_reader)]
WriterDep = Annotated[Actor, Depends(_writer)]


@router.get("", response_model=RatePage, summary="List rates")
async def list_rates(
    actor: ReaderDep, parts: PartsDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None
) -> Answer:
    """The tenant's limits, by name. What releases declare holds beside them."""
    tenant, after = actor.in_tenant(), read_cursor(cursor, str)
    async with parts.database.tenant(tenant) as tx:
        found = await store.page(tx, tenant, after, limit + 1)
    return page(found, limit, lambda one: one.name, _show)


@router.get("/{name}", response_model=RateRecord, summary="Read a rate")
async def read_rate(name: str, actor: ReaderDep, parts: PartsDep) -> Answer:
    """One limit, with the ETag that a change may name."""
    tenant = actor.in_tenant()
    async with parts.database.tenant(tenant) as tx:
        return _shown(await limits.find(tx, tenant, name))


@router.put("/{name}", response_model=RateRecord, responses={201: {"model": RateRecord}}, summary="Set a rate")
async def set_rate(name: str, body: RateBody, request: Request, actor: WriterDep, parts: PartsDep) -> Response:
    """Make or replace a limit. Owners and operators. Workers follow within a second."""
    tenant = actor.in_tenant()
    wanted = _wanted(name, body, actor)
    made: list[bool] = []

    def check(present: Limit | None) -> None:
        made.append(present is None)
        _check(request, present)

    async with parts.database.tenant(tenant) as tx:
        written = await limits.put(tx, tenant, wanted, check)
    return _shown(written, 201 if made[0] else 200)


@router.delete("/{name}", status_code=204, summary="Remove a rate")
async def remove_rate(name: str, request: Request, actor: WriterDep, parts: PartsDep) -> Response:
    """Remove a limit. Owners and operators. Workers follow within a second."""
    tenant: TenantId = actor.in_tenant()
    async with parts.database.tenant(tenant) as tx:
        await limits.remove(tx, tenant, name, lambda present: _check(request, present), by=actor.subject)
    return Nothing()


def _wanted(name: str, body: RateBody, actor: Actor) -> Limit:
    return Limit(
        name=name,
        scope=body.scope,
        target=body.target,
        calls=body.calls,
        every=body.every,
        concurrency=body.concurrency,
        why=body.why,
        set_by=actor.subject,
    )


def _check(request: Request, present: Limit | None) -> None:
    check_if_match(request, _etag(present) if present else "")


def _etag(limit: Limit) -> str:
    return etag_of([limit.name, limit.updated_at])


def _shown(limit: Limit, status: int = 200) -> Answer:
    return Answer(
        _show(limit), status, location=f"/v1/rates/{limit.name}" if status == 201 else None, etag=_etag(limit)
    )


def _show(limit: Limit) -> dict[str, object]:
    """A limit as `RateRecord`."""
    return {
        "name": limit.name,
        "scope": limit.scope,
        "target": limit.target,
        "calls": limit.calls,
        "every": limit.every,
        "concurrency": limit.concurrency,
        "why": limit.why,
        "set_by": limit.set_by,
        "created_at": limit.created_at,
        "updated_at": limit.updated_at,
    }
