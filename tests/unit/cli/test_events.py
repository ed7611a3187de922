"""Events as a person follows them."""

import pytest

from quarterdeck.cli.events import Teller
from quarterdeck.runs.events import KINDS
from quarterdeck.sdk import Event


def tell(*events: Event) -> list[str]:
    teller = Teller()
    return [f"{line.mark} {line.text}" for event in events if (line := teller.tell(event)) is not None]


def of(kind: str, attempt: int = 1, **data) -> Event:
    return Event(seq=1, kind=kind, attempt=attempt, data=data)


WORDS = [{"type": "text", "text": "It is on\nits way."}]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (of("run.admitted", release="3f9c2a71b0de4f"), "· submitted · release 3f9c2a71b0de"),
        (of("run.claimed", attempt=2), "↻ taken over by another worker (attempt 2)"),
        (of("run.released", why="lease"), "↺ its worker is dead; another takes over"),
        (of("run.released", why="drain"), "↺ its worker leaves; another goes on"),
        (
            of("model.answered", content=WORDS, usage={"input": 81, "output": 4}, cost=1200, ms=340),
            "● It is on its way.  [81 in, 4 out · 340 ms · $0.0012]",
        ),
        (of("model.failed", message="busy", retry_in_ms=2000), "! the model did not answer: busy; again in 2.0 s"),
        (of("tool.called", call="c", tool="find", arguments={"n": 1}, effect="read"), '→ find(n=1)'),
        (of("tool.called", call="c", tool="pay", arguments={}, effect="payment"), "→ pay()  [payment]"),
        (
            of("tool.denied", tool="pay", arguments={}, decision={"reason": "over the limit"}),
            "✗ pay() refused: over the limit",
        ),
        (of("tool.unknown", tool="pay", why="cut off"), "? pay: nobody knows whether it happened; cut off"),
        (
            of("approval.asked", tool="pay", arguments={"n": 1}, approval="0190", decision={"reason": "over $100"}),
            "? pay(n=1) needs a person's approval: over $100  [qd approval show 0190]",
        ),
        (of("approval.answered", state="expired", why="too late"), "· tool: expired: too late"),
        (of("approval.answered", state="approved", by=["k"], arguments={"n": 2}), "· tool: approved as (n=2) by k"),
        (of("run.escalated", to="team-desk", summary="wants a person"), "↗ passed to team-desk: wants a person"),
        (of("run.parked", status="waiting_for_outcome", why="pay"), "‖ waiting for outcome: pay"),
        (of("run.finished", status="stopped", reason="steps"), "■ stopped: steps"),
        (of("run.cancel_requested", by="key:k", why="wrong one"), "· key:k asks for its end: wrong one"),
        (of("output.rejected", errors=["a is missing"]), "! the answer does not fit its schema: a is missing"),
        (of("budget.reserved", micro=1), "· budget.reserved"),
    ],
)  # fmt: skip
def test_each_kind_has_its_words(event: Event, line: str):
    assert tell(event) == [line]


def test_an_answer_names_the_tool_that_was_called():
    called = of("tool.called", call="c7", tool="find", arguments={}, effect="read")
    answered = of("tool.answered", call="c7", content=WORDS, ms=12)
    assert tell(called, answered)[1] == "← find: It is on its way.  [12 ms]"


def test_a_first_claim_and_bare_intents_are_no_news():
    assert tell(of("model.answered", content=[{"type": "call", "tool": "find"}])) == []
    assert tell(of("run.claimed"), of("model.called"), of("message.added"), of("thread.continued")) == []


def test_a_run_that_waited_goes_on_and_is_not_taken_over():
    waited = of("run.parked", status="waiting_for_approval", why="pay"), of("run.resumed", why="approved")
    assert tell(*waited, of("run.claimed", attempt=2))[-1] == "↻ goes on (attempt 2)"
    died = of("run.claimed", attempt=2), of("run.claimed", attempt=3)
    assert tell(*waited, *died)[-1] == "↻ taken over by another worker (attempt 3)"


def test_what_a_tool_says_cannot_steer_the_terminal():
    answered = of("tool.answered", call="c", content=[{"type": "text", "text": "\x1b[2Jgone\r\x07"}])
    assert all(line.isprintable() for line in tell(answered))


@pytest.mark.parametrize("kind", KINDS)
def test_no_event_of_the_log_is_unknown_or_breaks_the_telling(kind: str):
    assert f"· {kind}" not in tell(of(kind))
