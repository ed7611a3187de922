"""Which models are left alone for a while because they failed again and again: a circuit for each over each connection.

They belong to a process. What one worker has found out the others find out within a few calls each, and all of them
find out by one call at a time whether the model is well again.
"""

import random
from collections.abc import Callable, Mapping
from typing import TypeAlias

from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.models.records import Fault
from quarterdeck.rates import circuit as rules
from quarterdeck.rates.circuit import Circuit, Outcome, Pass, PassOrWait, Phase

ModelRoute: TypeAlias = tuple[str, str]
"""A connection and a model."""

_BLANK = Circuit()
_OUTAGES = frozenset(
    {Fault.OVERLOADED, Fault.SERVER_ERROR, Fault.TIMEOUT, Fault.CUT_OFF, Fault.UNREACHABLE, Fault.MALFORMED}
)
_ALIVE = frozenset({Fault.RATE_LIMITED, Fault.TOO_LONG, Fault.REFUSED_REQUEST})
_log = logs.get(__name__)


class Outages:
    """The circuits of a process. Those of models that do well take no room."""

    def __init__(self, clock: Clock, spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0)) -> None:
        self._clock = clock
        self._spread = spread
        self._known: dict[ModelRoute, Circuit] = {}

    def closed(self, route: ModelRoute) -> str | None:
        """Why a model is left alone now, as a clause; None = it may be asked, be it to find out."""
        known = self._known.get(route)
        seconds = 0.0 if known is None else rules.wait(known, self._clock.boot())
        if seconds <= 0:
            return None
        return f"`{route[1]}` over `{route[0]}` fails at the moment and is left alone for {max(1.0, seconds):.0f} s"

    def wait(self, route: ModelRoute) -> float:
        """Seconds for which it is left alone; 0 = it may be asked."""
        known = self._known.get(route)
        return 0.0 if known is None else rules.wait(known, self._clock.boot())

    def ask(self, route: ModelRoute) -> PassOrWait:
        """Leave to send one question, or how long to wait. Each pass is told what came of it."""
        known = self._known.get(route)
        if known is None:
            return Pass()
        after, answer = rules.ask(known, self._clock.boot())
        self._keep(route, after)
        return answer

    def tell(self, route: ModelRoute, given: Pass, outcome: Outcome) -> None:
        """What came of a question."""
        before = self._known.get(route, _BLANK)
        if before == _BLANK and outcome is not Outcome.FAILED:
            return
        after = rules.tell(before, given, outcome, self._clock.boot(), spread=self._spread())
        self._keep(route, after)
        if after.phase is not before.phase:
            self._say(route, after)

    def standing(self) -> Mapping[ModelRoute, Circuit]:
        """Every circuit that something speaks against now, for metrics and alerts."""
        return {route: circuit for route, circuit in self._known.items() if not circuit.is_well}

    def open_routes(self) -> list[tuple[str, str, float]]:
        """Those that are left alone now: provider, model, and for how many seconds still."""
        now = self._clock.boot()
        open_ones = ((route, rules.wait(circuit, now)) for route, circuit in self._known.items())
        return [(*route, seconds) for route, seconds in open_ones if seconds > 0]

    def _keep(self, route: ModelRoute, circuit: Circuit) -> None:
        if circuit == _BLANK:
            self._known.pop(route, None)
        else:
            self._known[route] = circuit

    def _say(self, route: ModelRoute, circuit: Circuit) -> None:
        provider, model = route
        if circuit.phase is Phase.CLOSED:
            _log.info("route.closed", provider=provider, model=model)
        elif circuit.phase is Phase.OPEN:
            seconds = round(circuit.until - self._clock.boot(), 1)
            _log.warning("route.open", provider=provider, model=model, seconds=seconds)


def outcome_of(fault: Fault | None) -> Outcome:
    """What an answer, or what came instead of one, says about its model. Who refuses politely is well."""
    if fault is None or fault in _ALIVE:
        return Outcome.WELL
    return Outcome.FAILED if fault in _OUTAGES else Outcome.NO_WORD
