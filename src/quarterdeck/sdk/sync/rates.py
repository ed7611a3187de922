# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Limits on tool calls."""

from quarterdeck.sdk import calls as asked
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.holdings import Rate
from quarterdeck.sdk.records import Page
from quarterdeck.sdk.sync.listing import Listing
from quarterdeck.sdk.sync.transport import Transport


class Rates:
    """`client.rates`: what the tenant allows of tool calls, beside what its releases declare."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def put(
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
        return self._transport.send(asked.put(Rate, at("rates", name), body, etag=etag))

    def list(self, *, limit: int | None = None) -> Listing[Rate]:
        """Limits, by name."""
        return Listing(self._transport, Page[Rate], at("rates"), {}, limit)

    def get(self, name: str) -> Rate:
        """One limit."""
        return self._transport.send(asked.get(Rate, at("rates", name)))

    def remove(self, name: str) -> None:
        """Remove a limit."""
        self._transport.send(asked.remove(at("rates", name)))
