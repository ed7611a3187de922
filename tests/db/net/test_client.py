"""The outbound client against real servers on loopback: where it connects, what it refuses, when it stops."""

import asyncio

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.net.client import Outbound
from quarterdeck.net.errors import OutboundFailed, OutboundTimeout, TargetRefused
from quarterdeck.net.records import Reach
from tests.db.net.servers import Names, Request, http, serving

DEV = Reach(allow_private=True)


def rule_of(refused: pytest.ExceptionInfo[TargetRefused]) -> object:
    return refused.value.facts["rule"]


# --- Where it goes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_loopback_is_refused_and_no_connection_is_made(host: str) -> None:
    async with serving(http(), host) as server, Outbound() as outbound:
        with pytest.raises(TargetRefused) as refused:
            await outbound.request("GET", server.origin + "/")
        assert rule_of(refused) == "loopback"
        assert server.connections == 0


@pytest.mark.parametrize(
    "inside", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "fe80::1%lo"]
)
async def test_a_name_that_leads_inside_is_refused_without_saying_where(inside: str) -> None:
    async with serving(http()) as server, Outbound(look_up=Names(in_example=[[inside]])) as outbound:
        with pytest.raises(TargetRefused) as refused:
            await outbound.request("GET", f"http://in.example:{server.port}/")
        assert rule_of(refused) == "not_public"
        assert inside not in str(refused.value) + str(refused.value.facts)
        assert server.connections == 0


async def test_one_inner_address_among_public_ones_is_enough_to_refuse() -> None:
    names = Names(in_example=[["93.184.215.14", "127.0.0.1"]])
    async with serving(http()) as server, Outbound(look_up=names) as outbound:
        with pytest.raises(TargetRefused):
            await outbound.request("GET", f"http://in.example:{server.port}/")
        assert server.connections == 0


async def test_a_name_is_looked_up_once_and_the_checked_address_is_connected_to() -> None:
    """Rebinding: the second look-up would lead to the trap, the first leads to an address that nobody answers at."""
    names = Names(re_example=[["192.0.3.1"], ["127.0.0.1"]])
    async with serving(http()) as trap, Outbound(look_up=names) as outbound:
        with pytest.raises((OutboundTimeout, OutboundFailed)):
            await outbound.request("GET", f"http://re.example:{trap.port}/", connect_timeout=0.3)
        assert names.asked == ["re.example"]
        assert trap.connections == 0


async def test_the_checked_address_is_the_one_that_sees_the_request_under_the_names_own_host() -> None:
    names = Names(re_example=[["127.0.0.2"], ["127.0.0.3"]])
    async with (
        serving(http(body=b"checked"), "127.0.0.2") as server,
        serving(http(body=b"trap"), "127.0.0.3", server.port) as trap,
        Outbound(DEV, look_up=names) as outbound,
    ):
        reply = await outbound.request("GET", f"http://re.example:{server.port}/a?b=c")
    assert reply.body == b"checked"
    assert trap.connections == 0
    assert server.requests[0].line == "GET /a?b=c HTTP/1.1"
    assert server.requests[0].headers["host"] == f"re.example:{server.port}"


async def test_a_later_connection_is_judged_anew() -> None:
    names = Names(re_example=[["127.0.0.1"], ["169.254.169.254"]])
    async with serving(http(connection="close")) as server, Outbound(DEV, look_up=names) as outbound:
        url = f"http://re.example:{server.port}/"
        assert (await outbound.request("GET", url)).status == 200
        with pytest.raises(TargetRefused):
            await outbound.request("GET", url)


async def test_a_listed_host_and_port_may_lead_inside() -> None:
    async with serving(http()) as server:
        names = Names(in_example=[["127.0.0.1"]])
        async with Outbound(Reach(allowed=frozenset({f"in.example:{server.port}"})), look_up=names) as outbound:
            assert (await outbound.request("GET", f"http://in.example:{server.port}/")).body == b"ok"
            with pytest.raises(TargetRefused):
                await outbound.request("GET", f"http://in.example:{server.port + 1}/")


