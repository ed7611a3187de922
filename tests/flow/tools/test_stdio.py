"""Tool servers of others that run as a local command."""

import asyncio
import sys
from pathlib import Path

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.releases.records import ToolServer
from quarterdeck.runs.messages import Stored
from quarterdeck.tools.errors import ServerUnavailable
from quarterdeck.tools.extract import extractor
from quarterdeck.tools.records import Answered, Unknown
from tests.fakes.mcp_server import PIXEL
from tests.flow.tools.test_host import failed, text
from tests.toolbox import Bundle, Kept, a_grant, a_release, a_request, tools_for

ROOT = Path(__file__).parents[3]
FAKE = ToolServer("near", "stdio", command=(sys.executable, str(ROOT / "tests/fakes/mcp_server.py")))


def a_server(source: str) -> ToolServer:
    """A command that is a few lines of Python."""
    return ToolServer("near", "stdio", command=(sys.executable, "-c", source))


async def test_the_sdks_server_is_listed_called_and_kept(tmp_path):
    kept, told = Kept(), []
    extract = extractor(Settings.model_validate({"data_dir": tmp_path}))
    schemas = (await extract([FAKE], {}))["near"]
    grants = [
        a_grant(tool.name, server="near", parameters=tool.parameters, output_schema=tool.output_schema)
        for tool in schemas
    ]
    release = a_release(*grants, servers=(FAKE,))
    async with tools_for(tmp_path, kept=kept) as tools:
        assert text(await tools.perform(a_request(release, "echo", text="hello"))) == "hello"
        assert (await tools.perform(a_request(release, "add", a=2, b=3))).structured == {"result": 5}
        assert (await tools.perform(a_request(release, "fail", message="no"))).is_error
        picture = (await tools.perform(a_request(release, "picture"))).content[1]
        assert isinstance(picture, Stored)
        assert kept[picture.key] == PIXEL
        assert (
            text(await tools.perform(a_request(release, "steps", count=2), None, lambda *what: told.append(what)))
            == "done"
        )
        assert told == [(1, 2, "step 1"), (2, 2, "step 2")]
        whom = text(await tools.perform(a_request(release, "meta")))
        assert "quarterdeck/user=erika" in whom
        assert "quarterdeck/key=qd_key" in whom
        big = await tools.perform(a_request(release, "big", size=1_000_000))
        assert big.truncated
        assert big.size == 1_000_000
        sleeps = [tools.perform(a_request(release, "sleep", seconds=0.3)) for _ in range(10)]
        assert {text(outcome) for outcome in await asyncio.gather(*sleeps)} == {"slept 0.3 s"}
        assert tools.statistics().started == 1


async def test_a_call_of_the_sdks_server_is_cancelled_without_ending_it(tmp_path):
    release = a_release(a_grant("sleep", server="near", timeout=0.3), servers=(FAKE,))
    async with tools_for(tmp_path) as tools:
        request = a_request(release, "sleep", seconds=60)
        listed = (await extractor(Settings.model_validate({"data_dir": tmp_path}))([FAKE], {}))["near"]
        schema = next(tool.parameters for tool in listed if tool.name == "sleep")
        release = a_release(a_grant("sleep", server="near", timeout=0.3, parameters=schema), servers=(FAKE,))
        request = a_request(release, "sleep", seconds=60)
        assert isinstance(await tools.perform(request), Unknown)


HANDSHAKE = """
import json, sys
def say(**message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    method, id = asked.get("method"), asked.get("id")
    if method == "initialize": say(id=id, result={"protocolVersion": "2025-06-18", "capabilities": {}})
    elif method == "tools/list":
        page = {"tools": [{"name": "act", "inputSchema": {"type": "object"}}]}
        say(id=id, result=page if "cursor" in asked.get("params", {}) else {"tools": [], "nextCursor": "2"})
    elif method == "tools/call":
        CALL
    elif id is not None: say(id=id, error={"code": -32601, "message": "what?"})
"""


def older(call: str) -> ToolServer:
    """A server of an older revision; `call` is what it does when called."""
    return a_server(HANDSHAKE.replace("CALL", call))


def acting(server: ToolServer, **changes):
    return a_release(a_grant("act", server="near", **{"timeout": 1.0, **changes}), servers=(server,))


GOOD = 'say(id=id, result={"content": [{"type": "text", "text": "old but fine"}]})'


async def test_an_older_server_is_shaken_hands_with(tmp_path):
    async with tools_for(tmp_path) as tools:
        assert text(await tools.perform(a_request(acting(older(GOOD)), "act"))) == "old but fine"


