"""`/v1/secrets` as owners, others and deployment admins see it: no answer ever holds a value."""

import httpx
import pytest

from quarterdeck.secrets.records import DEPLOYMENT
from quarterdeck.secrets.service import Vault
from tests.api import Deployment

CANARY = "canary-4f6a0b1c2d3e4f5a6b7c8d9e"
OTHER = "canary-11111111111111111111"


async def test_a_secret_is_set_listed_changed_and_removed(deployment: Deployment):
    owner = await deployment.tenant("acme")
    made = await owner.put("/v1/secrets/API", json={"value": CANARY, "due_at": "2020-01-01T00:00:00Z"})
    assert made.status_code == 200
    body = made.json()
    assert (body["name"], body["version"], body["reference"], body["due"]) == ("API", 1, "secret://API", True)
    assert (await owner.get("/v1/secrets")).json()["items"] == [body]
    assert (await owner.get("/v1/secrets?due=true")).json()["items"] == [body]
    changed = await owner.put("/v1/secrets/API", json={"value": OTHER, "due_at": None})
    assert (changed.json()["version"], changed.json()["due_at"]) == (2, None)
    assert (await owner.get("/v1/secrets?due=true")).json()["items"] == []
    assert (await owner.delete("/v1/secrets/API")).status_code == 204
    assert (await owner.get("/v1/secrets/API")).status_code == 404
    assert (await owner.delete("/v1/secrets/API")).status_code == 404


async def test_no_answer_ever_holds_a_value(deployment: Deployment):
    owner = await deployment.tenant("acme")
    answers = [
        await owner.put("/v1/secrets/API", json={"value": CANARY}),
        await owner.put("/v1/secrets/API", json={"value": CANARY + "\u0000"}),
        await owner.put("/v1/secrets/no%2Fname", json={"value": CANARY}),
        await owner.put("/v1/secrets/API", json={"value": CANARY, "surprise": CANARY}),
        await owner.put("/v1/secrets/API", json={"value": [CANARY]}),
        await owner.get("/v1/secrets/API"),
        await owner.get("/v1/secrets"),
        await owner.post("/v1/secrets/rotate-key"),
    ]
    assert [answer.status_code for answer in answers] == [200, 422, 404, 422, 422, 200, 200, 200]
    assert not [answer.text for answer in answers if CANARY in answer.text]


async def test_names_are_for_readers_and_values_for_owners(deployment: Deployment):
    owner = await deployment.tenant("acme")
    await owner.put("/v1/secrets/API", json={"value": CANARY})
    for roles, reads in (
        (["auditor"], 200),
        (["operator"], 200),
        (["developer"], 200),
        (["reviewer"], 403),
        (["caller"], 403),
    ):
        one = await deployment.client(await deployment.key("acme", roles=roles))
        assert (await one.get("/v1/secrets")).status_code == reads
        assert (await one.put("/v1/secrets/API", json={"value": OTHER})).status_code == 403
        assert (await one.delete("/v1/secrets/API")).status_code == 403
        assert (await one.post("/v1/secrets/rotate-key")).status_code == 403
    bound = await deployment.client(await deployment.key("acme", roles=["owner"], agents=["desk"]))
    assert (await bound.put("/v1/secrets/API", json={"value": OTHER})).status_code == 403


async def test_another_tenants_secret_does_not_exist(deployment: Deployment):
    owner, other = await deployment.tenant("acme"), await deployment.tenant("other")
    await owner.put("/v1/secrets/API", json={"value": CANARY})
    assert (await other.get("/v1/secrets/API")).status_code == 404
    assert (await other.get("/v1/secrets")).json()["items"] == []
    assert (await other.delete("/v1/secrets/API")).status_code == 404


async def test_the_deployments_secrets_are_its_admins_alone(deployment: Deployment, admin: httpx.AsyncClient):
    assert (await admin.put("/v1/secrets/OPENAI", json={"value": CANARY})).status_code == 200
    owner = await deployment.tenant("acme")
    assert (await owner.get("/v1/secrets/OPENAI")).status_code == 404
    assert (await admin.get("/v1/secrets")).json()["items"][0]["name"] == "OPENAI"
    vault = Vault.of(deployment.parts.database, deployment.parts.settings)
    assert await vault.resolve(DEPLOYMENT, ["OPENAI"]) == {"OPENAI": CANARY}
    assert (await admin.post("/v1/secrets/rotate-key")).json() == {"values": 0, "keys": 0}


async def test_a_change_made_from_an_old_version_is_refused(deployment: Deployment):
    owner = await deployment.tenant("acme")
    made = await owner.put("/v1/secrets/API", json={"value": CANARY})
    await owner.put("/v1/secrets/API", json={"value": OTHER})
    late = await owner.put("/v1/secrets/API", json={"description": "late"}, headers={"if-match": made.headers["etag"]})
    assert late.status_code == 412


@pytest.mark.parametrize("at", ["2026-01-31", "2026-01-31T12:00:00", "soon"])
async def test_a_date_without_a_zone_is_refused(deployment: Deployment, at: str):
    owner = await deployment.tenant("acme")
    refused = await owner.put("/v1/secrets/API", json={"value": CANARY, "due_at": at})
    assert refused.status_code == 422
    assert CANARY not in refused.text


async def test_secrets_come_in_pages_by_name(deployment: Deployment):
    owner = await deployment.tenant("acme")
    for name in ("B", "A", "C"):
        await owner.put(f"/v1/secrets/{name}", json={"value": CANARY})
    first = (await owner.get("/v1/secrets?limit=2")).json()
    assert [one["name"] for one in first["items"]] == ["A", "B"]
    second = (await owner.get("/v1/secrets", params={"cursor": first["next_cursor"]})).json()
    assert [one["name"] for one in second["items"]] == ["C"]
