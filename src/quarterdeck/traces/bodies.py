"""What the trace of a run looks like as JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from quarterdeck.core.json import Json
from quarterdeck.core.money import to_usd
from quarterdeck.runs import events as e
from quarterdeck.runs.bodies import Risk, WholeRunRecord
from quarterdeck.runs.entries import Entry
from quarterdeck.runs.records import LedgerEntry
from quarterdeck.traces.attributes import usage
from quarterdeck.traces.records import Blast, Facts, Kind, Mark, Span, Story, Tone


class ClauseRecord(BaseModel):
    """A part of the sentence, and the event that it speaks of."""

    text: str
    seq: int | None


class StoryRecord(BaseModel):
    """What happened, in one breath."""

    sentence: str
    clauses: list[ClauseRecord]
    tone: Tone


class TimeRecord(BaseModel):
    """Where the time went, in milliseconds; the parts add up to `duration_ms`."""

    queue: int
    model: int
    tools: int
    people: int
    timers: int = Field(description="Waiting for a time: a delay that was asked for, or the next try.")
    other: int


class FactsRecord(BaseModel):
    """The figures beside the sentence."""

    duration_ms: int
    time: TimeRecord
    cost_micro_usd: int
    estimated_cost_usd: float
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    model_calls: int
    tool_calls: int
    failed_calls: int
    denied_calls: int
    attempts: int
    steps: int
    events: int


class BlastRecord(BaseModel):
    """Other recent runs of the agent that ended for the same cause."""

    cause: str
    same_cause_this_release: int
    same_cause_previous_release: int


class SpanRecord(BaseModel):
    """A stretch of the run. `seq` and `end_seq` are the events of the log that it begins and ends with."""

    id: str
    parent: str | None
    seq: int
    end_seq: int | None
    kind: Kind
    name: str
    status: Mark
    start: datetime
    end: datetime | None
    ms: int
    risk: Risk | None
    attributes: dict[str, JsonValue] = Field(description="Long texts by their beginning; the event has them whole.")


class MessageRecord(BaseModel):
    """One message of the run's conversation."""

    model_config = ConfigDict(extra="allow")

    seq: int
    at: datetime
    role: Literal["user", "model", "tool"]
    content: list[dict[str, JsonValue]]


class EffectRecord(BaseModel):
    """One call that is not a read: sent once, or unknown."""

    call: str = Field(description="Step and id of the call.")
    tool: str
    effect: str
    repeat: str
    key: str
    arguments_digest: str
    state: Literal["intended", "happened", "failed", "unknown", "did_not_happen"]
    intended_at: datetime
    not_after: datetime
    settled_at: datetime | None
    settled_by: str | None


class EffectList(BaseModel):
    """The ledger of a run."""

    items: list[EffectRecord]


class UsageRecord(BaseModel):
    """Tokens of one model call; input includes what was cached, output the reasoning."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int


class CostRecord(BaseModel):
    """What one model call cost, in micro-USD; null where its price is not known."""

    step: int
    seq: int
    model: str
    usage: UsageRecord
    cost: int | None


class TraceRecord(BaseModel):
    """Everything that one needs to understand a run."""

    run: WholeRunRecord
    story: StoryRecord
    facts: FactsRecord
    blast: BlastRecord | None
    spans: list[SpanRecord]
    conversation: list[MessageRecord]
    effects: list[EffectRecord]
    cost: list[CostRecord]
    trace_id: str = Field(description="32 hexadecimal digits: the same in exported spans.")


def show_story(story: Story) -> dict[str, Json]:
    """A story as JSON."""
    return {
        "sentence": story.sentence,
        "clauses": [{"text": clause.text, "seq": clause.seq} for clause in story.clauses],
        "tone": story.tone.value,
    }


def show_facts(facts: Facts) -> dict[str, Json]:
    """Figures as JSON."""
    time = facts.time
    return {
        "duration_ms": facts.duration_ms,
        "time": {
            "queue": time.queue,
            "model": time.model,
            "tools": time.tools,
            "people": time.people,
            "timers": time.timers,
            "other": time.other,
        },
        "cost_micro_usd": facts.cost,
        "estimated_cost_usd": to_usd(facts.cost),
        "input_tokens": facts.input_tokens,
        "output_tokens": facts.output_tokens,
        "cached_tokens": facts.cached_tokens,
        "reasoning_tokens": facts.reasoning_tokens,
        "model_calls": facts.model_calls,
        "tool_calls": facts.tool_calls,
        "failed_calls": facts.failed_calls,
        "denied_calls": facts.denied_calls,
        "attempts": facts.attempts,
        "steps": facts.steps,
        "events": facts.events,
    }


def show_blast(blast: Blast | None) -> dict[str, Json] | None:
    """The blast radius as JSON."""
    if blast is None:
        return None
    return {
        "cause": blast.cause,
        "same_cause_this_release": blast.this_release,
        "same_cause_previous_release": blast.previous_release,
    }


def show_span(span: Span, now: datetime) -> dict[str, object]:
    """A span as JSON. Times stay times: the encoder writes them faster than anybody here."""
    return {
        "id": span.id,
        "parent": span.parent,
        "seq": span.seq,
        "end_seq": span.end_seq,
        "kind": span.kind.value,
        "name": span.name,
        "status": span.mark.value,
        "start": span.start,
        "end": span.end,
        "ms": span.ms(now),
        "risk": span.risk,
        "attributes": span.attributes,
    }


def show_effect(entry: LedgerEntry) -> dict[str, object]:
    """A row of the ledger as JSON."""
    return {
        "call": entry.call,
        "tool": entry.tool,
        "effect": entry.effect,
        "repeat": entry.repeat,
        "key": entry.key,
        "arguments_digest": entry.arguments_digest,
        "state": entry.state,
        "intended_at": entry.intended_at,
        "not_after": entry.not_after,
        "settled_at": entry.settled_at,
        "settled_by": entry.settled_by,
    }


def show_costs(entries: Sequence[Entry]) -> list[dict[str, Json]]:
    """What each model call cost."""
    return [
        {
            "step": entry.event.step,
            "seq": entry.seq,
            "model": entry.event.served_model,
            "usage": usage(entry.event.usage),
            "cost": entry.event.cost,
        }
        for entry in entries
        if isinstance(entry.event, e.ModelAnswered)
    ]
