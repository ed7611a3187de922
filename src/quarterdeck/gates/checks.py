"""The tool gate's checks, in their order. Each is a pure question about a call; what it needs was gathered before."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from quarterdeck.core.json import JsonObject, decode, encode
from quarterdeck.core.text import shorten
from quarterdeck.gates.builtin import offers_of
from quarterdeck.gates.intents import ToolFacts
from quarterdeck.gates.records import ALLOW, Check, Ruling, ask, deny, not_now
from quarterdeck.gates.scope import Bound
from quarterdeck.models.records import ToolOffer
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.records import PolicyRequest, PolicyVerdict
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.messages import Call
from quarterdeck.runs.records import Effect
from quarterdeck.switches.records import Standing
from quarterdeck.tools.schemas import Schema

MAX_ARGUMENTS = 256 * 1024
DEEPEST = 3
"""How many agents stand above the one that is called last."""
MOST_CHILDREN = 32
_REVIEWED = "What the user said looks odd to a guardrail, so a person looks at what is done about it."
BLIND_PAUSE = 5.0
"""Seconds after which a call is judged anew by a worker that did not know what stands."""
SWITCH_PAUSE = 30.0
"""Seconds after which what a switch holds back is judged anew; lifting the switch sends its runs on at once."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the checks look at: the call, what the release grants, the facts of the run, and what stands live.

    `call` carries the arguments that would be sent: a reviewer's edit and the gate's own bindings are in them.
    `policies` is None where this process can't tell what tenants' policies say. `effective` is the digest of all that
    is in force, and `now` Unix milliseconds. `doubts` say in words what else speaks against the call being what the
    user wants.
    """

    call: Call
    release: Release
    grant: ToolGrant | None
    granted: "Granted"
    facts: ToolFacts
    standing: Standing
    policies: PolicySet | None
    request: PolicyRequest | None
    bound: Bound
    effective: str
    now: int
    doubts: tuple[str, ...] = ()

    @property
    def approved(self) -> bool:
        """Whether a person has said yes to this, under what is in force now, and not too long ago."""
        said, asked = self.facts.said, self.facts.asked
        if said is None or asked is None or said.state != "approved":
            return False
        # What was sent under an approval may be sent again: it is the same call.
        return self.facts.again or (asked.decision.effective == self.effective and self.now < asked.expires_at)


def known(wish: Wish) -> Ruling:
    """The release grants a tool of that name. Default deny starts here."""
    if wish.grant is not None:
        return ALLOW
    names = [tool.name for tool in wish.release.tools]
    near = difflib.get_close_matches(wish.call.tool, names, 1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    listed = ", ".join(names) or "none at all"
    return deny(f"There is no tool called `{shorten(wish.call.tool, 80)}`.{hint} You have: {listed}.")


def switch(wish: Wish) -> Ruling:
    """No switch stands against it, and this worker knows that."""
    standing = wish.standing
    if not standing.known:
        return not_now("Which switches are thrown is not known here at the moment.", BLIND_PAUSE, "unknown")
    if standing.paused:
        return not_now(standing.paused, SWITCH_PAUSE, "paused")
    if standing.denied:
        return deny(standing.denied)
    grant = wish.grant
    if grant is None or grant.effect == Effect.READ:
        return ALLOW
    if standing.read_only:
        return deny("A switch allows reading only at the moment; this call would change something.", "read_only")
    if standing.force_review and not wish.approved:
        return ask("A switch has every call reviewed at the moment.", "force_review")
    return ALLOW


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


def depth(wish: Wish) -> Ruling:
    """Agents call agents only so deep, and a run only so many of them."""
    grant, facts = wish.grant, wish.facts
    agents = {server.name for server in wish.release.servers if server.kind == "agent"}
    if grant is None or grant.server not in agents or facts.again:
        return ALLOW
    if facts.narrowed is not None and facts.narrowed.depth >= DEEPEST:
        return deny(f"Agents call agents at most {DEEPEST} deep. Do it yourself, or say that you can't.")
    made = sum(facts.used.get(tool.name, 0) for tool in wish.release.tools if tool.server in agents)
    if made >= MOST_CHILDREN:
        return deny(f"A run calls other agents at most {MOST_CHILDREN} times.", "children")
    return ALLOW


def scope(wish: Wish) -> Ruling:
    """It stays within the resources that the release binds the tool to, and within its caps on records touched."""
    return deny(wish.bound.problem, wish.bound.rule) if wish.bound.problem else ALLOW


def permission(wish: Wish) -> Ruling:
    """The policies of the release and of the tenant permit it: deny unless one permits and none forbids."""
    if wish.policies is None or wish.request is None:
        return not_now("What the policies say is not known here at the moment.", BLIND_PAUSE, "unknown")
    verdict = wish.policies.judge(wish.request)
    if verdict.errors:
        return deny(f"The policies could not be evaluated: {verdict.errors[0]}", "error", verdict.policies)
    if verdict.verdict == "allow":
        return Ruling(ALLOW.verdict, policies=verdict.policies)
    if verdict.verdict == "ask":
        return ask(_because(wish, verdict, "A policy wants a person to approve it."), policies=verdict.policies)
    return deny(_because(wish, verdict, "No policy permits it."), policies=verdict.policies)


def approval(wish: Wish) -> Ruling:
    """Where a person was asked: they have not said no, and their time to say yes is not over."""
    said = wish.facts.said
    if wish.facts.again:
        return ALLOW
    if said is None:
        acts = wish.grant is not None and wish.grant.effect != Effect.READ
        return ask(_REVIEWED, "input") if wish.facts.reviewed and acts else ALLOW
    match said.state:
        case "approved":
            return ALLOW if wish.approved else ask("What is in force has changed since it was approved.", "outdated")
        case "denied":
            return deny(f"{_people(said.by)} denied it{_words(said.why)}", "denied")
        case "expired":
            return deny("Nobody answered in time whether it may be made. It was not denied.", "expired")
        case _:
            return deny("The question whether it may be made was withdrawn.", "withdrawn")


CHECKS: tuple[Check[Wish], ...] = (known, switch, schema, limits, depth, scope, permission, approval)
"""The order is the contract. An `ask` is kept until the rest has had its say: nobody is asked for what is denied."""


class Granted:
    """A release's tools as the gate needs them; each schema is compiled when it is first needed."""

    def __init__(self, release: Release) -> None:
        self._grants: Mapping[str, ToolGrant] = {tool.name: tool for tool in release.tools}
        self._compiled: dict[str, Schema] = {}
        own = tuple(ToolOffer(tool.name, tool.description, tool.parameters) for tool in release.tools)
        self.offers = (*own, *offers_of(release))

    def grant(self, name: str) -> ToolGrant | None:
        """The grant of that name."""
        return self._grants.get(name)

    def schema_of(self, name: str) -> Schema:
        """The compiled schema of a granted tool."""
        compiled = self._compiled.get(name)
        if compiled is None:
            compiled = self._compiled[name] = Schema(self._grants[name].parameters)
        return compiled


def with_arguments(call: Call, arguments: JsonObject) -> Call:
    """The same call with other arguments."""
    return Call(call.id, call.tool, arguments, call.raw, call.opaque)


def _because(wish: Wish, verdict: PolicyVerdict, otherwise: str) -> str:
    return " ".join([verdict.reason or otherwise, *wish.doubts])


def _people(by: Sequence[str]) -> str:
    return " and ".join(by) or "A person"


def _words(why: str) -> str:
    return f": {why}" if why else "."


def _fault(raw: str) -> str:
    try:
        value = decode(raw)
    except msgspec.DecodeError as fault:
        return f"{fault}; they begin with {shorten(raw, 80)!r}"
    except UnicodeError:
        return "they hold characters that are no text"
    return f"they are {type(value).__name__}"
