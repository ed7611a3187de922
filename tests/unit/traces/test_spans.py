"""Spans are a projection: of every log, the same each time, and whole once the run has ended."""

from datetime import timedelta

from hypothesis import given

from quarterdeck.core.ids import RunId, new_run_id
from quarterdeck.runs import events as e
from quarterdeck.runs.entries import opened
from quarterdeck.runs.fold import fold
from quarterdeck.runs.messages import Call, Text
from quarterdeck.runs.records import StoredEvent
from quarterdeck.traces import rules
from quarterdeck.traces.ids import place_of
from quarterdeck.traces.records import Kind, Mark, Span, Time
from quarterdeck.traces.spans import project
from tests.logs import ALLOW, START, Simulator, logs, run_of, seeded

RUN = new_run_id()


def spans_of(log: list[StoredEvent]) -> list[Span]:
    return project(RUN, opened(log))


def named(spans: list[Span], kind: Kind) -> list[Span]:
    return [span for span in spans if span.kind is kind]


@given(logs())
def test_every_log_gives_spans_that_hang_together(log: list[StoredEvent]):
    spans = spans_of(log)
    ids = [span.id for span in spans]
    assert len(set(ids)) == len(ids)
    root = spans[0]
    assert (root.kind, root.parent) == (Kind.RUN, None)
    for span in spans:
        assert span.parent in ids or span is root
        assert span.start >= root.start
        assert span.end is None or span.end >= span.start
        assert span.end is None or span.end <= log[-1].at
        assert (span.end is None) == (span.mark in {Mark.RUNNING, Mark.WAITING})


@given(logs())
def test_nothing_goes_on_after_the_end(log: list[StoredEvent]):
    spans = spans_of(log)
    if fold(log).finished:
        assert all(span.end is not None and span.end_seq is not None for span in spans)
        assert all(span.end <= spans[0].end for span in spans if span.end and spans[0].end)


@given(logs())
def test_a_span_keeps_its_id_as_the_log_grows(log: list[StoredEvent]):
    whole = {(span.seq, span.kind): span.id for span in spans_of(log)}
    for cut in range(1, len(log)):
        for span in spans_of(log[:cut]):
            assert whole[span.seq, span.kind] == span.id


@given(logs())
def test_the_parts_of_the_time_add_up_to_the_whole(log: list[StoredEvent]):
    for now in (log[-1].at, log[-1].at + timedelta(seconds=3)):
        state = fold(log)
        facts = rules.facts(run_of(log, state, now), state, opened(log), spans_of(log), now)
        time = facts.time
        parts = (time.queue, time.model, time.tools, time.people, time.timers, time.other)
        assert all(part >= 0 for part in parts)
        assert abs(sum(parts) - facts.duration_ms) <= len(parts)


def test_another_run_has_other_ids():
    log = Simulator(seeded(1)).run()
    other = RunId(new_run_id())
    assert not {span.id for span in spans_of(log)} & {span.id for span in project(other, opened(log))}


def test_a_run_without_a_parent_is_a_trace_of_its_own():
    place = place_of(RUN, None)
    assert (place.trace, place.parent) == (RUN.hex, None)


