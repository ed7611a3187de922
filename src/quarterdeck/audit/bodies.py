"""What `/v1/audit` takes and answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from quarterdeck.audit.records import Filter, Report, Row
from quarterdeck.audit.rules import Payload
from quarterdeck.core.chain import Fault, Head
from quarterdeck.core.json import Json, decode
from quarterdeck.http.pages import DEFAULT_LIMIT, MAX_LIMIT

Words = Annotated[str, StringConstraints(max_length=200, pattern="^[^\\x00]*$")] | None
Why = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class AuditQuery(BaseModel):
    """Which rows."""

    model_config = ConfigDict(extra="forbid")

    kind: Words = Field(default=None, description="Such as `tool.called` or `switch.thrown`.")
    actor: Words = Field(default=None, description="Who did it: `agent:<name>`, `key:<id>`, `system`.")
    tool: Words = Field(default=None, description="The tool that was called; in general the `action`.")
    run: UUID | None = None
    verdict: Words = Field(default=None, description="allow, ask or deny.")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(default=None, description="Not included.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items on a page.")
    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="`next_cursor` of the page before; absent for the first page."
    )

    def filter(self) -> Filter:
        """The same as the store takes it."""
        return Filter(self.kind, self.actor, self.tool, self.run, self.verdict, self.since, self.until)


class Reason(BaseModel):
    """Why a payload is erased; stands in the audit."""

    model_config = ConfigDict(extra="forbid")

    why: Why


class AuditRow(BaseModel):
    """One decision or deed."""

    id: UUID
    position: int | None = Field(
        description="Its place in the chain; null while it waits for its seal, a second or so."
    )
    at: datetime
    kind: str
    actor: str = Field(description="Who did it: `agent:<name>`, `key:<id>`, `system`.")
    action: str = Field(description="What was done: a tool's name, a model, a verb.")
    target: str
    run_id: UUID | None
    call: str
    seq: int | None = Field(description="The event of the run's log that holds the inputs and outputs.")
    user_id: str
    release: str
    verdict: str
    rule: str
    approved_by: list[str] = Field(description="`person:<name>`, `policy:<id>`, `autonomy:<level>`.")
    status: str
    effective: str = Field(description="Digest of the live configuration that it was decided under.")
    hash: str | None


class WholeAuditRow(AuditRow):
    """One row with what it keeps apart."""

    payload: JsonValue = Field(description="`{inputs, outputs}`, or the event's data; null where there is none.")
    payload_state: Payload = Field(description="`erased`: there was one. `changed`: it is not what was sealed.")


class AuditPage(BaseModel):
    """A page of rows, newest first."""

    items: list[AuditRow]
    next_cursor: str | None


class HeadRecord(BaseModel):
    """What the chain's hash was at a position, signed. Keep one, and nobody can cut off what came before."""

    position: int
    hash: str
    at: datetime
    signer: str
    signature: str


class ChainRecord(BaseModel):
    """Where the chain stands."""

    public_key: str = Field(description="The Ed25519 key that heads are checked with, in hexadecimal.")
    head: HeadRecord | None
    floor: HeadRecord | None = Field(description="What is at or below it was pruned.")
    unsealed: int
    oldest_unsealed: datetime | None


class FindingRecord(BaseModel):
    """A fault, and the positions among which it lies."""

    fault: Fault
    first: int
    last: int


class VerificationRecord(ChainRecord):
    """What a look along the chain found."""

    valid: bool
    first: int = Field(description="Position of the first row that was looked at.")
    sealed: int = Field(description="Rows that were looked at.")
    kept: int = Field(description="Of them, those whose payload is there and is what it was.")
    erased: int = Field(description="Of them, those whose payload is gone.")
    faults: int
    findings: list[FindingRecord] = Field(description="The first hundred.")
    ms: int


def show_row(row: Row) -> dict[str, object]:
    """A row as lists show it."""
    return {
        "id": row.id,
        "position": row.position,
        "at": row.at,
        "kind": row.kind,
        "actor": row.actor,
        "action": row.action,
        "target": row.target,
        "run_id": row.run,
        "call": row.call,
        "seq": row.seq,
        "user_id": row.user_id,
        "release": row.release,
        "verdict": row.verdict,
        "rule": row.rule,
        "approved_by": row.approved_by,
        "status": row.status,
        "effective": row.effective,
        "hash": row.hash.hex() if row.hash else None,
    }


def show_whole(row: Row, state: Payload) -> dict[str, object]:
    """A row with its payload."""
    payload: Json = None if row.payload is None else decode(row.payload)
    return {**show_row(row), "payload": payload, "payload_state": state}


def show_head(head: Head | None) -> dict[str, object] | None:
    """A signed head."""
    if head is None:
        return None
    return {
        "position": head.position,
        "hash": head.hash.hex(),
        "at": head.at,
        "signer": head.signer.hex(),
        "signature": head.signature.hex(),
    }


def show_report(report: Report, public_key: bytes) -> dict[str, object]:
    """What verifying found."""
    return {
        "valid": report.faults == 0,
        "public_key": public_key.hex(),
        "head": show_head(report.chain.head),
        "floor": show_head(report.chain.floor),
        "unsealed": report.chain.unsealed,
        "oldest_unsealed": report.chain.oldest_unsealed,
        "first": report.first,
        "sealed": report.sealed,
        "kept": report.kept,
        "erased": report.erased,
        "faults": report.faults,
        "findings": [
            {"fault": finding.fault, "first": finding.first, "last": finding.last} for finding in report.findings
        ],
        "ms": report.ms,
    }
