"""What was used and what it cost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from quarterdeck.core.json import Json
from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.usage import Concentration, Outliers, Reconciliation, Savings, UsageReport, asked

_PATIENCE = 120.0
"""Seconds that a report over years of usage may take."""


class AsyncUsage:
    """`client.usage`: what every model call used and cost, by anything.

    Everywhere: `since` and `until` (not included; by default the last 30 days), and `where`, filters by tenant, user,
    agent, release, thread, run, root_run, step, model, served_model, provider, route, purpose, tool, state, and `tag`
    with NAME=VALUE: for each a value or several, of which any will do.
    """

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def report(
        self,
        by: Sequence[str] = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        every: str | None = None,
        tz: str | None = None,
        top: int | None = None,
        sort: str | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
    ) -> UsageReport:
        """Calls, tokens and cost by dimensions and `tag:NAME`, over time with `every` hour, day or month in a zone."""
        query = asked(since, until, where) | {"by": ",".join(by), "every": every, "tz": tz, "top": top, "sort": sort}
        return await self._transport.send(calls.get(UsageReport, at("usage", "report"), query, _PATIENCE))

    async def table(self, what: str, query: Mapping[str, calls.Query]) -> bytes:
        """`report`, `concentration`, `outliers` or `savings` as CSV, with the parameters that the API takes."""
        call = calls.get(bytes, at("usage", what), {**query, "format": "csv"}, _PATIENCE)
        return await self._transport.send(replace(call, headers={"accept": "text/csv"}))

    async def concentration(
        self,
        among: str = "user",
        *,
        top: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Concentration:
        """How cost is spread over users, agents, threads or (for deployment admins) tenants, and who spends most."""
        query = asked(since, until, where) | {"among": among, "top": top}
        return await self._transport.send(calls.get(Concentration, at("usage", "concentration"), query, _PATIENCE))

    async def outliers(
        self,
        *,
        threshold: float | None = None,
        limit: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Outliers:
        """Runs that cost far more than their agent's usually do, and why."""
        query = asked(since, until, where) | {"threshold": threshold, "limit": limit}
        return await self._transport.send(calls.get(Outliers, at("usage", "outliers"), query, _PATIENCE))

    async def savings(
        self,
        by: Sequence[str] = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        every: str | None = None,
        tz: str | None = None,
        top: int | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Savings:
        """Tokens and money saved by caching, trimming and routing, in all and by what you ask for."""
        query = asked(since, until, where) | {"by": ",".join(by), "every": every, "tz": tz, "top": top}
        return await self._transport.send(calls.get(Savings, at("usage", "savings"), query, _PATIENCE))

    async def reconcile(
        self, providers: Sequence[str], days: Sequence[Mapping[str, Json]], tolerance: float | None = None
    ) -> Reconciliation:
        """Compare with what a provider exported over these connections.

        Each of `days` has `date`, `model` and what the export tells: `calls`, `input_tokens` (cached ones included),
        `output_tokens`, `cached_tokens`, `cost_micro_usd`.
        """
        body = {"providers": list(providers), "days": list(days), "tolerance": tolerance}
        call = replace(calls.act(Reconciliation, at("usage", "reconcile"), body), repeatable=True, patience=_PATIENCE)
        return await self._transport.send(call)