def test_a_run_goes_into_the_trace_of_who_submitted_it():
    place = place_of(RUN, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert (place.trace, place.parent) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


class Scene(Simulator):
    """A log written by hand, second by second."""

    def __init__(self) -> None:
        super().__init__(lambda *_: 0)
        self.emit(e.RunAdmitted(agent="desk", release="ab" * 32, user="ann", input=()), after_ms=0)

    def claim(self, after_ms: int = 1_000) -> None:
        self.attempt += 1
        self.emit(e.RunClaimed(worker="w", host="h", version="1", behaviour=1), after_ms=after_ms)

    def ask(self, *calls: Call, step: int = 1, ms: int = 900) -> None:
        self.emit(
            e.ModelCalled(step=step, call=f"m{step}", provider="p", model="gpt-x", decision=ALLOW),
            e.ModelAnswered(
                step=step, call=f"m{step}", content=calls, finish="stop", served_model="gpt-x", usage=e.Usage(), ms=ms
            ),
            after_ms=ms,
        )

    def intent(self, call: str, effect: str = "read", repeat: str = "safe", tool: str = "lookup") -> None:
        self.emit(
            e.ToolCalled(
                step=1,
                call=call,
                tool=tool,
                arguments={"order": 7},
                effect=effect,
                repeat=repeat,
                decision=ALLOW,
                not_after=1,
            ),
            after_ms=10,
        )


def test_a_read_took_as_long_as_its_event_says_and_not_until_its_row():
    scene = Scene()
    scene.claim()
    scene.ask(Call("c1", "lookup", {}))
    scene.intent("c1")
    scene.emit(e.ToolAnswered(call="c1", content=(Text("ok"),), ms=200), after_ms=5_000)
    (tool,) = named(spans_of(scene.log), Kind.TOOL)
    assert tool.ms(scene.now) == 200


def test_a_write_ended_when_its_outcome_was_committed():
    scene = Scene()
    scene.claim()
    scene.ask(Call("c1", "refund", {}))
    scene.intent("c1", "payment", "never", "refund")
    scene.emit(e.ToolAnswered(call="c1", content=(Text("ok"),), ms=200), after_ms=5_000)
    (tool,) = named(spans_of(scene.log), Kind.TOOL)
    assert tool.end == scene.now
    assert tool.ms(scene.now) == 200
    assert tool.risk == "money"


def test_each_decision_is_a_span_of_its_own():
    scene = Scene()
    scene.claim()
    scene.ask(Call("c1", "lookup", {}))
    scene.intent("c1")
    refusal = e.Decision("deny", "schema", "bad")
    scene.emit(
        e.ToolDenied(step=1, call="c2", tool="refund", arguments={"a": 1}, decision=refusal, content=(Text("no"),))
    )
    policies = named(spans_of(scene.log), Kind.POLICY)
    assert [(span.name, span.mark) for span in policies] == [
        ("policy gpt-x → allow", Mark.OK),
        ("policy lookup → allow", Mark.OK),
        ("policy refund → deny", Mark.DENIED),
    ]
    assert policies[2].attributes["rule"] == "schema"


def test_a_question_covers_its_retries_and_each_failed_try_is_shown_in_it():
    scene = Scene()
    scene.claim()
    scene.emit(e.ModelCalled(step=1, call="m1", provider="p", model="gpt-x", decision=ALLOW))
    fault = e.ModelFailed(step=1, call="m1", code="rate_limited", message="slow", retry_in_ms=500, ms=300)
    scene.emit(fault, after_ms=300)
    scene.emit(
        e.ModelAnswered(step=1, call="m1", content=(), finish="stop", served_model="gpt-x", usage=e.Usage(), ms=900),
        after_ms=1_400,
    )
    question, failed = named(spans_of(scene.log), Kind.MODEL)
    assert (question.ms(scene.now), question.mark) == (1_700, Mark.OK)
    assert (failed.parent, failed.name, failed.mark, failed.ms(scene.now)) == (
        question.id,
        "try 1 · rate_limited",
        Mark.ERROR,
        300,
    )


def test_a_call_that_died_with_its_worker_is_shown_lost_and_again():
    scene = Scene()
    scene.claim()
    scene.ask(Call("c1", "lookup", {}))
    scene.intent("c1")
    scene.emit(e.RunReleased(why="lease"), after_ms=10_000)
    scene.claim()
    scene.intent("c1")
    scene.emit(e.ToolAnswered(call="c1", content=(Text("ok"),), ms=5))
    lost, again = named(spans_of(scene.log), Kind.TOOL)
    assert (lost.mark, lost.attributes["lost"]) == (Mark.ERROR, True)
    assert again.mark is Mark.OK
    first, second = named(spans_of(scene.log), Kind.ATTEMPT)
    assert (first.mark, first.attributes["left"]) == (Mark.ERROR, "lease")
    assert (lost.parent, again.parent) == (first.id, second.id)


def test_waiting_for_people_is_told_apart_from_waiting_for_a_time():
    scene = Scene()
    scene.claim(1_000)
    parked = e.RunParked(status="waiting_for_outcome", why="in doubt")
    scene.emit(parked, after_ms=100)
    scene.emit(e.RunResumed(why="named", by="key:op"), after_ms=60_000)
    scene.claim(2_000)
    until = int((scene.now + timedelta(seconds=5)).timestamp() * 1000)
    scene.emit(e.RunParked(status="waiting_for_retry", why="429", until=until), after_ms=0)
    scene.claim(6_000)
    scene.emit(e.RunFinished(status="succeeded"), after_ms=900)
    time = rules.where_time_went(spans_of(scene.log), START, scene.now)
    assert time == Time(queue=1_000 + 2_000 + 1_000, people=60_000, timers=5_000, other=1_000)


def test_a_delay_is_no_time_in_the_queue():
    scene = Simulator(lambda *_: 0)
    at = int((START + timedelta(seconds=30)).timestamp() * 1000)
    scene.emit(e.RunAdmitted(agent="desk", release="r", user="u", input=(), not_before=at), after_ms=0)
    assert spans_of(scene.log)[1].name == "waiting for its time"
    scene.attempt = 1
    scene.emit(e.RunClaimed(worker="w", host="h", version="1", behaviour=1), after_ms=31_000)
    time = rules.where_time_went(spans_of(scene.log), START, scene.now)
    assert (time.timers, time.queue) == (30_000, 1_000)
