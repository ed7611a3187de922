"""Two tenants, one of which tries everything to reach what is the other's. For it, nothing of that exists."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from quarterdeck.core.ids import uuid7
from quarterdeck.db import driver
from tests.flow.routes import NEVER, Route, routes
from tests.flow.stage import PIN, Stage, Tenant, until

SECRET = "the victim's secret " * 2_000
"""Long enough to be kept as a blob."""
UNKNOWN = {
    "run_id": str(uuid7()),
    "run": str(uuid7()),
    "thread_id": str(uuid7()),
    "webhook_id": str(uuid7()),
    "delivery_id": str(uuid7()),
    "key_id": "k" * 16,
    "name": "no-such-agent",
    "version": "0" * 64,
    "key": "0" * 64,
    "slug": "no-such-tenant",
    "approval_id": str(uuid7()),
    "escalation_id": str(uuid7()),
    "switch_id": str(uuid7()),
    "alert_id": str(uuid7()),
    "row_id": str(uuid7()),
    "agent": "no-such-agent",
    "tool": "no-such-tool",
    "release": "0" * 64,
    "token": "no-such-token",
    "why": "no reason",
}


@dataclass
class Estate:
    """A tenant that has one of everything, and the ids of it all by the names that routes have for them."""

    tenant: Tenant
    ids: Mapping[str, str]


def furnish(stage: Stage, agent: str) -> Estate:
    tenant = stage.tenant()
    tenant.agent({"text": "done"}, name=agent)
    release = tenant.must(tenant.client.get(f"/v1/agents/{agent}"))["release"]
    thread = tenant.must(tenant.client.post("/v1/threads", json={"agent": agent}))["thread_id"]
    run = tenant.must(tenant.client.post(f"/v1/threads/{thread}/runs", json={"input": SECRET, "tags": {"a": "b"}}))
    hook = tenant.must(tenant.client.post("/v1/webhooks", json={"url": f"{stage.outside.letterbox.url}/x"}))["id"]
    delivery = tenant.must(tenant.client.post(f"/v1/webhooks/{hook}/test"))["id"]
    key = tenant.issue(roles=["caller"])["id"]
    tenant.until(run["run_id"])
    until(
        lambda: tenant.client.get(f"/v1/webhooks/{hook}/deliveries/{delivery}").json()["state"] == "delivered", "sent"
    )
    (message,) = tenant.of_kind(run["run_id"], "run.admitted")[0]["input"]
    ids = {
        **gated(tenant, agent),
        "alert_id": asyncio.run(alerted(stage.fleet.urls.owner, tenant.slug)),
        "run_id": run["run_id"],
        "run": run["run_id"],
        "thread_id": thread,
        "webhook_id": hook,
        "delivery_id": delivery,
        "key_id": key,
        "name": agent,
        "version": release,
        "key": message["content"][0]["key"],
        "slug": tenant.slug,
        "release": release,
        "token": "no-such-token",
        "why": "no reason",
    }
    until(lambda: tenant.client.get("/v1/audit/head").json()["unsealed"] == 0, "all is sealed")
    return Estate(tenant, ids)


def gated(tenant: Tenant, agent: str) -> Mapping[str, str]:
    """One of everything that belongs to the gate; what is named has the agent's name."""
    payer = tenant.agent({"call": "pay_if_approved", "arguments": {"what": SECRET[:40]}}, name=f"{agent}-payer")
    caller = tenant.agent({"call": "escalate", "arguments": {"summary": SECRET[:40]}}, name=f"{agent}-caller")
    runs = tenant.submit(payer), tenant.submit(caller)
    named = {
        f"/v1/policies/{agent}": {"text": NEVER.replace("action,", 'action == Action::"pay_slowly",'), "why": "a test"},
        f"/v1/rates/{agent}": {"scope": "tool", "target": "pay_slowly", "calls": 7, "every": 60},
        f"/v1/budgets/{agent}": {"scope": "user", "target": "nobody", "max_budget": 7, "budget_duration": "1d"},
        f"/v1/secrets/{agent}": {"value": SECRET[:40]},
        f"/v1/autonomy/{payer}/pay_if_approved": {"level": "ask_always", "why": "a test"},
    }
    for path, body in named.items():
        tenant.must(tenant.client.put(path, json=body))
    switch = {"scope": "tool", "target": "pay_slowly", "action": "disable", "why": "a test"}
    thrown = tenant.must(tenant.client.post("/v1/switches", json=switch))["switch_id"]
    tenant.until(runs[0], "waiting_for_approval")
    tenant.until(runs[1])

    def only(path: str) -> dict[str, str]:
        (one,) = tenant.must(tenant.client.get(path))["items"]
        return one

    return {
        "approval_id": only("/v1/approvals")["approval_id"],
        "escalation_id": only("/v1/escalations")["escalation_id"],
        "switch_id": thrown,
        "row_id": only("/v1/audit?kind=switch.thrown")["id"],
        "agent": payer,
        "tool": "pay_if_approved",
    }


