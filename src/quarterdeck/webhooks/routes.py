"""`/v1/webhooks`: register endpoints, see what became of every message, rotate, test, redeliver."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quarterdeck.audit.store import note
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
from quarterdeck.net.rules import MAX_URL
from quarterdeck.webhooks import store
from quarterdeck.webhooks.records import Delivery, DeliveryId, Endpoint, EndpointId, Kind, State
from quarterdeck.webhooks.service import Webhooks, Wish

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

_READERS = (Role.OPERATOR, Role.DEVELOPER, Role.REVIEWER, Role.AUDITOR)
_WRITERS = (Role.OPERATOR, Role.DEVELOPER)
_LONGEST_OVERLAP = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, in which tenant, and what the answer is made with."""

    actor: Actor
    tenant: TenantId
    database: Database
    webhooks: Webhooks

    def transaction(self) -> Transaction:
        """The tenant's transaction."""
        return self.database.tenant(self.tenant)


async def _desk(request: Request, actor: ActorDep, parts: PartsDep) -> Desk:
    actor.require(*_READERS)
    return Desk(actor, actor.in_tenant(), parts.database, cast("Webhooks", request.app.state.webhooks))


async def _writers_desk(desk: Annotated[Desk, Depends(_desk)]) -> Desk:
    desk.actor.require(*_WRITERS)
    return desk


ReaderDep = Annotated[Desk, Depends(_desk)]
WriterDep = Annotated[Desk, Depends(_writers_desk)]
Url = Annotated[str, StringConstraints(max_length=MAX_URL)]
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=len(Kind), description="`*` is every kind.")]
Description = Annotated[str, StringConstraints(max_length=500)]


class NewWebhook(BaseModel):
    """An endpoint to register."""

    model_config = ConfigDict(extra="forbid")

    url: Url = Field(
        description="http or https; must lead to public addresses.", examples=["https://example.com/hooks"]
    )
    kinds: Kinds = Field(default=[Kind.EVERYTHING])
    description: Description = ""


class WebhookChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    kinds: Kinds | None = None
    description: Description | None = None
    enabled: bool | None = Field(default=None, description="true also forgets how it failed.")


class Rotation(BaseModel):
    """How to rotate."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: int = Field(
        default=24 * 3600, ge=0, le=_LONGEST_OVERLAP, description="For how long the secrets before sign along."
    )


class WebhookRecord(BaseModel):
    """An endpoint."""

    id: UUID
    url: str
    description: str
    kinds: list[str]
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None = Field(description="Why it is left alone.")
    failing_since: datetime | None = Field(description="Nothing has reached it since.")
    created_by: str
    created_at: datetime
    updated_at: datetime


class NewWebhookRecord(WebhookRecord):
    """An endpoint just registered."""

    secret: str | None = Field(description="Signs its messages; shown this once. null in an idempotent repeat.")


class WebhookPage(BaseModel):
    """A page of endpoints."""

    items: list[WebhookRecord]
    next_cursor: str | None


class RotationRecord(BaseModel):
    """The outcome of a rotation."""

    secret: str | None = Field(description="Shown this once. null in an idempotent repeat.")
    previous_valid_until: datetime


class DeliveryRecord(BaseModel):
    """One message to an endpoint; its id is the message's `webhook-id`."""

    id: UUID
    webhook_id: UUID
    kind: str
    run_id: UUID | None
    state: State
    tries: int
    next_at: datetime | None = Field(description="The next attempt, while pending.")
    last_status: int | None = Field(description="What the endpoint answered last.")
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


class DeliveryPage(BaseModel):
    """A page of deliveries, newest first."""

    items: list[DeliveryRecord]
    next_cursor: str | None


@router.post("", status_code=201, response_model=NewWebhookRecord)
async def register_webhook(request: Request, body: NewWebhook, desk: WriterDep) -> Response:
    """Register an endpoint. The answer holds its secret, which is not shown again."""
    description = _storable(body.description)
    url = await desk.webhooks.examine(body.url)

    async def act() -> Answer:
        by = desk.actor.subject
        endpoint, secret = await desk.webhooks.register(tx, desk.tenant, url, _kinds(body.kinds), description, by)
        await note(tx, desk.tenant, "webhook.registered", by, f"webhook:{endpoint.id}")
        shown = {**_show(endpoint), "secret": secret}
        return Answer(shown, 201, location=f"/v1/webhooks/{endpoint.id}", etag=_etag(endpoint))

    async with desk.transaction() as tx:
        return await idempotent(request, desk.actor, tx, act, secrets=["secret"])


@router.get("", response_model=WebhookPage)
async def list_webhooks(desk: ReaderDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None) -> Response:
    """Endpoints in the order they were registered."""
    after = read_cursor(cursor, UUID)
    async with desk.transaction() as tx:
        rows = await store.page(tx, desk.tenant, EndpointId(after) if after else None, limit + 1)
    return page(rows, limit, lambda row: row.id, _show)


@router.get("/{webhook_id}", response_model=WebhookRecord)
async def get_webhook(webhook_id: UUID, desk: ReaderDep) -> Response:
    """One endpoint."""
    async with desk.transaction() as tx:
        endpoint = await desk.webhooks.find(tx, desk.tenant, EndpointId(webhook_id))
    return Answer(_show(endpoint), etag=_etag(endpoint))


