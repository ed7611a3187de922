"""Conditions with what is known already put in: what is left of them is what a decision still depends on.

Only what can't fail is folded: comparisons of known values, and, or, not. The rest stays as it was written.
"""

from collections.abc import Mapping
from typing import TypeAlias

from cedarpy import pst

Facts: TypeAlias = Mapping[tuple[str, ...], pst.Expr]
"""Known parts by path: `("resource", "effect")` to a literal or a set of literals."""

TRUE, FALSE = pst.BoolLit(value=True), pst.BoolLit(value=False)
_LITERALS = (pst.BoolLit, pst.LongLit, pst.StringLit, pst.EntityLit)


def fold(expression: pst.Expr, facts: Facts) -> pst.Expr:
    """The expression with known parts put in and folded."""
    match expression:
        case pst.Var() | pst.GetAttr():
            return facts.get(_path(expression), expression)
        case pst.UnaryOp(op, argument):
            return _unary(op, fold(argument, facts))
        case pst.BinaryOp("and" | "or" as op, left, right):
            return _joined(op, fold(left, facts), fold(right, facts))
        case pst.BinaryOp("in", pst.Var(name), pst.EntityLit() as group) if within(name) in facts:
            known = facts[within(name)]
            return pst.BoolLit(value=isinstance(known, pst.Set) and group in known.elements)
        case pst.BinaryOp(op, left, right):
            return _compared(pst.BinaryOp(op, fold(left, facts), fold(right, facts)))
        case pst.IfThenElse(condition, then, otherwise):
            settled = fold(condition, facts)
            if settled in {TRUE, FALSE}:
                return fold(then if settled == TRUE else otherwise, facts)
            return pst.IfThenElse(settled, fold(then, facts), fold(otherwise, facts))
        case _:
            return expression


def text(value: str) -> pst.Expr:
    """A known text."""
    return pst.StringLit(value)


def texts(values: tuple[str, ...]) -> pst.Expr:
    """A known set of texts."""
    return pst.Set(tuple(pst.StringLit(value) for value in values))


def entity(kind: str, name: str) -> pst.Expr:
    """A known entity."""
    return pst.EntityLit(pst.EntityUid(pst.EntityType(kind, ()), name))


def within(name: str) -> tuple[str, ...]:
    """Under which name facts hold the groups that a principal or a resource is in."""
    return ("in", name)


def parents(*kinds_and_names: str) -> pst.Expr:
    """A known list of groups, each by kind and name; a thing is in itself."""
    pairs = zip(kinds_and_names[::2], kinds_and_names[1::2], strict=True)
    return pst.Set(tuple(entity(kind, name) for kind, name in pairs))


def _unary(op: pst.UnaryOpName, argument: pst.Expr) -> pst.Expr:
    if op == "not" and isinstance(argument, pst.BoolLit):
        return pst.BoolLit(value=not argument.value)
    if op == "is_empty" and isinstance(argument, pst.Set):
        return pst.BoolLit(value=not argument.elements)
    return pst.UnaryOp(op, argument)


def _joined(op: pst.BinaryOpName, left: pst.Expr, right: pst.Expr) -> pst.Expr:
    """`and` and `or`: one side can decide them, or leave them to the other."""
    decides, leaves = (FALSE, TRUE) if op == "and" else (TRUE, FALSE)
    if decides in {left, right}:
        return decides
    if left == leaves:
        return right
    return left if right == leaves else pst.BinaryOp(op, left, right)


def _compared(pair: pst.BinaryOp) -> pst.Expr:
    match pair:
        case pst.BinaryOp("eq" | "not_eq" as op, left, right) if _known(left) and _known(right):
            return pst.BoolLit(value=(left == right) is (op == "eq"))
        case pst.BinaryOp("contains", pst.Set(elements), right) if _known(right) and all(map(_known, elements)):
            return pst.BoolLit(value=right in elements)
        case _:
            return pair


def _known(expression: pst.Expr) -> bool:
    return isinstance(expression, _LITERALS)


def _path(expression: pst.Expr) -> tuple[str, ...]:
    path: tuple[str, ...] = ()
    while isinstance(expression, pst.GetAttr):
        path = (expression.attr, *path)
        expression = expression.base
    return (expression.name, *path) if isinstance(expression, pst.Var) else ()