async def test_stray_lines_between_the_messages_are_passed_over(tmp_path):
    noise = (
        'print("Listening..."); print("{"); print("[1,2]"); print(); say(method="notifications/tools/list_changed"); '
        + GOOD
    )
    async with tools_for(tmp_path) as tools:
        assert text(await tools.perform(a_request(acting(older(noise)), "act"))) == "old but fine"


async def test_a_server_that_writes_nothing_but_nonsense_is_ended(tmp_path):
    async with tools_for(tmp_path) as tools:
        outcome = await tools.perform(a_request(acting(older('[print("nonsense") for _ in range(3000)]')), "act"))
        assert isinstance(outcome, Unknown)
        assert "protocol" in outcome.why


@pytest.mark.parametrize(
    "order",
    [
        '{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"%s"}]}}',
        '{"result":{"content":[{"type":"text","text":"%s"}]},"jsonrpc":"2.0","id":%d}',
    ],
    ids=["id first", "id last"],
)
async def test_a_line_of_100_mb_is_passed_over_and_known_by_its_id(tmp_path, order):
    values = "(id, 'x' * 100_000_000)" if order.startswith('{"jsonrpc"') else "('x' * 100_000_000, id)"
    flood = f"print('''{order}''' % {values}, flush=True)"
    async with tools_for(tmp_path) as tools:
        outcome = await tools.perform(a_request(acting(older(flood), timeout=20), "act"))
        assert isinstance(outcome, Answered)
        assert outcome.truncated
        assert outcome.size > 100_000_000
        read = await tools.perform(a_request(acting(older(flood), timeout=20, effect="read"), "act"))
        assert failed(read) == "too_large"


@pytest.mark.parametrize(
    "answer",
    ["say(id=id, result=[])", "say(id=id)", 'say(id=id, result={"content": [{"text": "no type"}]})', "sys.exit(3)"],
    ids=["a list", "nothing", "a shapeless part", "the end"],
)
async def test_a_broken_answer_of_a_write_is_unknown(tmp_path, answer):
    async with tools_for(tmp_path) as tools:
        assert isinstance(await tools.perform(a_request(acting(older(answer)), "act")), Unknown)


async def test_what_a_server_asks_of_its_client_is_refused_and_a_ping_is_answered(tmp_path):
    asking = (
        'say(id="a", method="sampling/createMessage", params={}); say(id="b", method="ping"); '
        "got = sorted([json.loads(next(sys.stdin)) for _ in range(2)], key=lambda m: m['id']); "
        'words = str(got[0]["error"]["code"]) + str(got[1]["result"]); '
        'say(id=id, result={"content": [{"type": "text", "text": words}]})'
    )
    async with tools_for(tmp_path) as tools:
        assert text(await tools.perform(a_request(acting(older(asking)), "act"))) == "-32601{}"


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (ToolServer("near", "stdio", command=("no-such-program-anywhere",)), "no-such-program-anywhere"),
        (a_server("import sys; sys.exit('the key is missing')"), "the key is missing"),
        (a_server("print('hello')"), "did not start"),
    ],
    ids=["not there", "exits", "talks nonsense"],
)
async def test_a_command_that_does_not_start_says_why(tmp_path, server, words):
    extract = extractor(Settings.model_validate({"data_dir": tmp_path}))
    with pytest.raises(ServerUnavailable, match=words):
        await extract([server], {})


async def test_a_command_has_the_releases_environment_and_none_of_the_workers(tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET_OF_THE_WORKER", "swordfish")
    shown = 'import os; say(id=id, result={"content": [{"type": "text", "text": json.dumps(sorted(os.environ))}]})'
    server = older(shown)
    server = ToolServer(server.name, server.kind, command=server.command, environment={"REGION": "eu"})
    async with tools_for(tmp_path) as tools:
        found = text(await tools.perform(a_request(acting(server), "act")))
        assert "REGION" in found
        assert "SECRET" not in found


async def test_a_command_runs_in_the_releases_folder_and_may_write_to_its_scratch_only(tmp_path):
    acting_there = """
import os
open(os.path.join(os.environ["HOME"], "note"), "w").write("x")
try: open("note", "w"); told = "wrote"
except OSError as fault: told = fault.strerror
say(id=id, result={"content": [{"type": "text", "text": open("words.txt").read() + told}]})
""".strip().replace("\n", "\n        ")
    source = HANDSHAKE.replace("CALL", acting_there).encode()
    files = {"server.py": source, "words.txt": b"from the release, "}
    server = ToolServer("near", "stdio", command=(sys.executable, "server.py"))
    release = a_release(a_grant("act", server="near"), servers=(server,), files=files)
    async with tools_for(tmp_path, Bundle(release, files)) as tools:
        told = text(await tools.perform(a_request(release, "act")))
        assert told in {"from the release, Permission denied", "from the release, Read-only file system"}
