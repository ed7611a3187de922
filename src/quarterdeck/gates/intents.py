"""What the tool gate is told of a run, and what it answers: an intent to commit and carry out, a question for a person,
a refusal, or "not now".
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from quarterdeck.core.ids import RunId, TenantId, uuid7
from quarterdeck.core.json import Json, JsonObject, fingerprint
from quarterdeck.core.text import storable
from quarterdeck.rates.records import Place
from quarterdeck.releases.records import ToolGrant
from quarterdeck.runs.events import ApprovalAnswered, ApprovalAsked, ToolCalled, ToolDenied
from quarterdeck.runs.messages import Call, Text
from quarterdeck.runs.parts import Decision, Narrowing


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What the loop knows of the run when a call is judged.

    `again` = decided before, by an attempt that died. `used` counts the run's calls by tool, `affected` the records
    that they touched. `asked` and `said` are the question that a person was put about this call, and the answer;
    `waited` are the seconds for which it was told "not now" before. `background`: the run's priority is below zero.
    `reviewed`: an input guardrail wants a person to look at whatever the run does. `budget_left`: micro-USD that the
    run's tightest limit had left after the last question; None = not limited, or not known in this attempt.
    """

    tenant: TenantId
    run: RunId
    user: str
    step: int
    attempt: int
    agent: str = ""
    tool_calls: int = 0
    again: bool = False
    traceparent: str | None = None
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Json] = field(default_factory=dict[str, Json])
    narrowed: Narrowing | None = None
    used: Mapping[str, int] = field(default_factory=dict[str, int])
    affected: int = 0
    asked: ApprovalAsked | None = None
    said: ApprovalAnswered | None = None
    waited: float = 0.0
    background: bool = False
    reviewed: bool = False
    budget_left: int | None = None

    @property
    def edited(self) -> JsonObject | None:
        """The arguments that a reviewer put in the place of the model's."""
        return self.said.arguments if self.said is not None and self.said.state == "approved" else None


@dataclass(frozen=True, slots=True)
class Intent:
    """A call that was allowed. It may be sent once its event is committed, and may not begin after `not_after`.

    `key` is the same at every try and attempt. `boot_deadline` is `not_after` on this machine's boot-time clock.
    `approval` is the answer that committing it uses up, `place` its place among the calls under way.
    """

    call: str
    grant: ToolGrant
    arguments: JsonObject
    decision: Decision
    key: str
    not_after: int
    boot_deadline: float
    origins: Mapping[str, str] = field(default_factory=dict[str, str])
    approval: str | None = None
    approved_by: tuple[str, ...] = ()
    child: str | None = None
    records: int = 0
    place: Place | None = None

    def event(self, step: int) -> ToolCalled:
        """The intent as the log holds it."""
        return ToolCalled(
            step=step,
            call=self.call,
            tool=self.grant.name,
            arguments=self.arguments,
            effect=self.grant.effect,
            repeat=self.grant.repeat,
            decision=self.decision,
            key=self.key,
            not_after=self.not_after,
            timeout_ms=int(self.grant.timeout * 1000),
            origins=self.origins,
            approval=self.approval,
            approved_by=self.approved_by,
            child=self.child,
            records=self.records,
        )


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A call that a person has to approve first. `arguments` are what they will see, and what their yes is bound to."""

    call: str
    grant: ToolGrant
    arguments: JsonObject
    decision: Decision
    expires_at: int
    origins: Mapping[str, str] = field(default_factory=dict[str, str])

    def event(self, step: int) -> ApprovalAsked:
        """The question as the log holds it."""
        asking = self.grant.asking
        return ApprovalAsked(
            step=step,
            call=self.call,
            approval=str(uuid7()),
            tool=self.grant.name,
            arguments=self.arguments,
            effect=self.grant.effect,
            decision=self.decision,
            digest=fingerprint(self.arguments),
            expires_at=self.expires_at,
            origins=self.origins,
            summary=asking.summary,
            people=asking.people,
            roles=asking.roles,
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that must not take place, with the words that the model reads."""

    call: Call
    decision: Decision
    origins: Mapping[str, str] = field(default_factory=dict[str, str])

    def event(self, step: int) -> ToolDenied:
        """The refusal as the log holds it."""
        return ToolDenied(
            step=step,
            call=self.call.id,
            tool=self.call.tool,
            arguments=self.call.arguments,
            decision=self.decision,
            content=(Text(storable(f"This call was not made. {self.decision.reason}")),),
            origins=self.origins,
        )


@dataclass(frozen=True, slots=True)
class Later:
    """A call that may be made, and not now: a limit is reached, a switch stands. It is judged anew after `seconds`.

    `cause` is what a run that has to wait long is parked for: `rate`, `circuit` or `switch`.
    """

    call: Call
    cause: str
    why: str
    seconds: float


ToolVerdict: TypeAlias = Intent | Inquiry | Refusal | Later


def idempotency_key(facts: ToolFacts, call: str) -> str:
    """The key of a call: the same at every try and attempt, another for every other call.

    The step is part of it because some providers number the calls of each answer from zero. No secret is: a rotated
    secret must not make a repeated payment look like a new one.
    """
    name = f"{facts.tenant}/{facts.run}/{facts.step}/{call}"
    return "qd_" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:40]
