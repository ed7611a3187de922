"""One sentence for every way in which a run can stand."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from quarterdeck.runs import events as e
from quarterdeck.runs.entries import opened
from quarterdeck.runs.fold import fold
from quarterdeck.runs.messages import Call, Text
from quarterdeck.runs.records import Run, Status, StoredEvent
from quarterdeck.traces.records import Blast, Story, Tone
from quarterdeck.traces.story import tell
from tests.logs import logs, run_of
from tests.unit.traces.test_spans import Scene


def story(scene: Scene, blast: Blast | None = None, **changes: object) -> Story:
    state = fold(scene.log)
    run = run_of(scene.log, state, scene.now)
    run = replace(run, **changes)
    return tell(run, state, opened(scene.log), blast, scene.now + timedelta(seconds=2))


def finish(scene: Scene, status: str, **facts: object) -> Scene:
    scene.emit(e.RunFinished(status=status, **facts))  # pyright: ignore[reportArgumentType]  # a builder
    return scene


def fresh() -> Scene:
    return Scene()


def running() -> Scene:
    scene = Scene()
    scene.claim()
    scene.ask(Call("c1", "refund", {"order": 7}))
    return scene


def in_doubt() -> Scene:
    scene = running()
    scene.intent("c1", "payment", "never", "refund")
    scene.emit(e.ToolUnknown(call="c1", tool="refund", why="its worker died between the intent and the outcome"))
    scene.emit(e.RunParked(status="waiting_for_outcome", why="nobody knows whether refund took effect"))
    return scene


def failing_refunds() -> Scene:
    scene = Scene()
    scene.claim()
    for number in range(3):
        scene.ask(Call(f"c{number}", "refund", {"order": 7}), step=number + 1)
        scene.intent(f"c{number}", "payment", "keyed", "refund")
        scene.emit(e.ToolFailed(call=f"c{number}", code="timeout", content=(Text("timed out"),)))
    return scene


def succeeded() -> Scene:
    scene = running()
    scene.intent("c1", "payment", "never", "refund")
    scene.emit(e.ToolAnswered(call="c1", content=(Text("ok"),), ms=5))
    return finish(scene, "succeeded", text="Done.")


def taken_over() -> Scene:
    scene = running()
    scene.emit(e.RunReleased(why="lease"), after_ms=10_000)
    scene.claim()
    return finish(scene, "succeeded")


def released() -> Scene:
    scene = running()
    scene.emit(e.RunReleased(why="lease"), after_ms=10_000)
    return scene


def cancelled() -> Scene:
    scene = running()
    scene.emit(e.CancelRequested(by="key:op", why="wrong customer"))
    return finish(scene, "cancelled")


def drifted() -> Scene:
    scene = Scene()
    scene.claim()
    scene.ask()
    scene.emit(e.ModelDrifted(step=1, call="m1", wanted="gpt-x", served="gpt-y"))
    return finish(scene, "succeeded")


def refused_by_the_gate() -> Scene:
    scene = running()
    decision = e.Decision("deny", "schema", "bad")
    scene.emit(e.ToolDenied(step=1, call="c1", tool="refund", arguments={}, decision=decision, content=()))
    return finish(scene, "succeeded")


def stopped() -> Scene:
    return finish(running(), "stopped", reason="steps", handoff=e.Handoff(why="the limit of 30 steps is reached"))


def sent_back() -> Scene:
    scene = finish(running(), "failed", error="it broke", error_code="model.server")
    scene.emit(e.RunRetried(by="key:op"))
    return scene


CASES: list[tuple[Callable[[], Scene], Tone, str]] = [
    (fresh, Tone.RUNNING, "Queued for 2.0 s."),
    (running, Tone.RUNNING, "Running for 3.8 s, step 1: starting."),
    (released, Tone.RUNNING, "Its worker died; it waits for another to go on."),
    (
        in_doubt,
        Tone.WAITING,
        (
            "Waiting for a person to say what became of a call. Nothing is known of the effect of refund (order=7): "
            "its worker died between the intent and the outcome."
        ),
    ),
    (succeeded, Tone.OK, "Succeeded after 1 tool call in 2.9 s."),
    (
        taken_over,
        Tone.OK,
        "Succeeded in 13.8 s. 1 worker died on the way; another took over.",
    ),
    (cancelled, Tone.STOPPED, "Cancelled by key:op after 1 step: wrong customer."),
    (drifted, Tone.OK, "Succeeded in 2.9 s. gpt-y answered in place of gpt-x."),
    (refused_by_the_gate, Tone.OK, "Succeeded in 2.9 s. The gate refused refund (schema)."),
    (stopped, Tone.STOPPED, "Stopped: the limit of 30 steps is reached."),
    (sent_back, Tone.RUNNING, "Queued again for 2.0 s. key:op sent it back."),
    (
        failing_refunds,
        Tone.RUNNING,
        "Running for 7.6 s, step 3: starting. refund timed out on all 3 calls; none of these took effect.",
    ),
]


@pytest.mark.parametrize(("scene", "tone", "sentence"), CASES, ids=[case[0].__name__ for case in CASES])
def test_how_a_run_stands_is_said_in_one_breath(scene: Callable[[], Scene], tone: Tone, sentence: str):
    told = story(scene())
    assert (told.tone, told.sentence) == (tone, sentence)


def test_a_failure_says_who_else_it_happened_to():
    scene = finish(failing_refunds(), "failed", error="gpt-x: refused", error_code="model.refused")
    told = story(scene, Blast("model.refused", 4, 0))
    assert told.tone is Tone.FAILED
    assert told.sentence == (
        "Failed: gpt-x: refused. refund timed out on all 3 calls; none of these took effect. "
        "4 other runs on this release show it, none on the one before."
    )
    assert story(scene, Blast("model.refused", 0, 0)).sentence.endswith("No other recent run shows it.")
    assert "1 other run on this release shows it, 3 on the one before." in story(scene, Blast("x", 1, 3)).sentence
    assert "No other run on this release show it, 3 on the one before." in story(scene, Blast("x", 0, 3)).sentence


def test_each_clause_leads_to_the_event_that_it_speaks_of():
    scene = in_doubt()
    told = story(scene)
    kinds = {row.seq: row.kind for row in scene.log}
    assert [kinds[clause.seq] for clause in told.clauses if clause.seq] == ["run.parked", "tool.unknown"]


def test_a_run_that_waits_for_its_time_says_when():
    told = story(fresh(), available_at=Scene().now + timedelta(hours=2, minutes=5))
    assert told.sentence == "Begins at 14:05:00 UTC, in 2 h 4 min."


def test_a_run_that_no_worker_understands_says_so():
    told = story(fresh(), why="no running worker executes behaviour version 2")
    assert told.sentence == "Queued for 2.0 s: no running worker executes behaviour version 2."


def test_waiting_to_try_again_says_when_and_why():
    scene = running()
    until = int(scene.now.timestamp() * 1000) + 5_000
    scene.emit(e.RunParked(status="waiting_for_retry", why="gpt-x gave no answer (timeout)", until=until))
    told = story(scene, available_at=scene.now + timedelta(seconds=5))
    assert told.tone is Tone.RUNNING
    assert told.sentence.startswith("Waiting to try again at 12:00:07 UTC: gpt-x gave no answer (timeout).")


def test_time_spent_waiting_for_people_is_said_at_the_end():
    scene = in_doubt()
    scene.emit(e.ToolResolved(call="c1", outcome="happened", by="key:op", content=()), after_ms=90_000)
    scene.emit(e.RunResumed(why="named", by="key:op"))
    scene.claim()
    told = story(finish(scene, "succeeded"), waited_ms=90_000)
    assert told.sentence.endswith("It waited 1 min 30 s for people.")


@given(logs())
def test_every_prefix_of_every_log_has_a_story(log: list[StoredEvent]):
    for cut in range(1, len(log) + 1):
        state = fold(log[:cut])
        run: Run = run_of(log[:cut], state, log[cut - 1].at)
        told = tell(run, state, opened(log[:cut]), None, log[cut - 1].at)
        assert told.sentence.endswith(".")
        assert all(clause.seq is None or 1 <= clause.seq <= cut for clause in told.clauses)
        assert (told.tone is Tone.FAILED) == (run.status is Status.FAILED)
