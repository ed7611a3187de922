"""How a list of checks becomes one decision: in order, first verdict that is not allow, closed when a check breaks."""

from collections.abc import Sequence

from quarterdeck.core.log import get
from quarterdeck.gates.records import Asked, Check, Verdict
from quarterdeck.runs.events import Decision

log = get(__name__)


def decide(checks: Sequence[Check[Asked]], asked: Asked) -> Decision:
    """The decision of a gate, with the rule that made it; `checks` names those that were asked, in order.

    A check that raises is a deny that names it: what could not be checked is not let through.
    """
    for position, check in enumerate(checks):
        try:
            ruling = check(asked)
        except Exception as fault:
            name = check.__name__
            log.exception("gate.check_broke", check=name)
            reason = f"The check `{name}` could not be made ({type(fault).__name__})."
            return Decision(Verdict.DENY, name, reason, names(checks[: position + 1]))
        if ruling.verdict is not Verdict.ALLOW:
            rule = f"{check.__name__}.{ruling.rule}" if ruling.rule else check.__name__
            return Decision(ruling.verdict, rule, ruling.reason, names(checks[: position + 1]))
    return Decision(Verdict.ALLOW, "default", "", names(checks))


def names(checks: Sequence[Check[Asked]]) -> tuple[str, ...]:
    """The checks' names, as the log holds them."""
    return tuple(check.__name__ for check in checks)
