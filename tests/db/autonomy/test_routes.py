"""`/v1/autonomy`: levels at most as high as the release grants, changed with a reason, and with the evidence kept."""

import asyncio
import time
from typing import Any

import pytest

from quarterdeck.autonomy.book import AutonomyBook
from quarterdeck.core.json import Json, decode_object
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes
from tests.api import Deployment
from tests.db.approvals.scene import AskingScene
from tests.db.runs.api import Stage

SERVER: dict[str, Json] = {"name": "crm", "kind": "http", "url": "https://crm.example.com/mcp"}


def tool(name: str, effect: str, **more: Json) -> dict[str, Json]:
    return {
        "name": name,
        "server": "crm",
        "remote_name": name,
        "description": f"It does {name}.",
        "parameters": {"type": "object", "properties": {"order": {"type": "integer"}}},
        "effect": effect,
        "repeat": "safe" if effect == "read" else "keyed",
        "trust": "trusted",
        **more,
    }


TOOLS: list[Json] = [
    tool("find_order", "read"),
    tool("refund", "payment", autonomy="free"),
    tool("mail", "external_message"),
]


@pytest.fixture
async def granted(stage: Stage) -> Stage:
    """The agent has tools at several levels."""
    await stage.register(prompt="You act.", servers=[SERVER], tools=TOOLS)
    return stage


async def level(client: Any, name: str = "refund") -> dict[str, Any]:
    return (await client.get(f"/v1/autonomy/desk/{name}")).json()


