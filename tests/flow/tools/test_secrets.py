"""Secrets on their way to tools: in headers of the one server that names them, and in the context of the one call."""

import asyncio
from dataclasses import replace

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.releases.records import ToolServer
from quarterdeck.secrets.redaction import Cleaning, Redactor
from quarterdeck.tools.errors import ToolsUnprepared
from quarterdeck.tools.extract import extractor
from quarterdeck.tools.records import Failed
from quarterdeck.tools.service import meta_of
from tests.fakes import mcp_http as fake
from tests.fakes.mcp_http import FakeHttp
from tests.flow.tools.test_host import failed, text
from tests.toolbox import Code, a_grant, a_release, a_request, tools_for

ONE, TWO = "canary-one-9Zk3x7w5R1mT8vB2n", "canary-two-Yh7Jk2Wq9Pz4Xc8Vb"


def remote(url: str, name: str = "far"):
    headers = {"Authorization": "Bearer secret://API", "X-Team": "desk"}
    return a_release(a_grant("act", server=name), servers=(ToolServer(name, "http", url=url, headers=headers),))


def with_secret(request, **secrets: str):
    known = Redactor({name: [value] for name, value in secrets.items()})
    return replace(request, secrets=secrets, cleaning=Cleaning(known))


@pytest.fixture(params=[True, False], ids=["2026-07-28", "2025-11-25"])
async def server(request):
    async with FakeHttp(stateless=request.param) as running:
        yield running


async def test_a_header_holds_the_secrets_present_value_at_each_call(tmp_path, server):
    release = remote(server.url)
    async with tools_for(tmp_path) as tools:
        for value in (ONE, ONE, TWO):
            assert text(await tools.perform(with_secret(a_request(release, "act"), API=value))) == "done"
    sent = [asked.headers["Authorization"] for asked in server.calls]
    assert sent == [f"Bearer {ONE}", f"Bearer {ONE}", f"Bearer {TWO}"]
    assert "secret" not in str([asked.body for asked in server.calls])


async def test_no_other_server_gets_it_wherever_the_first_one_points(tmp_path, server):
    async with FakeHttp() as elsewhere, tools_for(tmp_path) as tools:
        server.replies = [fake.status(307, Location=elsewhere.url), fake.status(302, Location=elsewhere.url)]
        for _ in range(2):
            outcome = await tools.perform(with_secret(a_request(remote(server.url), "act"), API=ONE))
            assert isinstance(outcome, Failed)
        assert elsewhere.calls == []
        assert elsewhere.sessions == set()


@pytest.mark.parametrize("value", ["two\nlines of it", "größer als ASCII", "blank at the end "])
async def test_a_value_that_is_no_header_fails_the_call_by_its_name(tmp_path, server, value):
    async with tools_for(tmp_path) as tools:
        outcome = await tools.perform(with_secret(a_request(remote(server.url), "act"), API=value))
        assert failed(outcome) == "host_failed"
        assert "secret `API` can't be sent" in outcome.message
        assert value not in outcome.message
    assert server.calls == []


async def test_an_author_builds_with_a_secret_of_his_own(tmp_path, server, monkeypatch: pytest.MonkeyPatch):
    extract = extractor(Settings.model_validate({"data_dir": tmp_path, "allow_private_targets": True}))
    servers = remote(server.url).servers
    with pytest.raises(ToolsUnprepared, match="set QUARTERDECK_SECRET_API"):
        await extract(servers, {})
    monkeypatch.setenv("QUARTERDECK_SECRET_API", ONE)
    found = await extract(servers, {})
    assert [tool.name for tool in found["far"]] == ["act"]


TELLING = '''
import asyncio, os, sys
from quarterdeck.tools.author import secret

@tool(effect="read")
def tell(name: str) -> str:
    """Say whether it is there."""
    return secret(name)[:6] + " " + str(name in str(dict(os.environ)))

@tool(effect="read")
async def wait(context: Context) -> str:
    """Look again after others have been called."""
    before = context.secret("API")
    await asyncio.sleep(0.2)
    return str(before == context.secret("API") == secret("API"))

@tool(effect="read")
def shout(context: Context) -> str:
    """Say it on standard error, and die of it."""
    print("it is", context.secret("API"), file=sys.stderr, flush=True)
    os._exit(3)
'''


async def test_each_call_has_its_own_secrets_and_no_others(tmp_path):
    code = Code(TELLING)
    async with tools_for(tmp_path, code) as tools:
        one = with_secret(a_request(code.release, "wait"), API=ONE)
        two = with_secret(a_request(code.release, "wait"), API=TWO)
        assert [text(one) for one in await asyncio.gather(*map(tools.perform, (one, two)))] == ["True", "True"]
        assert (
            text(await tools.perform(with_secret(a_request(code.release, "tell", name="API"), API=ONE)))
            == "canary False"
        )
        lacking = await tools.perform(with_secret(a_request(code.release, "tell", name="OTHER"), API=ONE))
        assert lacking.is_error
        assert "this tool is not given the secret 'OTHER'" in text(lacking)
        none = await tools.perform(a_request(code.release, "tell", name="API"))
        assert none.is_error


async def test_what_a_host_says_and_dies_with_is_logged_without_it(tmp_path, logged):
    code = Code(TELLING)
    async with tools_for(tmp_path, code) as tools:
        outcome = await tools.perform(with_secret(a_request(code.release, "shout"), API=ONE))
        assert failed(outcome) == "crashed"
    told = str(logged)
    assert ONE not in told
    assert "it is [secret API]" in told


async def test_commands_of_others_are_given_none():
    """Registration refuses it; should a release have it all the same, nothing is sent."""
    release = a_release(a_grant("echo", server="there"), servers=(ToolServer("there", "stdio", command=("there",)),))
    request = with_secret(a_request(release, "echo", text="hello"), API=ONE)
    assert ONE not in str(meta_of(request, own=False))
    assert ONE in str(meta_of(request, own=True))
