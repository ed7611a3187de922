"""Streams over HTTP: who may read them, where they go on from, and that they let the process go."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.http.streams import MEDIA_TYPE
from tests.api import Deployment
from tests.db.serve.conftest import Script, script, soon

STREAM = {"accept": MEDIA_TYPE}


@pytest.fixture
async def reader(deployment: Deployment, run: Script) -> httpx.AsyncClient:
    return await deployment.client(await deployment.key("acme", roles=["auditor"]), **STREAM)


async def token_for(deployment: Deployment, run: Script, **wanted: object) -> str:
    owner = await deployment.client(await deployment.key("acme", roles=["owner"]))
    issued = await owner.post(f"/v1/runs/{run.run}/tokens", json=wanted)
    assert issued.status_code == 201, issued.text
    return issued.json()["token"]


async def test_last_event_id_resumes_exactly(reader: httpx.AsyncClient, run: Script):
    await run.write(*["run.claimed"] * 4, "run.finished", end=True)
    whole = await reader.get(f"/v1/runs/{run.run}/events")
    assert whole.headers["content-type"].startswith(MEDIA_TYPE)
    assert whole.headers["cache-control"] == "no-cache, no-transform"
    frames = whole.text.split("\n\n")[:-1]
    for seen in range(1, 5):
        rest = await reader.get(f"/v1/runs/{run.run}/events", headers={"last-event-id": str(seen)})
        assert rest.text.split("\n\n")[:-1] == frames[seen:]


async def test_a_position_of_another_run_is_refused_in_words(reader: httpx.AsyncClient, run: Script):
    await run.write("run.claimed", "run.finished", end=True)
    for wrong in ("3", "999999", "-1", "abc", "1e2", "9" * 100):
        answer = await reader.get(f"/v1/runs/{run.run}/events", headers={"last-event-id": wrong})
        assert answer.status_code == 422, wrong
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["place"] == "header.last-event-id"


async def test_a_narrow_token_reads_its_run_from_any_page_and_nothing_else(
    deployment: Deployment, run: Script, worker, tenant
):
    await run.write("run.claimed", "run.finished", end=True)
    other = await script(deployment.parts.database, worker, tenant)
    token = await token_for(deployment, run)
    page = await deployment.client(origin="https://shop.example", **STREAM)
    answer = await page.get(f"/v1/runs/{run.run}/events", params={"token": token})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "run.finished" in answer.text
    assert (await page.get(f"/v1/runs/{other.run}/events", params={"token": token})).status_code == 404
    for path in ("/v1/runs", "/v1/keys", "/v1/sessions/current", "/v1/tenants/acme"):
        assert (await page.get(path, params={"token": token})).status_code == 401
    assert (await page.post(f"/v1/runs/{run.run}/cancel", params={"token": token})).status_code == 401
    bearer = {"authorization": f"Bearer {token}"}
    assert (await page.post(f"/v1/runs/{run.run}/tokens", json={}, headers=bearer)).status_code == 401


async def test_a_key_in_an_address_opens_nothing(deployment: Deployment, run: Script):
    anybody = await deployment.client()
    answer = await anybody.get(f"/v1/runs/{run.run}/events", params={"token": deployment.admin_key})
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.token_ended")


async def test_a_narrow_token_ends_with_the_key_that_made_it(deployment: Deployment, run: Script):
    await run.write("run.finished", end=True)
    owner = await deployment.client(await deployment.key("acme", roles=["owner"]))
    me = (await owner.get("/v1/sessions/current")).json()["key_id"]
    token = (await owner.post(f"/v1/runs/{run.run}/tokens", json={})).json()["token"]
    anybody = await deployment.client()
    path = f"/v1/runs/{run.run}/events"
    assert (await anybody.get(path, params={"token": token})).status_code == 200
    await owner.delete(f"/v1/keys/{me}")
    assert (await anybody.get(path, params={"token": token})).json()["code"] == "auth.key_revoked"


async def test_another_tenants_stream_does_not_exist(deployment: Deployment, run: Script):
    umbra = await deployment.tenant("umbra")
    answer = await umbra.get(f"/v1/runs/{run.run}/events", headers=STREAM)
    assert answer.status_code == 404


async def test_the_process_leaves_within_a_second_though_streams_are_open(
    settings: Settings, deployment: Deployment, run: Script
):
    code = (
        "from quarterdeck.core.settings import Settings; from quarterdeck.serve.process import run;"
        "run(Settings(), ready=lambda port: print(port, flush=True))"
    )
    environment = {
        **os.environ,
        "QUARTERDECK_DATABASE_URL": settings.database_url,
        "QUARTERDECK_SECRET_KEY": settings.secret_key.get_secret_value(),
        "QUARTERDECK_PORT": "0",
        "QUARTERDECK_LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        port = int(await soon(process.stdout.readline(), 30))
        key = await deployment.key("acme", roles=["auditor"])
        headers = {**STREAM, "authorization": f"Bearer {key}"}
        await run.write("run.claimed")
        began = asyncio.Event()

        async def watch(client: httpx.AsyncClient) -> float:
            async with client.stream("GET", f"/v1/runs/{run.run}/events") as answer:
                async for chunk in answer.aiter_text():
                    if "run.claimed" in chunk:
                        began.set()
            return time.perf_counter()

        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
            watching = [asyncio.create_task(watch(client)) for _ in range(5)]
            await soon(began.wait(), 20)
            await asyncio.sleep(0.2)
            told = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            ended = await soon(asyncio.gather(*watching), 10)
        await soon(process.wait(), 10)
        assert process.returncode == 0
        assert max(ended) - told < 1.0
        assert time.perf_counter() - told < 3.0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
