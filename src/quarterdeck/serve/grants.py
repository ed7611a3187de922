"""What agents were granted and may spend, for packages that stand below releases."""

from quarterdeck.autonomy.records import Autonomy, Granted
from quarterdeck.budgets.declared import DeclaredLimit
from quarterdeck.budgets.records import Scope, Window
from quarterdeck.core.ids import AgentName, TenantId
from quarterdeck.db.records import Tx
from quarterdeck.releases import store
from quarterdeck.releases.service import Releases
from quarterdeck.releases.shelf import ReleaseShelf

_ALL = 10_000


class PresentGrants:
    """The grants of the releases that new runs take."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    async def agents(self, tx: Tx, tenant: TenantId) -> list[AgentName]:
        """All agents, by name."""
        return [agent.name for agent in await store.list_agents(tx, tenant, "", None, _ALL)]

    async def tools(self, tx: Tx, tenant: TenantId, agent: AgentName) -> list[Granted]:
        """The tools of an agent's present release, by name; none for an agent that is not there."""
        current = await store.current(tx, tenant, agent)
        if current is None:
            return []
        release = await self._releases.load(tx, tenant, current[0])
        granted = [Granted(agent, tool.name, tool.effect, Autonomy(tool.autonomy)) for tool in release.tools]
        return sorted(granted, key=lambda one: one.tool)


class PresentBudgets:
    """What the releases declare that new runs take."""

    def __init__(self, shelf: ReleaseShelf) -> None:
        self._shelf = shelf

    async def in_force(self, tx: Tx, tenant: TenantId) -> list[DeclaredLimit]:
        """What they declare, by agent; of a release that this version can't read nothing."""
        return [
            DeclaredLimit(
                *(release.agent, release.id, Scope(limit.scope), Window(limit.window)),
                *(limit.max_micro_usd, limit.max_tokens),
            )
            for release in await self._shelf.current(tx, tenant, None)
            for limit in release.budgets
        ]
