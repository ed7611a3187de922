"""A deployment with two tenants; acme has an agent whose tools do things of different weight."""

from typing import Any

import httpx
import pytest

from quarterdeck.core.json import Json
from quarterdeck.core.settings import Settings
from tests.api import Deployment, deployed
from tests.manifests import manifest


def tool(name: str, effect: str, properties: dict[str, Json], **more: Json) -> dict[str, Json]:
    return {
        "name": name,
        "server": "shop",
        "remote_name": name,
        "description": f"It does {name}.",
        "parameters": {"type": "object", "properties": properties, "required": list(properties)},
        "output_schema": None,
        "effect": effect,
        "repeat": "never",
        "trust": "untrusted",
        **more,
    }


SHOP = {"name": "shop", "kind": "http", "url": "https://mcp.example.com/mcp"}
LOOKUP = tool("lookup", "read", {"order": {"type": "integer"}}, repeat="safe")
REFUND = tool("refund", "payment", {"amount": {"type": "integer"}, "to": {"type": "string"}})


async def register(admin: httpx.AsyncClient, agent: str = "desk", **changes: Any) -> str:
    made = manifest(agent, servers=[SHOP], tools=[LOOKUP, REFUND], **changes)
    answer = await admin.post("/v1/agents", json={"manifest": made, "files": {}})
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()["release"]


@pytest.fixture
async def deployment(settings: Settings):
    """A real application on a fresh database."""
    async with deployed(settings) as found:
        yield found


@pytest.fixture
async def owner(deployment: Deployment):
    """The owner of tenant acme."""
    return await deployment.tenant("acme")


@pytest.fixture
async def admin(deployment: Deployment, owner: httpx.AsyncClient):
    """A deployment admin who acts in acme."""
    return await deployment.admin(quarterdeck_tenant="acme")


@pytest.fixture
async def other(deployment: Deployment):
    """The owner of tenant umbra."""
    return await deployment.tenant("umbra")
