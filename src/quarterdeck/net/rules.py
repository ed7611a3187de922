"""Which targets an outbound call may have: pure judgement of URLs, addresses and redirects.

The address tables follow the IANA special-purpose registries (IPv4 and IPv6, as of 2025) and add what those call
global although it leads inside: addresses that carry an IPv4 address, and the metadata services of clouds.
"""

import ipaddress
import re
from dataclasses import replace
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from quarterdeck.net.records import Call, Reach, Refusal, Rule, Target

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_REDIRECTS = 3
MAX_URL = 2048

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\<>\"`{}|^\ud800-\udfff]")
_LABELS = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_HOST = 253
_PATH_SAFE = "/%:@!$&'()*+,;=-._~[]"
_QUERY_SAFE = _PATH_SAFE + "?"
_SENTENCE = "Outbound calls reach public addresses only."

_TABLE: tuple[tuple[Rule, str], ...] = (
    # Metadata services first: some stand in ranges that `allow_private` opens, one (Azure) in a public range.
    (Rule.METADATA, "169.254.169.254/32 168.63.129.16/32 100.100.100.200/32 192.0.0.192/32"),
    (Rule.METADATA, "fd00:ec2::254/128 fd20:ce::254/128"),
    (Rule.LOOPBACK, "127.0.0.0/8 ::1/128"),
    (Rule.UNSPECIFIED, "0.0.0.0/8 ::/128"),
    (Rule.PRIVATE, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7"),
    (Rule.CARRIER_NAT, "100.64.0.0/10"),
    (Rule.LINK_LOCAL, "169.254.0.0/16 fe80::/10 fec0::/10"),
    (Rule.MULTICAST, "224.0.0.0/4 ff00::/8"),
    (Rule.DOCUMENTATION, "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"),
    (Rule.BENCHMARK, "198.18.0.0/15 2001:2::/48"),
    # Compatible, mapped, translated, NAT64 (well-known and local), Teredo, 6to4 and its relays.
    (Rule.EMBEDDED_IPV4, "::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48"),
    (Rule.EMBEDDED_IPV4, "2001::/32 2002::/16 192.88.99.0/24"),
    (Rule.RESERVED, "192.0.0.0/24 240.0.0.0/4 100::/64 100:0:0:1::/64 2001::/23 5f00::/16"),
)
_NETWORKS: tuple[tuple[Rule, Network], ...] = tuple(
    (rule, ipaddress.ip_network(network)) for rule, networks in _TABLE for network in networks.split()
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_OPENED = frozenset({Rule.LOOPBACK, Rule.PRIVATE, Rule.CARRIER_NAT})

_GO_ALONG = frozenset(
    {"accept", "accept-language", "content-type", "user-agent", "traceparent", "mcp-protocol-version"}
)
_BODY_HEADERS = frozenset({"content-type", "content-encoding", "content-language", "content-location"})


def judge_url(url: str, reach: Reach) -> Target | Refusal:
    """Take a URL apart, or say by which rule it is refused.

    A host that is an IP address is judged here; a name must also have all its addresses judged when it is resolved.
    Only spellings on which every parser agrees pass, so nothing behind this function can read the URL another way.
    """
    parts = _split(url)
    if isinstance(parts, Refusal):
        return parts
    host = _judge_host(parts.netloc, parts.hostname or "")
    if isinstance(host, Refusal):
        return host
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    path, query = quote(parts.path or "/", safe=_PATH_SAFE), quote(parts.query, safe=_QUERY_SAFE)
    address = literal(host)
    refusal = None if address is None else judge_target_address(address, host, port, reach)
    return refusal or Target(parts.scheme, host, port, path, query)


def judge_address(address: Address) -> Refusal | None:
    """Why this address is not on the public internet, or None if it is."""
    for rule, network in _NETWORKS:
        if address.version == network.version and address in network:
            return Refusal(rule, _SENTENCE)
    # The interpreter's own table and everything outside global unicast: a range nobody has heard of is not public.
    if not address.is_global or (address.version == 6 and address not in _GLOBAL_UNICAST):
        return Refusal(Rule.RESERVED, _SENTENCE)
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return Refusal(Rule.LINK_LOCAL, _SENTENCE)
    return None


def judge_target_address(address: Address, host: str, port: int, reach: Reach) -> Refusal | None:
    """Why `host` may not be connected to at this address, or None: `judge_address` within the deployment's reach."""
    refusal = judge_address(address)
    if refusal is None or reach.opens(host, port):
        return None
    return None if reach.allow_private and refusal.rule in _OPENED else refusal


def follow(call: Call, sent_to: Target, status: int, location: str, reach: Reach) -> Call | Refusal:
    """The request that a redirect asks for, or why it is not made.

    Another origin gets no credentials: of the headers only those survive that describe the request itself, and a body
    does not go along. From https it never goes to http. The method changes as in RFC 9110, 15.4.
    """
    judged = judge_url(urljoin(sent_to.url, location).partition("#")[0], reach)
    if isinstance(judged, Refusal):
        return judged
    if sent_to.scheme == "https" and judged.scheme == "http":
        return Refusal(Rule.DOWNGRADE, "The other side redirects from https to http.")
    becomes_get = (status == 303 and call.method != "HEAD") or (status in (301, 302) and call.method == "POST")
    following = replace(call, url=judged.url)
    if becomes_get:
        headers = tuple((name, value) for name, value in call.headers if name not in _BODY_HEADERS)
        following = replace(following, method="GET", body=None, headers=headers)
    if judged.origin == sent_to.origin:
        return following
    if following.body is not None:
        return Refusal(Rule.REDIRECT_BODY, "The other side redirects a request with a body to another origin.")
    plain = tuple((name, value) for name, value in following.headers if name in _GO_ALONG)
    return replace(following, headers=plain)


def literal(host: str) -> Address | None:
    """The address that a host is, if it is one in canonical spelling."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _split(url: str) -> SplitResult | Refusal:
    """The parts of a URL whose scheme, port and characters are acceptable."""
    if len(url) > MAX_URL:
        return Refusal(Rule.TOO_LONG, f"A URL has at most {MAX_URL} characters.")
    if _FORBIDDEN.search(url):
        return Refusal(Rule.CHARACTERS, "Percent-encode blanks, backslashes, quotes and control characters in the URL.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return Refusal(Rule.HOST, "Write the URL as https://host[:port]/path; the port is a number up to 65535.")
    if parts.scheme not in _DEFAULT_PORTS:
        return Refusal(Rule.SCHEME, "Use an http:// or https:// URL.")
    if "@" in parts.netloc:
        return Refusal(Rule.USERINFO, "Leave user names and passwords out of the URL.")
    if port == 0 or (port is None and parts.netloc.endswith(":")):
        return Refusal(Rule.PORT, "Write a port from 1 to 65535 after the colon, or leave the colon out.")
    return parts


def _judge_host(netloc: str, host: str) -> str | Refusal:
    """The host in its canonical spelling. Names keep to letters, digits, hyphens and underscores."""
    if netloc.startswith("["):
        return _judge_ipv6(netloc, host)
    if not host or len(host) > _MAX_HOST:
        return Refusal(Rule.HOST, "The URL names no host, or one of more than 253 characters.")
    if host.endswith("."):
        return Refusal(Rule.HOST_SPELLING, "Write the host without a dot at its end.")
    if not host.isascii():
        return Refusal(Rule.HOST_SPELLING, "Write an international host name in its ASCII form (xn--...).")
    if not _LABELS.fullmatch(host):
        return Refusal(Rule.HOST_SPELLING, "Host names hold letters, digits, hyphens and dots; IPv6 goes in brackets.")
    # Resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as IPv4: what ends in a number must be a plain address.
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        address = literal(host)
        return host if address else Refusal(Rule.HOST_SPELLING, "Write IPv4 addresses as four decimal numbers.")
    return host


def _judge_ipv6(netloc: str, host: str) -> str | Refusal:
    address = None if "%" in host else literal(host)
    inside, closed, behind = netloc.partition("]")
    if not isinstance(address, ipaddress.IPv6Address) or not closed or inside[1:].lower() != host:
        return Refusal(Rule.HOST_SPELLING, "Write IPv6 addresses in brackets and without a zone.")
    if behind and not re.fullmatch(r":[0-9]+", behind):
        return Refusal(Rule.PORT, "Write a port from 1 to 65535 after the colon, or leave the colon out.")
    return str(address)
