"""What stands in the audit: an entry as it is written, a row as it was sealed, the filter of a list."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quarterdeck.core.chain import Finding, Head
from quarterdeck.core.errors import Conflict, NotFound
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import Json

DEPLOYMENT = TenantId(UUID(int=0))
"""In whose chain stands what was done to the deployment itself, outside tenants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision or deed, as whoever made it true writes it down.

    `kind` is the event's name (`tool.called`, `switch.thrown`). `actor` is who did it: `agent:<name>`, `key:<id>`, or
    `system`. `action` is what was done (a tool's name, a model, a verb), `target` to what. `rule` decided with
    `verdict`, under the live configuration whose digest is `effective`; `approved_by` says who or what approved:
    `person:<name>`, `policy:<id>`, `autonomy:<level>`.

    `inputs` and `outputs` are the payload: kept apart, erasable. What stands in a run's log is not written again: give
    `run` and the event's `seq` instead, and leave both None.
    """

    tenant: TenantId
    kind: str
    actor: str
    action: str = ""
    target: str = ""
    run: RunId | None = None
    call: str = ""
    seq: int | None = None
    user: str = ""
    release: str = ""
    verdict: str = ""
    rule: str = ""
    approved_by: tuple[str, ...] = ()
    status: str = ""
    inputs: Json | None = None
    outputs: Json | None = None
    effective: str = ""
    at: datetime | None = None
    """None = the database's clock, when the row is written."""


FIELDS = (
    "id",
    "at",
    "kind",
    "actor",
    "action",
    "target",
    "run",
    "call",
    "seq",
    "user_id",
    "release",
    "verdict",
    "rule",
    "approved_by",
    "status",
    "effective",
)
"""What a row says: its columns, in the order of `Row`."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the audit. Those that wait for their seal have no position, mac and hash."""

    id: UUID
    at: datetime
    kind: str
    actor: str
    action: str
    target: str
    run: UUID | None
    call: str
    seq: int | None
    user_id: str
    release: str
    verdict: str
    rule: str
    approved_by: tuple[str, ...]
    status: str
    effective: str
    position: int | None = None
    mac: bytes | None = None
    hash: bytes | None = None
    digest: bytes | None = None
    """SHA-256 of the payload's text, where that is there and was looked at."""
    payload: str | None = None
    """The payload's text, where it is there and was asked for."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted. None = all."""

    kind: str | None = None
    actor: str | None = None
    action: str | None = None
    run: UUID | None = None
    verdict: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a tenant's chain stands. `head` is None before anything was sealed, `floor` unless something was pruned."""

    head: Head | None
    floor: Head | None
    last: int
    """The highest position of any row."""
    unsealed: int
    """Rows that wait for the sealer."""
    oldest_unsealed: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a look along a whole chain found."""

    chain: Chain
    first: int
    """The position of the first row that was looked at; those before it were pruned, or vouched for by the caller."""
    sealed: int
    kept: int
    """Sealed rows whose payload is there and is what it was."""
    erased: int
    findings: tuple[Finding, ...]
    faults: int
    """Findings in all; only the first are listed."""
    ms: int


class RowMissing(NotFound):
    """There is no such row in the audit."""

    code = "audit.missing"


class NotSealed(Conflict):
    """This row waits for its seal, which takes a second; try again."""

    code = "audit.not_sealed"


class NotASeal(Conflict):
    """No head was signed at this position, or it was pruned; give the position of a head that an export ended with."""

    code = "audit.not_a_seal"


class PayloadInLog(Conflict):
    """The inputs and outputs of this row stand in its run's log and are erased with the run."""

    code = "audit.payload_in_log"