async def test_a_deployments_settings_say_what_may_be_reached() -> None:
    async with serving(http()) as server:
        listed = Settings(allowed_targets=f" LOCALHOST:{server.port}, 127.0.0.1:{server.port} ,")
        async with Outbound.of(listed) as outbound:
            assert (await outbound.request("GET", server.origin)).status == 200
            assert (await outbound.request("GET", f"http://localhost:{server.port}")).status == 200
        for settings, reached in ((Settings(), False), (Settings(allow_private_targets=True), True)):
            async with Outbound.of(settings) as outbound:
                if reached:
                    assert (await outbound.request("GET", server.origin)).status == 200
                else:
                    with pytest.raises(TargetRefused):
                        await outbound.request("GET", server.origin)


async def test_a_name_without_addresses_is_a_failure_that_says_so() -> None:
    async with Outbound(look_up=Names()) as outbound:
        with pytest.raises(OutboundFailed) as failed:
            await outbound.request("GET", "http://nowhere.example/")
        assert failed.value.facts["reason"] == "name"
        with pytest.raises(OutboundFailed):
            await outbound.examine("http://nowhere.example/")


async def test_examining_a_url_resolves_and_judges_without_connecting() -> None:
    async with serving(http()) as server, Outbound(look_up=Names(in_example=[["127.0.0.1"]])) as outbound:
        with pytest.raises(TargetRefused):
            await outbound.examine(f"http://in.example:{server.port}/")
    async with serving(http()) as server, Outbound(DEV) as outbound:
        assert (await outbound.examine(f"http://localhost:{server.port}/x")).path == "/x"
        assert server.connections == 0


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        serving(http(body=b"proxy")) as proxy,
        serving(http(body=b"direct")) as server,
        Outbound(DEV) as outbound,
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        monkeypatch.setenv("http_proxy", proxy.origin)
        assert (await outbound.request("GET", server.origin)).body == b"direct"


# --- Redirects --------------------------------------------------------------------------------------------------------


async def test_a_redirect_is_handed_back_unless_it_was_asked_to_be_followed() -> None:
    async with serving(http(302, Location="http://127.0.0.1:1/")) as server, Outbound(DEV) as outbound:
        reply = await outbound.request("GET", server.origin)
        assert (reply.status, reply.header("location")) == (302, "http://127.0.0.1:1/")


async def test_a_redirect_to_inside_is_refused_and_not_visited() -> None:
    names = Names(out_example=[["127.0.0.1"]], in_example=[["127.0.0.2"]])
    async with (
        serving(http(body=b"secret"), "127.0.0.2") as inner,
        serving(http(302, Location=f"http://in.example:{inner.port}/")) as server,
        Outbound(Reach(allowed=frozenset({f"out.example:{server.port}"})), look_up=names) as outbound,
    ):
        with pytest.raises(TargetRefused) as refused:
            await outbound.request("GET", f"http://out.example:{server.port}/", allow_redirects=True)
        assert rule_of(refused) == "not_public"
        assert len(server.requests) == 1
        assert inner.connections == 0


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/", "http://2130706433/", "file:///etc/passwd"])
async def test_a_redirect_to_a_refused_url_is_refused(location: str) -> None:
    async with serving(http(302, Location=location)) as server, Outbound(DEV) as outbound:
        with pytest.raises(TargetRefused):
            await outbound.request("GET", server.origin, allow_redirects=True)


async def test_credentials_stay_behind_when_a_redirect_leaves_the_origin() -> None:
    given = {"Authorization": "Bearer s", "X-Api-Key": "k"}
    async with (
        serving(http(body=b"there")) as there,
        serving(http(302, Location=there.origin + "/x")) as server,
        Outbound(DEV) as outbound,
    ):
        reply = await outbound.request("GET", server.origin, given, allow_redirects=True)
    assert reply.body == b"there"
    assert server.requests[0].headers["authorization"] == "Bearer s"
    assert not {"authorization", "x-api-key"} & there.requests[0].headers.keys()


