"""Limits on tool calls."""

from quarterdeck.sdk import calls as asked
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.holdings import Rate
from quarterdeck.sdk.records import Page


class AsyncRates:
    """`client.rates`: what the tenant allows of tool calls, beside what its releases declare."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def put(
        self,
        name: str,
        scope: str,
        target: str = "*",
        *,
        calls: int | None = None,
        every: int | None = None,
        concurrency: int | None = None,
        why: str = "",
        etag: str = "",
    ) -> Rate:
        """Make or replace a limit: `calls` in any `every` seconds, `concurrency` at once, or both.

        `scope` is tool, user, agent or tenant; `target` names one of them, or * each by itself.
        """
        body = {
            "scope": scope,
            "target": target,
            "calls": calls,
            "every": every,
            "concurrency": concurrency,
            "why": why,
        }
        return await self._transport.send(asked.put(Rate, at("rates", name), body, etag=etag))

    def list(self, *, limit: int | None = None) -> AsyncListing[Rate]:
        """Limits, by name."""
        return AsyncListing(self._transport, Page[Rate], at("rates"), {}, limit)

    async def get(self, name: str) -> Rate:
        """One limit."""
        return await self._transport.send(asked.get(Rate, at("rates", name)))

    async def remove(self, name: str) -> None:
        """Remove a limit."""
        await self._transport.send(asked.remove(at("rates", name)))
