"""Provider connections over HTTP: a deployment admin's affair. A key goes in and never comes out."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import JsonObject
from quarterdeck.http.actor import ActorDep
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.etags import check_if_match, etag_of
from quarterdeck.http.idempotency import idempotent
from quarterdeck.http.parts import PartsDep
from quarterdeck.providers.records import Connection, Kind, Wanted
from quarterdeck.providers.rules import show, version_of
from quarterdeck.providers.service import Providers

router = APIRouter(prefix="/v1/providers", tags=["providers"])


class NewProvider(BaseModel):
    """A connection to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=63, examples=["openai"])
    kind: Kind
    base_url: str | None = Field(default=None, max_length=2048, description="Left out = the vendor's own service.")
    key: SecretStr | None = Field(default=None, max_length=4096, description="Sealed to the address; never shown.")
    options: dict[str, object] = Field(default_factory=dict)
    tenants: list[UUID] | None = Field(default=None, max_length=10_000, description="Who may use it; null = all.")
    agents: list[str] | None = Field(default=None, max_length=10_000, description="Names; null = all.")


class ProviderChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    base_url: str | None = Field(default=None, max_length=2048)
    key: SecretStr | None = Field(default=None, max_length=4096, description="Needed again when the origin changes.")
    options: dict[str, object] | None = None
    tenants: list[UUID] | None = Field(default=None, max_length=10_000)
    agents: list[str] | None = Field(default=None, max_length=10_000)


class ProviderView(BaseModel):
    """A connection as it is shown."""

    name: str
    kind: Kind
    base_url: str | None
    has_key: bool
    options: dict[str, object]
    tenants: list[UUID] | None
    agents: list[str] | None
    created_at: str
    updated_at: str


class ProviderPage(BaseModel):
    """All connections: there are few, so there is one page."""

    items: list[ProviderView]
    next_cursor: str | None


async def _providers(parts: PartsDep, actor: ActorDep) -> Providers:
    actor.require_admin()
    return Providers.of(parts.database, parts.settings)


ProvidersDep = Annotated[Providers, Depends(_providers)]


@router.post("", status_code=201, response_model=ProviderView, summary="Make a provider connection")
async def add_provider(body: NewProvider, request: Request, actor: ActorDep, providers: ProvidersDep) -> Response:
    """Connect a provider. Releases name it; its key stays here."""
    wanted = Wanted(
        name=body.name,
        kind=body.kind,
        base_url=body.base_url or "",
        key=body.key.get_secret_value() if body.key else None,
        options=cast("JsonObject", body.options),
        tenants=None if body.tenants is None else frozenset(TenantId(tenant) for tenant in body.tenants),
        agents=None if body.agents is None else frozenset(body.agents),
    )
    async with providers.database.system.transaction() as tx:

        async def act() -> Answer:
            return _shown(await providers.add(tx, wanted, actor.subject), status=201)

        return await idempotent(request, actor, tx, act)


@router.get("", response_model=ProviderPage, summary="List provider connections")
async def list_providers(providers: ProvidersDep) -> Answer:
    """Every connection, by name."""
    return Answer({"items": [show(one) for one in await providers.all()], "next_cursor": None})


@router.get("/{name}", response_model=ProviderView, summary="Read a provider connection")
async def read_provider(name: str, providers: ProvidersDep) -> Answer:
    """One connection, with the ETag that a change needs."""
    return _shown(await providers.get(name))


@router.patch("/{name}", response_model=ProviderView, summary="Change a provider connection")
async def change_provider(
    name: str, body: ProviderChange, request: Request, actor: ActorDep, providers: ProvidersDep
) -> Answer:
    """Change address, key, options or who may use it. Workers follow within seconds."""
    changes = body.model_dump(exclude_unset=True, mode="json")
    if body.key is not None:
        changes["key"] = body.key.get_secret_value()
    changed = await providers.change(
        name, changes, lambda present: check_if_match(request, etag_of(version_of(present))), actor.subject
    )
    return _shown(changed)


@router.delete("/{name}", status_code=204, summary="Remove a provider connection")
async def remove_provider(name: str, actor: ActorDep, providers: ProvidersDep) -> Nothing:
    """Remove a connection. Runs whose release names it fail their next question to a model."""
    await providers.remove(name, actor.subject)
    return Nothing()


def _shown(connection: Connection, status: int = 200) -> Answer:
    location = f"/v1/providers/{connection.name}" if status == 201 else None
    return Answer(show(connection), status, location=location, etag=etag_of(version_of(connection)))
