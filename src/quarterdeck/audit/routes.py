"""`/v1/audit`: list, show, check, take along, erase. For auditors and owners; a deployment admin who names no tenant
sees what was done to the deployment itself.
"""

from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from quarterdeck.audit import store, store_reading
from quarterdeck.audit.bodies import (
    AuditPage,
    AuditQuery,
    ChainRecord,
    Reason,
    VerificationRecord,
    WholeAuditRow,
    show_head,
    show_report,
    show_row,
    show_whole,
)
from quarterdeck.audit.records import DEPLOYMENT, Entry
from quarterdeck.audit.service import Audit
from quarterdeck.core.ids import TenantId
from quarterdeck.db.pool import Database
from quarterdeck.http.actor import Actor, ActorDep, Role
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.fixes import invalid
from quarterdeck.http.pages import page, read_cursor
from quarterdeck.http.parts import PartsDep
from quarterdeck.http.streams import LINES, LineStream

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, and whose audit it is."""

    actor: Actor
    tenant: TenantId
    database: Database
    audit: Audit


async def _desk(request: Request, actor: ActorDep, parts: PartsDep) -> Desk:
    actor.require(Role.AUDITOR)
    tenant = DEPLOYMENT if actor.admin and actor.tenant is None else actor.in_tenant()
    return Desk(actor, tenant, parts.database, cast("Audit", request.app.state.audit))


DeskDep = Annotated[Desk, Depends(_desk)]
AfterQuery = Annotated[
    int | None, Query(ge=0, le=2**62, description="A position that a head was signed at, such as an export's end.")
]
HashQuery = Annotated[
    str | None,
    Query(pattern="^[0-9a-f]{64}$", description="The hash there, if you know it by another way; with after."),
]


@router.get("", response_model=AuditPage)
async def list_audit(desk: DeskDep, query: Annotated[AuditQuery, Query()]) -> Response:
    """Decisions and deeds, newest first. Payloads are shown one by one."""
    before = read_cursor(query.cursor, UUID)
    async with desk.database.tenant(desk.tenant) as tx:
        rows = await store_reading.listed(tx, desk.tenant, query.filter(), before, query.limit + 1)
    return page(rows, query.limit, lambda row: row.id, show_row)


@router.get("/head", response_model=ChainRecord)
async def get_audit_head(desk: DeskDep) -> Response:
    """Where the chain stands: its signed head, and the key that it is checked with."""
    chain = await desk.audit.chain(desk.tenant)
    return Answer(
        {
            "public_key": desk.audit.public_key.hex(),
            "head": show_head(chain.head),
            "floor": show_head(chain.floor),
            "unsealed": chain.unsealed,
            "oldest_unsealed": chain.oldest_unsealed,
        }
    )


@router.get("/verify", response_model=VerificationRecord)
async def verify_audit(desk: DeskDep, after: AfterQuery = None, hash: HashQuery = None) -> Response:
    """Check every link, signature and payload; takes seconds for a million rows. Says what is wrong, and where."""
    if hash is not None and after is None:
        raise invalid("query.hash", "a hash stands at a position", "give after as well")
    report = await desk.audit.verify(desk.tenant, after, bytes.fromhex(hash) if hash else None)
    return Answer(show_report(report, desk.audit.public_key))


@router.get("/export", responses={200: {"content": {LINES: {}}}})
async def export_audit(desk: DeskDep, after: AfterQuery = None) -> Response:
    """The chain as JSON lines with payloads; the signed head is the last line. Can be checked without this server."""
    lines = await desk.audit.export(desk.tenant, after)
    async with desk.database.tenant(desk.tenant) as tx:
        entry = Entry(
            tenant=desk.tenant,
            kind="audit.exported",
            actor=desk.actor.subject,
            action="export",
            target=f"position:{after or 0}",
        )
        await store.write(tx, [entry])
    return LineStream(lines)


@router.get("/{row_id}", response_model=WholeAuditRow)
async def get_audit_row(row_id: UUID, desk: DeskDep) -> Response:
    """One row with its inputs and outputs."""
    row = await desk.audit.find(desk.tenant, row_id)
    return Answer(show_whole(row, desk.audit.payload_of(desk.tenant, row)))


@router.post("/{row_id}/erase", status_code=204)
async def erase_audit_payload(row_id: UUID, body: Reason, desk: DeskDep) -> Response:
    """Erase a row's inputs and outputs. Owners only. The row stays, the chain stays valid, and this is audited too."""
    desk.actor.require(Role.OWNER)
    await desk.audit.erase(desk.tenant, row_id, desk.actor.subject, body.why)
    return Nothing()
