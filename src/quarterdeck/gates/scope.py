"""What a tool may touch: arguments that the gate fills in or holds fast, and caps on how many records are affected.

The model neither chooses nor learns the tenant, index or table that a tool is bound to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.gates.intents import ToolFacts
from quarterdeck.releases.records import ToolGrant


@dataclass(frozen=True, slots=True)
class Bound:
    """Arguments as they would be sent, or what keeps them from being sent."""

    arguments: JsonObject = field(default_factory=dict[str, Json])
    problem: str = ""
    rule: str = ""


def bind(grant: ToolGrant, arguments: JsonObject, facts: ToolFacts) -> Bound:
    """The arguments with the tool's scope filled in. A value that contradicts it, or a cap passed, is a problem."""
    filled: dict[str, Json] = dict(arguments)
    for name, rule in (grant.scope or {}).items():
        value = _value_of(rule, facts)
        if value is None:
            return Bound(arguments, f"Nothing says what its `{name}` is bound to for this user.", "unbound")
        allowed = value if isinstance(value, list) else [value]
        if name not in filled:
            if len(allowed) != 1:
                return Bound(arguments, f"Its `{name}` has to be one of {_listed(allowed)}.", "scope")
            filled[name] = allowed[0]
        elif filled[name] not in allowed:
            return Bound(arguments, f"Its `{name}` is outside of what this agent may touch for this user.", "scope")
    return _capped(grant, filled, facts)


def _value_of(rule: Json, facts: ToolFacts) -> Json:
    if not isinstance(rule, Mapping):
        return None
    if "value" in rule:
        return rule["value"]
    if "values" in rule:
        return rule["values"]
    if isinstance(claim := rule.get("claim"), str):
        return facts.claims.get(claim)
    of = rule.get("of")
    return {"tenant": str(facts.tenant), "user": facts.user, "agent": str(facts.agent)}.get(str(of))


def _capped(grant: ToolGrant, arguments: JsonObject, facts: ToolFacts) -> Bound:
    affects = grant.affects or {}
    count = records(grant, arguments)
    per_call, per_run = affects.get("per_call"), affects.get("per_run")
    if isinstance(per_call, int) and count > per_call:
        problem = f"It would touch {count:,} records; {per_call:,} are allowed a call."
        return Bound(arguments, problem, "records_per_call")
    if isinstance(per_run, int) and facts.affected + count > per_run:
        problem = f"With it the run would have touched {facts.affected + count:,} records; {per_run:,} are allowed."
        return Bound(arguments, problem, "records_per_run")
    return Bound(arguments)


def records(grant: ToolGrant, arguments: JsonObject) -> int:
    """How many records a call touches, by what its declared argument says: a list's length, a number, else one."""
    name = (grant.affects or {}).get("argument")
    value = arguments.get(name) if isinstance(name, str) else None
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        return max(0, value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return len(value)
    return 1


def _listed(values: Sequence[Json]) -> str:
    return ", ".join(str(value) for value in values[:10]) + (", …" if len(values) > 10 else "")
