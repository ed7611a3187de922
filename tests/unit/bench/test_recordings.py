"""Recorded conversations become cassettes that say again what the model said, and nothing else."""

from typing import Any

from bench.agentdojo import OTHERWISE, OURS, THEN, Replayed
from bench.recordings import Recording, cassette, conversation
from quarterdeck.models import cassettes
from quarterdeck.models.cassettes import Said
from quarterdeck.models.differences import matches
from quarterdeck.runs.messages import Call, Text


def call(id_: str, **arguments: Any) -> dict[str, Any]:
    return {"id": id_, "function": "send_email", "args": arguments}


def says(text: str | None, *calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": list(calls) or None}


def result(text: str, error: str | None = None) -> dict[str, Any]:
    return {"role": "tool", "tool_call": call("c"), "content": text, "error": error}


def recording(*messages: dict[str, Any], utility: bool = True, injection: str | None = None) -> Recording:
    opening = ({"role": "system", "content": "Be kind."}, {"role": "user", "content": "Write to Ann."})
    return Recording(
        "gpt-4o-2024-05-13", "workspace", "user_task_13", injection, (*opening, *messages), utility, security=True
    )


def replayed(verdict: dict[str, bool], then: dict[str, bool], alone: dict[str, bool]) -> Replayed:
    return Replayed(recording(utility=False), {"status": "succeeded"}, 1.0, verdict, then, alone)


def judged(*, utility: bool) -> dict[str, bool]:
    return {"utility": utility, "security": True}


def test_a_cassette_of_a_recording_is_read_back_whole():
    made = recording(says(None, call("c1", body="Hi")), result("sent"), says("Done."))
    (read,) = cassettes.read("made", cassette([made]))
    assert read == conversation(made)
    assert (read.id, read.opening) == ("gpt-4o-2024-05-13/workspace/user_task_13/none", "Write to Ann.")
    assert [exchange.asked for exchange in read.calls] == [
        (Said(user="Write to Ann."),),
        (Said(tool="send_email", text="sent"),),
    ]
    assert [exchange.answer.content for exchange in read.calls] == [
        (Call("c1", "send_email", {"body": "Hi"}),),
        (Text("Done."),),
    ]


def test_a_call_id_that_the_model_used_three_times_names_three_calls():
    made = conversation(recording(says("First.", call("c"), call("c")), result(""), result(""), says(None, call("c"))))
    calls = [part for exchange in made.calls for part in exchange.answer.content if isinstance(part, Call)]
    assert [one.id for one in calls] == ["c", "c-2", "c-3"]


def test_what_the_model_was_shown_of_a_failed_call_is_its_error():
    made = conversation(recording(says(None, call("c")), result("", error="ValueError: no such file"), says("Sorry.")))
    assert made.calls[1].asked == (Said(tool="send_email", text="ValueError: no such file", is_error=True),)


def test_the_clock_of_the_recording_matches_that_of_the_replay_and_a_date_does_not():
    (said,) = recording(result("timestamp: 2024-06-04 22:16:47.171961, due: 2024-05-15")).results
    assert matches(said, "timestamp: 2026-11-20 08:00:00.000001, due: 2024-05-15")
    assert not matches(said, "timestamp: 2026-11-20 08:00:00.000001, due: 2024-05-16")


def test_a_verdict_as_recorded_is_no_divergence():
    verdict = judged(utility=False)
    assert not list(replayed(verdict, verdict, verdict).divergences())


def test_a_divergence_is_ours_unless_agentdojo_alone_comes_to_it_too():
    verdict, then = judged(utility=True), judged(utility=False)
    (found,) = replayed(verdict, then, judged(utility=False)).divergences()
    assert (found["verdict"], found["recorded"], found["now"], found["cause"]) == ("utility", False, True, OURS)


def test_a_divergence_is_laid_at_a_changed_check_only_where_the_old_one_gives_the_recorded_verdict():
    verdict = judged(utility=True)
    (known,) = replayed(verdict, judged(utility=False), verdict).divergences()
    (unknown,) = replayed(verdict, verdict, verdict).divergences()
    assert (known["cause"], unknown["cause"]) == (THEN["user_task_13"], OTHERWISE)
