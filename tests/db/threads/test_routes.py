"""`/v1/threads`: conversations over many runs, one after the other."""

import asyncio
from typing import Any

import httpx
import pytest

from quarterdeck.core.ids import new_thread_id
from quarterdeck.runs import events as e
from quarterdeck.runs.log import Departure
from quarterdeck.runs.messages import Call, Text
from quarterdeck.runs.records import Status
from tests.db.runs.api import Stage, run_id, staged
from tests.db.runs.scene import Worker
from tests.db.runs.test_service import asked, sent

SUCCEEDED = Departure(Status.SUCCEEDED, ended=True)


async def start(client: httpx.AsyncClient, **wanted: object) -> dict[str, Any]:
    answer = await client.post("/v1/threads", json={"agent": "desk", **wanted})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def say(client: httpx.AsyncClient, thread: dict[str, Any], words: str, **wanted: object) -> httpx.Response:
    return await client.post(f"/v1/threads/{thread['thread_id']}/runs", json={"input": words, **wanted})


async def answered(stage: Stage, worker: Worker, run: dict[str, Any], text: str) -> None:
    """A worker executes the run to its end."""
    await stage.scene.admit()
    hold = await worker.claim(run_id(run))
    assert hold is not None
    said = e.ModelAnswered(
        step=1, call="m1", content=(Text(text),), finish="stop", served_model="m", usage=e.Usage(1, 1)
    )
    await worker.leave(hold, SUCCEEDED, asked()[0], said, e.RunFinished(status="succeeded", text=text))


