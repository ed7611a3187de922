"""The engine: the same durable agent job on Quarterdeck and on LangGraph, side by side on one PostgreSQL.

A job is N tool calls one after another and an answer, by a scripted model, durable at each step, the tools behind the
same stdio MCP server. Counted is every process: api, worker, tool server and database here; the peer's process, its
tool server and the database there. Then what a user waits for: from submit to the first event that a worker wrote.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.delivery import share
from bench.stage import Stage, cpu_seconds, percentile, save, staged
from quarterdeck.db import driver
from quarterdeck.db.driver import Connection
from quarterdeck.db.urls import with_database

HERE = Path(__file__).parent
PEER = HERE / ".envs" / "langgraph"
GOALS = {4: 1.5, 20: 2.0, 100: 3.0}
"""Runs per CPU second, as a multiple of the peer's."""
CONCURRENCY = 20

# What the database has done so far: WAL written, commits.
DONE = """
SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS wal,
       (SELECT sum(xact_commit) FROM pg_stat_database) AS commits
"""


@dataclass
class Cost:
    """What one batch cost."""

    runs: int
    seconds: float
    cpu: float
    database_cpu: float
    wal: float
    commits: float

    def figures(self) -> dict[str, float]:
        """Per run."""
        return {
            "runs_per_s": round(self.runs / self.seconds, 1),
            "cpu_ms": round((self.cpu + self.database_cpu) * 1000 / self.runs, 2),
            "database_cpu_ms": round(self.database_cpu * 1000 / self.runs, 2),
            "runs_per_cpu_s": round(self.runs / (self.cpu + self.database_cpu), 1),
            "wal_kb": round(self.wal / 1024 / self.runs, 2),
            "commits": round(self.commits / self.runs, 1),
        }


class Ours:
    """Batches through HTTP, queue, worker and log."""

    owner: Connection

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        command = [sys.executable, str(HERE / "peers" / "tool_server.py")]
        declared = {"step": {"effect": "read", "repeat": "safe"}}
        limits = {"max_steps": 300, "max_tool_calls": 300}
        for calls in GOALS:
            steps = [{"call": "step", "arguments": {"n": "{n}"}, "times": calls}, {"text": "done"}]
            stage.provider(f"script-{calls}", "scripted", script={"steps": steps})
            stage.register(
                f"job-{calls}",
                [{"name": "bench", "stdio": {"command": command}, "tools": declared}],
                model={"provider": f"script-{calls}", "id": "gpt-4.1-mini-2025-04-14"},
                limits=limits,
            )

    @property
    def pids(self) -> list[int]:
        """The processes that count, without the database."""
        return [child.pid for child in self._stage.fleet.children.values()]

    async def batch(self, calls: int, runs: int) -> float:
        """Submit all, return when all have succeeded."""
        before = await self._succeeded()
        began = time.perf_counter()
        async with httpx.AsyncClient(
            base_url=self._stage.fleet.url, headers=dict(self._stage.client.headers), timeout=60
        ) as client:
            places = asyncio.Semaphore(8)

            async def submit() -> None:
                async with places:
                    answer = await client.post("/v1/runs", json={"agent": f"job-{calls}", "input": "do the job"})
                    assert answer.status_code == 202, answer.text

            await asyncio.gather(*(submit() for _ in range(runs)))
        while await self._succeeded() < before + runs:
            await asyncio.sleep(0.05)
        return time.perf_counter() - began

    async def _succeeded(self) -> int:
        return await self.owner.fetchval("SELECT count(*) FROM qd.runs WHERE status = 'succeeded'")


