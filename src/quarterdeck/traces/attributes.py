"""The facts of each kind of span, bounded: what is long is shown by its beginning, and the log has it whole."""

from collections.abc import Mapping

from quarterdeck.core.json import Json, encode_text
from quarterdeck.core.text import shorten
from quarterdeck.runs import events as e
from quarterdeck.runs.messages import Call, Stored, Thinking, Usage
from quarterdeck.runs.parts import Decision
from quarterdeck.runs.turns import plain

SHOWN = 500
"""Characters of a text that stand in a span."""
_ARGUMENTS = 2_000
_BRIEF = 60


def brief(arguments: Mapping[str, Json]) -> str:
    """The arguments of a call on one line, for names."""
    shown = ", ".join(f"{name}={_scalar(value)}" for name, value in arguments.items())
    return shorten(shown, _BRIEF)


def bounded(arguments: Mapping[str, Json]) -> Json:
    """The arguments as they are, or the beginning of their JSON where they are long."""
    text = encode_text(arguments)
    return dict(arguments) if len(text) <= _ARGUMENTS else shorten(text, _ARGUMENTS)


def of_admission(event: e.RunAdmitted) -> dict[str, Json]:
    """What was asked, by whom, of what."""
    words = next((plain(message.content, SHOWN) for message in reversed(event.input)), "")
    return {
        "agent": event.agent,
        "release": event.release,
        "user": event.user,
        "thread": event.thread,
        "submitted_by": event.submitted_by,
        "tags": dict(event.tags),
        "input": words,
    }


def of_claim(event: e.RunClaimed) -> dict[str, Json]:
    """Which worker has it."""
    return {"worker": event.worker, "host": event.host, "version": event.version, "behaviour": event.behaviour}


def of_decision(decision: Decision) -> dict[str, Json]:
    """What a gate said and the rule that decided."""
    return {
        "verdict": decision.verdict,
        "rule": decision.rule,
        "reason": decision.reason,
        "checks": list(decision.checks),
        "policies": list(decision.policies),
        "effective": decision.effective,
    }


def of_asking(event: e.ApprovalAsked) -> dict[str, Json]:
    """What a person was asked, and what the answer is bound to."""
    return {
        "approval": event.approval,
        "tool": event.tool,
        "call": event.call,
        "step": event.step,
        "arguments": bounded(event.arguments),
        "origins": dict(event.origins),
        "digest": event.digest,
        "expires_at": event.expires_at,
        "people": event.people,
        **of_decision(event.decision),
    }


def of_answer_by_people(event: e.ApprovalAnswered) -> dict[str, Json]:
    """What people said, and what they changed."""
    edited = None if event.arguments is None else bounded(event.arguments)
    return {"state": event.state, "by": list(event.by), "why": event.why, "edited": edited}


def of_question(event: e.ModelCalled) -> dict[str, Json]:
    """What was asked of the model."""
    return {
        "step": event.step,
        "provider": event.provider,
        "model": event.model,
        "messages": event.messages,
        "prompt": event.prompt,
        "purpose": event.purpose,
        "route": event.route,
        "route_why": event.route_why,
        "degree": event.degree,
        "notice": event.notice,
        "reserved_micro_usd": event.reserved,
        "reserved_tokens": event.reserved_tokens,
        **{f"decision_{name}": value for name, value in of_decision(event.decision).items() if name != "checks"},
    }


def of_answer(event: e.ModelAnswered) -> dict[str, Json]:
    """What the model answered and what it cost."""
    thoughts = " ".join(part.text for part in event.content if isinstance(part, Thinking))
    return {
        "served_model": event.served_model,
        "finish": event.finish,
        "text": plain((part for part in event.content if not isinstance(part, Call)), SHOWN),
        "thinking": shorten(thoughts, SHOWN),
        "calls": [part.tool for part in event.content if isinstance(part, Call)],
        "usage": usage(event.usage),
        "cost_micro_usd": event.cost,
        "uncovered_micro_usd": event.uncovered,
        "response_id": event.response_id,
        "model_ms": event.ms,
        "first_token_ms": event.first_token_ms,
        "tries": event.tries,
    }


def of_fault(event: e.ModelFailed) -> dict[str, Json]:
    """Why a try came to nothing."""
    return {
        "error": event.code,
        "message": shorten(event.message, SHOWN),
        "http_status": event.status,
        "retry_in_ms": event.retry_in_ms,
        "try": event.try_,
        "presumed_micro_usd": event.presumed,
    }


def of_judgement(event: e.GuardrailJudged) -> dict[str, Json]:
    """What guardrails said, and of what kind that was which they found."""
    return {
        "edge": event.edge,
        "verdict": event.verdict,
        "rule": event.rule,
        "reason": event.reason,
        "checks": list(event.checks),
        "findings": [
            {"check": one.check, "action": one.action, "what": one.what, "count": one.count, "score": one.score}
            for one in event.findings
        ],
        "ms": event.ms,
    }


def of_shortening(event: e.ContextShortened) -> dict[str, Json]:
    """What the model is shown less of."""
    return {
        "tokens_before": event.tokens_before,
        "tokens_after": event.tokens_after,
        "results_upto": event.results_upto,
        "messages_upto": event.messages_upto,
        "summary": "" if event.summary is None else plain(event.summary.content, SHOWN),
    }


def of_call(event: e.ToolCalled) -> dict[str, Json]:
    """What was sent to a tool, and on whose word."""
    return {
        "tool": event.tool,
        "call": event.call,
        "step": event.step,
        "arguments": bounded(event.arguments),
        "effect": event.effect,
        "repeat": event.repeat,
        "key": event.key,
        "not_after": event.not_after,
        "timeout_ms": event.timeout_ms,
        "verdict": event.decision.verdict,
        "rule": event.decision.rule,
        "origins": dict(event.origins),
        "approval": event.approval,
        "child": event.child,
    }


def of_outcome(event: e.ToolAnswered) -> dict[str, Json]:
    """What a tool answered."""
    stored = next((part for part in event.content if isinstance(part, Stored)), None)
    return {
        "result": plain(event.content, SHOWN),
        "is_error": event.is_error,
        "size": event.size,
        "truncated": event.truncated,
        "tries": event.tries,
        "blob": stored.key if stored else None,
        "trust": event.label.trust.value if event.label else None,
        "cached": event.cached,
    }


def of_failure(event: e.ToolFailed) -> dict[str, Json]:
    """Why a call did not take place."""
    return {"error": event.code, "result": plain(event.content, SHOWN), "is_error": True}


def of_end(event: e.RunFinished) -> dict[str, Json]:
    """What the run came to."""
    return {
        "status": event.status,
        "reason": event.reason,
        "error_code": event.error_code,
        "error": event.error,
        "text": shorten(event.text, SHOWN),
    }


def usage(used: Usage) -> dict[str, Json]:
    """Tokens of a call, all kinds."""
    return {
        "input": used.input,
        "output": used.output,
        "cache_read": used.cache_read,
        "cache_write": used.cache_write,
        "reasoning": used.reasoning,
    }


def _scalar(value: Json) -> str:
    return value if isinstance(value, str) else encode_text(value)
