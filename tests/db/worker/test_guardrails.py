"""Guardrails of a release in a real worker: what goes in is judged before any model reads it, what goes out before
anybody else does.
"""

import asyncio
from collections.abc import Mapping

import pytest

from quarterdeck.core.ids import RunId
from quarterdeck.core.json import Json
from quarterdeck.releases.records import GuardrailRule
from quarterdeck.runs import events as e
from quarterdeck.runs.fold import fold
from quarterdeck.runs.messages import Trust, UserMessage
from quarterdeck.runs.records import Status
from tests.db.worker.station import Station

LEAK = "Write to bob@example.com or call."
HI: Mapping[str, Json] = {"steps": [{"text": "hi"}]}


def on(edge: str, check: str, action: str, **settings: Json) -> GuardrailRule:
    return GuardrailRule(check, edge, check, action, settings)


async def judged(station: Station, run: RunId, edge: str) -> e.GuardrailJudged:
    found = [one for one in await station.events(run) if isinstance(one, e.GuardrailJudged) and one.edge == edge]
    assert len(found) == 1
    return found[0]


async def last(station: Station, run: RunId) -> e.RunFinished:
    finished = (await station.events(run))[-1]
    assert isinstance(finished, e.RunFinished)
    return finished


async def test_an_input_that_is_refused_reaches_no_model(station: Station) -> None:
    station.guardrails = (on("input", "length", "refuse", max_characters=5),)
    run = await station.submit("hello there")
    async with station.worker(HI):
        ended = await station.until(run)
    assert (ended.status, ended.reason) == (Status.STOPPED, "policy")
    assert "model.called" not in await station.kinds(run)
    assert "too long" in (await last(station, run)).text
    assert (await judged(station, run, "input")).verdict == "deny"


async def test_an_input_that_passes_is_judged_all_the_same_and_says_by_what(station: Station) -> None:
    station.guardrails = (on("input", "length", "refuse", max_characters=500),)
    run = await station.submit("hello")
    async with station.worker(HI):
        assert (await station.until(run)).status is Status.SUCCEEDED
    judgement = await judged(station, run, "input")
    assert (judgement.verdict, judgement.checks) == ("allow", ("length",))


async def test_a_labelled_input_vouches_for_nothing_any_more(station: Station) -> None:
    station.guardrails = (on("input", "length", "label", max_characters=5),)
    run = await station.submit("refund order 7 to me")
    async with station.worker(HI):
        await station.until(run)
    state = fold(await station.rows(run))
    message = state.messages[0]
    assert isinstance(message, UserMessage)
    assert message.label.trust is Trust.UNTRUSTED


async def test_where_the_input_looks_odd_a_person_looks_at_what_is_done(station: Station) -> None:
    station.guardrails = (on("input", "length", "ask", max_characters=5),)
    run = await station.submit("write a line")
    async with station.worker({"steps": [{"call": "look"}, {"call": "write"}, {"text": "done"}]}):
        parked = await station.until(run, Status.WAITING_FOR_APPROVAL)
    assert parked.status is Status.WAITING_FOR_APPROVAL
    assert station.tools.calls_of("look") == 1
    assert station.tools.calls_of("write") == 0


@pytest.mark.parametrize(
    ("action", "text"),
    [("redact", "Write to [e-mail removed] or call."), ("record", LEAK)],
)
async def test_what_is_taken_out_of_an_answer_stands_nowhere(station: Station, action: str, text: str) -> None:
    station.guardrails = (on("output", "pii", action, kinds=["email"]),)
    run = await station.submit()
    async with station.worker({"steps": [{"text": LEAK}]}):
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert (await last(station, run)).text == text
    assert (await judged(station, run, "output")).verdict == action
    if action == "redact":
        assert not any("bob@example.com" in row.data for row in await station.rows(run))


async def test_words_beside_a_call_are_redacted_too(station: Station) -> None:
    station.guardrails = (on("output", "pii", "redact", kinds=["email"]),)
    run = await station.submit()
    async with station.worker({"steps": [{"text": LEAK, "call": "look"}, {"text": "done"}]}):
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of("look") == 1
    assert not any("bob@example.com" in row.data for row in await station.rows(run))


async def test_a_blocked_answer_is_withheld_and_the_user_is_told_so(station: Station) -> None:
    station.guardrails = (on("output", "pii", "block", kinds=["email"], message="I can't say that."),)
    run = await station.submit()
    async with station.worker({"steps": [{"text": LEAK}]}):
        ended = await station.until(run)
    assert (ended.status, ended.reason) == (Status.STOPPED, "policy")
    assert (await last(station, run)).text == "I can't say that."
    assert not any("bob@example.com" in row.data for row in await station.rows(run))


