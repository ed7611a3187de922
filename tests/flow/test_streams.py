"""Streams of runs: exact across a kill of the API, with the model's words as they are written, readable by token."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue

import httpx
import pytest

from quarterdeck.sdk import Quarterdeck
from quarterdeck.sdk.records import Delta, Event
from tests.fakes.provider import Asked, Call, Says
from tests.flow.stage import Json, Stage, Tenant, until
from tests.flow.test_runs import by_wire

STREAM = {"accept": "text/event-stream"}
LONG = (
    {"call": "look", "arguments": {"what": "{n}"}, "times": 5},
    {"call": "look", "arguments": {"what": "the api comes back"}},
    {"call": "look", "arguments": {"what": "{n}"}, "times": 5},
    {"text": "done"},
)
"""A run that waits in the middle for as long as the test wants."""


def frames(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The frames of a stream; comments are left out."""
    frame: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if not line and frame:
            yield frame
            frame = {}
        elif name:
            frame[name] = value


def read(client: httpx.Client, run: str, last: int = 0) -> Iterator[dict[str, str]]:
    """A stream's frames from behind a position, until it ends."""
    headers = {**STREAM, "last-event-id": str(last)} if last else STREAM
    with client.stream("GET", f"/v1/runs/{run}/events", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        yield from frames(answer.iter_lines())


def test_a_stream_that_the_apis_kill_has_cut_is_resumed_without_a_gap_or_a_double(stage: Stage, tenant: Tenant):
    tenant.agent(*LONG)
    ids = list[int]()
    with stage.outside.books.holding("the api comes back") as hold:
        run = tenant.submit()
        hold.await_call()
        with contextlib.suppress(httpx.HTTPError):
            for frame in read(tenant.client, run):
                ids += [int(frame["id"])] if "id" in frame else []
                if len(ids) == 12:
                    stage.kill("serve")
            pytest.fail("the stream was not cut")
        stage.await_api()
        hold.released.set()
        for frame in read(tenant.client, run, ids[-1]):
            ids += [int(frame["id"])] if "id" in frame else []
    assert ids == [event["seq"] for event in tenant.events(run)]
    assert tenant.run(run)["status"] == "succeeded"


def test_the_client_library_goes_through_a_kill_of_the_api_by_itself(stage: Stage, tenant: Tenant):
    tenant.agent(*LONG)
    seqs, cuts = list[int](), list[Exception]()
    with stage.outside.books.holding("the api comes back") as hold, Quarterdeck(stage.fleet.url, tenant.key) as deck:
        run = tenant.submit()
        hold.await_call()

        def cut(fault: Exception) -> None:
            cuts.append(fault)
            hold.released.set()

        for item in deck.runs.stream(run, on_cut=cut):
            if isinstance(item, Event):
                seqs.append(item.seq)
                if len(seqs) == 12:
                    stage.kill("serve")
    assert cuts
    assert seqs == [event["seq"] for event in tenant.events(run)]


def test_a_position_that_no_event_of_this_run_has_is_refused(tenant: Tenant):
    tenant.agent({"text": "done"})
    run = tenant.submit()
    last = tenant.until(run)["last_seq"]
    for position in (str(last + 1), "99999", "9" * 40, "-1", "1.0", "0x3", "٣", run, "\xff"):
        headers = [(b"accept", b"text/event-stream"), (b"last-event-id", position.encode())]
        answer = tenant.client.get(f"/v1/runs/{run}/events", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), position
        assert "last-event-id" in answer.json()["detail"]


def test_a_stream_of_a_run_that_has_ended_says_so_at_once(tenant: Tenant):
    tenant.agent({"text": "done"})
    run = tenant.submit()
    last = tenant.until(run)["last_seq"]
    assert (
        tenant.client.get(f"/v1/runs/{run}/events", headers={**STREAM, "last-event-id": str(last)}).status_code == 204
    )
    assert [int(frame["id"]) for frame in read(tenant.client, run, last - 1)] == [last]


@contextmanager
def watched(tenant: Tenant, run: str) -> Iterator["Queue[Json]"]:
    """A stream that is read in a thread; the queue holds its frames as (kind, data)."""
    queue: Queue[Json] = Queue()

    def follow() -> None:
        for frame in read(tenant.client, run):
            queue.put((frame["event"], json.loads(frame["data"])))
        queue.put(None)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield queue
    finally:
        thread.join(30)


def next_of(queue: "Queue[Json]", kind: str) -> Json:
    """The next frame of a kind, skipping others."""
    deadline = time.monotonic() + 30
    try:
        while (frame := queue.get(timeout=max(0.0, deadline - time.monotonic()))) is not None:
            if frame[0] == kind:
                return frame[1]
    except Empty:
        pass
    raise AssertionError(f"the stream brought no {kind}")


WORDS = "one two three four five six seven eight nine ten"


def looking(asked: Asked) -> Says:
    """Something to say while nobody watches yet: a look at something else each time."""
    return Says("still looking", [Call("look", {"what": str(len(asked.body["messages"]))})], between=0.02)


def test_words_are_seen_while_the_model_writes_them_and_are_void_when_it_breaks_off(stage: Stage, tenant: Tenant):
    """The agent looks around until somebody watches; what is streamed then is exact."""
    seen, cut = threading.Event(), threading.Event()

    def plan(asked: Asked) -> Says:
        if not seen.is_set():
            return looking(asked)
        if not cut.is_set():
            cut.set()
            return Says(WORDS, between=0.1, cut_after=5)
        return Says(WORDS, between=0.05)

    stage.outside.plans["watch me write"] = plan
    by_wire(tenant, limits={"max_steps": 200, "max_tool_calls": 200})
    run = tenant.submit(words="watch me write")
    with watched(tenant, run) as queue:
        next_of(queue, "message.delta")
        seen.set()
        reset = next_of(queue, "message.reset")
        text, step = "", reset["step"]
        while (frame := queue.get(timeout=30)) is not None:
            kind, data = frame
            if kind == "message.delta" and data["step"] == step:
                assert data["offset"] == len(text)
                text += data["text"]
            if kind == "model.answered":
                # the words came before the event that holds them whole
                assert text == WORDS
    assert tenant.until(run)["result"]["text"] == WORDS


def test_deltas_reach_readers_of_the_client_library(stage: Stage, tenant: Tenant):
    seen = threading.Event()
    stage.outside.plans["write for the library"] = lambda asked: (
        Says(WORDS, between=0.02) if seen.is_set() else looking(asked)
    )
    by_wire(tenant, limits={"max_steps": 200, "max_tool_calls": 200})
    run, text = tenant.submit(words="write for the library"), ""
    with Quarterdeck(stage.fleet.url, tenant.key) as deck:
        for item in deck.runs.stream(run):
            if isinstance(item, Delta):
                seen.set()
                text = item.text if item.offset == 0 else text + item.text
    assert text == WORDS


def test_a_token_ends_with_the_key_that_it_was_made_with(stage: Stage, tenant: Tenant):
    tenant.agent({"text": "done"})
    run = tenant.submit()
    key = tenant.issue(roles=["operator"])
    token = tenant.must(tenant.client_of(key["secret"]).post(f"/v1/runs/{run}/tokens"))["token"]
    bare = stage.client()
    assert bare.get(f"/v1/runs/{run}?token={token}").status_code == 200
    tenant.client.delete(f"/v1/keys/{key['id']}")
    until(lambda: bare.get(f"/v1/runs/{run}?token={token}").status_code == 401, "the token's key is revoked", 5)


def test_a_token_reads_its_run_and_nothing_else_and_only_for_its_time(stage: Stage, tenant: Tenant):
    tenant.agent({"text": "done"})
    run, other = tenant.submit(), tenant.submit()
    tenant.until(run)
    issued = tenant.must(tenant.client.post(f"/v1/runs/{run}/tokens", json={"ttl_s": 2}))
    token, bare = issued["token"], stage.client()
    answer = bare.get(f"/v1/runs/{run}/events?token={token}", headers=STREAM)
    assert "event: run.finished" in answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    assert bare.get(f"/v1/runs/{run}?token={token}").json()["run_id"] == run
    by_token = stage.client(token)
    assert by_token.get(f"/v1/runs/{other}").status_code == 404
    assert by_token.get(f"/v1/runs/{other}/events", headers=STREAM).status_code == 404
    refused = [
        by_token.get("/v1/runs"),
        by_token.get("/v1/agents"),
        by_token.get("/v1/keys"),
        by_token.post("/v1/runs", json={"agent": "clerk", "input": "x"}),
        by_token.post(f"/v1/runs/{run}/cancel"),
        by_token.post(f"/v1/runs/{run}/retry"),
        by_token.post(f"/v1/runs/{run}/tokens"),
    ]
    assert {answer.status_code for answer in refused} == {401}
    until(lambda: bare.get(f"/v1/runs/{run}?token={token}").status_code == 401, "the token's time is over", 5)
    altered = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    assert bare.get(f"/v1/runs/{run}?token={altered}").status_code == 401
