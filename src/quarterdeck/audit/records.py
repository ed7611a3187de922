"""What stands in the audit: an entry as it is written, a row as it was sealed, the filter of a list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

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
    """SHA-256 of the payload's text, where there is one still."""
    payload: str | None = None
    """The payload's text, where it was asked for."""


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


Columns = Mapping[str, object]


class RowMissing(NotFound):
    """There is no such row in the audit."""

    code = "audit.missing"


class NotSealed(Conflict):
    """This row waits for its seal, which takes a second; try again."""

    code = "audit.not_sealed"


class NotASeal(Conflict):
    """No head was signed at this position, or it was pruned; give the position of a head that an export ended with."""

    code = "audit.not_a_seal"
