"""`/v1/usage` as a tenant's people and a deployment's admin see it."""

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import httpx
import pytest

from quarterdeck.core.errors import Invalid
from quarterdeck.core.ids import AgentName, TenantId, UserId
from quarterdeck.usage import rules, store
from tests.api import Deployment

SPAN = {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
PATHS = ("report", "concentration", "outliers", "savings")
BILL = {"date": "2026-11-03", "model": "gpt-4.1-2025-04-14", "input_tokens": 2000, "output_tokens": 200}


async def tenant_of(deployment: Deployment, slug: str) -> TenantId:
    async with deployment.parts.database.system.transaction() as tx:
        return TenantId(await tx.fetchval("SELECT tenant FROM qd.tenants WHERE slug = $1", slug))


@pytest.fixture
def enter(deployment: Deployment, row):
    """Puts rows into a tenant's ledger."""

    async def into(slug: str, *each: dict[str, object]) -> None:
        tenant = await tenant_of(deployment, slug)
        async with deployment.parts.database.tenant(tenant) as tx:
            await store.enter(tx, [row(tenant=tenant, **said) for said in each])

    return into


async def test_a_report_is_json_with_lines_and_a_total(acme: httpx.AsyncClient, enter):
    await enter("acme", {"cost": 3_000_000, "tags": {"plan": "gold"}, "reasoning": 5}, {"cost": None, "input": 1})
    answer = await acme.get("/v1/usage/report", params={**SPAN, "by": "agent,tag:plan", "top": 1})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["by"], body["every"], body["tz"]) == (["agent", "tag:plan"], None, "UTC")
    assert body["since"] == "2026-11-01T00:00:00Z"
    first, rest = body["lines"]
    assert (first["keys"], first["rest"], first["groups"]) == ({"agent": "desk", "tag:plan": "gold"}, False, 1)
    assert (first["cost_micro_usd"], first["estimated_cost_usd"], first["reasoning_tokens"]) == (3_000_000, 3.0, 5)
    assert (rest["keys"], rest["rest"], rest["unpriced_calls"]) == ({"agent": None, "tag:plan": None}, True, 1)
    assert (body["total"]["calls"], body["total"]["cost_micro_usd"]) == (2, 3_000_000)


async def test_days_carry_the_offset_of_their_zone(acme: httpx.AsyncClient, enter):
    await enter("acme", {"at": datetime(2026, 11, 3, 23, 30, tzinfo=UTC)})
    answer = await acme.get("/v1/usage/report", params={**SPAN, "every": "day", "tz": "Europe/Berlin"})
    assert [line["at"] for line in answer.json()["lines"]] == ["2026-11-04T00:00:00+01:00"]


async def test_every_zone_that_is_let_through_is_one_that_the_database_knows(acme: httpx.AsyncClient, deployment):
    passed = set()
    for zone in available_timezones() | {"localtime", "Factory", "posix/UTC", "right/UTC"}:
        try:
            passed.add(rules.check_zone(zone))
        except Invalid:
            continue
    assert len(passed) > 400
    async with deployment.parts.database.app.transaction() as tx:
        known = {row["name"] for row in await tx.fetch("SELECT name FROM pg_timezone_names")}
    assert passed - known == set()


async def test_without_a_time_the_last_thirty_days_are_shown(acme: httpx.AsyncClient, enter):
    now = datetime.now(UTC)
    await enter("acme", {"at": now - timedelta(days=29), "cost": 1}, {"at": now - timedelta(days=31), "cost": 10})
    assert (await acme.get("/v1/usage/report")).json()["total"]["cost_micro_usd"] == 1


@pytest.mark.parametrize("asked", [{"headers": {"accept": "text/csv"}}, {"params": {"format": "csv"}}])
async def test_a_table_is_given_to_who_wants_one_and_holds_no_formulas(acme: httpx.AsyncClient, enter, asked):
    await enter("acme", {"user": UserId('=HYPERLINK("http://evil")'), "cost": 5, "saved_cache": -7})
    params = {**SPAN, "by": "user,tag:plan", "every": "day", **asked.get("params", {})}
    answer = await acme.get("/v1/usage/report", params=params, headers=asked.get("headers"))
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    (line,) = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert line["user"] == '\'=HYPERLINK("http://evil")'
    assert (line["at"], line["tag:plan"], line["rest"]) == ("2026-11-03T00:00:00+00:00", "", "false")
    assert (line["cost_micro_usd"], line["saved_cache_micro_usd"]) == ("5", "-7")
    forced = {**params, "format": "json"}
    assert (await acme.get("/v1/usage/report", params=forced, headers={"accept": "text/csv"})).json()["lines"]


