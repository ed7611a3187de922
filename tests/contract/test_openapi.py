"""What `/openapi.json` promises is what the running server does, whatever is sent: no 5xx, no undocumented answer."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.db import driver
from quarterdeck.db.pool import Database
from quarterdeck.engine import store as engine
from quarterdeck.tenants.service import bootstrap
from tests.manifests import manifest

SECONDS = int(os.environ.get("QUARTERDECK_TEST_CONTRACT_SECONDS", "40"))
EXAMPLES = int(os.environ.get("QUARTERDECK_TEST_CONTRACT_EXAMPLES", "8"))

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "missing_required_header",
    "ignored_auth",
)

# Ids that tests may use up, so that the key and the tenant in use outlive them. Waits are kept short: a run that nobody
# executes would hold each answer for as long as was asked.
CONFIG = """
[parameters]
key_id = "{key_id}"
version = "{version}"
slug = "spare"
"query.wait" = 0
"query.seconds" = 0.1
"header.Accept" = "application/json"

[generation]
database = "none"
"""


@pytest.fixture
async def server(settings: Settings):
    """A running api process; answers its address."""
    connection = await driver.connect(settings.database_url)
    await engine.install(connection)
    await connection.close()
    code = (
        "from quarterdeck.core.settings import Settings; from quarterdeck.serve.process import run;"
        "run(Settings(), ready=lambda port: print(port, flush=True))"
    )
    environment = {
        **os.environ,
        "QUARTERDECK_DATABASE_URL": settings.database_url,
        "QUARTERDECK_SECRET_KEY": settings.secret_key.get_secret_value(),
        "QUARTERDECK_PORT": "0",
        "QUARTERDECK_LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 30))
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def furnish(client: httpx.AsyncClient) -> dict[str, str]:
    """A tenant with an agent, runs, a thread, a provider and a webhook; answers the ids that CONFIG wants."""

    async def post(path: str, body: object) -> dict:
        answer = await client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    for slug in ("acme", "spare"):
        await post("/v1/tenants", {"slug": slug})
    client.headers["quarterdeck-tenant"] = "acme"
    await post("/v1/providers", {"name": "openai", "kind": "openai", "key": "sk-not-a-key"})
    release = await post("/v1/agents", {"manifest": manifest()})
    thread = await post("/v1/threads", {"agent": "desk"})
    for _ in range(3):
        await post("/v1/runs", {"agent": "desk", "input": "hello"})
    run = await post(f"/v1/threads/{thread['thread_id']}/runs", {"input": "hello"})
    await post(f"/v1/runs/{run['run_id']}/cancel", {})
    await post("/v1/webhooks", {"url": "https://1.1.1.1/hooks", "kinds": ["*"]})
    key = await post("/v1/keys", {"name": "spare", "roles": ["caller"]})
    return {"key_id": key["id"], "version": release["release"]}


@pytest.mark.slow
async def test_every_answer_is_documented_and_none_is_ours_to_blame(
    server: str, settings: Settings, database: Database, tmp_path: Path
):
    secret = (await bootstrap(database, settings)).secret
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(base_url=server, headers=headers, timeout=30) as client:
        ids = await furnish(client)
    (tmp_path / "schemathesis.toml").write_text(CONFIG.format(**ids))
    command = [
        *(Path(sys.executable).with_name("schemathesis"), "--config-file", tmp_path / "schemathesis.toml", "run"),
        *(f"{server}/openapi.json", "--no-color"),
        *("--header", f"Authorization: Bearer {secret}", "--header", "Quarterdeck-Tenant: acme"),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing,stateful"),
        *("--max-examples", EXAMPLES, "--max-time", SECONDS, "--request-timeout", 15, "--continue-on-failure"),
    ]
    process = await asyncio.create_subprocess_exec(
        *(str(part) for part in command), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    report = (await process.stdout.read()).decode()
    assert await process.wait() == 0, report
    print(report)
