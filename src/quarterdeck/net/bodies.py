"""Answers are read no further than their limit: counted as they travel and again as they unfold."""

import zlib
from collections.abc import AsyncIterator

from quarterdeck.net.errors import OutboundFailed, OutboundTooLarge

ACCEPTED = "gzip"
"""What calls ask for; any other encoding that arrives all the same is refused."""

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 64 * 1024


def plain(chunks: AsyncIterator[bytes], encoding: str, max_bytes: int) -> AsyncIterator[bytes]:
    """The body's own bytes.

    Raises `OutboundTooLarge` once more than `max_bytes` have arrived or unfolded, having held 64 KiB more than that at
    most, and `OutboundFailed` for an encoding that was not asked for or is broken.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return _counted(chunks, max_bytes)
        case "gzip" | "x-gzip":
            return _unfolded(_counted(chunks, max_bytes), max_bytes)
        case _:
            raise OutboundFailed("The answer is in an encoding that was not asked for.", reason="encoding")


async def _counted(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    count = 0
    async for chunk in chunks:
        count += len(chunk)
        if count > max_bytes:
            raise OutboundTooLarge(max_bytes=max_bytes)
        yield chunk


async def _unfolded(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    unfold = zlib.decompressobj(_GZIP)
    count, begun = 0, False
    async for chunk in chunks:
        rest, begun = chunk, True
        while rest:
            # One member only: thousands of empty ones would cost far more time than they have bytes.
            if unfold.eof:
                raise OutboundFailed("The answer goes on after its compressed end.", reason="encoding")
            try:
                piece = unfold.decompress(rest, _PIECE)
            except zlib.error:
                raise OutboundFailed("The answer's compression is broken.", reason="encoding") from None
            rest = unfold.unconsumed_tail or unfold.unused_data
            count += len(piece)
            if count > max_bytes:
                raise OutboundTooLarge(max_bytes=max_bytes)
            if piece:
                yield piece
    if begun and not unfold.eof:
        raise OutboundFailed("The answer's compression is cut short.", reason="encoding")
