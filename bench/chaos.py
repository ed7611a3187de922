"""Chaos: hundreds of runs with real effects while workers, the api and the database are killed, frozen and drained.

A tool server outside the deployment counts every effect by the run and call that asked for it. At the end: no accepted
run is lost, no effect of a `repeat: never` tool took place twice, no log has a gap or a double.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.stage import Stage, free_port, save, staged

ENDED = {"succeeded", "failed", "stopped", "cancelled"}
SCRIPT = {
    "steps": [
        {"call": "echo", "arguments": {"text": "one"}, "latency_ms": 40},
        {"call": "record", "arguments": {"what": "never"}, "latency_ms": 60},
        {
            "calls": [
                {"call": "echo", "arguments": {"text": "two"}},
                {"call": "record_keyed", "arguments": {"what": "keyed"}},
            ],
            "latency_ms": 40,
        },
        {"call": "record", "arguments": {"what": "never again"}, "latency_ms": 60},
        {"text": "done", "latency_ms": 20},
    ]
}


@dataclass
class Chaos:
    """What was done and what was seen."""

    stage: Stage
    runs: int
    faults: int
    dice: random.Random
    accepted: dict[str, str] = field(default_factory=dict)
    done: collections.Counter[str] = field(default_factory=collections.Counter)
    resolved: int = 0
    refused: int = 0

    def submit_all(self, tick: Callable[[], None], pause: float) -> None:
        """Submit, each with a key of its own; an answer that was lost is asked for again with the same key."""
        for number in range(self.runs):
            key = f"chaos-{number}"
            while True:
                try:
                    answer = self.stage.client.post(
                        "/v1/runs", json={"agent": "chaos", "input": f"run {number}"}, headers={"idempotency-key": key}
                    )
                except httpx.HTTPError:
                    answer = None
                if answer is not None and answer.status_code in {200, 202}:
                    self.accepted[key] = answer.json()["run_id"]
                    break
                self.refused += 1
                time.sleep(0.2)
            tick()
            time.sleep(self.dice.uniform(0, 2 * pause))

    def strike(self) -> None:
        """One fault. One that finds its victim down already is drawn again."""
        while True:
            try:
                self._strike()
            except ProcessLookupError:
                time.sleep(0.2)
            else:
                return

    def _strike(self) -> None:
        workers = [name for name in self.stage.fleet.children if name.startswith("worker")]
        worker = self.dice.choice(workers)
        kind = self.dice.choices(
            ["worker killed", "worker frozen", "worker drained", "api killed", "database killed", "worker hiccup"],
            [34, 14, 18, 14, 8, 12],
        )[0]
        match kind:
            case "worker killed":
                self.stage.fleet.kill(worker, signal.SIGKILL)
            case "worker frozen":  # longer than its lease: it wakes up when others own its runs
                self._freeze(worker, self.stage.fleet.settings.lease + self.dice.uniform(0.5, 2.0))
            case "worker hiccup":  # shorter than its lease: nothing may change hands
                self._freeze(worker, self.stage.fleet.settings.lease * 0.4)
            case "worker drained":
                self.stage.fleet.kill(worker, signal.SIGTERM)
            case "api killed":
                self.stage.fleet.kill("serve", signal.SIGKILL)
            case _:
                os.kill(self.stage.fleet.database_pid, signal.SIGKILL)
        self.done[kind] += 1

    def _freeze(self, worker: str, seconds: float) -> None:
        pid = self.stage.fleet.kill(worker, signal.SIGSTOP)

        def wake() -> None:
            time.sleep(seconds)
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                return

        threading.Thread(target=wake, daemon=True).start()

    def settle(self, effects: Path, tick: Callable[[], None], patience: float) -> list[dict[str, Any]]:
        """Answer for unknown outcomes as a person with access to the tool's books would; wait for every run to end."""
        until = time.monotonic() + patience
        records: dict[str, dict[str, Any]] = {}
        while time.monotonic() < until and len(records) < len(self.accepted):
            for run in set(self.accepted.values()) - records.keys():
                try:
                    record = self.stage.client.get(f"/v1/runs/{run}").json()
                except (httpx.HTTPError, ValueError):
                    break
                if record.get("status") in ENDED:
                    records[run] = record
                    tick()
                elif record.get("status") == "waiting_for_outcome":
                    self._answer(run, record, effects)
            time.sleep(0.3)
        return list(records.values())

    def _answer(self, run: str, record: dict[str, Any], effects: Path) -> None:
        books = effects.read_text()
        for doubt in record["unknown_outcomes"]:
            if time.time() * 1000 < doubt["ask_after"]:
                continue
            key = self._key_of(run, doubt["call"])
            happened = key is not None and key in books
            answer = self.stage.client.post(
                f"/v1/runs/{run}/outcome",
                json={"call": doubt["call"], "outcome": "happened" if happened else "did_not_happen"},
            )
            self.resolved += answer.status_code == 200

    def _key_of(self, run: str, call: str) -> str | None:
        events = self.stage.client.get(f"/v1/runs/{run}/events?limit=500").json()["items"]
        keys = [e["data"]["key"] for e in events if e["kind"] == "tool.called" and e["data"]["call"] == call]
        return keys[-1] if keys else None


