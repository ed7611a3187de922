"""From a request to a run: what was sent, judged and made storable; the release that it takes; one transaction.

This is the way that every run comes in, so it does little: two or three statements beside the insert, and no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import msgspec
from pydantic import ValidationError

from quarterdeck.blobs.service import Blobs
from quarterdeck.core.errors import Forbidden
from quarterdeck.core.ids import ThreadId, UserId, new_run_id
from quarterdeck.core.json import Json, JsonObject, encode_text, is_finite
from quarterdeck.core.text import is_storable, shorten, storable, storable_json
from quarterdeck.db.records import Tx
from quarterdeck.http.actor import Actor, Role
from quarterdeck.http.answers import Answer
from quarterdeck.http.context import context_of
from quarterdeck.http.fixes import explain_invalid, invalid
from quarterdeck.http.idempotency import digest_of, key_of
from quarterdeck.releases.records import Release
from quarterdeck.runs import view
from quarterdeck.runs.bodies import LONGEST_DELAY, Conversation, Wanted
from quarterdeck.runs.desk import Desk, agent_of
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.messages import Message, ModelMessage, Stored, Text, UserMessage
from quarterdeck.runs.records import Run, Strategy, Submission
from quarterdeck.runs.waits import settled
from quarterdeck.spec.template import bind

INLINE = 16 * 1024
"""Bytes of one message that stand in the log itself; more is kept as a blob with a beginning."""
_BEGINNING = 1_000


@dataclass(frozen=True, slots=True)
class Target:
    """What a run is for: the agent, perhaps with a version, the end user, and the conversation."""

    agent: str
    user_id: UserId
    thread: ThreadId | None = None


async def submit(desk: Desk, wanted: Wanted, target: Target) -> tuple[Run, Release, bool]:
    """Admit a run: the run, the release asked for, and whether it is new. Once this returns, it can't be lost.

    Raises Forbidden, Invalid, NoSuchAgent, NoSuchRelease, AgentDisabled, KeyReused, QueueFull, and what threads raise.
    """
    actor = desk.actor
    actor.require(Role.CALLER)
    actor.require_agent(agent_of(target.agent))
    messages = messages_of(wanted.input)
    key = key_of(desk.request, actor)
    digest = await digest_of(desk.request, actor) if key else None
    async with desk.transaction() as tx:
        release = await desk.releases.resolve(tx, desk.tenant, version_of(target.agent, wanted.release))
        submission = Submission(
            tenant=desk.tenant,
            id=new_run_id(),
            agent=release.agent,
            release=release.id,
            behaviour=release.behaviour,
            user_id=target.user_id,
            submitted_by=actor.subject,
            variables=variables_of(release, wanted.variables),
            thread=target.thread,
            priority=wanted.priority,
            tags=tags_of(wanted.tags),
            available_at=available_at(wanted, desk.parts.clock.now()),
            dedup_key=key,
            dedup_digest=digest,
            traceparent=context_of(desk.request.scope).traceparent,
            roles=roles_of(actor, wanted.user_roles),
            claims=claims_of(actor, wanted.user_claims),
        )
        run, is_new = await _admit(desk, tx, submission, messages, wanted.multitask_strategy)
    return run, release, is_new


async def _admit(
    desk: Desk, tx: Tx, submission: Submission, messages: Sequence[Message], strategy: Strategy
) -> tuple[Run, bool]:
    small = [await _kept_small(desk.blobs, tx, submission, message) for message in messages]
    if submission.thread is not None:
        run, is_new = await desk.lanes.submit(tx, submission, small, strategy, desk.actor)
    else:
        run, is_new = await desk.runs.submit(submission, small, tx=tx)
    if not is_new:
        await desk.blobs.let_go(tx, submission.tenant, str(submission.id))
    return run, is_new


async def _kept_small(blobs: Blobs, tx: Tx, submission: Submission, message: Message) -> Message:
    """A message whose long texts are blobs of the run."""
    match message:
        case UserMessage(content=(Text(text=text) as part,)) | ModelMessage(content=(Text(text=text) as part,)):
            # Four bytes are the most that a character takes: what is surely short needs no encoding to know it.
            if len(text) * 4 <= INLINE or len(raw := text.encode()) <= INLINE:
                return message
            key = await blobs.put(tx, submission.tenant, raw, str(submission.id))
            stored = Stored(key.hex(), len(raw), begins=shorten(text, _BEGINNING), label=part.label)
            return msgspec.structs.replace(message, content=(stored,))
        case _:
            return message


async def answer(desk: Desk, run: Run, release: Release, *, is_new: bool, wait: float) -> Answer:
    """What a submitter is told: the run at once, or once it has settled, if that takes no longer than `wait`."""
    if wait > 0:
        run = await desk.waits.until_settled(desk.tenant, run.id, wait)
    if is_new and run.attempt == 0 and not run.ended:
        now = desk.parts.clock.now()
        record = view.whole(run, RunState(), release.limits, desk.actor.tenant_slug, now, release.owner)
    else:
        async with desk.transaction() as tx:
            record = await desk.shown(tx, run)
    headers = {} if is_new else {"idempotency-replayed": "true"}
    status = 200 if wait > 0 and settled(run) else 202
    return Answer(record, status, location=f"/v1/runs/{run.id}", headers=headers)


def messages_of(sent: str | Mapping[str, Json]) -> tuple[Message, ...]:
    """The input as messages: words, a conversation, or an object as its JSON text. Raises Invalid."""
    if isinstance(sent, str):
        return (UserMessage((Text(storable(sent)),)),)
    _check_numbers("body.input", sent)
    if list(sent) != ["messages"]:
        return (UserMessage((Text(encode_text(storable_json(sent))),)),)
    try:
        said = Conversation.model_validate(sent).messages
    except ValidationError as fault:
        errors = fault.errors(include_url=False, include_input=False)
        raise explain_invalid([{**error, "loc": ("body", "input", *error["loc"])} for error in errors]) from None
    if said[-1].role != "user":
        raise invalid("body.input.messages", "the last message is not the user's", "end with what the user said")
    return tuple(
        UserMessage((Text(storable(one.content)),))
        if one.role == "user"
        else ModelMessage((Text(storable(one.content)),))
        for one in said
    )


def _check_numbers(place: str, sent: Mapping[str, Json]) -> None:
    if not is_finite(sent):
        raise invalid(place, "it holds NaN or an infinite number, for which JSON has no form", "send finite numbers")


def version_of(agent: str, release: str | None) -> str:
    """`agent` or `agent@version`, from an agent that may have its version with it. Raises Invalid when it has two."""
    if release is None:
        return agent
    if "@" in agent:
        raise invalid("body.release", "the agent names a release as well", "leave one of the two out")
    return f"{agent}@{release}"


def variables_of(release: Release, given: Mapping[str, Json]) -> JsonObject:
    """The values as the run's log keeps them: those that were given. Raises Invalid unless they fit the declaration."""
    _check_numbers("body.variables", given)
    sent = cast("JsonObject", storable_json(given))
    if sent or release.variables:
        bind(cast("Mapping[str, JsonObject]", release.variables), sent)
    return sent


