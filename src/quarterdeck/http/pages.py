"""Lists come in pages by cursor: a cursor is the position of the last item shown, so pages neither skip nor repeat when
items are added. It is opaque but not secret: whoever forges one sees only what the same list shows anyway.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
from fastapi import Query

from quarterdeck.core.json import encode
from quarterdeck.http.answers import Answer
from quarterdeck.http.fixes import invalid

T = TypeVar("T")
P = TypeVar("P")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

LimitQuery = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items on a page.")]
"""Declare as `limit: LimitQuery = DEFAULT_LIMIT`."""

CursorQuery = Annotated[
    str | None, Query(max_length=1024, description="`next_cursor` of the page before; absent for the first page.")
]
"""Declare as `cursor: CursorQuery = None`."""


def write_cursor(position: object) -> str:
    """An opaque cursor for a position: an id, a time, or a tuple of such."""
    return base64.urlsafe_b64encode(encode(position)).rstrip(b"=").decode()


def read_cursor(cursor: str | None, kind: type[P]) -> P | None:
    """The position in a cursor, as the type it was written from, such as `UUID` or `tuple[datetime, UUID]`.

    None for the first page. Raises Invalid for what we did not write, or wrote for another list.
    """
    if not cursor:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise invalid("query.cursor", "this is no cursor of this list", "send next_cursor as it was given") from None


def page(rows: Sequence[T], limit: int, position: Callable[[T], object], show: Callable[[T], object]) -> Answer:
    """A page from up to `limit + 1` rows: the one too many only says that there is a next page."""
    more = len(rows) > limit
    shown = rows[:limit]
    next_cursor = write_cursor(position(shown[-1])) if more else None
    return Answer({"items": [show(row) for row in shown], "next_cursor": next_cursor})
