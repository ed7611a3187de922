"""What a function returned, as an MCP result: text for the model, structured where it is an object, never too big."""

import base64
from collections.abc import Sequence
from typing import cast

import msgspec
from pydantic_core import PydanticSerializationError, to_json

from quarterdeck.core.text import storable
from quarterdeck.tools.author import Blob, ToolError, TryLater

NOTHING = "The tool has finished and returned nothing."
_LIMIT = 4 * 1024 * 1024
_SLACK = 4
"""The worker cuts exactly; here only what is far beyond its limit is kept from crossing the pipe."""


def answer_of(value: object, limit: int | None) -> dict[str, object]:
    """The result of a call that returned. Raises ToolError for what has no form in JSON."""
    if value is None:
        return _text(NOTHING)
    if isinstance(value, str):
        return _text(value, limit)
    if isinstance(value, Blob):
        return {"resultType": "complete", "content": [_blob(value)]}
    items = cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()
    if any(isinstance(item, Blob) for item in items):
        return {"resultType": "complete", "content": [_block(item) for item in items]}
    written = _json(cast("object", value))
    answer = _text(written.decode(), limit)
    if written.startswith(b"{") and "_meta" not in answer:
        answer["structuredContent"] = msgspec.Raw(written)
    return answer


def failure_of(fault: BaseException) -> dict[str, object]:
    """The result of a call that raised: an error in the tool's own words."""
    if isinstance(fault, ToolError):
        answer = _text(str(fault) or "The tool failed.")
    elif isinstance(fault, SystemExit):
        answer = _text("The tool tried to end its process.")
    else:
        answer = _text(f"{type(fault).__name__}: {fault}", 4000)
    answer["isError"] = True
    if isinstance(fault, TryLater):
        answer["_meta"] = {"quarterdeck/try_later": fault.retry_after or 0.0}
    return answer


def _text(text: str, limit: int | None = None) -> dict[str, object]:
    text = storable(text)
    most = _SLACK * limit if limit else _LIMIT
    if len(text) <= most:
        return {"resultType": "complete", "content": [{"type": "text", "text": text}]}
    size = len(text.encode())
    content = [{"type": "text", "text": text[: limit or most]}]
    return {"resultType": "complete", "content": content, "_meta": {"quarterdeck/size": size}}


def _json(value: object) -> bytes:
    try:
        return to_json(value, inf_nan_mode="null")
    except (PydanticSerializationError, UnicodeError, ValueError) as fault:
        raise ToolError(f"The tool returned {type(value).__name__}, which has no form in JSON: {fault}.") from fault


def _block(item: object) -> dict[str, object]:
    if isinstance(item, Blob):
        return _blob(item)
    return {"type": "text", "text": storable(item if isinstance(item, str) else _json(item).decode())}


def _blob(blob: Blob) -> dict[str, object]:
    content = base64.b64encode(blob.content).decode()
    kind = blob.media_type.partition("/")[0]
    if kind in {"image", "audio"}:
        return {"type": kind, "data": content, "mimeType": blob.media_type}
    resource = {"uri": "quarterdeck:returned", "mimeType": blob.media_type, "blob": content}
    return {"type": "resource", "resource": resource}
