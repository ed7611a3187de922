"""Escalations: conversations that agents passed to people."""

from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.escalations import Escalation, Queue
from quarterdeck.sdk.records import Page


class AsyncEscalations:
    """`client.escalations`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        state: str | None = None,
        agent: str | None = None,
        owner: str | None = None,
        run: str | None = None,
        limit: int | None = None,
    ) -> AsyncListing[Escalation]:
        """Escalations, newest first."""
        query = {"state": state, "agent": agent, "owner": owner, "run": run}
        return AsyncListing(self._transport, Page[Escalation], at("escalations"), query, limit)

    async def counts(self) -> Queue:
        """How many there are."""
        return await self._transport.send(calls.get(Queue, at("escalations", "facets")))

    async def get(self, escalation_id: str) -> Escalation:
        """One escalation."""
        return await self._transport.send(calls.get(Escalation, at("escalations", escalation_id)))

    async def claim(self, escalation_id: str, *, take_over: bool = False) -> Escalation:
        """Take a conversation; with `take_over` also somebody else's. Claiming twice is claiming once."""
        path, body = at("escalations", escalation_id, "claim"), {"take_over": take_over}
        return await self._transport.send(calls.create(Escalation, path, body))

    async def close(self, escalation_id: str, note: str) -> Escalation:
        """Say what came of a conversation that you have claimed."""
        path = at("escalations", escalation_id, "close")
        return await self._transport.send(calls.create(Escalation, path, {"note": note}))
