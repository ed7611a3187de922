"""What goes over an MCP connection: JSON-RPC messages and the few MCP shapes that a tool client reads.

Reading is lenient where the protocol allows (unknown members, nulls for absent ones) and strict in types, so that no
other module meets a value of a type it does not expect.
"""

import base64
from typing import Any

import msgspec

from quarterdeck import __version__
from quarterdeck.core.json import Json, encode

MODERN = "2026-07-28"
"""Stateless: no handshake, every request says its version, client and capabilities."""
LEGACY = "2025-11-25"
HANDSHAKE_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
UNSUPPORTED_VERSION = -32022
NO_EFFECT = frozenset({PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS})
"""Errors by which a server says that it did not understand a request, and so did nothing."""
REFUSED = -32001
"""Our tool host's own word on a call that it gives no answer to; `data.quarterdeck` says which."""
NOT_BEGUN = frozenset({"too_late", "cancelled"})
"""Its words for a call that never began. `interrupted` = it had begun, and was then cancelled."""

CLIENT: dict[str, Json] = {"name": "quarterdeck", "version": __version__}
MODERN_META: dict[str, Json] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class ErrorBody(msgspec.Struct, frozen=True):
    """A JSON-RPC error."""

    code: int = 0
    message: str = ""
    data: msgspec.Raw = msgspec.Raw()


class Why(msgspec.Struct, frozen=True):
    """What our tool host puts into an error's `data`."""

    quarterdeck: str | None = None


class Incoming(msgspec.Struct, frozen=True):
    """Any message from the other side: a response where `method` is None, else a request or a notification."""

    id: int | str | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    error: ErrorBody | None = None


class Resource(msgspec.Struct, frozen=True, rename="camel"):
    """What an embedded resource holds."""

    uri: str = ""
    mime_type: str | None = None
    text: str | None = None
    blob: str | None = None


class Block(msgspec.Struct, frozen=True, rename="camel"):
    """One piece of a tool's answer: text, image, audio, resource or resource_link."""

    type: str
    text: str | None = None
    data: str | None = None
    mime_type: str | None = None
    uri: str | None = None
    name: str | None = None
    description: str | None = None
    resource: Resource | None = None


class CallResult(msgspec.Struct, frozen=True, rename="camel"):
    """A tool's answer. `result_type` other than `complete` asks for something that this client does not give."""

    content: tuple[Block, ...] | None = ()
    structured_content: msgspec.Raw = msgspec.Raw()
    is_error: bool | None = False
    result_type: str | None = "complete"
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")

    @property
    def structured(self) -> bytes:
        """The structured part's JSON; empty where there is none."""
        raw = bytes(self.structured_content)
        return b"" if raw == b"null" else raw


def without_meta(result: CallResult) -> CallResult:
    """The same answer without what its server said beside it."""
    return msgspec.structs.replace(result, meta=None)


class Listed(msgspec.Struct, frozen=True, rename="camel"):
    """One tool as a server lists it."""

    name: str
    description: str | None = None
    title: str | None = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    annotations: dict[str, Any] | None = None
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """One page of tools."""

    tools: tuple[Listed, ...] = ()
    next_cursor: str | None = None


class Discovered(msgspec.Struct, frozen=True, rename="camel"):
    """What `server/discover` says."""

    supported_versions: tuple[str, ...] = ()
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")


class Initialized(msgspec.Struct, frozen=True, rename="camel"):
    """What `initialize` says."""

    protocol_version: str = ""


class ProgressParams(msgspec.Struct, frozen=True, rename="camel"):
    """How far a call is."""

    progress_token: int | str
    progress: float = 0.0
    total: float | None = None
    message: str | None = None


Faulty = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading may raise: not JSON, not UTF-8, the wrong shape, nested too deeply."""

read_message = msgspec.json.Decoder(Incoming).decode
read_call_result = msgspec.json.Decoder(CallResult).decode
read_listing = msgspec.json.Decoder(Listing).decode
read_discovered = msgspec.json.Decoder(Discovered).decode
read_initialized = msgspec.json.Decoder(Initialized).decode
read_why = msgspec.json.Decoder(Why).decode
read_progress = msgspec.json.Decoder(ProgressParams).decode


def request(id_: int, method: str, params: dict[str, Json]) -> bytes:
    """A request's JSON, on one line."""
    return encode({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})


def notification(method: str, params: dict[str, Json]) -> bytes:
    """A notification's JSON, on one line."""
    return encode({"jsonrpc": "2.0", "method": method, "params": params})


def refusal(id_: int | str, code: int, message: str) -> bytes:
    """An error response's JSON: our answer to what a server asks of us."""
    return encode({"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": message}})


def acceptance(id_: int | str) -> bytes:
    """An empty response's JSON: our answer to a ping."""
    return encode({"jsonrpc": "2.0", "id": id_, "result": {}})


def header_value(text: str) -> str:
    """A value as the protocol puts it into an HTTP header: as it is, or in base64 where a header could not carry it."""
    plain = text.isascii() and text.isprintable() and text == text.strip()
    if plain and not (text.startswith("=?base64?") and text.endswith("?=")):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="
