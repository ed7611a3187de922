"""A provider with limits as real ones have them: a bucket of calls and one of tokens that fill up as time goes by.

Each takes ten seconds' worth at once and is full at the start. What does not fit is refused with 429; a refused call
takes nothing. `headers`: it says what its limits are, what is left of them and when to come back, as OpenAI does.
Without, it says nothing but 429.
"""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.fakes.provider import Asked, Call, Fails, FakeProvider, Says, Turn

TOGETHER = 10.0
"""Seconds' worth that a full bucket holds."""
ROUNDS = 2
"""Tool calls that the model asks for, one after another, before it answers."""


@dataclass
class Bucket:
    """So many a minute."""

    limit: float
    left: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.limit / 60 * TOGETHER
        self.at = time.monotonic()

    def fill(self, now: float) -> None:
        """What has come in since."""
        self.left = min(self.limit / 60 * TOGETHER, self.left + (now - self.at) * self.limit / 60)
        self.at = now

    def short(self, wanted: float) -> float:
        """Seconds until there is enough."""
        return max(0.0, (wanted - self.left) * 60 / self.limit)


class Throttled:
    """The provider, in a thread of its own. Counts by the second since its start."""

    def __init__(self, requests: int, tokens: int, *, headers: bool) -> None:
        self._requests, self._tokens, self._headers = Bucket(requests), Bucket(tokens), headers
        self._loop = asyncio.new_event_loop()
        self._dice = random.Random(1)
        self._fake = FakeProvider(plan=self._plan)
        self.began = time.monotonic()
        self.served: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        self.taken: Counter[int] = Counter()
        self.until = 0
        """The second in which the demand ended."""

    def start(self) -> str:
        """Its address."""
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._fake.start(), self._loop).result(10)
        return self._fake.url

    def reset(self) -> None:
        """Count from now on."""
        self.began = time.monotonic()
        for counts in (self.served, self.refused, self.taken):
            counts.clear()

    def close(self) -> None:
        """End it."""
        asyncio.run_coroutine_threadsafe(self._fake.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _plan(self, asked: Asked) -> Turn:
        self._fake.asked.clear()  # nobody looks at them, and they are many
        now = time.monotonic()
        second = int(now - self.began)
        self._requests.fill(now)
        self._tokens.fill(now)
        answers = sum(message["role"] == "tool" for message in asked.body["messages"])
        output = self._dice.randint(50, 400)
        size = len(json.dumps(asked.body)) // 4 + output
        wait = max(self._requests.short(1), self._tokens.short(size))
        if wait > 0:
            self.refused[second] += 1
            headers = {**self._says(), "retry-after": str(max(1, round(wait + 0.5)))} if self._headers else {}
            return Fails(429, "Rate limit reached. Please slow down.", "requests", "rate_limit_exceeded", headers)
        self._requests.left -= 1
        self._tokens.left -= size
        self.served[second] += 1
        self.taken[second] += size
        latency = self._dice.uniform(0.3, 1.2)
        headers = self._says() if self._headers else {}
        told = {"input": size - output, "output": output, "latency": latency, "headers": headers}
        if answers < ROUNDS:
            return Says(calls=[Call("echo", {"text": f"round {answers}"}, f"call_{answers}")], **told)
        return Says("Done. " * 5, **told)

    def _says(self) -> dict[str, str]:
        said: dict[str, str] = {}
        for unit, bucket in (("requests", self._requests), ("tokens", self._tokens)):
            missing = bucket.limit / 60 * TOGETHER - bucket.left
            said |= {
                f"x-ratelimit-limit-{unit}": str(int(bucket.limit)),
                f"x-ratelimit-remaining-{unit}": str(int(bucket.left)),
                f"x-ratelimit-reset-{unit}": f"{missing * 60 / bucket.limit:.3f}s",
            }
        return said
