"""A deployment to talk to in tests: the real application on a real database, called without sockets."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI

from quarterdeck.core.settings import Settings
from quarterdeck.http.parts import Parts
from quarterdeck.serve.app import open_app
from quarterdeck.tenants.service import bootstrap

HERE = "http://localhost:7410"


class Deployment:
    """An application, its parts, and clients for whoever wants to call it."""

    def __init__(self, app: FastAPI, admin_key: str, stack: AsyncExitStack) -> None:
        self.app = app
        self.admin_key = admin_key
        self._stack = stack

    @property
    def parts(self) -> Parts:
        return self.app.state.parts

    async def client(self, key: str = "", **headers: str) -> httpx.AsyncClient:
        """A client that sends this key, and nothing when it is empty."""
        if key:
            headers["authorization"] = f"Bearer {key}"
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(
            transport=transport,
            base_url=HERE,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        return await self._stack.enter_async_context(client)

    async def admin(self, **headers: str) -> httpx.AsyncClient:
        """A deployment admin."""
        return await self.client(self.admin_key, **headers)

    async def tenant(self, slug: str) -> httpx.AsyncClient:
        """A fresh tenant's first owner."""
        admin = await self.admin()
        created = await admin.post("/v1/tenants", json={"slug": slug})
        assert created.status_code == 201, created.text
        return await self.client(await self.key(slug, roles=["owner"]))

    async def key(self, slug: str, **wanted: object) -> str:
        """A key of a tenant, made by an admin."""
        admin = await self.admin(quarterdeck_tenant=slug)
        issued = await admin.post("/v1/keys", json={"name": "a key", **wanted})
        assert issued.status_code == 201, issued.text
        return issued.json()["secret"]


@asynccontextmanager
async def deployed(settings: Settings) -> AsyncGenerator[Deployment]:
    """A deployment with its first admin key."""
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(settings))
        issued = await bootstrap(app.state.parts.database, settings)
        yield Deployment(app, issued.secret, stack)
