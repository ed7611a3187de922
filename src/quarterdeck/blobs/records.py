"""What a blob is called and what can be wrong with one."""

from dataclasses import dataclass
from typing import NewType
from uuid import UUID

from quarterdeck.core.errors import Error, NotFound
from quarterdeck.core.ids import TenantId

BlobKey = NewType("BlobKey", bytes)
"""HMAC-SHA256 of the bytes under the tenant's own key: the same bytes have another name in each tenant."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far a sweep got. `tenant` and `key` name the last blob looked at: where the next page begins."""

    looked_at: int
    removed: int
    tenant: TenantId
    key: BlobKey


SWEEP_START = Sweep(0, 0, TenantId(UUID(int=0)), BlobKey(b""))


class BlobMissing(NotFound):
    """There is no such payload here, or nothing that you may see refers to it."""

    code = "blob.missing"


class BlobsErased(NotFound):
    """This tenant's payloads were erased: the key that opened them no longer exists."""

    code = "blob.erased"


class BlobTooLarge(Error):
    """The payload is larger than a blob may be."""

    code, status = "blob.too_large", 413
