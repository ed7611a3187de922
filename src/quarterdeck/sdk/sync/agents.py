# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Agents and their releases."""

import base64
from collections.abc import Mapping

from quarterdeck.core.json import Json
from quarterdeck.sdk import calls
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.holdings import Agent, Registered, Release
from quarterdeck.sdk.records import Page
from quarterdeck.sdk.sync.listing import Listing
from quarterdeck.sdk.sync.transport import Transport


class Agents:
    """`client.agents`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(
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
        return self._transport.send(calls.create(Registered, at("agents"), body))

    def list(self, *, limit: int | None = None) -> Listing[Agent]:
        """The agents that this key may use, by name."""
        return Listing(self._transport, Page[Agent], at("agents"), {}, limit)

    def get(self, name: str) -> Agent:
        """One agent."""
        return self._transport.send(calls.get(Agent, at("agents", name)))

    def disable(self, name: str) -> Agent:
        """Take an agent out of service for new runs; runs that exist go on."""
        return self._transport.send(calls.change(Agent, at("agents", name), {"disabled": True}))

    def enable(self, name: str) -> Agent:
        """Put it back."""
        return self._transport.send(calls.change(Agent, at("agents", name), {"disabled": False}))

    def releases(self, name: str, *, limit: int | None = None) -> Listing[Release]:
        """All releases of an agent, the newest first."""
        return Listing(self._transport, Page[Release], at("agents", name, "releases"), {}, limit)


class Releases:
    """`client.releases`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, version: str, *, against: str | None = None) -> Release:
        """One release, by id, its first 8 or more digits, or `agent@label`; with `against`, what changed since."""
        return self._transport.send(calls.get(Release, at("releases", version), {"against": against}))
