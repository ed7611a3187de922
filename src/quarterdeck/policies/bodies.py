"""What `/v1/policies` takes and shows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.reports import May
from quarterdeck.policies.sayings import saying_of, sayings
from quarterdeck.policies.service import Explained
from quarterdeck.policies.tenant import MAX_TEXT, TenantPolicy
from quarterdeck.spec import values
from quarterdeck.spec.findings import Finding

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
CedarText = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Why = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
AgentOrRelease = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_SPOKEN = dict[str, object]


class PolicyWish(BaseModel):
    """A policy to put in force."""

    model_config = ConfigDict(extra="forbid")

    text: CedarText = Field(
        description="Cedar. `forbid` and `@ask` only: a tenant's policy narrows what releases grant.",
        examples=['@reason("No refunds on Sundays.")\nforbid(principal, action == Action::"refund", resource);'],
    )
    why: Why = Field(description="The reason, kept with the version.")


class PolicyRecord(BaseModel):
    """A version of a policy."""

    name: str
    version: int
    text: str | None = Field(description="null in the version that removed it.")
    says: list[str] = Field(description="Its policies in words.")
    why: str
    set_by: str
    set_at: datetime
    etag: str | None = Field(description="For If-Match; null for what is not in force.")


class FindingRecord(BaseModel):
    """Something found in a text. Lines and columns count from 1; 0 stands for the text as a whole."""

    file: str
    line: int
    column: int
    problem: str
    fix: str
    warning: bool = Field(description="Hinders nothing.")


class KeptRecord(PolicyRecord):
    """A policy that was put in force."""

    changes: list[str] = Field(description="What it says differently from the version before, in words.")
    warnings: list[FindingRecord]


class PolicyPage(BaseModel):
    """A page of policies."""

    items: list[PolicyRecord]
    next_cursor: str | None


class DifferenceRecord(BaseModel):
    """What two versions say differently."""

    name: str
    changes: list[str]


class ReleasePoliciesRecord(BaseModel):
    """A release's policies as they are judged."""

    release: str
    agent: str
    schema_: str = Field(alias="schema", description="The Cedar schema that its tools make.")
    texts: list["TextRecord"]


class TextRecord(BaseModel):
    """A file of policies."""

    name: str
    text: str
    says: list[str]


class PolicyTrial(BaseModel):
    """A text to look through."""

    model_config = ConfigDict(extra="forbid")

    text: CedarText
    name: Name = "policy"
    release: AgentOrRelease | None = Field(
        default=None, description="An agent, `agent@version` or an id; left out = every agent's current release."
    )


class FindingsRecord(BaseModel):
    """What was found: nothing where the text may be put in force as it is."""

    findings: list[FindingRecord]
    says: list[str]


class Question(BaseModel):
    """A call that nobody makes."""

    model_config = ConfigDict(extra="forbid")

    agent: AgentOrRelease | None = Field(default=None, description="An agent or `agent@version`.")
    release: AgentOrRelease | None = Field(default=None, description="Instead of `agent`: a release's id.")
    tool: str = Field(max_length=200)
    arguments: _SPOKEN = Field(default_factory=_SPOKEN)
    user: str = Field(default="", max_length=200)
    roles: list[str] = Field(default_factory=list[str], max_length=100)
    claims: _SPOKEN = Field(default_factory=_SPOKEN)
    origins: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="Where arguments come from, by path; what is not named comes from the user.",
        examples=[{"to": "untrusted"}],
    )
    tainted: bool | None = Field(default=None, description="Left out = whether an origin is `untrusted`.")
    autonomy: str | None = Field(default=None, description="Left out = what the release allows.")
    calls_in_run: int = Field(default=0, ge=0)
    calls_by_user_today: int = Field(default=0, ge=0)
    affected_in_run: int = Field(default=0, ge=0)
    budget_left_micro_usd: int | None = Field(default=None, ge=0)
    approved: bool = False
    now: datetime | None = None


class DecidingRecord(BaseModel):
    """A policy that decided."""

    id: str
    says: str = Field(description="What it says, in words; empty for rules that are no text.")


class ExplanationRecord(BaseModel):
    """What policies say of the call, which of them decided, and the context that they saw."""

    verdict: str
    reason: str
    policies: list[DecidingRecord]
    errors: list[str]
    agent: str
    release: str
    effective: str = Field(description="Digest of the tenant's policies that were asked.")
    context: dict[str, object]


