"""`/v1/secrets`: a value goes in and never comes out. Without a tenant, an admin keeps the deployment's own."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from quarterdeck.audit.store import note
from quarterdeck.core.errors import Forbidden
from quarterdeck.core.ids import TenantId
from quarterdeck.core.text import is_storable
from quarterdeck.db.pool import Database, Transaction
from quarterdeck.http.actor import Actor, ActorDep, Role
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.etags import check_if_match, etag_of
from quarterdeck.http.fixes import invalid
from quarterdeck.http.idempotency import idempotent
from quarterdeck.http.pages import DEFAULT_LIMIT, CursorQuery, LimitQuery, page, read_cursor
from quarterdeck.http.parts import PartsDep
from quarterdeck.http.segments import keep_apart
from quarterdeck.secrets import store
from quarterdeck.secrets.records import DEPLOYMENT, LARGEST, NoSuchSecret, Secret, Wanted
from quarterdeck.secrets.rules import ROTATE_KEY, is_due
from quarterdeck.secrets.service import Vault

router = APIRouter(prefix="/v1/secrets", tags=["secrets"])
keep_apart("secret", ROTATE_KEY)

_READERS = (Role.OPERATOR, Role.DEVELOPER, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, whose secrets they are, and what the answer is made with."""

    actor: Actor
    tenant: TenantId
    database: Database
    vault: Vault

    def transaction(self) -> Transaction:
        """The transaction of whoever the secrets belong to."""
        return self.database.tenant(self.tenant)


async def _desk(request: Request, actor: ActorDep, parts: PartsDep) -> Desk:
    """A key that is bound to agents or to one user is for less than this."""
    if actor.tenant is None:
        actor.require_admin()
        return Desk(actor, DEPLOYMENT, parts.database, cast("Vault", request.app.state.vault))
    actor.require(*_READERS)
    return Desk(actor, actor.tenant, parts.database, cast("Vault", request.app.state.vault))


async def _owners_desk(desk: Annotated[Desk, Depends(_desk)]) -> Desk:
    if not desk.actor.admin:
        desk.actor.require()
        if desk.actor.agents is not None:
            raise Forbidden("This key is for some agents only; secrets are the whole tenant's.")
    return desk


ReaderDep = Annotated[Desk, Depends(_desk)]
OwnerDep = Annotated[Desk, Depends(_owners_desk)]


class SecretWish(BaseModel):
    """What a secret should be; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    value: SecretStr | None = Field(
        default=None, max_length=LARGEST, description="Sealed at once and never shown. At least 8 bytes."
    )
    description: str | None = Field(default=None, max_length=500, description="For people.")
    due_at: datetime | None = Field(
        default=None,
        description="When it should have a new value; null = never. Left out with a new value, the next date is as far "
        "off as the last one was.",
    )


class SecretRecord(BaseModel):
    """A secret as it is shown: without its value."""

    name: str
    reference: str = Field(description="How headers and `secrets` in agent.yaml name it.")
    version: int
    description: str
    due_at: datetime | None
    due: bool = Field(description="Its date has come.")
    leaks: int = Field(description="How often it had to be taken out of what tools and models said.")
    leaked_at: datetime | None
    set_by: str
    set_at: datetime
    created_at: datetime
    updated_at: datetime


class SecretPage(BaseModel):
    """A page of secrets, by name."""

    items: list[SecretRecord]
    next_cursor: str | None


class KeyRotation(BaseModel):
    """What a rotation came to."""

    values: int = Field(description="Values that were sealed anew, in a tenant.")
    keys: int = Field(description="Data keys that were wrapped anew, by a deployment admin for all tenants.")


@router.get("", response_model=SecretPage)
async def list_secrets(
    desk: ReaderDep,
    due: Annotated[bool, Query(description="Only those whose date has come.")] = False,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> Response:
    """Secrets by name, never their values."""
    after = read_cursor(cursor, str) or ""
    async with desk.transaction() as tx:
        rows = await store.page(tx, desk.tenant, after, limit + 1, due=due)
    return page(rows, limit, lambda row: row.name, _show)


@router.post(f"/{ROTATE_KEY}", response_model=KeyRotation)
async def rotate_secrets_key(request: Request, desk: OwnerDep) -> Response:
    """Seal everything under a new data key. For the deployment: wrap all data keys under the master key in force.

    Set QUARTERDECK_VAULT_KEY to the new master secret and QUARTERDECK_VAULT_KEYS_BEFORE to the old one, restart, and
    ask for this; then the old one can go.
    """

    async def act() -> Answer:
        await note(tx, desk.tenant, "secret.key_rotated", desk.actor.subject)
        return Answer({"values": await desk.vault.rotate_key(tx, desk.tenant), "keys": 0})

    if desk.tenant == DEPLOYMENT:
        return Answer({"values": 0, "keys": await desk.vault.rewrap(desk.actor.subject)})
    async with desk.transaction() as tx:
        return await idempotent(request, desk.actor, tx, act)


@router.get("/{name:secret}", response_model=SecretRecord)
async def read_secret(name: str, desk: ReaderDep) -> Response:
    """One secret, without its value, with the ETag that a careful change needs."""
    async with desk.transaction() as tx:
        found = await store.find(tx, desk.tenant, name)
    if found is None:
        raise NoSuchSecret(name=name)
    return _shown(found)


@router.put("/{name:secret}", response_model=SecretRecord)
async def set_secret(name: str, body: SecretWish, request: Request, desk: OwnerDep) -> Response:
    """Keep a secret, or give it a new value. Workers use it within five seconds, without a restart."""
    if body.description is not None and not is_storable(body.description):
        raise invalid("body.description", "it holds NUL or half a surrogate pair", "send printable text")
    if body.due_at is not None and body.due_at.tzinfo is None:
        raise invalid("body.due_at", "it has no time zone", "send it as 2026-01-31T12:00:00Z")
    wanted = Wanted(
        name=name,
        value=None if body.value is None else body.value.get_secret_value(),
        description=body.description,
        due_at=body.due_at,
        clear_due="due_at" in body.model_fields_set and body.due_at is None,
    )
    async with desk.transaction() as tx:
        if "if-match" in request.headers:
            present = await store.find(tx, desk.tenant, name, lock=True)
            check_if_match(request, "" if present is None else _etag(present))
        return _shown(await desk.vault.put(tx, desk.tenant, wanted, desk.actor.subject))


@router.delete("/{name:secret}", status_code=204)
async def remove_secret(name: str, desk: OwnerDep) -> Response:
    """Remove a secret with all its values. Calls that need it fail from then on."""
    async with desk.transaction() as tx:
        await desk.vault.remove(tx, desk.tenant, name, desk.actor.subject)
    return Nothing()


def _shown(secret: Secret) -> Answer:
    return Answer(_show(secret), etag=_etag(secret))


def _show(secret: Secret) -> dict[str, object]:
    return {
        "name": secret.name,
        "reference": f"secret://{secret.name}",
        "version": secret.version,
        "description": secret.description,
        "due_at": secret.due_at,
        "due": is_due(secret, datetime.now(UTC)),
        "leaks": secret.leaks,
        "leaked_at": secret.leaked_at,
        "set_by": secret.set_by,
        "set_at": secret.set_at,
        "created_at": secret.created_at,
        "updated_at": secret.updated_at,
    }


def _etag(secret: Secret) -> str:
    return etag_of([secret.name, secret.version, secret.updated_at])
