"""Asked before each call of a model: what has to be reserved, and from where. One of these in each process.

Reserving and settling themselves are the store's, in the transaction that writes down the call.
"""

import asyncio
import random
from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quarterdeck.budgets import store
from quarterdeck.budgets.book import Book
from quarterdeck.budgets.records import (
    Amount,
    Budget,
    BudgetsNotKept,
    Declared,
    Line,
    Refused,
    Reserved,
    Scope,
    Spender,
    Window,
)
from quarterdeck.budgets.rules import HOT, Live, lines
from quarterdeck.budgets.store import Brought
from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Misconfigured
from quarterdeck.core.ids import TenantId, new_run_id, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database, retrying
from quarterdeck.db.records import Tx
from quarterdeck.db.wakes import Wakes

_TURNS, _PAUSE = 40, 0.025
_AT_ONCE = 2
"""Connections that one process uses to rebalance: whoever looks for the last of a limit must not take them all."""


class Budgets:
    """What may be spent, as one process knows it. `await start()` before use and `await close()` after."""

    def __init__(self, database: Database, wakes: Wakes, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._slots = settings.budget_slots
        self._zone = _zone(settings.budget_time_zone)
        self._book = Book(database, wakes, now=clock.boot)
        self._rebalancing = asyncio.Semaphore(_AT_ONCE)

    async def start(self) -> None:
        """Read the live budgets and follow their changes. Raises Unavailable."""
        await self._book.start()

    async def close(self) -> None:
        """Stop following."""
        await self._book.close()

    @property
    def known(self) -> bool:
        """Whether what this process knows is recent enough to spend by."""
        return self._book.known

    async def look(self) -> None:
        """Look now: what was committed before is known afterwards. Raises Unavailable."""
        await self._book.look()

    def lines(
        self, spender: Spender, declared: Sequence[Declared], run_cap: int | None = None, *, run_spent: int = 0
    ) -> tuple[Line, ...]:
        """What a call has to reserve from: the limits of its release, of its ancestors, and all live ones that hold.

        `run_cap`: micro-USD that one run may spend at most, by a switch; `run_spent`: what it has spent by now, for a
        cap that comes late. Pure, from memory. Raises BudgetsUnknown: then spend nothing.
        """
        return lines(
            spender,
            declared,
            self._book.live(spender.tenant),
            run_cap=run_cap,
            run_spent=run_spent,
            slots=self._slots,
            zone=self._zone,
        )

    async def rebalance(self, tenant: TenantId, refused: Refused) -> None:
        """Bring what is left of hot accounts to the slots that lack it, after a refusal that was `short`.

        In transactions of its own, one for each account: never call it inside the one that reserves. Reserve again at
        once: what was brought is kept from others for a moment. Where several look for the last of a limit it waits
        for its turn, a second at most. Raises Unavailable.
        """
        for line, slot, want in sorted(refused.slots, key=lambda each: each[0].account):
            for _ in range(_TURNS):
                brought = await retrying(lambda: self._rebalance(tenant, line, slot, want))  # noqa: B023  # awaited here
                if brought is not Brought.LATER:
                    break
                await asyncio.sleep(_PAUSE * random.uniform(0.5, 1.5))

    async def _rebalance(self, tenant: TenantId, line: Line, slot: int, want: int) -> Brought:
        async with self._rebalancing, self._database.tenant(tenant) as tx:
            return await store.rebalance(tx, tenant, line, slot, want)

    async def self_test(self) -> None:
        """Spend against budgets of zero, in a transaction that leaves nothing behind. Raises BudgetsNotKept where that
        is let through, or where a budget with room refuses; Unavailable where it can't be found out.
        """
        tenant = TenantId(uuid7())
        try:
            async with self._database.tenant(tenant) as tx:
                await self._try(tx, tenant)
                raise _Undo
        except _Undo:
            return

    async def _try(self, tx: Tx, tenant: TenantId) -> None:
        want = Amount(1, 1)
        for scope in Scope:
            for most in (0, 1):
                run = new_run_id()
                spender = Spender(tenant, "self-test", "self-test", "self-test", str(run), str(run))
                window = Window.DAY if scope in HOT else Window.TOTAL
                limit = Budget("self-test", scope, window=window, max_micro_usd=most, max_tokens=most, id=uuid7())
                asked = lines(spender, [], [Live([limit])], slots=self._slots, zone=self._zone)
                said = await store.reserve(tx, tenant, run, "self-test", 1, asked, want)
                if isinstance(said, Reserved) != (most == 1) and not (isinstance(said, Refused) and said.short):
                    raise BudgetsNotKept(
                        f"Budgets do not hold here: {most} of scope {scope} was asked for 1 and answered {said}.",
                        scope=scope,
                    )


def _zone(name: str) -> str:
    """The same, if it is one. Raises Misconfigured."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as fault:
        raise Misconfigured(f"QUARTERDECK_BUDGET_TIME_ZONE is no time zone: {name!r}.", zone=name) from fault
    return name


class _Undo(Exception):
    """Leaves a transaction without a trace."""
