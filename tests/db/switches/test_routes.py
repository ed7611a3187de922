"""Switches over HTTP: who may throw, see and lift which, what is kept of it, and whom it hits."""

from typing import Any

import httpx
import pytest

from tests.api import Deployment
from tests.db.runs.api import Stage, staged

REFUND: dict[str, Any] = {"scope": "tool", "target": "refund", "action": "disable", "why": "double refunds"}
ALL_STOP: dict[str, Any] = {"scope": "everything", "action": "disable", "why": "fire drill"}


async def thrown(client: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await client.post("/v1/switches", json=wanted or REFUND)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def standing(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/v1/switches")
    assert answer.status_code == 200, answer.text
    return [one["switch_id"] for one in answer.json()["items"]]


async def history(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    return (await client.get("/v1/switches", params={"all": "true"})).json()["items"]


async def test_a_switch_says_who_threw_it_why_and_until_when(stage: Stage):
    operator = await stage.key("operator")
    switch = await thrown(operator, **REFUND, for_s=3600)
    assert switch["thrown_by"].startswith("key:")
    assert switch["why"] == "double refunds"
    assert switch["words"] == "tool refund is switched off"
    assert switch["until"] > switch["thrown_at"]
    assert (switch["tenant"], switch["deployment"], switch["state"]) == ("acme", False, "standing")
    assert (await operator.get(f"/v1/switches/{switch['switch_id']}")).json() == switch
    assert await standing(operator) == [switch["switch_id"]]


async def test_a_lifted_switch_stands_in_the_history_with_who_and_why(stage: Stage):
    switch = await thrown(stage.owner)
    path = f"/v1/switches/{switch['switch_id']}"
    lifted = await stage.owner.request("DELETE", path, json={"why": "fixed in 1.3"})
    assert lifted.status_code == 200, lifted.text
    record = lifted.json()
    assert (record["state"], record["lifted_why"]) == ("lifted", "fixed in 1.3")
    assert record["lifted_by"].startswith("key:")
    assert await standing(stage.owner) == []
    assert await history(stage.owner) == [record]
    again = await stage.owner.request("DELETE", path)
    assert (again.status_code, again.json()["code"]) == (409, "switch.lifted")


async def test_the_history_comes_in_pages_newest_first(stage: Stage):
    made = [(await thrown(stage.owner))["switch_id"] for _ in range(5)]
    first = (await stage.owner.get("/v1/switches", params={"all": "true", "limit": 3})).json()
    rest = (await stage.owner.get("/v1/switches", params={"all": "true", "cursor": first["next_cursor"]})).json()
    assert [one["switch_id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("role", ["developer", "reviewer", "auditor"])
async def test_other_readers_see_switches_and_may_touch_none(stage: Stage, role: str):
    switch = await thrown(stage.owner)
    reader = await stage.key(role)
    assert await standing(reader) == [switch["switch_id"]]
    assert (await reader.post("/v1/switches", json=REFUND)).status_code == 403
    assert (await reader.request("DELETE", f"/v1/switches/{switch['switch_id']}")).status_code == 403
    assert (await reader.post("/v1/switches/preview", json={**REFUND, "why": None})).status_code in {403, 422}


async def test_a_preview_knows_the_routes_of_a_release_and_their_models(stage: Stage):
    pin = {"provider": "openai", "id": "gpt-4.1-nano-2025-04-14"}
    await stage.register(routes=[{"name": "quick", "pin": pin, "tasks": ["faq"]}])

    async def hit(scope: str, target: str) -> list[str]:
        wanted = {"scope": scope, "target": target, "action": "disable"}
        answer = await stage.owner.post("/v1/switches/preview", json=wanted)
        assert answer.status_code == 200, answer.text
        return answer.json()["agents"]

    assert await hit("route", "quick") == await hit("route", "main") == ["desk"]
    assert await hit("model", "gpt-4.1-nano-2025-04-14") == await hit("model", "gpt-4.1-mini-2025-04-14") == ["desk"]
    assert await hit("route", "quik") == await hit("model", "gpt-4.1-2025-04-14") == []


async def test_a_caller_sees_no_switches(stage: Stage):
    caller = await stage.key("caller")
    assert (await caller.get("/v1/switches")).status_code == 403


async def test_another_tenants_switch_does_not_exist(stage: Stage, deployment: Deployment):
    other = await deployment.tenant("other")
    switch = await thrown(stage.owner)
    path = f"/v1/switches/{switch['switch_id']}"
    for answer in (await other.get(path), await other.request("DELETE", path)):
        assert (answer.status_code, answer.json()["code"]) == (404, "switch.not_found")
    assert await standing(other) == []
    assert await history(other) == []
    assert await standing(stage.owner) == [switch["switch_id"]]


async def test_only_a_deployment_admin_stops_everything(stage: Stage, deployment: Deployment):
    refused = await stage.owner.post("/v1/switches", json=ALL_STOP)
    assert refused.status_code == 403
    admin = await deployment.admin()
    switch = await thrown(admin, **ALL_STOP)
    assert (switch["tenant"], switch["deployment"], switch["words"]) == (None, True, "everything is switched off")


async def test_a_tenant_sees_the_deployments_switches_that_hit_it_and_lifts_none(stage: Stage, deployment: Deployment):
    other = await deployment.tenant("other")
    admin = await deployment.admin()
    everybody = await thrown(admin, **ALL_STOP)
    one = await thrown(admin, scope="tenant", target="acme", action="read_only", why="unpaid bill")
    assert await standing(stage.owner) == [everybody["switch_id"], one["switch_id"]]
    assert await standing(other) == [everybody["switch_id"]]
    assert await standing(admin) == [everybody["switch_id"], one["switch_id"]]
    for switch in (everybody, one):
        refused = await stage.owner.request("DELETE", f"/v1/switches/{switch['switch_id']}")
        assert (refused.status_code, refused.json()["code"]) == (403, "auth.forbidden")
    assert (await other.get(f"/v1/switches/{one['switch_id']}")).status_code == 404
    assert (await admin.request("DELETE", f"/v1/switches/{one['switch_id']}")).status_code == 200
    assert await standing(stage.owner) == [everybody["switch_id"]]


async def test_an_admin_in_a_tenant_hits_that_one_only(stage: Stage, deployment: Deployment):
    other = await deployment.tenant("other")
    inside = await deployment.admin(quarterdeck_tenant="acme")
    switch = await thrown(inside, **REFUND)
    assert (switch["tenant"], switch["deployment"]) == ("acme", True)
    assert await standing(stage.owner) == [switch["switch_id"]]
    assert await standing(other) == []


async def test_an_admin_may_lift_what_a_tenant_has_thrown(stage: Stage, deployment: Deployment):
    switch = await thrown(stage.owner)
    admin = await deployment.admin()
    lifted = await admin.request("DELETE", f"/v1/switches/{switch['switch_id']}")
    assert lifted.json()["state"] == "lifted"


async def test_a_tenant_can_not_be_stopped_by_another(stage: Stage, deployment: Deployment):
    await deployment.tenant("other")
    refused = await stage.owner.post(
        "/v1/switches", json={"scope": "tenant", "target": "other", "action": "disable", "why": "envy"}
    )
    unknown = await stage.owner.post(
        "/v1/switches", json={"scope": "tenant", "target": "nobody", "action": "disable", "why": "envy"}
    )
    assert refused.status_code == unknown.status_code == 404
    assert refused.json()["code"] == unknown.json()["code"]


async def test_a_tenant_may_stop_itself(stage: Stage):
    switch = await thrown(stage.owner, scope="tenant", action="disable", why="audit")
    assert (switch["target"], switch["words"]) == ("acme", "tenant acme is switched off")


async def test_a_key_for_some_agents_reaches_these_only(stage: Stage):
    await stage.register("till")
    operator = await stage.key("operator", agents=["desk"])
    everywhere = await thrown(stage.owner)
    theirs = await thrown(stage.owner, scope="agent", target="till", action="disable", why="x")
    own = await thrown(operator, scope="agent", target="desk", action="disable", why="x")
    await thrown(operator, **REFUND, agent="desk")
    assert (await operator.post("/v1/switches", json=REFUND)).status_code == 403
    other = {"scope": "agent", "target": "till", "action": "disable", "why": "x"}
    assert (await operator.post("/v1/switches", json=other)).status_code == 404
    assert theirs["switch_id"] not in await standing(operator)
    assert theirs["switch_id"] not in {one["switch_id"] for one in await history(operator)}
    assert (await operator.get(f"/v1/switches/{theirs['switch_id']}")).status_code == 404
    assert (await operator.request("DELETE", f"/v1/switches/{everywhere['switch_id']}")).status_code == 403
    assert (await operator.request("DELETE", f"/v1/switches/{own['switch_id']}")).status_code == 200


async def test_what_does_not_fit_says_what_would(stage: Stage):
    answer = await stage.owner.post("/v1/switches", json={**REFUND, "action": "cap_steps", "value": 3})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "switch.unfit")
    assert problem["fits"] == ["disable", "force_review", "lower_autonomy"]
    assert "agent, tenant and everything" in problem["detail"]


async def test_a_model_is_switched_to_an_exact_one_of_a_known_provider(stage: Stage, deployment: Deployment):
    admin = await deployment.admin()
    made = await admin.post("/v1/providers", json={"name": "openai", "kind": "openai", "key": "sk-x"})
    assert made.status_code == 201, made.text
    wanted = {"scope": "agent", "target": "desk", "action": "switch_model", "why": "cheaper"}

    async def tried(provider: str, model: str) -> httpx.Response:
        return await stage.owner.post("/v1/switches", json={**wanted, "value": {"provider": provider, "id": model}})

    floating = await tried("openai", "gpt-4.1-mini")
    assert floating.status_code == 422
    assert "floating alias" in floating.json()["detail"]
    assert "gpt-4.1-mini-2025-04-14" in floating.json()["detail"]
    assert (await tried("nowhere", "gpt-4.1-mini-2025-04-14")).status_code == 422
    assert (await tried("openai", "gpt-4.1-mini-2025-04-14")).status_code == 201


async def test_the_same_post_throws_once(stage: Stage):
    headers = {"idempotency-key": '"panic"'}
    first = await stage.owner.post("/v1/switches", json=REFUND, headers=headers)
    again = await stage.owner.post("/v1/switches", json=REFUND, headers=headers)
    assert first.json() == again.json()
    assert len(await standing(stage.owner)) == 1


async def test_both_ends_are_announced_and_audited(stage: Stage):
    database = stage.scene.database
    async with database.tenant(stage.scene.tenant) as tx:
        await tx.execute(
            "INSERT INTO qd.webhook_endpoints (tenant, id, url, kinds, sealed_secrets, created_by)"
            " VALUES ($1, gen_random_uuid(), 'https://example.com', '{*}', '{}', 'key:k')",
            stage.scene.tenant,
        )
    switch = await thrown(stage.owner)
    await stage.owner.request("DELETE", f"/v1/switches/{switch['switch_id']}", json={"why": "over"})
    async with database.tenant(stage.scene.tenant) as tx:
        told = await tx.fetch("SELECT kind, data ->> 'switch_id' AS id FROM qd.outbox ORDER BY at")
    async with database.system.transaction() as tx:
        noted = await tx.fetch(
            "SELECT kind, actor, action, target FROM qd.audit_waiting WHERE tenant = $1 AND kind LIKE 'switch.%'"
            " UNION ALL SELECT kind, actor, action, target FROM qd.audit WHERE tenant = $1 AND kind LIKE 'switch.%'",
            stage.scene.tenant,
        )
    assert [(row["kind"], row["id"]) for row in told] == [
        ("switch.thrown", switch["switch_id"]),
        ("switch.lifted", switch["switch_id"]),
    ]
    assert {(row["kind"], row["actor"], row["action"], row["target"]) for row in noted} == {
        ("switch.thrown", switch["thrown_by"], "disable", "tool:refund"),
        ("switch.lifted", switch["thrown_by"], "disable", "tool:refund"),
    }


async def test_a_deployments_switch_is_announced_in_every_tenant_that_listens(stage: Stage, deployment: Deployment):
    other = await staged(deployment, "other")
    for one in (stage, other):
        async with one.scene.database.tenant(one.scene.tenant) as tx:
            await tx.execute(
                "INSERT INTO qd.webhook_endpoints (tenant, id, url, kinds, sealed_secrets, created_by)"
                " VALUES ($1, gen_random_uuid(), 'https://example.com', '{*}', '{}', 'key:k')",
                one.scene.tenant,
            )
    admin = await deployment.admin()
    await thrown(admin, **ALL_STOP)
    await thrown(admin, scope="tenant", target="acme", action="read_only", why="bill")
    async with stage.scene.database.system.transaction() as tx:
        rows = await tx.fetch(
            "SELECT tenant, count(*)::int AS n FROM qd.outbox WHERE kind = 'switch.thrown' GROUP BY 1"
        )
    assert {row["tenant"]: row["n"] for row in rows} == {stage.scene.tenant: 2, other.scene.tenant: 1}


async def test_a_queued_run_says_which_switch_holds_it(stage: Stage):
    run = await stage.submit()
    switch = await thrown(stage.owner, scope="agent", target="desk", action="disable", why="bad answers")
    record = (await stage.owner.get(f"/v1/runs/{run['run_id']}")).json()
    said = f"held by switch {switch['switch_id']}: agent desk is switched off: bad answers"
    assert (record["status"], record["reason"], record["why"]) == ("queued", "switch", said)
    listed = (await stage.owner.get("/v1/runs")).json()["items"]
    assert [one["why"] for one in listed] == [said]
    await stage.owner.request("DELETE", f"/v1/switches/{switch['switch_id']}")
    record = (await stage.owner.get(f"/v1/runs/{run['run_id']}")).json()
    assert (record["reason"], record["why"]) == (None, "")
