"""What probes, Prometheus and people who read the documentation are told."""

import re

import httpx
from pydantic import SecretStr

from quarterdeck.core.settings import Settings
from quarterdeck.db import driver
from quarterdeck.engine import store as engine
from quarterdeck.serve import docs
from tests.api import Deployment, deployed


async def test_alive_asks_nobody_and_ready_asks_everybody(deployment: Deployment, owner_url: str):
    connection = await driver.connect(owner_url)
    await engine.install(connection)
    anybody = await deployment.client()
    assert (await anybody.get("/healthz")).json() == {"status": "ok"}
    ready = await anybody.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {
        "ready": True,
        "checks": {"process": "ok", "database": "ok", "migrations": "ok", "queue": "ok"},
    }
    await connection.execute("DROP SCHEMA qd_engine CASCADE")
    await connection.close()
    broken = await anybody.get("/readyz")
    assert (broken.status_code, broken.json()["ready"]) == (503, False)
    assert broken.json()["checks"]["queue"] != "ok"


async def test_a_process_told_to_end_is_not_ready(deployment: Deployment):
    deployment.parts.closing.set()
    answer = await (await deployment.client()).get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["process"]) == (503, "closing")


async def test_a_lost_database_is_not_ready_and_still_alive(deployment: Deployment):
    deployment.parts.database.terminate()
    anybody = await deployment.client()
    answer = await anybody.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] != "ok"
    assert (await anybody.get("/healthz")).status_code == 200
    refused = await (await deployment.client("qd_aaaaaaaaaaaa_" + "x" * 43)).get("/v1/keys")
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"


async def test_metrics_are_for_admins_and_for_their_own_token(settings: Settings):
    async with deployed(settings.model_copy(update={"metrics_token": SecretStr("scrape me")})) as deployment:
        owner = await deployment.tenant("acme")
        assert (await owner.get("/metrics")).status_code == 403
        for client in (await deployment.admin(), await deployment.client("scrape me")):
            page = await client.get("/metrics")
            assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert 'quarterdeck_runs{status="queued"} 0.0' in page.text
        assert 'quarterdeck_workers{state="alive"} 0.0' in page.text
        assert re.search(
            r'quarterdeck_http_request_seconds_count\{method="POST",route="/v1/tenants",status="201"\} 1.0', page.text
        )
        for wrong in ("scrape", "scrape me ", "scrape mé"):
            headers = [(b"authorization", f"Bearer {wrong}x".encode("latin-1"))]
            assert (await (await deployment.client()).get("/metrics", headers=headers)).status_code == 401


async def test_metrics_count_runs_of_all_tenants(deployment: Deployment):
    for slug in ("acme", "umbra"):
        await deployment.tenant(slug)
    async with deployment.parts.database.system.transaction() as tx:
        await tx.execute(
            "INSERT INTO qd.runs (tenant, id, agent, release, behaviour, user_id, submitted_by, status, available_at)"
            " SELECT tenant, gen_random_uuid(), 'desk', 'r', 1, 'ann', 'key:k', status, now() - interval '1 minute'"
            " FROM qd.tenants, unnest('{queued,waiting_for_approval,succeeded}'::text[]) AS status"
        )
    page = (await (await deployment.admin()).get("/metrics")).text
    assert 'quarterdeck_runs{status="queued"} 2.0' in page
    assert 'quarterdeck_runs{status="waiting_for_approval"} 2.0' in page
    assert "succeeded" not in page
    oldest = re.search(r"^quarterdeck_queue_oldest_seconds (\S+)$", page, re.MULTILINE)
    assert oldest is not None
    assert float(oldest[1]) >= 60


async def test_addresses_that_nobody_has_make_no_metrics(deployment: Deployment):
    anybody = await deployment.client()
    for number in range(5):
        await anybody.get(f"/nowhere/{number}")
    page = (await (await deployment.admin()).get("/metrics")).text
    assert 'route="none",status="404"} 5.0' in page
    assert "nowhere" not in page


async def test_every_operation_documents_its_problems_as_problems(deployment: Deployment):
    description = (await (await deployment.client()).get("/openapi.json")).json()
    assert "HTTPValidationError" not in description["components"]["schemas"]
    names = []
    for path, item in description["paths"].items():
        for method, operation in item.items():
            names.append(operation["operationId"])
            assert operation["description"], path
            if not path.startswith("/v1"):
                continue
            for status in ("400", "401", "403", "404", "422", "429", "503"):
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"], (path, method)
            if "requestBody" in operation:
                assert "413" in operation["responses"], path
    assert len(names) == len(set(names))


async def test_the_documentation_needs_nothing_from_elsewhere(deployment: Deployment):
    anybody = await deployment.client()
    page = await anybody.get("/docs")
    assert page.headers["content-security-policy"] == docs.POLICY
    assert "unsafe" not in docs.POLICY
    wanted = re.findall(r'(?:src|href)="(/docs/[^"]+)"', page.text)
    assert len(wanted) == 2
    for address in wanted:
        found: httpx.Response = await anybody.get(address)
        assert found.status_code == 200
        assert "http://" not in found.text
        assert "https://" not in found.text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", page.text)
    for absent in ("/docs/x.js", "/docs/../app.py", "/docs/%2e%2e%2fapp.py"):
        assert (await anybody.get(absent)).status_code == 404
