"""Remote tool servers over streamable HTTP: both revisions, and everything that can go wrong on the way."""

import asyncio
from dataclasses import replace

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.net.client import Outbound
from quarterdeck.net.errors import OutboundLate
from quarterdeck.net.records import Reach
from quarterdeck.releases.records import ToolServer
from quarterdeck.runs.messages import Stored, Text
from quarterdeck.tools.errors import ServerUnavailable
from quarterdeck.tools.extract import extractor
from quarterdeck.tools.records import Answered, Failed, Unknown
from tests.fakes import mcp_http as fake
from tests.fakes.mcp_http import FakeHttp
from tests.fakes.mcp_server import PIXEL, build, serving
from tests.flow.tools.test_host import failed, text
from tests.toolbox import Kept, a_grant, a_release, a_request, tools_for


def remote(url: str, *grants, **more):
    granted = grants or (
        a_grant("act", server="far", timeout=5),
        a_grant("look", server="far", remote_name="act", effect="read", timeout=5),
    )
    return a_release(*granted, servers=(ToolServer("far", "http", url=url, **more),))


@pytest.fixture(params=[True, False], ids=["2026-07-28", "2025-11-25"])
async def server(request):
    async with FakeHttp(stateless=request.param) as running:
        yield running


async def test_a_call_is_answered_and_the_conversation_is_kept(tmp_path, server):
    release = remote(server.url, headers={"X-Team": "desk"})
    async with tools_for(tmp_path) as tools:
        for _ in range(3):
            assert text(await tools.perform(a_request(release, "act", n=1))) == "done"
        assert len(server.calls) == 3
        asked = server.calls[0]
        assert asked.body["params"]["arguments"] == {"n": 1}
        assert asked.headers["X-Team"] == "desk"
        assert asked.headers["MCP-Protocol-Version"] == ("2026-07-28" if server.stateless else "2025-11-25")
        assert asked.headers.get("Mcp-Name") == ("act" if server.stateless else None)
        assert len(server.sessions) == (0 if server.stateless else 1)
    assert not server.sessions


