"""How a list of checks becomes one decision: in order, first denial at once, a question at the end, closed when a check
breaks.
"""

from collections.abc import Sequence

from quarterdeck.core.log import get
from quarterdeck.gates.records import Asked, Check, Ruling, Verdict, deny
from quarterdeck.runs.parts import Decision

log = get(__name__)


def decide(checks: Sequence[Check[Asked]], asked: Asked, effective: str = "") -> Decision:
    """The decision of a gate, with the rule that made it; `checks` names those that were asked, in order.

    The first denial is final. A check that wants a person to be asked is remembered while the rest is asked too: nobody
    is bothered with what is denied anyway. A check that raises is a denial that names it: what could not be checked is
    not let through. The policies named are those of all checks that were asked.
    """
    held: tuple[str, Ruling] | None = None
    policies: tuple[str, ...] = ()
    for position, check in enumerate(checks):
        ruling = _asked(check, asked)
        policies += ruling.policies
        if ruling.verdict is Verdict.DENY:
            return _decision(check.__name__, ruling, names(checks[: position + 1]), ruling.policies, effective)
        if ruling.verdict is Verdict.ASK and held is None:
            held = check.__name__, ruling
    if held is not None:
        name, ruling = held
        return _decision(name, ruling, names(checks), ruling.policies, effective)
    return Decision(Verdict.ALLOW, "default", "", names(checks), policies, effective)


def _asked(check: Check[Asked], asked: Asked) -> Ruling:
    try:
        return check(asked)
    except Exception as fault:
        name = check.__name__
        log.exception("gate.check_broke", check=name)
        return deny(f"The check `{name}` could not be made ({type(fault).__name__}).")


def _decision(
    name: str, ruling: Ruling, checks: tuple[str, ...], policies: tuple[str, ...], effective: str
) -> Decision:
    rule = f"{name}.{ruling.rule}" if ruling.rule else name
    later = None if ruling.later is None else int(ruling.later * 1000)
    return Decision(ruling.verdict, rule, ruling.reason, checks, policies, effective, later)


def names(checks: Sequence[Check[Asked]]) -> tuple[str, ...]:
    """The checks' names, as the log holds them."""
    return tuple(check.__name__ for check in checks)
