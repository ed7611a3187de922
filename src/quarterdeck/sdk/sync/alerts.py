# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Alerts: what somebody should know before it hurts."""

from quarterdeck.sdk import calls
from quarterdeck.sdk.alerts import Alert, AlertCounts, NearLimit
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.records import Page
from quarterdeck.sdk.sync.listing import Listing
from quarterdeck.sdk.sync.transport import Transport


class Alerts:
    """`client.alerts`: the tenant's; for a deployment admin's key that names no tenant, the deployment's."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        severity: str | None = None,
        limit: int | None = None,
    ) -> Listing[Alert]:
        """Alerts, newest first. `state`: standing (one of raised, acknowledged) or resolved; `severity`: notice,
        warning, critical.
        """
        query = {"state": state, "kind": kind, "severity": severity}
        return Listing(self._transport, Page[Alert], at("alerts"), query, limit)

    def counts(self) -> AlertCounts:
        """How many stand that nobody has acknowledged."""
        return self._transport.send(calls.get(AlertCounts, at("alerts", "facets")))

    def get(self, alert_id: str) -> Alert:
        """One alert, whether it stands or is over."""
        return self._transport.send(calls.get(Alert, at("alerts", alert_id)))

    def acknowledge(self, alert_id: str) -> Alert:
        """Say that somebody has seen it; it stays until it is over."""
        return self._transport.send(calls.act(Alert, at("alerts", alert_id, "acknowledge")))

    def near_limits(self, *, agent: str | None = None, limit: int | None = None) -> Listing[NearLimit]:
        """Runs that have used four fifths of their budget, steps, tokens or tool calls, with the cause of each."""
        return Listing(self._transport, Page[NearLimit], at("alerts", "near-limits"), {"agent": agent}, limit)
