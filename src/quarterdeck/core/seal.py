"""Secrets at rest: AES-256-GCM with associated data, so that a sealed value opens only where it was sealed for."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quarterdeck.core.errors import Error

_FORMAT = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class SealBroken(Error):
    """A stored secret can't be opened: it was altered, moved, or sealed under another `QUARTERDECK_SECRET_KEY`."""

    code, status = "seal.broken", 500


def seal(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Encrypt and authenticate `plaintext` under a 32-byte key.

    `associated` names the place that the value belongs to (tenant, row, column): it is authenticated, not stored, and
    `unseal` must be given the same bytes. Each call takes a fresh random nonce, so equal plaintexts look different.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + _cipher(key).encrypt(nonce, plaintext, _FORMAT + associated)


def unseal(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    """The plaintext of a sealed value. Raises `SealBroken` for any other key, place, format or content."""
    if sealed[:1] != _FORMAT or len(sealed) < 1 + _NONCE_BYTES:
        raise SealBroken
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return _cipher(key).decrypt(nonce, ciphertext, _FORMAT + associated)
    except InvalidTag:
        raise SealBroken from None


def _cipher(key: bytes) -> AESGCM:
    # AESGCM would also take a 16-byte key: a key that came out short must not weaken the seal without a word.
    if len(key) != _KEY_BYTES:
        raise ValueError(f"a sealing key has {_KEY_BYTES} bytes, not {len(key)}")
    return AESGCM(key)
