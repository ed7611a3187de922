# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Threads: conversations of a user with an agent."""

from collections.abc import Mapping

from quarterdeck.core.json import Json
from quarterdeck.sdk import calls
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.records import Page, Run, Strategy, Thread, Turn
from quarterdeck.sdk.sync.listing import Listing
from quarterdeck.sdk.sync.runs import RunInput
from quarterdeck.sdk.sync.transport import Transport


class Threads:
    """`client.threads`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        agent: str,
        *,
        user_id: str | None = None,
        title: str | None = None,
        tags: Mapping[str, str] | None = None,
        idempotency_key: str = "",
    ) -> Thread:
        """Start a conversation."""
        body = {"agent": agent, "user_id": user_id, "title": title, "tags": tags}
        return self._transport.send(calls.create(Thread, at("threads"), body, key=idempotency_key))

    def list(
        self, *, agent: str | None = None, user_id: str | None = None, limit: int | None = None
    ) -> Listing[Thread]:
        """Threads, newest first."""
        query: dict[str, calls.Query] = {"agent": agent, "user_id": user_id}
        return Listing(self._transport, Page[Thread], at("threads"), query, limit)

    def get(self, thread_id: str) -> Thread:
        """One thread."""
        return self._transport.send(calls.get(Thread, at("threads", thread_id)))

    def messages(self, thread_id: str) -> Listing[Turn]:
        """What was said, in order, by user, model and tools."""
        return Listing(self._transport, Page[Turn], at("threads", thread_id, "messages"), {})

    def submit(
        self,
        thread_id: str,
        input: RunInput,
        *,
        strategy: Strategy = "reject",
        user_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        variables: Mapping[str, Json] | None = None,
        wait: float = 0.0,
        idempotency_key: str = "",
    ) -> Run:
        """Say the next thing. While an earlier run of the thread goes on, `strategy` decides what happens.

        `reject` raises Conflict, `enqueue` lets it wait for its turn, `interrupt` cancels the earlier one.
        """
        body = {
            "input": input,
            "multitask_strategy": strategy,
            "user_id": user_id,
            "tags": tags,
            "variables": variables,
        }
        path, query = at("threads", thread_id, "runs"), {"wait": wait} if wait else {}
        return self._transport.send(calls.create(Run, path, body, key=idempotency_key, query=query, patience=wait))
