"""A question that a person answers, who answers it, and why an answer may not be taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from quarterdeck.core.errors import Conflict, Error, Forbidden, Invalid, NotFound
from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, UserId
from quarterdeck.core.json import Json, JsonObject


class State(StrEnum):
    """Where a question stands. Expired is not denied: nobody said no. Withdrawn: its run needs no answer any more."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Verdict(StrEnum):
    """What a person says."""

    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Person:
    """Who answers, as far as this deployment can tell people apart: a key, and the user that it speaks for.

    `by` is how records name them. A signed link has neither roles nor a user, only the name of the link.
    """

    by: str
    user: str = ""
    roles: frozenset[str] = frozenset()
    link: bool = False


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's yes, to the arguments of this digest and no others."""

    by: str
    user: str
    at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Approval:
    """One row of `qd.approvals`."""

    tenant: TenantId
    id: UUID
    run: RunId
    call: str
    step: int
    tool: str
    agent: AgentName
    release: ReleaseId
    user_id: UserId
    effect: str
    risk: str
    arguments: JsonObject
    digest: str
    origins: Mapping[str, str]
    decision: Mapping[str, Json]
    effective: str
    template: str
    summary: str
    people: int
    roles: tuple[str, ...]
    state: State
    votes: tuple[Vote, ...]
    edited: JsonObject | None
    asked_at: datetime
    expires_at: datetime
    answered_at: datetime | None
    answered_by: tuple[str, ...]
    why: str
    consumed_at: datetime | None

    @property
    def wanted(self) -> JsonObject:
        """What is asked about now: the arguments as the agent gave them, or as a reviewer changed them."""
        return self.arguments if self.edited is None else self.edited


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it came in. `digest` is of the arguments that the person saw; `arguments` where they changed them.

    `many` says that it came for a whole list at once.
    """

    verdict: Verdict
    person: Person
    digest: str | None = None
    arguments: JsonObject | None = None
    why: str = ""
    many: bool = False


class NoSuchApproval(NotFound):
    """There is no such approval here."""

    code = "approval.not_found"


class AlreadyAnswered(Conflict):
    """This question has its answer already; `approval_state`, `answered_by` and `answered_at` say which."""

    code = "approval.already_answered"


class Changed(Conflict):
    """This is not what is asked about now; look at the approval again and send its present `digest`."""

    code = "approval.changed"


class DigestMissing(Invalid):
    """Approving needs `digest`, as the approval shows it: a yes is to what was seen and to nothing else."""

    code = "approval.digest_missing"


class ReasonMissing(Invalid):
    """Denying needs a reason in `why`: the agent and the person behind it are told."""

    code = "approval.reason_missing"


class EditRefused(Invalid):
    """These arguments can't be approved: they hold a number that JSON has no form for."""

    code = "approval.edit_refused"


class NotYourRole(Forbidden):
    """This question is for other roles than yours."""

    code = "approval.not_your_role"


class OwnRun(Forbidden):
    """Where two people have to agree, none of them may be the one for whom the run was made or who submitted it."""

    code = "approval.own_run"


class NotAnotherPerson(Forbidden):
    """Somebody with this key or this name has approved already; somebody else has to as well."""

    code = "approval.not_another_person"


class LinkNotEnough(Forbidden):
    """A link can't answer this: it needs two people, or its effect can't be undone. Answer it signed in."""

    code = "approval.link_not_enough"


class LinkInvalid(Error):
    """This link is not from us, was altered, or its time is over."""

    code, status = "approval.link_invalid", 401


class NotForMany(Conflict):
    """Only reads and plain writes that one person may approve are approved many at once; answer this one by itself."""

    code = "approval.not_for_many"
