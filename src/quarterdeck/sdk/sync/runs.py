# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Runs: submit, wait, watch, steer."""

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from time import monotonic, sleep
from typing import TypeAlias

from quarterdeck.core.json import Json
from quarterdeck.sdk import calls
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.errors import QuarterdeckError
from quarterdeck.sdk.records import (
    Event,
    Facets,
    Outcome,
    Page,
    Run,
    RunProof,
    Strategy,
    StreamItem,
    StreamToken,
    Trace,
)
from quarterdeck.sdk.sync.listing import Listing
from quarterdeck.sdk.sync.stream import PATIENCE, watch
from quarterdeck.sdk.sync.transport import Transport

RunInput: TypeAlias = str | Mapping[str, Json]
"""Words, `{"messages": [{"role": "user", "content": "..."}]}`, or any other object."""

LONGEST_WAIT = 60.0


class Runs:
    """`client.runs`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(  # noqa: PLR0913  # what can be said of a run
        self,
        agent: str,
        input: RunInput,
        *,
        release: str | None = None,
        user_id: str | None = None,
        user_roles: Sequence[str] = (),
        user_claims: Mapping[str, Json] | None = None,
        thread_id: str | None = None,
        priority: int | None = None,
        delay_s: float | None = None,
        available_at: datetime | None = None,
        tags: Mapping[str, str] | None = None,
        variables: Mapping[str, Json] | None = None,
        strategy: Strategy | None = None,
        wait: float = 0.0,
        idempotency_key: str = "",
    ) -> Run:
        """Submit a run: accepted and durable once this returns. `wait` holds the answer until it ends, up to 60 s.

        A lost answer is asked for again under the same Idempotency-Key, so that there is never a second run.
        """
        body = {
            "agent": agent,
            "input": input,
            "release": release,
            "user_id": user_id,
            "user_roles": list(user_roles) or None,
            "user_claims": user_claims,
            "thread_id": thread_id,
            "priority": priority,
            "delay_s": delay_s,
            "available_at": available_at,
            "tags": tags,
            "variables": variables,
            "multitask_strategy": strategy,
        }
        query = {"wait": wait} if wait else {}
        return self._transport.send(
            calls.create(Run, at("runs"), body, key=idempotency_key, query=query, patience=wait)
        )

    def get(self, run_id: str) -> Run:
        """One run, whole."""
        return self._transport.send(calls.get(Run, at("runs", run_id)))

    def list(
        self,
        *,
        status: Sequence[str] = (),
        agent: str | None = None,
        user_id: str | None = None,
        release: str | None = None,
        thread_id: str | None = None,
        cause: str | None = None,
        q: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Listing[Run]:
        """Runs, newest first."""
        query: dict[str, calls.Query] = {
            "status": status,
            "agent": agent,
            "user_id": user_id,
            "release": release,
            "thread_id": thread_id,
            "cause": cause,
            "q": q,
            "since": since,
            "until": until,
        }
        return Listing(self._transport, Page[Run], at("runs"), query, limit)

    def facets(self, *, since: datetime | None = None, until: datetime | None = None) -> Facets:
        """How many of the newest 10,000 runs there are of each status, agent and cause."""
        return self._transport.send(calls.get(Facets, at("runs", "facets"), {"since": since, "until": until}))

    def wait(self, run_id: str, *, timeout: float | None = None, through_people: bool = False) -> Run:
        """The run once it has ended or waits for a person; as it is when `timeout` seconds were not enough.

        With `through_people` a run that waits for a person is waited for too.
        """
        until = None if timeout is None else monotonic() + timeout
        while True:
            left = LONGEST_WAIT if until is None else min(LONGEST_WAIT, max(0.0, until - monotonic()))
            query = {"seconds": round(left, 3)}
            run = self._transport.send(calls.get(Run, at("runs", run_id, "wait"), query, patience=left))
            if run.ended or (run.waits_for_person and not through_people):
                return run
            if until is not None and monotonic() >= until:
                return run
            if run.waits_for_person:
                sleep(1.0)

    def run_and_wait(
        self,
        agent: str,
        input: RunInput,
        *,
        timeout: float | None = None,
        release: str | None = None,
        user_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        variables: Mapping[str, Json] | None = None,
    ) -> Run:
        """Submit a run and wait until it has ended or waits for a person, or for `timeout` seconds."""
        first = LONGEST_WAIT if timeout is None else min(LONGEST_WAIT, timeout)
        began = monotonic()
        run = self.submit(agent, input, release=release, user_id=user_id, tags=tags, variables=variables, wait=first)
        if run.ended or run.waits_for_person:
            return run
        return self.wait(run.run_id, timeout=None if timeout is None else timeout - (monotonic() - began))

    def stream(
        self,
        run_id: str,
        *,
        after: int = 0,
        deltas: bool = True,
        timeout: float | None = None,
        patience: float = PATIENCE,
        on_cut: Callable[[QuarterdeckError], None] | None = None,
    ) -> Generator[StreamItem]:
        """The run's events behind number `after` as they happen, each once and in order, until it has ended.

        Goes on by itself after a cut or a restart; `on_cut` is told of each. With `deltas`, also what the model is just
        writing. Ends after `timeout` seconds. Raises Unreachable after `patience` seconds without a connection.
        """
        return watch(
            self._transport, run_id, after=after, deltas=deltas, timeout=timeout, patience=patience, on_cut=on_cut
        )

    def events(self, run_id: str, *, after: int = 0, limit: int = 200, cursor: str | None = None) -> Page[Event]:
        """A page of the run's log."""
        query: dict[str, calls.Query] = {"after": after, "limit": limit, "cursor": cursor}
        return self._transport.send(calls.get(Page[Event], at("runs", run_id, "events"), query))

    def cancel(self, run_id: str, why: str = "") -> Run:
        """Ask for its end. It has ended when its status says so."""
        return self._transport.send(calls.act(Run, at("runs", run_id, "cancel"), {"why": why}))

    def retry(self, run_id: str, why: str = "") -> Run:
        """Send a run that did not succeed back from its last checkpoint; no effect is repeated."""
        return self._transport.send(calls.act(Run, at("runs", run_id, "retry"), {"why": why}))

    def resolve(self, run_id: str, call: str, outcome: Outcome, *, result: str = "", why: str = "") -> Run:
        """Say what became of a call whose outcome nobody knew; `result` is what the model is told."""
        body = {"call": call, "outcome": outcome, "result": result, "why": why}
        return self._transport.send(calls.act(Run, at("runs", run_id, "outcome"), body))

    def token(self, run_id: str, ttl_s: float = 600) -> StreamToken:
        """A token that reads this run for a while and nothing else."""
        return self._transport.send(calls.act(StreamToken, at("runs", run_id, "tokens"), {"ttl_s": ttl_s}))

    def trace(self, run_id: str) -> Trace:
        """What happened, told: the story, the spans, effects and cost."""
        return self._transport.send(calls.get(Trace, at("runs", run_id, "trace")))

    def prove(self, run_id: str) -> RunProof:
        """What the run's log proves: each edge with the decision before it, and each that has none."""
        return self._transport.send(calls.get(RunProof, at("runs", run_id, "proof")))

    def blob(self, run_id: str, key: str) -> bytes:
        """A large payload that the run's log refers to."""
        return self._transport.send(calls.get(bytes, at("blobs", key), {"run": run_id}))
