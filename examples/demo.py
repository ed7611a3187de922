"""The demo: a whole deployment, agents of three kinds, runs of two tenants, and a worker killed in mid-run.

`make demo` runs it. Nothing here needs a key or the network: models answer from recorded conversations, unless
OPENAI_API_KEY or ANTHROPIC_API_KEY says otherwise. On a terminal it keeps serving afterwards; else it stops and exits
with 0 when every run is accounted for.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

import quarterdeck
from quarterdeck.cli.agent import build_draft, send
from quarterdeck.cli.fleet import Fleet
from quarterdeck.core import log
from quarterdeck.core.errors import Error
from quarterdeck.core.settings import Settings
from quarterdeck.providers.records import Kind
from quarterdeck.providers.service import wanted_from
from quarterdeck.sdk import Quarterdeck, Run

HERE = Path(__file__).parent
AGENTS = (HERE / "support-desk", HERE / "ops-helper", Path(quarterdeck.__file__).parent / "templates" / "assistant")
TENANTS = ("acme", "globex")
ENDED = {"succeeded", "failed", "stopped", "cancelled"}
STYLES = {"succeeded": "green", "failed": "red", "stopped": "yellow", "running": "blue", "cancelled": "yellow"}
PATIENCE = 180.0


@dataclass
class Scene:
    """What the demo has done so far."""

    fleet: Fleet
    console: Console
    clients: dict[str, Quarterdeck] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    runs: dict[str, tuple[str, Run]] = field(default_factory=dict)
    killed: str = ""
    held: set[str] = field(default_factory=set)

    def say(self, words: str) -> None:
        """A line of progress."""
        self.console.print(Text.assemble(("· ", "cyan"), words), soft_wrap=True)

    def refresh(self) -> None:
        """Ask for every run that has not ended yet."""
        for run_id, (tenant, run) in self.runs.items():
            if run.status not in ENDED:
                self.runs[run_id] = (tenant, self.clients[tenant].runs.get(run_id))

    @property
    def waiting(self) -> list[Run]:
        """Runs that have not ended."""
        return [run for _, run in self.runs.values() if run.status not in ENDED]


class Asked(msgspec.Struct):
    """What a recorded question adds to the conversation: only the user's words are of interest here."""

    user: str | None = None


class Exchange(msgspec.Struct):
    """One recorded question and answer."""

    asked: list[Asked] = []


class Conversation(msgspec.Struct):
    """One recorded conversation."""

    id: str
    calls: list[Exchange]


class Cassette(msgspec.Struct):
    """A file of recorded conversations."""

    conversations: list[Conversation]


def conversations(folder: Path) -> Iterator[tuple[str, str]]:
    """The recorded conversations of an agent: their ids and the user's first words in them."""
    for file in sorted((folder / "cassettes").glob("*.json")):
        for one in msgspec.json.decode(file.read_bytes(), type=Cassette).conversations:
            said = [part.user for call in one.calls for part in call.asked if part.user]
            if said:
                yield one.id, said[0]


def set_the_stage(scene: Scene) -> None:
    """Tenants with keys, provider connections, and the agents registered for each tenant."""
    fleet = scene.fleet
    access = fleet.open_doors(TENANTS[0])
    admin = Quarterdeck(fleet.url, access.admin_key)
    _connect_providers(admin)
    known = {tenant.slug for tenant in admin.tenants.list()}
    for slug in TENANTS:
        if slug not in known:
            admin.tenants.create(slug)
        acting = admin.acting(tenant=slug)
        key = acting.keys.create("demo", roles=["owner"], may_assert_user=True, expires_in_s=24 * 3600)
        assert key.secret is not None  # shown in this one answer
        scene.keys[slug] = key.secret
        scene.clients[slug] = Quarterdeck(fleet.url, key.secret)
    for folder in AGENTS:
        draft = build_draft(folder)
        for slug in TENANTS:
            send(admin.acting(tenant=slug), draft)
        scene.say(f"registered {draft.manifest['agent']}@{draft.id[:12]} for {' and '.join(TENANTS)}")


def _connect_providers(admin: Quarterdeck) -> None:
    """Real connections where the environment has keys, recorded conversations at their real pace where it has none."""
    present = {provider.name for provider in admin.providers.list()}
    for wanted in wanted_from(os.environ, recorded=("openai", "anthropic")):
        if wanted.name not in present:
            options = {"speed": 1.0} if wanted.kind is Kind.RECORDED else {}
            admin.providers.create(
                wanted.name, wanted.kind, base_url=wanted.base_url or None, key=wanted.key or None, options=options
            )


