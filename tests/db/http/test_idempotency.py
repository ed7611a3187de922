"""The same POST twice does its work once, whatever happens in between."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from quarterdeck.core.errors import Conflict
from quarterdeck.core.ids import KeyId, UserId
from quarterdeck.db.pool import Database
from quarterdeck.http import border
from quarterdeck.http.actor import Actor, ActorDep, Role
from quarterdeck.http.answers import Answer
from quarterdeck.http.credentials import Credentials
from quarterdeck.http.idempotency import idempotent
from tests.api import Deployment


async def test_the_same_request_is_answered_as_the_first_time_without_the_secret(deployment: Deployment, acme):
    wanted, headers = {"name": "ci", "roles": ["caller"]}, {"idempotency-key": '"abc"'}
    first = await acme.post("/v1/keys", json=wanted, headers=headers)
    again = await acme.post("/v1/keys", json=wanted, headers={"idempotency-key": "abc"})
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.headers["location"] == first.headers["location"]
    assert again.json() == {**first.json(), "secret": None}
    assert sum(key["name"] == "ci" for key in (await acme.get("/v1/keys")).json()["items"]) == 1


async def test_another_body_or_address_or_user_under_the_same_key_is_refused(deployment: Deployment, acme):
    headers = {"idempotency-key": "abc"}
    await acme.post("/v1/keys", json={"name": "ci", "roles": ["caller"]}, headers=headers)
    other = await acme.post("/v1/keys", json={"name": "cd", "roles": ["caller"]}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.reused")
    key = (await acme.get("/v1/sessions/current")).json()["key_id"]
    elsewhere = await acme.post(f"/v1/keys/{key}/rotate", headers=headers)
    assert elsewhere.json()["code"] == "idempotency.reused"


async def test_two_keys_of_a_tenant_and_two_tenants_never_see_each_others_answers(deployment: Deployment, acme, umbra):
    colleague = await deployment.client(await deployment.key("acme", roles=["owner"]))
    wanted, headers = {"name": "ci", "roles": ["caller"]}, {"idempotency-key": "abc"}
    answers = [await owner.post("/v1/keys", json=wanted, headers=headers) for owner in (acme, colleague, umbra)]
    assert len({answer.json()["id"] for answer in answers}) == 3
    assert all(answer.json()["secret"] for answer in answers)


async def test_an_admin_outside_all_tenants_is_answered_twice_alike_too(deployment: Deployment):
    admin, headers = await deployment.admin(), {"idempotency-key": "abc"}
    first = await admin.post("/v1/tenants", json={"slug": "acme"}, headers=headers)
    again = await admin.post("/v1/tenants", json={"slug": "acme"}, headers=headers)
    assert first.json() == again.json()
    assert again.status_code == 201


@pytest.mark.parametrize("wrong", ["", '"', '""', "a b", "a" * 256, "é"])
async def test_a_malformed_key_is_a_malformed_request(acme, wrong):
    answer = await acme.post(
        "/v1/keys", json={"name": "x", "roles": ["caller"]}, headers=[(b"idempotency-key", wrong.encode())]
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency.malformed")


class Workshop:
    """A route that works on command, so that a test can look at it while it does."""

    def __init__(self, database: Database) -> None:
        self.made = 0
        self.busy = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.fails = False
        self.app = FastAPI()
        border.install(self.app, max_body=1000)
        self.app.state.authenticator = self

        @self.app.post("/v1/things")
        async def make(request: Request, actor: ActorDep) -> Response:
            async with database.system.transaction() as tx:

                async def act() -> Answer:
                    self.made += 1
                    self.busy.set()
                    await self.may_go_on.wait()
                    if self.fails:
                        raise Conflict
                    return Answer({"made": self.made}, 201)

                return await idempotent(request, actor, tx, act)

    async def authenticate(self, credentials: Credentials) -> Actor:
        return Actor(KeyId("k"), "k", UserId("u"), frozenset({Role.OWNER}), admin=True)

    def post(self):
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        return client.post("/v1/things", json={}, headers={"idempotency-key": "k"})


async def test_while_the_first_is_in_flight_the_second_is_told_to_wait(database: Database):
    workshop = Workshop(database)
    first = asyncio.create_task(workshop.post())
    await workshop.busy.wait()
    second = await workshop.post()
    assert (second.status_code, second.json()["code"]) == (409, "idempotency.in_flight")
    assert second.headers["retry-after"] == "1"
    workshop.may_go_on.set()
    assert (await first).json() == (await workshop.post()).json() == {"made": 1}


async def test_a_request_that_failed_or_was_cut_off_may_be_made_again_at_once(database: Database):
    workshop = Workshop(database)
    cut = asyncio.create_task(workshop.post())
    await workshop.busy.wait()
    cut.cancel()
    await asyncio.wait({cut})
    workshop.may_go_on.set()
    workshop.fails = True
    assert (await workshop.post()).json()["code"] == "conflict"
    workshop.fails = False
    assert (await workshop.post()).json() == {"made": 3}


async def test_an_answer_is_kept_for_a_day_and_swept_afterwards(deployment: Deployment, acme):
    from quarterdeck.http import store
    from quarterdeck.http.idempotency import KEPT_FOR

    wanted, headers = {"name": "ci", "roles": ["caller"]}, {"idempotency-key": "abc"}
    first = await acme.post("/v1/keys", json=wanted, headers=headers)
    async with deployment.parts.database.system.transaction() as tx:
        tenant = await tx.fetchval(
            "UPDATE qd.idempotency SET created_at = now() - interval '25 hours' RETURNING tenant"
        )
    later = await acme.post("/v1/keys", json=wanted, headers=headers)
    assert later.json()["id"] != first.json()["id"]
    async with deployment.parts.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.idempotency SET created_at = now() - interval '25 hours'")
    async with deployment.parts.database.tenant(tenant) as tx:
        await store.forget(tx, tenant, KEPT_FOR.total_seconds())
        assert await tx.fetchval("SELECT count(*) FROM qd.idempotency") == 0
