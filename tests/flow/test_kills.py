"""Processes that are killed, frozen and drained while runs go on: nothing accepted is lost, nothing is done twice."""

import contextlib
import os
import signal
import threading
import time
from typing import Any

import httpx
import psutil

from quarterdeck.cli.child import What
from tests.flow.stage import LEASE, Json, Stage, Tenant, until


def work(what: str) -> tuple[Json, ...]:
    """Some looks, one payment by key, some more looks."""
    looks = {"call": "look", "arguments": {"what": "{n}"}, "times": 3, "latency_ms": 60}
    return looks, {"call": "pay_keyed", "arguments": {"what": what}, "latency_ms": 60}, looks, {"text": "done"}


def attempts(tenant: Tenant, run: str) -> int:
    return tenant.kinds(run).count("run.claimed")


def test_a_payment_by_key_is_made_once_though_its_worker_is_killed_before_it_hears_of_it(stage: Stage, tenant: Tenant):
    tenant.agent({"call": "pay_keyed", "arguments": {"what": "once, by key"}}, {"text": "paid"})
    books = stage.outside.books
    with books.holding("once, by key") as hold:
        run = tenant.submit()
        hold.await_call()
        stage.kill(tenant.worker_of(run))
        began = time.monotonic()
        until(lambda: attempts(tenant, run) == 2, "another worker takes over", LEASE + 5)
        assert time.monotonic() - began > 0.5  # the lease had to run out first
    assert tenant.until(run)["status"] == "succeeded"
    assert "run.released" in tenant.kinds(run)
    assert books.asked["once, by key"] == 2
    assert books.effects("once, by key") == 1


def test_a_payment_that_may_not_be_repeated_waits_for_a_person_who_says_what_became_of_it(stage: Stage, tenant: Tenant):
    books, outcomes = stage.outside.books, {"happened": "rent, paid", "did_not_happen": "rent, lost"}
    runs: dict[str, str] = {}
    for outcome, what in outcomes.items():
        tenant.agent({"call": "pay", "arguments": {"what": what}}, {"text": "noted"}, name=f"pays-{len(runs)}")
        with books.holding(what) as hold:
            runs[outcome] = tenant.submit(f"pays-{len(runs)}")
            hold.await_call()
            stage.kill(tenant.worker_of(runs[outcome]))
    doubts: dict[str, Json] = {}
    for outcome, run in runs.items():
        (doubt,) = tenant.until(run, "waiting_for_outcome")["unknown_outcomes"]
        assert (doubt["tool"], doubt["arguments"]) == ("pay", {"what": outcomes[outcome]})
        early = tenant.client.post(f"/v1/runs/{run}/outcome", json={"call": doubt["call"], "outcome": outcome})
        assert (early.status_code, early.json()["code"]) == (409, "run.too_early_to_say")
        assert int(early.headers["retry-after"]) >= 1
        doubts[outcome] = doubt
    for outcome, run in runs.items():
        time.sleep(max(0.0, doubts[outcome]["ask_after"] / 1000 - time.time()))
        body = {"call": doubts[outcome]["call"], "outcome": outcome, "result": f"a person looked: {outcome}"}
        tenant.must(tenant.client.post(f"/v1/runs/{run}/outcome", json=body))
        assert tenant.until(run)["status"] == "succeeded"
        (resolved,) = tenant.of_kind(run, "tool.resolved")
        assert resolved["outcome"] == outcome
        again = tenant.client.post(f"/v1/runs/{run}/outcome", json=body)
        assert (again.status_code, again.json()["code"]) == (404, "run.no_such_unknown_outcome")
        assert books.asked[outcomes[outcome]] == 1


def test_runs_are_not_lost_when_the_api_is_killed_right_after_it_accepted_them(stage: Stage, tenant: Tenant):
    tenant.agent(*work("accepted"))
    runs = [tenant.submit(words=f"run {n}") for n in range(5)]
    stage.kill("serve")
    assert [tenant.until(run)["status"] for run in runs] == ["succeeded"] * 5
    listed = tenant.must(tenant.client.get("/v1/runs"))["items"]
    assert {record["run_id"] for record in listed} == set(runs)


def test_runs_go_on_after_the_database_was_killed_under_them(stage: Stage, tenant: Tenant):
    names = [f"bills-{n}" for n in range(6)]
    for name in names:
        tenant.agent(*work(name), name=name)
    runs = [tenant.submit(name) for name in names]
    until(lambda: any("tool.called" in tenant.kinds(run) for run in runs), "the runs are under way")
    stage.kill_database()
    assert [tenant.until(run, within=60)["status"] for run in runs] == ["succeeded"] * 6
    for run, name in zip(runs, names, strict=True):
        tenant.events(run)
        assert stage.outside.books.effects(name) == 1, name


def test_a_database_that_dies_again_and_again_is_answered_with_503_and_no_submit_is_lost_or_doubled(
    stage: Stage, tenant: Tenant
):
    tenant.agent({"text": "done"})
    calm = threading.Event()

    def harass() -> None:
        for _ in range(8):
            with contextlib.suppress(ProcessLookupError):
                stage.kill_database()
            calm.wait(0.3)
        calm.set()

    harasser = threading.Thread(target=harass)
    harasser.start()
    answers: list[httpx.Response] = []
    keys = 0
    while not calm.is_set() or keys < 5:
        keys += 1
        headers = {"idempotency-key": f"try-{keys}"}
        while True:
            answer = tenant.client.post("/v1/runs", json={"agent": "clerk", "input": "hello"}, headers=headers)
            answers.append(answer)
            if answer.status_code == 202:
                calm.wait(0.03)
                break
    harasser.join()
    refused = [answer for answer in answers if answer.status_code != 202]
    assert refused, "the database was never away"
    for answer in refused:
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), answer.text
        assert answer.json()["code"].startswith("database.")
        assert int(answer.headers["retry-after"]) >= 1
    stage.recover()
    runs: list[str] = []
    page: dict[str, Any] = {"next_cursor": ""}
    while page["next_cursor"] is not None:
        more = {"limit": "200", **({"cursor": page["next_cursor"]} if page["next_cursor"] else {})}
        page = tenant.must(tenant.client.get("/v1/runs", params=more))
        runs += [run["run_id"] for run in page["items"]]
    assert len(runs) == len(set(runs)) == keys
    for run in runs:
        assert tenant.until(run, within=60)["status"] == "succeeded"


