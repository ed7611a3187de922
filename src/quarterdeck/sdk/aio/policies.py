"""Policies: what a tenant forbids and has asked about, and what it comes to."""

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from quarterdeck.core.json import Json
from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.policies import (
    Difference,
    Explanation,
    Findings,
    Pattern,
    Permission,
    Policy,
    ReleasePolicies,
    Simulation,
    Unused,
)
from quarterdeck.sdk.records import Page


class AsyncPolicies:
    """`client.policies`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self, *, limit: int | None = None) -> AsyncListing[Policy]:
        """The tenant's policies in force, by name."""
        return AsyncListing(self._transport, Page[Policy], at("policies"), {}, limit)

    async def get(self, name: str, *, version: int | None = None) -> Policy:
        """One policy as it is in force, or as it was in a version."""
        return await self._transport.send(calls.get(Policy, at("policies", name), {"version": version}))

    async def put(self, name: str, text: str, why: str, *, etag: str = "") -> Policy:
        """Put a policy in force. `etag` is that of the one it replaces, to be sure of which it is."""
        return await self._transport.send(
            calls.put(Policy, at("policies", name), {"text": text, "why": why}, etag=etag)
        )

    async def remove(self, name: str, why: str, *, etag: str = "") -> None:
        """Put a policy out of force; its history stays."""
        headers = {"if-match": etag} if etag else {}
        await self._transport.send(
            calls.Call(type(None), "DELETE", at("policies", name), {"why": why}, headers=headers)
        )

    def history(self, name: str, *, limit: int | None = None) -> AsyncListing[Policy]:
        """Every version of a policy, the newest first."""
        return AsyncListing(self._transport, Page[Policy], at("policies", name, "history"), {}, limit)

    async def compare(self, name: str, old: int | None = None, new: int | None = None) -> Difference:
        """What two versions say differently, in words: by default the newest and the one before."""
        return await self._transport.send(calls.get(Difference, at("policies", name, "diff"), {"old": old, "new": new}))

    async def check(self, text: str, *, name: str = "policy", release: str | None = None) -> Findings:
        """Look a text through as a tenant's policy; nothing is kept."""
        body = {"text": text, "name": name, "release": release}
        return await self._transport.send(calls.act(Findings, at("policies", "check"), body))

    async def of_release(self, release: str) -> ReleasePolicies:
        """A release's policies as they are judged. `release` is an agent, `agent@version` or an id."""
        return await self._transport.send(calls.get(ReleasePolicies, at("policies", "release", release)))

    async def explain(  # what can be said of a call
        self,
        agent: str,
        tool: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        user: str = "",
        roles: Sequence[str] = (),
        claims: Mapping[str, Json] | None = None,
        origins: Mapping[str, str] | None = None,
        tainted: bool | None = None,
        autonomy: str | None = None,
        approved: bool = False,
    ) -> Explanation:
        """Ask what policies say of a call that nobody makes. Arguments come from the user where `origins` don't say."""
        body = {
            "agent": agent,
            "tool": tool,
            "arguments": arguments or {},
            "user": user,
            "roles": list(roles),
            "claims": claims or {},
            "origins": origins or {},
            "tainted": tainted,
            "autonomy": autonomy,
            "approved": approved,
        }
        return await self._transport.send(calls.act(Explanation, at("policies", "explain"), body))

    async def simulate(
        self, name: str, text: str | None, *, days: int = 7, agent: str | None = None
    ) -> AsyncIterator[Simulation]:
        """What a changed policy would have changed, part by part; a `text` of None removes it. Nothing is kept."""
        cursor: str | None = None
        while True:
            kept = msgspec.Raw(b"null") if text is None else text
            body = {"name": name, "text": kept, "days": days, "agent": agent, "cursor": cursor}
            call = calls.Call(Simulation, "POST", at("policies", "simulate"), body=body, repeatable=True)
            part = await self._transport.send(call)
            yield part
            cursor = part.next_cursor
            if cursor is None:
                return

    async def who(
        self, *, agent: str | None = None, tool: str | None = None, user: str | None = None
    ) -> Sequence[Permission]:
        """Who may do what, by agent and tool."""
        query: Mapping[str, calls.Query] = {"agent": agent, "tool": tool, "user": user}
        return (await self._transport.send(calls.get(Page[Permission], at("policies", "who"), query))).items

    async def unused(self, *, agent: str | None = None, days: int = 30) -> Sequence[Unused]:
        """Tools that are granted and were not used for so many days."""
        query: Mapping[str, calls.Query] = {"agent": agent, "days": days}
        return (await self._transport.send(calls.get(Page[Unused], at("policies", "unused"), query))).items

    async def patterns(self, *, agent: str | None = None) -> Sequence[Pattern]:
        """Anti-patterns of current releases."""
        query: Mapping[str, calls.Query] = {"agent": agent}
        return (await self._transport.send(calls.get(Page[Pattern], at("policies", "patterns"), query))).items