async def alerted(url: str, slug: str) -> str:
    """An alert that is over: one that stands would be looked at again by workers."""
    connection = await driver.connect(url)
    try:
        return str(
            await connection.fetchval(
                "INSERT INTO qd.alerts (id, tenant, kind, severity, subject, key, words, facts, count, resolved_at) "
                "SELECT gen_random_uuid(), tenant, 'spend.spike', 'warning', 'tenant', 'a test', $2, '{}', 1, now() "
                "FROM qd.tenants WHERE slug = $1 RETURNING id",
                slug,
                SECRET[:40],
            )
        )
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def victim(the_stage: Stage) -> Estate:
    return furnish(the_stage, "victims-clerk")


@pytest.fixture(scope="module")
def attacker(the_stage: Stage) -> Estate:
    return furnish(the_stage, "clerk")


@pytest.fixture(scope="module")
def all_routes(the_stage: Stage) -> list[Route]:
    return list(routes(the_stage.admin))


@pytest.fixture
def untouched(stage: Stage, victim: Estate, attacker: Estate):
    """Nothing may have been written, in either tenant, when the test is over."""
    before = asyncio.run(_everything(stage.fleet.urls.owner))
    yield
    after = asyncio.run(_everything(stage.fleet.urls.owner))
    assert [table for table in before if before[table] != after[table]] == []


async def _everything(url: str) -> dict[str, object]:
    """A digest of every table but for what only says when a key or a worker was last heard of, or who looked."""
    connection = await driver.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT table_name AS name FROM information_schema.tables "
            "WHERE table_schema = 'qd' AND table_name <> 'workers' AND table_name NOT LIKE 'audit%'"
        )
        # Rows of the audit are sealed a little later, and who took an export along stands there as it should.
        entries = "SELECT id FROM qd.{} WHERE kind <> 'audit.exported'"
        audit = f"{entries.format('audit_waiting')} UNION {entries.format('audit')}"
        audited = await connection.fetchval(f"SELECT array_agg(id ORDER BY id) FROM ({audit}) entries")
        return {"audit": audited} | {
            row["name"]: await connection.fetchval(
                "SELECT md5(coalesce(string_agg(line, '|' ORDER BY line), '')) FROM ("
                f"SELECT (to_jsonb(t) - 'last_used_at')::text AS line FROM qd.{row['name']} t) lines"
            )
            for row in tables
        }
    finally:
        await connection.close()


@pytest.fixture(params=["owner", "auditor", "caller", "admin"])
def intruder(request: pytest.FixtureRequest, attacker: Estate) -> httpx.Client:
    """Somebody in the attacker's tenant, a deployment admin who acts there among them."""
    if request.param == "admin":
        return attacker.tenant.admin
    return attacker.tenant.client_of(attacker.tenant.issue(roles=[request.param])["secret"])


def told(answer: httpx.Response) -> tuple[int, Any]:
    """What an answer says, but for the ids that were asked for."""
    if answer.headers.get("content-type") != "application/problem+json":
        return answer.status_code, answer.content
    problem = answer.json()
    return answer.status_code, (problem["code"], problem["title"], sorted(set(problem) - {"instance"}))


def test_what_is_another_tenants_is_answered_as_what_does_not_exist_on_every_route(
    intruder: httpx.Client, untouched: None, victim: Estate, all_routes: list[Route]
):
    seen = 0
    for route in all_routes:
        if route.of_admins or route.by_link or route.makes_its_own or not route.places:
            continue
        seen += 1
        theirs, nothing = route.send(intruder, victim.ids), route.send(intruder, UNKNOWN)
        assert told(theirs) == told(nothing), str(route)
        assert theirs.status_code in {403, 404}, f"{route}: {theirs.status_code} {theirs.text}"
        if theirs.status_code == 403:
            # Only for what this role may do to nothing at all, so that it tells nothing either.
            assert theirs.json()["code"] == "auth.forbidden", str(route)
    assert seen > 40