def run(runs: int = 500, faults: int = 100, workers: int = 3, lease: float = 3.0, seed: int = 1) -> bool:
    """The whole bench. True when every promise held."""
    console, dice = Console(), random.Random(seed)
    port = free_port()
    with staged(
        workers, lease=lease, drain_grace=2.0, allowed_targets=f"127.0.0.1:{port}", log_level="warning"
    ) as stage:
        effects = stage.folder / "effects.tsv"
        effects.touch()
        server = _effects_server(port, effects)
        try:
            stage.provider("script", "scripted", script=SCRIPT)
            declared = {
                "echo": {"effect": "read", "repeat": "safe", "trust": "trusted"},
                "record": {"effect": "payment", "repeat": "never", "autonomy": "free"},
                "record_keyed": {"effect": "payment", "repeat": "keyed", "autonomy": "free"},
            }
            stage.register(
                "chaos", [{"name": "books", "mcp": {"url": f"http://127.0.0.1:{port}/mcp"}, "tools": declared}]
            )
            chaos = Chaos(stage, runs, faults, dice)
            with Progress(console=console) as progress:
                submitting = progress.add_task("runs submitted", total=runs)
                striking = progress.add_task("faults", total=faults)
                ending = progress.add_task("runs ended", total=runs)
                submitter = threading.Thread(
                    target=chaos.submit_all, args=(lambda: progress.advance(submitting), 0.8 * faults / runs)
                )
                submitter.start()
                for _ in range(faults):
                    chaos.strike()
                    progress.advance(striking)
                    time.sleep(dice.uniform(0.2, 1.4))
                submitter.join()
                records = chaos.settle(effects, lambda: progress.advance(ending), patience=300)
            return _judge(console, chaos, records, effects, lease)
        finally:
            server.terminate()
            server.wait()


def _judge(console: Console, chaos: Chaos, records: list[dict[str, Any]], effects: Path, lease: float) -> bool:
    by_key = collections.Counter(line.split("\t")[0] for line in effects.read_text().splitlines())
    never, keyed = collections.Counter[str](), collections.Counter[str]()
    gaps = doubles = calls = 0
    for record in records:
        events = events_of(chaos.stage, record["run_id"])
        seqs = [event["seq"] for event in events]
        gaps += seqs != list(range(1, len(seqs) + 1))
        doubles += len(seqs) != len(set(seqs))
        for event in events:
            if event["kind"] == "tool.called" and event["data"]["effect"] == "payment":
                calls += 1
                (never if event["data"]["repeat"] == "never" else keyed)[event["data"]["key"]] += 1
    repeated = sum(by_key[key] > 1 for key in never)
    repeats_by_key = sum(by_key[key] - 1 for key in keyed if by_key[key] > 1)
    statuses = collections.Counter(record["status"] for record in records)
    lost = len(chaos.accepted) - len(records)
    figures = {
        "runs_accepted": len(chaos.accepted),
        "faults": dict(chaos.done),
        "faults_total": sum(chaos.done.values()),
        "lease_s": lease,
        "statuses": dict(statuses),
        "lost_runs": lost,
        "effects_of_never_tools_repeated": repeated,
        "never_calls": len(never),
        "keyed_calls_repeated_by_key": repeats_by_key,
        "logs_with_gaps": gaps,
        "logs_with_doubles": doubles,
        "unknown_outcomes_answered": chaos.resolved,
        "submits_asked_again": chaos.refused,
    }
    table = Table("figure", "value", title="chaos")
    for name, value in figures.items():
        table.add_row(name, str(value))
    console.print(table)
    save(f"chaos-lease-{lease:g}", figures)
    return lost == repeated == gaps == doubles == 0 and statuses.keys() <= {"succeeded"}


def events_of(stage: Stage, run: str) -> list[dict[str, Any]]:
    """A run's whole log, page by page."""
    events: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = stage.client.get(f"/v1/runs/{run}/events?limit=500{cursor}").json()
        events += page["items"]
        if not page["next_cursor"]:
            return events
        cursor = f"&cursor={page['next_cursor']}"


def _effects_server(port: int, effects: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "tests.fakes.mcp_server",
        "--http",
        str(port),
        "--effects",
        str(effects),
        "--delay",
        "0.4",
    ]
    server = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/mcp", timeout=1)
        except httpx.ConnectError:
            time.sleep(0.1)
        else:
            return server
    raise TimeoutError("the effects server did not start")


def main(arguments: list[str], *, quick: bool = False) -> bool:
    """`python -m bench chaos [--runs N] [--faults N] [--lease SECONDS] [--workers N] [--seed N]`."""
    parser = argparse.ArgumentParser(prog="python -m bench chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=60 if quick else 600)
    parser.add_argument("--faults", type=int, default=12 if quick else 120)
    parser.add_argument("--lease", type=float, default=3.0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    return run(**vars(parser.parse_args(arguments)))
