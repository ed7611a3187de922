"""What the made-up tenant may spend and has spent: budgets, alerts, usage, and a run that met its limit."""

import hashlib
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.console.chronicle import RELEASES, Chronicle, Json, call, iso, text
from tests.console.made_up_gate import ident

ALERTS = (50, 80, 100)
MILLION = 1_000_000


@dataclass
class Money:
    """What the server knows of money. Tests change it as the console does, and look at it."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    budgets: dict[tuple[str, str], Json] = field(default_factory=dict)
    alerts: dict[str, Json] = field(default_factory=dict)
    near: list[Json] = field(default_factory=list)
    gaps: list[Json] = field(default_factory=list)

    def ago(self, hours: float) -> str:
        return iso(self.now - timedelta(hours=hours))

    def limit(self, name: str, scope: str, *, source: str = "tenant", **rest: Any) -> Json:
        """A budget that nobody has spent anything of yet."""
        made: Json = {
            "name": name,
            "source": source,
            "agent": None,
            "release": None,
            "scope": scope,
            "target": "*",
            "budget_duration": "1d",
            "max_budget": None,
            "max_tokens": None,
            "rpm_limit": None,
            "tpm_limit": None,
            "alert_at": list(ALERTS),
            "why": "",
            "set_by": "owner key (key:k1)",
            "created_at": self.ago(300),
            "updated_at": self.ago(30),
            "spending": [],
            **rest,
        }
        self.budgets[source, name] = made
        return made

    def spend(self, budget: Json, whose: str, spent: float, *, accounts: int = 1, **rest: Any) -> Json:
        """The account that has used most of a budget, in dollars; of tokens where `unit` says so."""
        unit = rest.pop("unit", "micro_usd")
        scale = MILLION if unit == "micro_usd" else 1
        limit = round((budget["max_budget"] if unit == "micro_usd" else budget["max_tokens"]) * scale)
        used, uncovered = round(spent * scale), rest.pop("uncovered", 0)
        reserved = rest.pop("reserved", 0)
        made: Json = {
            "account": whose,
            "tenant": None,
            "unit": unit,
            "limit": limit,
            "spent": used,
            "reserved": reserved,
            "uncovered": uncovered,
            "presumed": 0,
            "left": max(0, limit - used - uncovered - reserved),
            "used_percent": round(100 * (used + uncovered) / limit, 1) if limit else 100.0,
            "began_at": self.ago(9),
            "renews_at": self.ago(-15),
            "projected_at": None,
            "accounts": accounts,
            **rest,
        }
        budget["spending"].append(made)
        return made

    def raise_alert(self, kind: str, severity: str, subject: str, words: str, hours: float, **rest: Any) -> Json:
        made: Json = {
            "alert_id": ident(f"alert {words}"),
            "kind": kind,
            "severity": severity,
            "state": "raised",
            "subject": subject,
            "agent": None,
            "words": words,
            "facts": {},
            "count": 1,
            "deployment": False,
            "raised_at": self.ago(hours),
            "last_at": self.ago(0),
            "resolved_at": None,
            "resolved_why": "",
            "acknowledged_at": None,
            "acknowledged_by": None,
            **rest,
        }
        self.alerts[made["alert_id"]] = made
        return made


def money_of_day() -> Money:
    """Budgets of each kind and in each state, alerts of each severity, runs that come to their end."""
    money = Money()
    users = money.limit("each-user", "user", max_budget=2.0, max_tokens=400_000, why="One person, one day.")
    money.spend(users, "maria", 1.91, accounts=214, reserved=60_000, projected_at=money.ago(-2))
    money.spend(users, "maria", 180_000, accounts=214, unit="tokens")
    whole = money.limit("tenant-month", "tenant", max_budget=1200.0, budget_duration="month")
    money.spend(whole, "acme", 512.4, reserved=3_400_000, renews_at=money.ago(-210))
    desk = money.limit("refund-desk-hour", "agent", target="refund-desk", max_budget=5.0, budget_duration="1h")
    money.spend(desk, "refund-desk", 4.95, uncovered=120_000, renews_at=money.ago(-0.4), presumed=400_000)
    money.limit("calls", "tenant", rpm_limit=600, tpm_limit=200_000)
    money.limit("each-run", "run", max_budget=0.5, max_tokens=200_000, budget_duration="total")
    shared = money.limit("acme-cap", "tenant", source="deployment", max_budget=5000.0, budget_duration="month")
    money.spend(shared, "acme", 512.4, renews_at=money.ago(-210))
    declared: Json = {"source": "release", "agent": "support-desk", "release": RELEASES["support-desk"], "set_by": ""}
    declared |= {"created_at": None, "updated_at": None}
    money.limit("support-desk:run:total", "run", max_budget=0.25, budget_duration="total", **declared)
    spent = "Budget refund-desk-hour, agent refund-desk: $4.95 of $5.00 used (99 %), renews in 24 min."
    money.raise_alert("budget.threshold", "critical", "budget:refund-desk-hour", spent, 0.2, agent="refund-desk")
    early = "Budget each-user, user maria, will be used up in 2 h at this pace: $0.09 left, renews in 15 h."
    money.raise_alert("budget.projected", "warning", "budget:each-user", early, 1.2)
    jump = "Agent ops-helper spent $3.10 in the last hour; $0.41 is usual at this hour."
    seen = {"state": "acknowledged", "acknowledged_at": money.ago(1), "acknowledged_by": "lukas (key:k4)"}
    money.raise_alert("spend.spike", "warning", "agent:ops-helper", jump, 2, agent="ops-helper", **seen)
    busy = "Provider openai is at its limit: 4 runs wait for their turn, the first for 40 s."
    over = {"state": "resolved", "resolved_at": money.ago(3), "resolved_why": "no run waits any longer"}
    money.raise_alert("provider.throttled", "notice", "openai", busy, 5, **over)
    return money


def near_of(runs: dict[str, Chronicle], money: Money) -> list[Json]:
    """Some runs that come to their end, with the causes that there are."""
    causes = (
        (
            "looping_tool",
            "`logs.search` was called 4 times with the same arguments among the last 12 calls.",
            "logs.search",
        ),
        ("growing_context", "The conversation grew from 1,800 to 24,000 tokens in 19 steps.", None),
        ("dear_step", "The last step cost $0.21, 52 % of these steps.", None),
    )
    found: list[Json] = []
    for made, (cause, words, tool) in zip(list(runs.values())[-4:], causes, strict=False):
        used = [{"limit": "budget", "used": 410_000, "most": 500_000, "used_percent": 82}]
        if cause == "looping_tool":
            used.insert(0, {"limit": "steps", "used": 48, "most": 50, "used_percent": 96})
        about = {name: made.run[name] for name in ("run_id", "agent", "user_id", "release", "status", "title")}
        found.append({**about, "limits": used, "cause": cause, "words": words, "tool": tool})
    return found


NAMES = {
    "agent": ("support-desk", "refund-desk", "ops-helper"),
    "user": ("maria", "lukas", "chen", "ops-bot", "amira", "tomás", "<b>mallory</b>"),
    "model": ("gpt-4.1-2025-04-14", "gpt-4.1-mini-2025-04-14", "claude-sonnet-4-5-20250929"),
    "tool": ("orders.find", "logs.search", "(none)"),
    "route": ("main", "quick", "backup"),
}
NOTHING: Json = dict.fromkeys(
    (
        "calls",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_micro_usd",
        "estimated_cost_usd",
        "presumed_micro_usd",
        "presumed_calls",
        "unpriced_calls",
        "saved_cache_micro_usd",
        "saved_route_micro_usd",
        "saved_trim_micro_usd",
        "trimmed_tokens",
    ),
    0,
)


def line(at: datetime | None, by: str, name: str | None, cost: int, **rest: Any) -> Json:
    calls = max(1, cost // 9_000)
    return {
        **NOTHING,
        "at": None if at is None else iso(at),
        "keys": {by: name},
        "rest": False,
        "groups": 1,
        "calls": calls,
        "input_tokens": calls * 2_400,
        "output_tokens": calls * 180,
        "cache_read_tokens": calls * 1_100,
        "cost_micro_usd": cost,
        "estimated_cost_usd": cost / MILLION,
        "saved_cache_micro_usd": cost // 6,
        "saved_route_micro_usd": cost // 20,
        "saved_trim_micro_usd": cost // 9,
        "trimmed_tokens": calls * 300,
        **rest,
    }


def lines(by: str, since: datetime, until: datetime, every: str | None) -> list[Json]:
    """Days that differ, with a quiet weekend; the first spends most."""
    names = NAMES.get(by, ("gold", None))
    step = {"hour": timedelta(hours=1), "day": timedelta(days=1)}.get(every or "", timedelta(days=30))
    at, found = since.replace(minute=0, second=0, microsecond=0), list[Json]()
    if every == "day":
        at = at.replace(hour=0)
    while at < until:
        for place, name in enumerate(names):
            wave = 1 + math.sin(at.timestamp() / 86_400 * 1.3 + place)
            cost = round(900_000 * wave * (0.25 if at.weekday() > 4 else 1) / (place + 1) ** 1.6)
            if cost > 20_000:
                found.append(line(at, by, name, cost))
        found.append(line(at, by, None, 40_000, rest=True, groups=17))
        at += step
    return found


def summed(found: list[Json]) -> Json:
    return {name: sum(each[name] for each in found) for name in NOTHING}


def closed(number: int, at: datetime) -> Chronicle:
    """A run that met its budget: guarded on both sides, saving as it went, closed with what was kept for its end."""
    made = Chronicle(
        number, "support-desk", "Compare every parcel of November with what the carriers billed", at
    ).claim()
    guard(made, "input", "label", found=[("injection", "label", "indirect_order", 1, 0.86, "the second message")])
    ask(made, call(1, "orders.find", query="November"), cost=61_000, reserved=120_000, cached=900, route="main")
    ask(made, call(2, "orders.find", query="carriers"), cost=92_000, reserved=118_000, cached=1_600, route="main")
    shorten(made)
    notice = "About $0.05 of $0.25 is left for this run: finish with what you have."
    ask(
        made,
        call(3, "orders.find", query="DPD"),
        cost=41_000,
        reserved=44_000,
        route="quick",
        why="saves: the run's budget runs low",
        degree="cheaper",
        notice=notice,
        presumed=18_000,
    )
    why = "the run's budget of $0.25 is used up: $0.011 was left and the next step could have cost $0.044"
    close(made, why)
    words = "I compared 214 of 380 parcels. DPD billed 3 parcels twice; UPS and Hermes are still to be looked at."
    ask(
        made,
        text(words),
        cost=9_000,
        reserved=14_000,
        route="quick",
        why="the cheapest",
        purpose="closing",
        degree="closing",
    )
    guard(made, "output", "redact", found=[("pii", "redact", "email", 2, 0.0, "the answer")])
    left = {
        "done": [
            "orders.find found 380 parcels of November",
            "214 of them compared with DPD's bill: 3 were billed twice",
        ],
        "left": ["Compare the 166 parcels of UPS and Hermes", "Claim $41.70 from DPD"],
        "why": why,
        "last_words": "",
    }
    made.finish("stopped", words=words, reason="budget", why=why, handoff=left)
    return made.tell("stopped", f"Stopped: {why}.", ("the run's budget of $0.25 is used up", 14))


def _noted(made: Chronicle, kind: str, name: str, facts: Json, status: str = "ok") -> None:
    made.event(kind, **facts)
    span = made.span("guardrail" if kind == "guardrail.judged" else "message", name, made.inside, attributes=facts)
    made.close(span, status)
    made.spans.append(span)


def guard(made: Chronicle, edge: str, verdict: str, found: list[tuple[str, str, str, int, float, str]]) -> None:
    """What guardrails said at one edge."""
    names = ("check", "action", "what", "count", "score", "where")
    facts: Json = {
        "edge": edge,
        "step": made.step,
        "verdict": verdict,
        "rule": found[0][0] if found else "",
        "reason": "Some of this was written to give orders to the model." if verdict == "label" else "",
        "checks": ["length", "hidden", "injection"] if edge == "input" else ["pii", "secrets", "links"],
        "findings": [dict(zip(names, one, strict=True)) for one in found],
        "ms": 2,
    }
    status = "denied" if verdict in {"deny", "ask", "retry"} else "ok"
    _noted(made, "guardrail.judged", f"guardrails {edge} → {verdict}", facts, status)


def shorten(made: Chronicle) -> None:
    summary = {
        "role": "user",
        "content": [text("Asked for November's parcels; 380 were found.", "untrusted", "summary")],
    }
    facts = {"step": made.step, "results_upto": 4, "messages_upto": 2, "summary": summary}
    facts |= {"tokens_before": 24_180, "tokens_after": 6_240}
    _noted(made, "context.shortened", "conversation shortened · 24,180 → 6,240 tokens", facts)


def close(made: Chronicle, why: str) -> None:
    _noted(made, "run.closing", f"closing: {why}", {"reason": "budget", "why": why}, "denied")


def ask(
    made: Chronicle, part: Json, *, cost: int, reserved: int, cached: int = 0, presumed: int = 0, **said: str
) -> None:
    """One question, by a route and out of what was set aside; and the call that it led to."""
    before = made.run["cost_micro_usd"]
    made.model(part, seconds=1.4, tokens=(4_200, 160), tries=2 if presumed else 1)
    span = next(one for one in reversed(made.spans) if one["kind"] == "model")
    model = "gpt-4.1-mini-2025-04-14" if said["route"] == "quick" else "gpt-4.1-2025-04-14"
    purpose = said.get("purpose", "")
    facts = {
        "model": model,
        "provider": "openai",
        "purpose": purpose,
        "route": said["route"],
        "route_why": said.get("why", ""),
        "degree": said.get("degree", ""),
        "notice": said.get("notice", ""),
    }
    span["name"] = f"{purpose or f'model turn {made.step}'} · {model}"
    span["attributes"] |= {
        **facts,
        "served_model": model,
        "reserved_micro_usd": reserved,
        "presumed_micro_usd": presumed,
    }
    span["attributes"] |= {"uncovered_micro_usd": 0}
    asked = next(one for one in reversed(made.events) if one["kind"] == "model.called")
    asked["data"] |= {**facts, "reserved": reserved, "reserved_tokens": 4_600}
    made.costs[-1] |= {"model": model, "cost": cost, "usage": {**made.costs[-1]["usage"], "cache_read": cached}}
    made.events[-1]["data"] |= {"cost": cost, "served_model": model}
    made.run["cost_micro_usd"] = before + cost + presumed
    if part["type"] == "call":
        made.tool(part, '{"parcels": 380}', 0.3)


def proof_of(made: Chronicle, gaps: list[Json]) -> Json:
    """What a run's log proves; `gaps` are what a test takes out of it."""
    kinds = {"guardrail.judged": "", "model.called": "model", "tool.called": "tool", "tool.answered": "result"}
    edges = [
        {"seq": event["seq"], "edge": kinds[event["kind"]] or event["data"]["edge"]}
        for event in made.events
        if event["kind"] in kinds
    ]
    nothing: Json = {"verdict": "allow", "rule": "", "reason": "", "checks": [], "missing": [], "policies": []}
    nothing |= {"approved_by": [], "effective": "", "call": "", "child": None, "step": 0, "name": ""}
    return {
        "run_id": made.id,
        "release": made.run["release"],
        "behaviour": 3,
        "proven": not gaps,
        "ended": made.run["finished_at"] is not None,
        "events": len(made.events),
        "demanded": {},
        "edges": [{**nothing, **edge} for edge in edges],
        "gaps": gaps,
        "children": [],
    }


def etag(budget: Json) -> str:
    return f'"{hashlib.sha256(repr((budget["name"], budget["updated_at"])).encode()).hexdigest()[:32]}"'
