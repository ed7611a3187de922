"""Failed only where a call surely had no effect; unknown where nobody can say."""

import pytest

from quarterdeck.mcp.records import Cut, Nonsense, NotSent, Rejected, TooLate, TooMuch, Unreachable
from quarterdeck.runs.messages import Text
from quarterdeck.tools.records import Answered, Failed, Unknown
from quarterdeck.tools.rules import is_forgiven, judge_fault, judge_silence, pause_after, schema_problem
from tests.toolbox import a_grant

READ, WRITE = a_grant("look", effect="read"), a_grant("pay", effect="payment")

SURE = [
    (NotSent(), "not_sent", True),
    (TooLate(), "too_late", False),
    (Rejected("late", number=-32001, why="too_late", no_effect=True), "too_late", False),
    (Rejected("cancelled", number=-32001, why="cancelled", no_effect=True), "cancelled", False),
    (Rejected("bad arguments", number=-32602, no_effect=True), "refused", False),
    (Unreachable("no name", sent=False), "unreachable", True),
    (Unreachable("HTTP 401", sent=False, http_status=401), "refused", False),
    (Unreachable("HTTP 404", sent=False, http_status=404), "unreachable", True),
    (Unreachable("HTTP 429", sent=False, http_status=429, retry_after=3.0), "rate_limited", True),
]
LOST = [
    (Cut(), "crashed", True),
    (Nonsense(), "bad_answer", False),
    (Unreachable("HTTP 500", sent=True, http_status=500), "unreachable", True),
    (Unreachable("disconnected", sent=True), "unreachable", True),
    (Rejected("midway", number=-32001, why="interrupted"), "cancelled", False),
]


@pytest.mark.parametrize(("fault", "code", "retryable"), SURE, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("grant", [READ, WRITE], ids=["read", "payment"])
def test_what_surely_did_not_begin_is_failed_for_every_tool(fault, code, retryable, grant):
    outcome = judge_fault(fault, grant, 5)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (code, retryable)


@pytest.mark.parametrize(("fault", "code", "retryable"), LOST, ids=lambda value: str(value)[:20])
def test_a_lost_answer_is_failed_for_a_read_and_unknown_for_anything_else(fault, code, retryable):
    read = judge_fault(fault, READ, 5)
    assert isinstance(read, Failed)
    assert (read.code, read.retryable) == (code, retryable)
    assert isinstance(judge_fault(fault, WRITE, 5), Unknown)
    assert isinstance(judge_fault(fault, a_grant("x", effect="write", repeat="keyed"), 5), Unknown)


def test_the_servers_own_hint_when_to_come_back_is_kept():
    outcome = judge_fault(Unreachable("HTTP 429", sent=False, http_status=429, retry_after=7.0), WRITE, 1)
    assert isinstance(outcome, Failed)
    assert outcome.retry_after == 7.0


def test_an_error_of_the_servers_own_is_an_answer():
    outcome = judge_fault(Rejected("database is down", number=-32603), WRITE, 5)
    assert isinstance(outcome, Answered)
    assert outcome.is_error
    assert outcome.content == (Text("The tool server answered with an error: database is down"),)


def test_a_flood_is_failed_for_a_read_and_told_as_having_run_for_a_write():
    assert judge_fault(TooMuch(10**8), READ, 5) == Failed(
        "too_large",
        "The tool server's answer has 100,000,000 bytes or more. That is more than can be taken; ask for less.",
        5,
    )
    write = judge_fault(TooMuch(10**8), WRITE, 5)
    assert isinstance(write, Answered)
    assert not write.is_error
    assert write.truncated


@pytest.mark.parametrize("cause", ["timeout", "cancelled"])
def test_silence_is_failed_for_a_read_and_unknown_for_anything_else(cause):
    read = judge_silence(cause, READ, 5)
    assert isinstance(read, Failed)
    assert (read.code, read.retryable) == (cause, cause == "timeout")
    assert isinstance(judge_silence(cause, WRITE, 5), Unknown)


def test_a_tool_that_is_gone_or_takes_other_arguments_today_may_not_be_called():
    grant = a_grant(
        "look", parameters={"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**63 - 1}}}
    )
    assert (
        schema_problem(grant, {"properties": {"n": {"maximum": float(2**63 - 1), "type": "integer"}}, "type": "object"})
        is None
    )
    assert "does not offer" in (schema_problem(grant, None) or "")
    assert "pinned" in (schema_problem(grant, {"type": "object"}) or "")


def test_one_crash_costs_no_pause_and_more_in_a_row_cost_ever_more_up_to_a_limit():
    pauses = [pause_after(count) for count in range(12)]
    assert pauses[:5] == [0, 0, 0.5, 1, 2]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30
    assert is_forgiven(60)
    assert not is_forgiven(59)
