"""`/v1/budgets`: what may be spent, what is spent of it, and what use suggests.

A tenant's, beside which the deployment's and those of releases hold; for deployment admins who name no tenant, those of
the deployment.
"""

from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from quarterdeck.budgets import limits, listing, rights, store_budgets, store_spending, store_use, suggest
from quarterdeck.budgets.bodies import (
    AccountPage,
    AccountQuery,
    BudgetBody,
    BudgetPage,
    BudgetRecord,
    Source,
    SuggestionRecord,
    SuggestRequest,
)
from quarterdeck.budgets.declared import Declarations
from quarterdeck.budgets.listing import Entry, Position
from quarterdeck.budgets.records import EVERY_ONE, Budget, NoSuchBudget, Scope, Unit, Window
from quarterdeck.budgets.store_use import Question
from quarterdeck.budgets.wording import UNITS, micro_of, show_suggestion, window_of
from quarterdeck.core.errors import Forbidden
from quarterdeck.core.ids import TenantId
from quarterdeck.core.text import storable
from quarterdeck.db.pool import Transaction
from quarterdeck.db.records import Tx
from quarterdeck.http.actor import Actor, ActorDep
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.etags import check_if_match, etag_of
from quarterdeck.http.fixes import invalid
from quarterdeck.http.pages import DEFAULT_LIMIT, CursorQuery, LimitQuery, page, read_cursor, write_cursor
from quarterdeck.http.parts import Parts, PartsDep
from quarterdeck.http.segments import keep_apart
from quarterdeck.tenants.service import reach

router = APIRouter(prefix="/v1/budgets", tags=["budgets"])
keep_apart("budget", "suggest")

DAYS = {Window.MONTH: 100}
"""Days that are looked at where nobody says how many; 30 of the other windows."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, and whose budgets: a tenant's, or with None the deployment's."""

    actor: Actor
    tenant: TenantId | None
    parts: Parts

    def transaction(self) -> Transaction:
        """The transaction that sees them."""
        return reach(self.parts.database, self.tenant)

    async def shown(self, tx: Tx, entry: Entry, status: int = 200) -> Answer:
        """One entry of the list as the answer to a request, with an ETag where it can be changed."""
        (record,) = await listing.shown(tx, self.tenant, [entry], self.parts.clock.now())
        budget = entry.limit if isinstance(entry.limit, Budget) else None
        at = f"/v1/budgets/{entry.limit.name}" if status == 201 else None
        return Answer(record, status, location=at, etag=_etag(budget) if budget else None)


async def _reading(actor: ActorDep, parts: PartsDep) -> Desk:
    return Desk(actor, rights.check_reader(actor), parts)


async def _writing(actor: ActorDep, parts: PartsDep) -> Desk:
    return Desk(actor, rights.check_writer(actor), parts)


async def _declarations(request: Request) -> Declarations:
    return cast("Declarations", request.app.state.declarations)


ReaderDep = Annotated[Desk, Depends(_reading)]
WriterDep = Annotated[Desk, Depends(_writing)]
DeclarationsDep = Annotated[Declarations, Depends(_declarations)]
SourceQuery = Annotated[
    Source | None, Query(description="Whose, where several are called alike; absent = the tenant's before the others'.")
]


@router.get("", response_model=BudgetPage, summary="List budgets")
async def list_budgets(
    desk: ReaderDep, declarations: DeclarationsDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None
) -> Answer:
    """Everything that limits spending here, with what is spent of it: live budgets and what releases declare."""
    after = read_cursor(cursor, Position)
    async with desk.transaction() as tx:
        found = await listing.entries(tx, desk.actor, desk.tenant, declarations)
        rows = [one for one in found if after is None or one.position > after]
        items = await listing.shown(tx, desk.tenant, rows[:limit], desk.parts.clock.now())
    more = len(rows) > limit
    return Answer({"items": items, "next_cursor": write_cursor(rows[limit - 1].position) if more else None})


@router.get("/{name:budget}", response_model=BudgetRecord, summary="Read a budget")
async def read_budget(name: str, desk: ReaderDep, declarations: DeclarationsDep, source: SourceQuery = None) -> Answer:
    """One budget, with the ETag that a change may name where it is one that can be changed here."""
    async with desk.transaction() as tx:
        for entry in await listing.entries(tx, desk.actor, desk.tenant, declarations):
            if entry.limit.name == name and source in {None, entry.source}:
                return await desk.shown(tx, entry)
    raise NoSuchBudget(name=name)


@router.put(
    "/{name:budget}", response_model=BudgetRecord, responses={201: {"model": BudgetRecord}}, summary="Set a budget"
)
async def set_budget(name: str, body: BudgetBody, request: Request, desk: WriterDep) -> Response:
    """Make or replace a budget. Owners and operators; the deployment's its admins. It holds for the very next call, and
    what was spent stands.
    """
    wanted = _wanted(name, body, desk)
    rights.check_reach(desk.actor, wanted)
    made: list[bool] = []

    def check(present: Budget | None) -> None:
        made.append(present is None)
        if present is not None:
            rights.check_reach(desk.actor, present)
        _check(request, present)

    async with desk.transaction() as tx:
        written = await limits.put(tx, wanted, check, desk.parts.wakes)
        return await desk.shown(tx, listing.entry_of(written), 201 if made[0] else 200)


