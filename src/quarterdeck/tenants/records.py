"""Tenants, keys and sessions as they are kept, and what can be wrong with them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from quarterdeck.core.errors import Conflict, Forbidden, NotFound, Unauthenticated
from quarterdeck.core.ids import AgentName, KeyId, TenantId, UserId
from quarterdeck.http.records import Role


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant. `max_running` and `queue_limit` are None where the deployment's settings hold."""

    tenant: TenantId
    slug: str
    name: str
    max_running: int | None
    queue_limit: int | None
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key is good for. None stands for no restriction: every agent, every environment, no end."""

    roles: frozenset[Role]
    agents: frozenset[AgentName] | None = None
    environments: frozenset[str] | None = None
    may_assert_user: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One key as lists show it. `tenant` is None for a deployment admin's."""

    id: KeyId
    tenant: TenantId | None
    name: str
    roles: list[str]
    agents: list[AgentName] | None
    environments: list[str] | None
    may_assert_user: bool
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What proving a key needs: the key, its hash, and its tenant."""

    id: KeyId
    tenant: TenantId | None
    tenant_slug: str | None
    tenant_disabled: bool
    name: str
    hash: bytes
    roles: list[str]
    agents: list[AgentName] | None
    environments: list[str] | None
    may_assert_user: bool
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. It is worth no more than the key that it was traded for, and ends with it."""

    hash: bytes
    tenant: TenantId | None
    key_id: KeyId
    user_id: UserId
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Issued:
    """A key just made, with the secret that is shown this once."""

    key: Key
    secret: str


class Part(StrEnum):
    """What may be remembered for a few seconds by every process."""

    KEY = "key"
    SESSION = "session"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class Change:
    """Something remembered is no longer so: a key or tenant by its id or slug, a session by its hash in hexadecimal."""

    part: Part
    id: str


class KeyExpired(Unauthenticated):
    """This key has expired; ask an owner of your tenant for a fresh one."""

    code = "auth.key_expired"


class KeyRevoked(Unauthenticated):
    """This key was revoked."""

    code = "auth.key_revoked"


class SessionEnded(Unauthenticated):
    """You are signed out; sign in again."""

    code = "auth.session_ended"


class TokenEnded(Unauthenticated):
    """This token is not valid, or no longer."""

    code = "auth.token_ended"


class TenantDisabled(Forbidden):
    """This tenant is disabled."""

    code = "tenant.disabled"


class NoSuchTenant(NotFound):
    """There is no such tenant."""

    code = "tenant.missing"


class SlugTaken(Conflict):
    """There is a tenant with this slug already."""

    code = "tenant.slug_taken"


class NoSuchKey(NotFound):
    """There is no such key here."""

    code = "key.missing"


class GrantTooWide(Forbidden):
    """A key can't give away more than it has."""

    code = "key.grant_too_wide"


class AlreadyBootstrapped(Conflict):
    """This deployment has an admin key already; `--force` makes a further one."""

    code = "deployment.bootstrapped"


class InsecureSignIn(Forbidden):
    """Signing in needs https, except on this machine itself: a cookie sent in the clear can be read on its way."""

    code = "auth.insecure_sign_in"
