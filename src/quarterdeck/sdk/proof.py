"""What the audit says, and the proof of it: an export is checked here, on whichever machine, without the deployment."""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from quarterdeck.core.chain import GENESIS, Fault, Mark, Walk, bind
from quarterdeck.core.chain import Head as SignedHead
from quarterdeck.core.chain import Record as Chained
from quarterdeck.core.json import Json
from quarterdeck.sdk.records import Record


class AuditRow(Record, frozen=True, kw_only=True):
    """One decision or deed. `position` is None for the second in which it waits for its seal."""

    id: str
    position: int | None = None
    at: datetime | None = None
    kind: str = ""
    actor: str = ""
    action: str = ""
    target: str = ""
    run_id: str | None = None
    call: str = ""
    seq: int | None = None
    user_id: str = ""
    release: str = ""
    verdict: str = ""
    rule: str = ""
    approved_by: tuple[str, ...] = ()
    status: str = ""
    effective: str = ""
    hash: str | None = None
    payload: Json = None
    payload_state: str = ""
    """`none`, `kept`, `erased` or `changed`; empty in lists, which show no payloads."""


class Head(Record, frozen=True, kw_only=True):
    """What a chain's hash was at a position, signed."""

    position: int
    hash: str
    at: datetime
    signer: str
    signature: str


class Finding(Record, frozen=True, kw_only=True):
    """A fault, and the positions among which it lies."""

    fault: str
    first: int
    last: int


class Chain(Record, frozen=True, kw_only=True):
    """Where the audit stands. `public_key` is what its heads are checked with; keep it apart from the deployment."""

    public_key: str
    head: Head | None = None
    floor: Head | None = None
    unsealed: int = 0
    oldest_unsealed: datetime | None = None


class Verification(Chain, frozen=True, kw_only=True):
    """What the deployment found when it checked itself."""

    valid: bool
    first: int = 1
    sealed: int = 0
    kept: int = 0
    erased: int = 0
    faults: int = 0
    findings: tuple[Finding, ...] = ()
    ms: int = 0


class Proof(Record, frozen=True, kw_only=True):
    """What checking an export found. It covers `sealed` rows from position `first` on, up to its signed `head`."""

    valid: bool
    tenant: str
    first: int
    sealed: int
    kept: int
    erased: int
    faults: int
    findings: tuple[Finding, ...]
    head: Head | None
    after: Head | None = None
    """The signed head or floor that it begins behind; None where it begins with the very first row."""


class _Head(msgspec.Struct, frozen=True):
    mark: Mark
    position: int
    hash: str
    at: datetime
    signer: str
    signature: str


class _Start(msgspec.Struct, frozen=True):
    v: int
    tenant: UUID
    after: _Head | None


class _Line(msgspec.Struct, frozen=True):
    """A line of an export: one of its members is there."""

    audit: _Start | None = None
    row: dict[str, str | int | list[str] | None] | None = None
    hash: str = ""
    payload: str | None = None
    key: str = ""
    seal: _Head | None = None
    head: _Head | msgspec.UnsetType | None = msgspec.UNSET
    rows: int = 0


_read = msgspec.json.Decoder(_Line).decode


def check_export(lines: Iterable[bytes], keys: Collection[str]) -> Proof:
    """Check an export line by line, in constant memory, with the public keys (hexadecimal) that you trust.

    The keys must come from elsewhere than the export, or it proves nothing. Whatever is wrong is among the findings;
    raises nothing for what somebody has done to the file.
    """
    trusted = {bytes.fromhex(key) for key in keys}
    reading = iter(lines)
    start = _start(next(reading, b""))
    after = _signed(start.tenant, start.after) if start and start.after else None
    begin, digest = (after.position, after.hash) if after else (0, GENESIS)
    check = _Check(Walk(str(start.tenant) if start else "", trusted, begin, digest))
    if start is None:
        check.walk.find(Fault.UNREADABLE, 1, 1)
    elif after is not None and not check.walk.trusts(after):
        check.walk.find(Fault.BAD_SIGNATURE, begin, begin)
    for line in reading:
        check.take(line)
    return check.proof(begin + 1, after)


class _Check:
    """An export as far as it was read."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self._sealed = self._kept = self._erased = 0
        self._ended = False
        self._head: SignedHead | None = None

    def take(self, line: bytes) -> None:
        """The next line."""
        here = self.walk.position + 1
        try:
            read = _read(line)
            if self._ended:
                self.walk.find(Fault.OUT_OF_ORDER, here, here)
            elif read.row is not None:
                self._row(read, read.row)
            elif read.seal is not None:
                self.walk.head(_signed(self.walk.chain, read.seal))
            elif not isinstance(read.head, msgspec.UnsetType):
                self._end(read.head)
            else:
                self.walk.find(Fault.UNREADABLE, here, here)
        except (msgspec.MsgspecError, ValueError):
            self.walk.find(Fault.UNREADABLE, here, here)

    def proof(self, first: int, after: SignedHead | None) -> Proof:
        """What was found. The last line says where the export ends, so one without it was cut off."""
        if not self._ended:
            self.walk.find(Fault.CUT_OFF, self.walk.position + 1, self.walk.position + 1)
        return Proof(
            valid=not self.walk.faults,
            tenant=self.walk.chain,
            first=first,
            sealed=self._sealed,
            kept=self._kept,
            erased=self._erased,
            faults=self.walk.faults,
            findings=tuple(
                Finding(fault=found.fault, first=found.first, last=found.last) for found in self.walk.findings
            ),
            head=_shown(self._head),
            after=_shown(after),
        )

    def _row(self, read: _Line, row: Chained) -> None:
        position, mac = row.get("position"), row.get("mac")
        if not isinstance(position, int):
            raise ValueError("a row has a position")
        self.walk.record(position, row, bytes.fromhex(read.hash))
        self._sealed += 1
        if read.payload is not None:
            bound = bind(bytes.fromhex(read.key), hashlib.sha256(read.payload.encode()).digest())
            if bound.hex() != mac:
                self.walk.find(Fault.PAYLOAD_CHANGED, position, position)
            else:
                self._kept += 1
        elif mac is not None:
            self._erased += 1

    def _end(self, head: _Head | None) -> None:
        self._ended = True
        self._head = None if head is None else _signed(self.walk.chain, head)
        self.walk.end(self._head)


def _start(line: bytes) -> _Start | None:
    try:
        start = _read(line).audit
    except (msgspec.MsgspecError, ValueError):
        return None
    return start if start is not None and start.v == 1 else None


def _signed(chain: str | UUID, head: _Head) -> SignedHead:
    digests = (bytes.fromhex(head.hash), head.at, bytes.fromhex(head.signer), bytes.fromhex(head.signature))
    return SignedHead(str(chain), head.position, *digests, head.mark)


def _shown(head: SignedHead | None) -> Head | None:
    if head is None:
        return None
    return Head(
        position=head.position,
        hash=head.hash.hex(),
        at=head.at,
        signer=head.signer.hex(),
        signature=head.signature.hex(),
    )
