"""Alerts: what somebody should know before it hurts."""

from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.alerts import Alert, AlertCounts, NearLimit
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.records import Page


class AsyncAlerts:
    """`client.alerts`: the tenant's; for a deployment admin's key that names no tenant, the deployment's."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        severity: str | None = None,
        limit: int | None = None,
    ) -> AsyncListing[Alert]:
        """Alerts, newest first. `state`: standing (one of raised, acknowledged) or resolved; `severity`: notice,
        warning, critical.
        """
        query = {"state": state, "kind": kind, "severity": severity}
        return AsyncListing(self._transport, Page[Alert], at("alerts"), query, limit)

    async def counts(self) -> AlertCounts:
        """How many stand that nobody has acknowledged."""
        return await self._transport.send(calls.get(AlertCounts, at("alerts", "facets")))

    async def get(self, alert_id: str) -> Alert:
        """One alert, whether it stands or is over."""
        return await self._transport.send(calls.get(Alert, at("alerts", alert_id)))

    async def acknowledge(self, alert_id: str) -> Alert:
        """Say that somebody has seen it; it stays until it is over."""
        return await self._transport.send(calls.act(Alert, at("alerts", alert_id, "acknowledge")))

    def near_limits(self, *, agent: str | None = None, limit: int | None = None) -> AsyncListing[NearLimit]:
        """Runs that have used four fifths of their budget, steps, tokens or tool calls, with the cause of each."""
        return AsyncListing(self._transport, Page[NearLimit], at("alerts", "near-limits"), {"agent": agent}, limit)
