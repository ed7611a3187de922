"""`/v1/webhooks` as a client sees it, on a real database and with a real receiver."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from quarterdeck.core.clock import SystemClock
from quarterdeck.core.errors import Unauthenticated
from quarterdeck.core.ids import KeyId, TenantId, UserId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.core.signature import verify
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes
from quarterdeck.http import border
from quarterdeck.http.actor import Actor, Role
from quarterdeck.http.credentials import Credentials
from quarterdeck.http.parts import Parts, join
from quarterdeck.net.records import Reach
from quarterdeck.webhooks import routes
from quarterdeck.webhooks.service import MOST_ENDPOINTS
from tests.db.net.servers import http
from tests.db.webhooks.scene import Scene, receiving


class Known:
    """Actors by their bearer token."""

    def __init__(self) -> None:
        self.actors: dict[str, Actor] = {}

    async def authenticate(self, credentials: Credentials) -> Actor:
        actor = self.actors.get(credentials.secret)
        if actor is None:
            raise Unauthenticated
        return actor


@dataclass
class Desk:
    scene: Scene
    app: FastAPI
    known: Known
    client: httpx2.AsyncClient

    async def actor(self, *roles: Role, tenant: TenantId | None = None) -> TenantId:
        """Make the client act with these roles from now on."""
        tenant = tenant or await self.scene.tenant()
        token = f"token-{len(self.known.actors)}"
        key = KeyId(f"k{len(self.known.actors)}")
        self.known.actors[token] = Actor(key, "test", UserId("u"), frozenset(roles or {Role.OWNER}), tenant=tenant)
        self.client.headers["authorization"] = f"Bearer {token}"
        return tenant


def desk_of(database: Database, settings: Settings, reach: Reach) -> Desk:
    scene, app, known = Scene(database, reach), FastAPI(), Known()
    border.install(app, max_body=1 << 20)
    app.include_router(routes.router)
    wakes = Wakes(urls_of(settings).listen)  # no route of this package sends one
    join(app, Parts(settings, database, SystemClock(), wakes, asyncio.Event()), known)
    app.state.webhooks = scene.webhooks
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return Desk(scene, app, known, httpx2.AsyncClient(transport=transport, base_url="http://test"))


@pytest.fixture
async def desk(database: Database, settings: Settings) -> AsyncIterator[Desk]:
    desk = desk_of(database, settings, Reach(allow_private=True))
    async with desk.client, desk.scene.outbound:
        yield desk


@pytest.fixture
async def strict_desk(database: Database, settings: Settings) -> AsyncIterator[Desk]:
    desk = desk_of(database, settings, Reach())
    async with desk.client, desk.scene.outbound:
        yield desk


HOOK = {"url": "http://127.0.0.1:9/hooks"}


async def test_a_webhook_is_registered_and_its_secret_shown_once(desk: Desk, database: Database) -> None:
    await desk.actor(Role.DEVELOPER)
    given = {
        "url": "HTTP://127.0.0.1:9/hooks",
        "kinds": ["run.parked", "run.finished", "run.parked"],
        "description": "d",
    }
    answer = await desk.client.post("/v1/webhooks", json=given)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/webhooks/{made['id']}"
    assert made["url"] == "http://127.0.0.1:9/hooks"
    assert made["kinds"] == ["run.parked", "run.finished"]
    assert (made["enabled"], made["disabled_reason"], made["failing_since"]) == (True, None, None)
    assert made["created_by"] == "key:k0"
    assert made["secret"].startswith("whsec_")
    shown = await desk.client.get(answer.headers["location"])
    assert shown.json() == {name: value for name, value in made.items() if name != "secret"}
    assert shown.headers["etag"] == answer.headers["etag"]
    async with database.system.transaction() as tx:
        (sealed,) = await tx.fetchval("SELECT sealed_secrets FROM qd.webhook_endpoints")
    assert made["secret"].removeprefix("whsec_").encode() not in sealed


async def test_everything_is_told_when_nothing_is_said_of_kinds(desk: Desk) -> None:
    await desk.actor()
    assert (await desk.client.post("/v1/webhooks", json=HOOK)).json()["kinds"] == ["*"]


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://127.0.0.1/", "loopback"),
        ("http://localhost/", "not_public"),
        ("http://[::1]/", "loopback"),
        ("http://[::ffff:10.0.0.1]/", "embedded_ipv4"),
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("http://2130706433/", "host_spelling"),
        ("https://user:password@example.com/", "userinfo"),
        ("ftp://example.com/", "scheme"),
        ("", "scheme"),
    ],
)
async def test_a_url_that_leads_inside_is_refused_when_it_is_registered(strict_desk: Desk, url: str, rule: str) -> None:
    await strict_desk.actor()
    answer = await strict_desk.client.post("/v1/webhooks", json={"url": url})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["rule"]) == (422, "net.target_refused", rule)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await strict_desk.client.get("/v1/webhooks")).json()["items"] == []


async def test_a_url_that_leads_inside_is_refused_when_it_is_changed(strict_desk: Desk) -> None:
    tenant = await strict_desk.actor()
    async with receiving() as receiver:
        endpoint = await strict_desk.scene.register(tenant, receiver)
    answer = await strict_desk.client.patch(f"/v1/webhooks/{endpoint.id}", json={"url": "http://10.0.0.1/"})
    assert (answer.status_code, answer.json()["rule"]) == (422, "private")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 1},
        {"url": "http://127.0.0.1/", "kinds": []},
        {"url": "http://127.0.0.1/", "kinds": ["run.exploded"]},
        {"url": "http://127.0.0.1/", "description": "x" * 501},
        {"url": "http://127.0.0.1/", "description": "\x00"},
        {"url": "http://127.0.0.1/", "secret": "whsec_mine"},
        {"url": "http://127.0.0.1/" + "a" * 3000},
        {"url": "http://127.0.0.1/\x00"},
    ],
)
async def test_malformed_webhooks_are_refused_with_the_place_or_the_rule(desk: Desk, body: dict[str, object]) -> None:
    await desk.actor()
    answer = await desk.client.post("/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] in {"request.invalid", "net.target_refused"}


async def test_half_a_surrogate_pair_is_refused(desk: Desk) -> None:
    await desk.actor()
    for body in (b'{"url": "http://127.0.0.1/\\ud800"}', b'{"url": "http://127.0.0.1/", "description": "\\ud800"}'):
        answer = await desk.client.post("/v1/webhooks", content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500


async def test_an_idempotent_repeat_makes_one_webhook_and_does_not_show_the_secret_again(desk: Desk) -> None:
    await desk.actor()
    first = await desk.client.post("/v1/webhooks", json=HOOK, headers={"idempotency-key": '"a"'})
    again = await desk.client.post("/v1/webhooks", json=HOOK, headers={"idempotency-key": '"a"'})
    assert again.status_code == 201
    assert again.json() == {**first.json(), "secret": None}
    assert len((await desk.client.get("/v1/webhooks")).json()["items"]) == 1


async def test_webhooks_are_listed_page_by_page_in_the_order_they_were_registered(desk: Desk) -> None:
    await desk.actor()
    made = [(await desk.client.post("/v1/webhooks", json=HOOK)).json()["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await desk.client.get("/v1/webhooks", params=query)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made


async def test_a_tenant_has_only_so_many_webhooks(desk: Desk, database: Database) -> None:
    tenant = await desk.actor()
    async with receiving() as receiver:
        for _ in range(MOST_ENDPOINTS):
            await desk.scene.register(tenant, receiver)
    answer = await desk.client.post("/v1/webhooks", json=HOOK)
    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (
        409,
        "webhook.too_many",
        MOST_ENDPOINTS,
    )


async def test_another_tenants_webhook_does_not_exist(desk: Desk) -> None:
    tenant = await desk.actor()
    async with receiving() as receiver:
        endpoint = await desk.scene.register(tenant, receiver)
        async with desk.scene.database.tenant(tenant) as tx:
            delivery = await desk.scene.webhooks.test(tx, tenant, endpoint.id)
    await desk.actor()
    path = f"/v1/webhooks/{endpoint.id}"
    answers = [
        await desk.client.get(path),
        await desk.client.patch(path, json={"enabled": False}),
        await desk.client.delete(path),
        await desk.client.post(f"{path}/rotate"),
        await desk.client.post(f"{path}/test"),
        await desk.client.get(f"{path}/deliveries"),
        await desk.client.get(f"{path}/deliveries/{delivery.id}"),
        await desk.client.post(f"{path}/deliveries/{delivery.id}/redeliver"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 8
    assert (await desk.client.get("/v1/webhooks")).json()["items"] == []
    assert (await desk.scene.endpoint(tenant, endpoint.id)).disabled_at is None


async def test_who_may_only_call_sees_nothing_and_who_may_read_changes_nothing(desk: Desk) -> None:
    tenant = await desk.actor(Role.OPERATOR)
    path = (await desk.client.post("/v1/webhooks", json=HOOK)).headers["location"]
    await desk.actor(Role.CALLER, tenant=tenant)
    assert (await desk.client.get(path)).status_code == 403
    await desk.actor(Role.AUDITOR, tenant=tenant)
    assert (await desk.client.get(path)).status_code == 200
    assert (await desk.client.get(f"{path}/deliveries")).status_code == 200
    assert (await desk.client.post("/v1/webhooks", json=HOOK)).status_code == 403
    assert (await desk.client.patch(path, json={})).status_code == 403
    assert (await desk.client.delete(path)).status_code == 403
    assert (await desk.client.post(f"{path}/rotate")).status_code == 403
    assert (await desk.client.post(f"{path}/test")).status_code == 403
    desk.client.headers.pop("authorization")
    assert (await desk.client.get(path)).status_code == 401


async def test_a_change_changes_what_it_names_and_minds_the_version_it_was_made_from(desk: Desk) -> None:
    await desk.actor()
    made = await desk.client.post("/v1/webhooks", json={**HOOK, "description": "before"})
    path, etag = made.headers["location"], made.headers["etag"]
    changed = await desk.client.patch(path, json={"kinds": ["run.parked"]}, headers={"if-match": etag})
    assert changed.status_code == 200
    assert (changed.json()["kinds"], changed.json()["description"]) == (["run.parked"], "before")
    assert changed.headers["etag"] != etag
    late = await desk.client.patch(path, json={"description": "late"}, headers={"if-match": etag})
    assert late.status_code == 412
    assert (await desk.client.get(path)).json()["description"] == "before"


async def test_disabling_gives_up_what_was_to_come_and_enabling_starts_afresh(desk: Desk) -> None:
    tenant = await desk.actor()
    async with receiving(http(500)) as receiver:
        endpoint = await desk.scene.register(tenant, receiver)
        path = f"/v1/webhooks/{endpoint.id}"
        await desk.scene.tell(tenant)
        async with desk.scene.working():
            await desk.scene.settled(tenant, endpoint.id, 1)
        assert (await desk.client.get(path)).json()["failing_since"] is not None
    disabled = (await desk.client.patch(path, json={"enabled": False})).json()
    assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "Disabled by hand.")
    items = (await desk.client.get(f"{path}/deliveries")).json()["items"]
    assert [item["state"] for item in items] == ["dead"]
    test = await desk.client.post(f"{path}/test")
    assert (test.status_code, test.json()["code"]) == (409, "webhook.disabled")
    enabled = (await desk.client.patch(path, json={"enabled": True})).json()
    assert (enabled["enabled"], enabled["disabled_at"], enabled["failing_since"]) == (True, None, None)
    assert (await desk.client.post(f"{path}/test")).status_code == 202


async def test_a_removed_webhook_is_gone_with_its_log(desk: Desk, database: Database) -> None:
    await desk.actor()
    path = (await desk.client.post("/v1/webhooks", json=HOOK)).headers["location"]
    await desk.client.post(f"{path}/test")
    assert (await desk.client.delete(path)).status_code == 204
    assert (await desk.client.get(path)).status_code == 404
    assert (await desk.client.delete(path)).status_code == 404
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.webhook_deliveries") == 0


async def test_a_test_message_arrives_whatever_kinds_were_asked_for(desk: Desk) -> None:
    tenant = await desk.actor()
    async with receiving() as receiver:
        endpoint = await desk.scene.register(tenant, receiver, "run.parked")
        answer = await desk.client.post(f"/v1/webhooks/{endpoint.id}/test")
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["kind"]) == ("pending", "webhook.test")
        async with desk.scene.working():
            await desk.scene.settled(tenant, endpoint.id, 1)
        assert receiver.ids == [answer.json()["id"]]
    shown = (await desk.client.get(answer.headers["location"])).json()
    assert (shown["state"], shown["last_status"], shown["next_at"]) == ("delivered", 204, None)


async def test_a_rotation_shows_the_new_secret_once_and_keeps_the_old_one_signing(desk: Desk) -> None:
    tenant = await desk.actor()
    async with receiving() as receiver:
        endpoint = await desk.scene.register(tenant, receiver)
        (old,) = receiver.secrets
        path = f"/v1/webhooks/{endpoint.id}/rotate"
        first = await desk.client.post(path, json={"overlap_seconds": 60}, headers={"idempotency-key": "r"})
        again = await desk.client.post(path, json={"overlap_seconds": 60}, headers={"idempotency-key": "r"})
        assert again.json() == {**first.json(), "secret": None}
        until = datetime.fromisoformat(first.json()["previous_valid_until"]) - datetime.now(UTC)
        assert timedelta(seconds=30) < until <= timedelta(seconds=60)
        await desk.client.post(f"/v1/webhooks/{endpoint.id}/test")
        async with desk.scene.working():
            await desk.scene.settled(tenant, endpoint.id, 1)
        (request,) = receiver.server.requests
        for secret in (old, first.json()["secret"]):
            verify([secret], request.headers, request.body)
    assert (await desk.client.post(path)).status_code == 200
    assert (await desk.client.post(path, json={"overlap_seconds": -1})).status_code == 422


async def test_a_dead_or_delivered_message_can_be_sent_again_under_its_own_id(desk: Desk) -> None:
    tenant = await desk.actor()
    async with receiving() as receiver:
        endpoint = await desk.scene.register(tenant, receiver)
        await desk.scene.tell(tenant)
        async with desk.scene.working():
            (delivery,) = await desk.scene.settled(tenant, endpoint.id, 1)
            desk.scene.ended.clear()
            path = f"/v1/webhooks/{endpoint.id}/deliveries/{delivery.id}"
            again = await desk.client.post(f"{path}/redeliver")
            assert (again.status_code, again.json()["state"]) == (202, "pending")
            await desk.scene.settled(tenant, endpoint.id, 1)
        assert receiver.ids == [str(delivery.id)] * 2
    assert (await desk.client.get(path)).json()["state"] == "delivered"
    missing = await desk.client.post(f"/v1/webhooks/{endpoint.id}/deliveries/{uuid7()}/redeliver")
    assert (missing.status_code, missing.json()["code"]) == (404, "webhook.delivery_missing")


async def test_deliveries_are_listed_newest_first_by_state_and_page(desk: Desk) -> None:
    tenant = await desk.actor()
    async with receiving(*[http(500)] * 2, http(200)) as receiver:
        endpoint = await desk.scene.register(tenant, receiver)
        runs = [await desk.scene.tell(tenant) for _ in range(5)]
        async with desk.scene.working():
            await desk.scene.settled(tenant, endpoint.id, 5)
    path = f"/v1/webhooks/{endpoint.id}/deliveries"
    everything = (await desk.client.get(path)).json()["items"]
    assert [UUID(item["id"]) for item in everything] == sorted((UUID(item["id"]) for item in everything), reverse=True)
    assert {item["run_id"] for item in everything} == {str(run) for run in runs}
    first = (await desk.client.get(path, params={"limit": 3})).json()
    rest = (await desk.client.get(path, params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert first["items"] + rest["items"] == everything
    assert rest["next_cursor"] is None
    pending = (await desk.client.get(path, params={"state": "pending"})).json()["items"]
    assert [item["last_status"] for item in pending] == [500, 500]
    assert (await desk.client.get(path, params={"state": "lost"})).status_code == 422
    assert (await desk.client.get(path, params={"cursor": "nonsense"})).status_code == 422


async def test_every_answer_is_described(desk: Desk) -> None:
    paths = desk.app.openapi()["paths"]
    assert sorted(paths) == [
        "/v1/webhooks",
        "/v1/webhooks/{webhook_id}",
        "/v1/webhooks/{webhook_id}/deliveries",
        "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}",
        "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
        "/v1/webhooks/{webhook_id}/rotate",
        "/v1/webhooks/{webhook_id}/test",
    ]
    for path in paths.values():
        for operation in path.values():
            done = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            assert "content" in done or operation["operationId"].startswith("remove_webhook")
