"""What the rules of outbound calls judge and what they answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from quarterdeck.core.settings import Settings

Headers = tuple[tuple[str, str], ...]
"""Names in lower case with their values, in the order received; a name may stand there more than once."""


class Rule(StrEnum):
    """Why a target is refused. The words go into problem documents: they are part of the API."""

    TOO_LONG = "too_long"
    CHARACTERS = "characters"
    SCHEME = "scheme"
    USERINFO = "userinfo"
    HOST = "host"
    HOST_SPELLING = "host_spelling"
    PORT = "port"

    METADATA = "metadata"
    UNSPECIFIED = "unspecified"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    CARRIER_NAT = "carrier_nat"
    LINK_LOCAL = "link_local"
    MULTICAST = "multicast"
    DOCUMENTATION = "documentation"
    BENCHMARK = "benchmark"
    RESERVED = "reserved"
    EMBEDDED_IPV4 = "embedded_ipv4"
    NOT_PUBLIC = "not_public"
    """What a tenant is told when a *name* leads inside; the log has the exact rule and the address."""

    DOWNGRADE = "downgrade"
    REDIRECT_LIMIT = "redirect_limit"
    REDIRECT_BODY = "redirect_body"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A target that may not be reached: by which rule, and a sentence that says how to put it right."""

    rule: Rule
    why: str


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once: whoever connects uses these parts and never parses the text again."""

    scheme: str
    host: str
    """Lower case; an IP address in its canonical spelling, IPv6 without brackets."""
    port: int
    path: str
    query: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must stay the same for credentials to go along."""
        return self.scheme, self.host, self.port

    @property
    def host_text(self) -> str:
        """The host as it is written in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def url(self) -> str:
        """The canonical spelling of the whole."""
        default = 443 if self.scheme == "https" else 80
        port = "" if self.port == default else f":{self.port}"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host_text}{port}{self.path}{query}"


@dataclass(frozen=True, slots=True)
class Reach:
    """How far outbound calls go. Given by the deployment, never by a tenant."""

    allow_private: bool = False
    """Also loopback, private, carrier NAT and unique local addresses; never cloud metadata, link-local or multicast."""
    allowed: frozenset[str] = frozenset()
    """`host:port` (`[v6]:port`) that may be reached wherever its name leads."""

    @classmethod
    def of(cls, settings: Settings, allowed: Iterable[str] = ()) -> Self:
        """What a deployment's settings allow; `allowed` adds `host:port` pairs for one kind of client."""
        listed = (pair.strip().lower() for pair in (*settings.allowed_targets.split(","), *allowed))
        return cls(settings.allow_private_targets, frozenset(pair for pair in listed if pair))

    def opens(self, host: str, port: int) -> bool:
        """Whether the deployment lists this very host and port."""
        written = f"[{host}]" if ":" in host else host
        return f"{written}:{port}" in self.allowed


@dataclass(frozen=True, slots=True)
class Call:
    """One request about to be sent."""

    method: str
    url: str
    headers: Headers
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may cost. Seconds and bytes; a redirect starts none of them anew."""

    total: float | None = 30.0
    """From the first look-up to the last byte; None only for streams whose reader watches the time itself."""
    connect: float = 5.0
    """Look-up, TCP and TLS together."""
    idle: float | None = None
    """Between two reads."""
    max_bytes: int = 1024 * 1024
    """Of the answer's body, both as it travels and as it unfolds."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by a comma, or None."""
        return header(self.headers, name)


def header(headers: Headers, name: str) -> str | None:
    """The value of a header, several joined by a comma, or None."""
    values = [value for key, value in headers if key == name.lower()]
    return ", ".join(values) if values else None


def headers_of(pairs: Sequence[tuple[str, str]]) -> Headers:
    """Pairs as `Headers`: names in lower case, surrounding blanks of values cut."""
    return tuple((name.lower(), value.strip()) for name, value in pairs)
