"""Approvals: what people are asked before a risky call, and their answers."""

from collections.abc import Mapping, Sequence
from typing import Literal

from quarterdeck.core.json import Json
from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.approvals import Approval, Batch, BatchItem, Waiting
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.records import Page


class AsyncApprovals:
    """`client.approvals`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        state: str | None = None,
        agent: str | None = None,
        tool: str | None = None,
        run: str | None = None,
        risk: str | None = None,
        limit: int | None = None,
    ) -> AsyncListing[Approval]:
        """Approvals, newest first; `state="pending"` is the inbox."""
        query = {"state": state, "agent": agent, "tool": tool, "run": run, "risk": risk}
        return AsyncListing(self._transport, Page[Approval], at("approvals"), query, limit)

    async def waiting(self) -> Waiting:
        """How many wait for an answer."""
        return await self._transport.send(calls.get(Waiting, at("approvals", "facets")))

    async def get(self, approval_id: str) -> Approval:
        """One approval."""
        return await self._transport.send(calls.get(Approval, at("approvals", approval_id)))

    async def approve(
        self, approval_id: str, digest: str, *, arguments: Mapping[str, Json] | None = None, why: str = ""
    ) -> Approval:
        """Say yes to what was seen, which `digest` names, or to other `arguments` instead. Saying so again is once.

        Raises Conflict where somebody else has answered, or what is asked about has changed meanwhile.
        """
        body = {"digest": digest, "arguments": arguments, "why": why}
        return await self._transport.send(calls.create(Approval, at("approvals", approval_id, "approve"), body))

    async def deny(self, approval_id: str, why: str) -> Approval:
        """Say no, and why: the agent is told."""
        return await self._transport.send(calls.create(Approval, at("approvals", approval_id, "deny"), {"why": why}))

    async def answer_many(
        self, approval_ids: Sequence[str], verdict: Literal["approve", "deny"], why: str = ""
    ) -> tuple[BatchItem, ...]:
        """Give many the same answer. A yes covers reads and plain writes that one person may approve."""
        body = {"ids": approval_ids, "verdict": verdict, "why": why}
        batch = await self._transport.send(calls.create(Batch, at("approvals", "batch"), body))
        return batch.items
