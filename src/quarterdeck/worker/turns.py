"""Runs that wait for a provider to have room for them are sent on when their turn comes."""

import asyncio
import random
from collections.abc import Callable

from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import ADMIT, Wakes
from quarterdeck.pacing import job
from quarterdeck.pacing.service import Pacer
from quarterdeck.runs import sweep
from quarterdeck.worker.chores import surviving


async def call_up_forever(db: Database, wakes: Wakes, pacer: Pacer | None, admit_soon: Callable[[], None]) -> None:
    """Call the next ones twice a second, while any limits are known. One worker at a time does it for all."""

    async def call_up() -> None:
        async with db.system.transaction() as tx:
            called = await job.call_up(tx)
            hastened = await sweep.hasten(tx, [(one.tenant, one.run) for one in called]) if called else 0
        if hastened:
            admit_soon()
            wakes.send(ADMIT, 1, key="admit")

    while True:
        await asyncio.sleep(job.PAUSE * random.uniform(0.8, 1.2))
        if pacer is not None and pacer.knows_limits:
            await surviving("pacing", call_up)
