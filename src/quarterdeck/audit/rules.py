"""How a row is hashed, and what its payload's state is. No I/O."""

from dataclasses import dataclass
from enum import StrEnum

from quarterdeck.audit.records import Row
from quarterdeck.core.chain import Record, bind, link, stamp
from quarterdeck.core.ids import TenantId


class Payload(StrEnum):
    """What there is of a row's inputs and outputs."""

    NONE = "none"
    KEPT = "kept"
    ERASED = "erased"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Sealing:
    """What the sealer adds to a row that waited."""

    position: int
    mac: bytes | None
    hash: bytes


def record_of(tenant: TenantId, row: Row, position: int, mac: bytes | None) -> Record:
    """What a row's hash covers: all that it says, its place, and the binding of its payload."""
    return {
        "v": 1,
        "tenant": str(tenant),
        "position": position,
        "id": str(row.id),
        "at": stamp(row.at),
        "kind": row.kind,
        "actor": row.actor,
        "action": row.action,
        "target": row.target,
        "run": str(row.run) if row.run else None,
        "call": row.call,
        "seq": row.seq,
        "user_id": row.user_id,
        "release": row.release,
        "verdict": row.verdict,
        "rule": row.rule,
        "approved_by": list(row.approved_by),
        "status": row.status,
        "effective": row.effective,
        "mac": mac.hex() if mac else None,
    }


def seal(tenant: TenantId, row: Row, position: int, before: bytes, key: bytes) -> Sealing:
    """Give a row its place behind the one with hash `before`. `key` is the row's own."""
    mac = None if row.digest is None else bind(key, row.digest)
    return Sealing(position, mac, link(before, record_of(tenant, row, position, mac)))


def payload_of(row: Row, key: bytes) -> Payload:
    """Compare a sealed row's payload with what was bound when it was sealed.

    A payload that is there where none was bound counts as changed: somebody put it in.
    """
    if row.digest is None:
        return Payload.NONE if row.mac is None else Payload.ERASED
    return Payload.KEPT if row.mac is not None and bind(key, row.digest) == row.mac else Payload.CHANGED
