"""Limits on tool calls, what a call wants of them, and what it is told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias
from uuid import UUID

from quarterdeck.core.errors import Conflict, Invalid, NotFound
from quarterdeck.core.ids import TenantId

EVERY_ONE = "*"
"""As a target: each one of the scope by itself."""


class Scope(StrEnum):
    """Whose calls a tenant's limit counts."""

    TOOL = "tool"
    USER = "user"
    AGENT = "agent"
    TENANT = "tenant"


class Declared(Protocol):
    """A rate that a release declares of a tool: at most `calls` in any `seconds` for each `per`.

    `per` is `run`, `user`, `agent` or `tenant`.
    """

    @property
    def calls(self) -> int:
        """How many."""
        ...

    @property
    def seconds(self) -> int:
        """In which time."""
        ...

    @property
    def per(self) -> str:
        """For whom each."""
        ...


@dataclass(frozen=True, slots=True)
class Limit:
    """What a tenant allows: `calls` in any `every` seconds, `concurrency` at once, or both."""

    name: str
    scope: Scope
    target: str
    calls: int | None
    every: int | None
    concurrency: int | None
    why: str = ""
    set_by: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is about to call what."""

    tool: str
    agent: str
    user: str
    run: str


@dataclass(frozen=True, slots=True)
class RateWant:
    """One call more under a limit. `key` names what is counted, and in which time; `words` is the limit for people."""

    key: str
    calls: int
    seconds: float
    words: str


@dataclass(frozen=True, slots=True)
class PlaceWant:
    """One call more under way at the same time. `most` may be."""

    key: str
    most: int
    words: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The call counts, and may begin in `after` seconds: its turn is kept."""

    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Later:
    """Not now. Nothing was counted; ask again in `seconds`. `why` is the limit in words, `key` its name here."""

    seconds: float
    why: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A call's place under all limits that it counts against, until it is left or its time is over."""

    tenant: TenantId
    id: UUID
    keys: tuple[str, ...]


TakenOrLater: TypeAlias = Taken | Later
PlaceOrLater: TypeAlias = Place | Later


class NoSuchRate(NotFound):
    """There is no limit of this name."""

    code = "rate.not_found"


class BadRate(Invalid):
    """This limit can't hold as it is described."""

    code = "rate.invalid"


class TooManyRates(Conflict):
    """This tenant has as many limits as it may have; remove one first."""

    code = "rate.too_many"
