"""`/v1/providers` as a deployment admin sees it, and as others don't."""

import httpx
import pytest

from quarterdeck.providers.service import Providers
from tests.api import Deployment

KEY = "sk-canary-4f6a0b1c2d3e4f5a6b7c8d9e"
NEW = {"name": "openai", "kind": "openai", "key": KEY, "options": {"idle_timeout": 5}}


async def test_a_connection_is_made_listed_read_changed_and_removed(admin: httpx.AsyncClient):
    made = await admin.post("/v1/providers", json=NEW)
    assert (made.status_code, made.headers["location"]) == (201, "/v1/providers/openai")
    body = made.json()
    assert body["base_url"] == "https://api.openai.com/v1"
    assert (body["has_key"], body["tenants"], body["agents"]) == (True, None, None)
    assert (await admin.get("/v1/providers")).json() == {"items": [body], "next_cursor": None}
    read = await admin.get("/v1/providers/openai")
    assert (read.json(), read.headers["etag"]) == (body, made.headers["etag"])
    changed = await admin.patch(
        "/v1/providers/openai", json={"agents": ["desk"]}, headers={"if-match": read.headers["etag"]}
    )
    assert (changed.status_code, changed.json()["agents"]) == (200, ["desk"])
    assert changed.json()["options"] == {"idle_timeout": 5}
    assert changed.headers["etag"] != read.headers["etag"]
    assert (await admin.delete("/v1/providers/openai")).status_code == 204
    assert (await admin.get("/v1/providers/openai")).status_code == 404


async def test_no_answer_ever_holds_the_key(admin: httpx.AsyncClient, deployment: Deployment):
    answers = [
        await admin.post("/v1/providers", json=NEW),
        await admin.get("/v1/providers/openai"),
        await admin.get("/v1/providers"),
        await admin.patch("/v1/providers/openai", json={"key": KEY}),
        await admin.patch("/v1/providers/openai", json={"base_url": "https://elsewhere.example/v1"}),
        await admin.post("/v1/providers", json={**NEW, "kind": "nonsense"}),
        await admin.post("/v1/providers", json={**NEW, "options": {"nope": KEY[:4]}}),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 409, 422, 422]
    assert not [answer for answer in answers if KEY in answer.text]
    providers = Providers.of(deployment.parts.database, deployment.parts.settings)
    assert providers.open_key(await providers.get("openai")) == KEY


async def test_the_same_request_again_gives_the_same_answer(admin: httpx.AsyncClient):
    first = await admin.post("/v1/providers", json=NEW, headers={"idempotency-key": "once"})
    again = await admin.post("/v1/providers", json=NEW, headers={"idempotency-key": "once"})
    other = await admin.post("/v1/providers", json={**NEW, "name": "two"}, headers={"idempotency-key": "once"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.json() == first.json()
    assert (await admin.post("/v1/providers", json=NEW)).status_code == 409


async def test_a_change_made_from_an_old_version_is_refused(admin: httpx.AsyncClient):
    made = await admin.post("/v1/providers", json=NEW)
    await admin.patch("/v1/providers/openai", json={"agents": ["a"]})
    late = await admin.patch("/v1/providers/openai", json={"agents": ["b"]}, headers={"if-match": made.headers["etag"]})
    assert late.status_code == 412
    assert (await admin.get("/v1/providers/openai")).json()["agents"] == ["a"]


async def test_a_key_does_not_follow_to_another_origin(admin: httpx.AsyncClient):
    await admin.post("/v1/providers", json=NEW)
    moved = await admin.patch("/v1/providers/openai", json={"base_url": "https://elsewhere.example/v1"})
    assert (moved.status_code, moved.json()["code"]) == (409, "provider.key_bound")
    assert moved.json()["bound_to"] == "https://api.openai.com:443"
    given = await admin.patch(
        "/v1/providers/openai", json={"base_url": "https://elsewhere.example/v1", "key": "sk-new-key-1"}
    )
    assert (given.status_code, given.json()["base_url"]) == (200, "https://elsewhere.example/v1")
    gone = await admin.patch("/v1/providers/openai", json={"key": None})
    assert gone.json()["has_key"] is False


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "X Y", "kind": "openai"},
        {"name": "x", "kind": "openai_compatible"},
        {"name": "x", "kind": "openai", "base_url": "file:///etc/passwd"},
        {"name": "x", "kind": "openai", "base_url": "https://me:pass@host"},
        {"name": "x", "kind": "openai", "surprise": 1},
        {"name": "x", "kind": "openai", "key": "two\nlines"},
        {"name": "x", "kind": "openai", "key": "with blanks "},
        {"name": "x", "kind": "openai", "agents": ["a\u0000b"]},
        {"name": "x", "kind": "openai", "options": {"organization": "a\u0000b"}},
        {"name": "x", "kind": "openai", "base_url": "https://host/\u0000"},
        {"name": "x", "kind": "openai", "base_url": "https://h\u00f6st/"},
        {"name": "x", "kind": "openai", "tenants": ["nobody"]},
        {"name": "x", "kind": "recorded", "key": "k"},
        {"name": "x", "kind": "scripted", "options": {"latency_ms": "soon"}},
    ],
)
async def test_what_can_not_work_is_refused(admin: httpx.AsyncClient, body: dict[str, object]):
    answer = await admin.post("/v1/providers", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await admin.get("/v1/providers")).json()["items"] == []


async def test_nobody_but_a_deployment_admin_sees_connections(deployment: Deployment, admin: httpx.AsyncClient):
    await admin.post("/v1/providers", json=NEW)
    owner = await deployment.tenant("acme")
    stranger = await deployment.client()
    for client, status in ((owner, 403), (stranger, 401)):
        answers = [
            await client.get("/v1/providers"),
            await client.get("/v1/providers/openai"),
            await client.get("/v1/providers/nope"),
            await client.post("/v1/providers", json=NEW),
            await client.patch("/v1/providers/openai", json={"agents": []}),
            await client.delete("/v1/providers/openai"),
        ]
        assert [answer.status_code for answer in answers] == [status] * 6
    assert (await admin.get("/v1/providers/openai")).json()["agents"] is None
