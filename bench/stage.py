"""What benches share: a deployment of real processes, agents made on the spot, and honest accounts of CPU time."""

import asyncio
import base64
import json
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from quarterdeck.cli.fleet import Fleet
from quarterdeck.core.settings import Settings
from quarterdeck.releases.build import build
from quarterdeck.spec.reading import read_agent
from quarterdeck.tools.extract import extractor

RESULTS = Path(__file__).parent / "results"
SHARED = Path(__file__).parents[2] / "shared" / "data"
PIN = "gpt-4.1-mini-2025-04-14"
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Stage:
    """A running deployment with one tenant, and clients for its admin and for the tenant."""

    fleet: Fleet
    admin: httpx.Client
    client: httpx.Client
    folder: Path

    def provider(self, name: str, kind: str, **options: object) -> None:
        """A provider connection that needs no network."""
        answer = self.admin.post("/v1/providers", json={"name": name, "kind": kind, "options": options})
        assert answer.status_code in {201, 409}, answer.text

    def register(
        self, name: str, tools: Sequence[Mapping[str, Any]] = (), files: Mapping[str, str] = {}, **more: Any
    ) -> str:
        """An agent from parts, built as its author's command line builds it. Returns the release's id."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prompt.md").write_text(more.pop("prompt", "You do what you are told."))
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        agent = {
            "name": name,
            "owner": "bench",
            "description": "Made by a bench.",
            "prompt": "prompt.md",
            "model": more.pop("model", {"provider": "script", "id": PIN}),
            "tools": list(tools),
            **more,
        }
        (folder / "agent.yaml").write_text(json.dumps(agent))  # JSON is YAML
        draft = asyncio.run(build(read_agent(folder), extractor(self.fleet.settings)))
        body = {
            "manifest": draft.manifest,
            "files": {path: base64.b64encode(data).decode() for path, data in draft.files.items()},
        }
        answer = self.admin.post("/v1/agents", json=body, timeout=60)
        assert answer.status_code == 201, answer.text
        return answer.json()["release"]


@contextmanager
def staged(workers: int = 1, **settings: Any) -> Iterator[Stage]:
    """A deployment on a fresh embedded database in a folder of its own, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="qd-bench-"))
    folder.chmod(0o755)
    made = Settings.model_validate({"data_dir": folder / "data", "port": 0, "log_level": "warning", **settings})
    fleet = Fleet(made, workers=workers)
    try:
        fleet.start()
        if workers:
            fleet.await_workers(workers)
        access = fleet.open_doors("bench")
        admin = {"authorization": f"Bearer {access.admin_key}", "quarterdeck-tenant": "bench"}
        with (
            httpx.Client(base_url=fleet.url, headers=admin, timeout=30) as by_admin,
            httpx.Client(
                base_url=fleet.url, headers={"authorization": f"Bearer {access.key}"}, timeout=30
            ) as by_tenant,
        ):
            yield Stage(fleet, by_admin, by_tenant, folder)
    finally:
        fleet.stop()
        shutil.rmtree(folder, ignore_errors=True)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its descendants, those that have ended and been waited for included."""
    total = 0.0
    for one in _family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(value) for value in fields[11:15]) / _TICK
    return total


def resident(pid: int) -> int:
    """Bytes of memory that a process itself holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _family(pid: int) -> list[int]:
    family, new = [pid], [pid]
    while new:
        children: list[int] = []
        for one in new:
            try:
                for task in Path(f"/proc/{one}/task").iterdir():
                    children += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue
        family += children
        new = children
    return family


def free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))] if ordered else float("nan")


def save(name: str, figures: Mapping[str, Any]) -> Path:
    """Write figures with the day and the machine they were taken on."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    machine = f"{os.cpu_count()} cores, {_memory()} GiB, {platform.system()} {platform.machine()}"
    about = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine,
        "python": platform.python_version(),
        "command": "python -m bench " + " ".join(sys.argv[1:]),
    }
    path.write_text(json.dumps({**about, **figures}, indent=2, sort_keys=False) + "\n")
    return path


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
