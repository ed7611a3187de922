"""One worker process of ours in `peers-budget`: callers that reserve, wait as long as the provider takes, and settle.

Started by `bench.peers_budget` with a plan as JSON. Nothing is sent anywhere: this is the path of the budgets alone.
"""

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from uuid import UUID

import uvloop

from bench.demand import LATENCY, MOST, WORST, Demand
from bench.spending import Worker
from quarterdeck.budgets.records import Amount, Refused, Spender
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Urls
from quarterdeck.db.wakes import Wakes


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def spend(worker: Worker, demand: Demand, callers: range) -> dict[str, object]:
    """What these callers were charged, by account."""
    charged: Counter[str] = Counter()
    served, began, cpu = 0, time.monotonic(), _cpu()

    async def caller(number: int) -> None:
        nonlocal served
        account = demand.account(number)
        for call in range(demand.calls):
            run = uuid7()
            spender = Spender(worker.tenant, demand.name, "r", account, None, str(run))
            lines = worker.budgets.lines(spender, ())
            said = await worker.reserve(run, str(call), 1, lines, Amount(WORST, MOST))
            if isinstance(said, Refused):
                continue
            charged[account] += demand.cost
            served += 1
            await asyncio.sleep(LATENCY)
            await worker.settle(run, str(call), Amount(demand.cost, demand.tokens))

    await asyncio.gather(*(caller(number) for number in callers))
    return {"charged": charged, "served": served, "seconds": time.monotonic() - began, "cpu": _cpu() - cpu}


async def work(plan: dict[str, object]) -> None:
    """Carry out a plan and print what came of it."""
    urls = Urls(*(str(plan[name]) for name in ("owner", "app", "system", "listen")))
    database = await Database.open(urls, size=int(str(plan["connections"])), system_size=2)
    wakes = Wakes(urls.listen)
    await wakes.start()
    budgets = Budgets(database, wakes, SystemClock(), Settings())
    await budgets.start()
    worker = Worker("peer", TenantId(UUID(str(plan["tenant"]))), database, budgets, [], -1)
    told = plan["demand"]
    assert isinstance(told, dict)
    demand = Demand(**told)
    number, workers = int(str(plan["number"])), int(str(plan["workers"]))
    await asyncio.sleep(max(0.0, float(str(plan["begins"])) - time.time()))
    print(json.dumps(await spend(worker, demand, range(number, demand.callers, workers))), flush=True)
    await budgets.close()
    await wakes.close()
    await database.close()


if __name__ == "__main__":
    uvloop.run(work(json.loads(sys.argv[1])))
