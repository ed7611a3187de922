"""Agents and their releases."""

import base64
from collections.abc import Mapping

from quarterdeck.core.json import Json
from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.holdings import Agent, Registered, Release
from quarterdeck.sdk.records import Page


class AsyncAgents:
    """`client.agents`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def register(
        self,
        manifest: Mapping[str, Json],
        files: Mapping[str, bytes],
        *,
        release: str | None = None,
        label: str | None = None,
    ) -> Registered:
        """Register a release, which new runs of its agent take from then on. The same manifest is the same release."""
        encoded = {path: base64.b64encode(content).decode() for path, content in files.items()}
        body = {"manifest": manifest, "files": encoded, "release": release, "label": label}
        return await self._transport.send(calls.create(Registered, at("agents"), body))

    def list(self, *, limit: int | None = None) -> AsyncListing[Agent]:
        """The agents that this key may use, by name."""
        return AsyncListing(self._transport, Page[Agent], at("agents"), {}, limit)

    async def get(self, name: str) -> Agent:
        """One agent."""
        return await self._transport.send(calls.get(Agent, at("agents", name)))

    async def disable(self, name: str) -> Agent:
        """Take an agent out of service for new runs; runs that exist go on."""
        return await self._transport.send(calls.change(Agent, at("agents", name), {"disabled": True}))

    async def enable(self, name: str) -> Agent:
        """Put it back."""
        return await self._transport.send(calls.change(Agent, at("agents", name), {"disabled": False}))

    def releases(self, name: str, *, limit: int | None = None) -> AsyncListing[Release]:
        """All releases of an agent, the newest first."""
        return AsyncListing(self._transport, Page[Release], at("agents", name, "releases"), {}, limit)


class AsyncReleases:
    """`client.releases`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def get(self, version: str, *, against: str | None = None) -> Release:
        """One release, by id, its first 8 or more digits, or `agent@label`; with `against`, what changed since."""
        return await self._transport.send(calls.get(Release, at("releases", version), {"against": against}))
