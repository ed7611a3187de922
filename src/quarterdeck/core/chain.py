"""A chain of records under signed heads: what the server seals, and whoever holds an export can check without it.

Each record's hash covers the hash before it, so nothing can be changed, removed, inserted or moved without breaking a
link; a signed head says what the last hash was, so nothing can be cut off or rewritten as a whole.
"""

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

GENESIS = bytes(32)
"""What stands for the hash before the first record."""
MOST_FAULTS = 100
"""Faults that are listed; a chain that was rewritten from somewhere on has one a head."""

Plain: TypeAlias = str | int | Sequence[str] | None
Record: TypeAlias = Mapping[str, Plain]
"""Text, whole numbers, null and lists of text: values whose canonical JSON (RFC 8785) every language agrees on."""

_encoder = msgspec.json.Encoder(order="sorted")


class Mark(StrEnum):
    """What a signature is for."""

    HEAD = "head"
    FLOOR = "floor"
    """What is below was pruned on purpose."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a chain's hash was at a position, as it was signed; `signer` is the Ed25519 public key."""

    chain: str
    position: int
    hash: bytes
    at: datetime
    signer: bytes
    signature: bytes
    mark: Mark = Mark.HEAD

    def signed(self) -> bool:
        """Whether the signature is the signer's and for just this."""
        try:
            Ed25519PublicKey.from_public_bytes(self.signer).verify(self.signature, _message(self))
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """Signs heads with the key that a 32-byte seed makes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, chain: str, position: int, digest: bytes, at: datetime, mark: Mark = Mark.HEAD) -> Head:
        """A signed head."""
        unsigned = Head(chain, position, digest, at, self.public, b"", mark)
        return Head(chain, position, digest, at, self.public, self._key.sign(_message(unsigned)), mark)


class Fault(StrEnum):
    """What can be wrong with a chain."""

    CHANGED = "changed"
    """A record isn't what was linked: it, or the one before with its hash, was changed."""
    MISSING = "missing"
    OUT_OF_ORDER = "out_of_order"
    """A record or a head stands where it does not belong: moved, put in, or set back."""
    PAYLOAD_CHANGED = "payload_changed"
    REWRITTEN = "rewritten"
    """The links hold, and are not those that were signed."""
    NOT_SIGNED = "not_signed"
    """Records that no head signs for."""
    BAD_SIGNATURE = "bad_signature"
    """A head that was signed by nobody who is trusted, or for something else."""
    UNREADABLE = "unreadable"
    """A line of an export that is none."""
    CUT_OFF = "cut_off"
    """An export that ends before its last line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, and the positions among which it lies."""

    fault: Fault
    first: int
    last: int


@dataclass(slots=True)
class Walk:
    """Goes along a chain, record by record and head by head, and remembers what is wrong and where.

    Begin at `position` with the hash that stands there: GENESIS at 0, or what a signed head or floor vouches for.
    """

    chain: str
    trusted: Collection[bytes]
    position: int = 0
    start: bytes = GENESIS
    findings: list[Finding] = field(default_factory=list[Finding])
    faults: int = 0
    _before: set[bytes] = field(init=False)
    _begun: int = field(init=False)
    _vouched: int = field(init=False)

    def __post_init__(self) -> None:
        self._before = {self.start}
        self._begun = self._vouched = self.position

    def record(self, position: int, record: Record, digest: bytes) -> None:
        """The next record, with the hash that stands beside it."""
        if position <= self.position:
            self.find(Fault.OUT_OF_ORDER, position, position)
            return
        if position > self.position + 1:
            self.find(Fault.MISSING, self.position + 1, position - 1)
            self._before = set()
        linked = {link(before, record) for before in self._before}
        if linked and digest not in linked:
            # The one before may have been changed together with its hash, unless a head vouches for it.
            self.find(Fault.CHANGED, max(position - 1, self._vouched + 1), position)
        self.position = position
        self._before = {digest, *linked}

    def head(self, head: Head) -> None:
        """A head that was signed at the position of the record before it, or further on."""
        if not self.trusts(head):
            self.find(Fault.BAD_SIGNATURE, head.position, head.position)
            return
        if head.position < self.position:
            self.find(Fault.OUT_OF_ORDER, head.position, head.position)
            return
        if head.position > self.position:
            self.find(Fault.MISSING, self.position + 1, head.position)
            self.position, self._before = head.position, set()
        elif self._before and head.hash not in self._before:
            self.find(Fault.REWRITTEN, min(self._vouched + 1, head.position), head.position)
        self._before.add(head.hash)
        self._vouched = head.position

    def end(self, head: Head | None) -> None:
        """The end of the chain, where its newest head signs for all. None: there is no head."""
        if head is None:
            if self.position:
                self.find(Fault.NOT_SIGNED, min(self._vouched + 1, self.position), self.position)
            return
        if head.position >= self.position or not self.trusts(head):
            self.head(head)
        elif head.position < self._begun:
            self.find(Fault.MISSING, head.position + 1, self._begun)
        elif head.position < self._vouched:
            self.find(Fault.OUT_OF_ORDER, head.position, self._vouched)
        if self.position > self._vouched:
            self.find(Fault.NOT_SIGNED, self._vouched + 1, self.position)

    def trusts(self, head: Head) -> bool:
        """Whether a head is of this chain and signed by a key that is trusted."""
        return head.chain == self.chain and head.signer in self.trusted and head.signed()

    def find(self, fault: Fault, first: int, last: int) -> None:
        """Note a fault."""
        self.faults += 1
        if len(self.findings) < MOST_FAULTS:
            self.findings.append(Finding(fault, first, last))


def link(before: bytes, record: Record) -> bytes:
    """The hash of a record that follows the one with hash `before`."""
    return hashlib.sha256(before + _encoder.encode(record)).digest()


def stamp(at: datetime) -> str:
    """A time as it is hashed and signed: UTC, always with microseconds, `2026-11-20T13:20:57.000000Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def bind(key: bytes, digest: bytes) -> bytes:
    """HMAC-SHA256 of a payload's SHA-256: binds a record to a payload that, once erased, can't be guessed from it."""
    return hmac.digest(key, digest, hashlib.sha256)


def _message(head: Head) -> bytes:
    return _encoder.encode(
        {
            "v": 1,
            "mark": head.mark.value,
            "tenant": head.chain,
            "position": head.position,
            "hash": head.hash.hex(),
            "at": stamp(head.at),
        }
    )
