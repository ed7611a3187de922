# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Autonomy: how far agents may go by themselves, tool by tool."""

from quarterdeck.sdk import calls
from quarterdeck.sdk.autonomy import Change, Level
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.records import Page
from quarterdeck.sdk.sync.listing import Listing
from quarterdeck.sdk.sync.transport import Transport


class Autonomy:
    """`client.autonomy`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, agent: str | None = None, limit: int | None = None) -> Listing[Level]:
        """What holds for each tool that is not a read, with what people's answers say for it."""
        return Listing(self._transport, Page[Level], at("autonomy"), {"agent": agent}, limit)

    def get(self, agent: str, tool: str) -> Level:
        """What holds for one tool."""
        return self._transport.send(calls.get(Level, at("autonomy", agent, tool)))

    def set(self, agent: str, tool: str, level: str, why: str) -> Level:
        """Set how far an agent may go with a tool: `suggest`, `ask_always`, `ask_when_risky` or `free`.

        At most as far as its release grants. Every worker knows within a second.
        """
        return self._transport.send(calls.put(Level, at("autonomy", agent, tool), {"level": level, "why": why}))

    def forget(self, agent: str, tool: str, why: str) -> None:
        """Set a tool back to what the agent's release grants."""
        self._transport.send(calls.Call(type(None), "DELETE", at("autonomy", agent, tool), {"why": why}))

    def changes(self, agent: str, tool: str, *, limit: int | None = None) -> Listing[Change]:
        """Who changed it, when, why, and what was known then; newest first."""
        return Listing(self._transport, Page[Change], at("autonomy", agent, tool, "changes"), {}, limit)