def test_a_database_that_is_frozen_for_longer_than_a_lease_costs_time_and_nothing_else(stage: Stage, tenant: Tenant):
    tenant.agent(*work("frozen"))
    run = tenant.submit()
    until(lambda: "tool.called" in tenant.kinds(run), "the run is under way")
    postmaster = psutil.Process(stage.fleet.database_pid)
    frozen = [postmaster, *postmaster.children(recursive=True)]
    for process in frozen:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        time.sleep(LEASE + 1)
        assert tenant.client.get("/healthz").status_code == 200
    finally:
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
    assert tenant.until(run, within=60)["status"] == "succeeded"
    tenant.events(run)
    assert stage.outside.books.effects("frozen") == 1


def test_a_worker_that_was_frozen_for_longer_than_its_lease_finds_its_run_with_another(stage: Stage, tenant: Tenant):
    tenant.agent({"call": "look", "arguments": {"what": "frozen worker"}}, {"text": "done"})
    with stage.outside.books.holding("frozen worker") as hold:
        run = tenant.submit()
        hold.await_call()
        pid = stage.kill(tenant.worker_of(run), signal.SIGSTOP)
        try:
            until(lambda: attempts(tenant, run) == 2, "another worker takes over", LEASE + 8)
        finally:
            os.kill(pid, signal.SIGCONT)
    assert tenant.until(run)["status"] == "succeeded"
    assert tenant.kinds(run).count("tool.answered") == 1
    assert tenant.kinds(run).count("run.finished") == 1


def test_a_run_whose_worker_dies_before_it_confirms_a_cancel_is_cancelled_by_the_next_one(stage: Stage, tenant: Tenant):
    tenant.agent({"call": "pay_slowly", "arguments": {"what": "cancelled twice"}}, {"text": "paid"})
    with stage.outside.books.holding("cancelled twice") as hold:
        run = tenant.submit()
        hold.await_call()
        worker = tenant.worker_of(run)
        stage.kill(worker, signal.SIGSTOP)
        assert tenant.must(tenant.client.post(f"/v1/runs/{run}/cancel"))["status"] == "cancelling"
        stage.kill(worker)
        record = tenant.until(run, within=LEASE + 8)
    assert record["status"] == "cancelled"
    assert record["result"]["handoff"]["left"] == ["find out whether pay slowly (what: cancelled twice) took effect"]
    assert stage.outside.books.effects("cancelled twice") == 1


def ends_of(stage: Stage, pid: int) -> Json:
    """How a process has ended, once it has."""
    return until(
        lambda: next((one for one in stage.happened if one.pid == pid and one.what is not What.STARTED), None),
        f"process {pid} has ended",
    )


def test_a_worker_that_is_told_to_stop_finishes_the_call_in_hand_and_passes_the_run_on(stage: Stage, tenant: Tenant):
    what = "finish me first"
    tenant.agent({"call": "pay", "arguments": {"what": what}}, {"text": "paid"})
    with stage.outside.books.holding(what) as hold:
        run = tenant.submit()
        hold.await_call()
        pid = stage.kill(tenant.worker_of(run), signal.SIGTERM)
        until(lambda: draining(tenant, pid), "the worker drains")
    assert ends_of(stage, pid).status == 0
    assert tenant.until(run)["status"] == "succeeded"
    kinds = tenant.kinds(run)
    assert kinds.index("tool.answered") < kinds.index("run.released") < len(kinds) - kinds[::-1].index("run.claimed")
    assert stage.outside.books.asked[what] == 1


def draining(tenant: Tenant, pid: int) -> bool:
    workers = tenant.must(tenant.admin.get("/v1/workers"))["items"]
    return any(one["pid"] == pid and one["state"] != "alive" for one in workers)


def test_a_call_that_outlasts_the_grace_of_a_drain_is_repeated_by_key_and_otherwise_left_in_doubt(
    stage: Stage, tenant: Tenant
):
    both = [
        {"call": "pay_slowly", "arguments": {"what": "long"}},
        {"call": "pay_keyed", "arguments": {"what": "keyed"}},
    ]
    tenant.agent({"calls": both}, {"text": "paid"})
    books = stage.outside.books
    with books.holding("long") as long, books.holding("keyed") as keyed:
        run = tenant.submit()
        long.await_call()
        keyed.await_call()
        pid = stage.kill(tenant.worker_of(run), signal.SIGTERM)
        assert ends_of(stage, pid).status == 0
    parked = tenant.until(run, "waiting_for_outcome")
    assert [doubt["tool"] for doubt in parked["unknown_outcomes"]] == ["pay_slowly"]
    assert [released["why"] for released in tenant.of_kind(run, "run.released")] == ["drain"]
    assert (books.asked["long"], books.asked["keyed"], books.effects("keyed")) == (1, 2, 1)
