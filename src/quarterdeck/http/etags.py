"""Two people who edit the same thing: whoever saves second learns of it instead of undoing the first one's change."""

import hashlib

from fastapi import Request

from quarterdeck.core.json import encode
from quarterdeck.http.problems import PreconditionFailed, PreconditionRequired

_DIGITS = 32


def etag_of(value: object) -> str:
    """A strong ETag of a thing's content, or of its version."""
    return f'"{hashlib.sha256(encode(value)).hexdigest()[:_DIGITS]}"'


def check_if_match(request: Request, current: str, *, required: bool = False) -> None:
    """Let a write pass that was made from the present version. Ask inside its transaction, with the row locked.

    Raises PreconditionFailed when If-Match names another version, PreconditionRequired when it is absent but required.
    """
    wanted = request.headers.get("if-match")
    if wanted is None:
        if required:
            raise PreconditionRequired
        return
    if wanted.strip() != "*" and current not in {tag.strip() for tag in wanted.split(",")}:
        raise PreconditionFailed(current=current)


def is_unchanged(request: Request, current: str) -> bool:
    """Whether a reader already has this version (If-None-Match), so that 304 says enough."""
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return "*" in tags or current in tags
