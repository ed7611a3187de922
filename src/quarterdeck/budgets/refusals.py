"""Why a question could not be paid, in words for people and models. Pure."""

from quarterdeck.budgets.records import Refused, Scope, Unit, Window
from quarterdeck.core.money import MicroUsd, show

_WHOSE = {
    Scope.REQUEST: "one question's",
    Scope.RUN: "this run's",
    Scope.THREAD: "this conversation's",
    Scope.USER: "this user's",
    Scope.AGENT: "this agent's",
    Scope.TENANT: "the organisation's",
    Scope.EVERYTHING: "the deployment's",
}


_SHARED = frozenset({Scope.AGENT, Scope.TENANT, Scope.EVERYTHING})
"""What many spend from: how much that is concerns neither a user nor a model."""


def budget_words(refused: Refused) -> str:
    """Which budget is used up: `this user's budget of $2.00 a day is used up ($1.98 of it is spent or set aside, the
    next question can cost $0.0300)`, and when it renews. Users and models may read it: of what many share it tells no
    sums.
    """
    line = refused.line
    used = refused.spent + refused.reserved
    limit, gone = _amount(line.unit, refused.limit), _amount(line.unit, used)
    window = "" if line.window is Window.TOTAL else f" a {line.window}"
    renews = f"; it renews at {refused.renews_at:%Y-%m-%d %H:%M} UTC" if refused.renews_at else ""
    if line.scope in _SHARED:
        return f"{_WHOSE[line.scope]} budget is used up for now{renews}"
    if used == 0:
        return f"{_WHOSE[line.scope]} budget of {limit}{window} is less than a question costs at worst"
    next_one = f", the next question can cost {_amount(line.unit, refused.want)}" if refused.want else ""
    told = f"{gone} of it is spent or set aside{next_one}"
    return f"{_WHOSE[line.scope]} budget of {limit}{window} is used up ({told}){renews}"


def rate_words(refused: Refused) -> str:
    """Which limit of a minute is reached."""
    line = refused.line
    most = "" if line.scope in _SHARED else f" of {refused.limit:,}"
    return f"{_WHOSE[line.scope]} limit{most} {line.unit} a minute is reached"


def _amount(unit: Unit, amount: int) -> str:
    return show(MicroUsd(amount)) if unit is Unit.USD else f"{amount:,} {unit}"
