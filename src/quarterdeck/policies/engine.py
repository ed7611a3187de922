"""Decides by policies whether a call may be made: closed by default, a forbid wins, and whatever goes wrong is a deny.

Cedar passes over a policy that it can't evaluate, so a forbid with a fault in it would let everything through: here one
error is enough to deny. Each tool has a set of its own (what names it with `==`, and what names no tool), so that a
decision costs the same however many policies there are about other tools.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.core.json import Json, JsonObject, encode_text
from quarterdeck.policies import cedar
from quarterdeck.policies.base import GRANTED, base
from quarterdeck.policies.facts import Arguments, Inexact, Looked, principal_of, resource_of
from quarterdeck.policies.records import (
    Answer,
    GrantedTool,
    Granting,
    PolicyFault,
    PolicyRequest,
    PolicyText,
    PolicyVerdict,
)
from quarterdeck.policies.statements import Path, Statement, read
from quarterdeck.policies.validation import narrowing_faults

_KEPT = 512
_LARGEST_KEPT = 4_000
"""Characters of a question up to which its answer is kept."""
_EVERYTHING: JsonObject = {
    "effect": "permit",
    "principal": {"op": "All"},
    "action": {"op": "All"},
    "resource": {"op": "All"},
    "conditions": [],
}


class PolicySet:
    """All policies of one release in one tenant, parsed once. Pure: the same request gets the same verdict."""

    def __init__(self, release: Granting, statements: Sequence[Statement], faults: Sequence[PolicyFault]) -> None:
        self._tools: Mapping[str, GrantedTool] = {tool.name: tool for tool in release.tools}
        self._agent = str(release.agent)
        self.statements = tuple(statements)
        self.faults = tuple(faults)
        self._slices: dict[str, _Slice] = {}
        self.needs_user_counts = any(
            ("calls_by_user_today",) in one.mentions or () in one.mentions for one in statements
        )
        self.digest = hashlib.sha256(
            encode_text([[one.file, one.line, one.text] for one in statements]).encode()
        ).hexdigest()

    @classmethod
    def of(cls, release: Granting, tenant_texts: Sequence[PolicyText] = ()) -> "PolicySet":
        """The base policy, the release's and the tenant's. Never raises: what can't be used is in `faults`, and denies.

        A tenant's texts only narrow: a permit in one is a fault. A release's permits for a tool take the place of the
        base policy's.
        """
        statements: list[Statement] = []
        faults: list[PolicyFault] = []
        for text in (base(), *release.policies, *tenant_texts):
            for one in read(text):
                if isinstance(one, PolicyFault):
                    faults.append(one)
                else:
                    statements.append(one)
        faults += narrowing_faults(tenant_texts)
        return cls(release, statements, faults)

    def judge(self, request: PolicyRequest) -> PolicyVerdict:
        """Whether a call may be made, needs a yes, or may not be made. Never raises: what goes wrong is a deny."""
        try:
            return self._judge(request)
        except Exception as fault:  # closed, whatever it is
            return _broken((f"{type(fault).__name__}: {cedar.one_line(str(fault))}",))

    def _judge(self, request: PolicyRequest) -> PolicyVerdict:
        if self.faults:
            return _broken(tuple(str(fault) for fault in self.faults[:5]))
        tool = self._tools.get(request.tool)
        if tool is None:
            return PolicyVerdict(Answer.DENY, reason=f"`{request.tool}` is not granted.")
        mine = self._slices.get(tool.name)
        if mine is None:
            mine = self._slices[tool.name] = _Slice.of(tool, self._agent, self.statements)
        return mine.judge(request)

    def context(self, request: PolicyRequest) -> JsonObject:
        """Everything that policies could see of a call, for people. Raises KeyError for a tool that is not granted."""
        everything = Looked.at(frozenset({()}))
        return Arguments(self._tools[request.tool]).context(request, everything, approved=request.approved)

    def about(self, tool: str) -> tuple[Statement, ...]:
        """The policies that are asked about a tool."""
        return tuple(_about(tool, self.statements))


def _about(tool: str, statements: Sequence[Statement]) -> Iterator[Statement]:
    mine = [one for one in statements if one.action in {None, tool}]
    replaced = any(one.action == tool and not one.forbids for one in mine)
    return (one for one in mine if not (replaced and one.id == GRANTED))


@dataclass(frozen=True, slots=True)
class _Pair:
    """Policies that are asked once, and those of them that are asked for each element of a list."""

    whole: cedar.Policies
    each: cedar.Policies | None

    @classmethod
    def of(cls, whole: Sequence[Statement], each: Sequence[Statement]) -> "_Pair":
        """Raises ValueError where Cedar can't take them."""
        return cls(_loaded(whole), _loaded(each, also=True) if each else None)


