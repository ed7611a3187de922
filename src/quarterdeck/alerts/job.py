"""What workers do for alerts: look at budgets and providers every few seconds, at users and spending every minute.

Every worker does so; who comes second in a moment finds it being done, and none is needed.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from quarterdeck.alerts.service import Alerts
from quarterdeck.core.clock import Clock
from quarterdeck.db.pool import Database

PERIOD = 5.0
"""Seconds between two rounds of one worker."""
SELDOM = 12
"""Rounds between two looks at what takes longer to read and to change."""


OpenRoutes: TypeAlias = Callable[[], Sequence[tuple[str, str, float]]]
"""The routes that this process leaves alone: provider, model, and for how many seconds still."""


def none_open() -> Sequence[tuple[str, str, float]]:
    """A process that leaves nothing alone."""
    return ()


class Watch:
    """The rounds of one worker."""

    def __init__(self, database: Database, clock: Clock, open_routes: OpenRoutes = none_open) -> None:
        self._alerts = Alerts(database, clock)
        self._open_routes = open_routes
        self._rounds = 0

    async def round(self) -> int:
        """One round; how many alerts began and ended. For about every PERIOD seconds in each worker."""
        await self._alerts.say_open(self._open_routes())
        done = await self._alerts.look_at_shared() + await self._alerts.look_at_providers()
        if self._rounds % SELDOM == 0:
            done += await self._alerts.look_at_users() + await self._alerts.look_at_spending()
            await self._alerts.prune()
        self._rounds += 1
        return done
