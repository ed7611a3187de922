"""A whole deployment of real processes for flow tests, and quick ways to put tenants, agents and runs on it."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

import httpx
import psutil

from quarterdeck.cli.child import Event
from quarterdeck.cli.fleet import Fleet
from quarterdeck.core.settings import Settings
from quarterdeck.db.embedded import EmbeddedPostgres
from quarterdeck.db.embedded_faults import AlreadyRunning
from quarterdeck.releases.build import build
from quarterdeck.spec.reading import read_agent
from quarterdeck.tools.extract import extractor
from tests.flow.outside import DECLARED, Outside
from tests.servers import quick_folder

T = TypeVar("T")

PIN = "gpt-4.1-mini-2025-04-14"
LEASE = 3.0
ENDED = frozenset({"succeeded", "failed", "stopped", "cancelled"})
Json = Any
"""What came over HTTP: tests look into it and fail where it is not as they say."""

_slugs = count(1)


def until(look: Callable[[], T | None], what: str, within: float = 30.0, every: float = 0.03) -> T:
    """The first true answer of `look`. Fails, naming `what`, when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within:g} s")
        time.sleep(every)


@dataclass
class Tenant:
    """One tenant with its first owner's key, and what tests do in it."""

    stage: "Stage"
    slug: str
    key: str
    client: httpx.Client
    admin: httpx.Client
    """A deployment admin's, acting in this tenant."""

    def script(self, *steps: Mapping[str, Json], name: str = "script", **options: Json) -> str:
        """A provider connection of this tenant alone that answers by a script; its name."""
        name = f"{name}-{self.slug}"
        body = {"name": name, "kind": "scripted", "options": {"script": {"steps": steps}, **options}}
        self.must(self.admin.post("/v1/providers", json=body))
        return name

    def books(self, *tools: str) -> dict[str, Json]:
        """The books outside as a tool server of an agent; all their tools, or some."""
        return {"name": "books", "mcp": {"url": self.stage.outside.books.url}, "tools": _declared(tools)}

    def agent(self, *steps: Mapping[str, Json], name: str = "clerk", **agent: Json) -> str:
        """An agent that follows a script and may use the books; its name. `agent` is what its agent.yaml says else."""
        if "model" not in agent:
            agent["model"] = {"provider": self.script(*steps, name=name), "id": PIN}
        agent.setdefault("tools", [self.books()])
        self.register(name, **agent)
        return name

    def register(self, name: str, files: Mapping[str, str] | None = None, **agent: Json) -> str:
        """Build an agent from parts, as its author's command line does, and register it; the release's id."""
        folder = self.stage.folder / f"{self.slug}-{name}"
        written = {"prompt.md": "You do what you are told.", **(files or {})}
        for path, text in written.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(dedent(text))
        plain = {"name": name, "owner": "tests", "description": "Made by a test.", "prompt": "prompt.md"}
        (folder / "agent.yaml").write_text(json.dumps({**plain, **agent}))
        draft = asyncio.run(build(read_agent(folder), extractor(self.stage.fleet.settings)))
        encoded = {path: base64.b64encode(content).decode() for path, content in draft.files.items()}
        sent = self.admin.post("/v1/agents", json={"manifest": draft.manifest, "files": encoded}, timeout=60)
        return self.must(sent)["release"]

    def submit(self, agent: str = "clerk", words: Json = "go", **body: Json) -> str:
        """Submit a run; its id."""
        return self.must(self.client.post("/v1/runs", json={"agent": agent, "input": words, **body}))["run_id"]

    def run(self, run: str) -> Json:
        """A run's record."""
        return self.must(self.client.get(f"/v1/runs/{run}"))

    def until(self, run: str, *statuses: str, within: float = 30.0) -> Json:
        """A run's record once it has one of these statuses, or has ended; asked again while the API is away."""
        seen: Json = {}

        def look() -> Json:
            nonlocal seen
            with contextlib.suppress(httpx.HTTPError):
                answer = self.client.get(f"/v1/runs/{run}")
                if answer.status_code == 200:
                    seen = answer.json()
                    return seen if seen["status"] in (statuses or ENDED) else None
                assert answer.status_code == 503, answer.text
            return None

        try:
            return until(look, f"run {run} {' or '.join(statuses or ('ended',))}", within)
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {seen.get('status')}: {seen.get('why') or seen.get('step')}") from None

    def events(self, run: str) -> list[Json]:
        """A run's whole log, which has neither gaps nor doubles."""
        events = self.must(self.client.get(f"/v1/runs/{run}/events?limit=1000"))["items"]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), "a gap or a double in the log"
        return events

    def kinds(self, run: str) -> list[str]:
        """What happened in a run, in order."""
        return [event["kind"] for event in self.events(run)]

    def of_kind(self, run: str, kind: str) -> list[Json]:
        """The facts of a run's events of one kind."""
        return [event["data"] for event in self.events(run) if event["kind"] == kind]

    def issue(self, **wanted: Json) -> Json:
        """A key of this tenant, with its secret."""
        return self.must(self.client.post("/v1/keys", json={"name": "a key", **wanted}))

    def client_of(self, secret: str, **headers: str) -> httpx.Client:
        """Somebody with another key."""
        return self.stage.client(secret, **headers)

    def worker_of(self, run: str) -> str:
        """The name of the worker process that has a run in its hands."""

        def look() -> str | None:
            holder = self.run(run)["worker_id"]
            workers = self.must(self.admin.get("/v1/workers"))["items"]
            pid = next((one["pid"] for one in workers if one["id"] == holder), 0)
            return self.stage.fleet.name_of(pid) or None

        return until(look, f"a worker has run {run}")

    @staticmethod
    def must(answer: httpx.Response) -> Json:
        """What a request that has to succeed was answered."""
        assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        return answer.json()


