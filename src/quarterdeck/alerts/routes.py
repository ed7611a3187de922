"""`/v1/alerts`: what people should know of a tenant; of the deployment, for its admins who name no tenant."""

from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from quarterdeck.alerts import report, service, store
from quarterdeck.alerts.bodies import AlertFacets, AlertPage, AlertQuery, AlertRecord, NearPage, NearQuery
from quarterdeck.alerts.records import Alert, AlertId, NoSuchAlert
from quarterdeck.alerts.wording import show
from quarterdeck.core.ids import TenantId
from quarterdeck.core.text import storable
from quarterdeck.db.pool import Transaction
from quarterdeck.db.records import Tx
from quarterdeck.http.actor import READERS, Actor, ActorDep, Role
from quarterdeck.http.answers import Answer
from quarterdeck.http.pages import page, read_cursor, write_cursor
from quarterdeck.http.parts import Parts, PartsDep
from quarterdeck.http.segments import keep_apart
from quarterdeck.tenants.service import reach

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])
keep_apart("alert", "facets", "near-limits")


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, and whose alerts: a tenant's, or with None the deployment's."""

    actor: Actor
    tenant: TenantId | None
    parts: Parts

    def transaction(self) -> Transaction:
        """The transaction that sees them."""
        return reach(self.parts.database, self.tenant)

    @property
    def agents(self) -> list[str] | None:
        """The agents that the key is for; None = all."""
        return None if self.actor.agents is None else sorted(self.actor.agents)

    async def visible(self, tx: Tx, alert: UUID) -> Alert:
        """One alert that concerns the actor. Raises NoSuchAlert for any other."""
        found = await service.find(tx, self.tenant, AlertId(alert))
        if self.actor.agents is not None and found.agent is not None and found.agent not in self.actor.agents:
            raise NoSuchAlert
        return found


async def _desk(actor: ActorDep, parts: PartsDep) -> Desk:
    if actor.tenant is None:
        actor.require_admin()
    else:
        actor.require(*READERS)
    return Desk(actor, actor.tenant, parts)


async def _operators_desk(desk: Annotated[Desk, Depends(_desk)]) -> Desk:
    if not desk.actor.admin:
        desk.actor.require(Role.OPERATOR)
    return desk


async def _shelf(request: Request) -> report.Shelf:
    return cast("report.Shelf", request.app.state.releases)


ReaderDep = Annotated[Desk, Depends(_desk)]
OperatorDep = Annotated[Desk, Depends(_operators_desk)]
ShelfDep = Annotated[report.Shelf, Depends(_shelf)]


@router.get("", response_model=AlertPage, summary="List alerts")
async def list_alerts(desk: ReaderDep, query: Annotated[AlertQuery, Query()]) -> Response:
    """Alerts, newest first. Those of the deployment are listed for its admins who name no tenant."""
    before = read_cursor(query.cursor, UUID)
    wanted = store.Wanted(query.state, query.kind, query.severity, desk.agents)
    async with desk.transaction() as tx:
        rows = await store.page(tx, desk.tenant, wanted, before, query.limit + 1)
    return page(rows, query.limit, lambda row: row.id, show)


@router.get("/facets", response_model=AlertFacets, summary="Count alerts")
async def count_alerts(desk: ReaderDep) -> Response:
    """How many stand that nobody has acknowledged, by severity."""
    async with desk.transaction() as tx:
        return Answer({"severity": await store.count(tx, desk.tenant, desk.agents)})


@router.get("/near-limits", response_model=NearPage, summary="List runs near a limit")
async def list_near_limits(desk: ReaderDep, query: Annotated[NearQuery, Query()], shelf: ShelfDep) -> Response:
    """Runs that have used four fifths of their budget, steps, tokens or tool calls, with the cause of each."""
    before = read_cursor(query.cursor, UUID)
    wanted = report.Wanted(desk.agents, storable(query.agent) if query.agent else None)
    tenant = desk.actor.in_tenant()
    async with desk.transaction() as tx:
        near = await report.near_limits(tx, tenant, shelf, wanted, before, query.limit)
    return Answer({"items": near.items, "next_cursor": None if near.behind is None else write_cursor(near.behind)})


@router.get("/{alert_id:alert}", response_model=AlertRecord, summary="Read an alert")
async def read_alert(alert_id: UUID, desk: ReaderDep) -> Response:
    """One alert, whether it stands or is over."""
    async with desk.transaction() as tx:
        return Answer(show(await desk.visible(tx, alert_id)))


@router.post("/{alert_id}/acknowledge", response_model=AlertRecord, summary="Acknowledge an alert")
async def acknowledge_alert(alert_id: UUID, desk: OperatorDep) -> Response:
    """Say that somebody has seen it. It stays until it is over. Owners and operators."""
    async with desk.transaction() as tx:
        await desk.visible(tx, alert_id)
        return Answer(show(await service.acknowledge(tx, desk.tenant, AlertId(alert_id), desk.actor.named)))
