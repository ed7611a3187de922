"""The demo: a whole deployment, agents of three kinds, runs of two tenants, a reviewer who is asked before money goes
out, switches that are thrown and lifted, a worker killed in mid-run, a budget that is used up, and guardrails.

`make demo` runs it. Nothing here needs a key or the network: models answer from recorded conversations, unless
OPENAI_API_KEY or ANTHROPIC_API_KEY says otherwise. On a terminal it keeps serving afterwards; else it stops and exits
with 0 when every run is accounted for.
"""

import os
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

import quarterdeck
from examples import money
from examples.reviewer import Answered, answer_all
from examples.script import conversations
from quarterdeck.cli.agent import build_draft, send
from quarterdeck.cli.fleet import Fleet
from quarterdeck.core import log
from quarterdeck.core.errors import Error
from quarterdeck.core.settings import Settings
from quarterdeck.providers.records import Kind
from quarterdeck.providers.service import wanted_from
from quarterdeck.sdk import Quarterdeck, Run
from quarterdeck.sdk.switches import Switch

HERE = Path(__file__).parent
AGENTS = (HERE / "support-desk", HERE / "ops-helper", Path(quarterdeck.__file__).parent / "templates" / "assistant")
TENANTS = ("acme", "globex")
USERS = ("ann", "ben", "cleo")
WITHOUT_REFUNDS = "refund-while-refunds-are-off"
"""The conversation that plays while a switch stands."""
REFUNDS = (
    "refund-for-a-dented-kettle",
    "refund-that-a-person-approves",
    "refund-that-a-person-denies",
    "the-seller-gives-orders",
)
"""Those that want refunds to work: they play when it is lifted."""
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
    reviewers: dict[str, Quarterdeck] = field(default_factory=dict)
    runs: dict[str, tuple[str, Run]] = field(default_factory=dict)
    answered: list[Answered] = field(default_factory=list)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    errands: str = ""
    refused: str = ""
    carrier: str = ""
    killed: str = ""
    held: set[str] = field(default_factory=set)

    def say(self, words: str) -> None:
        """A line of progress."""
        self.console.print(Text.assemble(("· ", "cyan"), words), soft_wrap=True)

    def refresh(self) -> None:
        """Ask for every run that has not ended yet, once the reviewer has answered what waits."""
        self.review()
        for run_id, (tenant, run) in self.runs.items():
            if run.status not in ENDED:
                self.runs[run_id] = (tenant, self.clients[tenant].runs.get(run_id))

    def review(self) -> None:
        """Let the reviewer answer, and say what was asked, why, where its values came from, and what was said to it."""
        for tenant, deck in self.reviewers.items():
            for one in answer_all(deck, self.runs):
                asked = one.asked
                origins = ", ".join(f"{path} from {origin}" for path, origin in asked.origins.items())
                self.say(f"asked in {tenant}: {asked.summary}")
                self.console.print(f"    why    {asked.reason} ({', '.join(asked.policies) or asked.rule})")
                self.console.print(f"    where  {origins}")
                self.console.print(f"    answer {'yes' if one.answer.approved else 'no'}: {one.answer.why}")
                self.answered.append(one)

    @property
    def waiting(self) -> list[Run]:
        """Runs that have not ended."""
        return [run for _, run in self.runs.values() if run.status not in ENDED]


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
        reviewer = acting.keys.create("reviewer", roles=["reviewer"], expires_in_s=24 * 3600)
        assert key.secret is not None  # shown in this one answer
        assert reviewer.secret is not None
        scene.keys[slug] = key.secret
        scene.clients[slug] = Quarterdeck(fleet.url, key.secret)
        scene.reviewers[slug] = Quarterdeck(fleet.url, reviewer.secret)
        for switch in scene.clients[slug].switches.standing():  # of a demo that was interrupted
            scene.clients[slug].switches.lift(switch.switch_id, "the demo begins anew")
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


def submit(scene: Scene, agent: str, conversation: str, said: str, tenant: str = "", user: str = "") -> Run:
    """Submit what opens a conversation, for the next tenant and user in turn."""
    number = len(scene.runs)
    tenant = tenant or TENANTS[number % len(TENANTS)]
    run = scene.clients[tenant].runs.submit(
        agent,
        said,
        user_id=user or f"{USERS[number % len(USERS)]}@{tenant}.example",
        tags={"quarterdeck.conversation": conversation},
    )
    scene.runs[run.run_id] = (tenant, run)
    return run


