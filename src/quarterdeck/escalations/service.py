"""What people do with conversations that were passed to them. Verbs work in the caller's transaction, the tenant's."""

from uuid import UUID

from quarterdeck.audit import store as audit
from quarterdeck.audit.records import Entry
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import JsonObject
from quarterdeck.db.records import Tx
from quarterdeck.escalations import rules, store
from quarterdeck.escalations.records import Escalation, NoSuchEscalation


async def find(tx: Tx, tenant: TenantId, escalation: UUID, *, hold: bool = False) -> Escalation:
    """One escalation; with `hold` nobody else changes it until the transaction ends. Raises NoSuchEscalation."""
    found = await store.find(tx, tenant, escalation, hold=hold)
    if found is None:
        raise NoSuchEscalation
    return found


async def claim(tx: Tx, tenant: TenantId, escalation: UUID, by: str, *, take_over: bool = False) -> Escalation:
    """Take a conversation. Raises ClaimedByOther unless it is taken over, or AlreadyClosed. Claiming twice is once."""
    held = await find(tx, tenant, escalation, hold=True)
    if not rules.judge_claim(held, by, take_over=take_over):
        return held
    claimed = await store.claim(tx, tenant, escalation, by)
    await _audit(tx, claimed, "escalation.claimed", by, {"taken_from": held.claimed_by})
    return claimed


async def close(tx: Tx, tenant: TenantId, escalation: UUID, by: str, note: str, *, anyone: bool = False) -> Escalation:
    """Say what came of a conversation that one has claimed; with `anyone` also of somebody else's.

    Raises NoteMissing, NotClaimed, ClaimedByOther or AlreadyClosed. Closing twice with the same note is once.
    """
    held = await find(tx, tenant, escalation, hold=True)
    if not rules.judge_close(held, by, note, anyone=anyone):
        return held
    closed = await store.close(tx, tenant, escalation, by, note)
    await _audit(tx, closed, "escalation.closed", by, {"note": note})
    return closed


async def _audit(tx: Tx, escalation: Escalation, kind: str, by: str, inputs: JsonObject) -> None:
    entry = Entry(
        tenant=escalation.tenant,
        kind=kind,
        actor=by,
        target=str(escalation.id),
        run=escalation.run,
        call=escalation.call,
        user=escalation.user_id,
        status=escalation.state.value,
        inputs=inputs,
    )
    await audit.write(tx, [entry])
