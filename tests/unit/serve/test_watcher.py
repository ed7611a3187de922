"""One stream's place, and the frames that it is told in."""

import json
from datetime import UTC, datetime

import pytest

from quarterdeck.core.ids import TenantId, new_run_id, uuid7
from quarterdeck.runs.records import StoredEvent
from quarterdeck.serve.frames import Delta, delta_of, frame_of, frame_of_delta
from quarterdeck.serve.watcher import MOST_WAITING, Watcher

RUN = new_run_id()


def watcher(after: int = 0) -> Watcher:
    return Watcher(TenantId(uuid7()), RUN, after)


def event(seq: int, kind: str = "run.claimed", data: str = "{}", attempt: int = 1) -> StoredEvent:
    return StoredEvent(seq, attempt, kind, 1, datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC), data)


def add(to: Watcher, *deltas: Delta) -> None:
    for delta in deltas:
        to.add(delta, frame_of_delta(delta))


def shown(frames: list[bytes]) -> list[str]:
    return [frame.decode().partition("\n")[0].removeprefix("event: ") for frame in frames]


def test_an_event_goes_out_as_the_log_holds_it():
    frame = frame_of(event(7, "tool.called", '{"tool": "refund", "note": "a\\nb"}')).decode()
    assert frame.startswith("id: 7\nevent: tool.called\ndata: ")
    assert frame.endswith("\n\n")
    assert frame.count("\n") == 4
    assert json.loads(frame.split("data: ")[1]) == {
        "seq": 7,
        "attempt": 1,
        "at": "2026-01-02T03:04:05.678Z",
        "data": {"tool": "refund", "note": "a\nb"},
    }


def test_a_new_stream_looks_first_and_waits_then():
    one = watcher()
    assert one.behind
    one.end_look(one.begin_look(), full_page=False)
    assert not one.behind
    one.grew(1)
    assert one.behind
    assert one.stirred.is_set()


def test_what_is_heard_during_a_look_is_looked_for_again():
    one = watcher()
    one.grew(3)
    promised = one.begin_look()
    one.passed(event(3))
    one.grew(5)
    one.end_look(promised, full_page=False)
    assert one.behind
    promised = one.begin_look()
    one.suspect()
    one.passed(event(5))
    one.end_look(promised, full_page=False)
    assert one.behind


def test_a_promise_that_the_log_does_not_keep_is_not_looked_for_for_ever():
    one = watcher()
    one.grew(9)
    one.end_look(one.begin_look(), full_page=False)
    assert not one.behind


def test_after_a_full_page_another_look_is_due():
    one = watcher()
    promised = one.begin_look()
    one.passed(event(1))
    one.end_look(promised, full_page=True)
    assert one.behind


def test_tokens_of_a_complete_message_are_outdated():
    one = watcher()
    one.passed(event(3, "model.answered", '{"step": 2, "content": []}'))
    add(one, Delta(RUN, 2, 1, 0, text="late"), Delta(RUN, 1, 1, 0, text="later"), Delta(RUN, 3, 1, 0, text="new"))
    assert shown(one.take_deltas()) == ["message.delta"]
    assert one.take_deltas() == []


def test_a_new_attempt_at_the_same_message_resets_it_once():
    one = watcher()
    add(
        one,
        Delta(RUN, 1, 1, text="a"),
        Delta(RUN, 1, 2, text="b"),
        Delta(RUN, 1, 2, 1, text="c"),
        Delta(RUN, 1, 1, text="d"),
    )
    frames = one.take_deltas()
    assert shown(frames) == ["message.delta", "message.reset", "message.delta", "message.delta"]
    assert b'"attempt":2' in frames[1]


def test_a_reset_that_the_worker_sends_is_passed_on_as_it_is():
    one = watcher()
    add(one, Delta(RUN, 1, 1, text="a"), Delta(RUN, 1, 2, reset=True), Delta(RUN, 1, 2, text="b"))
    assert shown(one.take_deltas()) == ["message.delta", "message.reset", "message.delta"]


def test_tokens_that_wait_are_bounded_and_the_oldest_go():
    one = watcher()
    for number in range(600):
        add(one, Delta(RUN, 1, 1, number, text="x" * 1_000))
    frames = one.take_deltas()
    assert sum(len(frame) for frame in frames) <= MOST_WAITING
    assert one.dropped == 600 - len(frames)
    assert b'"offset":599' in frames[-1]


@pytest.mark.parametrize("nonsense", [None, 1, "x", [], {}, {"run": "x", "step": 1, "attempt": 1}, {"run": str(RUN)}])
def test_what_is_no_delta_is_none(nonsense):
    assert delta_of(nonsense) is None


def test_a_delta_names_its_run_in_either_spelling():
    for spelling in (RUN.hex, str(RUN)):
        found = delta_of({"run": spelling, "step": 1, "attempt": 1, "text": "x"})
        assert found is not None
        assert found.run == RUN