def tags_of(tags: Mapping[str, str]) -> Mapping[str, str]:
    """The tags, storable."""
    return {storable(name): storable(value) for name, value in tags.items()} if tags else {}


def available_at(wanted: Wanted, now: datetime) -> datetime | None:
    """When the run may begin; None for at once. Raises Invalid."""
    if wanted.delay_s is not None and wanted.available_at is not None:
        raise invalid("body.delay_s", "available_at says when as well", "leave one of the two out")
    if wanted.delay_s:
        return now + timedelta(seconds=wanted.delay_s)
    at = wanted.available_at
    if at is None or at <= now:
        return None
    if at > now + LONGEST_DELAY:
        raise invalid("body.available_at", "it is more than a year away", "send an earlier time")
    return at


def user_of(actor: Actor, user_id: str | None) -> UserId:
    """The end user that a run is made for. Raises Forbidden, or Invalid for what can't be a user's id."""
    if user_id is not None and not (user_id.isprintable() and is_storable(user_id)):
        raise invalid("body.user_id", "this is no user id", "send printable characters")
    return actor.on_behalf_of(user_id)


def roles_of(actor: Actor, roles: Sequence[str]) -> tuple[str, ...]:
    """The end user's roles, which only a trusted backend may tell. Raises Forbidden."""
    if roles and not actor.may_assert_user:
        raise Forbidden("This key may not say what roles an end user has; it needs may_assert_user.")
    return tuple(dict.fromkeys(storable(role) for role in roles))


def claims_of(actor: Actor, claims: Mapping[str, Json]) -> JsonObject:
    """What else a trusted backend tells of the end user. Raises Forbidden, or Invalid for numbers JSON has none for."""
    if claims and not actor.may_assert_user:
        raise Forbidden("This key may not make claims about an end user; it needs may_assert_user.")
    _check_numbers("body.user_claims", claims)
    return cast("JsonObject", storable_json(claims))
