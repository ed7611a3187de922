"""Envelope encryption: values under a data key per tenant, data keys under a master key that no table holds."""

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.seal import SealBroken, seal, unseal
from quarterdeck.core.settings import Settings
from quarterdeck.secrets import rules
from quarterdeck.secrets.records import SecretUnreadable, WrappedKey

_PURPOSE = "secrets"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Masters:
    """The master key in force and those before it, by id. New data keys are wrapped by `current`."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> "Masters":
        """Derived from QUARTERDECK_VAULT_KEY, or from the deployment's secret where that is empty.

        Keys before: those of QUARTERDECK_VAULT_KEYS_BEFORE, and the deployment's secret, so that one can move from it
        to a key of the vault's own. Raises Misconfigured for one that is too short.
        """
        own = settings.vault_key.get_secret_value()
        current = settings.derive(_PURPOSE, own or None)
        before = [settings.derive(_PURPOSE, one) for one in settings.vault_keys_before.get_secret_value().split()]
        if own:
            before.append(settings.derive(_PURPOSE))
        return cls(id_of(current), {id_of(key): key for key in (*before, current)})

    def wrap(self, tenant: TenantId, plain: bytes | None = None) -> tuple[WrappedKey, bytes]:
        """A new data key of a tenant, wrapped, and its bytes."""
        plain = plain or os.urandom(_KEY_BYTES)
        bare = WrappedKey(tenant, uuid7(), self.current, b"")
        return WrappedKey(tenant, bare.id, self.current, self._seal(bare, plain)), plain

    def unwrap(self, key: WrappedKey) -> bytes:
        """The bytes of a data key. Raises SecretUnreadable where its master key is not among ours."""
        master = self.keys.get(key.master)
        if master is None:
            raise SecretUnreadable(master=key.master)
        try:
            return unseal(master, key.wrapped, rules.key_place(key))
        except SealBroken:
            raise SecretUnreadable(master=key.master) from None

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """The same data key under the master key in force. Raises SecretUnreadable."""
        return WrappedKey(key.tenant, key.id, self.current, self._seal(key, self.unwrap(key)))

    def _seal(self, key: WrappedKey, plain: bytes) -> bytes:
        return seal(self.keys[self.current], plain, rules.key_place(key))


def id_of(master: bytes) -> str:
    """How a master key is called where it can be read: tells keys apart and says nothing of them."""
    return hmac.new(master, b"id", hashlib.sha256).hexdigest()[:16]


def open_value(plain_key: bytes, sealed: bytes, place: bytes) -> str:
    """A sealed value. Raises SecretUnreadable."""
    try:
        return unseal(plain_key, sealed, place).decode("utf-8", "surrogatepass")
    except SealBroken:
        raise SecretUnreadable from None


def newest_first(versions: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    """Values by version, the one in force first."""
    return tuple(value for _, value in sorted(versions, reverse=True))
