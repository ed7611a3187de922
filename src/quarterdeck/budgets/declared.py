"""Limits that releases declare, as lists show them beside the live ones. `serve` says where releases are."""

from dataclasses import dataclass
from typing import Protocol

from quarterdeck.budgets.records import Scope, Window
from quarterdeck.budgets.wording import DURATIONS
from quarterdeck.core.ids import AgentName, TenantId
from quarterdeck.db.records import Tx


@dataclass(frozen=True, slots=True)
class DeclaredLimit:
    """A limit of the release that new runs of an agent take."""

    agent: AgentName
    release: str
    scope: Scope
    window: Window
    max_micro_usd: int | None
    max_tokens: int | None

    @property
    def name(self) -> str:
        """What it is called, since nobody gave it a name: `desk:user:1d`. No live budget can be called so."""
        return f"{self.agent}:{self.scope}:{DURATIONS[self.window]}"


class Declarations(Protocol):
    """Where the releases are that new runs take."""

    async def in_force(self, tx: Tx, tenant: TenantId) -> list[DeclaredLimit]:
        """What they declare, by agent."""
        ...
