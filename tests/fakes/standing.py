"""What stands live, for gates without a database: nothing, unless a test says otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quarterdeck.autonomy.rules import lowest
from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.gates.gathering import Live
from quarterdeck.gates.sending import Sending
from quarterdeck.gates.tool import ToolGate
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.tenant import PoliciesUnknown
from quarterdeck.rates.circuits import Circuits
from quarterdeck.rates.records import Declared, Place, PlaceOrLater, PlaceWant, RateWant, Subject, Taken, TakenOrLater
from quarterdeck.switches.records import CLEAR, Standing
from quarterdeck.tools.records import Keep, Toolbox


@dataclass
class Calm:
    """Switches, policies, levels and rates of a test: change what stands, and the next decision sees it."""

    stands: Standing = CLEAR
    texts: Sequence[PolicyText] = ()
    policies_known: bool = True
    level_set: str | None = None
    taken: TakenOrLater = field(default_factory=Taken)
    called_today: int = 0

    def standing(self, tenant: TenantId, agent: str, **_: object) -> Standing:
        return self.stands

    def tenant(self, tenant: TenantId) -> Sequence[PolicyText]:
        return self.texts

    def digest(self, tenant: TenantId) -> str:
        if not self.policies_known:
            raise PoliciesUnknown
        return repr(self.texts)

    def level(self, tenant: TenantId, agent: str, tool: str, ceiling: str) -> str:
        return lowest(ceiling, self.level_set)

    def wants(self, tenant: TenantId, subject: Subject, declared: Sequence[Declared]) -> tuple[RateWant, ...]:
        return ()

    async def take(self, tenant: TenantId, wants: Sequence[RateWant], *, waited: float = 0.0) -> TakenOrLater:
        return self.taken

    def places(self, tenant: TenantId, subject: Subject, concurrency: int) -> tuple[PlaceWant, ...]:
        return ()

    async def enter(
        self, tenant: TenantId, wants: Sequence[PlaceWant], seconds: float, *, waited: float = 0.0
    ) -> PlaceOrLater:
        return Place(tenant, uuid7(), ())

    async def leave(self, place: Place) -> None: ...

    async def count(self, tenant: TenantId, user: str, tool: str, since: datetime) -> int:
        return self.called_today


def a_tool_gate(tools: Toolbox, keep: Keep, clock: Clock, calm: Calm | None = None) -> ToolGate:
    """A gate over these tools, with what stands as `calm` has it."""
    calm = calm or Calm()
    live = Live(calm, calm, calm, calm.count)
    circuits = Circuits(clock)
    return ToolGate(Sending(tools, keep, clock, circuits), live, calm, circuits, clock)
