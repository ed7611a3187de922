"""Links that answer one question: signed, kept nowhere, good for as long as the question is.

They go into webhooks, so that a message in a chat can hold a button. Whoever has the link may answer, so it is not
enough where two people have to agree or where nothing can be undone. It says neither yes nor no by itself: looking at
it changes nothing, since mail filters and chats look at every link.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quarterdeck.approvals.records import Approval, LinkInvalid
from quarterdeck.core.ids import TenantId
from quarterdeck.core.settings import Settings

_MAC_BYTES = 32
_LENGTH = 16 + 8 + _MAC_BYTES


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads links. `key` is `settings.derive("approvals.links")`, `base` where people reach the api."""

    key: bytes
    base: str = ""

    @classmethod
    def of(cls, settings: Settings) -> "Links":
        """The links of a deployment."""
        return cls(settings.derive("approvals.links"), settings.public_url.rstrip("/"))

    def token(self, approval: Approval) -> str:
        """What proves that its bearer was sent this question, until it expires."""
        body = approval.tenant.bytes + int(approval.expires_at.timestamp()).to_bytes(8, "big")
        return base64.urlsafe_b64encode(body + self._mac(body, approval.id)).rstrip(b"=").decode()

    def url(self, approval: Approval) -> str:
        """The link itself; without a public URL, from the root of wherever the api is."""
        return f"{self.base}/v1/approvals/{approval.id}/link?token={self.token(approval)}"

    def read(self, token: str, approval: UUID, now: datetime) -> TenantId:
        """The tenant of a genuine token for this question. Raises LinkInvalid."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise LinkInvalid from None
        body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if len(raw) != _LENGTH or not hmac.compare_digest(mac, self._mac(body, approval)):
            raise LinkInvalid
        if int.from_bytes(body[16:], "big") <= now.timestamp():
            raise LinkInvalid
        return TenantId(UUID(bytes=body[:16]))

    def _mac(self, body: bytes, approval: UUID) -> bytes:
        return hmac.digest(self.key, body + approval.bytes, hashlib.sha256)


def name_of(token: str) -> str:
    """How records name whoever used a link, without the link."""
    return "link:" + hashlib.sha256(token.encode()).hexdigest()[:12]
