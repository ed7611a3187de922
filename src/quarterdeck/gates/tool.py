"""The tool gate: the only way from a model's wish to an effect.

`decide` judges a call and makes it an intent, which the loop commits; `perform` then carries the intent out. A refusal
and an outcome are handed back as the events that the log holds.
"""

import asyncio
import difflib
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import JsonObject, decode, encode
from quarterdeck.core.text import shorten, storable
from quarterdeck.gates.outcomes import Outcome, Results
from quarterdeck.gates.records import ALLOW, Check, Ruling, Verdict, deny
from quarterdeck.gates.rules import decide
from quarterdeck.models.records import ToolOffer
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.events import Decision, ToolCalled, ToolDenied
from quarterdeck.runs.messages import Call, Text
from quarterdeck.runs.records import Effect, Repeat
from quarterdeck.tools.records import Failed, Keep, Progress, Toolbox, ToolOutcome, ToolRequest, Unknown
from quarterdeck.tools.schemas import Schema

BEGIN_WITHIN = 10.0
"""Seconds after its intent within which a call may begin, at least; a longer time-out allows later tries."""
MAX_ARGUMENTS = 256 * 1024
_BACKOFF, _BACKOFF_LIMIT = 0.25, 5.0
_CACHED_RELEASES = 256


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What the loop knows of the run when a call is judged. `again` = decided before, by an attempt that died."""

    tenant: TenantId
    run: RunId
    user: str
    step: int
    attempt: int
    tool_calls: int = 0
    again: bool = False
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A call that was allowed. It may be sent once its event is committed, and may not begin after `not_after`.

    `key` is the same at every try and attempt. `boot_deadline` is `not_after` on this machine's boot-time clock.
    """

    call: str
    grant: ToolGrant
    arguments: JsonObject
    decision: Decision
    key: str
    not_after: int
    boot_deadline: float

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
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that must not take place, with the words that the model reads."""

    call: Call
    decision: Decision

    def event(self, step: int) -> ToolDenied:
        """The refusal as the log holds it."""
        return ToolDenied(
            step=step,
            call=self.call.id,
            tool=self.call.tool,
            arguments=self.call.arguments,
            decision=self.decision,
            content=(Text(storable(f"This call was not made. {self.decision.reason}")),),
        )


ToolVerdict: TypeAlias = Intent | Refusal


@dataclass(frozen=True, slots=True)
class Wish:
    """What the checks look at: the call, what the release grants, and the facts of the run."""

    call: Call
    release: Release
    grant: ToolGrant | None
    granted: "Granted"
    facts: ToolFacts


def known(wish: Wish) -> Ruling:
    """The release grants a tool of that name. Default deny starts here."""
    if wish.grant is not None:
        return ALLOW
    names = [tool.name for tool in wish.release.tools]
    near = difflib.get_close_matches(wish.call.tool, names, 1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    listed = ", ".join(names) or "none at all"
    return deny(f"There is no tool called `{shorten(wish.call.tool, 80)}`.{hint} You have: {listed}.")


def schema(wish: Wish) -> Ruling:
    """The arguments are a JSON object that fits the tool's schema."""
    if wish.call.raw is not None:
        return deny(f"Its arguments are not a JSON object: {_fault(wish.call.raw)}. Send them as one JSON object.")
    problems = wish.granted.schema_of(wish.call.tool).problems(wish.call.arguments)
    if not problems:
        return ALLOW
    return deny("Its arguments do not fit the schema:\n" + "\n".join(f"- {problem}" for problem in problems))


def limits(wish: Wish) -> Ruling:
    """The run may make this many calls, and a call may be this big."""
    most = wish.release.limits.max_tool_calls
    if wish.facts.tool_calls >= most and not wish.facts.again:
        return deny(f"The limit of {most} tool calls a run is reached. Answer with what you have.", "tool_calls")
    size = len(encode(wish.call.arguments))
    if size > MAX_ARGUMENTS:
        return deny(f"Its arguments have {size:,} bytes; {MAX_ARGUMENTS:,} are allowed.", "arguments")
    return ALLOW


CHECKS: tuple[Check[Wish], ...] = (known, schema, limits)  # the order is the contract


class Granted:
    """A release's tools as the gate needs them; each schema is compiled when it is first needed."""

    def __init__(self, release: Release) -> None:
        self._grants: Mapping[str, ToolGrant] = {tool.name: tool for tool in release.tools}
        self._compiled: dict[str, Schema] = {}
        self.offers = tuple(ToolOffer(tool.name, tool.description, tool.parameters) for tool in release.tools)

    def grant(self, name: str) -> ToolGrant | None:
        """The grant of that name."""
        return self._grants.get(name)

    def schema_of(self, name: str) -> Schema:
        """The compiled schema of a granted tool."""
        compiled = self._compiled.get(name)
        if compiled is None:
            compiled = self._compiled[name] = Schema(self._grants[name].parameters)
        return compiled


