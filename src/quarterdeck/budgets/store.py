"""Reserving and settling, in the caller's transaction and in one round trip each.

Rows are locked in the order of window, account and slot before anything is judged, so that two that want the same are
judged one after the other and none waits for another in a circle. The limit of a live budget is read in the same
statement: a change holds for the next reservation. Nothing is locked while an account is still to be opened.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from quarterdeck.budgets.records import (
    CLOSING,
    NOTHING,
    Amount,
    Left,
    Line,
    Refused,
    Reservation,
    Reserved,
    Scope,
    Settled,
)
from quarterdeck.budgets.rules import Slot, has_room, regrant, slot_of
from quarterdeck.budgets.store_statements import (
    OPEN,
    REGRANT,
    RESERVE,
    SETTLE_CALL,
    SETTLE_RUN,
    SLOTS,
    SLOTS_HELD,
)
from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Row, Tx

PROMISE = timedelta(milliseconds=250)
"""How long what was brought to a slot stays there."""
_OPENINGS = 4


class Brought(Enum):
    """How bringing money to a slot went: it is there; others were promised it just now; all slots have not so much."""

    THERE = auto()
    LATER = auto()
    NEVER = auto()


async def reserve(
    tx: Tx, tenant: TenantId, run: UUID, call: str, attempt: int, lines: Sequence[Line], want: Amount
) -> Reservation:
    """Hold `want` in all lines, or in none. Call it in the transaction that writes down the intent to call.

    Repeated for an attempt whose reservation is still open it counts nothing twice. What an older attempt still holds
    for the same call is booked first: presumed spent, or given back where it is the closing slice. With `Refused`
    nothing was changed, except for that and for accounts that were opened; the transaction can go on.
    """
    request = next((line for line in lines if line.scope is Scope.REQUEST and want.of(line.unit) > line.limit), None)
    if request is not None:
        return Refused(request, request.limit, 0, 0, want=want.of(request.unit))
    counted = [line for line in lines if line.scope is not Scope.REQUEST]
    if not counted:
        return Reserved()
    asked = _asked(run, counted, want)
    for _ in range(_OPENINGS):
        rows = await tx.fetch(
            RESERVE,
            *(tenant, run, call, attempt, want.micro_usd, want.tokens, want.requests),
            *asked,
        )
        first = rows[0]
        if first["holds"] is not None and first["holds"] < attempt:
            await settle(tx, tenant, run, call, NOTHING if call == CLOSING else None)
        elif first["holds"] is None and not first["opened"]:
            await _open(tx, tenant, run, counted, want)
        else:
            return _said(rows, counted, run, want)
    # Somebody prunes or opens the same accounts again and again: nothing was reserved, and the caller comes back.
    line = counted[0]
    return Refused(line, line.limit, 0, 0, retry_in=1.0, want=want.of(line.unit))


async def settle(tx: Tx, tenant: TenantId, run: UUID, call: str, used: Amount | None) -> Settled:
    """Book what a call has used, in the windows in which it was reserved. None: nobody knows, so the worst case counts.

    `NOTHING` gives all of it back. What goes beyond the reservation is `uncovered`. Repeating it books nothing twice
    and answers the same; when a presumed call's usage becomes known after all, it is corrected. Without a reservation
    nothing is booked.
    """
    known = used is not None
    given = used or NOTHING
    row = await tx.fetchrow(SETTLE_CALL, tenant, run, call, known, given.micro_usd, given.tokens, given.requests)
    return Settled(spent=given.micro_usd) if row is None else _settled(row)


async def settle_run(tx: Tx, tenant: TenantId, run: UUID) -> Settled:
    """Book what an ended run still holds: the closing slice is given back, calls are presumed spent. Idempotent.

    Answers the sum of what it presumed.
    """
    rows = await tx.fetch(SETTLE_RUN, tenant, run)
    return Settled(presumed=sum(row["presumed"] for row in rows))


async def rebalance(tx: Tx, tenant: TenantId, line: Line, slot: int, want: int) -> Brought:
    """Part what is left of a hot account anew, so that `slot` has what is wanted of it.

    In a transaction of its own, which locks this account's slots in order and nothing else. What was brought is kept
    for PROMISE: others who look for the last of a limit do not take it away before it can be reserved.
    """
    window = (tenant, line.account, line.window, line.zone, line.limit, line.budget, line.unit)
    if _enough(await tx.fetch(SLOTS, *window), slot, want):
        return Brought.THERE
    rows = await tx.fetch(SLOTS_HELD, *window)
    if not rows or _enough(rows, slot, want):
        return Brought.THERE
    slots = [_slot(row) for row in rows]
    # The limit was read before the slots were held: a change since then makes the next reservation come back here.
    limit = min(int(row["most"]) for row in rows)
    grants = regrant(limit, slots, slot, want, line.slots)
    if grants is None:
        return Brought.LATER if limit - sum(one.used for one in slots) >= want else Brought.NEVER
    starts: datetime = rows[0]["starts"]
    numbers = [one.slot for one in slots]
    await tx.execute(REGRANT, tenant, line.account, starts, numbers, grants, limit, slot, PROMISE)
    return Brought.THERE


async def _open(tx: Tx, tenant: TenantId, run: UUID, lines: Sequence[Line], want: Amount) -> None:
    """Make the rows of accounts that nobody has spent from in this window."""
    await tx.execute(
        OPEN,
        tenant,
        *_asked(run, lines, want),
        [line.scope is not Scope.EVERYTHING for line in lines],
        [line.scope for line in lines],
        [line.whose for line in lines],
        [line.name for line in lines],
        [line.before for line in lines],
    )


def _asked(run: UUID, lines: Sequence[Line], want: Amount) -> tuple[object, ...]:
    return (
        [line.account for line in lines],
        [line.window for line in lines],
        [line.zone for line in lines],
        [line.unit for line in lines],
        [slot_of(run, line.slots) for line in lines],
        [line.slots for line in lines],
        [line.limit for line in lines],
        [want.of(line.unit) for line in lines],
        [line.budget for line in lines],
    )


def _said(rows: Sequence[Row], lines: Sequence[Line], run: UUID, want: Amount) -> Reservation:
    """The verdict: what no waiting can help comes first, then what a minute helps, then what lies in other slots."""
    stood = sorted((row for row in rows if row["n"] is not None), key=lambda row: row["n"])
    if rows[0]["taken"] or rows[0]["holds"] is not None:
        return Reserved(tuple(_left(row, _line(row, lines)) for row in stood), again=rows[0]["holds"] is not None)
    against = [row for row in stood if not row["fits"]]
    empty = [row for row in against if not row["elsewhere"]]
    worst = next((row for row in empty if not _line(row, lines).waits), next(iter(empty), None))
    row = worst or against[0]
    line = _line(row, lines)
    return Refused(
        line,
        row["most"],
        row["spent"] + row["uncovered"],
        row["reserved"],
        renews_at=row["ends"],
        retry_in=row["seconds"] if line.waits else None,
        short=worst is None,
        want=want.of(line.unit),
        slots=tuple(_lacking(_line(one, lines), run, want) for one in against) if worst is None else (),
    )


def _line(row: Row, lines: Sequence[Line]) -> Line:
    place: int = row["n"]
    return lines[place - 1]


def _lacking(line: Line, run: UUID, want: Amount) -> tuple[Line, int, int]:
    return line, slot_of(run, line.slots), want.of(line.unit)


def _left(row: Row, line: Line) -> Left:
    left = row["most"] - row["spent"] - row["reserved"] - row["uncovered"] - (row["amount"] if row["taken"] else 0)
    return Left(line.scope, line.unit, row["most"], max(0, left), line.name)


def _settled(row: Row) -> Settled:
    return Settled(row["spent"], row["uncovered"], row["presumed"])


def _slot(row: Row) -> Slot:
    held = row["spent"] + row["reserved"]
    return Slot(row["slot"], row["granted"], row["basis"], held + row["uncovered"], held, row["promised"])


def _enough(rows: Sequence[Row], slot: int, want: int) -> bool:
    return any(row["slot"] == slot and has_room(_slot(row), row["most"], want) for row in rows)
