"""Conversations: a message that comes while an earlier one is being answered is refused, waits, or interrupts."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.flow.outside import Hold
from tests.flow.stage import Json, Stage, Tenant

ANSWER_ONE = ({"call": "look", "arguments": {"what": "the first message"}}, {"text": "first answer"})


@pytest.fixture
def thread(tenant: Tenant) -> str:
    tenant.agent(*ANSWER_ONE)
    return tenant.must(tenant.client.post("/v1/threads", json={"agent": "clerk"}))["thread_id"]


def say(tenant: Tenant, thread: str, words: str, strategy: str = "reject") -> Json:
    body = {"input": words, "multitask_strategy": strategy}
    return tenant.client.post(f"/v1/threads/{thread}/runs", json=body)


@pytest.fixture
def busy(stage: Stage, tenant: Tenant, thread: str):
    """The first message of the thread, while it is being answered."""
    with stage.outside.books.holding("the first message") as hold:
        first = tenant.must(say(tenant, thread, "one"))["run_id"]
        hold.await_call()
        yield first, hold


Busy = tuple[str, Hold]


def test_a_busy_thread_refuses_a_second_message_and_names_the_run_that_it_is_busy_with(
    tenant: Tenant, thread: str, busy: Busy
):
    first, hold = busy
    refused = say(tenant, thread, "two")
    assert refused.status_code == 409
    assert refused.json()["run_id"] == first
    hold.released.set()
    assert tenant.until(first)["status"] == "succeeded"
    assert say(tenant, thread, "two").status_code == 202


def test_a_queued_message_is_answered_after_the_one_before_and_knows_what_was_said(
    tenant: Tenant, thread: str, busy: Busy
):
    first, hold = busy
    second = tenant.must(say(tenant, thread, "two", "enqueue"))["run_id"]
    third = tenant.must(say(tenant, thread, "three", "enqueue"))["run_id"]
    assert [tenant.run(run)["status"] for run in (second, third)] == ["queued", "queued"]
    hold.released.set()
    ended = [tenant.until(run) for run in (first, second, third)]
    assert [record["status"] for record in ended] == ["succeeded"] * 3
    assert ended[0]["finished_at"] <= ended[1]["started_at"] <= ended[1]["finished_at"] <= ended[2]["started_at"]
    (continued,) = tenant.of_kind(third, "thread.continued")
    assert continued["runs"] == [first, second]


def test_the_same_message_sent_many_times_at_once_is_said_once(tenant: Tenant, thread: str):
    def send(_: int) -> httpx.Response:
        headers = {"idempotency-key": "said-once"}
        return tenant.client.post(f"/v1/threads/{thread}/runs", json={"input": "hello"}, headers=headers)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(12)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["run_id"] for answer in answers}) == 1


def test_an_interrupting_message_cancels_the_one_before_and_waits_until_that_is_accounted_for(
    tenant: Tenant, thread: str, busy: Busy
):
    first, _ = busy
    second = tenant.must(say(tenant, thread, "never mind", "interrupt"))["run_id"]
    assert tenant.until(first, within=8)["status"] == "cancelled"
    # its own look at the same thing waits on the same hold, which is not released: so it has begun all the same
    began = tenant.until(second, "running", within=8)
    assert began["started_at"] >= tenant.run(first)["finished_at"]
    tenant.must(tenant.client.post(f"/v1/runs/{second}/cancel"))
    assert tenant.until(second, within=8)["status"] == "cancelled"