def test_a_name_that_another_tenant_has_is_free_and_stays_what_it_is_there(
    tenant: Tenant, victim: Estate, all_routes: list[Route]
):
    routes = [route for route in all_routes if route.makes_its_own]
    assert len(routes) == 3
    for route in routes:
        path = route.path.format(**victim.ids)
        before = victim.tenant.must(victim.tenant.client.get(path))
        assert route.send(tenant.client, victim.ids).status_code == 201, str(route)
        assert tenant.client.delete(path, params={"why": "over"}).status_code == 204, str(route)
        assert tenant.client.get(path).status_code == 404, str(route)
        assert victim.tenant.must(victim.tenant.client.get(path)) == before, str(route)


def test_a_tenants_owner_can_do_nothing_of_what_belongs_to_the_deployment(
    attacker: Estate, victim: Estate, all_routes: list[Route], untouched: None
):
    for route in all_routes:
        if route.of_admins:
            answer = route.send(attacker.tenant.client, victim.ids)
            assert answer.status_code in {403, 404}, f"{route}: {answer.status_code} {answer.text}"


def test_a_header_that_names_the_other_tenant_is_refused_on_every_route(
    attacker: Estate, victim: Estate, all_routes: list[Route], untouched: None
):
    for route in all_routes:
        if route.path not in {"/healthz", "/readyz", "/v1/sessions"}:
            for slug in (victim.tenant.slug, "no-such-tenant"):
                answer = route.send(attacker.tenant.client, victim.ids, headers={"quarterdeck-tenant": slug})
                expected = 401 if route.by_link else 403
                assert answer.status_code == expected, f"{route}: {answer.status_code} {answer.text}"


def test_no_list_shows_anything_of_another_tenant_however_it_is_filtered(
    attacker: Estate, victim: Estate, all_routes: list[Route], untouched: None
):
    ids, client = victim.ids, attacker.tenant.client
    words = {ids[name] for name in ids if name not in {"run", "tool", "token", "why"}}
    filters = [
        {},
        {"thread_id": ids["thread_id"]},
        {"agent": ids["name"]},
        {"release": ids["version"]},
        {"q": "victim"},
        {"q": ids["run_id"]},
        {"user_id": "owner"},
    ]
    for route in all_routes:
        if route.method != "GET" or route.places or route.of_admins or not route.path.startswith("/v1/"):
            continue
        for wanted in filters:
            answer = client.get(route.path, params=wanted)
            refused = answer.status_code == 422 and all(name in answer.json()["detail"] for name in wanted)
            assert refused or answer.status_code == 200, f"{route} {wanted}: {answer.text}"
            assert refused or not [word for word in words if word in answer.text], f"{route} {wanted}"


def test_a_cursor_of_another_tenant_turns_the_pages_of_ones_own_list(stage: Stage, untouched_by_more: Estate):
    victim, attacker = untouched_by_more, furnish(stage, "clerk")
    victims = victim.tenant.must(victim.tenant.client.get("/v1/runs?limit=1"))
    assert victims["next_cursor"]
    page = attacker.tenant.must(attacker.tenant.client.get("/v1/runs", params={"cursor": victims["next_cursor"]}))
    assert {item["tenant"] for item in page["items"]} <= {attacker.tenant.slug}


@pytest.fixture
def untouched_by_more(stage: Stage) -> Estate:
    """A victim with more than a page of runs."""
    estate = furnish(stage, "victims-clerk")
    for _ in range(2):
        estate.tenant.submit("victims-clerk", delay_s=3600)
    return estate


def test_nothing_of_another_tenant_can_be_named_in_a_submit(attacker: Estate, victim: Estate, untouched: None):
    client, ids = attacker.tenant.client, victim.ids
    wishes = [
        {"agent": ids["name"]},
        {"agent": f"{ids['name']}@{ids['version'][:12]}"},
        {"agent": f"clerk@{ids['version'][:12]}"},
        {"agent": "clerk", "release": ids["version"]},
        {"agent": "clerk", "thread_id": ids["thread_id"]},
    ]
    for wish in wishes:
        answer = client.post("/v1/runs", json={"input": "hello", **wish})
        assert answer.status_code == 404, f"{wish}: {answer.status_code} {answer.text}"
    assert client.post("/v1/threads", json={"agent": ids["name"]}).status_code == 404
    assert client.get(f"/v1/releases/{attacker.ids['version']}?against={ids['version']}").status_code == 404


