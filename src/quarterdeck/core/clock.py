"""The one source of time, so that tests can hold it still."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time for records and boot time for deadlines."""

    def now(self) -> datetime:
        """Aware UTC wall time."""
        ...

    def boot(self) -> float:
        """Seconds on a clock that goes on while the process or the machine is frozen."""
        ...


class SystemClock:
    """The machine's clocks. `boot` counts suspended time too, so a deadline passes even for a frozen process."""

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return datetime.now(UTC)

    def boot(self) -> float:
        """Seconds since boot, suspended time included where the system tells (Linux), else the monotonic clock."""
        return time.clock_gettime(_BOOT_CLOCK)


class FakeClock:
    """A clock for tests that moves only when told."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._boot = 1000.0

    def now(self) -> datetime:
        """The time it was last set to."""
        return self._now

    def boot(self) -> float:
        """Seconds that `advance` has added up, from a fixed start."""
        return self._boot

    def advance(self, by: timedelta) -> None:
        """Move both clocks forward."""
        self._now += by
        self._boot += by.total_seconds()


def moment(at: datetime | None) -> str | None:
    """A time as public records write it: ISO 8601 in UTC with milliseconds and a Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
