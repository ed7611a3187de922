"""Records of policies: what a tenant has put in force, and what it comes to."""

from collections.abc import Mapping
from datetime import datetime

from quarterdeck.core.json import Json
from quarterdeck.sdk.records import Record


class Finding(Record, frozen=True, kw_only=True):
    """Something found in a policy text. Lines and columns count from 1; a warning hinders nothing."""

    file: str
    line: int
    column: int
    problem: str
    fix: str
    warning: bool = False


class Policy(Record, frozen=True, kw_only=True):
    """A version of a policy. `says` are its policies in words; `changes` and `warnings` come with a put."""

    name: str
    version: int
    text: str | None = None
    says: list[str] = []
    why: str = ""
    set_by: str = ""
    set_at: datetime | None = None
    etag: str | None = None
    changes: list[str] = []
    warnings: list[Finding] = []


class Findings(Record, frozen=True, kw_only=True):
    """What was found in a text."""

    findings: list[Finding] = []
    says: list[str] = []


class Difference(Record, frozen=True, kw_only=True):
    """What two versions of a policy say differently."""

    name: str
    changes: list[str] = []


class PolicyFile(Record, frozen=True, kw_only=True):
    """A file of policies that a release brings."""

    name: str
    text: str
    says: list[str] = []


class ReleasePolicies(Record, frozen=True, kw_only=True):
    """A release's policies as they are judged, and the Cedar schema that its tools make."""

    release: str
    agent: str
    schema: str = ""
    texts: list[PolicyFile] = []


class Deciding(Record, frozen=True, kw_only=True):
    """A policy that decided."""

    id: str
    says: str = ""


class Explanation(Record, frozen=True, kw_only=True):
    """What policies say of a call that nobody makes, which decided, and the context that they saw."""

    verdict: str
    reason: str = ""
    policies: list[Deciding] = []
    errors: list[str] = []
    agent: str = ""
    release: str = ""
    effective: str = ""
    context: Mapping[str, Json] = {}


class ChangedCall(Record, frozen=True, kw_only=True):
    """A call of the past that a changed policy would judge differently."""

    run: str
    agent: str
    step: int
    call: str
    tool: str
    at: datetime
    recorded: str
    before: str
    after: str
    policies: list[str] = []
    reason: str = ""


class Simulation(Record, frozen=True, kw_only=True):
    """A part of what a changed policy would have changed; with `next_cursor` there is more to look at."""

    since: datetime
    runs: int = 0
    calls: int = 0
    unread: int = 0
    changed: list[ChangedCall] = []
    changes: list[str] = []
    next_cursor: str | None = None


class Condition(Record, frozen=True, kw_only=True):
    """A policy that speaks of a tool; without conditions it always applies."""

    verb: str
    when: list[str] = []
    policy: str = ""
    by: str = ""
    reason: str = ""


class Permission(Record, frozen=True, kw_only=True):
    """What an agent may do with a tool: allow, ask, deny, or depends on the conditions."""

    agent: str
    release: str
    tool: str
    server: str = ""
    effect: str = ""
    autonomy: str = ""
    verdict: str
    roles: list[str] = []
    conditions: list[Condition] = []


class Unused(Record, frozen=True, kw_only=True):
    """A tool that is granted and was not used."""

    agent: str
    release: str
    tool: str
    server: str = ""
    effect: str = ""
    granted_at: datetime | None = None


class Pattern(Record, frozen=True, kw_only=True):
    """An anti-pattern of an agent's release."""

    agent: str
    release: str
    kind: str
    about: list[str] = []
    problem: str = ""
    fix: str = ""
