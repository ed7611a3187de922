"""`/v1/budgets` as a tenant's people and deployment admins see it, and what a call may spend after each change."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from quarterdeck.budgets.limits import MOST
from quarterdeck.core.settings import Settings
from quarterdeck.releases.records import BudgetLimit
from tests.api import Deployment, deployed
from tests.db.budgets.till import Till, opened
from tests.db.runs.api import Stage, staged

DAILY = {"scope": "tenant", "max_budget": 10, "budget_duration": "1d"}
BUDGET_OF_USER = BudgetLimit("user", "day", 2_000_000)
EACH = {"scope": "user", "max_budget": "2.50", "max_tokens": 50_000, "budget_duration": "1d"}


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def stage(deployment: Deployment) -> Stage:
    """The tenant `acme` with the agent `desk`."""
    return await staged(deployment)


@pytest.fixture
async def acme(stage: Stage) -> httpx.AsyncClient:
    """Its owner."""
    return stage.owner


@pytest.fixture
async def till(deployment: Deployment, stage: Stage):
    """A worker that spends in acme."""
    async with opened(deployment, "acme") as made:
        yield made


async def test_a_budget_is_made_listed_read_changed_and_removed(acme: httpx.AsyncClient):
    made = await acme.put("/v1/budgets/all-day", json={**DAILY, "why": "The board asks for it."})
    assert (made.status_code, made.headers["location"]) == (201, "/v1/budgets/all-day")
    body = made.json()
    assert {name: body[name] for name in (*DAILY, "target", "source", "alert_at", "why", "spending")} == {
        **DAILY,
        "target": "*",
        "source": "tenant",
        "alert_at": [50, 80, 100],
        "why": "The board asks for it.",
        "spending": [],
    }
    assert (await acme.get("/v1/budgets")).json() == {"items": [body], "next_cursor": None}
    read = await acme.get("/v1/budgets/all-day")
    assert (read.json(), read.headers["etag"]) == (body, made.headers["etag"])
    changed = await acme.put(
        "/v1/budgets/all-day", json={**DAILY, "max_budget": 12.5}, headers={"if-match": read.headers["etag"]}
    )
    assert (changed.status_code, changed.json()["max_budget"]) == (200, 12.5)
    assert changed.headers["etag"] != read.headers["etag"]
    assert (await acme.delete("/v1/budgets/all-day")).status_code == 204
    assert (await acme.get("/v1/budgets/all-day")).json()["code"] == "budget.not_found"
    assert (await acme.delete("/v1/budgets/all-day")).status_code == 404


async def test_what_is_spent_stands_beside_the_limit(acme: httpx.AsyncClient, till: Till):
    await acme.put("/v1/budgets/all-day", json=DAILY)
    assert await till.spend(4.0, used=3.0)
    assert await till.spend(2.0, settle=False)
    (item,) = (await acme.get("/v1/budgets")).json()["items"]
    (money,) = item["spending"]
    assert {name: money[name] for name in ("unit", "limit", "spent", "reserved", "uncovered", "left", "accounts")} == {
        "unit": "micro_usd",
        "limit": 10_000_000,
        "spent": 3_000_000,
        "reserved": 2_000_000,
        "uncovered": 0,
        "left": 5_000_000,
        "accounts": 1,
    }
    assert (money["account"], money["tenant"], money["used_percent"]) == ("acme", None, 30.0)
    assert datetime.fromisoformat(money["renews_at"]) - datetime.fromisoformat(money["began_at"]) == timedelta(days=1)


async def test_a_change_holds_for_the_very_next_call_and_what_was_spent_stands(acme: httpx.AsyncClient, till: Till):
    await acme.put("/v1/budgets/all-day", json=DAILY)
    assert await till.spend(9.0)
    assert not await till.spend(2.0)
    await acme.put("/v1/budgets/all-day", json={**DAILY, "max_budget": 20})
    assert await till.spend(2.0)
    await acme.put("/v1/budgets/all-day", json={**DAILY, "max_budget": 5})
    assert not await till.spend(0.01)
    (money,) = (await acme.get("/v1/budgets/all-day")).json()["spending"]
    assert (money["spent"], money["left"], money["used_percent"]) == (11_000_000, 0, 220.0)
    await acme.delete("/v1/budgets/all-day")
    assert await till.spend(50.0)


async def test_the_accounts_of_a_budget_come_with_the_top_spender_first(acme: httpx.AsyncClient, till: Till):
    await acme.put("/v1/budgets/each", json=EACH)
    for user, dollars in (("ann", 1.0), ("bob", 2.0), ("cid", 0.5), ("dan", 2.0)):
        assert await till.spend(dollars, user)
    (item,) = (await acme.get("/v1/budgets")).json()["items"]
    assert [(one["unit"], one["accounts"]) for one in item["spending"]] == [("tokens", 4), ("micro_usd", 4)]
    seen: list[str] = []
    cursor = None
    while True:
        page = await acme.get(
            "/v1/budgets/each/accounts", params={"limit": 1, **({"cursor": cursor} if cursor else {})}
        )
        seen += [one["account"] for one in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen[:2]) == ["bob", "dan"]
    assert seen[2:] == ["ann", "cid"]
    tokens = (await acme.get("/v1/budgets/each/accounts", params={"unit": "tokens"})).json()["items"]
    assert {(one["account"], one["spent"], one["left"]) for one in tokens} == {
        (user, 1_000, 49_000) for user in ("ann", "bob", "cid", "dan")
    }


async def test_what_releases_declare_and_the_deployment_sets_is_listed_beside(
    acme: httpx.AsyncClient, deployment: Deployment, stage: Stage, till: Till
):
    await stage.register(
        budgets=[
            {"scope": "user", "window": "day", "max_micro_usd": 2_000_000},
            {"scope": "run", "max_micro_usd": 500_000, "max_tokens": 9_000},
        ]
    )
    await acme.put("/v1/budgets/own", json=DAILY)
    admin = await deployment.admin()
    made = await admin.put("/v1/budgets/house", json={"scope": "everything", "max_budget": 100, "why": "The bill."})
    assert made.status_code == 201, made.text
    till.releases["desk"] = (BUDGET_OF_USER,)
    assert await till.spend(1.5)
    items = (await acme.get("/v1/budgets")).json()["items"]
    assert [(one["source"], one["name"], one["max_budget"]) for one in items] == [
        ("tenant", "own", 10.0),
        ("deployment", "house", 100.0),
        ("release", "desk:run:total", 0.5),
        ("release", "desk:user:1d", 2.0),
    ]
    assert items[1]["spending"] == [], "what all tenants spend together is no tenant's to know"
    assert (items[3]["agent"], items[3]["spending"][0]["account"], items[3]["spending"][0]["used_percent"]) == (
        "desk",
        "ann",
        75.0,
    )
    pages = [(await acme.get("/v1/budgets", params={"limit": 3})).json()]
    pages.append((await acme.get("/v1/budgets", params={"limit": 3, "cursor": pages[0]["next_cursor"]})).json())
    assert [one["name"] for page in pages for one in page["items"]] == [one["name"] for one in items]
    assert (await acme.get("/v1/budgets/desk:user:1d")).json()["release"] == items[3]["release"]
    (seen,) = (await admin.get("/v1/budgets")).json()["items"]
    assert (seen["name"], seen["spending"][0]["spent"]) == ("house", 1_500_000)


async def test_the_deployment_limits_tenants_by_name_and_each_by_itself(
    acme: httpx.AsyncClient, deployment: Deployment, till: Till
):
    admin = await deployment.admin()
    assert (await admin.put("/v1/budgets/acme-only", json={**DAILY, "target": "acme"})).status_code == 201
    assert (await admin.put("/v1/budgets/nobody", json={**DAILY, "target": "nobody"})).status_code == 422
    assert await till.spend(4.0)
    assert not await till.spend(7.0)
    accounts = (await admin.get("/v1/budgets/acme-only/accounts")).json()["items"]
    assert [(one["account"], one["tenant"], one["spent"]) for one in accounts] == [("acme", "acme", 4_000_000)]
    assert [one["name"] for one in (await acme.get("/v1/budgets")).json()["items"]] == ["acme-only"]
    umbra = await deployment.tenant("umbra")
    assert (await umbra.get("/v1/budgets")).json()["items"] == []
    assert (await umbra.get("/v1/budgets/acme-only/accounts")).status_code == 404
    assert (await acme.put("/v1/budgets/acme-only", json=DAILY)).status_code == 201, "names are a tenant's own"
    assert (await acme.delete("/v1/budgets/house")).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "scope"),
        ({"scope": "planet", "max_budget": 1}, "scope"),
        ({"scope": "tenant"}, "say max_budget"),
        ({"scope": "tenant", "max_budget": -1}, "not negative"),
        ({"scope": "tenant", "max_budget": "-1"}, "0.50"),
        ({"scope": "tenant", "max_budget": "1e3"}, "0.50"),
        ({"scope": "tenant", "max_budget": "$5"}, "0.50"),
        ({"scope": "tenant", "max_budget": True}, "max_budget"),
        ({"scope": "tenant", "max_budget": 0.0000001}, "six decimals"),
        ({"scope": "tenant", "max_budget": 10**12}, "at most 999999999"),
        ({"scope": "tenant", "max_budget": 1, "budget_duration": "30d"}, "send 1d or month"),
        ({"scope": "tenant", "max_budget": 1, "budget_duration": "1m"}, "rpm_limit"),
        ({"scope": "tenant", "max_budget": 1, "budget_duration": "weekly"}, "1h, 1d, month or total"),
        ({"scope": "tenant", "max_budget": 1, "target": "umbra"}, "leave its target out"),
        ({"scope": "run", "max_budget": 1, "target": "x"}, "no target"),
        ({"scope": "run", "max_budget": 1, "budget_duration": "1d"}, "total"),
        ({"scope": "request", "rpm_limit": 1}, "rate"),
        ({"scope": "tenant", "max_tokens": -1}, "at least 0"),
        ({"scope": "tenant", "max_tokens": 1.5}, "max_tokens"),
        ({"scope": "tenant", "max_budget": 1, "alert_at": [0]}, "alert_at"),
        ({"scope": "tenant", "max_budget": 1, "alert_at": [101]}, "alert_at"),
        ({"scope": "tenant", "max_budget": 1, "limit": 1}, "remove it"),
        ({"scope": "user", "max_budget": 1, "target": "a\u0000b"}, "target"),
    ],
)
async def test_a_budget_that_can_not_hold_is_refused_with_what_to_send_instead(
    acme: httpx.AsyncClient, wrong: dict[str, object], said: str
):
    answer = await acme.put("/v1/budgets/a", json=wrong)
    assert answer.status_code == 422, answer.text
    assert said in answer.text
    assert (await acme.get("/v1/budgets")).json()["items"] == []


async def test_the_words_of_a_duration_and_the_digits_of_an_amount_are_taken_exactly(acme: httpx.AsyncClient):
    for word, shown in (("hour", "1h"), ("day", "1d"), ("1h", "1h"), ("month", "month")):
        made = await acme.put(
            f"/v1/budgets/by-{word}", json={"scope": "agent", "max_budget": "0.000001", "budget_duration": word}
        )
        assert (made.json()["budget_duration"], made.json()["max_budget"]) == (shown, 0.000001)
    for number in (0, 0.1, 1.005, 999_999_999, 123456.789012):
        made = await acme.put("/v1/budgets/exact", json={"scope": "agent", "max_budget": number})
        assert made.json()["max_budget"] == number
    assert (await acme.put("/v1/budgets/Not a Name", json=DAILY)).status_code == 422


async def test_a_change_made_from_an_old_version_is_refused(acme: httpx.AsyncClient):
    made = await acme.put("/v1/budgets/all-day", json=DAILY)
    await acme.put("/v1/budgets/all-day", json={**DAILY, "max_budget": 6})
    stale = {"if-match": made.headers["etag"]}
    assert (await acme.put("/v1/budgets/all-day", json=DAILY, headers=stale)).status_code == 412
    assert (await acme.delete("/v1/budgets/all-day", headers=stale)).status_code == 412
    assert (await acme.get("/v1/budgets/all-day")).json()["max_budget"] == 6


async def test_operators_set_budgets_readers_read_them_and_callers_do_neither(
    acme: httpx.AsyncClient, deployment: Deployment
):
    del acme
    for role, reads, writes in (
        ("operator", 200, 201),
        ("auditor", 200, 403),
        ("developer", 200, 403),
        ("caller", 403, 403),
    ):
        client = await deployment.client(await deployment.key("acme", roles=[role]))
        assert (await client.get("/v1/budgets")).status_code == reads
        assert (await client.put(f"/v1/budgets/by-{role}", json=DAILY)).status_code == writes
        everything = await client.put(f"/v1/budgets/all-{role}", json={"scope": "everything", "max_budget": 1})
        assert everything.status_code == 403
        assert (await client.delete("/v1/budgets/nothing")).status_code == (404 if writes == 201 else 403)


async def test_a_key_for_some_agents_sets_what_holds_for_one_of_these_alone(stage: Stage, till: Till):
    await stage.register("till")
    for agent in ("desk", "till"):
        await stage.owner.put(f"/v1/budgets/of-{agent}", json={"scope": "agent", "target": agent, "max_budget": 1})
    await stage.owner.put("/v1/budgets/agents", json={"scope": "agent", "max_budget": 9})
    await stage.owner.put("/v1/budgets/all-day", json=DAILY)
    for agent in ("desk", "till"):
        assert await till.spend(0.5, agent=agent)
    narrow = await stage.key("operator", agents=["desk"])
    seen = [one["name"] for one in (await narrow.get("/v1/budgets")).json()["items"]]
    assert seen == ["agents", "all-day", "of-desk"]
    assert (await narrow.get("/v1/budgets/of-till")).status_code == 404
    assert (await narrow.get("/v1/budgets/of-till/accounts")).status_code == 404
    shown = (await narrow.get("/v1/budgets/agents/accounts")).json()["items"]
    assert [one["account"] for one in shown] == ["desk"]
    of_desk = {"scope": "agent", "target": "desk", "max_budget": 2}
    assert (await narrow.put("/v1/budgets/of-desk", json=of_desk)).status_code == 200
    assert (await narrow.put("/v1/budgets/other", json={**of_desk, "target": "till"})).status_code == 404
    for name in ("all-day", "agents", "of-till"):
        assert (await narrow.put(f"/v1/budgets/{name}", json=of_desk)).status_code in {403, 404}
        assert (await narrow.delete(f"/v1/budgets/{name}")).status_code in {403, 404}
    assert (await narrow.put("/v1/budgets/all", json=DAILY)).status_code == 403


async def test_another_tenants_budgets_do_not_exist(acme: httpx.AsyncClient, deployment: Deployment):
    umbra = await deployment.tenant("umbra")
    await acme.put("/v1/budgets/all-day", json=DAILY)
    assert (await umbra.get("/v1/budgets/all-day")).status_code == 404
    assert (await umbra.get("/v1/budgets/all-day/accounts")).status_code == 404
    assert (await umbra.delete("/v1/budgets/all-day")).status_code == 404
    assert (await umbra.get("/v1/budgets")).json()["items"] == []


async def test_a_tenant_has_only_so_many_budgets(acme: httpx.AsyncClient, deployment: Deployment):
    await acme.put("/v1/budgets/all-day", json=DAILY)
    async with deployment.parts.database.system.transaction() as tx:
        await tx.execute(
            "INSERT INTO qd.budgets (id, tenant, name, scope, target, period, max_tokens, why, set_by)"
            " SELECT gen_random_uuid(), tenant, 'r-' || n, 'tenant', '*', 'day', 1, '', ''"
            " FROM qd.budgets, generate_series(2, $1) AS n",
            MOST,
        )
    assert (await acme.put("/v1/budgets/one-more", json=DAILY)).json()["code"] == "budget.too_many"
    assert (await acme.put("/v1/budgets/all-day", json=DAILY)).status_code == 200


async def test_each_change_is_audited(acme: httpx.AsyncClient):
    await acme.put("/v1/budgets/all-day", json={**DAILY, "why": "first"})
    await acme.put("/v1/budgets/all-day", json={**DAILY, "max_budget": 3, "why": "less"})
    await acme.delete("/v1/budgets/all-day")
    rows = (await acme.get("/v1/audit")).json()["items"]
    kinds = [row["kind"] for row in rows if row["kind"].startswith("budget.")]
    assert sorted(kinds) == ["budget.removed", "budget.set", "budget.set"]


async def test_use_suggests_limits_and_says_what_they_rest_on(acme: httpx.AsyncClient, till: Till):
    now = datetime.now(UTC)
    for day in range(1, 11):
        for n, user in enumerate(("ann", "bob", "cid")):
            await till.ledger(0.10 * (n + 1), now - timedelta(days=day), user)
    answer = await acme.post("/v1/budgets/suggest", json={"scope": "user", "budget_duration": "1d", "days": 20})
    found = answer.json()
    assert answer.status_code == 200, found
    assert (found["samples"], found["instances"], found["windows"]) == (30, 3, 10)
    assert found["max_budget"] == {"p50": 0.2, "p99": 0.3, "max": 0.3, "suggested": 0.6, "over": 0}
    assert found["max_tokens"]["suggested"] == 3_000
    assert found["words"] == (
        "Suggested for each user a day: $0.6000 and 3,000 tokens, from 30 samples of 3 users in 10 days with use."
    )
    assert (await acme.put("/v1/budgets/each", json=found["budget"])).status_code == 201
    whole = (await acme.post("/v1/budgets/suggest", json={"scope": "tenant", "days": 20})).json()
    assert (whole["budget_duration"], whole["samples"], whole["max_budget"]["suggested"]) == ("1d", 10, 1.8)
    runs = (await acme.post("/v1/budgets/suggest", json={"scope": "run"})).json()
    assert (runs["budget_duration"], runs["samples"]) == ("total", 30)


async def test_nothing_is_suggested_from_too_little_or_of_what_has_no_window(
    acme: httpx.AsyncClient, till: Till, deployment: Deployment
):
    await till.ledger(1.0, datetime.now(UTC) - timedelta(days=1))
    few = await acme.post("/v1/budgets/suggest", json={"scope": "tenant"})
    assert (few.status_code, few.json()["code"], few.json()["needs"]) == (409, "budget.too_little_use", 7)
    for wrong in (
        {"scope": "tenant", "budget_duration": "total"},
        {"scope": "run", "budget_duration": "1d"},
        {"scope": "tenant", "target": "acme"},
        {"scope": "user", "budget_duration": "7d"},
        {"scope": "user", "days": 0},
    ):
        assert (await acme.post("/v1/budgets/suggest", json=wrong)).status_code == 422, wrong
    assert (await acme.post("/v1/budgets/suggest", json={"scope": "everything"})).status_code == 403
    admin = await deployment.admin()
    assert (await admin.post("/v1/budgets/suggest", json={"scope": "everything"})).status_code == 409
