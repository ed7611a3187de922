"""Everything that limits spending, in one list: a tenant's budgets, the deployment's that hold for it, and what
releases declare. Reads in the caller's transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from quarterdeck.budgets import rights, store_budgets, store_spending
from quarterdeck.budgets.declared import Declarations, DeclaredLimit
from quarterdeck.budgets.limits import MOST
from quarterdeck.budgets.records import ALERTS, EVERY_ONE, Budget, Scope, Unit
from quarterdeck.budgets.store_spending import DeclaredKey, Standing
from quarterdeck.budgets.wording import DURATIONS, show, show_account, usd
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json
from quarterdeck.db.records import Tx
from quarterdeck.http.records import Actor

Position: TypeAlias = tuple[int, str]
"""Where an entry stands in the list: by source, then by name."""
_SOURCES = ("tenant", "deployment", "release")
_TENANTS, _DEPLOYMENTS, _RELEASES = range(3)
_NOTHING: Mapping[DeclaredKey, list[Standing]] = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """A budget that was set, or a limit that a release declares."""

    position: Position
    limit: Budget | DeclaredLimit

    @property
    def source(self) -> str:
        """Who says so: `tenant`, `deployment` or `release`."""
        return _SOURCES[self.position[0]]


async def entries(tx: Tx, actor: Actor, tenant: TenantId | None, declarations: Declarations) -> list[Entry]:
    """All that the actor may see, in the order of the list. For no tenant those of the deployment."""
    if tenant is None:
        return [_entry(_DEPLOYMENTS, one) for one in await store_budgets.page(tx, None, None, MOST)]
    own = [_entry(_TENANTS, one) for one in await store_budgets.page(tx, tenant, None, MOST)]
    hitting = [_entry(_DEPLOYMENTS, one) for one in await store_budgets.hitting(tx, tenant)]
    declared = [_entry(_RELEASES, one) for one in await declarations.in_force(tx, tenant) if actor.may_use(one.agent)]
    live = [one for one in own + hitting if isinstance(one.limit, Budget) and _sees(actor, one.limit)]
    return sorted(live + declared, key=lambda one: one.position)


def entry_of(budget: Budget) -> Entry:
    """A budget that was just written, as an entry of the list."""
    return _entry(_DEPLOYMENTS if budget.tenant is None else _TENANTS, budget)


async def shown(tx: Tx, tenant: TenantId | None, page: Sequence[Entry], now: datetime) -> list[dict[str, Json]]:
    """Entries as `BudgetRecord`, with what is spent of each."""
    ids = [one.limit.id for one in page if isinstance(one.limit, Budget) and one.limit.id is not None]
    live = await store_spending.first(tx, tenant, ids) if ids else {}
    declares = any(isinstance(one.limit, DeclaredLimit) for one in page)
    held = await store_spending.first_declared(tx, tenant) if declares and tenant is not None else _NOTHING
    return [
        _show_declared(one.limit, held, now)
        if isinstance(one.limit, DeclaredLimit)
        else _show_live(one.limit, live, tenant, now)
        for one in page
    ]


def show_standing(standing: Standing, now: datetime, *, whole: bool) -> dict[str, Json]:
    """An account as `AccountRecord`. `whole`: to the deployment, which is told the tenant too."""
    record = show_account(standing.account, now)
    scope = standing.account.scope
    if scope is Scope.TENANT:
        record["account"] = standing.slug
    elif scope is Scope.EVERYTHING:
        record["account"] = ""
    record["tenant"] = standing.slug if whole and standing.slug else None
    return record


def _show_live(
    budget: Budget, live: Mapping[UUID, list[Standing]], tenant: TenantId | None, now: datetime
) -> dict[str, Json]:
    # What all tenants spend together is no tenant's to know.
    hidden = tenant is not None and budget.scope is Scope.EVERYTHING
    found = [] if hidden or budget.id is None else live.get(budget.id, [])
    return {**show(budget), "spending": [_spending(one, now, whole=tenant is None) for one in found]}


def _show_declared(
    limit: DeclaredLimit, declared: Mapping[DeclaredKey, list[Standing]], now: datetime
) -> dict[str, Json]:
    agent = limit.agent if limit.scope is Scope.AGENT else None
    limits = {Unit.USD: limit.max_micro_usd, Unit.TOKENS: limit.max_tokens}
    found = declared.get(DeclaredKey(limit.scope, limit.window, agent), [])
    held = [(one, limits.get(one.account.unit)) for one in found]
    return {
        "name": limit.name,
        "source": "release",
        "agent": limit.agent,
        "release": limit.release,
        "scope": limit.scope,
        "target": limit.agent if limit.scope is Scope.AGENT else EVERY_ONE,
        "budget_duration": DURATIONS[limit.window],
        "max_budget": usd(limit.max_micro_usd),
        "max_tokens": limit.max_tokens,
        "rpm_limit": None,
        "tpm_limit": None,
        "alert_at": ALERTS,
        "why": "",
        "set_by": "",
        "created_at": None,
        "updated_at": None,
        "spending": [_spending(_limited(one, most), now) for one, most in held if most is not None],
    }


def _spending(standing: Standing, now: datetime, *, whole: bool = False) -> Json:
    return {**show_standing(standing, now, whole=whole), "accounts": standing.accounts}


def _limited(standing: Standing, most: int) -> Standing:
    """The same, held to what this release declares: another one may declare less of the same thing."""
    return replace(standing, account=replace(standing.account, limit=most))


def _entry(source: int, limit: Budget | DeclaredLimit) -> Entry:
    return Entry((source, limit.name), limit)


def _sees(actor: Actor, budget: Budget) -> bool:
    return rights.sees(actor, budget.scope, budget.target)
