"""A deployment with an agent in a tenant, and a worker at hand that does what a test says."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import Json
from tests.api import Deployment
from tests.db.runs.scene import Scene
from tests.manifests import manifest


@dataclass
class Stage:
    """A tenant as its users see it over HTTP, and behind the scenes."""

    deployment: Deployment
    slug: str
    owner: httpx.AsyncClient
    scene: Scene

    async def key(self, *roles: str, **wanted: object) -> httpx.AsyncClient:
        """A client with a key of these roles."""
        return await self.deployment.client(await self.deployment.key(self.slug, roles=list(roles), **wanted))

    async def register(self, agent: str = "desk", prompt: str = "You help.", **changes: Json) -> str:
        """Register a release; its id."""
        admin = await self.deployment.admin(quarterdeck_tenant=self.slug)
        answer = await admin.post("/v1/agents", json={"manifest": manifest(agent, prompt, **changes), "files": {}})
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()["release"]

    async def submit(self, client: httpx.AsyncClient | None = None, **wanted: object) -> dict[str, Any]:
        answer = await (client or self.owner).post("/v1/runs", json={"agent": "desk", "input": "hello", **wanted})
        assert answer.status_code == 202, answer.text
        return answer.json()


async def staged(deployment: Deployment, slug: str = "acme") -> Stage:
    owner = await deployment.tenant(slug)
    database = deployment.parts.database
    async with database.system.transaction() as tx:
        tenant = TenantId(await tx.fetchval("SELECT tenant FROM qd.tenants WHERE slug = $1", slug))
    scene = Scene(database, tenant)
    stage = Stage(deployment, slug, owner, scene)
    await stage.register()
    return stage


def run_id(record: dict[str, Any]) -> RunId:
    """The id in a record."""
    return RunId(UUID(str(record["run_id"])))
