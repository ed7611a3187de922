"""Faults: a provider that is asked for twice as much as it takes, for minutes, by runs on several workers.

At the end: no run has failed and none was dropped, nearly all of the provider's limit was used all the time, and hardly
a call was refused. Once with a provider that says what its limits are, once with one that says nothing but 429.
"""

import argparse
import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.stage import PIN, Stage, cpu_seconds, percentile, save, staged
from bench.throttled import ROUNDS, Throttled
from quarterdeck.db import driver

REQUESTS, TOKENS = 600, 420_000
"""What the provider takes a minute: an average call takes some 700 tokens, so both run out at about the same time."""
WORKERS = 3
OVER = 2.0
SETTLING = 30
"""Seconds at the start that do not count as use: the buckets are full, and nothing is known yet. All refusals count."""
GOAL_USED, GOAL_REFUSED = 0.90, 0.02
CODE = '''
from quarterdeck.tools.author import tool

@tool(effect="read", repeat="safe")
def echo(text: str) -> str:
    """Say it again."""
    return text
'''

# What became of all runs.
ENDS = "SELECT status, count(*)::int AS n FROM qd.runs WHERE agent = 'asker' GROUP BY status"

# How long runs took that have ended, and how long the longest is waiting.
TIMES = """
SELECT extract(epoch FROM finished_at - created_at)::float8 AS seconds FROM qd.runs
WHERE agent = 'asker' AND finished_at IS NOT NULL ORDER BY created_at
"""

# What the workers take the limits to be, and how many runs wait because of them.
LEARNED = """
SELECT requests_now AS requests, tokens_now AS tokens,
       (SELECT count(*) FROM qd.pace_turns t WHERE t.lane = l.key) AS waiting
FROM qd.pace_lanes l ORDER BY refusals DESC LIMIT 1
"""


@dataclass
class Seen:
    """What was measured of one provider."""

    submitted: int
    ends: Counter[str]
    seconds: list[float]
    drained: float
    worker_cpu: float
    learned: list[dict[str, float | None]]


async def _watch(stage: Stage, seen: list[dict[str, float | None]]) -> None:
    """What the workers take the limits to be, every two seconds."""
    connection = await driver.connect(stage.fleet.urls.system)
    try:
        while True:
            row = await connection.fetchrow(LEARNED)
            if row is not None:
                seen.append(
                    {key: None if row[key] is None else round(row[key]) for key in ("requests", "tokens", "waiting")}
                )
            await asyncio.sleep(2)
    finally:
        await connection.close()


async def _submit(stage: Stage, seconds: float, pace: float, name: str, learned: list[dict[str, float | None]]) -> int:
    """Runs at `pace` a second, at the times at which people would send them."""
    dice, submitted, began = random.Random(2), 0, time.monotonic()
    headers = dict(stage.client.headers)
    async with httpx.AsyncClient(base_url=stage.fleet.url, headers=headers, timeout=30) as client:
        with Progress(transient=True) as progress:
            task = progress.add_task(f"demand, {name}", total=seconds)
            at = 0.0
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(_watch(stage, learned))
                while (at := at + dice.expovariate(pace)) < seconds:
                    await asyncio.sleep(max(0.0, began + at - time.monotonic()))
                    words = f"message {submitted}: " + "word " * dice.randint(10, 200)
                    group.create_task(_one(client, words))
                    submitted += 1
                    progress.update(task, completed=at)
                watching.cancel()
    return submitted


async def _one(client: httpx.AsyncClient, words: str) -> None:
    answer = await client.post("/v1/runs", json={"agent": "asker", "input": words})
    assert answer.status_code == 202, answer.text


async def _drain(stage: Stage, most: float) -> tuple[Counter[str], list[float], float]:
    """Wait until every run has ended, or `most` seconds."""
    connection = await driver.connect(stage.fleet.urls.system)
    began = time.monotonic()
    try:
        while True:
            ends = Counter({row["status"]: row["n"] for row in await connection.fetch(ENDS)})
            going = sum(ends.values()) - ends["succeeded"] - ends["failed"] - ends["stopped"]
            if not going or time.monotonic() - began > most:
                times = [row["seconds"] for row in await connection.fetch(TIMES)]
                return ends, times, time.monotonic() - began
            await asyncio.sleep(0.5)
    finally:
        await connection.close()


