"""Autonomy: how far agents may go by themselves, tool by tool."""

from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.autonomy import Change, Level
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.records import Page


class AsyncAutonomy:
    """`client.autonomy`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self, *, agent: str | None = None, limit: int | None = None) -> AsyncListing[Level]:
        """What holds for each tool that is not a read, with what people's answers say for it."""
        return AsyncListing(self._transport, Page[Level], at("autonomy"), {"agent": agent}, limit)

    async def get(self, agent: str, tool: str) -> Level:
        """What holds for one tool."""
        return await self._transport.send(calls.get(Level, at("autonomy", agent, tool)))

    async def set(self, agent: str, tool: str, level: str, why: str) -> Level:
        """Set how far an agent may go with a tool: `suggest`, `ask_always`, `ask_when_risky` or `free`.

        At most as far as its release grants. Every worker knows within a second.
        """
        return await self._transport.send(calls.put(Level, at("autonomy", agent, tool), {"level": level, "why": why}))

    async def forget(self, agent: str, tool: str, why: str) -> None:
        """Set a tool back to what the agent's release grants."""
        await self._transport.send(calls.Call(type(None), "DELETE", at("autonomy", agent, tool), {"why": why}))

    def changes(self, agent: str, tool: str, *, limit: int | None = None) -> AsyncListing[Change]:
        """Who changed it, when, why, and what was known then; newest first."""
        return AsyncListing(self._transport, Page[Change], at("autonomy", agent, tool, "changes"), {}, limit)
