"""`/v1/tenants` for deployment admins, `/v1/keys` for owners."""

from datetime import timedelta
from typing import cast

from fastapi import APIRouter, Request, Response

from quarterdeck.audit.store import note
from quarterdeck.core.ids import KeyId, TenantId
from quarterdeck.http.actor import Actor, ActorDep, Role
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.etags import check_if_match, etag_of
from quarterdeck.http.idempotency import idempotent
from quarterdeck.http.pages import DEFAULT_LIMIT, CursorQuery, LimitQuery, page, read_cursor
from quarterdeck.http.parts import PartsDep
from quarterdeck.tenants import bodies, rules, service, store
from quarterdeck.tenants.authenticator import KeyAuthenticator
from quarterdeck.tenants.records import Change, NoSuchTenant, Part

router = APIRouter(prefix="/v1")


def authenticator_of(request: Request) -> KeyAuthenticator:
    """The process's authenticator."""
    return cast("KeyAuthenticator", request.app.state.authenticator)


@router.post("/tenants", status_code=201, response_model=bodies.TenantRecord, tags=["tenants"])
async def found_tenant(request: Request, actor: ActorDep, parts: PartsDep, body: bodies.NewTenant) -> Response:
    """Found a tenant. Deployment admins only."""
    actor.require_admin()
    planned = service.plan_tenant(
        body.slug,
        body.name or "",
        parts.clock.now(),
        max_running=body.max_running,
        queue_limit=body.queue_limit,
    )

    async with parts.database.system.transaction() as tx:

        async def act() -> Answer:
            tenant = await service.found_tenant(tx, parts.settings, planned)
            await note(tx, None, "tenant.founded", actor.subject, f"tenant:{tenant.slug}")
            tx.after_commit(lambda: authenticator_of(request).changed(Change(Part.TENANT, tenant.slug)))
            return Answer(bodies.show_tenant(tenant), 201, location=f"/v1/tenants/{tenant.slug}")

        return await idempotent(request, actor, tx, act)


@router.get("/tenants", response_model=bodies.TenantPage, tags=["tenants"])
async def list_tenants(
    actor: ActorDep, parts: PartsDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None
) -> Response:
    """All tenants, by slug. Deployment admins only."""
    actor.require_admin()
    async with parts.database.system.transaction() as tx:
        tenants = await store.list_tenants(tx, read_cursor(cursor, str), limit + 1)
    return page(tenants, limit, lambda tenant: tenant.slug, bodies.show_tenant)


@router.get("/tenants/{slug}", response_model=bodies.TenantRecord, tags=["tenants"])
async def read_tenant(actor: ActorDep, parts: PartsDep, slug: str) -> Response:
    """One tenant. Deployment admins, and whoever is in it."""
    if not actor.admin and slug != actor.tenant_slug:
        raise NoSuchTenant(slug=slug)
    async with parts.database.system.transaction() as tx:
        tenant = await store.find_tenant(tx, slug)
    if tenant is None:
        raise NoSuchTenant(slug=slug)
    return Answer(bodies.show_tenant(tenant), etag=etag_of(tenant))


@router.patch("/tenants/{slug}", response_model=bodies.TenantRecord, tags=["tenants"])
async def change_tenant(
    request: Request, actor: ActorDep, parts: PartsDep, slug: str, body: bodies.TenantChange
) -> Response:
    """Rename, limit, disable or enable a tenant. Deployment admins only. `If-Match` guards against a lost update."""
    actor.require_admin()
    given = body.model_fields_set
    async with parts.database.system.transaction() as tx:
        tenant = await service.lock_tenant(tx, slug)
        check_if_match(request, etag_of(tenant))
        wanted = service.amend_tenant(
            tenant,
            parts.clock.now(),
            {name: cast("object", getattr(body, name)) for name in given},
        )
        changed = await store.change_tenant(tx, wanted)
        await note(
            tx,
            None,
            "tenant.changed",
            actor.subject,
            f"tenant:{slug}",
            changed=body.model_dump(mode="json", include=given),
        )
        tx.after_commit(lambda: authenticator_of(request).changed(Change(Part.TENANT, slug)))
    return Answer(bodies.show_tenant(changed), etag=etag_of(changed))


