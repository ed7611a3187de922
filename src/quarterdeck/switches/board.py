"""All switches that stand, in the memory of each process: gates ask at every call and never wait for an answer.

After a commit a wake says that something changed; behind it every process looks by itself each second. A process that
has not been able to look for a while does not know what stands, and says so.
"""

import contextlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock, SystemClock
from quarterdeck.core.ids import TenantId
from quarterdeck.db.following import PAUSE, Follower
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import SWITCH, Wakes
from quarterdeck.switches import rules, store
from quarterdeck.switches.records import CLEAR, Changed, Listener, Standing, Subject, Switch, SwitchId

_REMEMBERED = 100_000

UNKNOWN = Standing(known=False)
"""What stands can't be told."""

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Stood:
    """A switch, and the end of its time on this machine's boot clock: a wrong wall clock neither ends nor keeps it."""

    switch: Switch
    ends: float


class Board:
    """What stands. Start it before the first question; `standing` is pure, never waits and costs microseconds."""

    def __init__(self, database: Database, wakes: Wakes, clock: Clock | None = None, *, period: float = PAUSE) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._stood: tuple[_Stood, ...] = ()
        self._thrown: rules.Index = {}
        self._next_end = math.inf
        self._seen: OrderedDict[SwitchId, datetime] = OrderedDict()
        self._listeners: list[Listener] = []
        self._follower = Follower("switches", self._read, wakes, SWITCH, pause=period, now=self._clock.boot)

    async def start(self) -> None:
        """Look once, then follow. A database that is away is waited for in the background, `known` false meanwhile."""
        await self._follower.start(patient=True)

    async def close(self) -> None:
        """Stop following. What was known stays believed for as long as it would have been."""
        await self._follower.close()

    @property
    def known(self) -> bool:
        """Whether the last successful look is recent enough to be believed."""
        return self._follower.known

    def standing(
        self,
        tenant: TenantId,
        agent: str,
        *,
        tool: str | None = None,
        server: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        route: str | None = None,
        background: bool = False,
    ) -> Standing:
        """What the switches leave of a call, a question to a model, or (without any of those) of a run's next step.

        `known` is false where this process can't tell: the answer is "not now" then, whatever else it says.
        """
        thrown = self._current()
        if not thrown:
            return CLEAR if self.known else UNKNOWN
        subject = Subject(tenant, agent, tool, server, model, provider, route, background)
        stands = rules.standing(thrown, subject)
        return stands if self.known else replace(stands, known=False)

    def holding(self, tenant: TenantId, agent: str, *, fresh: bool, background: bool) -> Switch | None:
        """The switch that keeps a queued run from being admitted; `rules.holding` says what is meant."""
        return rules.holding(self._current(), tenant, agent, fresh=fresh, background=background)

    def standing_in(self, tenant: TenantId | None) -> list[Switch]:
        """What stands and hits a tenant, oldest first; for None, everything of everybody."""
        self._current()
        return [one.switch for one in self._stood if tenant is None or one.switch.tenant in {None, tenant}]

    def seen_at(self, switch: SwitchId) -> datetime | None:
        """When this process first saw a switch stand, by its wall clock; None where it has not (or long ago)."""
        return self._seen.get(switch)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after each change, for calls under way; answers a function that ends it.

        It runs in the event loop and must not block; one that raises is logged.
        """
        self._listeners.append(listener)

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return stop

    async def look(self) -> None:
        """Look now; what was committed before is on the board afterwards. Raises Unavailable."""
        await self._follower.look()

    async def _read(self) -> None:
        async with self._database.system.transaction() as tx:
            found = await store.read_standing(tx, None)
        self._show(self._stood_now(found))

    def _stood_now(self, found: store.Look) -> tuple[_Stood, ...]:
        if found.at is None:
            return ()
        boot = self._clock.boot()
        for switch in found.switches:
            if switch.id not in self._seen:
                self._note(switch, found.at - switch.thrown_at)
        return tuple(
            _Stood(one, boot + (one.until - found.at).total_seconds() if one.until else math.inf)
            for one in found.switches
        )

    def _note(self, switch: Switch, late: timedelta) -> None:
        self._seen[switch.id] = datetime.now(UTC)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        _log.info("switch.seen", switch=str(switch.id), ms=round(late.total_seconds() * 1000, 1))

    def _current(self) -> rules.Index:
        """The index of what stands at this moment: what has run out is taken off first."""
        now = self._clock.boot()
        if now >= self._next_end:
            self._show(one for one in self._stood if one.ends > now)
        return self._thrown

    def _show(self, stood: Iterable[_Stood]) -> None:
        """Put these on the board and tell who listens what has changed."""
        before = {one.switch.id: one.switch for one in self._stood}
        self._stood = tuple(stood)
        self._next_end = min((one.ends for one in self._stood), default=math.inf)
        after = {one.switch.id: one.switch for one in self._stood}
        if before.keys() == after.keys():
            return
        self._thrown = rules.index(after.values())
        thrown = tuple(switch for name, switch in after.items() if name not in before)
        gone = tuple(switch for name, switch in before.items() if name not in after)
        for listener in tuple(self._listeners):
            try:
                listener(Changed(thrown, gone))
            except Exception:
                _log.exception("switches.listener_failed")
