"""Writes made-up runs: each verb appends to a run's log and to its trace, as the product itself would show them."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

Json = dict[str, Any]
RELEASES = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("support-desk", "refund-desk", "ops-helper")}
PRICES = (3, 15)  # micro-USD a token, in and out


def run_id(number: int, at: datetime) -> str:
    """A UUIDv7 of that moment; the same number gives the same id."""
    random = int.from_bytes(hashlib.sha256(str(number).encode()).digest()[:10])
    value = int(at.timestamp() * 1000) << 80 | random
    value = value & ~(0xF << 76) | 7 << 76
    return str(UUID(int=value & ~(0x3 << 62) | 2 << 62))


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text(words: str, trust: str | None = None, source: str = "") -> Json:
    part: Json = {"type": "text", "text": words}
    return part if trust is None else {**part, "label": {"source": source, "trust": trust}}


def call(number: int, tool: str, **arguments: Any) -> Json:
    return {"type": "call", "id": f"call_{number}", "tool": tool, "arguments": arguments}


@dataclass
class Chronicle:
    """One run, written from its beginning. Times go on by what each verb says that it took."""

    number: int
    agent: str
    title: str
    began: datetime
    user: str = "maria"
    tenant: str = "acme"
    events: list[Json] = field(default_factory=list)
    spans: list[Json] = field(default_factory=list)
    turns: list[Json] = field(default_factory=list)
    effects: list[Json] = field(default_factory=list)
    costs: list[Json] = field(default_factory=list)
    run: Json = field(default_factory=dict)
    story: Json = field(default_factory=dict)
    blast: Json | None = None
    step: int = 0

    def __post_init__(self) -> None:
        self.now = self.began
        self.id = run_id(self.number, self.began)
        release = RELEASES[self.agent]
        self.run = {
            "run_id": self.id,
            "kind": "agent",
            "tenant": self.tenant,
            "agent": self.agent,
            "release": release,
            "agent_version": f"{self.agent}@{release[:12]}",
            "user_id": self.user,
            "thread_id": None,
            "parent_run_id": None,
            "status": "queued",
            "reason": None,
            "why": "",
            "current_step": "waits for a worker",
            "priority": 0,
            "tags": {"channel": "chat"},
            "title": self.title,
            "submitted_by": "backend",
            "created_at": iso(self.began),
            "available_at": iso(self.began),
            "started_at": None,
            "finished_at": None,
            "attempt": 0,
            "last_seq": 0,
            "duration_ms": 0,
            "waiting_ms": 0,
            "queued_ms": 0,
            "steps_used": 0,
            "tool_calls": 0,
            "failed_calls": 0,
            "input_tokens": 0,
            "output_tokens": 0,
            "cost_micro_usd": 0,
            "estimated_cost_usd": 0.0,
            "risk_level": "read",
            "error_code": None,
            "owner": "team-support",
            "tools_called": [],
            "pending_approvals": [],
            "budget": {"max_steps": 1000, "max_tokens": 500_000},
            "result": None,
            "unknown_outcomes": [],
            "parked_at": None,
            "worker_id": None,
            "age_s": None,
            "effective": {"release": release, "behaviour": 1, "limits": {}, "digest": release},
        }
        self.event("run.admitted", agent=self.agent, release=release, user=self.user, submitted_by="backend")
        self.spans.append(self.span("run", f"run {self.agent}", None, status="running"))
        self.say("user", [text(self.title)])
        self.attempt_span: Json | None = None

    def event(self, kind: str, **data: Any) -> int:
        seq = len(self.events) + 1
        at, attempt = iso(self.now), self.run["attempt"]
        self.events.append({"seq": seq, "kind": kind, "v": 1, "attempt": attempt, "at": at, "data": data})
        self.run["last_seq"] = seq
        self.run["duration_ms"] = self.ms(self.began)
        return seq

    def span(self, kind: str, name: str, parent: Json | None, *, status: str = "ok", **rest: Any) -> Json:
        seq = len(self.events)
        made: Json = {
            "id": hashlib.sha256(f"{self.id}{seq}{name}".encode()).hexdigest()[:16],
            "seq": seq,
            "end_seq": None,
            "parent": parent["id"] if parent else None,
            "kind": kind,
            "name": name,
            "status": status,
            "start": iso(self.now),
            "end": None,
            "ms": 0,
            "risk": None,
            "attributes": {},
            **rest,
        }
        return made

    def close(self, span: Json, status: str = "ok") -> None:
        span["end"], span["end_seq"], span["status"] = iso(self.now), len(self.events), status
        span["ms"] = self.ms(datetime.fromisoformat(span["start"]))

    def ms(self, since: datetime) -> int:
        return round((self.now - since).total_seconds() * 1000)

    def wait(self, seconds: float) -> "Chronicle":
        self.now += timedelta(seconds=seconds)
        return self

    def say(self, role: str, content: list[Json], **rest: Any) -> None:
        seq = len(self.events)
        self.turns.append({"seq": seq, "at": iso(self.now), "role": role, "content": content, "step": self.step} | rest)

    @property
    def inside(self) -> Json:
        return self.attempt_span or self.spans[0]

    def claim(self, queued: float = 0.02, worker: str = "worker-2") -> "Chronicle":
        waiting = self.span("queue", "queued again" if self.run["attempt"] else "queued", self.spans[0])
        self.wait(queued)
        self.run["attempt"] += 1
        self.run |= {"status": "running", "started_at": self.run["started_at"] or iso(self.now)}
        self.run["queued_ms"] += round(queued * 1000)
        self.event("run.claimed", worker=run_id(7, self.began), host=worker, version="0.1.0", behaviour=1)
        self.close(waiting)
        self.spans.append(waiting)
        self.attempt_span = self.span("attempt", f"attempt {self.run['attempt']}", self.spans[0], status="running")
        self.spans.append(self.attempt_span)
        return self

    def model(
        self, *content: Json, seconds: float = 2.0, tokens: tuple[int, int] = (1800, 140), tries: int = 1
    ) -> "Chronicle":
        """One question to the model and its answer; `tries` above one fails with 429 before."""
        self.step += 1
        call_id = f"m{self.step}"
        pin = {"provider": "openai", "model": "gpt-4o-2024-11-20"}
        decision = {"verdict": "allow", "rule": "default", "checks": ["pin", "limits"]}
        self.event(
            "model.called",
            step=self.step,
            call=call_id,
            decision=decision,
            messages=len(self.turns),
            prompt="9f2c" * 16,
            reserved_tokens=4096,
            **pin,
        )
        span = self.span(
            "model", f"model turn {self.step} · {pin['model']}", self.inside, attributes={"step": self.step}
        )
        self.spans.append(span)
        for at in range(1, tries):
            self.wait(0.3).event(
                "model.failed",
                step=self.step,
                call=call_id,
                code="model.rate_limited",
                status=429,
                message="Rate limit reached for requests",
                retry_in_ms=1000,
                ms=300,
                **{"try": at},
            )
            self.wait(1.0)
        self.wait(seconds)
        asked, said = tokens
        usage = {"input": asked, "output": said, "cache_read": asked // 2, "reasoning": 0}
        cost = asked * PRICES[0] + said * PRICES[1]
        calls = [part for part in content if part["type"] == "call"]
        self.event(
            "model.answered",
            step=self.step,
            call=call_id,
            content=list(content),
            usage=usage,
            cost=cost,
            finish="calls" if calls else "stop",
            served_model=pin["model"],
            ms=round(seconds * 1000),
            first_token_ms=round(seconds * 300),
            tries=tries,
            response_id=f"chatcmpl-{self.number}{self.step}",
        )
        self.close(span)
        self.say("model", list(content))
        self.costs.append(
            {"step": self.step, "seq": len(self.events), "model": pin["model"], "usage": usage, "cost": cost}
        )
        self.run["steps_used"] = self.step
        self.run["input_tokens"] += asked
        self.run["output_tokens"] += said
        self.run["cost_micro_usd"] += cost
        self.run["estimated_cost_usd"] = self.run["cost_micro_usd"] / 1e6
        return self

    def tool(
        self,
        part: Json,
        answer: str = "",
        seconds: float = 0.4,
        *,
        effect: str = "read",
        repeat: str = "safe",
        failure: str = "",
        denied: str = "",
        unknown: str = "",
        name: str = "",
        **gate: Any,
    ) -> "Chronicle":
        """One call through the tool gate: decided, sent, and what it came to."""
        tool, call_id = part["tool"], part["id"]
        risks = {"read": "read", "payment": "money", "deletion": "irreversible", "external_message": "write"}
        risk = risks.get(effect, "write")
        checks = ["schema", "limits"]
        if denied:
            decision = {"verdict": "deny", "rule": "limits", "reason": denied, "checks": checks}
            self.event(
                "tool.denied",
                step=self.step,
                call=call_id,
                tool=tool,
                arguments=part["arguments"],
                decision=decision,
                content=[text(denied)],
            )
            policy = self.span("policy", f"policy {tool} → deny", self.inside)
            self.close(policy, "denied")
            self.spans.append(policy)
            self.say("tool", [text(denied)], call=call_id, tool=tool, is_error=True)
            return self
        key = hashlib.sha256(f"{self.id}{call_id}".encode()).hexdigest()[:32]
        not_after = int((self.now + timedelta(seconds=30)).timestamp() * 1000)
        self.event(
            "tool.called",
            step=self.step,
            call=call_id,
            tool=tool,
            arguments=part["arguments"],
            effect=effect,
            repeat=repeat,
            decision={"verdict": "allow", "rule": "default", "checks": checks},
            key=key,
            not_after=not_after,
            timeout_ms=30_000,
            **gate,
        )
        policy = self.span("policy", f"policy {tool} → allow", self.inside)
        self.close(policy)
        span = self.span(
            "tool",
            name or tool,
            self.inside,
            risk=risk,
            attributes={"call": call_id, "step": self.step, "effect": effect, "tool": tool, **gate},
        )
        self.spans.extend((policy, span))
        ledger: Json = {
            "call": f"{self.step}/{call_id}",
            "tool": tool,
            "effect": effect,
            "repeat": repeat,
            "key": key,
            "state": "intended",
            "arguments_digest": key,
            "intended_at": iso(self.now),
            "not_after": iso(self.now + timedelta(seconds=30)),
            "settled_at": None,
            "settled_by": None,
        }
        if effect != "read":
            self.effects.append(ledger)
            self.run["risk_level"] = risk
        self.wait(seconds)
        self.run["tool_calls"] += 1
        if unknown:
            self.event("tool.unknown", call=call_id, tool=tool, why=unknown, ask_after=not_after)
            self.close(span, "unknown")
            ledger["state"] = "unknown"
            doubt = {"call": call_id, "tool": tool, "arguments": part["arguments"], "ask_after": not_after}
            self.run["unknown_outcomes"].append(doubt)
            return self
        label = {"source": f"tool:{tool}", "trust": "untrusted"}
        if failure:
            self.event(
                "tool.failed", call=call_id, code="tool.error", content=[text(failure)], ms=round(seconds * 1000)
            )
            self.run["failed_calls"] += 1
        else:
            self.event(
                "tool.answered",
                call=call_id,
                content=[text(answer)],
                label=label,
                ms=round(seconds * 1000),
                size=len(answer),
            )
        self.close(span, "error" if failure else "ok")
        ledger |= {"state": "failed" if failure else "happened", "settled_at": iso(self.now), "settled_by": "worker-2"}
        said = [text(failure or answer)]
        self.say("tool", said, call=call_id, tool=tool, is_error=bool(failure), label=label)
        return self

    def park(self, status: str, why: str, seconds: float | None = None, by: str = "lukas@acme") -> "Chronicle":
        """Wait for a person; with `seconds`, that one has answered after them."""
        self.event("run.parked", status=status, why=why)
        self.run |= {"status": status, "why": why, "current_step": why}
        name = {"waiting_for_outcome": "an outcome", "waiting_for_approval": "approval"}.get(status, "a sign-in")
        span = self.span("wait", f"waiting for {name}", self.spans[0], status="waiting")
        self.spans.append(span)
        if self.attempt_span is not None:
            self.close(self.attempt_span)
            self.attempt_span = None
        if seconds is not None:
            self.wait(seconds)
            self.event("run.resumed", why=f"{name} given", by=by)
            self.run["waiting_ms"] += round(seconds * 1000)
            self.close(span)
        return self

    def question(
        self,
        part: Json,
        summary: str,
        approval: str,
        *,
        seconds: float | None = None,
        by: str = "lukas (key:k4)",
        arguments: Json | None = None,
        origins: Json | None = None,
    ) -> "Chronicle":
        """A person is asked about a call; with `seconds`, that one says yes after them, perhaps to other arguments."""
        decision = {
            "verdict": "ask",
            "rule": "permission",
            "reason": "Calls of this kind need a yes: payments.",
            "checks": ["known", "switch", "schema", "limits", "scope", "permission"],
            "policies": ["base/dangerous"],
            "effective": RELEASES[self.agent],
        }
        asked = {
            "step": self.step,
            "call": part["id"],
            "approval": approval,
            "tool": part["tool"],
            "arguments": part["arguments"],
            "effect": "payment",
            "decision": decision,
            "digest": hashlib.sha256(repr(part["arguments"]).encode()).hexdigest(),
            "expires_at": int((self.now + timedelta(days=1)).timestamp() * 1000),
            "origins": origins or {},
            "summary": summary,
            "people": 1,
            "roles": ["reviewer"],
        }
        self.event("approval.asked", **asked)
        policy = self.span("policy", f"policy {part['tool']} → ask", self.inside)
        self.close(policy)
        span = self.span(
            "approval", f"approval of {part['tool']}", self.spans[0], status="waiting", risk="money", attributes=asked
        )
        self.spans.extend((policy, span))
        self.run["risk_level"] = "money"
        if seconds is None:
            self.run["pending_approvals"].append(
                {name: asked[name] for name in ("call", "tool", "arguments", "summary", "effect", "digest", "people")}
                | {"approval_id": approval, "risk_level": "money", "expires_at": iso(self.now + timedelta(days=1))}
            )
            return self.park("waiting_for_approval", f"asks before {summary}")
        self.park("waiting_for_approval", f"asks before {summary}", seconds, by)
        self.event(
            "approval.answered",
            call=part["id"],
            approval=approval,
            state="approved",
            by=[by],
            why="seen the photo of the damage",
            arguments=arguments,
        )
        self.close(span)
        return self.claim()

    def die(self, why: str = "its worker's lease ran out", lease: float = 12.4) -> "Chronicle":
        """The worker is gone; the sweep notices."""
        self.wait(lease).event("run.released", why=why)
        assert self.attempt_span is not None
        self.close(self.attempt_span, "error")
        self.attempt_span = None
        return self

    def finish(
        self,
        status: str = "succeeded",
        words: str = "",
        *,
        reason: str | None = None,
        why: str = "",
        code: str = "",
        handoff: Json | None = None,
    ) -> "Chronicle":
        self.event("run.finished", status=status, reason=reason, text=words, error_code=code or None, handoff=handoff)
        ends = {"succeeded": "ok", "failed": "error"}
        if self.attempt_span is not None:
            self.close(self.attempt_span, ends.get(status, "ok"))
        self.close(self.spans[0], ends.get(status, "ok"))
        checkpoint = self.span("checkpoint", f"finished: {status}", self.spans[0], end=iso(self.now))
        self.spans.append(checkpoint | {"end_seq": len(self.events)})
        self.run |= {
            "status": status,
            "reason": reason,
            "why": why,
            "finished_at": iso(self.now),
            "error_code": code or None,
            "current_step": "",
            "duration_ms": self.ms(self.began),
            "result": {"text": words, "output": None, "handoff": handoff, "error": why if status == "failed" else None},
        }
        return self

    def tell(self, tone: str, sentence: str, *clauses: tuple[str, int | None]) -> "Chronicle":
        self.story = {
            "sentence": sentence,
            "tone": tone,
            "clauses": [{"text": words, "seq": seq} for words, seq in clauses],
        }
        return self

    def trace(self) -> Json:
        """The answer of `/v1/runs/{id}/trace`."""
        story = self.story or {"sentence": self.run["why"] or f"{self.title}.", "tone": "ok", "clauses": []}
        return {
            "run": self.run,
            "story": story,
            "facts": {},
            "blast": self.blast,
            "spans": self.spans,
            "conversation": self.turns,
            "effects": self.effects,
            "cost": self.costs,
        }