def submit_everything(scene: Scene) -> None:
    """Every recorded conversation once, for alternating tenants and users."""
    users = ("ann", "ben", "cleo")
    number = 0
    for folder in AGENTS:
        agent = folder.name
        for conversation, said in conversations(folder):
            tenant = TENANTS[number % len(TENANTS)]
            run = scene.clients[tenant].runs.submit(
                agent,
                said,
                user_id=f"{users[number % len(users)]}@{tenant}.example",
                tags={"quarterdeck.conversation": conversation},
            )
            scene.runs[run.run_id] = (tenant, run)
            number += 1
    scene.say(f"submitted {number} runs of {len(TENANTS)} tenants; each was durable before its answer was sent")


def kill_a_worker(scene: Scene) -> None:
    """Wait until a worker is in the middle of a run, then kill -9 it."""
    fleet = scene.fleet
    admin = Quarterdeck(fleet.url, fleet.access.admin_key)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        scene.refresh()
        busy = {run.worker_id: run for run in scene.waiting if run.worker_id and run.tool_calls}
        pids = {worker.id: worker.pid for worker in admin.workers.list()}
        for worker, run in busy.items():
            name = fleet.name_of(pids.get(worker, 0))
            if name:
                scene.held = {one.run_id for one in scene.waiting if one.worker_id == worker}
                fleet.kill(name, signal.SIGKILL)
                scene.killed = name
                scene.say(
                    f"killed {name} with -9 while it had {len(scene.held)} runs in hand, "
                    f"one of them in the middle of “{run.current_step}”"
                )
                return
        time.sleep(0.05)
    scene.say("no worker was caught in mid-run; nobody was killed")


def watch(scene: Scene) -> None:
    """Show the runs as they go until all have ended."""
    until = time.monotonic() + PATIENCE
    if not scene.console.is_terminal:
        while scene.waiting and time.monotonic() < until:
            time.sleep(1.0)
            scene.refresh()
            scene.say(f"{len(scene.runs) - len(scene.waiting)} of {len(scene.runs)} runs have ended")
        return
    with Live(table_of(scene), console=scene.console, refresh_per_second=5) as live:
        while scene.waiting and time.monotonic() < until:
            time.sleep(0.2)
            scene.refresh()
            live.update(table_of(scene))


def table_of(scene: Scene) -> Table:
    """Every run on a line."""
    table = Table("run", "tenant / user", "agent", "status", "steps", "tools", "cost", "what happened", box=None)
    for run_id, (tenant, run) in scene.runs.items():
        taken_over = f" (taken over, attempt {run.attempt})" if run_id in scene.held and run.attempt > 1 else ""
        table.add_row(
            run_id[-8:],
            f"{tenant} / {run.user_id.split('@')[0]}",
            run.agent,
            Text(run.status, style=STYLES.get(run.status, "magenta")),
            str(run.steps_used),
            str(run.tool_calls),
            f"${run.estimated_cost_usd:.4f}",
            Text((run.why or run.current_step or run.title) + taken_over, overflow="ellipsis", no_wrap=True),
        )
    return table


def conclude(scene: Scene) -> bool:
    """The summary: every run accounted for, and what became of those whose worker was killed."""
    if not scene.console.is_terminal:
        scene.console.print(table_of(scene))
    ended = [run for _, run in scene.runs.values() if run.status in ENDED]
    taken_over = [run for _, run in scene.runs.values() if run.run_id in scene.held and run.attempt > 1]
    counts = {status: sum(run.status == status for run in ended) for status in sorted({run.status for run in ended})}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    scene.say(f"{len(ended)} of {len(scene.runs)} runs have ended: {told}")
    if scene.killed:
        scene.say(
            f"{len(scene.held)} runs were in the hands of {scene.killed} when it was killed; "
            f"{len(taken_over)} were taken over by another attempt, none was lost"
        )
    return len(ended) == len(scene.runs) and counts.keys() <= {"succeeded", "stopped"}


def main() -> int:
    """Play it. 0 when every run is accounted for."""
    # Whatever ends a terminal session ends the demo in good order: its database is a process that would stay behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    log.configure("error", json=False)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    settings = Settings.model_validate({"data_dir": HERE.parent / ".quarterdeck" / "demo", "lease": 5.0, "port": 0})
    if sys.stdout.isatty():
        settings = settings.model_copy(update={"port": Settings().port})
    with Fleet(settings, workers=2) as fleet:
        scene = Scene(fleet, console)
        scene.say(f"running: embedded PostgreSQL, an api at {fleet.url}, two workers")
        fleet.await_workers(2)
        set_the_stage(scene)
        submit_everything(scene)
        kill_a_worker(scene)
        watch(scene)
        fine = conclude(scene)
        if sys.stdin.isatty() and sys.stdout.isatty():
            keep_serving(scene)
    return 0 if fine else 1


def keep_serving(scene: Scene) -> None:
    """Leave everything running for a look around, until Ctrl-C."""
    scene.console.print(
        f"\nStill running. Console: {scene.fleet.url}\n"
        f"Sign in with this key of tenant {TENANTS[0]}: {scene.keys[TENANTS[0]]}\nCtrl-C stops it."
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        scene.console.print("stopping")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Error as error:
        sys.exit(f"demo: {error.detail}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