@dataclass
class Stage:
    """A running deployment and what stands outside it."""

    fleet: Fleet
    outside: Outside
    folder: Path
    admin: httpx.Client
    admin_key: str
    happened: list[Event]
    _open: ExitStack = field(default_factory=ExitStack)

    def client(self, key: str = "", **headers: str) -> httpx.Client:
        """A client with this key, or with none."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            named["authorization"] = f"Bearer {key}"
        return self._open.enter_context(httpx.Client(base_url=self.fleet.url, headers=named, timeout=30))

    def tenant(self, **limits: Json) -> Tenant:
        """A fresh tenant."""
        slug = f"tenant-{next(_slugs)}"
        Tenant.must(self.admin.post("/v1/tenants", json={"slug": slug, **limits}))
        admin = self.client(self.admin_key, quarterdeck_tenant=slug)
        key = Tenant.must(admin.post("/v1/keys", json={"name": "owner", "roles": ["owner"], "may_assert_user": True}))
        return Tenant(self, slug, key["secret"], self.client(key["secret"]), admin)

    def kill(self, name: str, sign: signal.Signals = signal.SIGKILL) -> int:
        """Send a process of the fleet a signal; its process id. It is started again."""
        pid = self.fleet.kill(name, sign)
        assert pid, f"{name} is not running"
        return pid

    def kill_database(self) -> None:
        """kill -9 for PostgreSQL's first process, which takes the others along."""
        os.kill(self.fleet.database_pid, signal.SIGKILL)

    def await_api(self, within: float = 30.0) -> None:
        """Wait until the API says that it can serve."""

        def ready() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return self.admin.get("/readyz").status_code == 200
            return False

        until(ready, "the API is ready", within)

    def recover(self) -> None:
        """Wait until everything that a test has killed is there again."""
        self.await_api()
        assert self.fleet.await_workers(timeout=30) >= 1, "no worker is alive"

    def close(self) -> None:
        self._open.close()


@contextmanager
def staged(outside: Outside, folder: Path, workers: int = 2, **settings: Json) -> Iterator[Stage]:
    """A deployment in a folder, with the embedded database; ended with the block."""
    chosen = {"port": 0, "lease": LEASE, "drain_grace": 2.0, "allowed_targets": outside.targets, **settings}
    happened: list[Event] = []
    made = Settings.model_validate({"data_dir": folder / "data", **chosen})
    fleet = Fleet(made, workers=workers, on_event=happened.append)
    with ExitStack() as stack:
        stack.callback(lambda: fleet.stop(grace=3))
        fleet.start()
        fleet.await_workers()
        access = fleet.open_doors()
        headers = {"authorization": f"Bearer {access.admin_key}"}
        admin = stack.enter_context(httpx.Client(base_url=fleet.url, headers=headers, timeout=30))
        stage = Stage(fleet, outside, folder, admin, access.admin_key, happened)
        stack.callback(stage.close)
        yield stage


@contextmanager
def a_folder() -> Iterator[Path]:
    """A folder on the quickest disk there is, which others may enter: tool hosts run as users of their own."""
    for left in quick_folder().glob("quarterdeck-flow-*"):
        _sweep(left)
    folder = Path(tempfile.mkdtemp(prefix=f"quarterdeck-flow-{os.getpid()}-", dir=quick_folder()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what a test process has left that was killed: its database goes on, and nobody else would ever stop it."""
    if psutil.pid_exists(int(folder.name.split("-")[2])):
        return
    if (folder / "data" / "postgres").is_dir():
        with contextlib.suppress(AlreadyRunning, OSError):
            server = EmbeddedPostgres(folder / "data")
            server.start()
            server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _declared(names: Sequence[str]) -> dict[str, Json]:
    return {name: DECLARED[name] for name in names or DECLARED}
