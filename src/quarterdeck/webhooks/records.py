"""Endpoints that want to be told, messages on their way to them, and what became of an attempt."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID

from quarterdeck.core.errors import Conflict, Invalid, NotFound
from quarterdeck.core.ids import RunId, TenantId, uuid7

EndpointId = NewType("EndpointId", UUID)
DeliveryId = NewType("DeliveryId", UUID)


class Kind(StrEnum):
    """What an endpoint can ask to be told of."""

    RUN_FINISHED = "run.finished"
    RUN_PARKED = "run.parked"
    APPROVAL_ASKED = "approval.asked"
    APPROVAL_REMINDER = "approval.reminder"
    APPROVAL_ANSWERED = "approval.answered"
    ESCALATION_OPENED = "escalation.opened"
    SWITCH_THROWN = "switch.thrown"
    SWITCH_LIFTED = "switch.lifted"
    SECRET_DUE = "secret.due"  # noqa: S105  # a kind of event
    SECRET_LEAKED = "secret.leaked"  # noqa: S105  # a kind of event
    ALERT_RAISED = "alert.raised"
    ALERT_RESOLVED = "alert.resolved"
    EVERYTHING = "*"


TEST_KIND = "webhook.test"
"""Sent on request only, whatever the endpoint asked for."""


class State(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up; it can still be delivered by hand."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL of a tenant that is told of events, and how it has been doing."""

    id: EndpointId
    url: str
    description: str
    kinds: tuple[str, ...]
    created_by: str
    created_at: datetime
    updated_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one endpoint. Its id is the message's `webhook-id`, the same at every attempt."""

    id: DeliveryId
    endpoint: EndpointId
    kind: str
    run: RunId | None
    state: State
    tries: int
    next_at: datetime
    last_status: int | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret; a replaced one signs along with its successor until it expires."""

    text: str
    expires_at: datetime | None = None

    def lives(self, now: datetime) -> bool:
        """Whether it still signs."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Due:
    """A message that a worker has claimed for one attempt."""

    tenant: TenantId
    id: DeliveryId
    endpoint: EndpointId
    kind: str
    body: bytes
    tries: int
    """This attempt included."""
    url: str
    sealed_secrets: tuple[bytes, ...]
    failing_for: timedelta | None
    """How long nothing has reached the endpoint, by the database's clock; None while it is well."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt: a status, or an error when there was no answer."""

    status: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from an outcome."""

    state: State
    wait: timedelta | None = None
    """Until the next attempt, while the message is pending."""
    error: str | None = None
    disable: str | None = None
    """Why the endpoint is not to be tried any more."""


class EndpointMissing(NotFound):
    """There is no such webhook here."""

    code = "webhook.missing"


class DeliveryMissing(NotFound):
    """This webhook has no such delivery; deliveries are kept for 30 days."""

    code = "webhook.delivery_missing"


class EndpointDisabled(Conflict):
    """This webhook is disabled; enable it first."""

    code = "webhook.disabled"


class HostUnknown(Invalid):
    """The host of this URL can't be found in the DNS just now; check its spelling."""

    code = "webhook.host_unknown"


class TooManyEndpoints(Conflict):
    """This tenant has as many webhooks as it may have; remove one first."""

    code = "webhook.too_many"


def new_endpoint_id() -> EndpointId:
    """A fresh endpoint id."""
    return EndpointId(uuid7())


def new_delivery_id() -> DeliveryId:
    """A fresh delivery id: a message's `webhook-id`."""
    return DeliveryId(uuid7())
