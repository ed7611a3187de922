"""Policies one by one, each as a sentence, and what two texts say differently."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cedarpy import policies_to_pst, pst

from quarterdeck.policies.wording import conjuncts, disjuncts, opposite, words

ASK, REASON, ID = "ask", "reason", "id"
"""Annotations that mean something here."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What one policy says. `verb` is `permit`, `forbid` or `ask`; `tools` None means every tool.

    `conditions` must all hold for it to apply; without any it always does.
    """

    verb: str
    tools: frozenset[str] | None
    conditions: tuple[str, ...]
    reason: str = ""
    id: str = ""

    def covers(self, tool: str) -> bool:
        """Whether it speaks of this tool."""
        return self.tools is None or tool in self.tools

    @property
    def scope(self) -> str:
        """The tools that it is for, in words."""
        return "every tool" if self.tools is None else ", ".join(f"`{tool}`" for tool in sorted(self.tools))

    def __str__(self) -> str:
        told = f"{_VERBS[self.verb]} {self.scope}"
        if self.conditions:
            told += " when " + " and ".join(self.conditions)
        return f"{told} ({self.reason})" if self.reason else told


_VERBS = {"permit": "permits", "forbid": "forbids", "ask": "asks a person before"}


def sayings(text: str) -> tuple[Saying, ...]:
    """What the policies of a text say, in their order. Raises ValueError for a text that is no Cedar."""
    policies = policies_to_pst(text).static_policies
    return tuple(_saying(policies[name]) for name in sorted(policies, key=_position))


def differences(before: str, after: str) -> tuple[str, ...]:
    """What the second text says differently, a sentence each; how policies are laid out and ordered is no difference.

    Policies that share verb and scope are told as changed. Raises ValueError for a text that is no Cedar.
    """
    old, new = Counter(map(_bare, sayings(before))), Counter(map(_bare, sayings(after)))
    gone, come = list((old - new).elements()), list((new - old).elements())
    told: list[str] = []
    for lost in gone:
        match = next((other for other in come if (other.verb, other.tools) == (lost.verb, lost.tools)), None)
        if match is None:
            told.append(f"no longer {lost}")
        else:
            come.remove(match)
            told.append(f"changed: {match}; before, it {_only(lost)}")
    return (*told, *[f"new: {each}" for each in come])


def _only(saying: Saying) -> str:
    """What a saying adds to its verb and scope, for who has read those already."""
    return str(saying) if saying.conditions or saying.reason else f"always {saying}"


def _bare(saying: Saying) -> Saying:
    return Saying(saying.verb, saying.tools, saying.conditions, saying.reason)


def _saying(policy: pst.Template) -> Saying:
    asks = policy.effect == "forbid" and ASK in policy.annotations
    conditions = [*_scope(policy.principal, "the user"), *_scope(policy.resource, "the server")]
    for clause in policy.clauses:
        conditions += _clause(clause, asks=asks)
    return Saying(
        verb="ask" if asks else policy.effect,
        tools=_tools(policy.action),
        conditions=tuple(conditions),
        reason=policy.annotations.get(ASK, "") or policy.annotations.get(REASON, ""),
        id=policy.annotations.get(ID, ""),
    )


def _clause(clause: pst.Clause, *, asks: bool) -> list[str]:
    """The conditions of a clause. That a person has approved is what asking is about, so it is not told of an ask."""
    if isinstance(clause, pst.When):
        parts: Sequence[pst.Expr] = conjuncts(clause.expr)
        return [words(part) for part in parts if not _is_true(part) and not (asks and _is_not_approved(part))]
    return [opposite(part) for part in disjuncts(clause.expr) if not (asks and _is_approved(part))]


def _is_true(expression: pst.Expr) -> bool:
    return isinstance(expression, pst.BoolLit) and expression.value


def _is_approved(expression: pst.Expr) -> bool:
    return expression == pst.GetAttr(pst.Var("context"), "approved")


def _is_not_approved(expression: pst.Expr) -> bool:
    return isinstance(expression, pst.UnaryOp) and expression.op == "not" and _is_approved(expression.arg)


def _scope(scope: pst.PrincipalOrResourceConstraint, what: str) -> list[str]:
    match scope:
        case pst.ScopeAny() | pst.ScopeIs():
            return []
        case pst.ScopeEq(entity):
            return [f"{what} is {_entity(entity)}"]
        case pst.ScopeIn(entity) | pst.ScopeIsIn(_, entity):
            return [f"{what} is in {_entity(entity)}"]


def _entity(entity: pst.EntityUid | pst.Slot) -> str:
    return f"`{entity.id}`" if isinstance(entity, pst.EntityUid) else f"the given {entity.name}"


def _tools(action: pst.ActionConstraint) -> frozenset[str] | None:
    match action:
        case pst.ScopeAny():
            return None
        case pst.ActionEq(entity):
            return frozenset({entity.id})
        case pst.ActionIn(entities):
            return frozenset(entity.id for entity in entities)


def _position(name: str) -> tuple[int, str]:
    digits = name.removeprefix("policy")
    return (int(digits), "") if digits.isdigit() else (0, name)
