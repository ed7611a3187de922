"""The circuits of one process: a tool that fails for one worker is found out by the others within a few calls each.

They are by tenant, since what a server refuses one tenant it may grant another, and hold whatever the release is.
"""

import random
from collections.abc import Callable
from typing import TypeAlias

from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import TenantId
from quarterdeck.rates import circuit as rules
from quarterdeck.rates.circuit import Circuit, Outcome, Pass, PassOrWait, Phase

Key: TypeAlias = tuple[TenantId, str, str]
"""Tenant, server, tool."""

_BLANK = Circuit()
_log = logs.get(__name__)


class Circuits:
    """What this process knows of tools that did not always do well. Those that did take no room."""

    def __init__(self, clock: Clock, spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0)) -> None:
        self._clock = clock
        self._spread = spread
        self._known: dict[Key, Circuit] = {}

    def wait(self, key: Key) -> float:
        """Seconds until a call of this tool has a chance; 0 = now. For the decision, before an intent is written."""
        known = self._known.get(key)
        return 0.0 if known is None else rules.wait(known, self._clock.boot())

    def ask(self, key: Key) -> PassOrWait:
        """Leave to send one call, or how long to wait. Right before sending; each pass is told what came of it."""
        known = self._known.get(key)
        if known is None:
            return Pass()
        after, answer = rules.ask(known, self._clock.boot())
        self._keep(key, after)
        return answer

    def tell(self, key: Key, given: Pass, outcome: Outcome, retry_after: float | None = None) -> None:
        """What came of a call."""
        before = self._known.get(key) or Circuit()
        after = rules.tell(
            before, given, outcome, self._clock.boot(), retry_after=retry_after or 0.0, spread=self._spread()
        )
        self._keep(key, after)
        if after.phase is not before.phase:
            self._say(key, after)

    def standing(self) -> dict[Key, Circuit]:
        """Every circuit that something speaks against now."""
        return {key: circuit for key, circuit in self._known.items() if not circuit.is_well}

    def _keep(self, key: Key, circuit: Circuit) -> None:
        if circuit == _BLANK:
            self._known.pop(key, None)
        else:
            self._known[key] = circuit

    def _say(self, key: Key, circuit: Circuit) -> None:
        tenant, server, tool = key
        if circuit.phase is Phase.CLOSED:
            _log.info("circuit.closed", tenant=str(tenant), server=server, tool=tool)
        elif circuit.phase is Phase.OPEN:
            seconds = round(circuit.until - self._clock.boot(), 1)
            _log.warning("circuit.open", tenant=str(tenant), server=server, tool=tool, seconds=seconds)
