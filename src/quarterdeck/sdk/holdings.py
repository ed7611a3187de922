"""What a deployment holds beside runs: agents and releases, keys and tenants, providers, webhooks, workers."""

from collections.abc import Mapping
from datetime import datetime

from quarterdeck.core.json import Json
from quarterdeck.sdk.records import Record


class Model(Record, frozen=True, kw_only=True):
    """The exact model that a release asks, and over which connection."""

    provider: str
    id: str


class Agent(Record, frozen=True, kw_only=True):
    """An agent and the release that new runs of it take."""

    name: str
    release: str
    agent_version: str = ""
    label: str | None = None
    owner: str = ""
    description: str = ""
    model: Model | None = None
    tools: list[str] = []
    disabled: bool = False
    disabled_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class File(Record, frozen=True, kw_only=True):
    """A file of a release. Recordings have no digest, since they are no part of the id."""

    path: str
    size: int
    digest: str | None = None


class Release(Record, frozen=True, kw_only=True):
    """A release. Members after `current` are set where one release was asked for, and empty in lists."""

    release: str
    agent: str
    agent_version: str = ""
    label: str | None = None
    model: Model | None = None
    registered_by: str = ""
    registered_at: datetime | None = None
    current: bool = False
    owner: str = ""
    description: str = ""
    manifest: dict[str, Json] = {}
    files: list[File] = []
    against: str | None = None
    changes: list[str] = []


class Registered(Record, frozen=True, kw_only=True):
    """What registering came to. `created` is false where the release was there before."""

    release: str
    agent: str
    agent_version: str = ""
    label: str | None = None
    owner: str = ""
    registered_by: str = ""
    registered_at: datetime | None = None
    created: bool = True
    previous: str | None = None
    changes: list[str] = []
    ignored: list[str] = []
    warnings: list[str] = []


class Key(Record, frozen=True, kw_only=True):
    """A key. `secret` is set in the answer that made it, this once, and None ever after."""

    id: str
    name: str
    deployment: bool = False
    status: str = ""
    roles: list[str] = []
    agents: list[str] | None = None
    environments: list[str] | None = None
    may_assert_user: bool = False
    created_by: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    secret: str | None = None


class Actor(Record, frozen=True, kw_only=True):
    """Who a key is to the deployment."""

    key_id: str
    name: str = ""
    user_id: str = ""
    tenant: str | None = None
    admin: bool = False
    roles: list[str] = []
    agents: list[str] | None = None
    may_assert_user: bool = False


class Tenant(Record, frozen=True, kw_only=True):
    """A tenant. Limits are None where the deployment's hold."""

    id: str
    slug: str
    name: str = ""
    max_running: int | None = None
    queue_limit: int | None = None
    created_at: datetime | None = None
    disabled_at: datetime | None = None


class Provider(Record, frozen=True, kw_only=True):
    """A connection to a model provider; its key stays in the deployment. `tenants` and `agents` None = all."""

    name: str
    kind: str
    base_url: str | None = None
    has_key: bool = False
    options: dict[str, Json] = {}
    tenants: list[str] | None = None
    agents: list[str] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class PaceRate(Record, frozen=True, kw_only=True):
    """So many a minute. `limit` None = as many as there are; `most` is the limit that is named, if any."""

    limit: float | None = None
    most: float | None = None
    used: float = 0.0
    learned_from: str | None = None


class Pace(Record, frozen=True, kw_only=True):
    """How fast a provider is asked with one key, and one model with it (None = all together)."""

    key: str
    model: str | None = None
    requests: PaceRate = PaceRate()
    tokens: PaceRate = PaceRate()
    held_until: datetime | None = None
    refused_at: datetime | None = None
    refusals: int = 0
    waiting: int = 0
    called: int = 0


class Webhook(Record, frozen=True, kw_only=True):
    """An endpoint that is told what happens. `secret` is set in the answer that made it, this once."""

    id: str
    url: str
    description: str = ""
    kinds: list[str] = []
    enabled: bool = True
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    created_by: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    secret: str | None = None


class Rotated(Record, frozen=True, kw_only=True):
    """A webhook's fresh secret, and until when the ones before sign along."""

    secret: str | None = None
    previous_valid_until: datetime | None = None


class Delivery(Record, frozen=True, kw_only=True):
    """One message to an endpoint; its id is the message's `webhook-id`."""

    id: str
    webhook_id: str
    kind: str = ""
    run_id: str | None = None
    state: str = ""
    tries: int = 0
    next_at: datetime | None = None
    last_status: int | None = None
    last_error: str | None = None
    created_at: datetime | None = None
    delivered_at: datetime | None = None


class Secret(Record, frozen=True, kw_only=True):
    """A secret, without its value. `due`: its date has come; `leaks`: how often it was taken out of texts."""

    name: str
    reference: str = ""
    version: int = 0
    description: str = ""
    due_at: datetime | None = None
    due: bool = False
    leaks: int = 0
    leaked_at: datetime | None = None
    set_by: str = ""
    set_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class KeyRotation(Record, frozen=True, kw_only=True):
    """What a rotation came to: values sealed anew in a tenant, or keys wrapped anew in all."""

    values: int = 0
    keys: int = 0


class Rate(Record, frozen=True, kw_only=True):
    """A limit on tool calls: `calls` in any `every` seconds, `concurrency` at once, or both."""

    name: str
    scope: str
    target: str = "*"
    calls: int | None = None
    every: int | None = None
    concurrency: int | None = None
    why: str = ""
    set_by: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Worker(Record, frozen=True, kw_only=True):
    """A worker process of the last hour. `state` is `alive`, `draining` or `dead`."""

    id: str
    host: str = ""
    pid: int = 0
    version: str = ""
    behaviours: list[int] = []
    state: str = ""
    capacity: int = 0
    running: int = 0
    epoch: int = 0
    started_at: datetime | None = None
    lease_until: datetime | None = None


class Readiness(Record, frozen=True, kw_only=True):
    """Whether a process of the deployment can serve, and what each check said."""

    ready: bool
    checks: Mapping[str, str] = {}
