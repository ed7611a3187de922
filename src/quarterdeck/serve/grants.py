"""What agents were granted, for packages that stand below releases."""

from quarterdeck.autonomy.records import Autonomy, Granted
from quarterdeck.core.ids import AgentName, TenantId
from quarterdeck.db.records import Tx
from quarterdeck.releases import store
from quarterdeck.releases.service import Releases

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
