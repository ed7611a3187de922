"""What leaves for a collector: the same ids each time, GenAI names, and nothing that was said unless asked for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from quarterdeck.runs import events as e
from quarterdeck.runs.entries import opened
from quarterdeck.runs.fold import fold
from quarterdeck.runs.messages import Call, Text, Usage, UserMessage
from quarterdeck.runs.records import StoredEvent
from quarterdeck.traces import otlp
from quarterdeck.traces.otlp import Exported, encode
from quarterdeck.traces.spans import project
from tests.logs import Simulator, long_log, run_of, seeded
from tests.unit.traces.test_spans import Scene

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECRET = "the customer's card is 4242"


def exported(log: list[StoredEvent], traceparent: str | None = None) -> Exported:
    run = replace(run_of(log, fold(log), log[-1].at), traceparent=traceparent, tags={"plan": "pro"})
    entries = opened(log)
    return Exported(run, "acme", "p" * 32, entries, project(run.id, entries))


def sent(runs: Sequence[Exported], *, content: bool = False) -> list[Span]:
    """The spans as a collector reads them."""
    spans: list[Span] = []
    for body in encode(runs, content=content):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                spans += scope.spans
    return spans


def facts(span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in span.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind or "")
        found[pair.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


def talkative() -> list[StoredEvent]:
    """A run in which everything that is said is a secret."""
    scene = Simulator(lambda *_: 0)
    said = UserMessage((Text(SECRET),))
    scene.emit(e.RunAdmitted(agent="desk", release="ab" * 32, user=SECRET, input=(said,)), after_ms=0)
    scene.attempt = 1
    call = Call("c1", "refund", {"note": SECRET})
    decision = e.Decision("allow", "default", SECRET)
    scene.emit(
        e.RunClaimed(worker="w", host="h", version="1", behaviour=1),
        e.ModelCalled(step=1, call="m1", provider="openai", model="gpt-x", decision=decision),
        e.ModelFailed(step=1, call="m1", code="rate_limited", message=SECRET, retry_in_ms=1, ms=1),
        e.ModelAnswered(
            step=1,
            call="m1",
            content=(Text(SECRET), call),
            finish="tool_calls",
            served_model="gpt-x-2",
            usage=Usage(100, 20, 30, 5, 7),
            cost=1_500,
            response_id="r1",
            first_token_ms=12,
        ),
        e.ToolCalled(
            step=1,
            call="c1",
            tool="refund",
            arguments={"note": SECRET},
            effect="payment",
            repeat="keyed",
            decision=decision,
        ),
        e.ToolAnswered(call="c1", content=(Text(SECRET),), is_error=True),
        e.MessageAdded(message=said, cause="empty"),
        e.ModelDrifted(step=1, call="m1", wanted="gpt-x", served="gpt-x-2", difference=SECRET),
        e.ToolDenied(
            step=1,
            call="c2",
            tool=SECRET,
            arguments={"a": SECRET},
            decision=e.Decision("deny", "known", SECRET),
            content=(),
        ),
        e.CancelRequested(by="key:op", why=SECRET),
        e.RunFinished(status="failed", error_code="model.refused", error=SECRET, text=SECRET),
    )
    return scene.log


def test_nothing_that_was_said_leaves_unless_the_deployment_opted_in():
    log = talkative()
    assert not any(SECRET.encode() in body for body in encode([exported(log)], content=False))
    told = b"".join(encode([exported(log)], content=True))
    assert SECRET.encode() in told


def test_content_has_the_names_of_the_conventions():
    spans = {span.name: facts(span) for span in sent([exported(talkative())], content=True)}
    assert SECRET in spans["chat gpt-x"]["gen_ai.input.messages"]
    assert '"role":"assistant"' in spans["chat gpt-x"]["gen_ai.output.messages"]
    assert spans["execute_tool refund"]["gen_ai.tool.call.arguments"] == f'{{"note":"{SECRET}"}}'
    assert spans["execute_tool refund"]["gen_ai.tool.call.result"] == SECRET
    assert SECRET in spans["invoke_agent desk"]["gen_ai.output.messages"]


def test_a_question_holds_what_is_new_since_the_one_before():
    scene = Scene()
    scene.claim()
    scene.ask(Call("c1", "lookup", {}))
    scene.intent("c1")
    scene.emit(e.ToolAnswered(call="c1", content=(Text("found"),)))
    scene.ask(step=2)
    questions = [facts(span) for span in sent([exported(scene.log)], content=True) if span.name == "chat gpt-x"]
    assert [question["gen_ai.input.messages"] for question in questions] == [
        "[]",
        '[{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"found"}]}]',
    ]


def test_spans_carry_the_names_of_the_conventions():
    spans = {span.name: span for span in sent([exported(talkative())])}
    run, model, tool = (facts(spans[name]) for name in ("invoke_agent desk", "chat gpt-x", "execute_tool refund"))
    assert run == {
        "quarterdeck.tenant": "acme",
        "quarterdeck.run": str(exported(talkative()).run.id),
        "quarterdeck.kind": "run",
        "quarterdeck.seq": 1,
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.id": "acme/desk",
        "gen_ai.agent.name": "desk",
        "gen_ai.agent.version": "ab" * 32,
        "quarterdeck.release": "ab" * 32,
        "enduser.pseudo.id": "p" * 32,
        "quarterdeck.status": "failed",
        "quarterdeck.attempt": 1,
        "error.type": "model.refused",
        "quarterdeck.tag.plan": "pro",
    }
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.response.model": "gpt-x-2",
        "gen_ai.response.id": "r1",
        "gen_ai.response.finish_reasons": ["tool_calls"],
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 30,
        "gen_ai.usage.cache_creation.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 7,
        "quarterdeck.cost_usd": 0.0015,
        "quarterdeck.step": 1,
        "quarterdeck.first_token_ms": 12,
    }
    assert wanted.items() <= {name: value for name, value in model.items() if name in wanted}.items()
    assert (tool["gen_ai.operation.name"], tool["gen_ai.tool.name"], tool["gen_ai.tool.call.id"]) == (
        "execute_tool",
        "refund",
        "c1",
    )
    assert (tool["quarterdeck.effect"], tool["quarterdeck.rule"], tool["error.type"]) == (
        "payment",
        "default",
        "tool_error",
    )
    assert spans["invoke_agent desk"].status.code == Status.STATUS_CODE_ERROR
    assert spans["execute_tool refund"].status.code == Status.STATUS_CODE_ERROR
    assert spans["chat gpt-x"].kind == Span.SPAN_KIND_CLIENT


def test_exporting_twice_gives_the_same_bytes():
    log = Simulator(seeded(3)).run()
    assert list(encode([exported(log)], content=True)) == list(encode([exported(log)], content=True))


def test_spans_hang_together_and_stand_in_the_callers_trace():
    spans = sent([exported(Simulator(seeded(3)).run(), PARENT)])
    root = next(span for span in spans if span.name.startswith("invoke_agent"))
    assert root.parent_span_id.hex() == "00f067aa0ba902b7"
    assert {span.trace_id.hex() for span in spans} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    ids = {span.span_id for span in spans}
    assert all(span.parent_span_id in ids for span in spans if span is not root)
    assert all(len(span.span_id) == 8 and span.end_time_unix_nano >= span.start_time_unix_nano for span in spans)


def test_times_are_exact_to_the_microsecond():
    log = Simulator(seeded(3)).run()
    root = sent([exported(log)])[0]
    assert root.start_time_unix_nano == int(log[0].at.timestamp()) * 10**9 + log[0].at.microsecond * 1000


def test_a_long_run_is_sent_in_several_requests(monkeypatch):
    monkeypatch.setattr(otlp, "MOST_SPANS", 100)
    log = long_log(500)
    bodies = list(encode([exported(log)], content=False))
    assert len(bodies) > 3
    spans = sent([exported(log)])
    assert len({span.span_id for span in spans}) == len(spans)
