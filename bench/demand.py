"""The same demand for every side of `peers-budget`: who calls, how often, what a call costs and may cost, what is left.

The provider keeps the books that count: what it was asked and answered, it charges, whatever anybody else has booked.
"""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.fakes.provider import Asked, FakeProvider, Says

PRICE = 30
"""Micro-USD a token of output; input is free, so that no side has to guess it."""
MOST = 1000
"""Tokens that a call may put out at most."""
LATENCY = 0.2
WORST = PRICE * MOST
_WANTED = re.compile(r"\bspend (\w+) (\d+)\b")


@dataclass(frozen=True)
class Demand:
    """So many callers at once, each with so many calls one after another, on so many accounts of the same limit."""

    name: str
    limit: int
    tokens: int
    """What each call puts out in fact."""
    callers: int
    calls: int
    accounts: int = 1

    @property
    def cost(self) -> int:
        """Micro-USD that each call is charged."""
        return self.tokens * PRICE

    @property
    def fitting(self) -> int:
        """Calls that the limits of all accounts pay for."""
        return min(self.limit // self.cost, self.callers * self.calls // self.accounts) * self.accounts

    def account(self, caller: int) -> str:
        """Whose money a caller spends."""
        return f"{self.name}{caller % self.accounts}"

    def said(self, caller: int) -> str:
        """What it says to the model, which does as it is told."""
        return f"spend {self.account(caller)} {self.tokens}"


def demands(share: float = 1.0) -> tuple[Demand, ...]:
    """All of them; `share` makes those that run out smaller."""
    callers = max(20, int(500 * share))
    return (
        Demand("room", 10**12, MOST // 2, callers=50, calls=max(4, int(20 * share))),
        Demand("half", 100 * WORST, MOST // 2, callers=callers, calls=2),
        Demand("whole", 100 * WORST + WORST // 3, MOST, callers=callers, calls=2),
        Demand("small", 50_000, MOST, callers=callers, calls=2, accounts=callers // 10),
    )


class Books:
    """A provider in a thread of its own, and what it has charged by account."""

    def __init__(self) -> None:
        self.charged: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._fake = FakeProvider(plan=self._plan)

    def start(self) -> str:
        """Its address."""
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._fake.start(), self._loop).result(10)
        return f"{self._fake.url}/v1"

    def close(self) -> None:
        """End it."""
        asyncio.run_coroutine_threadsafe(self._fake.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def clear(self) -> None:
        """Begin anew."""
        self.charged.clear()
        self.served.clear()

    def _plan(self, asked: Asked) -> Says:
        self._fake.asked.clear()  # nobody looks at them, and they are many
        found = _WANTED.search("\n".join(str(one["content"]) for one in asked.body["messages"]))
        assert found is not None, asked.body["messages"]
        most = asked.body.get("max_completion_tokens") or asked.body["max_tokens"]
        account, tokens = found[1], min(int(found[2]), int(most))  # as providers do: never more than was allowed
        self.charged[account] += tokens * PRICE
        self.served[account] += 1
        return Says("Done.", input=20, output=tokens, latency=LATENCY)


async def fire(urls: Sequence[str], demand: Demand, kind: str) -> tuple[Counter[int], float]:
    """Ask a proxy for all of it, its replicas in turns: how often each status came, and the seconds it took.

    Status 0: the connection broke.
    """
    statuses: Counter[int] = Counter()
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:

        async def caller(number: int) -> None:
            account = demand.account(number)
            headers = {"authorization": f"Bearer sk-{kind}-{account}-{demand.limit}"}
            body = {
                "model": "m",
                "max_tokens": MOST,
                "messages": [{"role": "user", "content": demand.said(number)}],
                "metadata": {"session_id": account},
            }
            for call in range(demand.calls):
                url = f"{urls[(number + call) % len(urls)]}/v1/chat/completions"
                try:
                    async with client.post(url, json=body, headers=headers) as answer:
                        await answer.read()
                        statuses[answer.status] += 1
                except (aiohttp.ClientError, TimeoutError):
                    statuses[0] += 1

        began = time.monotonic()
        await asyncio.gather(*(caller(number) for number in range(demand.callers)))
        return statuses, time.monotonic() - began


def judged(demand: Demand, charged: Mapping[str, int], served: int, seconds: float, **more: Any) -> dict[str, Any]:
    """What was spent beyond the limits, of all accounts together and of the worst one."""
    beyond = {account: max(0, sum_ - demand.limit) for account, sum_ in charged.items()}
    limits, calls = demand.limit * demand.accounts, demand.callers * demand.calls
    wanted = min(limits, demand.fitting * demand.cost)
    return {
        "calls": calls,
        "served": served,
        "beyond_usd": round(sum(beyond.values()) / 1e6, 4),
        "beyond_share": round(sum(beyond.values()) / limits, 4),
        "worst_account_share": round(max(beyond.values(), default=0) / demand.limit, 4),
        "calls_too_many": sum(-(-max(0, sum_ - demand.limit) // demand.cost) for sum_ in charged.values()),
        "used_share": round(min(1.0, sum(charged.values()) / wanted), 3),
        "calls_per_s": round(calls / seconds, 1),
        **more,
    }
