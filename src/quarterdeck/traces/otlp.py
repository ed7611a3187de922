"""Spans as OpenTelemetry's protobuf: names, counts and codes go out, what was said only where a deployment opted in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as pb

import quarterdeck
from quarterdeck.core.json import Json
from quarterdeck.core.money import MicroUsd, to_usd
from quarterdeck.runs.entries import Entry
from quarterdeck.runs.records import Run
from quarterdeck.traces import names as n
from quarterdeck.traces.contents import Value, contents
from quarterdeck.traces.ids import Place, place_of
from quarterdeck.traces.records import Kind, Mark, Span

SCOPE = "quarterdeck.traces"
MOST_SPANS = 4_000
"""Spans in one request."""
_REMOTE_PARENT = 0x301
_NO_USAGE: Mapping[str, Json] = {}


@dataclass(frozen=True, slots=True)
class Exported:
    """A run that has ended, as it is exported. `pseudonym` stands for its user."""

    run: Run
    tenant: str
    pseudonym: str
    entries: Sequence[Entry]
    spans: Sequence[Span]


def encode(runs: Sequence[Exported], *, content: bool) -> Iterator[bytes]:
    """The requests that carry these runs, each with so many spans at most."""
    batch: list[pb.Span] = []
    for exported in runs:
        for span in _spans(exported, content=content):
            batch.append(span)
            if len(batch) == MOST_SPANS:
                yield _request(batch)
                batch = []
    if batch:
        yield _request(batch)


def _request(spans: Sequence[pb.Span]) -> bytes:
    resource = Resource(attributes=_pairs({n.SERVICE: "quarterdeck", n.SERVICE_VERSION: quarterdeck.__version__}))
    scope = InstrumentationScope(name=SCOPE, version=quarterdeck.__version__)
    scoped = pb.ScopeSpans(scope=scope, spans=spans)
    request = ExportTraceServiceRequest(resource_spans=[pb.ResourceSpans(resource=resource, scope_spans=[scoped])])
    return request.SerializeToString()


def _spans(exported: Exported, *, content: bool) -> Iterator[pb.Span]:
    place = place_of(exported.run.id, exported.run.traceparent)
    said = contents(exported.entries) if content else {}
    everywhere: dict[str, Value] = {n.TENANT: exported.tenant, n.RUN: str(exported.run.id)}
    for span in exported.spans:
        if span.end is not None:
            own = {**everywhere, n.KIND: span.kind.value, n.SEQ: span.seq, **_attributes(exported, span)}
            yield _span(place, span, span.end, {**own, **said.get((span.seq, span.kind), {})})


def _span(place: Place, span: Span, end: datetime, attributes: Mapping[str, Value]) -> pb.Span:
    parent = place.parent if span.kind is Kind.RUN else span.parent
    made = pb.Span(
        trace_id=bytes.fromhex(place.trace),
        span_id=bytes.fromhex(span.id),
        parent_span_id=bytes.fromhex(parent) if parent else b"",
        name=_name(span),
        kind=pb.Span.SPAN_KIND_CLIENT if span.kind is Kind.MODEL else pb.Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=_nanoseconds(span.start),
        end_time_unix_nano=_nanoseconds(end),
        attributes=_pairs(attributes),
    )
    if span.kind is Kind.RUN and parent:
        made.flags = _REMOTE_PARENT
    if span.mark in {Mark.ERROR, Mark.UNKNOWN}:
        message = "outcome unknown" if span.mark is Mark.UNKNOWN else str(attributes.get(n.ERROR_TYPE, ""))
        made.status.CopyFrom(pb.Status(code=pb.Status.STATUS_CODE_ERROR, message=message))
    return made


def _name(span: Span) -> str:
    """Few different names, and nothing in them that somebody said."""
    facts = span.attributes
    match span.kind:
        case Kind.RUN:
            return f"{n.INVOKE_AGENT} {facts['agent']}"
        case Kind.MODEL:
            return f"{n.CHAT} {facts['model']}" if "model" in facts else f"{n.CHAT} try"
        case Kind.TOOL:
            return f"{n.EXECUTE_TOOL} {facts['tool']}"
        case Kind.CHECKPOINT:
            return "checkpoint"
        case Kind.POLICY:
            # A tool that does not exist has a name that the model made up.
            return span.name if span.mark is Mark.OK else "policy → deny"
        case Kind.APPROVAL:
            return f"approval {facts['tool']}"
        case Kind.ATTEMPT | Kind.QUEUE | Kind.WAIT | Kind.GUARDRAIL:
            return span.name
        case Kind.MESSAGE:
            return str(facts.get("cause") or "note")


def _attributes(exported: Exported, span: Span) -> dict[str, Value]:
    facts = span.attributes
    match span.kind:
        case Kind.RUN:
            return _of_run(exported, span)
        case Kind.MODEL:
            return _of_model(facts)
        case Kind.TOOL:
            return _some(
                {
                    n.OPERATION: n.EXECUTE_TOOL,
                    n.TOOL_NAME: facts["tool"],
                    n.TOOL_TYPE: "function",
                    n.TOOL_CALL: facts["call"],
                    n.STEP: facts["step"],
                    n.EFFECT: facts["effect"],
                    n.REPEAT: facts["repeat"],
                    n.RISK: span.risk,
                    n.VERDICT: facts["verdict"],
                    n.RULE: facts["rule"],
                    n.TRIES: facts.get("tries"),
                    n.ERROR_TYPE: _tool_error(span),
                }
            )
        case Kind.APPROVAL:
            rule = facts["rule"]
            return _some({n.TOOL_NAME: facts["tool"], n.RULE: rule, n.STATUS: facts.get("state"), n.RISK: span.risk})
        case Kind.POLICY | Kind.GUARDRAIL:
            return _some({n.VERDICT: facts["verdict"], n.RULE: facts["rule"], n.RISK: span.risk})
        case Kind.ATTEMPT:
            return _some({n.REASON: facts.get("left")})
        case Kind.WAIT:
            return _some({n.STATUS: facts.get("status")})
        case _:
            return {}


def _of_run(exported: Exported, span: Span) -> dict[str, Value]:
    run, facts = exported.run, span.attributes
    return {
        **_some(
            {
                n.OPERATION: n.INVOKE_AGENT,
                n.AGENT_ID: f"{exported.tenant}/{run.agent}",
                n.AGENT_NAME: run.agent,
                n.AGENT_VERSION: run.release,
                n.RELEASE: run.release,
                n.CONVERSATION: str(run.thread) if run.thread else None,
                n.PSEUDONYM: exported.pseudonym,
                n.STATUS: facts.get("status"),
                n.REASON: facts.get("reason"),
                n.ATTEMPT: run.attempt,
                n.ERROR_TYPE: facts.get("error_code"),
            }
        ),
        **{n.TAG + name: value for name, value in run.tags.items()},
    }


def _of_model(facts: Mapping[str, Json]) -> dict[str, Value]:
    usage = cast("Mapping[str, Json]", facts.get("usage", _NO_USAGE))
    cost = facts.get("cost_micro_usd")
    finish = facts.get("finish")
    return {
        **_some(
            {
                n.OPERATION: n.CHAT,
                n.PROVIDER: facts.get("provider"),
                n.REQUEST_MODEL: facts.get("model"),
                n.RESPONSE_MODEL: facts.get("served_model"),
                n.RESPONSE_ID: facts.get("response_id"),
                n.INPUT_TOKENS: usage.get("input"),
                n.OUTPUT_TOKENS: usage.get("output"),
                n.CACHE_READ_TOKENS: usage.get("cache_read") or None,
                n.CACHE_CREATION_TOKENS: usage.get("cache_write") or None,
                n.REASONING_TOKENS: usage.get("reasoning") or None,
                n.STEP: facts.get("step"),
                n.FIRST_TOKEN: facts.get("first_token_ms"),
                n.COST: to_usd(MicroUsd(cost)) if isinstance(cost, int) else None,
                n.ERROR_TYPE: facts.get("error"),
            }
        ),
        **({n.FINISH_REASONS: [str(finish)]} if finish else {}),
    }


def _tool_error(span: Span) -> Json:
    if span.mark is Mark.OK:
        return None
    if span.mark is Mark.UNKNOWN:
        return "unknown"
    return "lost" if span.attributes.get("lost") else span.attributes.get("error") or "tool_error"


def _some(values: Mapping[str, Json]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if isinstance(value, bool | int | float | str)}


def _pairs(values: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_any(value)) for name, value in values.items()]


def _any(value: Value) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=item) for item in value]))


def _nanoseconds(at: datetime) -> int:
    # By integers: a float holds no microseconds at this size.
    return (int(at.timestamp()) * 1_000_000 + at.microsecond) * 1_000
