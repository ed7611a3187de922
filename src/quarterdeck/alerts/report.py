"""The report of runs that are near a limit. Reads in the tenant's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from quarterdeck.alerts import store_near
from quarterdeck.alerts.near import Use, blame, nearest
from quarterdeck.alerts.store_near import Latest, Live
from quarterdeck.core.errors import Error
from quarterdeck.core.ids import ReleaseId, TenantId
from quarterdeck.core.json import Json
from quarterdeck.db.records import Tx
from quarterdeck.releases.records import Release

LOOKED_AT = 2_000
"""Runs that are looked at for one page; behind them the next page goes on."""
_AT_ONCE = 500


class Shelf(Protocol):
    """Where releases are: `releases.service.Releases`."""

    async def load(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> Release:
        """A release by its whole id. Raises an Error where it can't be had."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the report is narrowed to; None = not narrowed."""

    agents: Sequence[str] | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Near:
    """Runs near a limit, newest first, and behind which run to go on; None = there are no more."""

    items: tuple[dict[str, Json], ...]
    behind: UUID | None


async def near_limits(tx: Tx, tenant: TenantId, shelf: Shelf, wanted: Wanted, before: UUID | None, limit: int) -> Near:
    """Runs that have not ended and have used four fifths of a limit of their release, with what brought them there."""
    found: list[tuple[Live, tuple[Use, ...]]] = []
    limits = _Limits(tx, tenant, shelf)
    looked = 0
    while True:
        runs = await store_near.live(tx, tenant, before, wanted.agents, wanted.agent, _AT_ONCE)
        for run in runs:
            before = run.id
            near = nearest(await limits.uses(run))
            if near:
                found.append((run, near))
                if len(found) == limit:
                    return await _shown(tx, tenant, found, before)
        looked += len(runs)
        if len(runs) < _AT_ONCE:
            return await _shown(tx, tenant, found, None)
        if looked >= LOOKED_AT:
            return await _shown(tx, tenant, found, before)


class _Limits:
    """What releases allow, read once each."""

    def __init__(self, tx: Tx, tenant: TenantId, shelf: Shelf) -> None:
        self._tx = tx
        self._tenant = tenant
        self._shelf = shelf
        self._known: dict[ReleaseId, Release | None] = {}

    async def uses(self, run: Live) -> list[Use]:
        """What a run has used of its release's limits; nothing where that can't be read any more."""
        if run.release not in self._known:
            try:
                self._known[run.release] = await self._shelf.load(self._tx, self._tenant, run.release)
            except Error:
                self._known[run.release] = None
        release = self._known[run.release]
        if release is None:
            return []
        limits = release.limits
        uses = [
            Use("steps", run.steps, limits.max_steps),
            Use("tokens", run.tokens, limits.max_tokens),
            Use("tool_calls", run.tool_calls, limits.max_tool_calls),
        ]
        for budget in release.budgets:
            if budget.scope != "run":
                continue
            if budget.max_micro_usd is not None:
                uses.append(Use("budget", run.micro_usd, budget.max_micro_usd))
            if budget.max_tokens is not None:
                uses.append(Use("tokens", run.tokens, budget.max_tokens))
        return uses


async def _shown(tx: Tx, tenant: TenantId, found: Sequence[tuple[Live, tuple[Use, ...]]], behind: UUID | None) -> Near:
    latest = await store_near.latest(tx, tenant, [run.id for run, _ in found]) if found else {}
    return Near(tuple(_show(run, uses, latest.get(run.id) or Latest()) for run, uses in found), behind)


def _show(run: Live, uses: Sequence[Use], latest: Latest) -> dict[str, Json]:
    found = blame(latest.steps, latest.calls)
    return {
        "run_id": str(run.id),
        "agent": run.agent,
        "user_id": run.user,
        "release": run.release,
        "status": run.status,
        "title": run.title,
        "limits": [
            {"limit": use.limit, "used": use.used, "most": use.most, "used_percent": int(100 * use.share)}
            for use in uses
        ],
        "cause": found.cause,
        "words": found.words,
        "tool": found.tool,
    }
