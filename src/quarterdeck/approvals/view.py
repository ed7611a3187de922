"""The public record of a question: what the inbox, webhooks and links show."""

from datetime import datetime

from quarterdeck.approvals.records import Approval
from quarterdeck.core.clock import moment
from quarterdeck.core.json import Json


def show(approval: Approval, now: datetime) -> dict[str, Json]:
    """A question as JSON, without what other questions tell of it."""
    decision = approval.decision
    return {
        "approval_id": str(approval.id),
        "run_id": str(approval.run),
        "call": approval.call,
        "step": approval.step,
        "tool": approval.tool,
        "agent": approval.agent,
        "release": approval.release,
        "agent_version": f"{approval.agent}@{approval.release[:12]}",
        "user_id": approval.user_id,
        "effect": approval.effect,
        "risk_level": approval.risk,
        "summary": approval.summary,
        "arguments": approval.arguments,
        "edited": approval.edited,
        "origins": dict(approval.origins),
        "reason": decision.get("reason", ""),
        "rule": decision.get("rule", ""),
        "policies": decision.get("policies", []),
        "effective": approval.effective,
        "people": approval.people,
        "roles": list(approval.roles) or ["reviewer"],
        "votes": [{"by": vote.by, "at": moment(vote.at)} for vote in approval.votes if vote.digest == approval.digest],
        "state": approval.state.value,
        "asked_at": moment(approval.asked_at),
        "expires_at": moment(approval.expires_at),
        "age_s": max(0, int(((approval.answered_at or now) - approval.asked_at).total_seconds())),
        "digest": approval.digest,
        "answered_at": moment(approval.answered_at),
        "answered_by": list(approval.answered_by),
        "why": approval.why,
        "consumed_at": moment(approval.consumed_at),
    }