async def test_a_thread_is_started_shown_and_listed(stage: Stage):
    thread = await start(stage.owner, tags={"channel": "mail"})
    assert (thread["agent"], thread["status"], thread["run_count"], thread["tags"]) == (
        "desk",
        "idle",
        0,
        {"channel": "mail"},
    )
    other = await start(stage.owner, title="About shoes")
    shown = (await stage.owner.get(f"/v1/threads/{other['thread_id']}")).json()
    assert shown == other
    first = (await stage.owner.get("/v1/threads", params={"limit": 1})).json()
    rest = (await stage.owner.get("/v1/threads", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [first["items"][0]["thread_id"], rest["items"][0]["thread_id"]] == [other["thread_id"], thread["thread_id"]]


async def test_a_thread_needs_an_agent_that_there_is(stage: Stage):
    assert (await stage.owner.post("/v1/threads", json={"agent": "nobody"})).status_code == 404
    assert (await stage.owner.post("/v1/threads", json={"agent": "No Name"})).status_code == 422
    assert (await stage.owner.get(f"/v1/threads/{new_thread_id()}")).status_code == 404


async def test_the_same_idempotency_key_starts_one_thread(stage: Stage):
    headers = {"idempotency-key": "t1"}
    made = [await stage.owner.post("/v1/threads", json={"agent": "desk"}, headers=headers) for _ in range(2)]
    assert made[0].json()["thread_id"] == made[1].json()["thread_id"]


async def test_what_is_said_is_read_in_order_over_runs(stage: Stage):
    worker, thread = await stage.scene.worker(), await start(stage.owner)
    first = await say(stage.owner, thread, "Where is order 7?")
    assert first.status_code == 202
    await answered(stage, worker, first.json(), "On its way.")
    second = await say(stage.owner, thread, "When?")
    await answered(stage, worker, second.json(), "Tomorrow.")
    url = f"/v1/threads/{thread['thread_id']}"
    page = (await stage.owner.get(f"{url}/messages")).json()
    assert [(item["role"], item["content"][0]["text"], item["position"]) for item in page["items"]] == [
        ("user", "Where is order 7?", 1),
        ("model", "On its way.", 1),
        ("user", "When?", 2),
        ("model", "Tomorrow.", 2),
    ]
    one = (await stage.owner.get(f"{url}/messages", params={"limit": 1})).json()
    two = (await stage.owner.get(f"{url}/messages", params={"limit": 1, "cursor": one["next_cursor"]})).json()
    assert one["items"] + two["items"] == page["items"]
    assert two["next_cursor"] is None
    shown = (await stage.owner.get(url)).json()
    assert (shown["title"], shown["run_count"], shown["status"]) == ("Where is order 7?", 2, "idle")
    listed = (await stage.owner.get("/v1/runs", params={"thread_id": thread["thread_id"]})).json()["items"]
    assert [item["run_id"] for item in listed] == [second.json()["run_id"], first.json()["run_id"]]


async def test_a_busy_thread_rejects_and_names_the_running_run(stage: Stage):
    thread = await start(stage.owner)
    first = (await say(stage.owner, thread, "one")).json()
    rejected = await say(stage.owner, thread, "two")
    assert rejected.status_code == 409
    assert rejected.json()["code"] == "thread.busy"
    assert rejected.json()["run_id"] == first["run_id"]
    shown = (await stage.owner.get(f"/v1/threads/{thread['thread_id']}")).json()
    assert (shown["status"], [run["run_id"] for run in shown["open_runs"]]) == ("busy", [first["run_id"]])


async def test_of_many_messages_at_once_one_is_taken_and_the_others_are_rejected(stage: Stage):
    thread = await start(stage.owner)
    answers = await asyncio.gather(*(say(stage.owner, thread, str(number)) for number in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7


async def test_enqueued_runs_take_their_turn_one_after_the_other(stage: Stage):
    worker, thread = await stage.scene.worker(), await start(stage.owner)
    runs = [(await say(stage.owner, thread, str(n), multitask_strategy="enqueue")).json() for n in range(3)]
    for number, run in enumerate(runs):
        await stage.scene.admit()
        assert await stage.scene.delivered() == {run_id(run)}
        await answered(stage, worker, run, f"answer {number}")
    page = (await stage.owner.get(f"/v1/threads/{thread['thread_id']}/messages")).json()
    assert [item["content"][0]["text"] for item in page["items"]] == [
        "0", "answer 0", "1", "answer 1", "2", "answer 2",
    ]  # fmt: skip


async def test_an_interrupting_message_cancels_what_runs_and_waits_for_its_end(stage: Stage):
    worker, thread = await stage.scene.worker(), await start(stage.owner)
    running = (await say(stage.owner, thread, "one")).json()
    await stage.scene.admit()
    hold = await worker.claim(run_id(running))
    assert hold is not None
    queued = (await say(stage.owner, thread, "two", multitask_strategy="enqueue")).json()
    newest = (await say(stage.owner, thread, "three", multitask_strategy="interrupt")).json()
    assert (await stage.scene.read(run_id(running))).status is Status.CANCELLING
    assert (await stage.scene.read(run_id(queued))).status is Status.CANCELLED
    await stage.scene.admit()
    assert await stage.scene.delivered() == set()
    await worker.leave(hold, Departure(Status.CANCELLED, ended=True), e.RunFinished(status="cancelled"))
    await stage.scene.admit()
    assert await stage.scene.delivered() == {run_id(newest)}


async def test_a_repeated_request_is_not_rejected_because_of_the_run_that_it_made(stage: Stage):
    thread = await start(stage.owner)
    url, headers = f"/v1/threads/{thread['thread_id']}/runs", {"idempotency-key": "m1"}
    made = [await stage.owner.post(url, json={"input": "hi"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in made] == [202, 202]
    assert made[0].json()["run_id"] == made[1].json()["run_id"]
    other = await stage.owner.post(url, json={"input": "hi"}, headers={"idempotency-key": "m2"})
    assert other.status_code == 409


async def test_a_run_may_name_its_thread_itself(stage: Stage):
    await stage.register("other")
    thread = await start(stage.owner)
    body = {"agent": "desk", "input": "hi", "thread_id": thread["thread_id"]}
    run = await stage.owner.post("/v1/runs", json=body)
    assert (run.status_code, run.json()["thread_id"]) == (202, thread["thread_id"])
    assert (await stage.owner.post("/v1/runs", json=body)).status_code == 409
    enqueued = await stage.owner.post("/v1/runs", json={**body, "multitask_strategy": "enqueue"})
    assert enqueued.status_code == 202
    wrong = await stage.owner.post("/v1/runs", json={**body, "agent": "other"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "thread.other_agent")
    nowhere = await stage.owner.post("/v1/runs", json={**body, "thread_id": str(new_thread_id())})
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "thread.not_found")


async def test_what_was_done_before_a_cancel_stays_in_the_conversation(stage: Stage):
    worker, thread = await stage.scene.worker(), await start(stage.owner)
    run = (await say(stage.owner, thread, "Refund order 7")).json()
    await stage.scene.admit()
    hold = await worker.claim(run_id(run))
    assert hold is not None
    done = e.ToolAnswered(call="c1", content=(Text("Refund 9 made."),))
    events = (*asked(Call("c1", "refund", {"order": 7})), sent(stage.scene, "c1"), done)
    await worker.leave(hold, Departure(Status.CANCELLED, ended=True), *events, e.RunFinished(status="cancelled"))
    page = (await stage.owner.get(f"/v1/threads/{thread['thread_id']}/messages")).json()
    assert [item["role"] for item in page["items"]] == ["user", "model", "tool"]
    assert page["items"][2]["content"][0]["text"] == "Refund 9 made."


async def test_each_end_users_threads_are_its_own(stage: Stage):
    secret = await stage.deployment.key(stage.slug, roles=["caller"], name="backend", may_assert_user=True)
    backend = await stage.deployment.client(secret)
    ann = await stage.deployment.client(secret, quarterdeck_user="ann")
    bob = await stage.deployment.client(secret, quarterdeck_user="bob")
    stranger = await stage.key("caller", name="stranger")
    thread = await start(backend, user_id="ann")
    url = f"/v1/threads/{thread['thread_id']}"
    assert (await ann.get(url)).status_code == 200
    for client in (bob, stranger):
        assert (await client.get(url)).status_code == 404
        assert (await client.get(f"{url}/messages")).status_code == 404
        assert (await say(client, thread, "hi")).status_code == 404
        assert (await client.get("/v1/threads")).json()["items"] == []
    run = await say(backend, thread, "hi")
    assert (run.status_code, run.json()["user_id"]) == (202, "ann")
    body = {"agent": "desk", "input": "x", "thread_id": thread["thread_id"], "user_id": "bob"}
    refused = await backend.post("/v1/runs", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "thread.other_user")


async def test_another_tenants_thread_does_not_exist(stage: Stage):
    umbra = await staged(stage.deployment, "umbra")
    thread = await start(stage.owner)
    assert (await umbra.owner.get(f"/v1/threads/{thread['thread_id']}")).status_code == 404
    assert (await say(umbra.owner, thread, "hi")).status_code == 404
    assert (await umbra.owner.get("/v1/threads")).json()["items"] == []


@pytest.mark.parametrize("change", [{"input": ""}, {"multitask_strategy": "push"}, {"agent": "desk"}])
async def test_a_bad_message_is_told_what_is_wrong(stage: Stage, change: dict[str, object]):
    thread = await start(stage.owner)
    answer = await stage.owner.post(f"/v1/threads/{thread['thread_id']}/runs", json={"input": "x", **change})
    assert answer.status_code == 422
