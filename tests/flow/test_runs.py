"""Runs through the whole product: submitted over HTTP, executed by worker processes, watched, steered."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import httpx
import pytest

from tests.fakes.provider import Fails, Hangs, Says
from tests.flow.stage import PIN, Json, Stage, Tenant, until

LOOK_TWICE = ({"call": "look", "arguments": {"what": "round {n}"}, "times": 2}, {"text": "done"})


def test_a_run_goes_from_submit_over_its_stream_to_its_result(tenant: Tenant):
    tenant.agent(*LOOK_TWICE)
    run = tenant.submit(words="look around")
    lines = tenant.client.get(f"/v1/runs/{run}/events", headers={"accept": "text/event-stream"}).text.split("\n")
    ids = [int(line[4:]) for line in lines if line.startswith("id: ")]
    kinds = [line[7:] for line in lines if line.startswith("event: ")]
    turn = ["model.called", "model.answered", "tool.called", "tool.answered"]
    last = ["model.called", "model.answered", "run.finished"]
    expected = ["run.admitted", "run.claimed", "guardrail.judged", *turn, *turn, *last]
    assert [kind for kind in kinds if not kind.startswith("message.")] == expected
    assert ids == list(range(1, len(expected) + 1))
    record = tenant.run(run)
    assert (record["status"], record["result"]["text"]) == ("succeeded", "done")
    assert (record["steps_used"], record["tool_calls"], record["attempt"]) == (3, 2, 1)
    assert tenant.kinds(run) == expected


def test_the_same_submit_sent_many_times_at_once_is_one_run(tenant: Tenant):
    tenant.agent({"text": "done"})

    def submit(_: int) -> httpx.Response:
        body = {"agent": "clerk", "input": "pay me once"}
        return tenant.client.post("/v1/runs", json=body, headers={"idempotency-key": "order-1001"})

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(submit, range(16)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len(tenant.must(tenant.client.get("/v1/runs"))["items"]) == 1
    other = tenant.client.post(
        "/v1/runs", json={"agent": "clerk", "input": "more"}, headers={"idempotency-key": "order-1001"}
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.reused")


def test_a_full_queue_is_told_to_come_back_later_and_takes_runs_again_when_there_is_room(stage: Stage):
    tenant = stage.tenant(queue_limit=3)
    tenant.agent({"text": "done"})
    waiting = [tenant.submit(delay_s=3600) for _ in range(3)]
    body = {"agent": "clerk", "input": "one too many"}
    refused = tenant.client.post("/v1/runs", json=body)
    assert (refused.status_code, refused.json()["code"]) == (429, "run.queue_full")
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["limit"] == 3
    neighbour = stage.tenant()
    neighbour.agent({"text": "done"})
    neighbour.submit()
    for run in waiting:
        tenant.must(tenant.client.post(f"/v1/runs/{run}/cancel"))
    assert until(lambda: tenant.client.post("/v1/runs", json=body).status_code == 202, "room in the queue", 5)


def test_the_urgent_run_goes_first_and_a_delayed_one_waits_for_its_time(stage: Stage):
    tenant = stage.tenant(max_running=1)
    tenant.agent({"call": "look", "arguments": {"what": "first"}}, {"text": "done"})
    tenant.agent({"text": "done"}, name="quick")
    with stage.outside.books.holding("first") as hold:
        first = tenant.submit()
        hold.await_call()
        delayed = tenant.submit("quick", delay_s=2.0, priority=100)
        later = tenant.submit("quick", priority=-5)
        plain = tenant.submit("quick")
        urgent = tenant.submit("quick", priority=50)
    records = {run: tenant.until(run) for run in (first, urgent, plain, later, delayed)}
    starts = [records[run]["started_at"] for run in (first, urgent, plain, later)]
    assert starts == sorted(starts)
    wait = moment(records[delayed]["started_at"]) - moment(records[delayed]["created_at"])
    assert 2.0 <= wait < 10


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_queued_run_that_is_cancelled_ends_at_once_and_never_begins(tenant: Tenant):
    tenant.agent({"text": "done"})
    run = tenant.submit(delay_s=3600)
    answer = tenant.client.post(f"/v1/runs/{run}/cancel", json={"why": "changed my mind"})
    assert answer.json()["status"] == "cancelled"
    assert tenant.kinds(run) == ["run.admitted", "run.cancel_requested", "run.finished"]
    again = tenant.client.post(f"/v1/runs/{run}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "run.already_ended")


def test_a_run_that_asks_a_silent_model_is_cancelled_while_it_waits(stage: Stage, tenant: Tenant):
    stage.outside.plans["the silent one"] = lambda _: Hangs()
    by_wire(tenant)
    run = tenant.submit(words="the silent one")
    asked = until(lambda: [one for one in stage.outside.provider.asked if "the silent one" in str(one.body)], "asked")
    began = time.monotonic()
    assert tenant.must(tenant.client.post(f"/v1/runs/{run}/cancel"))["status"] in {"cancelling", "cancelled"}
    record = tenant.until(run, within=5)
    assert time.monotonic() - began < 3
    assert record["status"] == "cancelled"
    assert record["result"]["handoff"]["why"].startswith("cancelled by")
    assert until(lambda: all(one.left for one in asked), "the model's provider is left alone", 5)


def by_wire(tenant: Tenant, **more: Json) -> None:
    """An agent whose model is asked over a real wire."""
    provider = f"wire-{tenant.slug}"
    url = f"{tenant.stage.outside.provider.url}/v1"
    tenant.must(
        tenant.admin.post("/v1/providers", json={"name": provider, "kind": "openai_compatible", "base_url": url})
    )
    tenant.agent(model={"provider": provider, "id": PIN}, **more)


def test_a_run_that_is_cancelled_within_a_payment_says_that_nobody_knows_whether_it_was_made(
    stage: Stage, tenant: Tenant
):
    tenant.agent({"call": "pay_slowly", "arguments": {"what": "cancel me"}}, {"text": "paid"})
    with stage.outside.books.holding("cancel me") as hold:
        run = tenant.submit()
        hold.await_call()
        tenant.must(tenant.client.post(f"/v1/runs/{run}/cancel", json={"why": "wrong account"}))
        record = tenant.until(run, within=8)
    assert record["status"] == "cancelled"
    assert [doubt["tool"] for doubt in record["unknown_outcomes"]] == ["pay_slowly"]
    assert record["result"]["handoff"]["left"] == ["find out whether pay slowly (what: cancel me) took effect"]
    assert stage.outside.books.effects("cancel me") == 1


def test_a_failed_run_goes_on_from_its_checkpoint_when_somebody_retries_it(stage: Stage, tenant: Tenant):
    tenant.agent({"call": "pay_keyed", "arguments": {"what": "retried"}}, {"fault": "unauthenticated"}, {"text": "ok"})
    run = tenant.submit()
    failed = tenant.until(run)
    assert (failed["status"], failed["error_code"]) == ("failed", "model.unauthenticated")
    assert failed["result"]["handoff"]["done"] == ["pay keyed (what: retried)"]
    retried = tenant.must(tenant.client.post(f"/v1/runs/{run}/retry", json={"why": "the key is right now"}))
    assert retried["status"] == "queued"
    assert tenant.until(run)["status"] == "succeeded"
    assert stage.outside.books.asked["retried"] == 1
    again = tenant.client.post(f"/v1/runs/{run}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "run.not_retryable")


def test_an_answer_of_another_model_than_the_pinned_one_is_noted(stage: Stage, tenant: Tenant):
    stage.outside.plans["who are you"] = lambda _: Says("somebody else", model="gpt-3.5-turbo-0125")
    by_wire(tenant)
    run = tenant.submit(words="who are you")
    assert tenant.until(run)["status"] == "succeeded"
    (drift,) = tenant.of_kind(run, "model.drifted")
    assert (drift["wanted"], drift["served"]) == (PIN, "gpt-3.5-turbo-0125")


def test_a_model_that_is_busy_is_asked_again_as_late_as_it_says(stage: Stage, tenant: Tenant):
    turns = [Fails(429, headers={"retry-after": "1"}), Fails(503), Says("at last")]
    stage.outside.plans["a busy one"] = lambda _: turns.pop(0)
    by_wire(tenant)
    run = tenant.submit(words="a busy one")
    assert tenant.until(run)["result"]["text"] == "at last"
    faults = tenant.of_kind(run, "model.failed")
    assert [fault["status"] for fault in faults] == [429, 503]
    first, second = (event["at"] for event in tenant.events(run) if event["kind"] == "model.failed")
    assert datetime.fromisoformat(second) - datetime.fromisoformat(first) >= timedelta(seconds=0.9)


@pytest.mark.parametrize("wait", ["/v1/runs?wait=20", "/v1/runs/{run}/wait?seconds=20"])
def test_a_held_answer_comes_as_soon_as_the_run_has_ended(stage: Stage, tenant: Tenant, wait: str):
    tenant.agent({"text": "done", "latency_ms": 300})
    body = {"agent": "clerk", "input": "hurry"}
    began = time.monotonic()
    if "{run}" in wait:
        answer = tenant.client.get(wait.format(run=tenant.submit()))
    else:
        answer = tenant.client.post(wait, json=body)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert time.monotonic() - began < 5