@router.post("/keys", status_code=201, response_model=bodies.IssuedKey, tags=["keys"])
async def issue_key(request: Request, actor: ActorDep, parts: PartsDep, body: bodies.NewKey) -> Response:
    """Make a key. Owners only. The secret is shown this once."""
    tenant = None if body.deployment else actor.in_tenant()
    peppers, now = authenticator_of(request).peppers, parts.clock.now()
    grant = body.grant(parts.clock)
    rules.check_grant(actor, grant, tenant, now)

    async with service.reach(parts.database, tenant) as tx:

        async def act() -> Answer:
            issued = await service.issue_key(tx, peppers, actor, tenant, body.name, grant, now)
            shown = {**bodies.show_key(issued.key, now), "secret": issued.secret}
            return Answer(shown, 201, location=f"/v1/keys/{issued.key.id}")

        return await idempotent(request, actor, tx, act, secrets=["secret"])


@router.get("/keys", response_model=bodies.KeyPage, tags=["keys"])
async def list_keys(
    actor: ActorDep, parts: PartsDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None
) -> Response:
    """The tenant's keys, or the deployment's for an admin who named no tenant. Owners and auditors."""
    actor.require(Role.AUDITOR)
    async with service.reach(parts.database, actor.tenant) as tx:
        keys = await store.list_keys(tx, actor.tenant, read_cursor(cursor, str), limit + 1)
    return page(keys, limit, lambda key: key.id, lambda key: bodies.show_key(key, parts.clock.now()))


@router.get("/keys/{key_id}", response_model=bodies.KeyRecord, tags=["keys"])
async def read_key(actor: ActorDep, parts: PartsDep, key_id: str) -> Response:
    """One key. Owners and auditors any, everybody the own one."""
    if key_id != actor.key_id:
        actor.require(Role.AUDITOR)
    tenant = _tenant_of(actor, key_id)
    async with service.reach(parts.database, tenant) as tx:
        key = await service.read_key(tx, tenant, KeyId(key_id))
    return Answer(bodies.show_key(key, parts.clock.now()))


@router.post("/keys/{key_id}/rotate", status_code=201, response_model=bodies.IssuedKey, tags=["keys"])
async def rotate_key(
    request: Request, actor: ActorDep, parts: PartsDep, key_id: str, body: bodies.Rotation | None = None
) -> Response:
    """Make a key with the same grant and let the old one run out. Owners only. The secret is shown this once."""
    actor.require(Role.OWNER)
    overlap = timedelta(seconds=body.overlap_s if body else 0)
    tenant, peppers, now = _tenant_of(actor, key_id), authenticator_of(request).peppers, parts.clock.now()

    async with service.reach(parts.database, tenant) as tx:

        async def act() -> Answer:
            issued = await service.rotate_key(tx, peppers, actor, tenant, KeyId(key_id), overlap, now)
            tx.after_commit(lambda: authenticator_of(request).changed(Change(Part.KEY, key_id)))
            shown = {**bodies.show_key(issued.key, now), "secret": issued.secret}
            return Answer(shown, 201, location=f"/v1/keys/{issued.key.id}")

        return await idempotent(request, actor, tx, act, secrets=["secret"])


@router.delete("/keys/{key_id}", status_code=204, tags=["keys"])
async def revoke_key(request: Request, actor: ActorDep, parts: PartsDep, key_id: str) -> Response:
    """End a key, and the sessions and tokens made from it. Owners any, everybody the own one."""
    tenant = _tenant_of(actor, key_id)
    async with service.reach(parts.database, tenant) as tx:
        await service.revoke_key(tx, actor, tenant, KeyId(key_id))
        tx.after_commit(lambda: authenticator_of(request).changed(Change(Part.KEY, key_id)))
    return Nothing()


def _tenant_of(actor: Actor, key_id: str) -> TenantId | None:
    """Where a key is looked for: an admin's own is the deployment's, whatever tenant the admin acts in."""
    return None if actor.admin and key_id == actor.key_id else actor.tenant
