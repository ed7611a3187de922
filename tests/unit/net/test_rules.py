"""Which URLs, addresses and redirects are let out: tables of what was tried on other systems."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.net import rules
from quarterdeck.net.records import Call, Reach, Refusal, Rule, Target

OUTSIDE = Reach()
DEV = Reach(allow_private=True)


def refused_by(judged: object) -> str:
    return judged.rule.value if isinstance(judged, Refusal) else f"not refused: {judged}"


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com:8080/x/", "http://example.com:8080/x/"),
        ("https://hooks_1.example.com/", "https://hooks_1.example.com/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://example.com/%2e%2e/é", "https://example.com/%2e%2e/%C3%A9"),
        ("http://93.184.215.14/", "http://93.184.215.14/"),
        ("http://[2606:4700:0:0::1111]:80/", "http://[2606:4700::1111]/"),
        ("https://example.com?q=1", "https://example.com/?q=1"),
        ("https://1e100.net/", "https://1e100.net/"),
        ("https://example.com:00443/", "https://example.com/"),
    ],
)
def test_a_public_url_is_taken_apart_into_its_canonical_spelling(url: str, canonical: str) -> None:
    target = rules.judge_url(url, OUTSIDE)
    assert isinstance(target, Target)
    assert target.url == canonical


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.com/", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("//example.com/", "scheme"),
        ("example.com", "scheme"),
        ("", "scheme"),
        ("https://", "host"),
        ("https:///path", "host"),
        ("http://user@example.com/", "userinfo"),
        ("http://user:password@example.com/", "userinfo"),
        ("http://example.com@127.0.0.1/", "userinfo"),
        ("http://@example.com/", "userinfo"),
        ("http://example.com:0/", "port"),
        ("http://example.com:/", "port"),
        ("http://[2606:4700::1111]:/", "port"),
        ("http://example.com:65536/", "host"),
        ("http://example.com:80:90/", "host"),
        ("http://example.com:٨٠/", "host"),
        ("http://[::1/", "host"),
        ("http://exa mple.com/", "characters"),
        ("http://example.com/\r\nHost: inside", "characters"),
        ("http://example.com\t.evil.com/", "characters"),
        ("http://example.com\\@127.0.0.1/", "characters"),
        ("http://127.0.0.1\\.example.com/", "characters"),
        ("http://example.com/\x00", "characters"),
        ("http://example.com/\ud800", "characters"),
        ("https://example.com/" + "a" * 2048, "too_long"),
        ("https://" + "a." * 140 + "com/", "host"),
        ("https://" + "a" * 64 + ".com/", "host_spelling"),
        ("https://-a.com/", "host_spelling"),
        ("https://a..b/", "host_spelling"),
        ("https://.example.com/", "host_spelling"),
        ("https://example.com./", "host_spelling"),
        ("http://127.0.0.1./", "host_spelling"),
        ("http://localhost./", "host_spelling"),
        ("https://bücher.example/", "host_spelling"),
        ("http://１２７.０.０.１/", "host_spelling"),
        ("http://127。0。0。1/", "host_spelling"),
        ("http://ⓛocalhost/", "host_spelling"),
        ("http://%31%32%37.0.0.1/", "host_spelling"),
        ("http://example.com%2f@inside/", "userinfo"),
        ("http://example.com,127.0.0.1/", "host_spelling"),
    ],
)
def test_a_url_that_parsers_could_read_in_two_ways_is_refused(url: str, rule: str) -> None:
    assert refused_by(rules.judge_url(url, DEV)) == rule


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "0",
        "1.2.3.4.5",
        "256.1.1.1",
        "127.0.0.0x1",
        "0x",
        "1.2.3.08",
        "3232235777",
        "example.0x7f",
    ],
)
def test_an_ipv4_address_in_any_but_its_plain_spelling_is_refused(host: str) -> None:
    assert refused_by(rules.judge_url(f"http://{host}/", DEV)) == "host_spelling"


@pytest.mark.parametrize("host", ["[fe80::1%eth0]", "[fe80::1%25eth0]", "[v1.fe80]", "[127.0.0.1]", "[::1]x", "[]"])
def test_a_bracketed_host_must_be_a_plain_ipv6_address(host: str) -> None:
    assert isinstance(rules.judge_url(f"http://{host}/", DEV), Refusal)


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.0.0.1", "private"),
        ("100.64.0.1", "carrier_nat"),
        ("100.127.255.255", "carrier_nat"),
        ("100.100.100.200", "metadata"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("168.63.129.16", "metadata"),
        ("169.254.0.1", "link_local"),
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "link_local"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.1", "reserved"),
        ("192.0.0.192", "metadata"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "embedded_ipv4"),
        ("192.168.1.1", "private"),
        ("198.18.0.1", "benchmark"),
        ("198.19.255.255", "benchmark"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::2", "embedded_ipv4"),
        ("::127.0.0.1", "embedded_ipv4"),
        ("::ffff:127.0.0.1", "embedded_ipv4"),
        ("::ffff:8.8.8.8", "embedded_ipv4"),
        ("::ffff:0:127.0.0.1", "embedded_ipv4"),
        ("64:ff9b::7f00:1", "embedded_ipv4"),
        ("64:ff9b::808:808", "embedded_ipv4"),
        ("64:ff9b:1::a00:1", "embedded_ipv4"),
        ("100::1", "reserved"),
        ("2001::1", "embedded_ipv4"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "embedded_ipv4"),
        ("2001:2::1", "benchmark"),
        ("2001:10::1", "reserved"),
        ("2001:db8::1", "documentation"),
        ("2002:7f00:1::", "embedded_ipv4"),
        ("2002:808:808::", "embedded_ipv4"),
        ("3fff::1", "documentation"),
        ("4000::1", "reserved"),
        ("5f00::1", "reserved"),
        ("fc00::1", "private"),
        ("fd12:3456::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fd20:ce::254", "metadata"),
        ("fe80::1", "link_local"),
        ("fe80::1%eth0", "link_local"),
        ("fec0::1", "link_local"),
        ("ff02::1", "multicast"),
        ("2606:4700::1111%eth0", "link_local"),
    ],
)
def test_an_address_that_is_not_public_is_refused_by_its_rule(address: str, rule: str) -> None:
    assert refused_by(rules.judge_address(ipaddress.ip_address(address))) == rule


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.215.14",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.1.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450:4001::8a",
        "2001:4860:4860::8888",
        "2400:cb00::1",
    ],
)
def test_a_public_address_passes(address: str) -> None:
    assert rules.judge_address(ipaddress.ip_address(address)) is None


@given(st.ip_addresses())
def test_what_the_interpreter_calls_local_is_never_let_out(address: rules.Address) -> None:
    if rules.judge_address(address) is None:
        assert address.is_global
        assert not (address.is_private)
        assert not (address.is_multicast)
        assert not (address.is_link_local)
        assert not (address.is_loopback)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_never_let_out(address: ipaddress.IPv4Address) -> None:
    value = int(address)
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::"):
        wrapped = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | value)
        assert rules.judge_address(wrapped) is not None
    assert rules.judge_address(ipaddress.IPv6Address(0x2002 << 112 | value << 80)) is not None


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://127.0.0.1/", "loopback"),
        ("http://[::1]:8080/", "loopback"),
        ("http://[::ffff:127.0.0.1]/", "embedded_ipv4"),
        ("http://[::ffff:7f00:1]/", "embedded_ipv4"),
        ("http://[0:0:0:0:0:ffff:10.0.0.1]/", "embedded_ipv4"),
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("http://[64:ff9b::169.254.169.254]/", "embedded_ipv4"),
        ("http://0.0.0.0:5432/", "unspecified"),
    ],
)
def test_a_url_whose_host_is_an_inner_address_is_refused_at_once(url: str, rule: str) -> None:
    assert refused_by(rules.judge_url(url, OUTSIDE)) == rule


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "100.64.1.1", "[::1]", "[fd12::1]"])
def test_allow_private_opens_the_deployments_own_networks(host: str) -> None:
    assert isinstance(rules.judge_url(f"http://{host}/", DEV), Target)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "169.254.1.1", "100.100.100.200", "[fd00:ec2::254]", "0.0.0.0", "[::ffff:127.0.0.1]"]
)
def test_allow_private_opens_neither_metadata_nor_disguises(host: str) -> None:
    assert isinstance(rules.judge_url(f"http://{host}/", DEV), Refusal)


def test_a_listed_host_and_port_is_open_and_its_neighbours_are_not() -> None:
    reach = Reach(allowed=frozenset({"10.0.0.5:9090", "[::1]:443", "metrics.internal:80"}))
    inner = ipaddress.ip_address("10.0.0.5")
    assert isinstance(rules.judge_url("http://10.0.0.5:9090/", reach), Target)
    assert isinstance(rules.judge_url("https://[::1]/", reach), Target)
    assert isinstance(rules.judge_url("http://10.0.0.5:9091/", reach), Refusal)
    assert rules.judge_target_address(inner, "metrics.internal", 80, reach) is None
    assert rules.judge_target_address(inner, "other.internal", 80, reach) is not None


CALL = Call(
    "POST",
    "https://a.example/x",
    (
        ("authorization", "Bearer s"),
        ("x-api-key", "k"),
        ("cookie", "c"),
        ("content-type", "text/plain"),
        ("accept", "*/*"),
    ),
    b"body",
)


def redirected(status: int, location: str, call: Call = CALL, reach: Reach = OUTSIDE) -> Call | Refusal:
    target = rules.judge_url(call.url, reach)
    assert isinstance(target, Target)
    return rules.follow(call, target, status, location, reach)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirected_post_becomes_a_get_without_its_body(status: int) -> None:
    following = redirected(status, "/y?z=1#f")
    assert isinstance(following, Call)
    assert (following.method, following.url, following.body) == ("GET", "https://a.example/y?z=1", None)
    assert [name for name, _ in following.headers] == ["authorization", "x-api-key", "cookie", "accept"]


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_method_keeps_the_body_within_its_origin(status: int) -> None:
    following = redirected(status, "https://a.example:443/y")
    assert isinstance(following, Call)
    assert (following.method, following.body, following.headers) == ("POST", b"body", CALL.headers)


@pytest.mark.parametrize(
    "location", ["https://b.example/", "//b.example/", "https://a.example:444/", "https://A.b.example/"]
)
def test_credentials_do_not_follow_to_another_origin(location: str) -> None:
    following = redirected(302, location)
    assert isinstance(following, Call)
    assert following.headers == (("accept", "*/*"),)


@pytest.mark.parametrize(
    ("status", "location", "rule"),
    [
        (307, "https://b.example/", Rule.REDIRECT_BODY),
        (302, "http://a.example/", Rule.DOWNGRADE),
        (302, "http://b.example/", Rule.DOWNGRADE),
        (302, "http://169.254.169.254/latest", Rule.METADATA),
        (302, "https://[::ffff:10.0.0.1]/", Rule.EMBEDDED_IPV4),
        (302, "https://2130706433/", Rule.HOST_SPELLING),
        (302, "file:///etc/passwd", Rule.SCHEME),
        (302, "https://u:p@b.example/", Rule.USERINFO),
        (302, "https://a.example/\udcff", Rule.CHARACTERS),
    ],
)
def test_a_redirect_is_judged_like_a_url_of_its_own(status: int, location: str, rule: Rule) -> None:
    assert refused_by(redirected(status, location)) == rule.value