async def test_all_answers_come_as_tables_too(acme: httpx.AsyncClient, enter):
    await enter("acme", *({"cost": 100} for _ in range(9)), {"cost": 10_000})
    for path in PATHS:
        answer = await acme.get(f"/v1/usage/{path}", params={**SPAN, "format": "csv"})
        assert len(answer.text.splitlines()) == 2, (path, answer.text)


async def test_concentration_names_the_top_and_says_it_in_words(acme: httpx.AsyncClient, enter):
    await enter("acme", *({"user": UserId(f"u{n}"), "cost": 91 if n == 0 else 1} for n in range(10)))
    body = (await acme.get("/v1/usage/concentration", params={**SPAN, "top": 1})).json()
    assert body["top"] == [
        {
            "place": 1,
            "name": "u0",
            "tenant": "acme",
            "calls": 1,
            "cost_micro_usd": 91,
            "estimated_cost_usd": 0.000091,
            "share": 0.91,
            "cumulative_share": 0.91,
        }
    ]
    assert body["words"] == ["10 % of users (1 of 10) makes 91 % of the cost."]
    assert body["shares"][2] == {"of_spenders": 0.1, "spenders": 1, "cost_micro_usd": 91, "share": 0.91}
    assert (body["spenders"], body["gini"]) == (10, 0.81)


async def test_outliers_come_with_their_causes(acme: httpx.AsyncClient, enter):
    await enter("acme", *({"cost": 100} for _ in range(9)), {"cost": 10_000, "input": 100_000})
    (found,) = (await acme.get("/v1/usage/outliers", params=SPAN)).json()["items"]
    assert (found["cost_micro_usd"], found["usual_micro_usd"], found["times"]) == (10_000, 100, 100.0)
    assert found["causes"][0]["cause"] == "context"
    assert found["why"].startswith("100 times what a run of desk usually costs")


async def test_savings_are_told_by_the_way_they_were_made(acme: httpx.AsyncClient, enter):
    await enter(
        "acme",
        {"cost": 70, "saved_cache": 20, "cache_read": 250},
        {"cost": 0, "saved_route": 7},
        {"cost": 0, "saved_trim": 3, "trimmed_tokens": 44, "input": 0},
    )
    body = (await acme.get("/v1/usage/savings", params={**SPAN, "by": "agent"})).json()
    assert (body["saved_micro_usd"], body["cost_micro_usd"], body["share"]) == (30, 70, 0.3)
    assert body["caching"] == {"calls": 1, "tokens": 250, "micro_usd": 20}
    assert body["trimming"] == {"calls": 1, "tokens": 44, "micro_usd": 3}
    assert body["routing"] == {"calls": 1, "tokens": None, "micro_usd": 7}
    assert body["cache_hit_rate"] == 0.125
    assert body["lines"][0]["keys"] == {"agent": "desk"}


async def test_an_export_is_compared_by_day_and_model(acme: httpx.AsyncClient, enter):
    at = datetime(2026, 11, 3, 23, 59, tzinfo=UTC)
    await enter("acme", {}, {"at": at}, {"provider": "other", "input": 9}, {"at": at + timedelta(minutes=1)})
    body = (await acme.post("/v1/usage/reconcile", json={"providers": ["openai"], "days": [BILL]})).json()
    assert (body["agreed"], body["differences"], body["first"]) == (1, [], "2026-11-03")
    wrong = {**BILL, "input_tokens": 3000}
    body = (await acme.post("/v1/usage/reconcile", json={"providers": ["openai"], "days": [wrong]})).json()
    (found,) = body["differences"]
    assert (found["kind"], found["date"], found["what"]) == ("tokens_differ", "2026-11-03", ["input"])
    assert (found["ours"]["input_tokens"], found["theirs"]["input_tokens"], found["theirs"]["calls"]) == (
        2000,
        3000,
        None,
    )
    assert found["causes"]


async def test_a_key_for_some_agents_sees_theirs_alone_everywhere(deployment: Deployment, acme, enter):
    await enter("acme", {"cost": 1}, {"agent": AgentName("clerk"), "user": UserId("bob"), "cost": 10})
    some = await deployment.client(await deployment.key("acme", roles=["operator"], agents=["clerk"]))
    assert (await some.get("/v1/usage/report", params=SPAN)).json()["total"]["cost_micro_usd"] == 10
    assert (await some.get("/v1/usage/report", params={**SPAN, "agent": "desk"})).json()["total"]["calls"] == 0
    assert [one["name"] for one in (await some.get("/v1/usage/concentration", params=SPAN)).json()["top"]] == ["bob"]
    assert (await some.get("/v1/usage/savings", params=SPAN)).json()["cost_micro_usd"] == 10
    refused = await some.post("/v1/usage/reconcile", json={"providers": ["openai"], "days": [BILL]})
    assert refused.status_code == 403


