"""The tool gate: the only way from a model's wish to an effect.

`decide` judges a call and makes it an intent, which the loop commits; `perform` then carries the intent out. A refusal
and an outcome are handed back as the events that the log holds.
"""

import asyncio
import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import decode, encode
from quarterdeck.core.text import shorten
from quarterdeck.gates.intents import Intent, Refusal, ToolFacts, idempotency_key
from quarterdeck.gates.outcomes import Outcome
from quarterdeck.gates.records import ALLOW, Check, Ruling, Verdict, deny
from quarterdeck.gates.rules import decide
from quarterdeck.gates.sending import Sending
from quarterdeck.models.records import ToolOffer
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.messages import Call
from quarterdeck.tools.records import Keep, Progress, Toolbox
from quarterdeck.tools.schemas import Schema

BEGIN_WITHIN = 10.0
"""Seconds after its intent within which a call may begin, at least; a longer time-out allows later tries."""
MAX_ARGUMENTS = 256 * 1024
_CACHED_RELEASES = 256


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
        self._sending = Sending(tools, keep, clock)
        self._clock = clock
        self._releases: dict[tuple[TenantId, str], Granted] = {}

    def offers(self, release: Release) -> tuple[ToolOffer, ...]:
        """The release's tools as the model is shown them: the same tuple each time."""
        return self._granted(release).offers

    def decide(self, release: Release, call: Call, facts: ToolFacts) -> Intent | Refusal:
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
        return await self._sending.perform(release, intent, facts, cancel, progress)

    def _granted(self, release: Release) -> Granted:
        key = (release.tenant, str(release.id))
        granted = self._releases.get(key)
        if granted is None:
            if len(self._releases) >= _CACHED_RELEASES:
                del self._releases[next(iter(self._releases))]
            granted = self._releases[key] = Granted(release)
        return granted


def _fault(raw: str) -> str:
    try:
        value = decode(raw)
    except msgspec.DecodeError as fault:
        return f"{fault}; they begin with {shorten(raw, 80)!r}"
    except UnicodeError:
        return "they hold characters that are no text"
    return f"they are {type(value).__name__}"
