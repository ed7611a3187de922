"""Whether an answer counts, and what follows from it. Pure.

The order of the checks is the contract: what has its answer stays answered; a question whose run or time is over takes
none; then who may answer, and only then what they say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from quarterdeck.approvals.records import (
    AlreadyAnswered,
    Approval,
    Changed,
    DigestMissing,
    EditRefused,
    LinkNotEnough,
    NotAnotherPerson,
    NotForMany,
    NotYourRole,
    OwnRun,
    Person,
    ReasonMissing,
    Said,
    State,
    Verdict,
    Vote,
)
from quarterdeck.core.clock import moment
from quarterdeck.core.json import JsonObject, fingerprint, is_finite
from quarterdeck.http.records import Actor
from quarterdeck.runs.records import Effect, Run, Status
from quarterdeck.runs.wording import in_words

REVIEWER = "reviewer"
OWNER = "owner"
_AS = " as "
_LOW_RISK = frozenset({Effect.READ, Effect.WRITE})


@dataclass(frozen=True, slots=True)
class Same:
    """This person has said so before: nothing happens twice."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A yes that alone is not enough."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class Settled:
    """The question has its answer."""

    approval: Approval
    state: State
    by: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Lapsed:
    """The answer came too late: nobody said no, and the question is `expired` or `withdrawn`."""

    state: State
    why: str


Outcome: TypeAlias = Same | Counted | Settled | Lapsed


def judge(held: Approval, run: Run, said: Said, now: datetime) -> Outcome:
    """What an answer comes to. Raises the reason for which it does not count."""
    if held.state is not State.PENDING:
        if repeats(held, said):
            return Same()
        raise answered(held)
    if (lapsed := lapse(held, run, now)) is not None:
        return lapsed
    _check_person(held, said)
    if said.verdict is Verdict.DENY:
        if not said.why.strip():
            raise ReasonMissing
        return Settled(held, State.DENIED, (said.person.by,), said.why)
    return _judge_yes(held, run, said, now)


def lapse(held: Approval, run: Run, now: datetime) -> Lapsed | None:
    """Why a pending question can't be answered any more; None while it can."""
    if run.ended or run.status is Status.CANCELLING or run.cancel_requested_at is not None:
        return Lapsed(State.WITHDRAWN, "its run ended before anybody answered")
    if now >= held.expires_at:
        return Lapsed(State.EXPIRED, "nobody answered in time")
    return None


def answered(held: Approval) -> AlreadyAnswered:
    """The refusal that says what has become of a question."""
    return AlreadyAnswered(
        f"This question is {held.state.value} already.",
        approval_id=str(held.id),
        approval_state=held.state.value,
        answered_by=list(held.answered_by),
        answered_at=moment(held.answered_at),
        why=held.why,
    )


def repeats(held: Approval, said: Said) -> bool:
    """Whether an answer says what its person has said before, as a second click does."""
    if said.verdict is Verdict.DENY:
        return held.state is State.DENIED and said.person.by in held.answered_by
    voted = any(vote.by == said.person.by and vote.digest == held.digest for vote in held.votes)
    if held.state not in {State.PENDING, State.APPROVED} or not voted:
        return False
    if said.arguments is not None:
        return digest_of(said.arguments) == held.digest
    return said.digest == held.digest or (said.many and said.digest is None)


def may_link(held: Approval) -> bool:
    """Whether a link is enough: one person decides, and what is done can be undone."""
    return held.people == 1 and held.risk != "irreversible"


def may_many(held: Approval) -> bool:
    """Whether a yes to a whole list may include this."""
    return held.people == 1 and held.effect in _LOW_RISK


def digest_of(arguments: JsonObject) -> str:
    """What a yes to these arguments is bound to. Raises EditRefused where they can't be sent as they are."""
    if not is_finite(arguments):
        raise EditRefused
    return fingerprint(arguments)


def person_of(actor: Actor) -> Person:
    """Who answers, by key or session: named with the user that they speak for, where that is not the key itself."""
    return Person(actor.named, actor.user_id, frozenset(str(role) for role in actor.roles))


def _check_person(held: Approval, said: Said) -> None:
    person = said.person
    if person.link:
        if not may_link(held) or said.arguments is not None:
            raise LinkNotEnough(people=held.people, risk_level=held.risk)
        return
    wanted = held.roles or (REVIEWER,)
    if OWNER not in person.roles and person.roles.isdisjoint(wanted):
        raise NotYourRole(needs=[*wanted, OWNER], has=sorted(person.roles))


def _judge_yes(held: Approval, run: Run, said: Said, now: datetime) -> Outcome:
    if repeats(held, said):
        return Same()
    if said.many and not may_many(held):
        raise NotForMany(effect=held.effect, people=held.people)
    if not said.many:
        if said.digest is None:
            raise DigestMissing
        if said.digest != held.digest:
            raise Changed(digest=held.digest, summary=held.summary)
    if held.people > 1 and _is_own(run, said.person):
        raise OwnRun
    edited = _edited(held, said)
    standing = [vote for vote in edited.votes if vote.digest == edited.digest]
    if any(_is_same(vote, said.person) for vote in standing):
        raise NotAnotherPerson(voted=[vote.by for vote in standing])
    vote = Vote(said.person.by, said.person.user, now, edited.digest)
    counted = replace(edited, votes=(*edited.votes, vote))
    by = tuple(one.by for one in (*standing, vote))
    if len(by) < held.people:
        return Counted(counted)
    return Settled(counted, State.APPROVED, by, said.why)


def _edited(held: Approval, said: Said) -> Approval:
    """The question with the arguments that the reviewer wants; yeses to others stand in it and don't count."""
    if said.arguments is None or (made := digest_of(said.arguments)) == held.digest:
        return held
    edited = None if made == digest_of(held.arguments) else said.arguments
    words = in_words(held.tool, said.arguments, held.template)
    return replace(held, edited=edited, digest=made, summary=words)


def _is_own(run: Run, person: Person) -> bool:
    return key_of(person.by) == key_of(run.submitted_by) or person.user == run.user_id


def _is_same(vote: Vote, person: Person) -> bool:
    """Whether two may be one: whoever shares a key or a name is not another person."""
    return key_of(vote.by) == key_of(person.by) or vote.user == person.user


def key_of(by: str) -> str:
    """The key in a name."""
    return by.partition(_AS)[0]


def why_resumed(state: State, tool: str, by: Sequence[str]) -> str:
    """Why a run that waited goes on."""
    match state:
        case State.APPROVED:
            return f"{', '.join(by)} approved {tool}"
        case State.DENIED:
            return f"{', '.join(by)} denied {tool}"
        case State.EXPIRED:
            return f"nobody answered in time whether {tool} may be called"
        case _:
            return f"the question about {tool} was withdrawn"