@pytest.mark.parametrize("role", ["owner", "operator", "developer", "reviewer", "auditor"])
async def test_every_reader_of_a_tenant_may_look(deployment: Deployment, acme, role: str):
    client = await deployment.client(await deployment.key("acme", roles=[role]))
    for path in PATHS:
        assert (await client.get(f"/v1/usage/{path}", params=SPAN)).status_code == 200


async def test_a_caller_may_not_and_nobody_without_a_key(deployment: Deployment, acme):
    caller = await deployment.client(await deployment.key("acme", roles=["caller"]))
    nobody = await deployment.client()
    for path in PATHS:
        assert (await caller.get(f"/v1/usage/{path}")).status_code == 403
        assert (await nobody.get(f"/v1/usage/{path}")).status_code == 401


async def test_another_tenants_usage_does_not_exist(deployment: Deployment, acme, enter):
    umbra = await deployment.tenant("umbra")
    await enter("umbra", {"cost": 100, "user": UserId("mallory")})
    await enter("acme", {"cost": 1})
    for path in PATHS:
        assert (
            "mallory"
            not in (
                await acme.get(f"/v1/usage/{path}", params={**SPAN, "by": "user"} if path == "report" else SPAN)
            ).text
        )
    assert (await acme.get("/v1/usage/report", params=SPAN)).json()["total"]["cost_micro_usd"] == 1
    assert (await umbra.get("/v1/usage/report", params=SPAN)).json()["total"]["cost_micro_usd"] == 100
    foreign = await acme.get("/v1/usage/report", params={**SPAN, "tenant": "umbra"})
    unknown = await acme.get("/v1/usage/report", params={**SPAN, "tenant": "nobody"})
    assert (
        (foreign.status_code, foreign.json()["detail"])
        == (unknown.status_code, unknown.json()["detail"])
        == (
            422,
            unknown.json()["detail"],
        )
    )


async def test_a_deployment_admin_sees_all_tenants_or_the_one_that_is_named(deployment: Deployment, acme, enter):
    await deployment.tenant("umbra")
    await enter("umbra", {"cost": 100})
    await enter("acme", {"cost": 1})
    admin = await deployment.admin()
    lines = (await admin.get("/v1/usage/report", params={**SPAN, "by": "tenant"})).json()["lines"]
    assert [(line["keys"]["tenant"], line["cost_micro_usd"]) for line in lines] == [("umbra", 100), ("acme", 1)]
    one = await admin.get("/v1/usage/report", params={**SPAN, "tenant": "acme"})
    assert one.json()["total"]["cost_micro_usd"] == 1
    spread = (await admin.get("/v1/usage/concentration", params={**SPAN, "among": "tenant"})).json()
    assert [one["name"] for one in spread["top"]] == ["umbra", "acme"]
    inside = await deployment.admin(quarterdeck_tenant="acme")
    assert (await inside.get("/v1/usage/report", params=SPAN)).json()["total"]["cost_micro_usd"] == 1
    bill = await admin.post("/v1/usage/reconcile", json={"providers": ["openai"], "days": [BILL]})
    assert bill.json()["agreed"] == 1


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("report", {"by": "planet"}),
        ("report", {"by": "tag:"}),
        ("report", {"every": "minute"}),
        ("report", {"tz": "Mars/Olympus"}),
        ("report", {"tag": "plan"}),
        ("report", {"top": "0"}),
        ("report", {"by": "user", "every": "hour", "top": "5000"}),
        ("report", {"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}),
        ("report", {"since": "yesterday"}),
        ("report", {"since": "2026-11-02T00:00:00"}),
        ("report", {"until": "0001-01-01T00:00:00Z"}),
        ("report", {"until": "9999-12-31T23:59:59-14:00"}),
        ("report", {"surprise": "1"}),
        ("report", {"user": "a\x00b"}),
        ("concentration", {"among": "tenant"}),
        ("concentration", {"among": "planet"}),
        ("outliers", {"threshold": "0"}),
        ("outliers", {"threshold": "nan"}),
        ("savings", {"by": "planet"}),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_with_its_place(acme: httpx.AsyncClient, path: str, wrong):
    answer = await acme.get(f"/v1/usage/{path}", params={**SPAN, **wrong})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid"), answer.text
    assert answer.json()["errors"][0]["place"].startswith("query.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"providers": [], "days": [BILL]},
        {"providers": ["openai"], "days": []},
        {"providers": ["openai"], "days": [{**BILL, "date": "0001-01-01"}]},
        {"providers": ["openai"], "days": [{**BILL, "date": "9999-12-31"}]},
        {"providers": ["openai"], "days": [{**BILL, "input_tokens": -1}]},
        {"providers": ["openai"], "days": [{**BILL, "model": ""}]},
        {"providers": ["openai"], "days": [BILL], "tolerance": 2},
    ],
)
async def test_an_export_that_makes_no_sense_is_refused(acme: httpx.AsyncClient, wrong):
    assert (await acme.post("/v1/usage/reconcile", json=wrong)).status_code == 422
