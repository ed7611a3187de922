"""The public record of a run: the JSON that the API, webhooks and the console show."""

from collections.abc import Mapping
from datetime import UTC, datetime

from quarterdeck.core.clock import moment
from quarterdeck.core.ids import RunId, TenantId, uuid7
from quarterdeck.core.json import Json, JsonObject, digest, encode_text
from quarterdeck.core.money import to_usd
from quarterdeck.db.records import Tx
from quarterdeck.releases.records import Limits
from quarterdeck.runs import log, store
from quarterdeck.runs.fold import RunState, fold
from quarterdeck.runs.records import PARKED, Effect, Run
from quarterdeck.runs.rules import RISK
from quarterdeck.runs.wording import in_words


def brief(run: Run, tenant_slug: str, now: datetime, owner: str | None = None) -> dict[str, Json]:
    """The record as lists show it: what the row alone tells."""
    waiting = run.waited_ms + (_ms(run.parked_at, now) if run.parked_at else 0)
    status = "cancelling" if run.cancel_requested_at and not run.ended else run.status.value
    return {
        "run_id": str(run.id),
        "kind": run.kind,
        "tenant": tenant_slug,
        "agent": run.agent,
        "release": run.release,
        "agent_version": f"{run.agent}@{run.release[:12]}",
        "user_id": run.user_id,
        "thread_id": str(run.thread) if run.thread else None,
        "parent_run_id": str(run.parent) if run.parent else None,
        "status": status,
        "reason": run.reason,
        "why": run.why,
        "current_step": "" if run.ended else run.step,
        "priority": run.priority,
        "tags": dict(run.tags),
        "title": run.title,
        "submitted_by": run.submitted_by,
        "owner": owner,
        "created_at": moment(run.created_at),
        "available_at": moment(run.available_at),
        "started_at": moment(run.started_at),
        "finished_at": moment(run.finished_at),
        "parked_at": moment(run.parked_at),
        "attempt": run.attempt,
        "worker_id": str(run.worker) if run.worker else None,
        "last_seq": run.last_seq,
        "duration_ms": _ms(run.created_at, run.finished_at or now),
        "queued_ms": _ms(run.created_at, run.started_at or run.finished_at or now),
        "waiting_ms": waiting,
        "age_s": int((now - run.parked_at).total_seconds()) if run.status in PARKED and run.parked_at else None,
        "steps_used": run.steps_used,
        "tool_calls": run.tool_calls,
        "failed_calls": run.failed_calls,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost_micro_usd": run.cost,
        "estimated_cost_usd": to_usd(run.cost),
        "risk_level": run.risk_level,
        "error_code": run.error_code,
        "pending_approvals": [],
    }


def whole(
    run: Run, state: RunState, limits: Limits, tenant_slug: str, now: datetime, owner: str | None = None
) -> dict[str, Json]:
    """The record with what only the log tells: result, tools called, budget use, effective configuration."""
    record = brief(run, tenant_slug, now, owner)
    record["tools_called"] = list(state.tools_called)
    record["budget"] = {
        "max_steps": limits.max_steps,
        "steps_used": state.steps,
        "max_tool_calls": limits.max_tool_calls,
        "tool_calls": state.tool_calls,
        "max_tokens": limits.max_tokens,
        "tokens_used": state.usage.input + state.usage.output,
        "max_seconds": limits.max_seconds,
        "seconds_used": round(state.active_ms_at(now) / 1000, 3),
    }
    record["effective"] = effective(run, limits)
    record["unknown_outcomes"] = [
        {
            "call": one.call.id,
            "tool": one.call.tool,
            "arguments": dict(one.call.arguments),
            "ask_after": one.unknown.ask_after,
        }
        for one in state.unknown
        if one.unknown
    ]
    record["pending_approvals"] = pending(state)
    record["result"] = result(state)
    return record


def pending(state: RunState) -> list[JsonObject]:
    """What the run has asked people and nobody has answered; nothing once it has ended."""
    asked = [call.asked for call in state.pending if call.asked] if state.finished is None else []
    return [
        {
            "approval_id": one.approval,
            "call": one.call,
            "tool": one.tool,
            "arguments": one.arguments,
            "summary": in_words(one.tool, one.arguments, one.summary),
            "effect": one.effect,
            "risk_level": RISK[Effect(one.effect)],
            "digest": one.digest,
            "people": one.people,
            "expires_at": moment(datetime.fromtimestamp(one.expires_at / 1000, UTC)),
        }
        for one in asked
    ]


def effective(run: Run, limits: Limits) -> JsonObject:
    """Everything that configured the run, with a digest that two runs share only if it was all the same."""
    facts: dict[str, Json] = {
        "release": run.release,
        "behaviour": run.behaviour,
        "limits": {
            "max_steps": limits.max_steps,
            "max_tool_calls": limits.max_tool_calls,
            "max_seconds": limits.max_seconds,
            "max_tokens": limits.max_tokens,
            "max_parallel_calls": limits.max_parallel_calls,
        },
    }
    return {**facts, "digest": digest(facts)}


def result(state: RunState) -> Mapping[str, Json] | None:
    """What the run came to, or None while it goes on."""
    finished = state.finished
    if finished is None:
        return None
    handoff = finished.handoff
    return {
        "text": finished.text,
        "output": finished.output,
        "error": finished.error,
        "handoff": {
            "done": list(handoff.done),
            "left": list(handoff.left),
            "why": handoff.why,
            "last_words": handoff.last_words,
        }
        if handoff
        else None,
    }


async def announce(tx: Tx, tenant: TenantId, run_id: RunId, kind: str) -> None:
    """Put the run's record into the outbox, in the transaction that changed it; nothing where nobody listens.

    A run that has ended is also put down for export, where some worker exports traces.
    """
    if not await tx.fetchval(LISTENED, tenant, run_id, kind == "run.finished"):
        return
    run = await store.read(tx, tenant, run_id)
    assert run is not None
    slug = str(await tx.fetchval(SLUG, tenant))
    state = fold(await log.read(tx, tenant, run_id))
    told: dict[str, Json] = {"result": result(state), "pending_approvals": pending(state)}
    record = brief(run, slug, run.last_event_at) | told
    await tx.execute(store.ANNOUNCE, tenant, uuid7(), kind, run_id, encode_text(record))


# Whether anybody has asked to be told of this tenant's runs; and, in the same round trip, a run that has ended is put
# down for export if a worker has lately said that it exports. One that ends again after a retry is exported again.
LISTENED = """
WITH exported AS (
    INSERT INTO qd.trace_exports (tenant, run) SELECT $1, $2
    WHERE $3 AND EXISTS (
        SELECT 1 FROM qd.deployment WHERE name = 'traces.export' AND set_at > now() - interval '1 hour')
    ON CONFLICT (tenant, run) DO UPDATE SET tries = 0, next_at = now(), created_at = now())
SELECT EXISTS (SELECT 1 FROM qd.webhook_endpoints WHERE tenant = $1 AND disabled_at IS NULL)
"""

# A tenant's name in URLs and records.
SLUG = "SELECT slug FROM qd.tenants WHERE tenant = $1"


def _ms(start: datetime, end: datetime) -> int:
    return max(0, int((end - start).total_seconds() * 1000))