def submit_everything(scene: Scene) -> None:
    """Every recorded conversation once, but for those about refunds."""
    for folder in AGENTS:
        for conversation, said in conversations(folder):
            if conversation not in {*REFUNDS, WITHOUT_REFUNDS, *money.PLAYED_HERE}:
                submit(scene, folder.name, conversation, said)
    scene.say(
        f"submitted {len(scene.runs)} runs of {len(TENANTS)} tenants; each was durable before its answer was sent"
    )


def submit_refunds(scene: Scene) -> None:
    """The conversations about refunds."""
    for conversation, said in conversations(HERE / "support-desk"):
        if conversation in REFUNDS:
            submit(scene, "support-desk", conversation, said)
    scene.say(f"submitted {len(REFUNDS)} conversations about refunds; a reviewer is at hand")


def submit_what_has_limits(scene: Scene) -> None:
    """Somebody whose budget will not do, somebody who pastes too much, and somebody who asks for an address."""
    tenant = TENANTS[0]
    customer = money.new_customer(tenant)
    scene.say(f"set a budget in {tenant}: {money.limit(scene.clients[tenant], customer)}")
    time.sleep(1.0)  # within which every worker knows
    said = dict(conversations(HERE / "support-desk"))
    scene.errands = submit(scene, "support-desk", money.ERRANDS, said[money.ERRANDS], tenant, customer).run_id
    scene.carrier = submit(scene, "support-desk", money.CARRIER, said[money.CARRIER], tenant).run_id
    scene.refused = submit(scene, "support-desk", money.CARRIER, money.pasted(), tenant).run_id
    scene.say("submitted its run, one that asks who delivers a parcel, and one whose message is far too long")


def throw_switches(scene: Scene) -> list[Switch]:
    """Stop a tool and an agent of one tenant; what each hits is shown before."""
    switches = scene.clients[TENANTS[0]].switches
    thrown: list[Switch] = []
    for scope, target, why in (
        ("agent", "ops-helper", "its metrics are being moved"),
        ("tool", "refund_order", "a customer got the same refund twice"),
    ):
        hits = switches.preview(scope, target, action="disable")
        switch = switches.throw(scope, target, action="disable", why=why, for_s=PATIENCE)
        thrown.append(switch)
        scene.say(
            f"threw a switch in {TENANTS[0]}: {switch.words}, because {why}; it hits {', '.join(hits.agents)} with "
            f"{hits.running_runs} running, {hits.queued_runs} queued, {hits.waiting_runs} waiting runs"
        )
    return thrown


def watch_the_switches(scene: Scene, thrown: list[Switch]) -> None:
    """A refund that finds its tool switched off, and runs that wait; then lift the switches."""
    time.sleep(1.0)  # within which every worker knows
    [said] = [said for name, said in conversations(HERE / "support-desk") if name == WITHOUT_REFUNDS]
    told = submit(scene, "support-desk", WITHOUT_REFUNDS, said, TENANTS[0])
    kill_a_worker(scene)
    until = time.monotonic() + PATIENCE / 2
    while scene.runs[told.run_id][1].status not in ENDED and time.monotonic() < until:
        time.sleep(0.2)
        scene.refresh()
    deck = scene.clients[TENANTS[0]]
    for event in deck.runs.events(told.run_id).items:
        decision = event.data.get("decision")
        if event.kind == "tool.denied" and isinstance(decision, dict):
            scene.say(f"a refund of {TENANTS[0]} was refused meanwhile ({decision['rule']}): {decision['reason']}")
    scene.say(f"its customer was told: {scene.runs[told.run_id][1].text or deck.runs.get(told.run_id).text}")
    held = [run for tenant, run in scene.runs.values() if (tenant, run.agent) == (TENANTS[0], "ops-helper")]
    scene.say(
        f"{sum(run.status not in ENDED for run in held)} runs of ops-helper in {TENANTS[0]} waited: {why_of(held)}"
    )
    for switch in thrown:
        deck.switches.lift(switch.switch_id, "looked into and mended")
    scene.say("lifted both switches; what waited goes on")


