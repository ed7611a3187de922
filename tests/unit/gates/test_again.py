"""Reading a result again: which checks stand before it, and what it comes to."""

from dataclasses import replace

import pytest

from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import new_run_id
from quarterdeck.core.json import JsonObject
from quarterdeck.gates.again import ReadingVerdict, Shown
from quarterdeck.gates.builtin import is_reading, offers_of
from quarterdeck.gates.intents import Later, Refusal, ToolFacts
from quarterdeck.gates.tool import ToolGate
from quarterdeck.releases.records import ContextPolicy, Limits, Release
from quarterdeck.runs.messages import Call, Label, Text, Trust
from quarterdeck.switches.records import Standing
from tests.fakes.standing import Calm, a_tool_gate
from tests.fakes.toolbox import Bench
from tests.talks import talk
from tests.toolbox import TENANT, Kept, a_grant, a_release

SAID = talk(3)
R2: JsonObject = {"ref": "r2"}
READING = replace(a_release(a_grant("search", effect="read")), context=ContextPolicy(max_tokens=1_000))


def gate(calm: Calm | None = None) -> ToolGate:
    return a_tool_gate(Bench(), Kept().put, SystemClock(), calm)


def read(arguments: JsonObject, calm: Calm | None = None, release: Release = READING, made: int = 0) -> ReadingVerdict:
    facts = ToolFacts(tenant=TENANT, run=new_run_id(), user="erika", step=4, attempt=1, tool_calls=made)
    return gate(calm).read_again(release, Call("c9", "read_result", arguments), facts, SAID)


def test_it_is_a_read_with_a_decision_and_the_label_of_the_result():
    shown = read(R2)
    assert isinstance(shown, Shown)
    assert (shown.call.step, shown.call.tool, shown.call.effect, shown.call.repeat) == (
        4,
        "read_result",
        "read",
        "safe",
    )
    assert shown.call.decision.verdict == "allow"
    assert shown.call.approved_by == ("builtin",)
    assert shown.answer.label == Label("tool:search", Trust.UNTRUSTED)
    assert shown.answer.content[0] == SAID[2].content[0]
    assert shown.answer.size == 3_006


def test_pages_are_counted_in_characters():
    shown = read({"ref": "r2", "from": 2_000, "to": 2_010})
    assert isinstance(shown, Shown)
    assert shown.answer.content[0] == Text("x" * 10)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({}, "schema"),
        ({"ref": 2}, "schema"),
        ({"ref": "r2", "from": -1}, "schema"),
        ({"ref": "r2", "path": "/etc/passwd"}, "schema"),
        ({"ref": "r0"}, "kept"),
        ({"ref": "r77"}, "kept"),
        ({"ref": "r2", "from": 9_000}, "kept"),
    ],
    ids=str,
)
def test_what_names_no_result_is_refused_in_words(arguments: JsonObject, rule: str):
    refused = read(arguments)
    assert isinstance(refused, Refusal)
    assert refused.decision.rule == rule
    assert refused.decision.reason


def test_arguments_that_are_no_json_are_refused():
    facts = ToolFacts(tenant=TENANT, run=new_run_id(), user="erika", step=1, attempt=1)
    refused = gate().read_again(READING, Call("c", "read_result", {}, raw='{"ref'), facts, SAID)
    assert isinstance(refused, Refusal)
    assert refused.decision.rule == "schema"


def test_it_counts_among_the_runs_calls():
    limited = replace(READING, limits=Limits(max_tool_calls=5))
    assert isinstance(read(R2, release=limited, made=4), Shown)
    refused = read(R2, release=limited, made=5)
    assert isinstance(refused, Refusal)
    assert refused.decision.rule == "limits.tool_calls"


def test_a_switch_that_stops_the_agent_stops_it_too():
    denied = read(R2, Calm(stands=Standing(denied="Stopped by ops.")))
    assert isinstance(denied, Refusal)
    assert denied.decision.rule == "switch"


@pytest.mark.parametrize(
    "stands", [Standing(known=False), Standing(paused="Paused by ops.")], ids=["unknown", "paused"]
)
def test_what_is_held_back_comes_later(stands: Standing):
    later = read(R2, Calm(stands=stands))
    assert isinstance(later, Later)
    assert later.cause == "switch"


def test_a_switch_that_allows_reading_only_allows_it():
    assert isinstance(read(R2, Calm(stands=Standing(read_only=True))), Shown)


def test_it_is_offered_only_where_something_can_be_shown_in_short():
    plain = a_release(a_grant("search", effect="read"))
    call = Call("c", "read_result", {"ref": "r2"})
    assert [offer.name for offer in offers_of(plain)] == ["escalate"]
    assert [offer.name for offer in offers_of(READING)] == ["escalate", "read_result"]
    assert is_reading(READING, call)
    assert not is_reading(plain, call)


def test_an_agents_own_tool_of_that_name_comes_first():
    own = replace(a_release(a_grant("read_result")), context=ContextPolicy(max_tokens=1_000))
    assert [offer.name for offer in offers_of(own)] == ["escalate"]
    assert not is_reading(own, Call("c", "read_result", {}))
