"""What is known of how fast a provider may be asked, and what a call that wants to ask it is told."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from quarterdeck.core.ids import RunId, TenantId


@dataclass(frozen=True, slots=True)
class Told:
    """What one answer of a provider says about its limits a minute. None = it says nothing about that.

    `requests_left` and `tokens_left` are what it would still take now; `retry_after` are seconds.
    """

    requests: int | None = None
    requests_left: int | None = None
    tokens: int | None = None
    tokens_left: int | None = None
    retry_after: float | None = None


class Unit(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    TOKENS = "tokens"


class Source(StrEnum):
    """Where a limit is known from."""

    OPTION = "option"
    HEADERS = "headers"
    REFUSALS = "refusals"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a minute. `now` None = as many as there are. `chosen` and `told` are limits that never are exceeded;
    `refused` is the rate at which the provider last said that it is too much.
    """

    now: float | None = None
    chosen: float | None = None
    told: float | None = None
    refused: float | None = None

    @property
    def most(self) -> float | None:
        """The limit that is known, if any."""
        known = [limit for limit in (self.chosen, self.told) if limit is not None]
        return min(known) if known else None

    @property
    def source(self) -> Source | None:
        """Where `now` is known from."""
        if self.now is None:
            return None
        if self.most is None:
            return Source.REFUSALS
        return Source.OPTION if self.most == self.chosen else Source.HEADERS


@dataclass(frozen=True, slots=True)
class LaneName:
    """What has limits of its own: a key of a connection, or one model with it (`model` empty = all together)."""

    connection: str
    fingerprint: str
    model: str = ""

    @property
    def key(self) -> str:
        """The same as one text; connections have no blanks in their names."""
        return f"{self.connection} {self.fingerprint} {self.model}"


@dataclass(frozen=True, slots=True)
class Lane:
    """What is known of one. Instants are seconds since 1970 by the database's clock.

    `used` is what went out in the last minute or so, a minute.
    """

    name: LaneName
    requests: Rate = field(default_factory=Rate)
    tokens: Rate = field(default_factory=Rate)
    requests_used: float = 0.0
    tokens_used: float = 0.0
    held_until: float = 0.0
    cut_at: float = 0.0
    pressed_at: float = 0.0
    grown_at: float = 0.0
    refusals: int = 0

    @property
    def is_paced(self) -> bool:
        """Whether calls need a lease."""
        return self.requests.now is not None or self.tokens.now is not None


@dataclass(frozen=True, slots=True)
class Leased:
    """What an exchange gave: the seconds after which each of the first calls may begin, in order.

    `more_in`: seconds until the first of the others could; `crowded`: runs wait for a turn, so nobody new goes first.
    """

    starts: tuple[float, ...]
    more_in: float
    crowded: bool


@dataclass(frozen=True, slots=True)
class Asker:
    """The run that wants to ask."""

    tenant: TenantId
    run: RunId


@dataclass(frozen=True, slots=True)
class Go:
    """Ask now. To be told how it ended, in tokens."""

    name: LaneName
    tokens: float
    paced: bool
    sent_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: the limit is used up. Its turn is booked, and comes in about `seconds`."""

    seconds: float
    why: str


GoOrWait: TypeAlias = Go | Wait


@dataclass(frozen=True, slots=True)
class Standing:
    """A lane as people see it, with how many runs wait for their turn and how many have been called."""

    lane: Lane
    now: float
    waiting: int = 0
    called: int = 0