def why_of(held: list[Run]) -> str:
    """What the first of these runs that has not ended waits for."""
    return next((run.why or run.current_step or run.status for run in held if run.status not in ENDED), "nothing")


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
    """The summary: every run and every question accounted for, and the audit's word that nothing was altered."""
    if not scene.console.is_terminal:
        scene.console.print(table_of(scene))
    ended = [run for _, run in scene.runs.values() if run.status in ENDED]
    taken_over = [run for _, run in scene.runs.values() if run.run_id in scene.held and run.attempt > 1]
    counts = {status: sum(run.status == status for run in ended) for status in sorted({run.status for run in ended})}
    why = Counter(run.reason for run in ended if run.status == "stopped")
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    stopped = f" ({', '.join(f'{reason} {count}' for reason, count in sorted(why.items()))})" if why else ""
    scene.say(f"{len(ended)} of {len(scene.runs)} runs have ended: {told}{stopped}")
    if scene.killed:
        scene.say(
            f"{len(scene.held)} runs were in the hands of {scene.killed} when it was killed; "
            f"{len(taken_over)} were taken over by another attempt, none was lost"
        )
    approved = sum(one.answer.approved for one in scene.answered)
    escalated = sum(run.reason == "escalated" for run in ended)
    scene.say(
        f"a person was asked {len(scene.answered)} times: {approved} yes, {len(scene.answered) - approved} no; "
        f"{escalated} conversation{'' if escalated == 1 else 's'} passed to a person"
    )
    show_the_limits(scene)
    sound = [account_for_money(scene), *(prove(scene, tenant) for tenant in TENANTS)]
    sound.append(prove_a_run(scene, scene.errands))
    return len(ended) == len(scene.runs) and counts.keys() <= {"succeeded", "stopped"} and all(sound)


def show_the_limits(scene: Scene) -> None:
    """How the run ended whose budget was used up, and what guardrails did."""
    deck = scene.clients[TENANTS[0]]
    errands, refused, carrier = (deck.runs.get(run) for run in (scene.errands, scene.refused, scene.carrier))
    scene.say(f"a run of {errands.user_id} ended `{errands.status}: {errands.reason}` after {errands.steps_used} steps")
    for line in money.ending(errands):
        scene.console.print(line, markup=False, soft_wrap=True)
    scene.say(f"a guardrail stopped a message before any model read it ({money.found(deck, refused)}): {refused.text}")
    scene.say(f"a guardrail changed an answer before anybody read it ({money.found(deck, carrier)}): {carrier.text}")


def account_for_money(scene: Scene) -> bool:
    """What all runs cost, by agent; whether the ledger says the same as the runs do."""
    report = money.spent(Quarterdeck(scene.fleet.url, scene.fleet.access.admin_key), scene.began)
    told = sum(run.cost_micro_usd for _, run in scene.runs.values())
    agreed = "the same as the runs say" if told == report.total.cost_micro_usd else f"the runs say ${told / 1e6:.4f}"
    scene.say(f"{money.bill(report)}; {agreed}")
    return told == report.total.cost_micro_usd


def prove_a_run(scene: Scene, run_id: str) -> bool:
    """Have one run proven from its log alone."""
    proof = scene.clients[TENANTS[0]].runs.prove(run_id)
    verdict = "proven" if proof.proven else f"not proven: {[gap.what for gap in proof.gaps]}"
    scene.say(
        f"run {run_id[-8:]}: {len(proof.edges)} edges in {proof.events} events, each with its decision: {verdict}"
    )
    return proof.proven


def prove(scene: Scene, tenant: str) -> bool:
    """Have the tenant's audit verified."""
    found = scene.clients[tenant].audit.verify()
    verdict = "unaltered" if found.valid else f"altered: {found.findings}"
    scene.say(f"audit of {tenant}: {found.sealed} sealed rows checked, {verdict}")
    return found.valid


def play(scene: Scene) -> None:
    """Everything in its order, until all runs have ended."""
    set_the_stage(scene)
    submit_everything(scene)
    watch_the_switches(scene, throw_switches(scene))
    submit_refunds(scene)
    submit_what_has_limits(scene)
    watch(scene)


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
        play(scene)
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
