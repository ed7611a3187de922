"""`/v1/runs` as clients see it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.core.ids import new_run_id
from quarterdeck.runs import events as e
from quarterdeck.runs.log import Departure
from quarterdeck.runs.messages import Call, Text
from quarterdeck.runs.records import Status
from tests.db.runs.api import Stage, run_id, staged
from tests.db.runs.test_service import asked, sent

SUCCEEDED = Departure(Status.SUCCEEDED, ended=True)


async def finish(stage: Stage, run: str, text: str = "Shipped.") -> None:
    """Let a worker execute a run to its end."""
    worker = await stage.scene.worker()
    await stage.scene.admit()
    hold = await worker.claim(run_id({"run_id": run}))
    assert hold is not None
    await worker.leave(hold, SUCCEEDED, *asked(), e.RunFinished(status="succeeded", text=text))


async def test_a_run_is_accepted_at_once_and_shown_whole(stage: Stage):
    answer = await stage.owner.post(
        "/v1/runs", json={"agent": "desk", "input": "Where is order 1001?", "tags": {"plan": "pro"}, "priority": 3}
    )
    assert answer.status_code == 202
    record = answer.json()
    assert answer.headers["location"] == f"/v1/runs/{record['run_id']}"
    assert record["status"] == "queued"
    assert record["title"] == "Where is order 1001?"
    assert record["agent_version"] == f"desk@{record['release'][:12]}"
    assert (record["owner"], record["tenant"], record["priority"], record["tags"]) == (
        "team-desk",
        "acme",
        3,
        {"plan": "pro"},
    )
    assert record["budget"]["max_steps"] == 30
    assert record["result"] is None
    again = await stage.owner.get(answer.headers["location"])
    assert again.status_code == 200
    volatile = {"duration_ms", "queued_ms"}
    assert {name: again.json()[name] for name in record if name not in volatile} == {
        name: record[name] for name in record if name not in volatile
    }


@pytest.mark.parametrize(
    ("sent_input", "roles", "first"),
    [
        ("plain words", ["user"], "plain words"),
        ({"order": 7, "ask": "status"}, ["user"], '{"order":7,"ask":"status"}'),
        (
            {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {"role": "assistant", "content": "hello"},
                    {"role": "user", "content": "and?"},
                ]
            },
            ["user", "model", "user"],
            "hi",
        ),
    ],
)
async def test_input_comes_as_words_as_a_conversation_or_as_json(
    stage: Stage, sent_input: object, roles: list[str], first: str
):
    run = await stage.submit(input=sent_input)
    events = (await stage.owner.get(f"/v1/runs/{run['run_id']}/events")).json()["items"]
    said = events[0]["data"]["input"]
    assert [message["type"] for message in said] == roles
    assert said[0]["content"] == [{"type": "text", "text": first}]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"input": ""}, "body.input"),
        ({"input": None}, "body.input"),
        ({"input": {"messages": []}}, "body.input.messages"),
        ({"input": {"messages": [{"role": "system", "content": "x"}]}}, "body.input.messages[0].role"),
        ({"input": {"messages": [{"role": "assistant", "content": "x"}]}}, "body.input.messages"),
        ({"priority": 101}, "body.priority"),
        ({"delay_s": -1}, "body.delay_s"),
        ({"delay_s": 5, "available_at": "2099-01-01T00:00:00Z"}, "body.delay_s"),
        ({"available_at": "2099-01-01T00:00:00Z"}, "body.available_at"),
        ({"available_at": "2026-01-01T00:00:00"}, "body.available_at"),
        ({"tags": {str(n): "x" for n in range(21)}}, "body.tags"),
        ({"variables": {"nope": 1}}, "variables.nope"),
        ({"release": "x" * 65}, "body.release"),
        ({"agent": "desk@aaaaaaaa", "release": "bbbbbbbb"}, "body.release"),
        ({"user_id": "bad\x00user"}, "body.user_id"),
        ({"thread_id": "no uuid"}, "body.thread_id"),
        ({"surprise": 1}, "body.surprise"),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong_and_where(stage: Stage, change: dict[str, object], place: str):
    answer = await stage.owner.post("/v1/runs", json={"agent": "desk", "input": "hello", **change})
    assert answer.status_code == 422, answer.text
    assert any(error["place"].startswith(place) for error in answer.json()["errors"]), answer.text


async def test_unknown_agents_and_releases_are_not_found(stage: Stage):
    for change in ({"agent": "nobody"}, {"release": "aaaaaaaa"}, {"release": "no-label"}):
        answer = await stage.owner.post("/v1/runs", json={"agent": "desk", "input": "x", **change})
        assert answer.status_code == 404, answer.text


async def test_what_can_not_be_stored_is_made_storable(stage: Stage):
    body = rb'{"agent":"desk","input":"a\u0000b","tags":{"t":"\u0000"},"variables":{}}'
    answer = await stage.owner.post("/v1/runs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["title"] == "a\ufffdb"
    assert answer.json()["tags"] == {"t": "\ufffd"}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"agent": "desk", "input": "\xff"}', b"[" * 100_000])
async def test_a_body_that_is_no_json_is_malformed(stage: Stage, body: bytes):
    answer = await stage.owner.post("/v1/runs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text


async def test_a_lone_surrogate_is_answered_and_never_a_crash(stage: Stage):
    for body in (
        rb'{"agent":"desk","input":"\ud800"}',
        rb'{"agent":"desk","input":{"x":"\udfff"}}',
        rb'{"agent":"desk","input":"x","tags":{"\ud800":"x"}}',
    ):
        answer = await stage.owner.post("/v1/runs", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in {202, 422}, answer.text


async def test_a_run_keeps_the_release_that_it_was_pinned_to(stage: Stage):
    old = await stage.register()
    new = await stage.register(prompt="You help better.")
    assert (await stage.submit())["release"] == new
    assert (await stage.submit(release=old[:12]))["release"] == old
    assert (await stage.submit(agent=f"desk@{old[:8]}"))["release"] == old


async def test_long_input_is_kept_as_a_blob_that_only_the_run_gives_away(stage: Stage):
    words = "word " * 10_000
    run = await stage.submit(input=words)
    other = await stage.submit()
    events = (await stage.owner.get(f"/v1/runs/{run['run_id']}/events")).json()["items"]
    part = events[0]["data"]["input"][0]["content"][0]
    assert (part["type"], part["size"]) == ("stored", len(words))
    assert run["title"].startswith("word word")
    blob = await stage.owner.get(f"/v1/blobs/{part['key']}", params={"run": run["run_id"]})
    assert blob.status_code == 200
    assert blob.text == words
    assert blob.headers["content-type"] == "text/plain; charset=utf-8"
    assert blob.headers["x-content-type-options"] == "nosniff"
    for key, holder in ((part["key"], other["run_id"]), ("00", run["run_id"]), ("zz", run["run_id"])):
        assert (await stage.owner.get(f"/v1/blobs/{key}", params={"run": holder})).status_code == 404


async def test_the_same_idempotency_key_gives_the_same_run(stage: Stage):
    headers = {"idempotency-key": '"abc"'}
    body = {"agent": "desk", "input": "word " * 10_000}
    first = await stage.owner.post("/v1/runs", json=body, headers=headers)
    again = await stage.owner.post("/v1/runs", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["run_id"] == again.json()["run_id"]
    assert again.headers["idempotency-replayed"] == "true"
    other = await stage.owner.post("/v1/runs", json={**body, "input": "another"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency.reused"


async def test_a_full_queue_answers_429_with_retry_after(stage: Stage):
    admin = await stage.deployment.admin()
    patched = await admin.patch(f"/v1/tenants/{stage.slug}", json={"queue_limit": 1})
    assert patched.status_code == 200, patched.text
    await stage.submit()
    answer = await stage.owner.post("/v1/runs", json={"agent": "desk", "input": "x"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


async def test_wait_holds_the_answer_until_the_run_has_ended(stage: Stage):
    waiting = asyncio.create_task(
        stage.owner.post("/v1/runs", params={"wait": 20}, json={"agent": "desk", "input": "x"})
    )
    while not (listed := (await stage.owner.get("/v1/runs")).json()["items"]):
        await asyncio.sleep(0.02)
    await finish(stage, listed[0]["run_id"])
    answer = await waiting
    assert answer.status_code == 200
    assert answer.json()["status"] == "succeeded"
    assert answer.json()["result"]["text"] == "Shipped."


async def test_wait_gives_up_in_time_and_says_that_the_run_goes_on(stage: Stage):
    run = await stage.submit()
    answer = await stage.owner.get(f"/v1/runs/{run['run_id']}/wait", params={"seconds": 0.2})
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"


async def test_wait_ends_when_the_run_needs_a_person(stage: Stage):
    _, hold = await parked_in_doubt_here(stage)
    answer = await stage.owner.get(f"/v1/runs/{hold}/wait", params={"seconds": 10})
    assert answer.status_code == 200
    assert answer.json()["status"] == "waiting_for_outcome"
    assert [doubt["tool"] for doubt in answer.json()["unknown_outcomes"]] == ["refund"]
    assert answer.json()["age_s"] is not None


async def parked_in_doubt_here(stage: Stage) -> tuple[object, str]:
    """A run over HTTP that waits for somebody to name an outcome."""
    run = await stage.submit()
    worker = await stage.scene.worker()
    await stage.scene.admit()
    hold = await worker.claim(run_id(run))
    assert hold is not None
    recorder = await worker.recorder(hold)
    past = sent(stage.scene, "c1")
    recorder.emit(*asked(Call("c1", "refund", {"order": 1001})), past)
    await recorder.flush()
    recorder.emit(e.ToolUnknown(call="c1", tool="refund", why="cut off", ask_after=0))
    parked = e.RunParked(status=Status.WAITING_FOR_OUTCOME, why="nobody knows whether refund took effect")
    await recorder.leave(Departure(Status.WAITING_FOR_OUTCOME, why=parked.why, parked=True), parked)
    return worker, str(run["run_id"])


async def test_an_operator_names_an_unknown_outcome_and_the_run_goes_on(stage: Stage):
    _, run = await parked_in_doubt_here(stage)
    url = f"/v1/runs/{run}/outcome"
    caller = await stage.key("caller")
    assert (await caller.post(url, json={"call": "c1", "outcome": "happened"})).status_code == 403
    assert (await stage.owner.post(url, json={"call": "c9", "outcome": "happened"})).status_code == 404
    assert (await stage.owner.post(url, json={"call": "c1", "outcome": "perhaps"})).status_code == 422
    answer = await stage.owner.post(url, json={"call": "c1", "outcome": "happened", "result": "Refund 7."})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "queued"
    assert answer.json()["unknown_outcomes"] == []


async def test_a_log_that_no_gate_wrote_is_not_proven_and_one_that_has_just_begun_is(stage: Stage):
    fresh = await stage.submit()
    proof = (await stage.owner.get(f"/v1/runs/{fresh['run_id']}/proof")).json()
    assert (proof["proven"], proof["ended"], proof["edges"], proof["gaps"]) == (True, False, [], [])
    assert proof["demanded"]["tool"][0] == "known"
    assert (await (await stage.key("caller")).get(f"/v1/runs/{fresh['run_id']}/proof")).status_code == 404

    _, run = await parked_in_doubt_here(stage)
    answer = await stage.owner.get(f"/v1/runs/{run}/proof")
    assert answer.status_code == 200, answer.text
    proof = answer.json()
    assert (proof["run_id"], proof["proven"]) == (run, False)
    assert {"seq": 3, "edge": "input", "what": "a model is asked before what came in was judged"} in proof["gaps"]
    assert [edge["missing"] != [] for edge in proof["edges"] if edge["edge"] == "tool"] == [True]


async def test_cancel_and_retry_over_http(stage: Stage):
    run = await stage.submit()
    url = f"/v1/runs/{run['run_id']}"
    cancelled = await stage.owner.post(f"{url}/cancel", json={"why": "wrong order"})
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelled")
    assert "wrong order" in cancelled.json()["why"]
    assert (await stage.owner.post(f"{url}/cancel")).status_code == 409
    retried = await stage.owner.post(f"{url}/retry")
    assert (retried.status_code, retried.json()["status"]) == (202, "queued")
    assert (await stage.owner.post(f"{url}/retry")).status_code == 409


async def test_lists_are_filtered_and_paged_newest_first(stage: Stage):
    await stage.register("other")
    runs = [await stage.submit(input=f"question {number}") for number in range(5)]
    await stage.submit(agent="other", input="elsewhere")
    await stage.owner.post(f"/v1/runs/{runs[0]['run_id']}/cancel")

    async def ids(**query: object) -> list[object]:
        answer = await stage.owner.get("/v1/runs", params=query)  # pyright: ignore[reportArgumentType]
        assert answer.status_code == 200, answer.text
        return [item["run_id"] for item in answer.json()["items"]]

    newest_first = [run["run_id"] for run in reversed(runs)]
    assert await ids(agent="desk") == newest_first
    assert await ids(agent="desk", status=["queued", "running"]) == newest_first[:-1]
    assert await ids(status="cancelled") == [runs[0]["run_id"]]
    assert await ids(q="question 3") == [runs[3]["run_id"]]
    assert await ids(q="100%") == []
    assert await ids(since=(datetime.now(UTC) + timedelta(hours=1)).isoformat()) == []
    assert len(await ids(until=(datetime.now(UTC) + timedelta(hours=1)).isoformat())) == 6
    first = (await stage.owner.get("/v1/runs", params={"limit": 4})).json()
    rest = (await stage.owner.get("/v1/runs", params={"limit": 4, "cursor": first["next_cursor"]})).json()
    assert [len(first["items"]), len(rest["items"]), rest["next_cursor"]] == [4, 2, None]
    facets = (await stage.owner.get("/v1/runs/facets")).json()
    assert facets == {"status": {"queued": 5, "cancelled": 1}, "agent": {"desk": 5, "other": 1}, "cause": {}}
    for bad in ({"status": "asleep"}, {"limit": 0}, {"cursor": "%"}, {"since": "yesterday"}, {"release": "short"}):
        assert (await stage.owner.get("/v1/runs", params=bad)).status_code == 422


async def test_another_tenants_run_does_not_exist(stage: Stage):
    umbra = await staged(stage.deployment, "umbra")
    run = await stage.submit()
    url = f"/v1/runs/{run['run_id']}"
    for path in (url, f"{url}/wait?seconds=0", f"{url}/events", f"{url}/proof"):
        assert (await umbra.owner.get(path)).status_code == 404
    for path in ("cancel", "retry", "tokens"):
        assert (await umbra.owner.post(f"{url}/{path}")).status_code == 404
    assert (await umbra.owner.get("/v1/runs")).json()["items"] == []
    assert (await umbra.owner.get(f"/v1/runs/{new_run_id()}")).status_code == 404
    assert (await stage.owner.get("/v1/runs/no-uuid")).status_code == 422


async def test_a_caller_sees_and_steers_only_what_is_its_own(stage: Stage):
    mine, theirs = await stage.key("caller", name="mine"), await stage.key("caller", name="theirs")
    run = await stage.submit(mine)
    url = f"/v1/runs/{run['run_id']}"
    assert (await mine.get(url)).status_code == 200
    assert (await theirs.get(url)).status_code == 404
    assert (await theirs.post(f"{url}/cancel")).status_code == 404
    assert [item["run_id"] for item in (await mine.get("/v1/runs")).json()["items"]] == [run["run_id"]]
    assert (await theirs.get("/v1/runs")).json()["items"] == []
    assert (await theirs.get("/v1/runs/facets")).json()["status"] == {}
    assert (await mine.post(f"{url}/cancel")).status_code == 202


async def test_who_may_only_read_can_neither_submit_nor_cancel(stage: Stage):
    auditor = await stage.key("auditor")
    run = await stage.submit()
    assert (await auditor.get(f"/v1/runs/{run['run_id']}")).status_code == 200
    assert (await auditor.post("/v1/runs", json={"agent": "desk", "input": "x"})).status_code == 403
    assert (await auditor.post(f"/v1/runs/{run['run_id']}/cancel")).status_code == 403


async def test_a_backend_names_users_and_each_user_sees_the_own_runs(stage: Stage):
    secret = await stage.deployment.key(stage.slug, roles=["caller"], name="backend", may_assert_user=True)
    backend = await stage.deployment.client(secret)
    for user in ("ann", "bob"):
        await stage.submit(backend, user_id=user)
    ann = await stage.deployment.client(secret, quarterdeck_user="ann")
    await stage.submit(ann)
    assert [item["user_id"] for item in (await ann.get("/v1/runs")).json()["items"]] == ["ann", "ann"]
    assert (await ann.get("/v1/runs", params={"user_id": "bob"})).json()["items"] == []
    assert [item["user_id"] for item in (await backend.get("/v1/runs")).json()["items"]] == ["ann", "bob", "ann"]
    plain = await stage.key("caller", name="plain")
    refused = await plain.post("/v1/runs", json={"agent": "desk", "input": "x", "user_id": "ann"})
    assert refused.status_code == 403


async def test_a_key_for_one_agent_reaches_no_other(stage: Stage):
    await stage.register("other")
    only_other = await stage.key("owner", agents=["other"])
    run = await stage.submit()
    assert (await only_other.get(f"/v1/runs/{run['run_id']}")).status_code == 404
    assert (await only_other.get("/v1/runs")).json()["items"] == []
    assert (await only_other.post("/v1/runs", json={"agent": "desk", "input": "x"})).status_code == 404
    await stage.submit(only_other, agent="other")


async def test_the_log_is_read_in_pages(stage: Stage):
    run = await stage.submit()
    await finish(stage, str(run["run_id"]))
    url = f"/v1/runs/{run['run_id']}/events"
    first = (await stage.owner.get(url, params={"limit": 3})).json()
    assert [item["seq"] for item in first["items"]] == [1, 2, 3]
    rest = (await stage.owner.get(url, params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [item["kind"] for item in rest["items"]] == ["model.answered", "run.finished"]
    assert rest["next_cursor"] is None
    after = (await stage.owner.get(url, params={"after": 4})).json()
    assert [item["seq"] for item in after["items"]] == [5]
    assert after["items"][0]["data"] == {"text": "Shipped.", "status": "succeeded"}


async def test_the_log_is_streamed_to_its_end_and_resumed_exactly(stage: Stage):
    run = await stage.submit()
    await finish(stage, str(run["run_id"]))
    url = f"/v1/runs/{run['run_id']}/events"
    stream = {"accept": "text/event-stream"}
    whole = await stage.owner.get(url, headers=stream)
    assert whole.headers["content-type"].startswith("text/event-stream")
    ids = [line for line in whole.text.splitlines() if line.startswith("id:")]
    assert ids == [f"id: {seq}" for seq in range(1, 6)]
    rest = await stage.owner.get(url, headers=stream | {"last-event-id": "3"})
    assert [line for line in rest.text.splitlines() if line.startswith("id:")] == ["id: 4", "id: 5"]
    assert (await stage.owner.get(url, headers=stream | {"last-event-id": "5"})).status_code == 204
    for wrong in ("6", "-1", "x"):
        assert (await stage.owner.get(url, headers=stream | {"last-event-id": wrong})).status_code == 422


async def test_a_token_reads_one_run_and_nothing_else(stage: Stage):
    run, other = await stage.submit(), await stage.submit()
    url = f"/v1/runs/{run['run_id']}"
    issued = await stage.owner.post(f"{url}/tokens", json={"ttl_s": 60})
    assert issued.status_code == 201
    token = issued.json()["token"]
    nobody = await stage.deployment.client()
    assert (await nobody.get(f"{url}/events", params={"token": token})).status_code == 200
    assert (await nobody.get(url, params={"token": token})).status_code == 200
    assert (await nobody.get(f"/v1/runs/{other['run_id']}", params={"token": token})).status_code == 404
    bearer = await stage.deployment.client(token)
    assert (await bearer.get("/v1/runs")).status_code == 401
    assert (await bearer.post(f"{url}/cancel")).status_code == 401
    assert (await bearer.post(f"{url}/tokens")).status_code == 401
    assert (await nobody.get(url, params={"token": token[:-2]})).status_code == 401


async def test_the_callers_trace_goes_with_the_run(stage: Stage):
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = await stage.owner.post("/v1/runs", json={"agent": "desk", "input": "x"}, headers={"traceparent": parent})
    run = await stage.scene.read(run_id(answer.json()))
    assert run.traceparent == parent


async def test_a_run_of_a_message_that_failed_says_so_in_its_record(stage: Stage):
    run = await stage.submit()
    worker = await stage.scene.worker()
    await stage.scene.admit()
    hold = await worker.claim(run_id(run))
    assert hold is not None
    to = Departure(Status.FAILED, why="it was refused", error_code="model.refused", ended=True)
    handoff = e.Handoff(done=("refund",), left=("tell the user",), why="it was refused", last_words="one moment")
    failed = e.RunFinished(status="failed", error_code="model.refused", error="it was refused", handoff=handoff)
    call = (e.ToolAnswered(call="c1", content=(Text("ok"),)),)
    await worker.leave(hold, to, *asked(Call("c1", "refund", {})), sent(stage.scene, "c1"), *call, failed)
    record = (await stage.owner.get(f"/v1/runs/{run['run_id']}")).json()
    assert (record["status"], record["error_code"], record["why"]) == ("failed", "model.refused", "it was refused")
    assert record["result"]["handoff"]["left"] == ["tell the user"]
    assert record["tools_called"] == ["refund"]
    assert record["risk_level"] == "money"
    facets = (await stage.owner.get("/v1/runs/facets")).json()
    assert facets["cause"] == {"model.refused": 1}
    assert len((await stage.owner.get("/v1/runs", params={"cause": "model.refused"})).json()["items"]) == 1
