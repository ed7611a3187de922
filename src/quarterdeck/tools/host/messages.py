"""The server's side of MCP, as far as a tool host speaks it: what it reads, and the lines that it writes."""

from typing import Any

import msgspec

from quarterdeck import __version__
from quarterdeck.core.json import encode

MODERN, LEGACY = "2026-07-28", "2025-11-25"
VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
PARSE_ERROR, METHOD_NOT_FOUND, INVALID_PARAMS, REFUSED = -32700, -32601, -32602, -32001
SERVER = {"name": "quarterdeck-tool-host", "version": __version__}


class Incoming(msgspec.Struct, frozen=True):
    """A request, or a notification where `id` is None."""

    method: str = ""
    id: int | str | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")


class CallMeta(msgspec.Struct, frozen=True):
    """Who a call is for and until when it may begin. Empty where a client other than Quarterdeck asks."""

    progress_token: int | str | None = msgspec.field(default=None, name="progressToken")
    run: str = msgspec.field(default="", name="quarterdeck/run")
    tenant: str = msgspec.field(default="", name="quarterdeck/tenant")
    user: str = msgspec.field(default="", name="quarterdeck/user")
    call: str = msgspec.field(default="", name="quarterdeck/call")
    key: str = msgspec.field(default="", name="quarterdeck/key")
    attempt: int = msgspec.field(default=1, name="quarterdeck/attempt")
    not_after: int | None = msgspec.field(default=None, name="quarterdeck/not_after")
    boot_deadline: float | None = msgspec.field(default=None, name="quarterdeck/boot_deadline")
    max_output: int | None = msgspec.field(default=None, name="quarterdeck/max_output")
    secrets: dict[str, str] = msgspec.field(default={}, name="quarterdeck/secrets")


class CallParams(msgspec.Struct, frozen=True):
    """What `tools/call` brings."""

    name: str
    arguments: dict[str, Any] = {}
    meta: CallMeta = msgspec.field(default=CallMeta(), name="_meta")


class CancelParams(msgspec.Struct, frozen=True):
    """What `notifications/cancelled` brings."""

    request_id: int | str | None = msgspec.field(default=None, name="requestId")


class InitializeParams(msgspec.Struct, frozen=True):
    """What `initialize` brings."""

    version: str = msgspec.field(default="", name="protocolVersion")


read_incoming = msgspec.json.Decoder(Incoming).decode
read_call = msgspec.json.Decoder(CallParams).decode
read_cancel = msgspec.json.Decoder(CancelParams).decode
read_initialize = msgspec.json.Decoder(InitializeParams).decode


def result(id_: int | str, body: object) -> bytes:
    """A response line."""
    return encode({"jsonrpc": "2.0", "id": id_, "result": body})


def error(id_: int | str, code: int, message: str, why: str | None = None) -> bytes:
    """An error line; `why` is our own word for a call that gets no answer."""
    body: dict[str, object] = {"code": code, "message": message}
    if why is not None:
        body["data"] = {"quarterdeck": why}
    return encode({"jsonrpc": "2.0", "id": id_, "error": body})


def progress(token: int | str, done: float, total: float | None, message: str) -> bytes:
    """A progress line."""
    params: dict[str, object] = {"progressToken": token, "progress": done, "message": message}
    if total is not None:
        params["total"] = total
    return encode({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})


def discovered() -> dict[str, object]:
    """What `server/discover` answers."""
    return {
        "resultType": "complete",
        "supportedVersions": [MODERN, *VERSIONS],
        "capabilities": {"tools": {}},
        "ttlMs": 3_600_000,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": SERVER},
    }


def initialized(wanted: str) -> dict[str, object]:
    """What `initialize` answers: the wanted revision where it is known, else the newest that has a handshake."""
    version = wanted if wanted in VERSIONS else LEGACY
    return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": SERVER}
