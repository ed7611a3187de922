"""A provider connection as it is kept. Its key is sealed to its origin and stands in no answer, log or error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from quarterdeck.core.errors import Conflict, Error, Invalid, NotFound
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json


class Kind(StrEnum):
    """Which wire a connection speaks, or that no wire is needed."""

    OPENAI = "openai"
    OPENAI_COMPATIBLE = "openai_compatible"
    OLLAMA = "ollama"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    RECORDED = "recorded"
    SCRIPTED = "scripted"


LOCAL = frozenset({Kind.RECORDED, Kind.SCRIPTED})
"""Kinds that answer from this process: no address, no key, no pacing."""

NEEDS_KEY = frozenset({Kind.OPENAI, Kind.ANTHROPIC, Kind.GOOGLE})


@dataclass(frozen=True, slots=True)
class Connection:
    """A provider connection. `base_url` is never empty for kinds with a wire; `tenants` and `agents` None = all."""

    name: str
    kind: Kind
    base_url: str
    options: Mapping[str, Json]
    tenants: frozenset[TenantId] | None
    agents: frozenset[str] | None
    sealed_key: bytes | None = field(repr=False)
    created_at: datetime
    updated_at: datetime

    def serves(self, tenant: TenantId, agent: str) -> bool:
        """Whether this tenant's agent may use it."""
        return (self.tenants is None or tenant in self.tenants) and (self.agents is None or agent in self.agents)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an admin wants a connection to be. `key` None = as it is; empty = none."""

    name: str
    kind: Kind
    base_url: str = ""
    key: str | None = field(default=None, repr=False)
    options: Mapping[str, Json] = field(default_factory=dict[str, Json])
    tenants: frozenset[TenantId] | None = None
    agents: frozenset[str] | None = None


class NoSuchProvider(NotFound):
    """There is no provider connection of this name."""

    code = "provider.not_found"


class ProviderExists(Conflict):
    """There is a provider connection of this name already; change it instead."""

    code = "provider.exists"


class KeyBound(Conflict):
    """A key belongs to the address that it was given for. Give the key again together with the new address."""

    code = "provider.key_bound"


class BadConnection(Invalid):
    """This provider connection can't work as it is described."""

    code = "provider.invalid"


class KeyUnreadable(Error):
    """This connection's key can't be opened: the deployment's secret was changed. Give the key again."""

    code, status = "provider.key_unreadable", 503
