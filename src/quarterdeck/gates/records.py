"""What both doors are made of: a check says allow, ask or deny; the first that does not allow decides."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar


class Verdict(StrEnum):
    """What a gate answers."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one check says. `rule` narrows the check's own name where it knows several: `limits` + `steps`.

    `reason` is a sentence for the model and for people: what is wrong and what would be accepted. `policies` are the
    Cedar policies behind it. `later`, on a denial, are the seconds after which the same may be asked again: not "no"
    but "not now".
    """

    verdict: Verdict
    reason: str = ""
    rule: str = ""
    policies: tuple[str, ...] = ()
    later: float | None = None


ALLOW = Ruling(Verdict.ALLOW)
"""Nothing against it."""


def deny(reason: str, rule: str = "", policies: tuple[str, ...] = ()) -> Ruling:
    """The call must not take place."""
    return Ruling(Verdict.DENY, reason, rule, policies)


def ask(reason: str, rule: str = "", policies: tuple[str, ...] = ()) -> Ruling:
    """A person has to say yes first."""
    return Ruling(Verdict.ASK, reason, rule, policies)


def not_now(reason: str, seconds: float, rule: str = "") -> Ruling:
    """The call must not take place before `seconds` are over; then it is judged anew."""
    return Ruling(Verdict.DENY, reason, rule, later=seconds)


Asked = TypeVar("Asked")
"""Everything that a gate's checks may look at, gathered before: checks are pure."""

Check: TypeAlias = Callable[[Asked], Ruling]
"""One check: a pure function, or an object called like one. Its `__name__` is the rule's name in the log."""
