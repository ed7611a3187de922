"""Errors that a user may read: a class each, whose docstring is the sentence and whose fields are the facts.

They are raised near the cause and translated once, at the border: to problem+json (RFC 9457) by `http`, to an exit
code and one line by `cli`.
"""

from typing import ClassVar

from quarterdeck.core.json import Json


class Error(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, detail: str | None = None, /, **facts: Json) -> None:
        self.facts: dict[str, Json] = facts
        self.detail: str = detail or self.title()
        super().__init__(self.detail)

    @classmethod
    def title(cls) -> str:
        """The class's sentence: the first paragraph of its docstring."""
        return " ".join((cls.__doc__ or cls.__name__).split("\n\n")[0].split())


class Malformed(Error):
    """The request can't be read."""

    code, status = "request.malformed", 400


class Unauthenticated(Error):
    """No valid credentials came with the request; send `Authorization: Bearer qd_...` or sign in."""

    code, status = "auth.unauthenticated", 401


class Forbidden(Error):
    """These credentials don't allow this."""

    code, status = "auth.forbidden", 403


class NotFound(Error):
    """There is no such thing here."""

    code, status = "not_found", 404


class Conflict(Error):
    """The thing is in a state that doesn't allow this."""

    code, status = "conflict", 409


class TooLarge(Error):
    """The request is larger than this deployment accepts."""

    code, status = "request.too_large", 413


class Invalid(Error):
    """Some values are not acceptable; `errors` names each with its place and the fix."""

    code, status = "request.invalid", 422


class TooMany(Error):
    """Too much at once; try again after `retry_after` seconds."""

    code, status = "rate.limited", 429


class Unavailable(Error):
    """A part that this needs is away just now; try again."""

    code, status = "unavailable", 503


class Misconfigured(Error):
    """This process can't start with its present settings."""

    code, status = "config.invalid", 500
