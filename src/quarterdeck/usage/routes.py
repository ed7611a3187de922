"""`/v1/usage`: who used what and what it cost. For a tenant's readers; a key for some agents sees theirs alone, and a
deployment admin who names no tenant sees all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request, Response

from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Forbidden
from quarterdeck.http.actor import READERS, Actor, ActorDep
from quarterdeck.http.answers import Answer
from quarterdeck.http.fixes import invalid
from quarterdeck.http.parts import PartsDep
from quarterdeck.spec.exports import ExportDay
from quarterdeck.usage import rules, tables, view
from quarterdeck.usage.bodies import (
    Concentration,
    ConcentrationQuery,
    FilterQuery,
    OutlierQuery,
    Outliers,
    ReconcileBody,
    ReconciliationRecord,
    ReportQuery,
    Savings,
    UsageReport,
)
from quarterdeck.usage.records import Filters, Question, Reader, Report
from quarterdeck.usage.service import Usage
from quarterdeck.usage.store_reports import DIMENSIONS

router = APIRouter(prefix="/v1/usage", tags=["usage"])

_PERIOD = timedelta(days=30)
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_TABLE: Mapping[int | str, dict[str, object]] = {200: {"content": {tables.MEDIA_TYPE: {}}}}


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, and what there is to be seen by them."""

    actor: Actor
    reader: Reader
    usage: Usage
    clock: Clock

    def filters(self, query: FilterQuery) -> Filters:
        """What is looked at. Raises Invalid for other tenants than one's own, and for times in no order."""
        until = query.until or self.clock.now()
        if not all(_FIRST <= at <= _LAST for at in (until, query.since or until)):
            raise invalid("query.since", "nothing happened then", "send times between 2000 and 2200")
        since = query.since or until - _PERIOD
        if since >= until:
            raise invalid("query.until", "this is not after since", "send a later time")
        if query.tenant and self.reader.tenant is not None and set(query.tenant) != {self.actor.tenant_slug}:
            raise invalid("query.tenant", "you act in one tenant", "leave it away")
        given: dict[str, list[str]] = {name: getattr(query, name) for name in DIMENSIONS}
        values = {name: tuple(_stored(name, each)) for name, each in given.items() if each}
        return Filters(since, until, values, rules.read_tags(query.tag))


async def _desk(request: Request, actor: ActorDep, parts: PartsDep) -> Desk:
    actor.require(*READERS)
    tenant = None if actor.admin and actor.tenant is None else actor.in_tenant()
    return Desk(actor, Reader(tenant, actor.agents), cast("Usage", request.app.state.usage), parts.clock)


DeskDep = Annotated[Desk, Depends(_desk)]


@router.get("/report", response_model=UsageReport, responses=_TABLE, summary="Report usage and cost")
async def report_usage(request: Request, desk: DeskDep, query: Annotated[ReportQuery, Query()]) -> Response:
    """Calls, tokens and cost by what you ask for and over time, as JSON or CSV.

    `tool` splits the cost of a step evenly over the tools whose results it was the first to read.
    """
    found = await _report(desk, query)
    if _wants_table(request, query.format):
        return _table("usage", *view.lay_out(found))
    return Answer(view.show_report(found))


@router.get("/concentration", response_model=Concentration, responses=_TABLE, summary="Show who spends most")
async def show_concentration(
    request: Request, desk: DeskDep, query: Annotated[ConcentrationQuery, Query()]
) -> Response:
    """How cost is spread over users, agents, threads or tenants: shares of the largest, Gini's coefficient, the top."""
    if query.among == "tenant" and desk.reader.tenant is not None:
        raise invalid("query.among", "you act in one tenant", "send user, agent or thread")
    filters = desk.filters(query)
    found = await desk.usage.spread(desk.reader, filters, query.among, query.top)
    if _wants_table(request, query.format):
        return _table("concentration", view.SPENDER, [view.show_spender(one, found) for one in found.top])
    return Answer(view.show_spread(found, filters, query.among))


@router.get("/outliers", response_model=Outliers, responses=_TABLE, summary="Find runs that cost too much")
async def find_outliers(request: Request, desk: DeskDep, query: Annotated[OutlierQuery, Query()]) -> Response:
    """Runs that cost far more than their agent's usually do, and why: steps, retries, context, output or model."""
    filters = desk.filters(query)
    found = await desk.usage.outliers(desk.reader, filters, query.threshold, query.limit)
    items = [view.show_outlier(one) for one in found]
    if _wants_table(request, query.format):
        return _table("outliers", view.OUTLIER, view.columns_of(items, view.OUTLIER))
    return Answer({"since": filters.since, "until": filters.until, "threshold": query.threshold, "items": items})


@router.get("/savings", response_model=Savings, responses=_TABLE, summary="Show what was saved")
async def show_savings(request: Request, desk: DeskDep, query: Annotated[ReportQuery, Query()]) -> Response:
    """Tokens and money that caching, trimming and routing saved, in all and by what you ask for."""
    found = await _report(desk, query)
    if _wants_table(request, query.format):
        return _table("savings", *view.lay_out(found))
    return Answer(view.show_savings(found))


@router.post("/reconcile", response_model=ReconciliationRecord, summary="Compare with a provider's export")
async def reconcile_usage(body: ReconcileBody, desk: DeskDep) -> Response:
    """The ledger beside what a provider exported, by day in UTC and model: what differs, and what may be behind it.

    A tenant compares its own usage. Where tenants share a connection, a deployment admin compares that of all.
    """
    if desk.reader.agents is not None:
        raise Forbidden("A key for some agents sees only a part of what a provider counts; use one for all agents.")
    theirs = [
        ExportDay(
            day.date,
            day.model,
            day.calls,
            day.input_tokens,
            day.output_tokens,
            day.cached_tokens,
            day.cost_micro_usd,
        )
        for day in body.days
    ]
    first, last = min(day.day for day in theirs), max(day.day for day in theirs)
    # A day more on either side: what a provider counts on the next day is looked for there.
    since = datetime.combine(first, time(), UTC) - timedelta(days=1)
    until = datetime.combine(last, time(), UTC) + timedelta(days=2)
    filters = Filters(since, until, {"provider": tuple(body.providers)})
    found = await desk.usage.reconcile(desk.reader, filters, theirs, body.tolerance)
    return Answer(view.show_reconciliation(found))


async def _report(desk: Desk, query: ReportQuery) -> Report:
    by = rules.read_by(query.by, DIMENSIONS)
    zone = rules.check_zone(query.tz)
    question = Question(desk.filters(query), by, query.every, zone, query.top, query.sort)
    return await desk.usage.report(desk.reader, question)


def _stored(name: str, values: Sequence[str]) -> Sequence[str]:
    """Ids as the database writes them. What is no id is nobody's."""
    return [value.lower() for value in values] if name in {"run", "root_run", "thread"} else values


def _wants_table(request: Request, format: str | None) -> bool:
    if format is not None:
        return format == "csv"
    return tables.MEDIA_TYPE in request.headers.get("accept", "")


def _table(name: str, columns: Sequence[str], lines: Sequence[Mapping[str, object]]) -> Response:
    # Browsers are told to save it: opened in a page, it would be text that others wrote.
    headers = {"content-disposition": f'attachment; filename="{name}.csv"', "vary": "Accept"}
    return Response(tables.written(columns, lines), media_type=tables.MEDIA_TYPE, headers=headers)
