"""Policies one by one, each as a sentence, and what two texts say differently."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cedarpy import policies_to_pst, pst

from quarterdeck.policies.folding import FALSE, TRUE, Facts, fold
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.statements import Statement, read
from quarterdeck.policies.wording import ROLES, conjuncts, disjuncts, words

APPROVED = ("context", "approved")
"""The path of what an `@ask` waits for."""


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
    roles: frozenset[str] = frozenset()

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


def sayings(text: PolicyText) -> tuple[Saying, ...]:
    """What the policies of a text say, in their order; what can't be read is left out."""
    told = (saying_of(one) for one in read(text) if isinstance(one, Statement))
    return tuple(saying for saying in told if saying is not None)


def differences(before: str, after: str) -> tuple[str, ...]:
    """What the second text says differently, a sentence each; how policies are laid out and ordered is no difference.

    Policies that share verb and scope are told as changed.
    """
    old, new = (Counter(map(_bare, sayings(PolicyText("", text)))) for text in (before, after))
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


def saying_of(statement: Statement, facts: Facts | None = None) -> Saying | None:
    """What one policy says where these facts are known; None where it then never applies."""
    policy = _parsed(statement.text)
    asks = statement.forbids and statement.ask is not None
    known = {**(facts or {}), **({APPROVED: FALSE} if asks else {})}
    left = [fold(condition, known) for condition in _conditions(policy)]
    if FALSE in left:
        return None
    parts = [part for condition in left for part in conjuncts(condition) if part != TRUE]
    return Saying(
        verb="ask" if asks else policy.effect,
        tools=_tools(policy.action),
        conditions=tuple(words(part) for part in parts),
        reason=statement.ask or statement.reason,
        id=statement.id,
        roles=frozenset(role for part in parts for role in _roles(part)),
    )


def _only(saying: Saying) -> str:
    """What a saying adds to its verb and scope, for who has read those already."""
    return str(saying) if saying.conditions or saying.reason else f"always {saying}"


def _bare(saying: Saying) -> Saying:
    return Saying(saying.verb, saying.tools, saying.conditions, saying.reason)


def tools_of(statement: Statement) -> frozenset[str] | None:
    """The tools that a policy names; None = it is about every tool."""
    return _tools(_parsed(statement.text).action)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> pst.Template:
    (policy,) = policies_to_pst(text).static_policies.values()
    return policy


def _conditions(policy: pst.Template) -> Iterator[pst.Expr]:
    """Everything that must hold for a policy to apply, its scope included, the action's left out."""
    for variable, scope in ((pst.Var("principal"), policy.principal), (pst.Var("resource"), policy.resource)):
        match scope:
            case pst.ScopeEq(pst.EntityUid() as entity):
                yield pst.BinaryOp("eq", variable, pst.EntityLit(entity))
            case pst.ScopeIn(pst.EntityUid() as entity) | pst.ScopeIsIn(_, pst.EntityUid() as entity):
                yield pst.BinaryOp("in", variable, pst.EntityLit(entity))
            case _:
                pass
    for clause in policy.clauses:
        if isinstance(clause, pst.When):
            yield from conjuncts(clause.expr)
        else:
            yield from (pst.UnaryOp("not", part) for part in disjuncts(clause.expr))


def _roles(expression: pst.Expr) -> Iterator[str]:
    """The roles that an expression asks for."""
    match expression:
        case pst.BinaryOp("contains", left, pst.StringLit(role)) if left == ROLES:
            yield role
        case pst.BinaryOp("contains_any" | "contains_all", left, pst.Set(elements)) if left == ROLES:
            yield from (element.value for element in elements if isinstance(element, pst.StringLit))
        case pst.BinaryOp(_, left, right):
            yield from _roles(left)
            yield from _roles(right)
        case pst.UnaryOp(_, argument):
            yield from _roles(argument)
        case _:
            pass


def _tools(action: pst.ActionConstraint) -> frozenset[str] | None:
    match action:
        case pst.ScopeAny():
            return None
        case pst.ActionEq(entity):
            return frozenset({entity.id})
        case pst.ActionIn(entities):
            return frozenset(entity.id for entity in entities)
