"""Canaries: secrets of every kind, given to tools and a provider that give them back in every form they can think of.

Then everything that anybody could read is searched: every column of every table, what the model was shown, the logs of
all processes, streams, the trace and its export, webhooks, the audit. Nothing may be found.
"""

import asyncio
import base64
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from quarterdeck.db import driver
from quarterdeck.secrets.redaction import forms_of
from tests.fakes.mcp_http import Asked as Asking
from tests.fakes.mcp_http import answer, rpc_error, status, well
from tests.fakes.provider import Asked, Call, Fails, Says, Turn
from tests.flow.outside import Outside
from tests.flow.stage import PIN, Json, Stage, Tenant, a_folder, staged, until

TOKEN = "canary-tool-9Zk3/x+Q7=w5R1mT8vB2nL6pD4sG0"
HEADER = "canary-head-Yh7Jk2Wq9Pz4Xc8Vb1Nm6Lf3Rt5Gd0S"
KEPT_KEY = "sk-canary-kept-0a1B2c3D4e5F6g7H8i9J0k1L2m3N"
NAMED_KEY = "sk-canary-named-Z9y8X7w6V5u4T3s2R1q0P9o8N7m6"
BEFORE = "canary-before-3Gt6Hy9Ju2Ki5Lo8Pq1Wz4Xe7Cv0B"
CANARIES = (TOKEN, HEADER, KEPT_KEY, NAMED_KEY, BEFORE)

FORMS = [
    "plain",
    "base64",
    "basic",
    "wrapped",
    "url_safe",
    "unpadded",
    "quoted",
    "json",
    "hex",
    "structured",
    "listed",
    "raised",
    "told",
    "later",
    "stderr",
    "stdout",
    "blob",
    "bytes",
    "long",
    "cut",
    "logged",
    "before",
]
TOOLS = '''
import base64, json, logging, sys
from urllib.parse import quote

from quarterdeck.tools.author import Blob, Context, ToolError, TryLater, secret, tool

@tool(effect="read", repeat="safe")
def spill(how: str, context: Context) -> object:
    """Give the secret back, one way or another."""
    value = context.secret("TOKEN")
    assert value == secret("TOKEN")
    assert value not in repr(context)
    raw = value.encode()
    match how:
        case "plain":
            return f"it is {value}."
        case "base64":
            return base64.b64encode(raw).decode()
        case "basic":
            return "Basic " + base64.b64encode(b"user:" + raw + b":x").decode()
        case "wrapped":
            return base64.encodebytes(b"a long beginning of many words, " + raw + b" and an end to it all").decode()
        case "url_safe":
            return base64.urlsafe_b64encode(b"u" + raw).decode()
        case "unpadded":
            return base64.b64encode(raw).decode().rstrip("=")
        case "quoted":
            return "https://example.com/?key=" + quote(value, safe="")
        case "json":
            return json.dumps(json.dumps({"key": value}))
        case "hex":
            return raw.hex().upper()
        case "structured":
            return {"key": value, value: [value]}
        case "listed":
            return [value, {"a": value}]
        case "raised":
            raise RuntimeError(f"401 for {value}")
        case "told":
            raise ToolError(f"the other side refused {value}")
        case "later":
            raise TryLater(f"busy with {value}", 0.01)
        case "stderr":
            print("using", value, file=sys.stderr, flush=True)
            return "said"
        case "stdout":
            print("using", base64.b64encode(raw).decode(), flush=True)
            return "said"
        case "logged":
            logging.basicConfig(stream=sys.stderr, level="DEBUG", force=True)
            logging.error("calling with Bearer %s", value)
            return "logged"
        case "blob":
            return Blob(b"key=" + raw, "text/plain")
        case "bytes":
            return Blob(b"\\x00\\xff" + raw + b"\\xfe", "application/octet-stream")
        case "long":
            return "x" * 50_000 + value + "y" * 50_000
        case "cut":
            return "x" * 99_990 + value + "y" * 500_000
        case "before":
            return "the one before was canary-before-3Gt6Hy9Ju2Ki5Lo8Pq1Wz4Xe7Cv0B"
    return "?"

@tool(effect="read")
def lacking(context: Context) -> str:
    """Ask for a secret that it was not given."""
    return f"{sorted(context.secrets)} {context.secret('TOKEN')}"

@tool(effect="read")
def wanting(context: Context) -> str:
    """Needs a secret that nobody has set."""
    return context.secret("NEVER_SET")
'''


