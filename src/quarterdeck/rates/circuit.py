"""When a tool fails again and again it is left alone for a while, and one call finds out whether it is well again.

Closed → open (after failures in a row, or because the tool said when to come back) → half open (one probe) → closed, or
open for longer. Pure: what is known, what happened and the time go in, what is known then comes out. Times are seconds
on a clock that only goes forward.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

FAILURES = 5
"""Failures in a row that open a circuit."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 120.0
"""Seconds for which a circuit is open first, and at most; twice as long each time the probe fails too."""
LONGEST_WORD = 3600.0
"""Seconds for which a tool can send everybody away with one Retry-After."""
PROBE_TIME = 90.0
"""Seconds after which a probe that nobody heard of again is given up and another may be sent."""
ASK_AGAIN = 0.5
"""Seconds after which to ask again while a probe is under way."""


class Phase(StrEnum):
    """How a circuit stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """What a call says about its tool. `no_word`: nothing, since it never got there."""

    WELL = "well"
    FAILED = "failed"
    THROTTLED = "throttled"
    NO_WORD = "no_word"


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to send one call. `era` tells what the tool was thought of when it was given."""

    era: int = 0
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now; ask again in `seconds`."""

    seconds: float


PassOrWait: TypeAlias = Pass | Wait


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of one tool. `until`: open until then, or half open with a probe that has time until then."""

    phase: Phase = Phase.CLOSED
    failures: int = 0
    opened: int = 0
    until: float = 0.0
    era: int = 0

    @property
    def is_well(self) -> bool:
        """Whether nothing speaks against the tool now."""
        return self.phase is Phase.CLOSED and self.failures == 0


def wait(circuit: Circuit, now: float) -> float:
    """Seconds until a call has a chance; 0 = now. Asks only, and takes nobody's turn."""
    match circuit.phase:
        case Phase.CLOSED:
            return 0.0
        case Phase.OPEN:
            return max(0.0, circuit.until - now)
        case Phase.HALF_OPEN:
            return max(0.0, min(ASK_AGAIN, circuit.until - now))


def ask(circuit: Circuit, now: float) -> tuple[Circuit, PassOrWait]:
    """Leave to send one call, or how long to wait. The first to ask once the pause is over is the probe."""
    if circuit.phase is Phase.CLOSED:
        return circuit, Pass(circuit.era)
    seconds = wait(circuit, now)
    if seconds > 0:
        return circuit, Wait(seconds)
    probing = replace(circuit, phase=Phase.HALF_OPEN, until=now + PROBE_TIME, era=circuit.era + 1)
    return probing, Pass(probing.era, probe=True)


def tell(
    circuit: Circuit, given: Pass, outcome: Outcome, now: float, *, retry_after: float = 0.0, spread: float = 1.0
) -> Circuit:
    """What is known after a call. Calls that were sent before the circuit last opened say nothing new.

    `retry_after` is the tool's own word with `throttled`. `spread`, from 0.5 to 1, shortens our own pauses, so that not
    all workers send their probes at the same moment.
    """
    if given.era != circuit.era or circuit.phase is Phase.OPEN:
        return circuit
    match outcome:
        case Outcome.WELL:
            return Circuit(era=circuit.era)
        case Outcome.NO_WORD:
            return replace(circuit, phase=Phase.OPEN, until=now) if circuit.phase is Phase.HALF_OPEN else circuit
        case Outcome.THROTTLED if retry_after > 0:
            # It lives and says when; that is no reason to stay away longer each time.
            return _opened(circuit, now + min(retry_after, LONGEST_WORD), circuit.opened)
        case _:
            failures = circuit.failures + 1
            if circuit.phase is Phase.CLOSED and failures < FAILURES:
                return replace(circuit, failures=failures)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**circuit.opened) * spread
            return _opened(circuit, now + pause, min(circuit.opened + 1, 16))


def _opened(circuit: Circuit, until: float, opened: int) -> Circuit:
    return Circuit(Phase.OPEN, FAILURES, opened, until, circuit.era + 1)
