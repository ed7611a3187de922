"""What tenants' routes take and show: the border of this package, in OpenAPI's terms."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from quarterdeck.core.clock import Clock
from quarterdeck.core.ids import AgentName
from quarterdeck.core.json import Json
from quarterdeck.http.records import Actor, Role
from quarterdeck.tenants.records import Grant, Key, Tenant

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", examples=["acme"])]
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Bound = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
_YEAR = 366 * 24 * 3600


class Strict(BaseModel):
    """A body in which an unknown member is an error: a misspelt restriction must not be no restriction."""

    model_config = ConfigDict(extra="forbid")


class NewTenant(Strict):
    """A tenant to found."""

    slug: Slug
    name: Label | None = None
    max_running: Bound | None = Field(default=None, description="Runs executing at once; absent = the deployment's.")
    queue_limit: Bound | None = Field(default=None, description="Queued runs before 429; absent = the deployment's.")


class TenantChange(Strict):
    """What changes of a tenant; absent members stay, null takes a limit away."""

    name: Label = ""
    max_running: Bound | None = None
    queue_limit: Bound | None = None
    disabled: Flag = False


class TenantRecord(BaseModel):
    """A tenant."""

    id: str
    slug: str
    name: str
    max_running: int | None
    queue_limit: int | None
    created_at: datetime
    disabled_at: datetime | None


class TenantPage(BaseModel):
    """A page of tenants."""

    items: list[TenantRecord]
    next_cursor: str | None


class NewKey(Strict):
    """A key to make."""

    name: Label
    roles: list[Role] = Field(default_factory=list[Role], max_length=6)
    agents: list[Slug] | None = Field(default=None, max_length=200, description="Absent = every agent.")
    environments: list[Slug] | None = Field(default=None, max_length=20, description="Absent = every environment.")
    expires_in_s: Annotated[int, Field(ge=1, le=10 * _YEAR, strict=True)] | None = None
    may_assert_user: Flag = Field(default=False, description="May name the end user that it acts for.")
    deployment: Flag = Field(default=False, description="A deployment admin's key, outside all tenants.")

    def grant(self, clock: Clock) -> Grant:
        """What the key is to be good for."""
        return Grant(
            roles=frozenset({Role.OWNER}) if self.deployment else frozenset(self.roles),
            agents=None if self.agents is None else frozenset(AgentName(agent) for agent in self.agents),
            environments=None if self.environments is None else frozenset(self.environments),
            may_assert_user=self.may_assert_user,
            expires_at=None if self.expires_in_s is None else clock.now() + timedelta(seconds=self.expires_in_s),
        )


class Rotation(Strict):
    """How a key gives way to a new one."""

    overlap_s: int = Field(
        default=0, strict=True, ge=0, le=30 * 24 * 3600, description="Seconds for which the old key still works."
    )


class KeyRecord(BaseModel):
    """A key, without its secret."""

    id: str
    name: str
    deployment: bool
    status: Literal["active", "expired", "revoked"]
    roles: list[str]
    agents: list[str] | None
    environments: list[str] | None
    may_assert_user: bool
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class IssuedKey(KeyRecord):
    """A key just made. The secret is shown this once; a repeat by Idempotency-Key shows null."""

    secret: str | None


class KeyPage(BaseModel):
    """A page of keys."""

    items: list[KeyRecord]
    next_cursor: str | None


class SignIn(Strict):
    """A key to trade for a cookie."""

    key: str = Field(min_length=1, max_length=200)


class ActorRecord(BaseModel):
    """Who you are to this deployment."""

    key_id: str
    name: str
    user_id: str
    tenant: str | None
    admin: bool
    roles: list[str]
    agents: list[str] | None
    environments: list[str] | None
    may_assert_user: bool


class SessionRecord(ActorRecord):
    """Who signed in, and until when."""

    expires_at: datetime


def show_tenant(tenant: Tenant) -> dict[str, object]:
    """A tenant as `TenantRecord`."""
    return {
        "id": tenant.tenant,
        "slug": tenant.slug,
        "name": tenant.name,
        "max_running": tenant.max_running,
        "queue_limit": tenant.queue_limit,
        "created_at": tenant.created_at,
        "disabled_at": tenant.disabled_at,
    }


def show_key(key: Key, now: datetime) -> dict[str, object]:
    """A key as `KeyRecord`."""
    status = "active"
    if key.revoked_at is not None:
        status = "revoked"
    elif key.expires_at is not None and key.expires_at <= now:
        status = "expired"
    return {
        "id": key.id,
        "name": key.name,
        "deployment": key.tenant is None,
        "status": status,
        "roles": key.roles,
        "agents": key.agents,
        "environments": key.environments,
        "may_assert_user": key.may_assert_user,
        "created_by": key.created_by,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


def show_actor(actor: Actor) -> dict[str, Json]:
    """An actor as `ActorRecord`."""
    return {
        "key_id": actor.key_id,
        "name": actor.name,
        "user_id": actor.user_id,
        "tenant": actor.tenant_slug or None,
        "admin": actor.admin,
        "roles": sorted(actor.roles),
        "agents": None if actor.agents is None else sorted(actor.agents),
        "environments": None if actor.environments is None else sorted(actor.environments),
        "may_assert_user": actor.may_assert_user,
    }