@router.delete("/{name:budget}", status_code=204, summary="Remove a budget")
async def remove_budget(name: str, request: Request, desk: WriterDep) -> Response:
    """Remove a budget; what releases and the deployment say still holds. Owners and operators."""

    def check(present: Budget | None) -> None:
        if present is not None:
            rights.check_reach(desk.actor, rights.seen(desk.actor, present))
        _check(request, present)

    async with desk.transaction() as tx:
        await limits.remove(tx, desk.tenant, name, check, desk.parts.wakes, by=desk.actor.subject)
    return Nothing()


@router.get("/{name:budget}/accounts", response_model=AccountPage, summary="List a budget's accounts")
async def list_accounts(name: str, desk: ReaderDep, query: Annotated[AccountQuery, Query()]) -> Answer:
    """Who has spent most of a budget in its present window."""
    after = read_cursor(query.cursor, tuple[int, UUID])
    async with desk.transaction() as tx:
        budget = await _find(tx, desk, name, query.source)
        # What all tenants spend together is no tenant's to know.
        if budget.id is None or (budget.scope is Scope.EVERYTHING and desk.tenant is not None):
            return Answer({"items": [], "next_cursor": None})
        unit = _unit(query.unit, budget)
        agents = rights.agents_of(desk.actor)
        rows = await store_spending.top(tx, desk.tenant, budget.id, unit, after, agents, query.limit + 1)
    now = desk.parts.clock.now()
    return page(
        rows,
        query.limit,
        lambda one: (one.account.spent + one.account.uncovered, one.account.account),
        lambda one: listing.show_standing(one, now, whole=desk.tenant is None),
    )


@router.post("/suggest", response_model=SuggestionRecord, summary="Suggest a budget")
async def suggest_budget(body: SuggestRequest, desk: ReaderDep) -> Answer:
    """What limits measured use suggests: twice what is usual. It is refused where there is too little to go by."""
    asked = _question(body, desk)
    suggest.check(asked.scope, asked.window)
    async with desk.transaction() as tx:
        measured = await store_use.measure(tx, asked)
        found = suggest.suggest(measured)
        over = await store_use.over(tx, asked, measured, found)
    return Answer(show_suggestion(measured, found, over, body.target))


async def _find(tx: Tx, desk: Desk, name: str, source: str | None) -> Budget:
    """A live budget that the actor may see: the tenant's own, or the deployment's that holds for it."""
    if desk.tenant is None:
        return await limits.find(tx, None, name)
    own = None if source == "deployment" else await store_budgets.find(tx, desk.tenant, name)
    if own is None and source != "tenant":
        own = next((one for one in await store_budgets.hitting(tx, desk.tenant) if one.name == name), None)
    if own is None:
        raise NoSuchBudget(name=name)
    return rights.seen(desk.actor, own)


def _unit(wanted: str | None, budget: Budget) -> Unit:
    if wanted is None:
        return Unit.TOKENS if budget.max_micro_usd is None else Unit.USD
    return next(unit for unit, word in UNITS.items() if word == wanted)


def _question(body: SuggestRequest, desk: Desk) -> Question:
    """Whose use is looked at. Raises Invalid or Forbidden."""
    if body.scope is Scope.EVERYTHING and desk.tenant is not None:
        raise Forbidden("What all tenants use together is the deployment's: only its admins may ask, naming no tenant.")
    agents = rights.agents_of(desk.actor)
    if agents is not None and body.scope is Scope.TENANT:
        raise Forbidden("This key is for some agents only: ask for another scope than tenant.", agents=list(agents))
    if body.scope not in {Scope.USER, Scope.AGENT} and body.target != EVERY_ONE:
        raise invalid("body.target", f"a {body.scope} has no name here", "leave target out, or write *")
    window = window_of(body.budget_duration or ("total" if body.scope in suggest.EACH else "1d"))
    return Question(
        tenant=desk.tenant,
        scope=body.scope,
        window=window,
        days=body.days or DAYS.get(window, 30),
        zone=desk.parts.settings.budget_time_zone,
        agents=agents,
        one=None if body.target == EVERY_ONE else storable(body.target),
    )


def _wanted(name: str, body: BudgetBody, desk: Desk) -> Budget:
    """What somebody wants to set. Raises Invalid for what can't be said exactly."""
    if body.scope is Scope.EVERYTHING and desk.tenant is not None:
        raise Forbidden("Scope everything is all tenants together: only a deployment admin sets it, naming no tenant.")
    return Budget(
        name=name,
        scope=body.scope,
        target=body.target,
        window=window_of(body.budget_duration),
        max_micro_usd=None if body.max_budget is None else micro_of(body.max_budget),
        max_tokens=body.max_tokens,
        rpm_limit=body.rpm_limit,
        tpm_limit=body.tpm_limit,
        alert_at=tuple(sorted(set(body.alert_at))),
        why=storable(body.why),
        set_by=desk.actor.subject,
        tenant=desk.tenant,
    )


def _check(request: Request, present: Budget | None) -> None:
    check_if_match(request, _etag(present) if present else "")


def _etag(budget: Budget) -> str:
    return etag_of([budget.name, budget.updated_at])
