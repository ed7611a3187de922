"""`/v1/rates` as a tenant's people see it, and how soon workers follow."""

import asyncio

import httpx
import pytest

from quarterdeck.core.ids import TenantId
from quarterdeck.rates.limits import MOST
from quarterdeck.rates.records import Subject
from quarterdeck.rates.service import Rates
from tests.api import Deployment

REFUNDS = {"scope": "tool", "target": "refund", "calls": 5, "every": 60}


async def test_a_limit_is_made_listed_read_changed_and_removed(acme: httpx.AsyncClient):
    made = await acme.put("/v1/rates/refunds", json={**REFUNDS, "why": "The bank asks for it."})
    assert (made.status_code, made.headers["location"]) == (201, "/v1/rates/refunds")
    body = made.json()
    assert {name: body[name] for name in REFUNDS} == REFUNDS
    assert (body["concurrency"], body["why"]) == (None, "The bank asks for it.")
    assert (await acme.get("/v1/rates")).json() == {"items": [body], "next_cursor": None}
    read = await acme.get("/v1/rates/refunds")
    assert (read.json(), read.headers["etag"]) == (body, made.headers["etag"])
    changed = await acme.put(
        "/v1/rates/refunds", json={**REFUNDS, "concurrency": 2}, headers={"if-match": read.headers["etag"]}
    )
    assert (changed.status_code, changed.json()["concurrency"]) == (200, 2)
    assert changed.headers["etag"] != read.headers["etag"]
    assert (await acme.delete("/v1/rates/refunds")).status_code == 204
    assert (await acme.get("/v1/rates/refunds")).json()["code"] == "rate.not_found"
    assert (await acme.delete("/v1/rates/refunds")).status_code == 404


async def test_a_change_made_from_an_old_version_is_refused(acme: httpx.AsyncClient):
    made = await acme.put("/v1/rates/refunds", json=REFUNDS)
    await acme.put("/v1/rates/refunds", json={**REFUNDS, "calls": 6})
    stale = {"if-match": made.headers["etag"]}
    assert (await acme.put("/v1/rates/refunds", json=REFUNDS, headers=stale)).status_code == 412
    assert (await acme.delete("/v1/rates/refunds", headers=stale)).status_code == 412
    assert (await acme.get("/v1/rates/refunds")).json()["calls"] == 6


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"scope": "planet", "calls": 1, "every": 1},
        {"scope": "tool"},
        {"scope": "tool", "calls": 1},
        {"scope": "tool", "every": 1, "concurrency": 1},
        {"scope": "tool", "calls": 0, "every": 1},
        {"scope": "tool", "calls": True, "every": 1},
        {"scope": "tool", "calls": 1, "every": 10**9},
        {"scope": "tenant", "target": "umbra", "calls": 1, "every": 1},
        {"scope": "tool", "target": "a\u0000b", "calls": 1, "every": 1},
        {"scope": "tool", "target": "", "calls": 1, "every": 1},
        {"scope": "tool", "calls": 1, "every": 1, "surprise": 1},
    ],
)
async def test_a_limit_that_can_not_hold_is_refused(acme: httpx.AsyncClient, wrong: dict[str, object]):
    assert (await acme.put("/v1/rates/a", json=wrong)).status_code == 422
    assert (await acme.put("/v1/rates/Not a Name", json=REFUNDS)).status_code == 422
    assert (await acme.get("/v1/rates")).json()["items"] == []


async def test_operators_set_limits_readers_read_them_and_callers_do_neither(
    acme: httpx.AsyncClient, deployment: Deployment
):
    for role, reads, writes in (
        ("operator", 200, 201),
        ("auditor", 200, 403),
        ("developer", 200, 403),
        ("caller", 403, 403),
    ):
        client = await deployment.client(await deployment.key("acme", roles=[role]))
        assert (await client.get("/v1/rates")).status_code == reads
        assert (await client.put(f"/v1/rates/by-{role}", json=REFUNDS)).status_code == writes
        assert (await client.delete("/v1/rates/nothing")).status_code == (404 if writes == 201 else 403)


async def test_another_tenants_limits_do_not_exist(acme: httpx.AsyncClient, deployment: Deployment):
    umbra = await deployment.tenant("umbra")
    await acme.put("/v1/rates/refunds", json=REFUNDS)
    assert (await umbra.get("/v1/rates/refunds")).status_code == 404
    assert (await umbra.get("/v1/rates")).json()["items"] == []
    assert (await umbra.put("/v1/rates/refunds", json={**REFUNDS, "calls": 9})).status_code == 201
    assert (await acme.get("/v1/rates/refunds")).json()["calls"] == 5


async def test_a_tenant_has_only_so_many_limits(acme: httpx.AsyncClient, deployment: Deployment):
    await acme.put("/v1/rates/refunds", json=REFUNDS)
    async with deployment.parts.database.system.transaction() as tx:
        await tx.execute(
            "INSERT INTO qd.rates (tenant, name, scope, target, calls, every, why, set_by)"
            " SELECT tenant, 'r-' || n, 'tool', '*', 1, 1, '', '' FROM qd.rates, generate_series(2, $1) AS n",
            MOST,
        )
    assert (await acme.put("/v1/rates/one-more", json=REFUNDS)).json()["code"] == "rate.too_many"
    assert (await acme.put("/v1/rates/refunds", json=REFUNDS)).status_code == 200


async def test_workers_follow_within_two_seconds(acme: httpx.AsyncClient, deployment: Deployment, rates: Rates):
    tenant = TenantId(await _tenant(deployment))
    subject = Subject("refund", "desk", "ann", "run-1")
    assert rates.wants(tenant, subject, ()) == ()

    async def holds(calls: list[int]) -> None:
        async with asyncio.timeout(2.0):
            while [want.calls for want in rates.wants(tenant, subject, ())] != calls:
                await asyncio.sleep(0.05)

    await acme.put("/v1/rates/refunds", json=REFUNDS)
    await holds([5])
    await acme.put("/v1/rates/refunds", json={**REFUNDS, "calls": 4})
    await holds([4])
    await acme.delete("/v1/rates/refunds")
    await holds([])


async def _tenant(deployment: Deployment):
    async with deployment.parts.database.system.transaction() as tx:
        return await tx.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'acme'")