async def test_the_body_of_a_redirect_is_not_waited_for_and_its_connection_is_closed() -> None:
    left = asyncio.Event()

    async def endless(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 302 X\r\nLocation: {there.origin}\r\n\r\n".encode())
        try:
            while True:
                writer.write(b"a" * 1000)
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            left.set()

    async with serving(http(body=b"there")) as there, serving(endless) as server, Outbound(DEV) as outbound:
        assert (await outbound.request("GET", server.origin, allow_redirects=True)).body == b"there"
        async with asyncio.timeout(5):
            await left.wait()


async def test_the_fourth_redirect_is_one_too_many() -> None:
    async with serving(http(302, Location="/again")) as server, Outbound(DEV) as outbound:
        with pytest.raises(TargetRefused) as refused:
            await outbound.request("GET", server.origin, allow_redirects=True)
        assert rule_of(refused) == "redirect_limit"
        assert len(server.requests) == 4


async def test_all_redirects_share_one_time() -> None:
    async def slow(_: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.25)
        writer.write(http(302, Location="/again"))

    async with serving(slow) as server, Outbound(DEV) as outbound:
        with pytest.raises(OutboundTimeout):
            await outbound.request("GET", server.origin, timeout=0.4, allow_redirects=True)


# --- Bad answers, and what we say -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.9\r\nclose\r\n", "answer"),
        (b"HTTP/1.1 200 X\r\nContent-Length: 10\r\nX: close\r\n\r\nabc", "answer"),
        (b"HTTP/1.1 200 X\r\nBig: " + b"a" * 20_000 + b"close\r\n\r\n", "answer"),
        (b"HTTP/1.1 2", "disconnected"),
    ],
)
async def test_an_answer_that_is_not_http_is_a_failure(answer: bytes, reason: str) -> None:
    async def say(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with serving(say) as server, Outbound(DEV) as outbound:
        with pytest.raises(OutboundFailed) as failed:
            await outbound.request("GET", server.origin, timeout=5)
        assert failed.value.facts["reason"] == reason


async def test_a_port_that_nobody_listens_on_is_a_failure_that_names_no_address() -> None:
    async with serving(http()) as server:
        port = server.port
    async with Outbound(DEV, look_up=Names(gone_example=[["127.0.0.1"]])) as outbound:
        with pytest.raises(OutboundFailed) as failed:
            await outbound.request("GET", f"http://gone.example:{port}/")
        assert failed.value.facts["reason"] == "connect"
        assert "127.0.0.1" not in str(failed.value)


async def test_a_request_carries_what_it_was_given_and_little_else() -> None:
    async with serving(http()) as server, Outbound(DEV) as outbound:
        await outbound.request("post", server.origin + "/p", {"X-A": "1", "User-Agent": "mine"}, b"body")
    request = server.requests[0]
    assert (request.line, request.body) == ("POST /p HTTP/1.1", b"body")
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "gzip",
        "x-a": "1",
        "user-agent": "mine",
        "content-length": "4",
    }


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "Upgrade"])
async def test_a_header_that_frames_the_message_cant_be_given(name: str) -> None:
    async with Outbound(DEV) as outbound:
        with pytest.raises(ValueError, match="client's own"):
            await outbound.request("GET", "http://example.com/", {name: "x"})


async def test_cookies_are_not_kept() -> None:
    async with serving(http(Set_Cookie="a=b; Path=/")) as server, Outbound(DEV) as outbound:
        await outbound.request("GET", server.origin)
        await outbound.request("GET", server.origin)
    assert "cookie" not in server.requests[1].headers


async def test_connections_are_kept_for_the_next_request_of_the_same_origin() -> None:
    async with serving(http()) as server, Outbound(DEV) as outbound:
        for _ in range(3):
            await outbound.request("POST", server.origin, body=b"x")
        assert server.connections == 1
