"""The tool gate: what may be called, with which key, until when, and how often."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from quarterdeck.core.clock import FakeClock, SystemClock
from quarterdeck.core.ids import new_run_id
from quarterdeck.gates import tool as gate
from quarterdeck.gates.intents import Intent, Refusal, ToolFacts
from quarterdeck.gates.outcomes import INLINE
from quarterdeck.gates.provenance import Provenance
from quarterdeck.gates.records import Verdict
from quarterdeck.gates.tool import ToolGate
from quarterdeck.releases.records import Limits, Release
from quarterdeck.runs.events import ToolAnswered, ToolFailed, ToolUnknown
from quarterdeck.runs.messages import Call, Label, Stored, Text, Trust
from quarterdeck.tools.records import Answered, Failed, Statistics, Unknown
from tests.fakes.standing import a_tool_gate
from tests.toolbox import TENANT, Kept, a_grant, a_release

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id"],
    "properties": {"id": {"type": "integer"}},
}
RUN = new_run_id()


class Scripted:
    """A toolbox that answers from a list, and remembers what it was asked."""

    def __init__(self, *outcomes, clock: FakeClock | None = None, takes: float = 0.0):
        self.outcomes = list(outcomes)
        self.asked = []
        self.clock, self.takes = clock, takes

    async def perform(self, request, cancel=None, progress=None):
        self.asked.append(request)
        if self.clock:
            self.clock.advance(timedelta(seconds=self.takes))
        return self.outcomes.pop(0)

    async def prepare(self, release): ...

    async def close(self): ...

    def statistics(self):
        return Statistics((), {}, 0, {})


def facts(**changes) -> ToolFacts:
    plain = {"tenant": TENANT, "run": RUN, "user": "erika", "step": 2, "attempt": 1}
    return ToolFacts(**{**plain, **changes})


def a_gate(*outcomes, clock: FakeClock | None = None, kept: Kept | None = None, takes: float = 0.0):
    clock = clock or FakeClock()
    tools = Scripted(*outcomes, clock=clock, takes=takes)
    return a_tool_gate(tools, (Kept() if kept is None else kept).put, clock), tools


RELEASE = a_release(a_grant("get_order", parameters=SCHEMA, effect="read"), a_grant("refund", parameters=SCHEMA))


def decide(call: Call, release=RELEASE, **changes) -> Any:
    return decided(a_gate()[0], release, call, facts(**changes))


def decided(door: ToolGate, release: Release, call: Call, known: ToolFacts) -> Any:
    return asyncio.run(door.decide(release, call, known, Provenance(release.tools)))


def refused(verdict) -> str:
    assert isinstance(verdict, Refusal)
    content = verdict.event(2).content
    assert isinstance(content[0], Text)
    return content[0].text


def test_the_checks_and_their_order_are_the_contract():
    assert [check.__name__ for check in gate.CHECKS] == [
        "known",
        "switch",
        "schema",
        "limits",
        "depth",
        "scope",
        "permission",
        "approval",
    ]


def test_a_call_that_passes_every_check_is_an_intent():
    verdict = decide(Call("c1", "get_order", {"id": 7}))
    assert isinstance(verdict, Intent)
    event = verdict.event(2)
    assert (event.tool, event.effect, event.repeat, event.timeout_ms) == ("get_order", "read", "never", 10_000)
    assert event.decision.verdict == Verdict.ALLOW
    assert event.decision.checks == tuple(check.__name__ for check in gate.CHECKS)
    assert event.decision.policies == ("base.cedar/granted",)


def test_a_tool_that_was_not_granted_is_refused_with_the_names_that_were():
    verdict = decide(Call("c1", "get_orders", {"id": 7}))
    told = refused(verdict)
    assert "no tool called `get_orders`" in told
    assert "Did you mean `get_order`?" in told
    assert "get_order, refund" in told
    assert verdict.decision.rule == "known"


def test_arguments_that_do_not_fit_are_refused_with_place_and_reason():
    told = refused(decide(Call("c1", "get_order", {"id": "seven", "why": 1})))
    assert 'id: "seven" is not of type "integer"' in told
    assert "allowed: id" in told


@pytest.mark.parametrize(
    ("raw", "words"),
    [('{"id": 7', "truncated"), ("[1]", "they are list"), ("'id'=7", "malformed"), ('"x"', "they are str")],
)
def test_arguments_that_are_no_json_object_are_refused_with_the_fault(raw, words):
    assert words in refused(decide(Call("c1", "get_order", {}, raw=raw)))


def test_the_limit_of_calls_refuses_further_ones_but_never_one_that_was_decided_before():
    release = a_release(a_grant("get_order", parameters=SCHEMA), limits=Limits(max_tool_calls=3))
    call = Call("c1", "get_order", {"id": 7})
    assert "limit of 3" in refused(decide(call, release, tool_calls=3))
    assert isinstance(decide(call, release, tool_calls=2), Intent)
    assert isinstance(decide(call, release, tool_calls=3, again=True), Intent)


def test_arguments_of_absurd_size_are_refused():
    release = a_release(a_grant("say"))
    assert "bytes" in refused(decide(Call("c1", "say", {"text": "x" * 300_000}), release))


def test_a_check_that_breaks_denies_and_is_named():
    release = a_release(a_grant("broken", parameters={"type": "no such type"}))
    verdict = decide(Call("c1", "broken", {"id": 7}), release)
    assert isinstance(verdict, Refusal)
    assert verdict.decision.verdict == Verdict.DENY
    assert verdict.decision.rule == "schema"


def test_the_key_is_the_same_at_every_attempt_and_another_for_every_other_call():
    call = Call("c1", "refund", {"id": 7})
    first, again = decide(call), decide(call, attempt=2, again=True)
    others = [decide(Call("c2", "refund", {"id": 7})), decide(call, step=3), decide(call, run=new_run_id())]
    assert first.key == again.key
    assert len({first.key, *(other.key for other in others)}) == 4


def test_a_call_may_begin_for_a_while_and_then_never_again():
    clock = FakeClock()
    verdict = decided(a_gate(clock=clock)[0], RELEASE, Call("c1", "refund", {"id": 7}), facts())
    assert verdict.not_after == int((clock.now().timestamp() + 10) * 1000)
    assert verdict.boot_deadline == clock.boot() + 10


def test_the_tools_offered_to_the_model_are_the_same_tuple_each_time():
    asked, _ = a_gate()
    assert asked.offers(RELEASE) is asked.offers(RELEASE)
    assert [offer.name for offer in asked.offers(RELEASE)] == ["get_order", "refund", "escalate"]


async def perform(asked: ToolGate, name: str = "refund", release=RELEASE, cancel=None) -> Any:
    return await asked.perform(release, await an_intent(asked, release, name), facts(), cancel)


async def an_intent(asked: ToolGate, release: Release, name: str = "act") -> Intent:
    intent = await asked.decide(release, Call("c1", name, {"id": 7}), facts(), Provenance(release.tools))
    assert isinstance(intent, Intent)
    return intent


async def test_an_answer_is_an_event_with_the_tools_label():
    release = a_release(a_grant("get_order", parameters=SCHEMA, trust="trusted"))
    answered = Answered((Text("paid"),), None, is_error=False, ms=3, size=4, truncated=False)
    asked, _ = a_gate(answered)
    event = await perform(asked, "get_order", release)
    assert isinstance(event, ToolAnswered)
    assert event.label == Label("tool:get_order", Trust.TRUSTED)
    asked, _ = a_gate(answered)
    event = await perform(asked)
    assert event.label.trust == Trust.UNTRUSTED


async def test_a_big_answer_is_kept_as_a_blob_with_its_beginning():
    kept, long = Kept(), "ä" * INLINE
    asked, _ = a_gate(Answered((Text(long),), None, is_error=False, ms=1, size=2 * INLINE, truncated=False), kept=kept)
    event = await perform(asked)
    (part,) = event.content
    assert isinstance(part, Stored)
    assert kept[part.key].decode() == long
    assert part.begins.startswith("ää")
    assert len(part.begins) <= 1000


async def test_nul_and_surrogates_do_not_reach_the_log():
    asked, _ = a_gate(Answered((Text("a\0b\udc00"),), None, is_error=False, ms=1, size=3, truncated=False))
    assert (await perform(asked)).content == (Text("a\ufffdb\ufffd"),)


async def test_a_failure_and_a_doubt_are_events_too():
    asked, _ = a_gate(Failed("refused", "no such account", 3))
    event = await perform(asked)
    assert isinstance(event, ToolFailed)
    assert "no such account" in str(event.content[0])
    clock = FakeClock()
    asked, _ = a_gate(Unknown("its host crashed", 3), clock=clock)
    event = await perform(asked)
    assert isinstance(event, ToolUnknown)
    assert event.ask_after == int((clock.now().timestamp() + 20) * 1000)


ANSWER = Answered((Text("ok"),), None, is_error=False, ms=1, size=2, truncated=False)
RETRYABLE = Failed("not_sent", "its host was ending", 1, retryable=True, retry_after=0.001)


async def test_what_surely_did_not_begin_is_tried_again_whatever_the_tool():
    asked, tools = a_gate(RETRYABLE, RETRYABLE, ANSWER)
    event = await perform(asked)
    assert isinstance(event, ToolAnswered)
    assert event.tries == 3
    assert len({request.key for request in tools.asked}) == 1


async def test_tries_are_counted_and_end():
    asked, tools = a_gate(*[RETRYABLE] * 9)
    assert isinstance(await perform(asked), ToolFailed)
    assert len(tools.asked) == 3


@pytest.mark.parametrize(
    ("changes", "tries"),
    [({"repeat": "never"}, 1), ({"repeat": "keyed"}, 2), ({"repeat": "safe"}, 2), ({"effect": "read"}, 2)],
)
async def test_a_lost_answer_is_asked_for_again_only_where_that_can_do_no_harm(changes, tries):
    release = a_release(a_grant("act", parameters=SCHEMA, **changes))
    asked, tools = a_gate(Unknown("crashed", 1), ANSWER)
    event = await perform(asked, "act", release)
    assert len(tools.asked) == tries
    assert isinstance(event, ToolAnswered if tries == 2 else ToolUnknown)


async def test_no_try_begins_after_the_intent_has_run_out():
    clock = FakeClock()
    asked, tools = a_gate(RETRYABLE, ANSWER, clock=clock, takes=10.1)
    assert isinstance(await perform(asked), ToolFailed)
    assert len(tools.asked) == 1


async def test_a_longer_pause_than_the_intent_allows_is_not_waited_for():
    later = Failed("rate_limited", "busy", 1, retryable=True, retry_after=60.0)
    asked, tools = a_gate(later, ANSWER)
    async with asyncio.timeout(1):
        assert isinstance(await perform(asked), ToolFailed)
    assert len(tools.asked) == 1


async def test_a_moment_that_a_tool_asked_one_call_for_costs_the_next_no_try():
    busy = Failed("rate_limited", "busy", 1, retryable=True, retry_after=0.02)
    release = a_release(a_grant("act", parameters=SCHEMA, retries=0))
    tools = Scripted(busy, ANSWER, ANSWER)
    asked = a_tool_gate(tools, Kept().put, SystemClock())
    first, *others = [await an_intent(asked, release) for _ in range(3)]
    assert isinstance(await asked.perform(release, first, facts()), ToolFailed)
    for event in await asyncio.gather(*(asked.perform(release, other, facts()) for other in others)):
        assert isinstance(event, ToolAnswered)
        assert event.tries == 1


async def test_a_tool_that_is_left_alone_for_long_is_not_waited_for():
    busy = Failed("rate_limited", "busy", 1, retryable=True, retry_after=30.0)
    release = a_release(a_grant("act", parameters=SCHEMA, retries=0))
    tools = Scripted(busy, ANSWER)
    asked = a_tool_gate(tools, Kept().put, SystemClock())
    first, second = [await an_intent(asked, release) for _ in range(2)]
    async with asyncio.timeout(1):
        assert isinstance(await asked.perform(release, first, facts()), ToolFailed)
        event = await asked.perform(release, second, facts())
    assert isinstance(event, ToolFailed)
    assert "left alone" in str(event.content[0])
    assert len(tools.asked) == 1


async def test_cancelling_ends_the_waiting_between_two_tries():
    cancel = asyncio.Event()
    asked, tools = a_gate(Failed("rate_limited", "busy", 1, retryable=True, retry_after=5.0), ANSWER)
    asyncio.get_running_loop().call_later(0.01, cancel.set)
    async with asyncio.timeout(1):
        assert isinstance(await perform(asked, cancel=cancel), ToolFailed)
    assert len(tools.asked) == 1
