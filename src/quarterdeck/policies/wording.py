"""What a Cedar condition says, in words: reports and comparisons are read by people who don't write Cedar."""

from collections.abc import Mapping

from cedarpy import pst

ROLES = pst.GetAttr(pst.Var("principal"), "roles")
CLAIMS = pst.GetAttr(pst.Var("principal"), "claims")

_ODD: Mapping[pst.Expr, tuple[str, str]] = {
    pst.GetAttr(pst.Var("context"), "several"): ("can be several values at once", "is one value"),
    pst.GetAttr(pst.Var("context"), "climbing"): ("climbs to other folders", "climbs to no other folder"),
}
"""Sets of arguments that are not what they look like, and how their members are told; then how the others are."""

_FACTS: Mapping[str, str] = {
    "approved": "a person has approved it",
    "clean": "every destination comes from a clean source",
    "tainted": "untrusted content was read before",
}
"""Members of the context that are true or false, as they read best."""

_FACTS_NOT: Mapping[str, str] = {
    "approved": "nobody has approved it",
    "clean": "a destination comes from a source that is not clean",
    "tainted": "no untrusted content was read before",
}

_COMPARED: Mapping[str, str] = {
    "eq": "is",
    "not_eq": "is not",
    "less": "is less than",
    "less_eq": "is at most",
    "greater": "is more than",
    "greater_eq": "is at least",
    "decimal_less_than": "is less than",
    "decimal_less_eq": "is at most",
    "decimal_greater": "is more than",
    "decimal_greater_eq": "is at least",
    "in": "is in",
    "is_in_range": "is in the range",
    "contains": "contains",
    "contains_all": "contains all of",
    "contains_any": "contains one of",
    "has_tag": "has the tag",
    "get_tag": "tag",
    "add": "+",
    "sub": "-",
    "mul": "×",
    "offset": "+",
    "duration_since": "since",
}
_OPPOSITE: Mapping[str, str] = {
    "eq": "is not",
    "not_eq": "is",
    "less": "is at least",
    "less_eq": "is more than",
    "greater": "is at most",
    "greater_eq": "is less than",
    "in": "is not in",
    "contains": "does not contain",
    "contains_any": "contains none of",
    "contains_all": "does not contain all of",
}


def words(expression: pst.Expr) -> str:
    """An expression as a phrase. Every expression has one; rare ones read clumsily, none is left out."""
    match expression:
        case pst.BinaryOp():
            return _pair(expression)
        case pst.UnaryOp("not", argument):
            return opposite(argument)
        case pst.UnaryOp(op, argument):
            return _applied(op, argument)
        case pst.GetAttr():
            return _member(expression)
        case pst.HasAttr(base, attributes):
            return f"{_named(base, '.'.join(attributes))} is given"
        case pst.Like(base, pattern):
            return f"{words(base)} looks like {_pattern(pattern)}"
        case _:
            return _plain(expression)


def opposite(expression: pst.Expr) -> str:
    """The phrase for when an expression does not hold."""
    match expression:
        case pst.UnaryOp("not" | "is_empty" as op, argument):
            return words(argument) if op == "not" else f"{words(argument)} is not empty"
        case pst.BinaryOp():
            return _opposite_pair(expression)
        case pst.HasAttr(base, attributes):
            return f"{_named(base, '.'.join(attributes))} is not given"
        case pst.Like(base, pattern):
            return f"{words(base)} does not look like {_pattern(pattern)}"
        case pst.BoolLit(value):
            return "never" if value else "always"
        case pst.GetAttr(pst.Var("context"), name) if name in _FACTS_NOT:
            return _FACTS_NOT[name]
        case _:
            return f"not ({words(expression)})"


def conjuncts(expression: pst.Expr) -> tuple[pst.Expr, ...]:
    """The parts of an `&&`, which must all hold."""
    if isinstance(expression, pst.BinaryOp) and expression.op == "and":
        return (*conjuncts(expression.left), *conjuncts(expression.right))
    return (expression,)


def disjuncts(expression: pst.Expr) -> tuple[pst.Expr, ...]:
    """The parts of an `||`, of which one must hold."""
    if isinstance(expression, pst.BinaryOp) and expression.op == "or":
        return (*disjuncts(expression.left), *disjuncts(expression.right))
    return (expression,)


def _applied(op: str, argument: pst.Expr) -> str:
    """A function of one argument; literals that are written as one read as what they are."""
    if op == "is_empty":
        return f"{words(argument)} is empty"
    if isinstance(argument, pst.StringLit):
        if op == "decimal":
            return argument.value.rstrip("0").removesuffix(".")
        if op in {"datetime", "duration", "ip"}:
            return argument.value
    return f"{op.replace('_', ' ')} of {words(argument)}"


