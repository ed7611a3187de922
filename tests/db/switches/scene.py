"""Switches on a real database, thrown and lifted by the real service, and boards that follow them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from quarterdeck.core.clock import Clock, SystemClock
from quarterdeck.core.ids import TenantId
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import Wakes
from quarterdeck.switches.board import Board
from quarterdeck.switches.records import Action, Scope, Switch, Wanted
from quarterdeck.switches.service import Switches


class Levers:
    """Throws and lifts, as an operator or, for switches without a tenant, as a deployment admin."""

    def __init__(self, database: Database, wakes: Wakes, tenant: TenantId) -> None:
        self.switches = Switches(database, wakes, SystemClock())
        self.tenant = tenant

    async def throw(self, scope: Scope = Scope.TOOL, action: Action = Action.DISABLE, **more: Any) -> Switch:
        everything = scope is Scope.EVERYTHING
        target = {Scope.TOOL: "refund", Scope.AGENT: "desk", Scope.TENANT: "acme"}.get(scope, "")
        wanted = Wanted(scope, action, "because", target, tenant=None if everything else self.tenant)
        wanted = replace(wanted, **{"deployment": everything, **more})
        async with self.switches.transaction(wanted.tenant, deployment=wanted.deployment) as tx:
            return await self.switches.throw(tx, wanted, "key:k")

    async def lift(self, switch: Switch) -> Switch:
        async with self.switches.transaction(switch.tenant, deployment=switch.deployment) as tx:
            return await self.switches.lift(tx, switch, "key:k", "over")


@asynccontextmanager
async def following(
    database: Database, wakes: Wakes, clock: Clock | None = None, *, period: float = 1.0
) -> AsyncGenerator[Board]:
    """A board, as a process has one."""
    board = Board(database, wakes, clock, period=period)
    await board.start()
    try:
        yield board
    finally:
        await board.close()


async def until(true: Callable[[], bool], within: float = 5.0) -> float:
    """Wait until something is true; the seconds that it took."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < within, "it did not come true in time"
        await asyncio.sleep(0.005)
    return time.monotonic() - started


async def add_agent(database: Database, tenant: TenantId, name: str = "desk") -> None:
    """An agent's row, as far as switches look at it."""
    async with database.tenant(tenant) as tx:
        await tx.execute(
            "INSERT INTO qd.agents (tenant, name, release, owner, description) VALUES ($1, $2, $3, 'ann', '')",
            *(tenant, name, "ab" * 32),
        )
