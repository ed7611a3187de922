"""The keys of the audit, all derived from the deployment's secret: who only has the database has none of them."""

import hashlib
import hmac
from uuid import UUID

from quarterdeck.core.chain import Signer
from quarterdeck.core.ids import TenantId
from quarterdeck.core.settings import Settings


class Keys:
    """Signs heads and binds payloads for one deployment."""

    def __init__(self, signing: bytes, binding: bytes) -> None:
        self.signer = Signer(signing)
        self._binding = binding

    @classmethod
    def of(cls, settings: Settings) -> "Keys":
        """The keys of a deployment. Raises Misconfigured without a secret."""
        return cls(settings.derive("audit.signing"), settings.derive("audit.binding"))

    def of_row(self, tenant: TenantId, row: UUID) -> bytes:
        """The key that binds one row's payload, derived from the tenant's.

        Each row has its own, so that an export can give away those of payloads that it shows, for checking, without
        letting anybody guess at those that were erased.
        """
        tenant_key = hmac.digest(self._binding, tenant.bytes, hashlib.sha256)
        return hmac.digest(tenant_key, row.bytes, hashlib.sha256)