def _pair(expression: pst.BinaryOp) -> str:
    left, right = expression.left, expression.right
    match expression.op:
        case "and":
            return f"{_grouped(left, words(left))} and {_grouped(right, words(right))}"
        case "or":
            return f"{words(left)} or {words(right)}"
        case "contains" if isinstance(left, pst.Set):
            return f"{words(right)} is {_one_of(left.elements)}"
        case "contains" if (odd := _ODD.get(left)) is not None:
            return f"{words(right)} {odd[0]}"
        case "contains" if (of_user := _of_user(left, right)) is not None:
            return f"the user has {of_user}"
        case "eq" | "in" if isinstance(left, pst.Var) and isinstance(right, pst.EntityLit):
            return f"{within(right.value)} is {_quoted(right.value.id)}"
        case "in" if isinstance(right, pst.Set):
            return f"{words(left)} is in {_one_of(right.elements)}"
        case op:
            return f"{words(left)} {_COMPARED[op]} {words(right)}"


def _opposite_pair(expression: pst.BinaryOp) -> str:
    left, right = expression.left, expression.right
    match expression.op:
        case "and":
            return f"{_grouped(left, opposite(left))} or {_grouped(right, opposite(right))}"
        case "or":
            return f"{opposite(left)} and {opposite(right)}"
        case "contains" if isinstance(left, pst.Set):
            return f"{words(right)} is not {_one_of(left.elements)}"
        case "contains" if (odd := _ODD.get(left)) is not None:
            return f"{words(right)} {odd[1]}"
        case "contains" if (of_user := _of_user(left, right)) is not None:
            return f"the user does not have {of_user}"
        case "eq" | "in" if isinstance(left, pst.Var) and isinstance(right, pst.EntityLit):
            return f"{within(right.value)} is not {_quoted(right.value.id)}"
        case op if op in _OPPOSITE:
            return f"{words(left)} {_OPPOSITE[op]} {words(right)}"
        case _:
            return f"not ({words(expression)})"


def _grouped(expression: pst.Expr, said: str) -> str:
    return f"({said})" if " or " in said and isinstance(expression, pst.BinaryOp) else said


def _member(expression: pst.GetAttr) -> str:
    if isinstance(expression.base, pst.Var) and expression.base.name == "context" and expression.attr in _FACTS:
        return _FACTS[expression.attr]
    return _named(expression.base, expression.attr)


def _named(base: pst.Expr, name: str) -> str:
    """A member of something: an argument by its name, the rest by its path."""
    path = [name]
    while isinstance(base, pst.GetAttr):
        path.insert(0, base.attr)
        base = base.base
    if not isinstance(base, pst.Var):
        return f"{words(base)}'s {_quoted('.'.join(path))}"
    if base.name == "context":
        return _part(path)
    if base.name == "principal":
        return f"the {name}" if path in (["user"], ["release"]) else f"the user's {'.'.join(path)}"
    return f"{_VARIABLES[base.name]}'s {'.'.join(path)}"


def _part(path: list[str]) -> str:
    """A part of the context."""
    kind, name = path[0], _quoted(".".join(path[1:]))
    told = {
        "arguments": name,
        "each": f"each {name}",
        "lower": f"{name} in lower case",
        "origins": f"the origin of {name}",
    }
    return told[kind] if len(path) > 1 and kind in told else ".".join(path).replace("_", " ")


def _plain(expression: pst.Expr) -> str:
    match expression:
        case pst.Var(name):
            return _VARIABLES[name]
        case pst.BoolLit() | pst.LongLit() | pst.StringLit() | pst.EntityLit():
            return _literal(expression)
        case pst.Set(elements):
            return ", ".join(words(element) for element in elements) or "nothing"
        case pst.Record(fields):
            return "{" + ", ".join(f"{name}: {words(value)}" for name, value in fields.items()) + "}"
        case pst.Is(base, entity_type, inside):
            return f"{words(base)} is a {entity_type}" + (f" in {words(inside)}" if inside is not None else "")
        case pst.IfThenElse(condition, then, otherwise):
            return f"if {words(condition)}, {words(then)}, else {words(otherwise)}"
        case _:
            return str(expression)


def _literal(expression: pst.Lit) -> str:
    match expression:
        case pst.BoolLit(value):
            return "always" if value else "never"
        case pst.LongLit(value):
            return f"{value:,}"
        case pst.StringLit(value):
            return _quoted(value)
        case pst.EntityLit(entity):
            return _quoted(entity.id)


def within(entity: pst.EntityUid) -> str:
    """What kind of thing an entity is: `the agent`, `the tenant`, `the tool`, `the server`, `the action`."""
    return f"the {entity.type.basename.lower()}"


def _of_user(left: pst.Expr, right: pst.Expr) -> str | None:
    """The role or the claim whose presence is asked for."""
    if not isinstance(right, pst.StringLit) or left not in {ROLES, CLAIMS}:
        return None
    return f"the {'role' if left == ROLES else 'claim'} {_quoted(right.value)}"


def _one_of(elements: tuple[pst.Expr, ...]) -> str:
    said = [words(element) for element in elements]
    return said[0] if len(said) == 1 else f"one of {', '.join(said)}"


def _pattern(pattern: tuple[pst.PatternElem, ...]) -> str:
    return _quoted("".join("*" if isinstance(part, pst.Wildcard) else part.value for part in pattern))


def _quoted(text: str) -> str:
    return f"`{text}`"


_VARIABLES: Mapping[str, str] = {
    "principal": "the agent",
    "action": "the action",
    "resource": "the tool",
    "context": "the call",
}
