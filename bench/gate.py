"""The tool gate: what a whole decision costs, without the tool, at 10 to 1,000 policies and with 200 KB of history.

Then what stands around it: the inbox of approvals with 100,000 questions, and how soon eight workers see a switch.
Goals: a decision p99 ≤ 1 ms, provenance over 200 KB ≤ 2 ms of CPU, a switch seen by all workers p99 ≤ 250 ms.
"""

import argparse
import gc
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench.inbox import inbox
from bench.propagation import propagation
from bench.stage import percentile, save
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import new_run_id
from quarterdeck.core.json import Json
from quarterdeck.gates.intents import ToolFacts
from quarterdeck.gates.provenance import Provenance
from quarterdeck.gates.tool import ToolGate
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.records import PolicyText
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.messages import USER, Call, Label, Trust
from tests.fakes.standing import Calm, a_tool_gate
from tests.toolbox import TENANT, a_grant, a_release

SECTIONS = ("decision", "provenance", "inbox", "switches")
COUNTS = (10, 100, 1000)
UNSCOPED, TOOLS, USERS = 50, 50, 200
HISTORY = 200_000
GOAL_DECISION_MS, GOAL_PROVENANCE_MS, GOAL_SWITCH_MS = 1.0, 2.0, 250.0

PARAMETERS: dict[str, Json] = {
    "type": "object",
    "properties": {
        "to": {"type": "string"},
        "amount": {"type": "integer"},
        "subject": {"type": "string"},
        "body": {"type": "string"},
        "copies": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["to", "amount"],
}
CONDITIONS = (
    "context.arguments.amount > {n}",
    'context.arguments.to like "*@blocked{n}.example.com"',
    'context.tainted && context.arguments.amount > {n} && !principal.roles.contains("role{n}")',
    'context.calls_in_run > {n} && resource.effect != "read"',
    '["x{n}", "y{n}", "z{n}"].contains(context.arguments.to)',
)
WORDS = ("order", "invoice", "please", "send", "the", "report", "of", "March", "to", "account", "transfer", "meeting")

Row = dict[str, Any]


@dataclass
class Measured:
    """Nanoseconds of each of many calls: on the clock, of this thread's CPU, and of that the least of three times.

    What others do on the machine costs a call CPU too (caches, a shared core): the least of three is nearest its own.
    """

    wall: list[int]
    cpu: list[int]
    least: list[int]

    def row(self) -> dict[str, float]:
        """Percentiles in milliseconds."""
        return {
            f"{kind}_{name}_ms": round(percentile(values, share) / 1e6, 3)
            for kind, values in (("least_cpu", self.least), ("cpu", self.cpu), ("wall", self.wall))
            for name, share in (("p50", 0.5), ("p99", 0.99))
        }


class Still(Calm):
    """What stands, with the digest kept, as the worker's book of policies keeps it."""

    def digest(self, tenant: object) -> str:
        """The number of policies says which they are."""
        return str(len(self.texts[0].text)) if self.texts else ""


async def timed(count: int, call: Callable[[int], Awaitable[object]]) -> Measured:
    """So many calls, each measured by itself, after some that are not; the collector of garbage runs as it wants."""
    for at in range(min(200, count)):
        await call(at)
    gc.collect()
    found = Measured([], [], [])
    for at in range(count):
        times: list[int] = []
        for _ in range(3):
            wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
            await call(at)
            times.append(time.thread_time_ns() - cpu)
            found.wall.append(time.perf_counter_ns() - wall)
        found.cpu += times
        found.least.append(min(times))
    return found


def policies(count: int) -> PolicyText:
    """So many policies of a tenant: at most fifty about every tool, the others about one of fifty tools each."""
    unscoped = min(UNSCOPED, count // 2)
    texts: list[str] = []
    for n in range(count):
        if n < unscoped:
            scope, condition = (
                "action",
                f'context.autonomy == "level{n}" && context.tainted && context.calls_in_run > {n}',
            )
        else:
            condition = CONDITIONS[n % len(CONDITIONS)].format(n=n + 1_000_000)
            scope = f'action == Action::"tool{n % TOOLS}"'
        asks = '@ask("A person has to look.")\n' if n % 3 == 0 else ""
        texts.append(f"{asks}forbid(principal, {scope}, resource)\nwhen {{ {condition} }}")
        texts[-1] += "\nunless { context.approved };" if asks else ";"
    return PolicyText("bench", "\n".join(texts))


def release() -> Release:
    """Fifty tools that write, each with a destination."""
    grants = [
        a_grant(f"tool{n}", parameters=PARAMETERS, destinations=("to", "copies[]"), payload=("body",), effect="write")
        for n in range(TOOLS)
    ]
    made = a_release(*grants)
    return replace(made, limits=replace(made.limits, max_tool_calls=10**9))


def history(size: int, dice: random.Random) -> Provenance:
    """A conversation of so many characters: the user's words, then answers of tools, half of them untrusted."""
    said = Provenance()
    said.add("Pay ann@example.com what she is owed, 120 dollars, and copy bob@example.com.", USER)
    left = size
    for at in range(10**6):
        if left <= 0:
            break
        text = f"Mail {at} from person{at}@example.com: " + " ".join(dice.choices(WORDS, k=300))
        text += f" IBAN DE{dice.randrange(10**19, 10**20)} https://shop{at}.example.com/{dice.randrange(10**6)}"
        said.add(text[:left], Label("tool:inbox", Trust.TRUSTED if at % 2 else Trust.UNTRUSTED))
        left -= len(text)
    return said


def arguments(at: int) -> Mapping[str, Json]:
    """Destinations from the user, from trusted and untrusted answers, from nowhere; words of its own, and a copy."""
    person = f"person{at % 60}@example.com"
    to = ("ann@example.com", person, f"Person {at % 60} <{person}>", f"x{at}@y.com")[at % 4]
    body = f"Hello, this is about invoice {at}. " + " ".join(WORDS) * 3
    return {"to": to, "amount": at % 500, "subject": "Your order", "body": body, "copies": ["bob@example.com"]}


async def decisions(count: int) -> list[Row]:
    """Whole decisions of the gate: gathering, provenance, every check, rates; the tool is not called."""
    rows: list[Row] = []
    made = release()
    facts = [ToolFacts(TENANT, new_run_id(), f"user{n}", 3, 1, agent="desk", roles=("member",)) for n in range(USERS)]
    for size in (0, HISTORY):
        said = history(size, random.Random(7))
        for many in COUNTS:
            text = policies(many)
            calm = Still(texts=[text])
            gate = a_tool_gate(None, None, SystemClock(), calm)  # pyright: ignore[reportArgumentType]  # nothing is sent

            async def decide(at: int, gate: ToolGate = gate, said: Provenance = said) -> object:
                call = Call(f"c{at}", f"tool{at % TOOLS}", arguments(at))
                return await gate.decide(made, call, facts[at % USERS], said)

            began = time.thread_time_ns()
            await decide(0)
            first = (time.thread_time_ns() - began) / 1e6
            measured = await timed(count, decide)
            row = {"policies": many, "history_kb": size // 1000, **measured.row(), "first_cpu_ms": round(first, 1)}
            rows.append(row)
    return rows


async def provenances(count: int) -> list[Row]:
    """Provenance alone: taking a history in, and finding where five arguments come from in it."""
    rows: list[Row] = []
    grant: ToolGrant = release().tools[0]
    for size in (20_000, HISTORY):
        began = time.thread_time_ns()
        said = history(size, random.Random(7))
        taken = (time.thread_time_ns() - began) / 1e6

        async def see(at: int, said: Provenance = said) -> object:
            return said.see(grant, arguments(at))

        measured = await timed(count, see)
        rows.append({"history_kb": size // 1000, **measured.row(), "take_in_cpu_ms": round(taken, 1)})
    return rows


async def parsing() -> list[Row]:
    """What making a set of policies costs, once for each change and release in a worker."""
    rows: list[Row] = []
    for many in COUNTS:
        began = time.thread_time_ns()
        found = PolicySet.of(release(), [replace(policies(many), name=f"fresh{many}")])
        assert not found.faults, found.faults[0]
        rows.append({"policies": many, "cpu_ms": round((time.thread_time_ns() - began) / 1e6, 1)})
    return rows


def show(title: str, rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    table = Table(title=title)
    for column in rows[0]:
        table.add_column(column.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


def main(arguments: Sequence[str], *, quick: bool = False) -> bool:
    """Measure, print, save. True = every goal of the sections that were run was met."""
    parser = argparse.ArgumentParser(prog="python -m bench gate", description=__doc__)
    parser.add_argument("section", nargs="?", choices=SECTIONS, help="left out = all of them")
    section: str | None = parser.parse_args(arguments).section
    wanted = (section,) if section else SECTIONS
    figures: dict[str, Any] = {}
    met: list[bool] = []
    if "decision" in wanted:
        figures["parsing"] = uvloop.run(parsing())
        show("Making a set of policies", figures["parsing"])
        rows = figures["decision"] = uvloop.run(decisions(500 if quick else 2_000))
        show("A decision of the tool gate", rows)
        met.append(all(row["least_cpu_p99_ms"] <= GOAL_DECISION_MS for row in rows))
    if "provenance" in wanted:
        rows = figures["provenance"] = uvloop.run(provenances(500 if quick else 2_000))
        show("Provenance of five arguments", rows)
        met.append(all(row["least_cpu_p99_ms"] <= GOAL_PROVENANCE_MS for row in rows))
    if "inbox" in wanted:
        rows = figures["inbox"] = inbox(10_000 if quick else 100_000)
        show("The inbox of approvals", rows)
    if "switches" in wanted:
        row = figures["switches"] = propagation(20 if quick else 200)
        show("A switch, until the last of eight workers has seen it", [row])
        met.append(row["p99_ms"] <= GOAL_SWITCH_MS)
    save(f"gate-{section}" if section else "gate", {"quick": quick, **figures})
    return all(met)
