"""Names and seals of payloads: pure functions of a tenant's key and the bytes.

A tenant's key does two jobs, each through a key derived from it. It names a payload, so that equal bytes are stored
once and nobody who lacks the key can tell whether some bytes are there; and it seals the payload, so that deleting this
one key erases all of the tenant's payloads, backups included.
"""

import hashlib
import hmac
import os
import zlib

from quarterdeck.blobs.records import BlobKey
from quarterdeck.core.ids import TenantId
from quarterdeck.core.seal import seal, unseal

LARGEST = 64 * 1024 * 1024
_KEY_BYTES = 32
_PLAIN, _DEFLATED = b"\x00", b"\x01"
_WORTH_DEFLATING = 512


def new_tenant_key(deployment_key: bytes, tenant: TenantId) -> bytes:
    """A fresh tenant key, sealed, for `qd.tenants.blob_key`. `deployment_key` is `settings.derive("blobs")`."""
    return seal(deployment_key, os.urandom(_KEY_BYTES), _place_of_key(tenant))


def open_tenant_key(deployment_key: bytes, tenant: TenantId, sealed: bytes) -> bytes:
    """The tenant's key. Raises SealBroken when it was sealed for another tenant or deployment."""
    return unseal(deployment_key, sealed, _place_of_key(tenant))


def key_of(tenant_key: bytes, content: bytes) -> BlobKey:
    """The name of a payload."""
    return BlobKey(hmac.digest(_derive(tenant_key, b"name"), content, hashlib.sha256))


def close(tenant_key: bytes, tenant: TenantId, key: BlobKey, content: bytes) -> bytes:
    """The payload as it is stored: deflated where that helps, then sealed to its tenant and name."""
    form, body = _PLAIN, content
    if len(content) >= _WORTH_DEFLATING:
        deflated = zlib.compress(content, 1)
        if len(deflated) < len(content):
            form, body = _DEFLATED, deflated
    return seal(_derive(tenant_key, b"seal"), form + body, _place_of_blob(tenant, key))


def reopen(tenant_key: bytes, tenant: TenantId, key: BlobKey, stored: bytes) -> bytes:
    """The payload itself. Raises SealBroken when the stored bytes were altered or belong elsewhere."""
    opened = unseal(_derive(tenant_key, b"seal"), stored, _place_of_blob(tenant, key))
    return zlib.decompress(opened[1:]) if opened[:1] == _DEFLATED else opened[1:]


def lock_of(key: BlobKey) -> int:
    """The advisory lock that a put shares and a sweep takes alone; the sweep's SQL computes the same number."""
    return int.from_bytes(key[:8], "big", signed=True)


def _derive(tenant_key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(tenant_key, b"quarterdeck blob " + purpose, hashlib.sha256)


def _place_of_key(tenant: TenantId) -> bytes:
    return b"tenants.blob_key " + tenant.bytes


def _place_of_blob(tenant: TenantId, key: BlobKey) -> bytes:
    return b"blobs.bytes " + tenant.bytes + key