@router.patch("/{webhook_id}", response_model=WebhookRecord)
async def change_webhook(request: Request, webhook_id: UUID, body: WebhookChange, desk: WriterDep) -> Response:
    """Change an endpoint, disable it or enable it again. Send `If-Match` to be sure of what you change."""
    wish = Wish(
        url=None if body.url is None else await desk.webhooks.examine(body.url),
        description=None if body.description is None else _storable(body.description),
        kinds=None if body.kinds is None else _kinds(body.kinds),
        enabled=body.enabled,
    )
    async with desk.transaction() as tx:
        present = await desk.webhooks.find(tx, desk.tenant, EndpointId(webhook_id), hold=True)
        check_if_match(request, _etag(present))
        changed = await desk.webhooks.change(tx, desk.tenant, present, wish)
        names = sorted(body.model_fields_set)
        await note(tx, desk.tenant, "webhook.changed", desk.actor.subject, f"webhook:{webhook_id}", changed=names)
    return Answer(_show(changed), etag=_etag(changed))


@router.delete("/{webhook_id}", status_code=204)
async def remove_webhook(webhook_id: UUID, desk: WriterDep) -> Response:
    """Remove an endpoint with its secrets and its log."""
    async with desk.transaction() as tx:
        await desk.webhooks.remove(tx, desk.tenant, EndpointId(webhook_id))
        await note(tx, desk.tenant, "webhook.removed", desk.actor.subject, f"webhook:{webhook_id}")
    return Nothing()


@router.post("/{webhook_id}/rotate", response_model=RotationRecord)
async def rotate_webhook(request: Request, webhook_id: UUID, desk: WriterDep, body: Rotation | None = None) -> Response:
    """Give an endpoint a fresh secret. The ones before sign along until the overlap is over."""
    overlap = timedelta(seconds=(body or Rotation()).overlap_seconds)

    async def act() -> Answer:
        secret, until = await desk.webhooks.rotate(tx, desk.tenant, EndpointId(webhook_id), overlap)
        await note(tx, desk.tenant, "webhook.rotated", desk.actor.subject, f"webhook:{webhook_id}")
        return Answer({"secret": secret, "previous_valid_until": until})

    async with desk.transaction() as tx:
        return await idempotent(request, desk.actor, tx, act, secrets=["secret"])


@router.post("/{webhook_id}/test", status_code=202, response_model=DeliveryRecord)
async def send_test(request: Request, webhook_id: UUID, desk: WriterDep) -> Response:
    """Send a `webhook.test` message; look at the delivery to see how it went."""

    async def act() -> Answer:
        return _queued(await desk.webhooks.test(tx, desk.tenant, EndpointId(webhook_id)))

    async with desk.transaction() as tx:
        return await idempotent(request, desk.actor, tx, act)


@router.get("/{webhook_id}/deliveries", response_model=DeliveryPage)
async def list_deliveries(
    webhook_id: UUID,
    desk: ReaderDep,
    state: State | None = None,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> Response:
    """What was sent to an endpoint in the last 30 days, newest first."""
    endpoint, before = EndpointId(webhook_id), read_cursor(cursor, UUID)
    async with desk.transaction() as tx:
        await desk.webhooks.find(tx, desk.tenant, endpoint)
        last = DeliveryId(before) if before else None
        rows = await store.deliveries(tx, desk.tenant, endpoint, last, state, limit + 1)
    return page(rows, limit, lambda row: row.id, _show_delivery)


@router.get("/{webhook_id}/deliveries/{delivery_id}", response_model=DeliveryRecord)
async def get_delivery(webhook_id: UUID, delivery_id: UUID, desk: ReaderDep) -> Response:
    """One delivery."""
    async with desk.transaction() as tx:
        found = await desk.webhooks.find_delivery(tx, desk.tenant, EndpointId(webhook_id), DeliveryId(delivery_id))
    return Answer(_show_delivery(found))


@router.post("/{webhook_id}/deliveries/{delivery_id}/redeliver", status_code=202, response_model=DeliveryRecord)
async def redeliver(request: Request, webhook_id: UUID, delivery_id: UUID, desk: WriterDep) -> Response:
    """Send a message again under the same `webhook-id`, whatever became of it before."""

    async def act() -> Answer:
        ids = EndpointId(webhook_id), DeliveryId(delivery_id)
        return _queued(await desk.webhooks.redeliver(tx, desk.tenant, *ids))

    async with desk.transaction() as tx:
        return await idempotent(request, desk.actor, tx, act)


def _show(endpoint: Endpoint) -> dict[str, object]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "kinds": endpoint.kinds,
        "enabled": endpoint.disabled_at is None,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": endpoint.failing_since,
        "created_by": endpoint.created_by,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def _show_delivery(delivery: Delivery) -> dict[str, object]:
    return {
        "id": delivery.id,
        "webhook_id": delivery.endpoint,
        "kind": delivery.kind,
        "run_id": delivery.run,
        "state": delivery.state,
        "tries": delivery.tries,
        "next_at": delivery.next_at if delivery.state is State.PENDING else None,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "created_at": delivery.created_at,
        "delivered_at": delivery.delivered_at,
    }


def _queued(delivery: Delivery) -> Answer:
    location = f"/v1/webhooks/{delivery.endpoint}/deliveries/{delivery.id}"
    return Answer(_show_delivery(delivery), 202, location=location)


def _etag(endpoint: Endpoint) -> str:
    return etag_of([endpoint.id, endpoint.updated_at, endpoint.disabled_at])


def _kinds(kinds: list[Kind]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(kind) for kind in kinds))


def _storable(text: str) -> str:
    if not is_storable(text):
        raise invalid("body.description", "it holds NUL or half a surrogate pair", "send printable text")
    return text
