"""Load: one hour of a chat service's real arrivals, played faster, against a model of fixed latency; then one worker
that holds a thousand runs which all wait on the model.

Added latency is what we add to the model's: from accepted to finished, less the model's second.
"""

import argparse
import asyncio
import csv
import gzip
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.stage import SHARED, Stage, percentile, resident, save, staged
from quarterdeck.db import driver

ARRIVALS = SHARED / "arrivals" / "azure_conv_2023.csv.gz"
LATENCY_MS = 1000
HELD = 1000
GOAL_MEMORY_MB, GOAL_LAG_MS = 400, 50

# What became of a batch of runs: milliseconds from accepted to finished, and how each ended.
ENDED = """
SELECT status, extract(epoch FROM finished_at - created_at) * 1000 AS ms FROM qd.runs
WHERE agent = $1 AND created_at >= $2
"""


@dataclass
class Sampled:
    """Memory of the processes, sample by sample, in bytes."""

    api: list[int] = field(default_factory=list)
    worker: list[int] = field(default_factory=list)


def arrivals(factor: float, seconds: float) -> list[float]:
    """The first arrivals of the hour, in seconds from the start, played `factor` times as fast for so long."""
    with gzip.open(ARRIVALS, "rt") as rows:
        times = [datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in csv.DictReader(rows)]
    return [at for time_ in times if (at := (time_ - times[0]) / factor) <= seconds]


async def _play(stage: Stage, times: Sequence[float], sampled: Sampled) -> dict[str, int]:
    counts = {"accepted": 0, "refused": 0, "failed": 0}
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    headers = dict(stage.client.headers)
    async with httpx.AsyncClient(base_url=stage.fleet.url, headers=headers, timeout=30, limits=limits) as client:

        async def submit(number: int) -> None:
            try:
                answer = await client.post("/v1/runs", json={"agent": "chat", "input": f"message {number}"})
            except httpx.HTTPError:
                counts["failed"] += 1
            else:
                counts[{202: "accepted", 429: "refused"}.get(answer.status_code, "failed")] += 1

        began = time.perf_counter()
        with Progress(transient=True) as progress:
            task = progress.add_task(f"{len(times)} arrivals", total=len(times))
            async with asyncio.TaskGroup() as group:
                sampling = group.create_task(_sample(stage, sampled))
                for number, at in enumerate(times):
                    await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
                    group.create_task(submit(number))
                    progress.advance(task)
                sampling.cancel()
    return counts


async def _sample(stage: Stage, sampled: Sampled) -> None:
    while True:
        sampled.api.append(resident(stage.fleet.children["serve"].pid))
        sampled.worker.append(resident(stage.fleet.children["worker-1"].pid))
        await asyncio.sleep(1)


async def _outcome(stage: Stage, began: datetime, accepted: int) -> list[float]:
    """Added milliseconds of each run, once all have ended."""
    connection = await driver.connect(stage.fleet.urls.system)
    try:
        until, ended = time.monotonic() + 120, []
        while len(ended) < accepted and time.monotonic() < until:
            await asyncio.sleep(0.5)
            rows = await connection.fetch(ENDED, "chat", began)
            ended = [row for row in rows if row["status"] == "succeeded"]
        assert len(ended) == accepted, f"{accepted - len(ended)} of {accepted} runs did not succeed"
        return [float(row["ms"]) - LATENCY_MS for row in ended]
    finally:
        await connection.close()


def play(factor: float, seconds: float) -> dict[str, Any]:
    """One factor on a fresh deployment with one worker."""
    times, sampled = arrivals(factor, seconds), Sampled()
    with staged(1, worker_capacity=500, log_level="error") as stage:
        stage.provider("script", "scripted", latency_ms=LATENCY_MS)
        stage.register("chat")
        stage.client.post("/v1/runs?wait=20", json={"agent": "chat", "input": "warm up"})
        began = datetime.now().astimezone()
        counts = asyncio.run(_play(stage, times, sampled))
        added = asyncio.run(_outcome(stage, began, counts["accepted"]))
    third = max(1, len(sampled.worker) // 3)
    return {
        "arrivals": len(times),
        "per_s": round(len(times) / seconds, 1),
        **counts,
        "added_ms_p50": round(percentile(added, 0.5), 1),
        "added_ms_p99": round(percentile(added, 0.99), 1),
        "worker_mb_start": _mb(sampled.worker[:third]),
        "worker_mb_end": _mb(sampled.worker[-third:]),
        "api_mb_start": _mb(sampled.api[:third]),
        "api_mb_end": _mb(sampled.api[-third:]),
    }


def hold(runs: int) -> dict[str, Any]:
    """One worker with so many runs that all wait on the model at once."""
    with staged(1, worker_capacity=runs, queue_limit=2 * runs, log_level="info") as stage:
        stage.provider("script", "scripted", latency_ms=45_000)
        stage.register("chat")
        for number in range(runs):
            stage.client.post("/v1/runs", json={"agent": "chat", "input": f"message {number}"})
        until, pulses = time.monotonic() + 120, []
        while time.monotonic() < until:
            time.sleep(1)
            pulses = _pulses(stage)
            if sum(pulse["runs"] >= runs for pulse in pulses) >= 2:
                break
        full = [pulse for pulse in pulses if pulse["runs"] >= runs]
        worker = stage.fleet.children["worker-1"].pid
        return {
            "runs_held": max((pulse["runs"] for pulse in pulses), default=0),
            "worker_mb": round(resident(worker) / 2**20),
            "lag_p50_ms": max((pulse["lag_p50_ms"] for pulse in full), default=None),
            "lag_p99_ms": max((pulse["lag_p99_ms"] for pulse in full), default=None),
            "lag_p99_ms_while_filling": max(pulse["lag_p99_ms"] for pulse in pulses),
        }


def _pulses(stage: Stage) -> list[dict[str, Any]]:
    log = stage.fleet.children["worker-1"].log_file.read_text().splitlines()
    return [json.loads(line) for line in log if '"worker.pulse"' in line]


def _mb(sizes: Sequence[int]) -> int:
    return round(sum(sizes) / max(1, len(sizes)) / 2**20)


def main(arguments: list[str], *, quick: bool = False) -> bool:
    """`python -m bench load [--seconds N]`."""
    parser = argparse.ArgumentParser(prog="python -m bench load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8 if quick else 60)
    parser.add_argument("--factors", type=float, nargs="+", default=[1, 5] if quick else [1, 5, 20])
    chosen = parser.parse_args(arguments)
    console = Console(width=150)
    if not ARRIVALS.exists():
        console.print(f"skipped: the recorded arrivals ({ARRIVALS.name}) are not on this machine")
        return True
    figures: dict[str, Any] = {f"x{factor:g}": play(factor, chosen.seconds) for factor in chosen.factors}
    held = hold(100 if quick else HELD)
    table = Table("arrivals", *next(iter(figures.values())), title=f"real arrivals, {chosen.seconds:g} s each")
    for name, one in figures.items():
        table.add_row(name, *(str(value) for value in one.values()))
    console.print(table)
    table = Table(*held, title=f"one worker, {held['runs_held']} runs that wait on the model")
    table.add_row(*(str(value) for value in held.values()))
    console.print(table)
    save("load", {"seconds_each": chosen.seconds, "model_ms": LATENCY_MS, **figures, "held": held})
    lag = held["lag_p99_ms"]
    return held["worker_mb"] <= GOAL_MEMORY_MB and lag is not None and lag <= GOAL_LAG_MS
