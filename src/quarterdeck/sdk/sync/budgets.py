# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Budgets: what may be spent, what is spent of it, and what use suggests."""

from collections.abc import Sequence
from decimal import Decimal

from quarterdeck.sdk import calls
from quarterdeck.sdk.budgets import Account, Budget, Suggestion
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.records import Page
from quarterdeck.sdk.sync.listing import Listing
from quarterdeck.sdk.sync.transport import Transport


class Budgets:
    """`client.budgets`: the tenant's; for a deployment admin's key that names no tenant, the deployment's."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def put(  # noqa: PLR0913  # what can be said of a budget
        self,
        name: str,
        scope: str,
        target: str = "*",
        *,
        max_budget: Decimal | str | float | None = None,
        budget_duration: str = "total",
        max_tokens: int | None = None,
        rpm_limit: int | None = None,
        tpm_limit: int | None = None,
        alert_at: Sequence[int] | None = None,
        why: str = "",
        etag: str = "",
    ) -> Budget:
        """Make or replace a budget. It holds for the very next call; what was spent stands.

        `scope` is request, run, thread, user, agent, tenant or everything; `target` names one of them, or * each by
        itself. `max_budget` is US dollars, `budget_duration` 1h, 1d, month or total.
        """
        body: dict[str, object] = {
            "scope": scope,
            "target": target,
            "max_budget": str(max_budget) if isinstance(max_budget, Decimal) else max_budget,
            "budget_duration": budget_duration,
            "max_tokens": max_tokens,
            "rpm_limit": rpm_limit,
            "tpm_limit": tpm_limit,
            "alert_at": None if alert_at is None else list(alert_at),
            "why": why,
        }
        return self._transport.send(calls.put(Budget, at("budgets", name), body, etag=etag))

    def list(self, *, limit: int | None = None) -> Listing[Budget]:
        """Everything that limits spending: live budgets, and what releases declare."""
        return Listing(self._transport, Page[Budget], at("budgets"), {}, limit)

    def get(self, name: str, *, source: str | None = None) -> Budget:
        """One budget. `source`: tenant, deployment or release, where several are called alike."""
        return self._transport.send(calls.get(Budget, at("budgets", name), {"source": source}))

    def accounts(
        self, name: str, *, unit: str | None = None, source: str | None = None, limit: int | None = None
    ) -> Listing[Account]:
        """Who has spent most of a budget in its present window. `unit` is micro_usd or tokens."""
        query = {"unit": unit, "source": source}
        return Listing(self._transport, Page[Account], at("budgets", name, "accounts"), query, limit)

    def suggest(
        self, scope: str, target: str = "*", *, budget_duration: str = "", days: int | None = None
    ) -> Suggestion:
        """What limits measured use suggests. Raises Conflict where there is too little use to go by."""
        wanted = {"scope": scope, "target": target, "budget_duration": budget_duration or None, "days": days}
        return self._transport.send(calls.act(Suggestion, at("budgets", "suggest"), wanted))

    def remove(self, name: str) -> None:
        """Remove a budget; what releases and the deployment say still holds."""
        self._transport.send(calls.remove(at("budgets", name)))
