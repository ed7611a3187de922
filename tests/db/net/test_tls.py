"""TLS goes to the checked address but vouches for the host's name."""

import ssl
from pathlib import Path

import pytest

from quarterdeck.net.client import Outbound
from quarterdeck.net.errors import OutboundFailed, TargetRefused
from quarterdeck.net.records import Reach
from tests.db.net.certificates import Authority
from tests.db.net.servers import Names, http, serving

DEV = Reach(allow_private=True)
NAMES = {"a_example": [["127.0.0.1"]], "b_example": [["127.0.0.1"]]}


async def test_the_name_of_the_url_goes_into_sni_and_must_stand_in_the_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server("a.example")
    asked: list[str | None] = []

    def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        asked.append(name)

    context.sni_callback = note
    async with (
        serving(http(), tls=context) as server,
        Outbound(DEV, look_up=Names(**NAMES), tls=authority.client()) as outbound,
    ):
        assert (await outbound.request("GET", f"https://a.example:{server.port}/")).status == 200
        assert asked == ["a.example"]
        assert server.requests[0].headers["host"] == f"a.example:{server.port}"
        with pytest.raises(OutboundFailed) as failed:
            await outbound.request("GET", f"https://b.example:{server.port}/")
        assert failed.value.facts["reason"] == "tls"
        assert len(server.requests) == 1


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(tmp_path: Path) -> None:
    async with (
        serving(http(), tls=Authority(tmp_path).server("a.example")) as server,
        Outbound(DEV, look_up=Names(**NAMES)) as outbound,
    ):
        with pytest.raises(OutboundFailed) as failed:
            await outbound.request("GET", f"https://a.example:{server.port}/")
        assert failed.value.facts["reason"] == "tls"
        assert server.requests == []


async def test_a_redirect_never_leads_from_https_to_http(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with (
        serving(http(body=b"plain")) as plain,
        serving(http(302, Location=f"http://a.example:{plain.port}/"), tls=authority.server("a.example")) as server,
        Outbound(DEV, look_up=Names(**NAMES), tls=authority.client()) as outbound,
    ):
        with pytest.raises(TargetRefused) as refused:
            await outbound.request("GET", f"https://a.example:{server.port}/", allow_redirects=True)
        assert refused.value.facts["rule"] == "downgrade"
        assert plain.connections == 0
