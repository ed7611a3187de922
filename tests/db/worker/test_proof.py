"""The proof of coverage: of runs through real gates it holds, and of each with one check less it does not."""

from collections.abc import Callable

import pytest

from quarterdeck.gates import checks, model, tool
from quarterdeck.gates.records import Check
from quarterdeck.guardrails import judging
from quarterdeck.releases.records import GuardrailRule
from quarterdeck.runs.crossings import Proof
from quarterdeck.runs.demands import demands_of
from quarterdeck.runs.proof import prove
from quarterdeck.runs.records import Status, StoredEvent
from tests.db.worker.station import RELEASE, Station

SCRIPT = {
    "steps": [
        {"call": "look", "arguments": {"n": 1}},
        {"calls": [{"call": "touch", "arguments": {"n": 2}}, {"call": "no_such_tool", "arguments": {}}]},
        {"call": "delegate", "arguments": {"task": "Help me."}},
        {"text": "done"},
    ]
}
RULES = (
    GuardrailRule("short", "input", "length", "refuse", {"max_characters": 1000}),
    GuardrailRule("flood", "input", "flooding", "record", {}),
    GuardrailRule("leak", "output", "secrets", "block", {}),
    GuardrailRule("links", "output", "links", "block", {}),
)


@pytest.fixture
def guarded(station: Station) -> Station:
    station.guardrails = RULES
    return station


async def proof_of(station: Station, script: dict = SCRIPT) -> tuple[Proof, list[StoredEvent]]:
    """The proof of a run with this script, and its log."""
    run = await station.submit()
    async with station.worker(script):
        ended = await station.until(run)
    assert ended.status is Status.SUCCEEDED, ended.why
    rows = await station.rows(run)
    release = await station._find(station.tenant, RELEASE)
    return prove(rows, demands_of(release), ended.last_seq), rows


def without(checks: tuple[Check, ...], name: str) -> tuple[Check, ...]:
    left = tuple(check for check in checks if check.__name__ != name)
    assert len(left) == len(checks) - 1
    return left


async def test_a_run_through_the_gates_is_proven_and_shows_every_edge(guarded: Station):
    proof, rows = await proof_of(guarded)
    assert proof.gaps == ()
    assert (proof.proven, proof.ended, proof.events) == (True, True, len(rows))
    assert [(edge.edge.value, edge.name, edge.verdict) for edge in proof.edges] == [
        ("input", "input", "allow"),
        ("model", "scripted-1", "allow"),
        ("tool", "look", "allow"),
        ("result", "look", "trusted"),
        ("model", "scripted-1", "allow"),
        ("tool", "touch", "allow"),
        ("tool", "no_such_tool", "deny"),
        ("result", "touch", "trusted"),
        ("model", "scripted-1", "allow"),
        ("tool", "delegate", "allow"),
        ("child", "delegate", "allow"),
        ("result", "delegate", "untrusted"),
        ("model", "scripted-1", "allow"),
        ("output", "output", "allow"),
    ]
    assert proof.edges[0].checks == ("short", "flood")
    assert proof.edges[-1].checks == ("leak", "links")
    assert all(edge.effective for edge in proof.edges if edge.edge in {"model", "tool"} and edge.verdict == "allow")


@pytest.mark.parametrize("name", [check.__name__ for check in checks.CHECKS])
async def test_a_tool_gate_that_forgets_a_check_is_found_out(
    guarded: Station, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr(tool, "CHECKS", without(checks.CHECKS, name))
    # Calls of tools that there are not fail in other ways where `known` is not asked.
    calls = {"steps": [{"call": "look", "arguments": {"n": 1}}, {"text": "done"}]}
    proof, _ = await proof_of(guarded, calls)
    assert [(gap.edge, gap.what) for gap in proof.gaps] == [("tool", f"without {name}")]


@pytest.mark.parametrize("name", [check.__name__ for check in model.CHECKS])
async def test_a_model_gate_that_forgets_a_check_is_found_out(
    guarded: Station, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr(model, "CHECKS", without(model.CHECKS, name))
    proof, _ = await proof_of(guarded, {"steps": [{"text": "done"}]})
    assert [(gap.edge, gap.what) for gap in proof.gaps] == [("model", f"without {name}")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
async def test_a_guardrail_that_is_forgotten_is_found_out(
    guarded: Station, monkeypatch: pytest.MonkeyPatch, rule: GuardrailRule
):
    applied: Callable = judging.apply

    async def forgetful(edge, rules, *others):
        return await applied(edge, [one for one in rules if one.name != rule.name], *others)

    monkeypatch.setattr(judging, "apply", forgetful)
    proof, _ = await proof_of(guarded, {"steps": [{"text": "done"}]})
    assert [(gap.edge, gap.what) for gap in proof.gaps] == [(rule.edge, f"without {rule.name}")]


async def test_a_log_that_something_was_taken_out_of_is_found_out(guarded: Station):
    _, rows = await proof_of(guarded)
    demands = demands_of(await guarded._find(guarded.tenant, RELEASE))
    for at, taken in enumerate(rows):
        assert not prove([*rows[:at], *rows[at + 1 :]], demands, len(rows)).proven, taken.kind


async def test_a_run_that_was_refused_at_the_door_is_proven_too(guarded: Station):
    guarded.guardrails = (GuardrailRule("short", "input", "length", "refuse", {"max_characters": 3}), *RULES[1:])
    run = await guarded.submit("A great many words.")
    async with guarded.worker(SCRIPT):
        ended = await guarded.until(run)
    demands = demands_of(await guarded._find(guarded.tenant, RELEASE))
    proof = prove(await guarded.rows(run), demands, ended.last_seq)
    assert proof.gaps == ()
    assert [(edge.edge.value, edge.verdict, edge.rule) for edge in proof.edges] == [("input", "deny", "short")]
