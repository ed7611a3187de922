"""kill -9 at every boundary of an approval: asked, parked, answered, taken up again, consumed with its intent, carried
out, heard of. Nothing is lost and nothing happens twice.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.flow.stage import LEASE, Json, Stage, Tenant, until
from tests.flow.turnstile import Turnstile


@pytest.fixture
def turnstile(stage: Stage) -> Iterator[Turnstile]:
    made = Turnstile(stage.fleet.urls.owner)
    yield made
    made.close()


def a_payment(tenant: Tenant, what: str) -> str:
    tenant.agent({"call": "pay_if_approved", "arguments": {"what": what}}, {"text": "paid"})
    return what


def question(tenant: Tenant, run: str) -> Json:
    """The one question of a run that nobody has answered yet."""

    def look() -> Json:
        with contextlib.suppress(httpx.HTTPError):
            answer = tenant.client.get("/v1/approvals", params={"run": run, "state": "pending"})
            if answer.status_code == 200 and answer.json()["items"]:
                (one,) = answer.json()["items"]
                return one
        return None

    return until(look, "the question is asked", LEASE + 15)


def approve(tenant: Tenant, asked: Json) -> Json:
    """Say yes until the api has heard it: a reviewer whose page shows an error clicks again."""

    def say() -> Json:
        with contextlib.suppress(httpx.HTTPError):
            answer = tenant.client.post(
                f"/v1/approvals/{asked['approval_id']}/approve", json={"digest": asked["digest"]}
            )
            if answer.status_code != 503:
                return tenant.must(answer)
        return None

    return until(say, "the yes is heard", 30)


def settle(tenant: Tenant, run: str) -> Json:
    """Answer whatever is asked of people until the run has ended."""
    while True:
        record = tenant.until(run, "succeeded", "waiting_for_approval", "waiting_for_outcome", within=60)
        if record["status"] == "succeeded":
            return record
        if record["status"] == "waiting_for_approval":
            approve(tenant, question(tenant, run))
            continue
        (doubt,) = record["unknown_outcomes"]
        time.sleep(max(0.0, doubt["ask_after"] / 1000 - time.time()))
        done = tenant.stage.outside.books.effects(doubt["arguments"]["what"])
        body = {"call": doubt["call"], "outcome": "happened" if done else "did_not_happen"}
        tenant.must(tenant.client.post(f"/v1/runs/{run}/outcome", json=body))


def answers(tenant: Tenant, run: str) -> list[Json]:
    return tenant.must(tenant.client.get("/v1/approvals", params={"run": run}))["items"]


@pytest.mark.parametrize("boundary", ["approval.asked", "run.parked", "run.claimed", "tool.called"])
def test_a_worker_that_is_killed_before_the_effect_leaves_one_question_and_one_effect(
    stage: Stage, tenant: Tenant, turnstile: Turnstile, boundary: str
):
    what = a_payment(tenant, f"killed before {boundary}")
    early = boundary in {"approval.asked", "run.parked"}
    with contextlib.ExitStack() as stack:
        if early:
            # The run's id is not known before it is submitted: it is held back until the turnstile stands.
            run = tenant.submit(delay_s=1.5)
        else:
            run = tenant.submit()
            tenant.until(run, "waiting_for_approval")
        stack.enter_context(turnstile.before(run, boundary))
        if not early:
            approve(tenant, question(tenant, run))
        turnstile.await_somebody()
        assert stage.outside.books.effects(what) == 0
        for name in ("worker-1", "worker-2"):
            stage.kill(name)
    settle(tenant, run)
    assert stage.outside.books.asked[what] == 1
    assert stage.outside.books.effects(what) == 1
    assert [one["state"] for one in answers(tenant, run)] == ["approved"]
    assert tenant.kinds(run).count("tool.called") == 1


def test_an_api_that_is_killed_while_it_writes_the_answer_down_loses_it_to_nobody(
    stage: Stage, tenant: Tenant, turnstile: Turnstile
):
    what = a_payment(tenant, "killed while answering")
    run = tenant.submit()
    tenant.until(run, "waiting_for_approval")
    asked = question(tenant, run)
    with turnstile.before(run, "approval.answered"):
        clicked = threading.Thread(target=approve, args=(tenant, asked))
        clicked.start()
        turnstile.await_somebody()
        stage.kill("serve")
    clicked.join(60)
    assert settle(tenant, run)["status"] == "succeeded"
    assert stage.outside.books.effects(what) == 1
    assert tenant.kinds(run).count("approval.answered") == 1


def test_a_worker_that_is_killed_while_the_effect_is_under_way_leaves_a_doubt_and_no_second_effect(
    stage: Stage, tenant: Tenant
):
    what = a_payment(tenant, "killed in mid-effect")
    run = tenant.submit()
    tenant.until(run, "waiting_for_approval")
    with stage.outside.books.holding(what) as hold:
        approve(tenant, question(tenant, run))
        hold.await_call()
        stage.kill(tenant.worker_of(run))
    assert tenant.until(run, "waiting_for_outcome")["status"] == "waiting_for_outcome"
    settle(tenant, run)
    assert stage.outside.books.asked[what] == 1
    (used,) = answers(tenant, run)
    assert used["state"] == "approved"
    assert [event["approval"] for event in tenant.of_kind(run, "tool.called")] == [used["approval_id"]]


def test_a_worker_that_is_killed_before_it_can_write_the_outcome_down_does_not_pay_again(
    stage: Stage, tenant: Tenant, turnstile: Turnstile
):
    what = a_payment(tenant, "killed after the effect")
    run = tenant.submit()
    tenant.until(run, "waiting_for_approval")
    with turnstile.before(run, "tool.answered"):
        approve(tenant, question(tenant, run))
        turnstile.await_somebody()
        assert stage.outside.books.effects(what) == 1
        stage.kill(tenant.worker_of(run))
    settle(tenant, run)
    assert stage.outside.books.asked[what] == 1
    assert "tool.unknown" in tenant.kinds(run)


def test_the_database_that_is_killed_with_the_yes_in_it_keeps_it(stage: Stage, tenant: Tenant):
    what = a_payment(tenant, "the database dies")
    run = tenant.submit()
    tenant.until(run, "waiting_for_approval")
    approve(tenant, question(tenant, run))
    stage.kill_database()
    assert settle(tenant, run)["status"] == "succeeded"
    assert stage.outside.books.effects(what) == 1