@dataclass
class Scene:
    """A deployment on which everything was spilled, and what was gathered while it was."""

    stage: Stage
    tenant: Tenant
    runs: list[str]
    streams: list[str] = field(default_factory=list[str])
    headers: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    outside = Outside()
    outside.open()
    collector = f"{outside.letterbox.url}/otlp"
    with (
        a_folder() as folder,
        staged(outside, folder, 1, otlp_endpoint=collector, otlp_content=True) as stage,
        pytest.MonkeyPatch.context() as environment,
    ):
        yield spill(stage, environment)
    outside.close()


def spill(stage: Stage, environment: pytest.MonkeyPatch) -> Scene:
    """Keep the canaries, register the agents, and let everything be spilled."""
    tenant = stage.tenant()
    put(tenant.client, "TOKEN", BEFORE)
    put(tenant.client, "TOKEN", TOKEN)
    put(tenant.client, "HEADER", HEADER)
    put(stage.admin, "NAMED", NAMED_KEY)
    hook = {"url": f"{stage.outside.letterbox.url}/hook"}
    tenant.must(tenant.client.post("/v1/webhooks", json=hook))
    scene = Scene(stage, tenant, [])
    environment.setenv("QUARTERDECK_SECRET_HEADER", "not the real one, to build with")
    remote_tools(scene)
    scene.runs.append(ended(scene, *agent(scene, "spiller", "secret://NAMED", NAMED_KEY)))
    scene.runs.append(ended(scene, *agent(scene, "keeper", KEPT_KEY, KEPT_KEY)))
    return scene


def put(client: httpx.Client, name: str, value: str) -> None:
    Tenant.must(client.put(f"/v1/secrets/{name}", json={"value": value}))


def remote_tools(scene: Scene) -> None:
    """The remote server gives back the header that it was sent."""
    books = scene.stage.outside.books

    async def echo(asked: Asking) -> web.StreamResponse:
        given = asked.headers["authorization"]
        scene.headers.append(given)
        encoded = base64.b64encode(given.encode()).decode()
        return answer(asked, well(f"{given} {encoded}", structuredContent={"sent": given}))

    async def refuse(asked: Asking) -> web.StreamResponse:
        return await rpc_error(-32000, f"not with {asked.headers['authorization']}")(asked)

    async def reject(asked: Asking) -> web.StreamResponse:
        return await rpc_error(-32602, f"bad {asked.headers['authorization']}")(asked)

    async def fail(asked: Asking) -> web.StreamResponse:
        return await status(500, asked.headers["authorization"])(asked)

    books.odd.update({"echo": echo, "refuse": refuse, "reject": reject, "fail": fail})


def agent(scene: Scene, name: str, key: str, value: str) -> tuple[str, str]:
    """An agent at a provider that quotes its key; its name, and the words that find its plan."""
    stage, tenant, words = scene.stage, scene.tenant, f"spill all that {name} has"
    provider = f"wire-{name}-{tenant.slug}"
    url = f"{stage.outside.provider.url}/v1"
    made = {"name": provider, "kind": "openai_compatible", "base_url": url, "key": key, "options": {}}
    Tenant.must(stage.admin.post("/v1/providers", json=made))
    given = {"secrets": ["TOKEN"], "scan": ["secrets:note"], "retries": 1}
    own = {"python": "tools.py", "tools": {"spill": given, "wanting": {"secrets": ["NEVER_SET"]}}}
    remote = tenant.books("look")
    remote["mcp"]["headers"] = {"Authorization": "Bearer secret://HEADER"}
    tenant.register(
        name,
        {"tools.py": TOOLS},
        tools=[own, remote],
        model={"provider": provider, "id": PIN},
        limits={"max_steps": 20, "max_tool_calls": 100},
    )
    stage.outside.plans[words] = lambda asked: turn(asked, value)
    return name, words


def turn(asked: Asked, key: str) -> Turn:
    """What the model does: calls everything, fails with its key in the error, and says its key in its last words."""
    assert asked.headers["Authorization"] == f"Bearer {key}", "the provider is given the secret's value"
    spoken = sum(message["role"] == "assistant" for message in asked.body["messages"])
    calls = [Call("spill", {"how": how}, f"s-{how}") for how in FORMS]
    calls += [Call("look", {"what": what}, f"l-{what}") for what in ("echo", "refuse", "reject", "fail")]
    calls += [Call("lacking", {}, "lacking"), Call("wanting", {}, "wanting")]
    if spoken == 0:
        return Says(f"first with {key}", calls[:10], thinking=f"I know {key}", between=0.01)
    if spoken == 1:
        told = json.dumps({"key": key})
        return Says(
            "", [*calls[10:], Call("spill", {"how": f"?{key}"}, "arg"), Call("spill", f"no json {told}", "raw")]
        )
    if not getattr(turn, key, False):
        setattr(turn, key, True)
        return Fails(500, f"Incorrect API key provided: {key}")
    return Says(f"done with {key} and {base64.b64encode(key.encode()).decode()}", between=0.02)