def test_equal_payloads_of_two_tenants_are_two_blobs_and_each_reads_only_its_own(
    attacker: Estate, victim: Estate, untouched: None
):
    client, mine, theirs = attacker.tenant.client, attacker.ids, victim.ids
    assert mine["key"] != theirs["key"]
    assert client.get(f"/v1/blobs/{mine['key']}?run={mine['run']}").text == SECRET
    for key, run in ((theirs["key"], mine["run"]), (theirs["key"], theirs["run"]), (mine["key"], theirs["run"])):
        assert client.get(f"/v1/blobs/{key}?run={run}").status_code == 404


def test_the_same_idempotency_key_in_two_tenants_is_two_runs(stage: Stage):
    tenants = [stage.tenant(), stage.tenant()]
    for tenant in tenants:
        tenant.agent({"text": "done"})

    def submit(tenant: Tenant) -> str:
        body = {"agent": "clerk", "input": "the same"}
        answer = tenant.client.post("/v1/runs", json=body, headers={"idempotency-key": "same"})
        assert "idempotency-replayed" not in answer.headers
        return tenant.must(answer)["run_id"]

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(submit, tenants)
    assert first != second


def test_a_provider_that_is_open_to_one_tenant_answers_no_other(stage: Stage):
    owner, other = stage.tenant(), stage.tenant()
    body = {
        "name": f"closed-{owner.slug}",
        "kind": "scripted",
        "options": {"script": {"steps": [{"text": "done"}]}},
        "tenants": [owner.must(owner.client.get(f"/v1/tenants/{owner.slug}"))["id"]],
    }
    owner.must(owner.admin.post("/v1/providers", json=body))
    for tenant in (owner, other):
        tenant.agent(model={"provider": body["name"], "id": PIN}, tools=[])
    assert owner.until(owner.submit())["status"] == "succeeded"
    failed = other.until(other.submit())
    assert (failed["status"], failed["error_code"]) == ("failed", "model.connection.closed")


def test_end_users_of_one_tenant_see_their_own_runs_and_threads_only(tenant: Tenant, all_routes: list[Route]):
    tenant.agent({"text": "done"})
    key = tenant.issue(roles=["caller"], may_assert_user=True)["secret"]
    ann, bob = (tenant.client_of(key, quarterdeck_user=user) for user in ("ann", "bob"))
    thread = tenant.must(ann.post("/v1/threads", json={"agent": "clerk"}))["thread_id"]
    run = tenant.must(ann.post(f"/v1/threads/{thread}/runs", json={"input": "mine"}))["run_id"]
    tenant.until(run)
    ids = {**UNKNOWN, "run_id": run, "run": run, "thread_id": thread}
    for route in all_routes:
        if {"run_id", "thread_id"} & set(route.places):
            answer = route.send(bob, ids)
            assert answer.status_code in {403, 404}, f"{route}: {answer.status_code} {answer.text}"
            assert told(answer) == told(route.send(bob, UNKNOWN)), str(route)
    for path in ("/v1/runs", "/v1/threads", "/v1/runs?user_id=ann", "/v1/threads?user_id=ann", "/v1/runs?q=mine"):
        assert tenant.must(bob.get(path))["items"] == []
    refused = bob.post("/v1/runs", json={"agent": "clerk", "input": "x", "thread_id": thread})
    assert (refused.status_code, refused.json()["code"]) == (404, "thread.not_found")
    assert ann.get(f"/v1/runs/{run}").status_code == 200


def test_a_key_for_one_agent_knows_no_other(tenant: Tenant):
    for agent in ("clerk", "cook"):
        tenant.agent({"text": "done"}, name=agent)
    cooked = tenant.submit("cook")
    tenant.until(cooked)
    client = tenant.client_of(tenant.issue(roles=["operator", "developer"], agents=["clerk"])["secret"])
    assert client.post("/v1/runs", json={"agent": "cook", "input": "x"}).status_code in {403, 404}
    assert client.get(f"/v1/runs/{cooked}").status_code == 404
    assert client.get("/v1/agents/cook").status_code == 404
    assert [one["name"] for one in client.get("/v1/agents").json()["items"]] == ["clerk"]
    assert client.get("/v1/runs").json()["items"] == []