async def test_each_tool_that_is_not_a_read_is_listed_with_what_holds(granted: Stage):
    page = (await granted.owner.get("/v1/autonomy")).json()
    assert [(item["tool"], item["ceiling"], item["level"]) for item in page["items"]] == [
        ("mail", "ask_when_risky", "ask_when_risky"),
        ("refund", "free", "free"),
    ]
    assert page["items"][1]["evidence"]["words"] == "nobody was asked in 90 days"
    first = (await granted.owner.get("/v1/autonomy", params={"limit": 1})).json()
    rest = (await granted.owner.get("/v1/autonomy", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [item["tool"] for item in rest["items"]] == ["refund"]
    assert rest["next_cursor"] is None
    assert (await granted.owner.get("/v1/autonomy", params={"agent": "other"})).json()["items"] == []


async def test_a_level_is_set_with_the_evidence_of_that_moment(granted: Stage):
    asking = AskingScene(granted.scene.database, granted.scene.tenant)
    for verdict in (asking.approve, asking.approve, asking.deny):
        await verdict((await asking.asking()).id)
    await asking.approve((await asking.asking()).id, arguments={"order": 5})
    body = {"level": "ask_always", "why": "a new model"}
    answer = await granted.owner.put("/v1/autonomy/desk/refund", json=body)
    shown = answer.json()
    assert (answer.status_code, shown["level"], shown["ceiling"]) == (200, "ask_always", "free")
    assert shown["setting"]["evidence"]["words"] == "approved 3 of 4 in 90 days, 1 of them edited"
    await asking.deny((await asking.asking()).id)
    assert (await level(granted.owner))["setting"]["evidence"]["denied"] == 1
    assert (await level(granted.owner))["evidence"]["denied"] == 2


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("desk/mail", {"level": "free", "why": "200 of 200"}, 409, "autonomy.above_ceiling"),
        ("desk/refund", {"level": "suggest", "why": " "}, 422, "autonomy.reason_missing"),
        ("desk/find_order", {"level": "suggest", "why": "why"}, 422, "autonomy.needs_no_level"),
        ("desk/nothing", {"level": "suggest", "why": "why"}, 404, "autonomy.no_such_tool"),
        ("nobody/refund", {"level": "suggest", "why": "why"}, 404, "autonomy.no_such_tool"),
        ("desk/refund", {"level": "whatever", "why": "why"}, 422, "request.invalid"),
    ],
)
async def test_what_may_not_be_set_is_refused(granted: Stage, path: str, body: dict[str, str], status: int, code: str):
    answer = await granted.owner.put(f"/v1/autonomy/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_every_change_is_kept_and_audited(granted: Stage):
    operator = await granted.key("operator")
    path = "/v1/autonomy/desk/refund"
    await operator.put(path, json={"level": "suggest", "why": "incident"})
    await operator.put(path, json={"level": "suggest", "why": "again"})  # changes nothing
    await operator.put(path, json={"level": "ask_when_risky", "why": "over"})
    assert (await operator.delete(path)).status_code == 422
    assert (await operator.delete(path, params={"why": " "})).json()["code"] == "autonomy.reason_missing"
    assert (await operator.get("/v1/autonomy/desk/nothing/changes")).status_code == 404
    assert (await operator.delete(path, params={"why": "as before"})).status_code == 204
    assert (await operator.delete(path, params={"why": "as before"})).json()["code"] == "autonomy.not_set"
    changes = (await operator.get(f"{path}/changes")).json()["items"]
    assert [(change["level"], change["previous"], change["why"]) for change in changes] == [
        (None, "ask_when_risky", "as before"),
        ("ask_when_risky", "suggest", "over"),
        ("suggest", None, "incident"),
    ]
    assert (await level(operator))["level"] == "free"
    async with granted.scene.database.system.transaction() as tx:
        rows = await tx.fetch("SELECT target, status, payload FROM qd.audit_waiting WHERE kind = 'autonomy.changed'")
    assert [row["target"] for row in rows] == ["desk/refund"] * 3
    assert [row["status"] for row in rows] == ["suggest", "ask_when_risky", "as granted"]
    assert decode_object(rows[0]["payload"])["inputs"]


async def test_only_operators_change_levels_and_of_their_agents(granted: Stage):
    body = {"level": "suggest", "why": "why"}
    for role in ("developer", "reviewer", "auditor"):
        client = await granted.key(role)
        assert (await client.get("/v1/autonomy/desk/refund")).status_code == 200
        assert (await client.put("/v1/autonomy/desk/refund", json=body)).status_code == 403
    elsewhere = await granted.key("operator", agents=["other"])
    assert (await elsewhere.put("/v1/autonomy/desk/refund", json=body)).status_code == 404
    assert (await elsewhere.get("/v1/autonomy")).json()["items"] == []
    assert (await (await granted.key("caller")).get("/v1/autonomy")).status_code == 403


async def test_who_saves_second_learns_of_it(granted: Stage):
    path = "/v1/autonomy/desk/refund"
    seen = (await granted.owner.get(path)).headers["etag"]
    first = await granted.owner.put(path, json={"level": "suggest", "why": "a"}, headers={"if-match": seen})
    assert first.status_code == 200
    second = await granted.owner.put(path, json={"level": "ask_always", "why": "b"}, headers={"if-match": seen})
    assert second.status_code == 412


async def test_every_process_knows_within_a_second(granted: Stage, deployment: Deployment):
    parts = deployment.parts
    wakes = Wakes(urls_of(parts.settings).listen)
    await wakes.start()
    book = AutonomyBook(parts.database, wakes, pause=30.0)
    await book.start()
    tenant = granted.scene.tenant
    try:
        assert book.level(tenant, "desk", "refund", "free") == "free"
        assert book.digest(tenant) == ""
        await asyncio.sleep(0.2)  # listening
        await granted.owner.put("/v1/autonomy/desk/refund", json={"level": "suggest", "why": "incident"})
        began = time.monotonic()
        while book.level(tenant, "desk", "refund", "free") == "free":
            assert time.monotonic() - began < 5.0
            await asyncio.sleep(0.005)
        assert time.monotonic() - began < 1.0
        assert book.level(tenant, "desk", "mail", "ask_when_risky") == "ask_when_risky"
        assert book.digest(tenant) != ""
    finally:
        await book.close()
        await wakes.close()


async def test_a_book_that_could_not_look_lets_nothing_pass_without_a_question(granted: Stage, deployment: Deployment):
    now = 0.0
    book = AutonomyBook(deployment.parts.database, deployment.parts.wakes, now=lambda: now)
    tenant = granted.scene.tenant
    assert book.level(tenant, "desk", "refund", "free") == "ask_always"
    await book.look()
    assert book.level(tenant, "desk", "refund", "free") == "free"
    now = 6.0
    assert not book.known
    assert book.level(tenant, "desk", "refund", "free") == "ask_always"
    assert book.level(tenant, "desk", "refund", "suggest") == "suggest"
