"""Keys: what they open, what they don't, and how they end."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from quarterdeck.core.clock import FakeClock
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.serve.app import open_app
from quarterdeck.tenants.minting import Peppers, hash_key
from quarterdeck.tenants.records import AlreadyBootstrapped
from quarterdeck.tenants.service import bootstrap
from tests.api import HERE, Deployment


async def test_a_secret_is_shown_once_and_kept_nowhere(deployment: Deployment, acme, owner_url):
    issued = (await acme.post("/v1/keys", json={"name": "ci", "roles": ["caller"]})).json()
    secret = issued["secret"]
    assert secret.startswith(f"qd_{issued['id']}_")
    shown = await acme.get(f"/v1/keys/{issued['id']}")
    assert "secret" not in shown.json()
    async with deployment.parts.database.system.transaction() as tx:
        rows = await tx.fetch("SELECT row_to_json(k)::text AS row FROM qd.keys k")
        found = await tx.fetchval("SELECT hash FROM qd.keys WHERE id = $1", issued["id"])
    assert not any(secret.rpartition("_")[2] in row["row"] for row in rows)
    assert found == hash_key(Peppers.of(deployment.parts.settings), secret)


async def test_a_key_with_one_letter_changed_is_not_valid(deployment: Deployment):
    key = deployment.admin_key
    for wrong in (key[:-1] + ("A" if key[-1] != "A" else "B"), key[:-1], key + "A", "qd_nobody000000_" + "x" * 43, "x"):
        answer = await (await deployment.client(wrong)).get("/v1/sessions/current")
        assert answer.status_code == 401
        assert answer.json()["code"] == "auth.unauthenticated"
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_without_credentials_nothing_is_said_but_401(deployment: Deployment):
    for path in ("/v1/keys", "/v1/tenants", "/v1/keys/none", "/v1/sessions/current", "/metrics"):
        assert (await (await deployment.client()).get(path)).status_code == 401


async def test_another_tenants_key_does_not_exist(deployment: Deployment, acme, umbra):
    issued = (await acme.post("/v1/keys", json={"name": "ci", "roles": ["caller"]})).json()
    for answer in (
        await umbra.get(f"/v1/keys/{issued['id']}"),
        await umbra.delete(f"/v1/keys/{issued['id']}"),
        await umbra.post(f"/v1/keys/{issued['id']}/rotate"),
    ):
        assert answer.status_code == 404
        assert answer.json()["code"] == "key.missing"
    assert all(key["id"] != issued["id"] for key in (await umbra.get("/v1/keys")).json()["items"])
    assert (await acme.get(f"/v1/keys/{issued['id']}")).json()["status"] == "active"


async def test_a_revoked_key_is_refused_at_once_and_says_so(deployment: Deployment, acme):
    issued = (await acme.post("/v1/keys", json={"name": "ci", "roles": ["developer"]})).json()
    ci = await deployment.client(issued["secret"])
    assert (await ci.get("/v1/sessions/current")).status_code == 200
    assert (await acme.delete(f"/v1/keys/{issued['id']}")).status_code == 204
    assert (await acme.delete(f"/v1/keys/{issued['id']}")).status_code == 204
    refused = await ci.get("/v1/sessions/current")
    assert (refused.status_code, refused.json()["code"]) == (401, "auth.key_revoked")


async def test_any_key_may_end_itself_but_a_caller_no_other(deployment: Deployment, acme):
    first = (await acme.post("/v1/keys", json={"name": "one", "roles": ["caller"]})).json()
    second = (await acme.post("/v1/keys", json={"name": "two", "roles": ["caller"]})).json()
    caller = await deployment.client(first["secret"])
    assert (await caller.delete(f"/v1/keys/{second['id']}")).status_code == 403
    assert (await caller.get("/v1/keys")).status_code == 403
    assert (await caller.get(f"/v1/keys/{first['id']}")).status_code == 200
    assert (await caller.delete(f"/v1/keys/{first['id']}")).status_code == 204
    assert (await caller.get("/v1/sessions/current")).status_code == 401


async def test_an_expired_key_is_refused_and_told_so(deployment: Deployment, acme):
    issued = (await acme.post("/v1/keys", json={"name": "ci", "roles": ["caller"], "expires_in_s": 3600})).json()
    async with deployment.parts.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.keys SET expires_at = now() - interval '1 second' WHERE id = $1", issued["id"])
    answer = await (await deployment.client(issued["secret"])).get("/v1/sessions/current")
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.key_expired")
    assert (await acme.get(f"/v1/keys/{issued['id']}")).json()["status"] == "expired"


async def test_rotating_gives_a_new_secret_and_lets_the_old_one_live_as_long_as_asked(deployment: Deployment, acme):
    old = (
        await acme.post(
            "/v1/keys", json={"name": "ci", "roles": ["caller"], "agents": ["desk"], "may_assert_user": True}
        )
    ).json()
    new = (await acme.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_s": 60})).json()
    assert new["id"] != old["id"]
    assert {name: new[name] for name in ("name", "roles", "agents", "may_assert_user")} == {
        name: old[name] for name in ("name", "roles", "agents", "may_assert_user")
    }
    for secret in (old["secret"], new["secret"]):
        assert (await (await deployment.client(secret)).get("/v1/sessions/current")).status_code == 200
    await acme.post(f"/v1/keys/{old['id']}/rotate")
    answer = await (await deployment.client(old["secret"])).get("/v1/sessions/current")
    assert answer.json()["code"] == "auth.key_expired"


async def test_nobody_gives_away_more_than_the_own_key_has(deployment: Deployment, acme):
    narrow = await deployment.client(await deployment.key("acme", roles=["owner"], agents=["desk"]))
    for agents in (None, ["desk", "ops"]):
        refused = await narrow.post("/v1/keys", json={"name": "x", "roles": ["caller"], "agents": agents})
        assert (refused.status_code, refused.json()["code"]) == (403, "key.grant_too_wide")
    assert (
        await narrow.post("/v1/keys", json={"name": "x", "roles": ["caller"], "agents": ["desk"]})
    ).status_code == 201
    operator = await deployment.client(await deployment.key("acme", roles=["operator"]))
    assert (await operator.post("/v1/keys", json={"name": "x", "roles": ["caller"]})).status_code == 403
    assert (await acme.post("/v1/keys", json={"name": "x", "deployment": True})).status_code == 403


async def test_a_key_without_roles_or_with_a_misspelt_restriction_is_not_made(acme):
    assert (await acme.post("/v1/keys", json={"name": "x"})).status_code == 422
    misspelt = await acme.post("/v1/keys", json={"name": "x", "roles": ["caller"], "agent": ["desk"]})
    assert misspelt.status_code == 422
    assert misspelt.json()["errors"] == [
        {
            "place": "body.agent",
            "problem": "extra inputs are not permitted",
            "fix": "remove it, or check its spelling",
        }
    ]


async def test_an_admin_who_names_no_tenant_is_told_to(deployment: Deployment):
    admin = await deployment.admin()
    answer = await admin.post("/v1/keys", json={"name": "x", "roles": ["caller"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "tenant.required")
    assert (await admin.post("/v1/keys", json={"name": "second", "deployment": True})).status_code == 201
    assert {key["name"] for key in (await admin.get("/v1/keys")).json()["items"]} == {"bootstrap", "second"}


async def test_the_first_admin_key_is_made_once_unless_forced(settings: Settings, database: Database):
    made = await asyncio.gather(*(bootstrap(database, settings) for _ in range(5)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["AlreadyBootstrapped"] * 4 + ["Issued"]
    with pytest.raises(AlreadyBootstrapped):
        await bootstrap(database, settings)
    again = await bootstrap(database, settings, force=True)
    assert again.key.tenant is None


async def test_use_is_noted_once_a_minute_beside_the_request(deployment: Deployment, acme):
    issued = (await acme.post("/v1/keys", json={"name": "ci", "roles": ["caller"]})).json()
    assert issued["last_used_at"] is None
    ci = await deployment.client(issued["secret"])
    for _ in range(3):
        await ci.get("/v1/sessions/current")
    await deployment.app.state.authenticator.close()
    first = (await acme.get(f"/v1/keys/{issued['id']}")).json()["last_used_at"]
    assert first is not None
    await ci.get("/v1/sessions/current")
    await deployment.app.state.authenticator.close()
    assert (await acme.get(f"/v1/keys/{issued['id']}")).json()["last_used_at"] == first


async def test_pages_of_keys_neither_skip_nor_repeat(acme):
    for number in range(5):
        await acme.post("/v1/keys", json={"name": f"key {number}", "roles": ["caller"]})
    seen, cursor = [], ""
    while cursor is not None:
        page = (await acme.get("/v1/keys", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        assert len(page["items"]) <= 2
        seen += [key["id"] for key in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 6
    for wrong in ("!!", "bnVsbA", "é", "WzFd"):
        assert (await acme.get("/v1/keys", params={"cursor": wrong})).status_code == 422


async def test_a_fake_clock_ends_what_was_cached(deployment: Deployment, acme):
    """Another process's revocation is seen when the memory of the key is five seconds old, without any word of it."""
    from quarterdeck.http.credentials import Credentials, Kind
    from quarterdeck.tenants.authenticator import KeyAuthenticator
    from quarterdeck.tenants.records import KeyRevoked

    issued = (await acme.post("/v1/keys", json={"name": "ci", "roles": ["caller"]})).json()
    clock = FakeClock()
    elsewhere = KeyAuthenticator(deployment.parts.database, Peppers.of(deployment.parts.settings), clock)
    credentials = Credentials(Kind.BEARER, issued["secret"])
    assert (await elsewhere.authenticate(credentials)).name == "ci"
    await acme.delete(f"/v1/keys/{issued['id']}")
    assert (await elsewhere.authenticate(credentials)).name == "ci"
    clock.advance(timedelta(seconds=5))
    with pytest.raises(KeyRevoked):
        await elsewhere.authenticate(credentials)
    await elsewhere.close()


async def test_what_is_revoked_in_one_process_is_refused_by_the_others_in_under_a_second(deployment: Deployment, acme):
    issued = (await acme.post("/v1/keys", json={"name": "ci", "roles": ["caller"]})).json()
    async with open_app(deployment.parts.settings) as elsewhere:
        transport = httpx.ASGITransport(app=elsewhere)
        headers = {"authorization": f"Bearer {issued['secret']}"}
        async with httpx.AsyncClient(transport=transport, base_url=HERE, headers=headers) as ci:
            assert (await ci.get("/v1/sessions/current")).status_code == 200
            await acme.delete(f"/v1/keys/{issued['id']}")
            async with asyncio.timeout(1):
                while (answer := await ci.get("/v1/sessions/current")).status_code == 200:
                    await asyncio.sleep(0.01)
            assert answer.json()["code"] == "auth.key_revoked"
