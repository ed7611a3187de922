"""Takeover: how long after a worker's `kill -9` another one goes on with its runs, run by run."""

import signal
import time
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.chaos import events_of
from bench.stage import Stage, percentile, save, staged

GOALS = {10.0: 13.0, 3.0: 5.0}
"""Seconds within which 95 of 100 runs must have been taken over, by lease."""
SCRIPT = {"steps": [{"call": "look", "arguments": {"n": "{n}"}, "latency_ms": 400, "times": 400}, {"text": "done"}]}
CODE = '''
from quarterdeck.tools.author import tool

@tool(effect="read", repeat="safe")
def look(n: int) -> str:
    """Look."""
    return "nothing new"
'''


def measure(lease: float, kills: int, runs: int) -> list[float]:
    """Seconds from each kill to the next claim of each run that the victim held, by the claims' own time stamps."""
    seconds: list[float] = []
    with staged(2, lease=lease, log_level="error") as stage:
        stage.provider("script", "scripted", script=SCRIPT)
        limits = {"max_steps": 500, "max_tool_calls": 500, "max_seconds": 3600}
        stage.register("busy", [{"name": "own", "python": "tools.py"}], {"tools.py": CODE}, limits=limits)
        ids = [
            stage.client.post("/v1/runs", json={"agent": "busy", "input": f"run {n}"}).json()["run_id"]
            for n in range(runs)
        ]
        _until_all_run(stage, ids)
        for number in track(range(kills), description=f"kills at a lease of {lease:g} s"):
            held = _kill_one(stage, f"worker-{1 + number % 2}", ids)
            seconds += _await_takeover(stage, held)
            _until_all_run(stage, ids)
            stage.fleet.await_workers(2)
            time.sleep(lease / 2)
        for run in ids:
            stage.client.post(f"/v1/runs/{run}/cancel", json={})
    return seconds


def _kill_one(stage: Stage, name: str, ids: list[str]) -> dict[str, float]:
    """Kill a worker; the runs it held, each with the moment of the kill."""
    pid = stage.fleet.children[name].pid
    workers = {one["id"] for one in stage.admin.get("/v1/workers").json()["items"] if one["pid"] == pid}
    held = {run: record for run in ids if (record := _record(stage, run))["worker_id"] in workers}
    stage.fleet.kill(name, signal.SIGKILL)
    now = datetime.now(UTC).timestamp()
    return dict.fromkeys(held, now)


def _await_takeover(stage: Stage, held: dict[str, float]) -> list[float]:
    seconds: list[float] = []
    waiting, until = dict(held), time.monotonic() + 60
    while waiting and time.monotonic() < until:
        time.sleep(0.3)
        for run, killed in list(waiting.items()):
            claims = [e for e in events_of(stage, run) if e["kind"] == "run.claimed"]
            claimed = datetime.fromisoformat(claims[-1]["at"]).timestamp()
            if claimed > killed:
                seconds.append(claimed - killed)
                del waiting[run]
    return seconds + [60.0] * len(waiting)


def _until_all_run(stage: Stage, ids: list[str]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and any(_record(stage, run)["status"] != "running" for run in ids):
        time.sleep(0.2)


def _record(stage: Stage, run: str) -> dict[str, Any]:
    return stage.client.get(f"/v1/runs/{run}").json()


def main(arguments: list[str], *, quick: bool = False) -> bool:
    """`python -m bench takeover`: both leases, one after the other."""
    del arguments
    table, figures, fine = Table("lease", "takeovers", "p50", "p95", "most", "goal p95", title="takeover"), {}, True
    for lease, goal in GOALS.items():
        seconds = measure(lease, kills=2 if quick else 10, runs=10)
        row = [round(percentile(seconds, share), 2) for share in (0.5, 0.95, 1.0)]
        figures[f"lease_{lease:g}_s"] = {"takeovers": len(seconds), "p50": row[0], "p95": row[1], "max": row[2]}
        table.add_row(f"{lease:g} s", str(len(seconds)), *(f"{value:.2f} s" for value in row), f"≤ {goal:g} s")
        fine &= bool(seconds) and row[1] <= goal
    Console().print(table)
    save("takeover", figures)
    return fine