def ended(scene: Scene, name: str, words: str) -> str:
    """A run of the agent, watched by a stream from its beginning to its end."""
    run = scene.tenant.submit(name, words=words)
    seen: list[str] = []
    client = scene.stage.client(scene.tenant.key)

    def watch() -> None:
        with client.stream("GET", f"/v1/runs/{run}/events", headers={"accept": "text/event-stream"}) as stream:
            seen.extend(stream.iter_lines())

    thread = threading.Thread(target=watch)
    thread.start()
    scene.tenant.until(run, within=90)
    thread.join(30)
    scene.streams.append("\n".join(seen))
    return run


def found_in(text: str) -> list[str]:
    """The canaries that stand in a text, in whatever form. Line breaks inside do not hide them."""
    texts = (text, text.replace("\\n", "").replace("\n", ""))
    return [
        f"{canary[:13]}: {form}"
        for canary in CANARIES
        for form in forms_of(canary)
        if any(form in one for one in texts)
    ]


def said(scene: Scene, run: str) -> dict[str, str]:
    """What the model was told of each call."""
    told: dict[str, str] = {}
    for one in scene.tenant.events(run):
        if one["kind"] in {"tool.answered", "tool.failed", "tool.denied", "tool.unknown"}:
            parts = one["data"].get("content", [])
            told[one["data"]["call"]] = " ".join(part.get("text", part.get("begins", "")) for part in parts)
    return told


def test_the_runs_did_all_that_and_went_on(scene: Scene):
    """Otherwise the rest would prove nothing."""
    assert scene.headers == [f"Bearer {HEADER}"] * 2
    for run, key in zip(scene.runs, (NAMED_KEY, KEPT_KEY), strict=True):
        record = scene.tenant.run(run)
        assert record["status"] == "succeeded", record
        told = said(scene, run)
        assert {f"s-{how}" for how in FORMS} <= told.keys()
        for how in set(FORMS) - {"stderr", "stdout", "logged", "blob", "bytes", "long", "cut"}:
            assert "[secret TOKEN]" in told[f"s-{how}"], (how, told[f"s-{how}"])
        for what in ("echo", "refuse", "reject"):
            assert "[secret HEADER]" in told[f"l-{what}"], told[f"l-{what}"]
        assert "not given the secret" in told["lacking"]
        assert "NEVER_SET" in told["wanting"]
        provider = record["agent"]
        assert record["result"]["text"].count(f"[secret provider/wire-{provider}") == 2
        assert key not in json.dumps(scene.tenant.events(run))


def test_no_table_holds_a_canary(scene: Scene):
    url = scene.stage.fleet.urls.owner
    assert asyncio.run(in_tables(url, found_in)) == []

    def decoys() -> set[str]:
        found = asyncio.run(in_tables(url, lambda text: ["decoy"] if "spill all that keeper has" in text else []))
        return {one.partition(".")[0].partition("_2")[0] for one in found}

    until(lambda: decoys() >= {"run_events", "webhook_deliveries"}, "webhooks are told of the last run too", 20)


async def in_tables(url: str, look: Callable[[str], list[str]]) -> list[str]:
    """Where canaries stand: every row of every table that is not PostgreSQL's own, as text and as bytes."""
    connection = await driver.connect(url)
    found: list[str] = []
    searched = 0
    try:
        tables = await connection.fetch(
            "SELECT table_schema AS schema, table_name AS name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'"
        )
        for table in tables:
            for row in await connection.fetch(f'SELECT t.* FROM "{table["schema"]}"."{table["name"]}" t'):
                for column in row.keys():  # noqa: SIM118
                    searched += 1
                    texts = texts_of(row[column])
                    found += [f"{table['name']}.{column}: {one}" for text in texts for one in look(text)]
        assert searched > 2000
        assert {"run_events", "secret_versions", "outbox", "webhook_deliveries"} <= {table["name"] for table in tables}
    finally:
        await connection.close()
    return found