class SimulationWish(BaseModel):
    """A changed policy, to be tried on calls of the past."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    text: CedarText | None = Field(description="null = the policy is removed.")
    days: int = Field(default=7, ge=1, le=90)
    agent: str | None = Field(default=None, pattern=values.NAME)
    cursor: str | None = Field(default=None, max_length=1024, description="`next_cursor` of the answer before.")


class ChangedRecord(BaseModel):
    """A call that would have been judged differently."""

    run: UUID
    agent: str
    step: int
    call: str
    tool: str
    at: datetime
    recorded: str = Field(description="What the gate as a whole said then.")
    before: str
    after: str
    policies: list[str]
    reason: str


class SimulationRecord(BaseModel):
    """What would have changed. With `next_cursor` there are more runs to look at."""

    since: datetime
    runs: int
    calls: int
    unread: int = Field(description="Calls whose release or tool is not there any more.")
    changed: list[ChangedRecord]
    changes: list[str] = Field(description="What the text says differently from the one in force, in words.")
    next_cursor: str | None


class ConditionRecord(BaseModel):
    """A policy that speaks of the tool."""

    verb: str
    when: list[str] = Field(description="All of these must hold for it to apply; none = always.")
    policy: str
    by: str = Field(description="`release` or `tenant`.")
    reason: str


class MayRecord(BaseModel):
    """What an agent may do with a tool."""

    agent: str
    release: str
    tool: str
    server: str
    effect: str
    autonomy: str
    verdict: str = Field(description="`allow`, `ask`, `deny`, or `depends` on the conditions.")
    roles: list[str] = Field(description="Roles that policies speak of.")
    conditions: list[ConditionRecord]


class MayPage(BaseModel):
    """Who may do what."""

    items: list[MayRecord]
    next_cursor: str | None


class UnusedRecord(BaseModel):
    """A tool that is granted and was not used."""

    agent: str
    release: str
    tool: str
    server: str
    effect: str
    granted_at: datetime = Field(description="Since when the present release grants it.")


class UnusedPage(BaseModel):
    """Granted and never used."""

    items: list[UnusedRecord]
    next_cursor: str | None


class PatternRecord(BaseModel):
    """An anti-pattern."""

    agent: str
    release: str
    kind: str
    about: list[str]
    problem: str
    fix: str


class PatternPage(BaseModel):
    """Anti-patterns of current releases."""

    items: list[PatternRecord]
    next_cursor: str | None


def show_policy(policy: TenantPolicy, etag: str | None) -> dict[str, object]:
    """A version as people see it."""
    return {
        "name": policy.name,
        "version": policy.version,
        "text": policy.text,
        "says": told(policy.text or ""),
        "why": policy.why,
        "set_by": policy.set_by,
        "set_at": policy.set_at,
        "etag": etag,
    }


def show_text(text: PolicyText) -> dict[str, object]:
    """A file of policies as people see it."""
    return {"name": text.name, "text": text.text, "says": told(text.text)}


def show_findings(wanted: PolicyText, findings: Sequence[Finding]) -> dict[str, object]:
    """What was found in a text."""
    return {"findings": [finding.as_json() for finding in findings], "says": told(wanted.text)}


def told(text: str) -> list[str]:
    """A text's policies in words."""
    return [str(saying) for saying in sayings(PolicyText("", text))]


def show_explained(explained: Explained) -> dict[str, object]:
    """What policies say of a call. Tables of Cedar's are not shown: what they know of the call is."""
    told_by = {one.id: str(saying_of(one) or "") for one in explained.asked}
    return {
        "verdict": explained.verdict.verdict,
        "reason": explained.verdict.reason,
        "policies": [{"id": name, "says": told_by.get(name, "")} for name in explained.verdict.policies],
        "errors": explained.verdict.errors,
        "agent": explained.release.agent,
        "release": explained.release.id,
        "effective": explained.effective,
        "context": explained.context,
    }


def show_may(may: May) -> dict[str, object]:
    """What an agent may do with a tool."""
    return {
        "agent": may.release.agent,
        "release": may.release.id,
        "tool": may.tool.name,
        "server": may.tool.server,
        "effect": may.tool.effect,
        "autonomy": may.tool.autonomy,
        "verdict": may.verdict,
        "roles": may.roles,
        "conditions": [
            {
                "verb": each.saying.verb,
                "when": each.saying.conditions,
                "policy": each.policy,
                "by": each.by,
                "reason": each.saying.reason,
            }
            for each in may.conditions
        ],
    }