def measure(minutes: float, provider: Throttled, name: str) -> Seen:
    """One provider, on a fresh deployment."""
    with staged(WORKERS, worker_capacity=100, queue_limit=100_000, log_level="error") as stage:
        made = {
            "name": "busy",
            "kind": "openai",
            "base_url": f"{provider.start()}/v1",
            "key": "sk-bench-0123456789abcdef",
            "options": {"api": "chat", "allow_unpriced": True},
        }
        answer = stage.admin.post("/v1/providers", json=made)
        assert answer.status_code == 201, answer.text
        model = {"provider": "busy", "id": PIN}
        limits = {"max_seconds": 3600}
        stage.register("asker", [{"name": "own", "python": "tools.py"}], {"tools.py": CODE}, model=model, limits=limits)
        stage.client.post("/v1/runs?wait=30", json={"agent": "asker", "input": "warm up"})
        time.sleep(2)
        provider.reset()
        pids = [child.pid for key, child in stage.fleet.children.items() if key.startswith("worker")]
        before = sum(map(cpu_seconds, pids))
        learned: list[dict[str, float | None]] = []
        pace = OVER * REQUESTS / 60 / (ROUNDS + 1)
        submitted = asyncio.run(_submit(stage, minutes * 60, pace, name, learned))
        busy = sum(map(cpu_seconds, pids)) - before
        provider.until = int(time.monotonic() - provider.began)
        ends, seconds, drained = asyncio.run(_drain(stage, minutes * 60 * OVER + 120))
        return Seen(submitted + 1, ends, seconds, drained, busy, learned)


def _figures(provider: Throttled, seen: Seen) -> dict[str, Any]:
    window = range(SETTLING, provider.until)
    length = max(1, len(window))
    requests = sum(provider.served[second] for second in window) / (REQUESTS / 60 * length)
    tokens = sum(provider.taken[second] for second in window) / (TOKENS / 60 * length)
    refused, served = sum(provider.refused.values()), sum(provider.served.values())
    by_then = sum(provider.served[second] for second in range(provider.until))
    failed = seen.submitted - seen.ends["succeeded"]
    return {
        "runs": seen.submitted,
        "not_succeeded": failed,
        "ends": dict(seen.ends),
        "calls": served,
        "used_requests": round(requests, 3),
        "used_tokens": round(tokens, 3),
        "used": round(max(requests, tokens), 3),
        "refused": refused,
        "refused_share": round(refused / max(1, refused + served), 4),
        "seconds_p50": round(percentile(seen.seconds, 0.5), 1),
        "seconds_p99": round(percentile(seen.seconds, 0.99), 1),
        "drained_after_s": round(seen.drained),
        "worker_cpu_ms_a_call": round(seen.worker_cpu * 1000 / max(1, by_then), 1),
        "served_by_second": [provider.served[second] for second in range(provider.until)],
        "learned": seen.learned,
        "refused_by_second": [provider.refused[second] for second in range(provider.until)],
    }


def _is_fine(figures: dict[str, Any]) -> bool:
    return figures["not_succeeded"] == 0 and figures["used"] >= GOAL_USED and figures["refused_share"] <= GOAL_REFUSED


def main(arguments: list[str], *, quick: bool = False) -> bool:
    """`python -m bench faults [--minutes N] [--provider headers|silent]`."""
    parser = argparse.ArgumentParser(prog="python -m bench faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1 if quick else 2)
    parser.add_argument("--provider", choices=["headers", "silent"], action="append")
    chosen = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    for name in chosen.provider or ["headers", "silent"]:
        provider = Throttled(REQUESTS, TOKENS, headers=name == "headers")
        try:
            figures[name] = _figures(provider, measure(chosen.minutes, provider, name))
        finally:
            provider.close()
    shown = [
        key for key in next(iter(figures.values())) if not isinstance(next(iter(figures.values()))[key], list | dict)
    ]
    table = Table("provider", *shown, title=f"{OVER:g} times its limit for {chosen.minutes:g} minutes")
    for name, one in figures.items():
        table.add_row(name, *(str(one[key]) for key in shown))
    Console(width=170).print(table)
    about = {"minutes": chosen.minutes, "requests_a_minute": REQUESTS, "tokens_a_minute": TOKENS, "workers": WORKERS}
    save("faults", {**about, **figures})
    return all(map(_is_fine, figures.values()))
