"""`/v1/providers/{name}/pace` and the numbers for Prometheus, as an admin of the deployment sees them."""

import httpx
import pytest

from quarterdeck.core.ids import RunId, TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.pacing import store
from quarterdeck.pacing.records import Asker, Go, LaneName, Told
from quarterdeck.pacing.service import Pacer
from tests.api import Deployment, deployed

LANE = LaneName("busy", "0123456789abcdef", "gpt-4.1-2025-04-14")


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def admin(deployment: Deployment) -> httpx.AsyncClient:
    """The deployment's admin, who has connected `busy`."""
    made = {"name": "busy", "kind": "openai", "key": "sk-test-0123456789"}
    client = await deployment.admin()
    assert (await client.post("/v1/providers", json=made)).status_code == 201
    return client


async def crowd(pacer: Pacer) -> None:
    """Limits that the provider has told, a refusal, and a run in line."""
    one = Asker(TenantId(uuid7()), RunId(uuid7()))
    turn = await pacer.turn(LANE, one, lambda: 10.0)
    assert isinstance(turn, Go)
    await pacer.refused(turn, Told(requests=600, tokens=90_000, retry_after=30))
    async with pacer._database.system.transaction() as tx:
        await store.line_up(tx, LANE, one, 10.0, (0.0, 0.0))


async def test_a_provider_that_takes_all_it_is_asked_has_no_pace(admin: httpx.AsyncClient):
    answer = await admin.get("/v1/providers/busy/pace")
    assert answer.json() == {"items": [], "next_cursor": None}


async def test_limits_what_they_are_known_from_and_who_waits_are_shown(admin: httpx.AsyncClient, pacer: Pacer):
    await crowd(pacer)
    (pace,) = (await admin.get("/v1/providers/busy/pace")).json()["items"]
    assert pace["model"] == LANE.model
    assert pace["requests"] == {"limit": 523.8, "most": 600.0, "used": 0.0, "learned_from": "headers"}
    assert (pace["refusals"], pace["waiting"], pace["called"]) == (1, 1, 0)
    assert pace["held_until"] is not None


async def test_a_provider_that_is_not_there_is_not_found(admin: httpx.AsyncClient):
    assert (await admin.get("/v1/providers/nobody/pace")).status_code == 404


async def test_a_tenants_people_do_not_see_what_all_tenants_share(deployment: Deployment, admin: httpx.AsyncClient):
    acme = await deployment.tenant("acme")
    assert (await acme.get("/v1/providers/busy/pace")).status_code == 403


async def test_prometheus_reads_the_pace(admin: httpx.AsyncClient, pacer: Pacer):
    await crowd(pacer)
    page = (await admin.get("/metrics")).text
    labels = f'{{model="{LANE.model}",provider="busy",unit="requests"}}'
    assert f"quarterdeck_provider_pace_limit{labels} 523.8" in page
    assert f'quarterdeck_provider_waiting{{model="{LANE.model}",provider="busy"}} 1.0' in page
