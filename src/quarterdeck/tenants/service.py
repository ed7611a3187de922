"""What is done with tenants and keys, each verb in the caller's transaction.

Tenants, and keys without a tenant, are the deployment's: their transaction is qd_system's. A tenant's keys are reached
as qd_app, held to it. `reach` picks.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from quarterdeck.audit.store import note
from quarterdeck.blobs.rules import new_tenant_key
from quarterdeck.core.ids import KeyId, TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database, Transaction
from quarterdeck.db.records import Tx
from quarterdeck.http.records import Actor, Role
from quarterdeck.tenants import rules, store
from quarterdeck.tenants.minting import Peppers, hash_key, mint_key
from quarterdeck.tenants.records import (
    AlreadyBootstrapped,
    Grant,
    Issued,
    Key,
    NoSuchKey,
    NoSuchTenant,
    SlugTaken,
    Tenant,
)

BOOTSTRAP = "bootstrap"


def reach(database: Database, tenant: TenantId | None) -> Transaction:
    """The transaction in which what is a tenant's is reached, or for None what is the deployment's."""
    return database.system.transaction() if tenant is None else database.tenant(tenant)


async def found_tenant(tx: Tx, settings: Settings, wanted: Tenant) -> Tenant:
    """Found a tenant, with a blob key of its own. The caller is an admin. Raises SlugTaken."""
    blob_key = new_tenant_key(settings.derive("blobs"), wanted.tenant)
    founded = await store.add_tenant(tx, wanted, blob_key)
    if founded is None:
        raise SlugTaken(slug=wanted.slug)
    return founded


def plan_tenant(
    slug: str, name: str, now: datetime, *, max_running: int | None = None, queue_limit: int | None = None
) -> Tenant:
    """A tenant that is not founded yet, with its id."""
    return Tenant(TenantId(uuid7()), slug, name or slug, max_running, queue_limit, now, None)


async def lock_tenant(tx: Tx, slug: str) -> Tenant:
    """A tenant, held until the transaction ends. Raises NoSuchTenant."""
    tenant = await store.find_tenant(tx, slug, lock=True)
    if tenant is None:
        raise NoSuchTenant(slug=slug)
    return tenant


def amend_tenant(tenant: Tenant, now: datetime, changes: Mapping[str, object]) -> Tenant:
    """The tenant with some members changed: `name`, `max_running`, `queue_limit`, and `disabled` as a yes or no."""
    members = dict(changes)
    if "disabled" in members:
        members["disabled_at"] = now if members.pop("disabled") else None
    return replace(tenant, **members)


async def issue_key(
    tx: Tx, peppers: Peppers, actor: Actor, tenant: TenantId | None, name: str, grant: Grant, now: datetime
) -> Issued:
    """Make a key of a tenant, or for None of the deployment. The secret in the answer is not kept anywhere.

    Raises Forbidden or GrantTooWide when the actor may not give this away.
    """
    rules.check_grant(actor, grant, tenant, now)
    return await _add_key(tx, peppers, tenant, name, grant, actor.subject)


async def rotate_key(
    tx: Tx, peppers: Peppers, actor: Actor, tenant: TenantId | None, key_id: KeyId, overlap: timedelta, now: datetime
) -> Issued:
    """Make a key with the same name and grant, and let the old one run out after `overlap`. Raises NoSuchKey."""
    old = await read_key(tx, tenant, key_id)
    if old.revoked_at is not None:
        raise NoSuchKey("This key was revoked; make a new one.", key=key_id)
    grant = grant_of(old)
    issued = await issue_key(tx, peppers, actor, tenant, old.name, replace(grant, expires_at=None), now)
    await store.limit_key(tx, tenant, key_id, overlap.total_seconds())
    await note(tx, tenant, "key.rotated", actor.subject, f"key:{key_id}", replaced_by=issued.key.id)
    return issued


async def read_key(tx: Tx, tenant: TenantId | None, key_id: KeyId) -> Key:
    """One key. Raises NoSuchKey."""
    key = await store.find_key(tx, tenant, key_id)
    if key is None:
        raise NoSuchKey(key=key_id)
    return key


async def revoke_key(tx: Tx, actor: Actor, tenant: TenantId | None, key_id: KeyId) -> None:
    """End a key and all that was made from it: an owner any of the tenant's, everybody the own one. Idempotent.

    This process refuses it from now on; others within the cache's lifetime. Raises Forbidden or NoSuchKey.
    """
    if key_id != actor.key_id:
        actor.require(Role.OWNER)
    if not await store.revoke_key(tx, tenant, key_id):
        raise NoSuchKey(key=key_id)
    await note(tx, tenant, "key.revoked", actor.subject, f"key:{key_id}")


async def bootstrap(database: Database, settings: Settings, *, force: bool = False) -> Issued:
    """Make the deployment's first admin key: the one way in that needs no key, for who runs the deployment's processes.

    Raises AlreadyBootstrapped while there is an admin key that works, unless forced.
    """
    async with database.system.transaction() as tx:
        if await store.has_admin(tx) and not force:
            raise AlreadyBootstrapped
        return await _add_key(tx, Peppers.of(settings), None, BOOTSTRAP, Grant(frozenset({Role.OWNER})), BOOTSTRAP)


def grant_of(key: Key) -> Grant:
    """What a key is good for."""
    return Grant(
        roles=frozenset(Role(role) for role in key.roles),
        agents=None if key.agents is None else frozenset(key.agents),
        environments=None if key.environments is None else frozenset(key.environments),
        may_assert_user=key.may_assert_user,
        expires_at=key.expires_at,
    )


async def _add_key(tx: Tx, peppers: Peppers, tenant: TenantId | None, name: str, grant: Grant, by: str) -> Issued:
    key_id, text = mint_key()
    key = await store.add_key(tx, key_id, tenant, name, hash_key(peppers, text), grant, by)
    roles = sorted(grant.roles)
    await note(tx, tenant, "key.issued", by, f"key:{key_id}", name=name, roles=roles)
    return Issued(key, text)