@dataclass(slots=True)
class _Slice:
    """The policies about one tool. Those that look at `context.each` are judged for every element by themselves."""

    tool: GrantedTool
    agent: str
    arguments: Arguments
    by_id: Mapping[str, Statement]
    first: _Pair
    second: _Pair
    looked: Looked
    resource: cedar.Entities
    principals: OrderedDict[str, cedar.Entities]
    asked: OrderedDict[tuple[int, str, str, str], cedar.Outcome]

    @classmethod
    def of(cls, tool: GrantedTool, agent: str, statements: Sequence[Statement]) -> "_Slice":
        """Raises ValueError where Cedar can't take them."""
        mine = list(_about(tool.name, statements))
        for one in mine:
            if one.each and not one.forbids:
                raise ValueError(f"{one.id} permits by `context.each`, which is for forbids")
        each = [one for one in mine if one.each]
        mentions: frozenset[Path] = frozenset(path for one in mine for path in one.mentions)
        return cls(
            tool=tool,
            agent=agent,
            arguments=Arguments(tool),
            by_id={one.id: one for one in mine},
            first=_Pair.of(mine, each),
            # A yes changes only what speaks of it: what else was asked before would say the same again.
            second=_Pair.of(
                [one for one in mine if not one.forbids or _speaks_of_a_yes(one)],
                [one for one in each if _speaks_of_a_yes(one)],
            ),
            looked=Looked.at(mentions),
            resource=cedar.entities(resource_of(tool)),
            principals=OrderedDict(),
            asked=OrderedDict(),
        )

    def judge(self, request: PolicyRequest) -> PolicyVerdict:
        """Deny that only a yes can lift = ask, but only where with that yes it would be allowed."""
        first = self._decide(request, approved=request.approved)
        if first.errors:
            return _broken(first.errors)
        if first.allowed:
            return PolicyVerdict(Answer.ALLOW, first.decided)
        if request.approved or not first.decided or not all(_can_be_lifted(self.by_id[one]) for one in first.decided):
            return self._denied(first)
        second = self._decide(request, approved=True, among=self.second)
        if second.errors:
            return _broken(second.errors)
        if not second.allowed:
            return self._denied(second)
        return PolicyVerdict(Answer.ASK, first.decided, self._reasons(first.decided))

    def _denied(self, outcome: cedar.Outcome) -> PolicyVerdict:
        firm = tuple(one for one in outcome.decided if not _can_be_lifted(self.by_id[one])) or outcome.decided
        return PolicyVerdict(Answer.DENY, firm, self._reasons(firm) or "No policy permits this call.")

    def _reasons(self, ids: Sequence[str]) -> str:
        said_of = [self.by_id[one].ask or self.by_id[one].reason or f"Forbidden by {one}." for one in ids]
        return " ".join(dict.fromkeys(said_of))

    def _decide(self, request: PolicyRequest, *, approved: bool, among: "_Pair | None" = None) -> cedar.Outcome:
        policies = among or self.first
        try:
            context = self.arguments.context(request, self.looked, approved=approved)
            outcome = self._ask(policies.whole, request, context)
            if policies.each is None:
                return outcome
            decided, errors = list(outcome.decided), list(outcome.errors)
            allowed = outcome.allowed
            for element in self.arguments.each(request, self.looked):
                one = self._ask(policies.each, request, {**context, **element})
                errors += one.errors
                if not one.allowed:
                    decided = [*([] if allowed else decided), *(each for each in one.decided if each not in decided)]
                    allowed = False
            return cedar.Outcome(allowed, tuple(decided), tuple(errors))
        except Inexact as fault:
            return cedar.Outcome(allowed=False, decided=(), errors=(str(fault),))

    def _ask(self, policies: cedar.Policies, request: PolicyRequest, context: Mapping[str, Json]) -> cedar.Outcome:
        """What policies say. They see only what some of them look at, so the same question comes again and again."""
        principal, text = principal_of(request), encode_text(context)
        key = (id(policies), str(request.agent), principal, text)
        known = self.asked.get(key)
        if known is None:
            entities = self._entities(principal)
            known = cedar.decide(policies, entities, str(request.agent), self.tool.name, text)
            if len(text) <= _LARGEST_KEPT:
                self.asked[key] = known
                if len(self.asked) > _KEPT:
                    self.asked.popitem(last=False)
        return known

    def _entities(self, principal: str) -> cedar.Entities:
        found = self.principals.get(principal)
        if found is None:
            found = self.principals[principal] = cedar.joined(self.resource, principal)
            if len(self.principals) > _KEPT:
                self.principals.popitem(last=False)
        return found


def _speaks_of_a_yes(one: Statement) -> bool:
    """Whether a policy can say something else once a person has approved."""
    return ("approved",) in one.mentions or () in one.mentions


def _can_be_lifted(one: Statement) -> bool:
    """Whether a denial by this policy may become a question: it asks one, and a yes can make a difference to it."""
    return one.ask is not None and _speaks_of_a_yes(one)


def _loaded(statements: Sequence[Statement], *, also: bool = False) -> cedar.Policies:
    """Policies under our own ids; `also`: with one that permits everything, so that only forbids count."""
    static: dict[str, Json] = {one.id: one.parsed for one in statements}
    if also:
        static["each"] = _EVERYTHING
    return cedar.load(static)


def _broken(errors: tuple[str, ...]) -> PolicyVerdict:
    return PolicyVerdict(Answer.DENY, reason="Its policies could not be evaluated, so it is denied.", errors=errors)
