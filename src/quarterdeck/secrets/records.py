"""A secret as it is kept and listed. Its value stands in no record that is shown, logged or compared."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from quarterdeck.core.errors import Conflict, Error, Invalid, NotFound
from quarterdeck.core.ids import TenantId

DEPLOYMENT = TenantId(UUID(int=0))
"""Whose secrets belong to the deployment: keys of providers. No tenant has this id."""

KEPT = 3
"""Versions of a value that are kept: the one in force, and those that texts may still hold."""
LARGEST = 16 * 1024
"""Bytes of a value."""
MOST = 1000
"""Secrets of one tenant."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret without its value. `due_at`: when it should have a new one. `leaks`: how often it was taken out."""

    name: str
    version: int
    description: str
    due_at: datetime | None
    told_at: datetime | None
    leaks: int
    leaked_at: datetime | None
    created_at: datetime
    updated_at: datetime
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants a secret to be. None leaves as it is; `clear_due` takes the due date away."""

    name: str
    value: str | None = field(default=None, repr=False)
    description: str | None = None
    due_at: datetime | None = None
    clear_due: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """One version of a value, as it is stored."""

    name: str
    version: int
    key: UUID
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A tenant's data key, wrapped by the master key of that id."""

    tenant: TenantId
    id: UUID
    master: str
    wrapped: bytes = field(repr=False)


class NoSuchSecret(NotFound):
    """There is no secret of this name here."""

    code = "secret.not_found"


class SecretMissing(Error):
    """A secret that is needed can't be had."""

    code, status = "secret.missing", 503


class SecretUnreadable(Error):
    """This secret was sealed under another master key: add that one to QUARTERDECK_VAULT_KEYS_BEFORE."""

    code, status = "secret.unreadable", 503


class BadSecret(Invalid):
    """This secret can't be kept."""

    code = "secret.invalid"


class TooManySecrets(Conflict):
    """There are as many secrets here as may be; remove one first."""

    code = "secret.too_many"