class Theirs:
    """Batches in the peer's process."""

    def __init__(self, url: str) -> None:
        python = _peer_python()
        server = json.dumps([sys.executable, str(HERE / "peers" / "tool_server.py")])
        self._process = subprocess.Popen(
            [str(python), str(HERE / "peers" / "langgraph_job.py"), url, server],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "ready"

    @property
    def pids(self) -> list[int]:
        """The processes that count, without the database."""
        return [self._process.pid]

    async def batch(self, calls: int, runs: int) -> float:
        """Tell it to run; return the seconds it took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{calls} {runs}\n")
        self._process.stdin.flush()
        answer = json.loads(await asyncio.to_thread(self._process.stdout.readline))
        return answer["seconds"]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


async def _measured(side: Ours | Theirs, calls: int, runs: int, owner: Connection, database: int) -> Cost:
    before = await owner.fetchrow(DONE)
    cpu, database_cpu = sum(map(cpu_seconds, side.pids)), cpu_seconds(database)
    seconds = await side.batch(calls, runs)
    cpu, database_cpu = sum(map(cpu_seconds, side.pids)) - cpu, cpu_seconds(database) - database_cpu
    after = await owner.fetchrow(DONE)
    assert before is not None
    assert after is not None
    wal, commits = float(after["wal"] - before["wal"]), float(after["commits"] - before["commits"])
    return Cost(runs, seconds, cpu, database_cpu, wal, commits)


def _peer_python() -> Path:
    python = PEER / "bin" / "python"
    if not python.exists():
        Console().print("installing the peer, once ...")
        venv.create(PEER, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "-r", HERE / "peers" / "langgraph.txt", "uvloop"], check=True
        )
    return python


def _median(costs: list[Cost]) -> dict[str, float]:
    figures = [cost.figures() for cost in costs]
    return {name: round(statistics.median(one[name] for one in figures), 2) for name in figures[0]}


async def _compare(stage: Stage, ours: Ours, rounds: int, sizes: dict[int, int]) -> dict[str, Any]:
    owner_url = stage.fleet.urls.owner
    ours.owner = owner = await driver.connect(owner_url)
    # Full-page images depend on when the last checkpoint was and not on who writes: none, for either side.
    await owner.execute("ALTER SYSTEM SET full_page_writes = off")
    await owner.execute("SELECT pg_reload_conf()")
    await owner.execute("CREATE DATABASE peer")
    theirs = Theirs(with_database(owner_url, "peer"))
    database, costs = stage.fleet.database_pid, {}
    try:
        with Progress() as progress:
            task = progress.add_task("batches", total=len(sizes) * (rounds + 1) * 2)
            for calls, runs in sizes.items():
                for side in (ours, theirs):  # one to warm up
                    await side.batch(calls, max(2, runs // 4))
                    progress.advance(task)
                costs[calls] = {"quarterdeck": [], "langgraph": []}
                for _ in range(rounds):
                    for name, side in (("quarterdeck", ours), ("langgraph", theirs)):
                        costs[calls][name].append(await _measured(side, calls, runs, owner, database))
                        progress.advance(task)
    finally:
        theirs.close()
        await owner.close()
    return {f"n_{calls}": {name: _median(one) for name, one in both.items()} for calls, both in costs.items()}


def first_event_ms(stage: Stage, samples: int) -> list[float]:
    """Milliseconds from the start of a submit to the first event on SSE that a worker wrote, one run after another."""
    found: list[float] = []
    for _ in range(samples):
        began = time.perf_counter()
        run = stage.client.post("/v1/runs", json={"agent": "job-4", "input": "do the job"}).json()["run_id"]
        headers = {"accept": "text/event-stream", "last-event-id": "1"}
        with stage.client.stream("GET", f"/v1/runs/{run}/events", headers=headers) as stream:
            for line in stream.iter_lines():
                if line.startswith("id:"):
                    found.append((time.perf_counter() - began) * 1000)
                    break
        stage.client.get(f"/v1/runs/{run}/wait?seconds=10")
        time.sleep(0.05)
    return found


def flush_ms() -> float:
    """Milliseconds that a flush of 8 KiB to this disk takes, median of 50: what every durable commit waits for."""
    with tempfile.TemporaryFile(dir=tempfile.gettempdir()) as file:
        times: list[float] = []
        for _ in range(50):
            file.write(b"x" * 8192)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(times), 2)


def main(arguments: list[str], *, quick: bool = False) -> bool:
    """`python -m bench engine [--rounds N]`."""
    parser = argparse.ArgumentParser(prog="python -m bench engine", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1 if quick else 3)
    parser.add_argument(
        "--latency", action="store_true", help="only from submit to first event; best on a quiet machine"
    )
    chosen = parser.parse_args(arguments)
    if chosen.latency:
        return _latency(20 if quick else 200)
    rounds = chosen.rounds
    sizes = {4: 40, 20: 20, 100: 4} if quick else {4: 300, 20: 100, 100: 20}
    with staged(1, worker_capacity=CONCURRENCY, log_level="error") as stage:
        figures = asyncio.run(_compare(stage, Ours(stage), rounds, sizes))
        latencies = first_event_ms(stage, 20 if quick else 200)
    with staged(0, log_level="error") as stage:
        engine = asyncio.run(share(stage, 160 if quick else 2000))
    shares = {str(share): round(percentile(latencies, share), 1) for share in (0.5, 0.95, 0.99)}
    growth = round(_wal_per_step(figures, 100) / _wal_per_step(figures, 4), 2)
    fine = _show(figures, shares, growth)
    through, straight = (sum(engine[way].values()) for way in ("through_the_engine", "straight_from_runs"))
    Console().print(f"delivery: {through:.2f} ms CPU a run through the engine, {straight:.2f} straight from `runs`")
    save(
        "engine",
        {
            "flush_ms": flush_ms(),
            **figures,
            "first_event_ms": shares,
            "wal_per_step_100_over_4": growth,
            "engine": engine,
        },
    )
    return fine


def _latency(samples: int) -> bool:
    with staged(1, worker_capacity=CONCURRENCY, log_level="error") as stage:
        Ours(stage)
        found = first_event_ms(stage, samples)
    shares = {str(share): round(percentile(found, share), 1) for share in (0.5, 0.95, 0.99)}
    load = round(os.getloadavg()[0], 1)
    Console().print(f"submit to first worker event, ms: {shares}, at a load average of {load}")
    save("first-event", {"samples": samples, "ms": shares, "load_average": load})
    return shares["0.5"] <= 15 and shares["0.99"] <= 100


def _wal_per_step(figures: dict[str, Any], calls: int) -> float:
    return figures[f"n_{calls}"]["quarterdeck"]["wal_kb"] / (calls + 1)


def _show(figures: dict[str, Any], shares: dict[str, float], growth: float) -> bool:
    table = Table(
        "N", "", "runs/s", "CPU ms a run", "of it database", "runs/CPU s", "WAL KB", "commits", "ratio", "goal"
    )
    fine = growth <= 1.2 and shares["0.5"] <= 15 and shares["0.99"] <= 100
    for calls, goal in GOALS.items():
        both = figures[f"n_{calls}"]
        ratio = both["quarterdeck"]["runs_per_cpu_s"] / both["langgraph"]["runs_per_cpu_s"]
        both["ratio"] = round(ratio, 2)
        fine &= ratio >= goal
        for name in ("quarterdeck", "langgraph"):
            one = both[name]
            told = (f"{ratio:.2f}", f"≥ {goal}") if name == "quarterdeck" else ("", "")
            columns = ("runs_per_s", "cpu_ms", "database_cpu_ms", "runs_per_cpu_s", "wal_kb", "commits")
            table.add_row(str(calls), name, *(str(one[column]) for column in columns), *told)
    console = Console(width=140)
    console.print(table)
    console.print(f"submit to first worker event, ms: p50 {shares['0.5']}, p95 {shares['0.95']}, p99 {shares['0.99']}")
    console.print(f"WAL a step, N = 100 over N = 4: {growth}")
    return fine
