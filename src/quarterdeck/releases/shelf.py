"""Releases as reports on policies look for them."""

from collections.abc import Sequence

from quarterdeck.core import log as logs
from quarterdeck.core.errors import Error
from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.core.text import storable
from quarterdeck.db.records import Tx
from quarterdeck.releases import store
from quarterdeck.releases.records import Release
from quarterdeck.releases.service import Releases

_MOST = 10_000

_log = logs.get(__name__)


class ReleaseShelf:
    """The releases of all tenants as `policies.ports.Shelf` wants them. Reads in the caller's transaction."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    async def find(self, tx: Tx, tenant: TenantId, name: str) -> Release:
        """The release that `agent`, `agent@version` or the digits of an id stand for; of a disabled agent too.

        Raises NoSuchAgent, NoSuchRelease or Ambiguous.
        """
        name = storable(name)
        agent, at, version = name.rpartition("@")
        if at:
            found = await self._releases.find(tx, tenant, AgentName(agent), version)
            return await self._releases.load(tx, tenant, found)
        current = await store.current(tx, tenant, AgentName(name))
        if current is not None:
            return await self._releases.load(tx, tenant, current[0])
        return await self._releases.load(tx, tenant, await self._releases.find(tx, tenant, None, name))

    async def current(self, tx: Tx, tenant: TenantId, agents: Sequence[str] | None) -> list[Release]:
        """The releases that new runs take, one an agent, by its name; what this version can't read is logged and left
        out.
        """
        only = None if agents is None else frozenset(AgentName(agent) for agent in agents)
        found: list[Release] = []
        for agent in await store.list_agents(tx, tenant, "", only, _MOST):
            try:
                found.append(await self._releases.load(tx, tenant, agent.release))
            except Error as fault:
                _log.warning("release.unreadable", agent=agent.name, release=agent.release, reason=fault.detail)
        return found

    async def load(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> Release:
        """A release by its whole id. Raises NoSuchRelease."""
        return await self._releases.load(tx, tenant, release)
