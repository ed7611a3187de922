"""A tool's answer as content of the run: text cut to its limit and told so, everything else kept as a blob."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from quarterdeck.core.json import Json, decode
from quarterdeck.core.text import storable
from quarterdeck.mcp import wire
from quarterdeck.runs.messages import Content, Stored, Text
from quarterdeck.secrets.redaction import Cleaning, mark_of
from quarterdeck.tools.records import Answered, Failed, Keep, ToolOutcome, ToolRequest
from quarterdeck.tools.schemas import Schema

NOTHING = "(no output)"
_LARGEST_BLOB = 8 * 1024 * 1024
_MOST_BLOCKS = 200


@dataclass(frozen=True, slots=True)
class Attachment:
    """Bytes that a tool returned, not yet kept."""

    content: bytes
    media_type: str
    begins: str


async def outcome_of(
    result: wire.CallResult, request: ToolRequest, schema: Schema | None, keep: Keep, ms: int
) -> ToolOutcome:
    """What a result means for the run. Blobs have been kept when this returns."""
    later = _asks_to_try_later(result)
    if later is not None:
        words = " ".join(block.text for block in result.content or () if block.text)
        return Failed("rate_limited", words or "It is busy.", ms, retryable=True, retry_after=later or None)
    if result.result_type not in {None, "complete"}:
        told = "The tool asks for more input before it can go on; this runtime can't give it."
        return Answered((Text(told),), None, is_error=True, ms=ms, size=0, truncated=False)
    parts = [_cleaned(part, request.cleaning) for part in _parts(result)]
    structured, note = _structured(result, schema)
    structured = request.cleaning.json(structured)
    note = request.cleaning.text(note)
    if not parts and structured is not None:
        parts.append(request.cleaning.text(result.structured.decode("utf-8", "replace")))
    if _said_size(result):
        parts = [request.cleaning.cut(part) if isinstance(part, str) else part for part in parts]
    words = sum(len(part.encode()) for part in parts if isinstance(part, str))
    blobs = sum(len(part.content) for part in parts if isinstance(part, Attachment))
    whole = max(words, _said_size(result))
    limit = request.grant.max_output
    shown = _cut(parts, limit) if words > limit else parts
    if whole > limit:
        shown.append(f"[Cut: the tool answered with {whole:,} bytes of text, of which the first {limit:,} are shown.]")
    if note:
        shown.append(note)
    content = tuple([await _content(part, request, keep) for part in shown]) or (Text(NOTHING),)
    return Answered(content, structured, bool(result.is_error), ms, whole + blobs, truncated=whole > limit)


def _cleaned(part: str | Attachment, cleaning: Cleaning) -> str | Attachment:
    """A part without secrets: before anything is cut, kept, or read by anybody. Bytes that hold one are left out."""
    if isinstance(part, str):
        return cleaning.text(part)
    begins = cleaning.text(part.begins)
    found = cleaning.redactor.found_in(part.content)
    if not found:
        return Attachment(part.content, part.media_type, begins)
    cleaning.found.update(found)
    return f"{begins} [left out: {', '.join(map(mark_of, sorted(found)))} stands in it]"


def _parts(result: wire.CallResult) -> list[str | Attachment]:
    """All blocks as text or attachments."""
    parts: list[str | Attachment] = []
    for block in (result.content or ())[:_MOST_BLOCKS]:
        part = _part(block)
        if part != "":
            parts.append(part)
    left = len(result.content or ()) - _MOST_BLOCKS
    if left > 0:
        parts.append(f"[{left} more parts were left out.]")
    return parts


def _part(block: wire.Block) -> str | Attachment:
    match block.type:
        case "text":
            return storable(block.text or "")
        case "image" | "audio":
            return _attachment(block.type, block.data or "", block.mime_type)
        case "resource_link":
            return storable(" ".join(filter(None, (f"[resource {block.uri}]", block.name, block.description))))
        case "resource" if block.resource is not None:
            inside = block.resource
            if inside.blob is not None:
                return _attachment(f"resource {inside.uri}", inside.blob, inside.mime_type)
            return storable(f"[resource {inside.uri}]\n{inside.text or ''}")
        case _:
            return f"[a part of the unknown type {block.type[:40]!r} was left out]"


def _attachment(what: str, encoded: str, media_type: str | None) -> str | Attachment:
    if len(encoded) > _LARGEST_BLOB * 4 // 3:
        return f"[{what} left out: it is larger than {_LARGEST_BLOB:,} bytes]"
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return f"[{what} left out: it is not in base64]"
    kind = storable(media_type or "application/octet-stream")[:100]
    if kind.startswith("text/"):
        # The model reads text whole, so it counts and is cut like any other.
        return storable(f"[{what}: {kind}]\n{content.decode('utf-8', 'replace')}")
    return Attachment(content, kind, storable(f"[{what}: {kind}, {len(content):,} bytes]"))


def _structured(result: wire.CallResult, schema: Schema | None) -> tuple[Json, str]:
    """The structured part, and a note where it is not what the tool has promised."""
    if not result.structured:
        missing = schema is not None and not result.is_error
        return None, "[The tool promised a structured answer and gave none.]" if missing else ""
    value = decode(result.structured)
    problems = schema.problems(value) if schema is not None and not result.is_error else ()
    if problems:
        return None, "[The tool's structured answer is not what it has promised: " + "; ".join(problems[:3]) + "]"
    return value, ""


def _cut(parts: Sequence[str | Attachment], limit: int) -> list[str | Attachment]:
    """The parts as far as their text fits; attachments count as nothing, they stand elsewhere."""
    shown: list[str | Attachment] = []
    left = limit
    for part in parts:
        if isinstance(part, Attachment):
            shown.append(part)
            continue
        raw = part.encode()
        if left > 0:
            shown.append(raw[:left].decode("utf-8", "ignore"))
        left -= len(raw)
    return shown


async def _content(part: str | Attachment, request: ToolRequest, keep: Keep) -> Content:
    if isinstance(part, str):
        return Text(part)
    key = await keep(request.tenant, request.run, part.content)
    return Stored(key, len(part.content), part.media_type, part.begins)


def _asks_to_try_later(result: wire.CallResult) -> float | None:
    later = (result.meta or {}).get("quarterdeck/try_later")
    return float(later) if isinstance(later, int | float) and not isinstance(later, bool) else None


def _said_size(result: wire.CallResult) -> int:
    """The size before our own tool host cut the answer; 0 where it did not."""
    size = (result.meta or {}).get("quarterdeck/size")
    return size if isinstance(size, int) else 0
