"""Tenants: founded and changed by deployment admins, invisible to each other."""

from quarterdeck.blobs.rules import open_tenant_key
from tests.api import Deployment


async def test_a_tenant_gets_a_blob_key_of_its_own_that_opens_for_it_alone(deployment: Deployment, acme, umbra):
    async with deployment.parts.database.system.transaction() as tx:
        rows = await tx.fetch("SELECT tenant, blob_key FROM qd.tenants")
    deployment_key = deployment.parts.settings.derive("blobs")
    keys = {open_tenant_key(deployment_key, row["tenant"], row["blob_key"]) for row in rows}
    assert len(keys) == 2


async def test_only_admins_found_list_and_change_tenants(deployment: Deployment, acme):
    assert (await acme.post("/v1/tenants", json={"slug": "more"})).status_code == 403
    assert (await acme.get("/v1/tenants")).status_code == 403
    assert (await acme.patch("/v1/tenants/acme", json={"name": "x"})).status_code == 403
    admin = await deployment.admin()
    assert [one["slug"] for one in (await admin.get("/v1/tenants")).json()["items"]] == ["acme"]


async def test_a_tenant_sees_itself_and_no_other(deployment: Deployment, acme, umbra):
    assert (await acme.get("/v1/tenants/acme")).json()["slug"] == "acme"
    foreign, absent = await acme.get("/v1/tenants/umbra"), await acme.get("/v1/tenants/nobody")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json()["code"] == absent.json()["code"] == "tenant.missing"


async def test_a_slug_is_taken_once(deployment: Deployment, acme):
    admin = await deployment.admin()
    answer = await admin.post("/v1/tenants", json={"slug": "acme"})
    assert (answer.status_code, answer.json()["code"]) == (409, "tenant.slug_taken")
    for wrong in ("", "Acme", "-a", "a" * 64, "a b", "a\x00"):
        assert (await admin.post("/v1/tenants", json={"slug": wrong})).status_code == 422


async def test_whoever_saves_second_learns_of_the_first(deployment: Deployment, acme):
    admin = await deployment.admin()
    etag = (await admin.get("/v1/tenants/acme")).headers["etag"]
    first = await admin.patch("/v1/tenants/acme", json={"queue_limit": 5}, headers={"if-match": etag})
    assert first.status_code == 200
    second = await admin.patch("/v1/tenants/acme", json={"queue_limit": 9}, headers={"if-match": etag})
    assert (second.status_code, second.json()["code"]) == (412, "precondition.failed")
    found = (await admin.get("/v1/tenants/acme")).json()
    assert found["queue_limit"] == 5
    again = await admin.patch(
        "/v1/tenants/acme", json={"queue_limit": None}, headers={"if-match": first.headers["etag"]}
    )
    assert again.json()["queue_limit"] is None


async def test_a_disabled_tenants_keys_open_nothing_until_it_is_enabled(deployment: Deployment, acme):
    admin = await deployment.admin()
    assert (await acme.get("/v1/keys")).status_code == 200
    disabled = await admin.patch("/v1/tenants/acme", json={"disabled": True})
    assert disabled.json()["disabled_at"] is not None
    refused = await acme.get("/v1/keys")
    assert (refused.status_code, refused.json()["code"]) == (403, "tenant.disabled")
    await admin.patch("/v1/tenants/acme", json={"disabled": False})
    assert (await acme.get("/v1/keys")).status_code == 200


async def test_an_admin_acts_in_a_tenant_by_naming_it_and_nobody_else_does(deployment: Deployment, acme, umbra):
    admin = await deployment.admin(quarterdeck_tenant="acme")
    who = (await admin.get("/v1/sessions/current")).json()
    assert (who["tenant"], who["admin"], who["roles"]) == ("acme", True, ["owner"])
    unknown = await deployment.admin(quarterdeck_tenant="nobody")
    assert (await unknown.get("/v1/keys")).status_code == 404
    for slug in ("umbra", "nobody"):
        assert (await acme.get("/v1/keys", headers={"quarterdeck-tenant": slug})).status_code == 403
    assert (await acme.get("/v1/keys", headers={"quarterdeck-tenant": "acme"})).status_code == 200


async def test_only_a_key_that_may_names_the_end_user(deployment: Deployment, acme):
    trusted = await deployment.client(await deployment.key("acme", roles=["caller"], may_assert_user=True))
    for sent, seen in ((b"alice", "alice"), ("zoë".encode(), "zoë")):
        who = await trusted.get("/v1/sessions/current", headers=[(b"quarterdeck-user", sent)])
        assert who.json()["user_id"] == seen
    for wrong in (b"\xff\xfe", b"a" * 201, b"a\tb"):
        assert (await trusted.get("/v1/sessions/current", headers=[(b"quarterdeck-user", wrong)])).status_code == 422
    plain = await deployment.client(await deployment.key("acme", roles=["caller"], name="batch"))
    assert (await plain.get("/v1/sessions/current")).json()["user_id"] == "batch"
    assert (await plain.get("/v1/sessions/current", headers={"quarterdeck-user": "alice"})).status_code == 403