def texts_of(value: object) -> Iterator[str]:
    """A column's value as text, in each way that it can be read."""
    if isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
        with suppress(zlib.error):
            yield zlib.decompress(value).decode("utf-8", "replace")
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif value is not None:
        yield str(value)


def test_no_payload_of_a_run_holds_a_canary(scene: Scene):
    """Blobs lie sealed in their table: they are read as people and models read them."""
    read = 0
    for run in scene.runs:
        for one in scene.tenant.events(run):
            for part in one["data"].get("content", ()):
                if part.get("type") == "stored":
                    answer = scene.tenant.client.get(f"/v1/blobs/{part['key']}?run={run}")
                    assert answer.status_code == 200, answer.text
                    assert found_in(answer.content.decode("utf-8", "replace")) == []
                    read += 1
    assert read >= 4


def test_the_model_was_shown_no_canary(scene: Scene):
    asked = scene.stage.outside.provider.asked
    assert len(asked) >= 8
    assert [one for ask in asked for one in found_in(json.dumps(ask.body))] == []
    assert "[untrusted " in json.dumps(asked[-1].body), "and knows what outsiders may have written"


def test_no_process_has_logged_a_canary(scene: Scene):
    logs = list((scene.stage.fleet.folder / "logs").glob("*.log"))
    assert {log.stem for log in logs} >= {"serve", "worker-1"}
    texts = [log.read_text(errors="replace") for log in logs]
    assert any("secret.leaked" in text for text in texts), "leaks are told"
    assert any('"tool.said"' in text or "tool.said" in text for text in texts), "tools' words are logged"
    assert [one for text in texts for one in found_in(text)] == []


def test_no_stream_shows_a_canary(scene: Scene):
    assert len(scene.streams) == 2
    for stream in scene.streams:
        assert "event: run.finished" in stream
        assert "event: message.delta" in stream
        assert found_in(stream) == []
        deltas = [
            json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ") and '"offset"' in line
        ]
        assert found_in("".join(one.get("text", "") for one in deltas)) == []


def test_no_trace_and_no_export_of_one_holds_a_canary(scene: Scene):
    box = scene.stage.outside.letterbox
    until(lambda: len(box.to("/otlp/v1/traces")) >= 1, "traces were exported", 60)
    for run in scene.runs:
        trace = scene.tenant.client.get(f"/v1/runs/{run}/trace").text
        assert "spill" in trace
        assert found_in(trace) == []
    for letter in box.to("/otlp/v1/traces"):
        assert found_in(letter.body.decode("utf-8", "replace")) == []
    assert any(b"spill" in letter.body for letter in box.to("/otlp/v1/traces")), "contents are exported here"


def test_no_webhook_tells_a_canary(scene: Scene):
    box = scene.stage.outside.letterbox
    until(
        lambda: {letter.record["type"] for letter in box.to("/hook")} >= {"run.finished", "secret.leaked"}, "told", 60
    )
    assert [one for letter in box.to("/hook") for one in found_in(letter.body.decode())] == []


def test_no_list_and_no_export_of_the_deployment_holds_a_canary(scene: Scene):
    client, admin = scene.tenant.client, scene.stage.admin
    answers = [
        *(client.get(path) for path in ("/v1/secrets", "/v1/runs", "/v1/agents", "/v1/audit", "/v1/audit/export")),
        *(client.get(f"/v1/runs/{run}") for run in scene.runs),
        *(admin.get(path) for path in ("/v1/providers", "/v1/secrets", "/metrics")),
    ]
    for one in answers:
        assert one.status_code == 200, one.text
        assert found_in(one.text) == []
    leaks: Json = {one["name"]: one["leaks"] for one in answers[0].json()["items"]}
    assert leaks["TOKEN"] >= 20
    assert leaks["HEADER"] >= 4


def test_no_host_has_a_canary_in_its_environment_or_its_arguments(scene: Scene):
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                said_at_start = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                if b"quarterdeck-flow-" in said_at_start:
                    assert found_in(said_at_start.decode("utf-8", "replace")) == []


def test_a_rotated_secret_is_used_within_seconds_and_without_a_restart(scene: Scene):
    """Last, because it changes what the others look for."""
    fresh = HEADER[::-1]
    put(scene.tenant.client, "HEADER", fresh)
    key = KEPT_KEY

    def look() -> bool:
        setattr(turn, key, False)
        ended(scene, "keeper", "spill all that keeper has")
        return scene.headers[-1] == f"Bearer {fresh}"

    until(look, "the new value is sent", 20)
