"""Alerts from what calls really spend, once each, and what people and webhooks hear of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from quarterdeck.alerts.job import Watch
from quarterdeck.alerts.service import Alerts
from quarterdeck.core.clock import FakeClock
from quarterdeck.core.ids import uuid7
from quarterdeck.core.json import decode_object
from quarterdeck.db.pool import Database
from quarterdeck.releases.records import BudgetLimit
from tests.api import Deployment
from tests.db.budgets.till import Till
from tests.db.runs.api import Stage

DAILY = {"scope": "tenant", "max_budget": 10, "budget_duration": "1d"}
HOOK = """
INSERT INTO qd.webhook_endpoints (tenant, id, url, kinds, sealed_secrets, created_by)
VALUES ($1, gen_random_uuid(), 'https://1.1.1.1/', '{*}', '{}', 'a test')
"""
WAITING = """
INSERT INTO qd.pace_turns (lane, tenant, run, tokens, asked_at) VALUES ('k', $1, $2, 1, now() - interval '1 minute')
"""
OLDER = "UPDATE qd.budget_slots SET starts = starts - interval '2 days', ends = ends - interval '2 days'"


async def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """What webhooks will be sent, oldest first."""
    async with database.system.transaction() as tx:
        rows = await tx.fetch("SELECT kind, data FROM qd.outbox WHERE kind LIKE 'alert.%' ORDER BY at, id")
    return [(row["kind"], dict(decode_object(row["data"]))) for row in rows]


async def listed(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/alerts", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_a_budget_that_is_nearly_used_up_is_told_once_and_ends_with_its_window(
    stage: Stage, till: Till, alerts: Alerts
):
    async with till.database.system.transaction() as tx:
        await tx.execute(HOOK, till.tenant)
    await stage.owner.put("/v1/budgets/all-day", json=DAILY)
    assert await till.spend(8.5)
    assert await alerts.look_at_shared() >= 1
    assert await alerts.look_at_shared() == 0
    (raised,) = [one for one in await listed(stage.owner) if one["kind"] == "budget.threshold"]
    assert raised["words"].startswith("Budget all-day: $8.50 of $10.00 used (85 %), renews in ")
    assert (raised["severity"], raised["state"], raised["subject"]) == ("warning", "raised", "budget:all-day")
    assert (raised["facts"]["level"], raised["facts"]["spent"], raised["deployment"]) == (80, 8_500_000, False)
    async with till.database.system.transaction() as tx:
        await tx.execute(OLDER)
    await Alerts(alerts.database, FakeClock(datetime.now(UTC) + timedelta(days=1))).look_at_shared()
    (over,) = await listed(stage.owner, kind="budget.threshold")
    assert (over["state"], over["resolved_why"]) == ("resolved", "its window is over")
    heard = [(kind, data["kind"]) for kind, data in await told(till.database)]
    assert ("alert.raised", "budget.threshold") in heard
    assert ("alert.resolved", "budget.threshold") in heard
    assert len([one for one in heard if one[1] == "budget.threshold"]) == 2


async def test_a_raised_limit_ends_the_alert_and_the_next_one_is_about_the_new_limit(
    stage: Stage, till: Till, alerts: Alerts
):
    await stage.owner.put("/v1/budgets/all-day", json=DAILY)
    assert await till.spend(9.9)
    await alerts.look_at_shared()
    assert [one["severity"] for one in await listed(stage.owner, kind="budget.threshold")] == ["critical"]
    await stage.owner.put("/v1/budgets/all-day", json={**DAILY, "max_budget": 100})
    await alerts.look_at_shared()
    assert [one["state"] for one in await listed(stage.owner, kind="budget.threshold")] == ["resolved"]
    await stage.owner.put("/v1/budgets/all-day", json={**DAILY, "max_budget": 12})
    await alerts.look_at_shared()
    assert [one["state"] for one in await listed(stage.owner, kind="budget.threshold")] == ["raised", "resolved"]
    await stage.owner.delete("/v1/budgets/all-day")
    await alerts.look_at_shared()
    assert {one["state"] for one in await listed(stage.owner)} == {"resolved"}


async def test_users_near_their_limit_are_one_alert_and_what_releases_declare_counts_too(
    stage: Stage, till: Till, alerts: Alerts
):
    await stage.owner.put("/v1/budgets/each", json={"scope": "user", "max_budget": 1, "budget_duration": "1d"})
    till.releases["desk"] = (BudgetLimit("agent", "day", 6_000_000), BudgetLimit("run", "total", 1_000_000))
    for n in range(6):
        assert await till.spend(0.90 + n / 100, f"user-{n}")
    await alerts.look_at_users()
    await alerts.look_at_shared()
    found = {one["subject"]: one for one in await listed(stage.owner, kind="budget.threshold")}
    assert set(found) == {"budget:each", "budget:desk:agent:1d:desk"}
    assert (found["budget:each"]["count"], found["budget:each"]["agent"]) == (6, None)
    assert found["budget:each"]["facts"]["accounts"][0] == {
        "account": "user-5",
        "spent": 950_000,
        "used_percent": 95,
    }
    assert found["budget:desk:agent:1d:desk"]["agent"] == "desk"


async def test_spending_beyond_a_reservation_and_calls_without_an_answer_are_told(
    stage: Stage, till: Till, alerts: Alerts
):
    await stage.owner.put("/v1/budgets/all-day", json={**DAILY, "max_budget": 1000})
    assert await till.spend(1.0, used=1.25)
    await alerts.look_at_shared()
    (one,) = await listed(stage.owner, kind="budget.uncovered")
    assert one["words"] == "Budget all-day: calls cost $0.2500 more than was reserved for them."
    await till.ledger(0.5, datetime.now(UTC) - timedelta(hours=1), state="presumed")
    await alerts.look_at_spending()
    (one,) = await listed(stage.owner, kind="budget.presumed")
    assert (one["agent"], one["facts"]) == ("desk", {"calls": 1, "presumed_micro_usd": 500_000})


async def test_a_jump_of_spending_is_told_of_the_tenant_and_of_its_agent(stage: Stage, till: Till, alerts: Alerts):
    now = datetime.now(UTC)
    for day in range(1, 6):
        await till.ledger(1.0, now - timedelta(days=day, minutes=30))
    await alerts.look_at_spending()
    assert await listed(stage.owner) == []
    await till.ledger(5.0, now - timedelta(minutes=5))
    await alerts.look_at_spending()
    found = await listed(stage.owner, kind="spend.spike")
    assert sorted(one["subject"] for one in found) == ["agent:desk", "tenant"]
    assert {one["facts"]["usual_micro_usd"] for one in found} == {1_000_000}
    assert {one["facts"]["against"] for one in found} == {"same_hour"}


async def test_two_workers_that_look_at_once_tell_people_once(stage: Stage, till: Till, alerts: Alerts):
    await stage.owner.put("/v1/budgets/all-day", json=DAILY)
    assert await till.spend(8.5)
    others = Alerts(alerts.database, alerts.clock)
    await asyncio.gather(*(one.look_at_shared() for one in (alerts, others) * 4))
    assert len(await listed(stage.owner, kind="budget.threshold")) == 1


async def test_a_round_looks_at_everything_and_costs_nothing_where_nothing_is_wrong(
    stage: Stage, deployment: Deployment
):
    watch = Watch(deployment.parts.database, deployment.parts.clock)
    assert [await watch.round() for _ in range(3)] == [0, 0, 0]
    assert await listed(stage.owner) == []


async def test_routes_that_workers_leave_alone_and_runs_that_wait_for_a_provider_are_the_deployments_affair(
    stage: Stage, deployment: Deployment
):
    database = deployment.parts.database
    watch = Watch(database, deployment.parts.clock, lambda: [("openai", "gpt-x", 30.0)])
    async with database.system.transaction() as tx:
        await tx.execute(
            "INSERT INTO qd.pace_lanes (key, connection, fingerprint, model) VALUES ('k', 'azure', 'f', '')"
        )
        await tx.execute(WAITING, uuid7(), uuid7())
    assert await watch.round() == 2
    admin = await deployment.admin()
    found = {one["kind"]: one for one in await listed(admin)}
    assert found["route.open"]["subject"] == "openai/gpt-x"
    assert found["provider.throttled"]["words"].startswith("Provider azure is at its limit: 1 run waits")
    assert {one["deployment"] for one in found.values()} == {True}
    assert await listed(stage.owner) == []
    assert await told(database) == []
    alert = found["route.open"]["alert_id"]
    assert (await stage.owner.get(f"/v1/alerts/{alert}")).status_code == 404
    assert (await stage.owner.post(f"/v1/alerts/{alert}/acknowledge")).status_code == 404
    assert (await admin.post(f"/v1/alerts/{alert}/acknowledge")).json()["state"] == "acknowledged"
    async with database.system.transaction() as tx:
        await tx.execute("UPDATE qd.alert_sightings SET seen_at = seen_at - interval '1 hour'")
        await tx.execute("DELETE FROM qd.pace_turns")
    assert await Watch(database, deployment.parts.clock).round() == 2
    assert {one["state"] for one in await listed(admin)} == {"resolved"}


async def test_the_deployments_budget_is_told_to_its_admins_only(stage: Stage, deployment: Deployment, till: Till):
    admin = await deployment.admin()
    await admin.put("/v1/budgets/house", json={"scope": "everything", "max_budget": 10, "budget_duration": "month"})
    assert await till.spend(9.0)
    assert await Watch(deployment.parts.database, deployment.parts.clock).round() >= 1
    assert {one["subject"] for one in await listed(admin)} == {"budget:house"}
    assert await listed(stage.owner) == []


@pytest.fixture
async def raised(stage: Stage, till: Till, alerts: Alerts) -> str:
    """An alert about agent desk."""
    await stage.owner.put(
        "/v1/budgets/of-desk", json={"scope": "agent", "target": "desk", "max_budget": 1, "budget_duration": "month"}
    )
    assert await till.spend(0.85)
    await alerts.look_at_shared()
    (one,) = await listed(stage.owner, kind="budget.threshold")
    return one["alert_id"]


async def test_an_alert_is_acknowledged_once_and_by_operators(stage: Stage, raised: str):
    url = f"/v1/alerts/{raised}"
    auditor, operator = await stage.key("auditor"), await stage.key("operator")
    caller = await stage.key("caller")
    assert (await caller.get("/v1/alerts")).status_code == 403
    assert (await auditor.get(url)).status_code == 200
    assert (await auditor.post(f"{url}/acknowledge")).status_code == 403
    before = (await auditor.get("/v1/alerts/facets")).json()["severity"]["warning"]
    seen = (await operator.post(f"{url}/acknowledge")).json()
    again = (await stage.owner.post(f"{url}/acknowledge")).json()
    assert seen == again
    assert (seen["state"], seen["acknowledged_by"][:4]) == ("acknowledged", "key:")
    assert (await auditor.get("/v1/alerts/facets")).json()["severity"]["warning"] == before - 1
    rows = (await stage.owner.get("/v1/audit", params={"kind": "alert.acknowledged"})).json()["items"]
    assert [row["target"] for row in rows] == [f"alert:{raised}"]


async def test_alerts_of_another_tenant_or_of_an_agent_that_a_key_is_not_for_do_not_exist(
    stage: Stage, deployment: Deployment, raised: str
):
    umbra = await deployment.tenant("umbra")
    await stage.register("till")
    other = await stage.key("operator", agents=["till"])
    own = await stage.key("operator", agents=["desk"])
    for client in (umbra, other):
        assert (await client.get(f"/v1/alerts/{raised}")).status_code == 404
        assert (await client.post(f"/v1/alerts/{raised}/acknowledge")).status_code == 404
        assert raised not in {one["alert_id"] for one in await listed(client)}
    assert raised in {one["alert_id"] for one in await listed(own)}
    assert (await stage.owner.get(f"/v1/alerts/{uuid7()}")).json()["code"] == "alert.missing"


async def test_alerts_are_listed_newest_first_in_pages_and_filtered(stage: Stage, till: Till, alerts: Alerts):
    for n in range(5):
        await stage.owner.put(f"/v1/budgets/b-{n}", json={**DAILY, "max_budget": 10 + n})
    assert await till.spend(9.9)
    await alerts.look_at_shared()
    found = await listed(stage.owner, kind="budget.threshold")
    assert len(found) == 5
    pages: list[str] = []
    cursor = None
    while True:
        query = {"kind": "budget.threshold", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await stage.owner.get("/v1/alerts", params=query)).json()
        pages += [one["alert_id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == [one["alert_id"] for one in found]
    critical = await listed(stage.owner, severity="critical")
    assert [one["subject"] for one in critical if one["kind"] == "budget.threshold"] == ["budget:b-0"]
    assert await listed(stage.owner, state="resolved") == []
    assert (await stage.owner.get("/v1/alerts", params={"state": "gone"})).status_code == 422


async def test_what_is_long_over_is_forgotten(stage: Stage, raised: str, alerts: Alerts):
    await alerts.prune()
    assert len(await listed(stage.owner, kind="budget.threshold")) == 1
    async with alerts.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.alerts SET resolved_at = now() - interval '91 days' WHERE id = $1::uuid", raised)
    await alerts.prune()
    assert await listed(stage.owner, kind="budget.threshold") == []