async def test_the_server_is_told_for_whom_and_with_which_key_and_no_secret(tmp_path, server):
    release = remote(server.url)
    async with tools_for(tmp_path) as tools:
        request = replace(a_request(release, "act"), traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
        await tools.perform(request)
        meta = server.calls[0].body["params"]["_meta"]
        ours = {
            key.removeprefix("quarterdeck/"): value for key, value in meta.items() if key.startswith("quarterdeck/")
        }
        assert set(ours) == {"run", "tenant", "user", "call", "key", "attempt", "not_after"}
        assert (ours["run"], ours["key"], ours["user"]) == (str(request.run), "qd_key", "erika")
        assert meta["traceparent"] == request.traceparent


async def test_an_answer_may_come_as_a_stream_with_progress_and_questions_before_it(tmp_path, server):
    told = []
    server.replies = [
        fake.events(
            {
                "jsonrpc": "2.0",
                "method": "notifications/progress",
                "params": {"progressToken": "ID", "progress": 1, "total": 2},
            },
            {"jsonrpc": "2.0", "id": "q1", "method": "sampling/createMessage", "params": {}},
            {"jsonrpc": "2.0", "id": "p1", "method": "ping"},
            {"jsonrpc": "2.0", "id": "ID", "result": fake.well("streamed")},
        )
    ]
    async with tools_for(tmp_path) as tools:
        outcome = await tools.perform(a_request(remote(server.url), "act"), None, lambda *what: told.append(what))
        assert text(outcome) == "streamed"
        assert told == [(1, 2, "")]
        await asyncio.sleep(0.1)
        replies = {body["id"]: body for body in server.notified if "id" in body}
        assert replies["q1"]["error"]["code"] == -32601
        assert replies["p1"]["result"] == {}


REFUSED = [
    (fake.status(429, Retry_After="7"), "rate_limited", True, 7.0),
    (fake.status(401), "refused", False, None),
    (fake.status(403), "refused", False, None),
    (fake.status(413), "refused", False, None),
    (fake.status(307, Location="http://127.0.0.1:1/elsewhere"), "refused", False, None),
    (fake.rpc_error(-32602, "no such argument"), "refused", False, None),
    (fake.rpc_error(-32602, "no such argument", 400), "refused", False, None),
]


@pytest.mark.parametrize(
    ("reply", "code", "retryable", "after"), REFUSED, ids=["429", "401", "403", "413", "307", "rpc", "rpc 400"]
)
async def test_a_refused_call_surely_had_no_effect(tmp_path, server, reply, code, retryable, after):
    server.replies = [reply]
    async with tools_for(tmp_path) as tools:
        outcome = await tools.perform(a_request(remote(server.url), "act"))
        assert failed(outcome) == code
        assert (outcome.retryable, outcome.retry_after) == (retryable, after)
        assert text(await tools.perform(a_request(remote(server.url), "act"))) == "done"


LOST = [
    fake.status(500),
    fake.status(503, Retry_After="1"),
    fake.cut,
    fake.events({"jsonrpc": "2.0", "method": "notifications/message"}, end=False),
    fake.events(),
    fake.raw(b"{nonsense"),
    fake.raw(b"\xff\xfe"),
    fake.raw(b'{"jsonrpc":"2.0","id":1}'),
    fake.raw(b"<html>", "text/html"),
    fake.raw(b'{"jsonrpc":"2.0","id":9,"result":{"content":"text"}}'),
    fake.status(202),
]
NAMES = [
    "500",
    "503",
    "cut",
    "cut stream",
    "empty stream",
    "no json",
    "no utf-8",
    "no result",
    "html",
    "wrong shape",
    "202",
]


@pytest.mark.parametrize("reply", LOST, ids=NAMES)
async def test_a_lost_answer_is_failed_for_a_read_and_unknown_for_anything_else(tmp_path, server, reply):
    server.replies = [reply, reply]
    async with tools_for(tmp_path) as tools:
        assert isinstance(await tools.perform(a_request(remote(server.url), "look")), Failed)
        assert isinstance(await tools.perform(a_request(remote(server.url), "act")), Unknown)
        assert text(await tools.perform(a_request(remote(server.url), "act"))) == "done"


async def test_an_error_in_the_tools_own_words_is_an_answer(tmp_path, server):
    server.replies = [fake.rpc_error(-32603, "the database is down")]
    async with tools_for(tmp_path) as tools:
        outcome = await tools.perform(a_request(remote(server.url), "act"))
        assert isinstance(outcome, Answered)
        assert outcome.is_error
        assert "the database is down" in text(outcome)


async def test_a_remote_server_can_not_claim_that_nothing_has_happened(tmp_path, server):
    async def claim(asked):
        return fake.answer(asked, fake.well("busy", isError=True, _meta={"quarterdeck/try_later": 0.1}))

    server.replies = [claim]
    async with tools_for(tmp_path) as tools:
        outcome = await tools.perform(a_request(remote(server.url), "act"))
        assert isinstance(outcome, Answered)
        assert outcome.is_error


async def test_silence_runs_into_the_time_out_and_the_server_is_told(tmp_path, server):
    server.replies = [fake.silence, fake.silence]
    release = remote(
        server.url,
        a_grant("act", server="far", timeout=0.3),
        a_grant("look", server="far", remote_name="act", effect="read", timeout=0.3),
    )
    async with tools_for(tmp_path) as tools:
        outcome = await tools.perform(a_request(release, "look"))
        assert failed(outcome) == "timeout"
        assert isinstance(await tools.perform(a_request(release, "act")), Unknown)
        assert text(await tools.perform(a_request(release, "act"))) == "done"
        await asyncio.sleep(0.1)
        if not server.stateless:
            cancelled = [
                body["params"]["requestId"] for body in server.notified if body["method"] == "notifications/cancelled"
            ]
            assert cancelled == [call.id for call in server.calls[:2]]
        assert server.abandoned == 2


async def test_one_failing_call_takes_no_other_with_it(tmp_path, server):
    async def slowly(asked):
        await asyncio.sleep(0.5)
        return fake.answer(asked, fake.well("slow"))

    server.replies = [slowly, fake.cut]
    async with tools_for(tmp_path) as tools:
        await tools.prepare(remote(server.url))
        slow = asyncio.create_task(tools.perform(a_request(remote(server.url), "act")))
        await asyncio.sleep(0.2)
        assert isinstance(await tools.perform(a_request(remote(server.url), "act")), Unknown)
        assert text(await slow) == "slow"


async def test_a_session_that_the_server_forgot_is_renewed(tmp_path):
    async with FakeHttp(stateless=False) as server, tools_for(tmp_path) as tools:
        assert text(await tools.perform(a_request(remote(server.url), "act"))) == "done"
        server.forget()
        outcome = await tools.perform(a_request(remote(server.url), "act"))
        assert failed(outcome) == "unreachable"
        assert outcome.retryable
        assert text(await tools.perform(a_request(remote(server.url), "act"))) == "done"


async def test_a_stream_that_ends_early_is_picked_up_where_it_was(tmp_path):
    async with FakeHttp(stateless=False) as server, tools_for(tmp_path) as tools:
        server.replies = [fake.events("id: 7\nretry: 10\ndata:\n\n")]
        seen = []

        async def rest(asked):
            seen.append(asked.headers["Last-Event-ID"])
            return await fake.events({"jsonrpc": "2.0", "id": "ID", "result": fake.well("resumed")})(asked)

        server.resumed = [rest]
        assert text(await tools.perform(a_request(remote(server.url), "act"))) == "resumed"
        assert seen == ["7"]


async def test_a_flood_is_not_read_to_its_end(tmp_path, server):
    async def flood(asked):
        stream = fake.web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(asked.http)
        for _ in range(100):
            await stream.write(b"x" * 1_000_000)
        return stream

    server.replies = [flood, flood]
    async with tools_for(tmp_path) as tools:
        assert failed(await tools.perform(a_request(remote(server.url), "look"))) == "too_large"
        outcome = await tools.perform(a_request(remote(server.url), "act"))
        assert isinstance(outcome, Answered)
        assert outcome.truncated
        assert "has run" in text(outcome)


async def test_a_server_that_is_not_there_fails_without_effect(tmp_path):
    async with tools_for(tmp_path) as tools:
        outcome = await tools.perform(a_request(remote("http://127.0.0.1:9/mcp"), "act"))
        assert failed(outcome) == "host_failed"
        assert outcome.retryable


async def test_an_address_inside_is_refused_unless_the_deployment_allows_it(tmp_path, server):
    async with tools_for(tmp_path, outbound=Outbound(Reach())) as tools:
        outcome = await tools.perform(a_request(remote(server.url), "act"))
        assert failed(outcome) == "host_failed"
        assert not outcome.retryable
        assert not server.calls


async def test_a_call_that_is_late_is_never_posted(tmp_path, server):
    release = remote(server.url)
    async with tools_for(tmp_path) as tools:
        await tools.perform(a_request(release, "act"))
        assert failed(await tools.perform(a_request(release, "act", within=-0.001))) == "too_late"
        assert len(server.calls) == 1


async def test_what_became_late_while_the_connection_was_made_is_held_back(server):
    """A process may be frozen between its last look at the clock and the sending: so there is a later look."""
    asked = []

    def late() -> bool:
        asked.append("asked")
        return len(asked) > 1

    async with Outbound(Reach(allow_private=True)) as outbound:
        for count in (1, 2, 3):
            try:
                body = b'{"jsonrpc":"2.0","method":"notifications/x"}'
                async with outbound.stream("POST", server.url, {}, body, late=late) as answer:
                    assert answer.status == 202
            except OutboundLate:
                assert count > 1
        assert (len(asked), len(server.notified)) == (3, 1)


async def test_a_schema_that_is_not_the_pinned_one_is_refused_at_first_use(tmp_path, server):
    server.tools = [{"name": "act", "inputSchema": {"type": "object", "required": ["to"]}}]
    async with tools_for(tmp_path) as tools:
        assert failed(await tools.perform(a_request(remote(server.url), "act"))) == "schema_changed"
        assert not server.calls


async def test_arguments_that_the_server_wants_in_headers_are_mirrored(tmp_path):
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    async with FakeHttp(tools=[{"name": "act", "inputSchema": schema}]) as server, tools_for(tmp_path) as tools:
        release = remote(server.url, a_grant("act", server="far", parameters=schema))
        assert text(await tools.perform(a_request(release, "act", region="eu"))) == "done"
        assert server.calls[0].headers["Mcp-Param-Region"] == "eu"


@pytest.mark.parametrize("reply", ["401", "html", "endless"])
async def test_a_server_that_can_not_be_listed_is_told_to_the_author(tmp_path, reply):
    async with FakeHttp() as server:
        if reply == "endless":
            server.tools = [{"name": f"tool{n}", "inputSchema": {}} for n in range(1001)]

        async def refuse(request):
            return (
                fake.web.Response(status=401)
                if reply == "401"
                else fake.web.Response(text="<html>", content_type="text/html")
            )

        if reply != "endless":
            server._post = refuse
            await server.__aexit__()
            await server.__aenter__()
        extract = extractor(Settings.model_validate({"data_dir": tmp_path, "allow_private_targets": True}))
        if reply == "endless":
            assert len((await extract([ToolServer("far", "http", url=server.url)], {}))["far"]) == 1001
        else:
            with pytest.raises(ServerUnavailable, match="`far` can't be used"):
                await extract([ToolServer("far", "http", url=server.url)], {})


@pytest.mark.parametrize("options", [{}, {"json_response": True}, {"stateless_http": True}], ids=str)
async def test_the_sdks_own_server_is_understood(tmp_path, options):
    kept = Kept()
    async with serving(build(), **options) as url:
        extract = extractor(Settings.model_validate({"data_dir": tmp_path, "allow_private_targets": True}))
        schemas = {tool.name: tool for tool in (await extract([ToolServer("far", "http", url=url)], {}))["far"]}
        grants = [
            a_grant(tool.name, server="far", parameters=tool.parameters, output_schema=tool.output_schema)
            for tool in schemas.values()
        ]
        release = a_release(*grants, servers=(ToolServer("far", "http", url=url),))
        async with tools_for(tmp_path, kept=kept) as tools:
            assert text(await tools.perform(a_request(release, "echo", text="hello"))) == "hello"
            added = await tools.perform(a_request(release, "add", a=2, b=3))
            assert added.structured == {"result": 5}
            erred = await tools.perform(a_request(release, "fail", message="no"))
            assert erred.is_error
            first, picture, link = (await tools.perform(a_request(release, "picture"))).content
            assert isinstance(picture, Stored)
            assert kept[picture.key] == PIXEL
            assert (first, link) == (Text("A pixel:"), Text("[resource file:///manual.txt] manual"))
            told = []
            done = await tools.perform(a_request(release, "steps", count=3), None, lambda *what: told.append(what))
            assert text(done) == "done"
            expected = [] if "json_response" in options else [(n, 3, f"step {n}") for n in (1, 2, 3)]
            assert told == expected
