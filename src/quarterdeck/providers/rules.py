"""What a connection must be to work, and to which address its key belongs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json
from quarterdeck.core.text import is_storable, storable_json
from quarterdeck.providers.options import read_options
from quarterdeck.providers.records import LOCAL, NEEDS_KEY, BadConnection, Connection, Kind, Wanted

HOMES: Mapping[Kind, str] = {
    Kind.OPENAI: "https://api.openai.com/v1",
    Kind.ANTHROPIC: "https://api.anthropic.com",
    Kind.GOOGLE: "https://generativelanguage.googleapis.com",
    Kind.OLLAMA: "http://127.0.0.1:11434/v1",
}
"""Where a connection goes that names no address."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PORTS = {"https": 443, "http": 80}


def settle(wanted: Wanted) -> Wanted:
    """The same with its address filled in and written canonically. Raises BadConnection with what is wrong."""
    if not _NAME.fullmatch(wanted.name):
        raise BadConnection("a name has lower-case letters, digits and hyphens, at most 63", name=wanted.name)
    read_options(wanted.kind, wanted.options)
    if storable_json(wanted.options) != wanted.options or not all(map(is_storable, wanted.agents or ())):
        raise BadConnection("NUL and lone surrogates can't be kept")
    if wanted.kind in LOCAL:
        if wanted.base_url or wanted.key:
            raise BadConnection(f"a connection of kind {wanted.kind} has neither an address nor a key")
        return wanted
    return replace(wanted, base_url=_address(wanted.kind, wanted.base_url or HOMES.get(wanted.kind, "")))


def needs_key(connection: Connection) -> bool:
    """Whether it can't work without a key. A vendor's own service does; a server of one's own need not."""
    return connection.kind in NEEDS_KEY and origin(connection.base_url) == origin(HOMES[connection.kind])


def origin(base_url: str) -> str:
    """Scheme, host and port, always with the port: what a key is bound to."""
    if not base_url:
        return ""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def place(name: str, base_url: str) -> bytes:
    """The place that a key is sealed for. Another name or another origin can't open it."""
    return f"provider|{name}|{origin(base_url)}".encode()


def show(connection: Connection) -> dict[str, Json]:
    """A connection as an admin sees it: without its key."""
    return {
        "name": connection.name,
        "kind": connection.kind,
        "base_url": connection.base_url or None,
        "has_key": connection.sealed_key is not None,
        "options": connection.options,
        "tenants": None if connection.tenants is None else sorted(str(tenant) for tenant in connection.tenants),
        "agents": None if connection.agents is None else sorted(connection.agents),
        "created_at": connection.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": connection.updated_at.isoformat().replace("+00:00", "Z"),
    }


def version_of(connection: Connection) -> str:
    """A word that changes whenever the connection does."""
    return str(int(connection.updated_at.timestamp() * 1_000_000))


def merge(present: Connection, changes: Mapping[str, Json]) -> Wanted:
    """What the connection should be once `changes` are made. Raises BadConnection for what can't be changed."""
    unknown = sorted(set(changes) - {"base_url", "key", "options", "tenants", "agents"})
    if unknown:
        raise BadConnection(f"{', '.join(unknown)} can't be changed; make another connection", names=unknown)
    return Wanted(
        name=present.name,
        kind=present.kind,
        base_url=str(changes.get("base_url") or "") if "base_url" in changes else present.base_url,
        key=str(changes["key"] or "") if "key" in changes else None,
        options=cast("Mapping[str, Json]", changes["options"] or {}) if "options" in changes else present.options,
        tenants=_tenants(changes["tenants"]) if "tenants" in changes else present.tenants,
        agents=_names(changes["agents"]) if "agents" in changes else present.agents,
    )


def _tenants(value: Json) -> frozenset[TenantId] | None:
    try:
        return None if value is None else frozenset(TenantId(UUID(str(item))) for item in cast("Sequence[Json]", value))
    except ValueError:
        raise BadConnection("tenants are a list of tenant ids, or null for all") from None


def _names(value: Json) -> frozenset[str] | None:
    return None if value is None else frozenset(str(item) for item in cast("Sequence[Json]", value))


def _address(kind: Kind, base_url: str) -> str:
    if not base_url:
        raise BadConnection(f"a connection of kind {kind} needs a base_url, such as http://127.0.0.1:8000/v1")
    if not base_url.isascii() or not base_url.isprintable() or " " in base_url:
        raise BadConnection("base_url has printable ASCII characters without blanks; percent-encode the others")
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise BadConnection("base_url can't be read; write https://host[:port]/path") from None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise BadConnection("base_url must be an http:// or https:// URL with a host")
    if parts.username is not None or parts.password is not None:
        raise BadConnection("leave user names and passwords out of base_url; a key is given as key")
    if parts.query or parts.fragment:
        raise BadConnection("base_url has no query and no fragment")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = host if port in {None, _PORTS[parts.scheme]} else f"{host}:{port}"
    return f"{parts.scheme}://{where}{parts.path.rstrip('/')}"
