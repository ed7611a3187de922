"""Writing to the audit, in the transaction that makes the thing true."""

import time
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from quarterdeck.audit.records import DEPLOYMENT, Entry
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.json import Json, encode_text
from quarterdeck.db.records import Tx

_COLUMNS = (
    "tenant",
    "id",
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
    "payload",
    "at",
)
_WITHIN = 0xFFF << 64
_MOST = 50
"""Rows of one statement: a statement is prepared for each number of rows that occurs."""

NOTHING = "[]"
"""No rows for `beside`."""


def beside(rows: str) -> str:
    """SQL that writes rows beside what a run's log gets, as part of the statement that appends: one round trip less.

    `rows` is the placeholder of what `beside_rows` makes. The statement has the tenant in $1, the run in $2, how many
    events it appends in $5, and a part `r` with the last number that the log then has; without a row in it, nothing
    is written.
    """
    return f"""
    INSERT INTO qd.audit_waiting (tenant, id, kind, actor, action, target, run, call, seq, user_id, release, verdict,
        rule, approved_by, status, effective)
    SELECT $1, x.id, x.kind, x.actor, x.action, x.target, $2, x.call, r.last_seq - $5 + x.at, x.user_id, x.release,
        x.verdict, x.rule, x.approved_by, x.status, x.effective
    FROM r, jsonb_to_recordset({rows}::jsonb) AS x (at int, id uuid, kind text, actor text, action text, target text,
        call text, user_id text, release text, verdict text, rule text, approved_by text[], status text, effective text)
"""


def beside_rows(entries: Sequence[tuple[int, Entry]]) -> str:
    """Entries without payload, each with the position of its event among those that are appended, from 1 on."""
    if not entries:
        return NOTHING
    return encode_text(
        [
            {
                "at": at,
                "id": uuid7(),
                "kind": entry.kind,
                "actor": entry.actor,
                "action": entry.action,
                "target": entry.target,
                "call": entry.call,
                "user_id": entry.user,
                "release": entry.release,
                "verdict": entry.verdict,
                "rule": entry.rule,
                "approved_by": entry.approved_by,
                "status": entry.status,
                "effective": entry.effective,
            }
            for at, entry in entries
        ]
    )


async def write(tx: Tx, entries: Sequence[Entry]) -> None:
    """Write entries down, in one statement: they are there exactly when the transaction commits.

    The transaction is the entries' tenant's, or qd_system's for those of the deployment. The sealer of some worker
    gives them their place in the chain within a second or so. Text has been made storable at the border.
    """
    for start in range(0, len(entries), _MOST):
        batch = entries[start : start + _MOST]
        await tx.execute(_insert(len(batch)), *[value for entry in batch for value in _values(entry)])


async def note(tx: Tx, tenant: TenantId | None, kind: str, by: str, target: str = "", **inputs: Json) -> None:
    """Write down what somebody has administered, such as `key.revoked`; None = the deployment's own affair.

    `inputs` are kept apart and can be erased. They hold no secrets.
    """
    said = dict(inputs) or None
    entry = Entry(
        tenant=tenant or DEPLOYMENT,
        kind=kind,
        actor=by,
        action=kind.rpartition(".")[2],
        target=target,
        status="done",
        inputs=said,
    )
    await write(tx, [entry])


@lru_cache(maxsize=_MOST)
def _insert(rows: int) -> str:
    """Add so many rows to those that wait for their seal; `at` is the database's clock unless given."""
    width = len(_COLUMNS)
    places = (
        [f"${row * width + column}" for column in range(1, width)]
        + [f"coalesce(${(row + 1) * width}, clock_timestamp())"]
        for row in range(rows)
    )
    values = ", ".join(f"({', '.join(row)})" for row in places)
    return f"INSERT INTO qd.audit_waiting ({', '.join(_COLUMNS)}) VALUES {values}"


def _values(entry: Entry) -> tuple[object, ...]:
    return (
        entry.tenant,
        _new_id(),
        entry.kind,
        entry.actor,
        entry.action,
        entry.target,
        entry.run,
        entry.call,
        entry.seq,
        entry.user,
        entry.release,
        entry.verdict,
        entry.rule,
        entry.approved_by,
        entry.status,
        entry.effective,
        _payload(entry),
        entry.at,
    )


def _new_id() -> UUID:
    """A UUIDv7 whose bits behind the milliseconds go on counting time: what one process writes stays in order."""
    now = time.time_ns()
    within = (now % 1_000_000 << 12) // 1_000_000
    return UUID(int=uuid7(now // 1_000_000).int & ~_WITHIN | within << 64)


def _payload(entry: Entry) -> str | None:
    if entry.inputs is None and entry.outputs is None:
        return None
    return encode_text({"inputs": entry.inputs, "outputs": entry.outputs})