@pytest.mark.parametrize("better", [True, False])
async def test_an_answer_is_asked_for_once_more_and_not_twice(station: Station, *, better: bool) -> None:
    station.guardrails = (on("output", "pii", "retry", kinds=["email"]),)
    run = await station.submit()
    async with station.worker({"steps": [{"text": LEAK}, {"text": "Please call." if better else LEAK}]}):
        ended = await station.until(run)
    assert ended.status is (Status.SUCCEEDED if better else Status.STOPPED)
    assert (await station.kinds(run)).count("model.called") == 2
    assert not any("bob@example.com" in row.data for row in await station.rows(run))


async def test_an_answer_can_be_passed_to_a_person_instead(station: Station) -> None:
    station.guardrails = (on("output", "pii", "ask", kinds=["email"]),)
    run = await station.submit()
    async with station.worker({"steps": [{"text": LEAK}]}):
        ended = await station.until(run)
    assert (ended.status, ended.reason) == (Status.STOPPED, "escalated")
    passed = next(one for one in await station.events(run) if isinstance(one, e.RunEscalated))
    assert "bob@example.com" in passed.summary
    assert "bob@example.com" not in (await last(station, run)).text


@pytest.mark.parametrize(("score", "status"), [(1, Status.SUCCEEDED), (0, Status.STOPPED)])
async def test_a_second_model_judges_and_is_paid_and_logged(station: Station, score: int, status: Status) -> None:
    rule = on("output", "judge", "block", rubric="Be kind.", model={"provider": "script", "id": "scripted-1"})
    station.guardrails = (rule,)
    run = await station.submit()
    verdict = f'{{"score": {score}}}'
    async with station.worker({"steps": [{"text": "hello"}], "beside": {"judge": {"text": verdict}}}):
        ended = await station.until(run)
    assert ended.status is status
    asked = [one.purpose for one in await station.events(run) if isinstance(one, e.ModelCalled)]
    assert asked == ["", "judge"]
    assert ended.steps_used == 1


async def test_a_judge_that_says_nothing_blocks_unless_told_otherwise(station: Station) -> None:
    model: Json = {"provider": "script", "id": "scripted-1"}
    station.guardrails = (on("output", "judge", "block", rubric="Be kind.", model=model),)
    closed = await station.submit()
    async with station.worker({"steps": [{"text": "hello"}]}):
        assert (await station.until(closed)).status is Status.STOPPED
    station.guardrails = (on("output", "judge", "block", rubric="Be kind.", model=model, fail="open"),)
    opened = await station.submit()
    async with station.worker({"steps": [{"text": "hello"}]}):
        assert (await station.until(opened)).status is Status.SUCCEEDED


async def streamed(station: Station, *rules: GuardrailRule, say: str) -> str:
    station.guardrails, station.listening = rules, True
    run = await station.submit()
    async with station.worker({"steps": [{"text": say}]}):
        await station.until(run)
        # What is sent at the end may be heard a moment after it is written down.
        for _ in range(50):
            await asyncio.sleep(0.02)
    return "".join(station.heard)


async def test_a_stream_shows_what_is_left_of_an_answer_and_nothing_else(station: Station) -> None:
    rules = (on("output", "pii", "redact"), on("output", "links", "redact"))
    text = f"Hello there. {LEAK} See https://evil.example/?q=1 for more."
    heard = await streamed(station, *rules, say=text)
    assert heard == "Hello there. Write to [e-mail removed] or call. See [link removed] for more."


async def test_a_stream_ends_before_what_blocks_its_answer(station: Station) -> None:
    assert await streamed(station, on("output", "pii", "block"), say=f"Hello there. {LEAK}") in {
        "",
        "Hello there. Write to ",
    }


async def test_instructions_are_not_streamed_either(station: Station) -> None:
    station.prompt = (
        "Never tell anybody about the discount code WINTER before the first of December and always speak kindly to"
        " those who write to you about their orders and their returns."
    )
    heard = await streamed(station, on("output", "prompt_leak", "redact"), say=f"Sure, it says. {station.prompt} Done.")
    assert heard == "Sure, it says. [passage of the instructions removed]. Done."


async def test_what_a_judge_has_to_read_first_is_not_streamed_before(station: Station) -> None:
    rule = on("output", "judge", "block", rubric="Be kind.", model={"provider": "script", "id": "scripted-1"})
    assert await streamed(station, rule, say="Go away. Now.") == ""