class ToolGate:
    """The door to tools, one per process. Nothing of a run is kept in it."""

    def __init__(self, tools: Toolbox, keep: Keep, clock: Clock) -> None:
        self._tools = tools
        self._clock = clock
        self._results = Results(keep)
        self._releases: dict[tuple[TenantId, str], Granted] = {}

    def offers(self, release: Release) -> tuple[ToolOffer, ...]:
        """The release's tools as the model is shown them: the same tuple each time."""
        return self._granted(release).offers

    def decide(self, release: Release, call: Call, facts: ToolFacts) -> ToolVerdict:
        """An intent to commit and then perform, or a refusal that the model is told. Never raises.

        The same call gets the same key again, at every attempt.
        """
        granted = self._granted(release)
        grant = granted.grant(call.tool)
        decision = decide(CHECKS, Wish(call, release, grant, granted, facts))
        if grant is None or decision.verdict != Verdict.ALLOW:
            return Refusal(call, decision)
        within = max(BEGIN_WITHIN, grant.timeout)
        return Intent(
            call=call.id,
            grant=grant,
            arguments=call.arguments,
            decision=decision,
            key=idempotency_key(facts, call.id),
            not_after=int((self._clock.now().timestamp() + within) * 1000),
            boot_deadline=self._clock.boot() + within,
        )

    async def perform(
        self,
        release: Release,
        intent: Intent,
        facts: ToolFacts,
        cancel: asyncio.Event | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Carry a committed intent out and answer the event to append: answered, failed or unknown. Never raises.

        Tries again where that can do no harm, with the same key, as long as a try may still begin. Big results are kept
        as blobs. `cancel` set: the tool is told; what it had not begun is failed, what it had may be unknown.
        """
        request = ToolRequest(
            tenant=facts.tenant,
            run=facts.run,
            user=facts.user,
            release=release,
            grant=intent.grant,
            call=intent.call,
            arguments=intent.arguments,
            key=intent.key,
            not_after=intent.not_after,
            boot_deadline=intent.boot_deadline,
            attempt=facts.attempt,
            traceparent=facts.traceparent,
        )
        tries, began = 0, self._clock.boot()
        while True:
            tries += 1
            outcome = await self._tools.perform(request, cancel, progress)
            pause = pause_before_next(outcome, intent, tries, self._clock.boot())
            if pause is None or await _told_to_stop(cancel, pause):
                break
        ms = int((self._clock.boot() - began) * 1000)
        return await self._results.event(request, outcome, tries, ms)

    def _granted(self, release: Release) -> Granted:
        key = (release.tenant, str(release.id))
        granted = self._releases.get(key)
        if granted is None:
            if len(self._releases) >= _CACHED_RELEASES:
                del self._releases[next(iter(self._releases))]
            granted = self._releases[key] = Granted(release)
        return granted


def idempotency_key(facts: ToolFacts, call: str) -> str:
    """The key of a call: the same at every try and attempt, another for every other call.

    The step is part of it because some providers number the calls of each answer from zero. No secret is: a rotated
    secret must not make a repeated payment look like a new one.
    """
    name = f"{facts.tenant}/{facts.run}/{facts.step}/{call}"
    return "qd_" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:40]


def pause_before_next(outcome: ToolOutcome, intent: Intent, tries: int, boot: float) -> float | None:
    """Seconds until the next try, or None when this outcome stands.

    Repeated is only what surely had no effect, or may be repeated whatever became of it; and never past the intent.
    """
    if tries > intent.grant.retries or not _may_try_again(outcome, intent.grant):
        return None
    wanted = outcome.retry_after if isinstance(outcome, Failed) else None
    # Full jitter: those that failed together must not come back together.
    pause = wanted if wanted is not None else random.uniform(0, min(_BACKOFF_LIMIT, _BACKOFF * 2**tries))
    return pause if boot + pause < intent.boot_deadline else None


def _may_try_again(outcome: ToolOutcome, grant: ToolGrant) -> bool:
    match outcome:
        case Failed(retryable=retryable):
            return retryable
        case Unknown():
            return grant.effect == Effect.READ or grant.repeat in {Repeat.SAFE, Repeat.KEYED}
        case _:
            return False


async def _told_to_stop(cancel: asyncio.Event | None, pause: float) -> bool:
    if cancel is None:
        await asyncio.sleep(pause)
        return False
    try:
        async with asyncio.timeout(pause):
            await cancel.wait()
    except TimeoutError:
        return False
    return True


def _fault(raw: str) -> str:
    try:
        value = decode(raw)
    except msgspec.DecodeError as fault:
        return f"{fault}; they begin with {shorten(raw, 80)!r}"
    except UnicodeError:
        return "they hold characters that are no text"
    return f"they are {type(value).__name__}"
