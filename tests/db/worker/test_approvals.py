"""Calls that a person has to approve, through a real worker: what is made, what is not, and what is asked again."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from quarterdeck.approvals import store as approvals
from quarterdeck.approvals.records import AlreadyAnswered, Approval, Person, Said, Verdict
from quarterdeck.approvals.service import Approvals
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import RunId
from quarterdeck.policies import store as policies
from quarterdeck.runs import events as e
from quarterdeck.runs.fold import fold
from quarterdeck.runs.messages import Text, ToolMessage
from quarterdeck.runs.records import Status
from tests.db.worker.station import Station

REFUND = {"steps": [{"call": "refund", "arguments": {"order": 7, "amount": 40}}, {"text": "done"}]}
BOTH = {"steps": [{"calls": [{"call": "refund", "arguments": {"n": n}} for n in (1, 2)]}, {"text": "done"}]}
REVIEWER = Person("key:rev", "rev", frozenset({"reviewer"}))


async def questions(station: Station, run: RunId) -> list[Approval]:
    async with station.database.tenant(station.tenant) as tx:
        return await approvals.listed(tx, station.tenant, approvals.Wanted(run=run), None, 50)


async def answer(station: Station, asked: Approval, verdict: Verdict = Verdict.APPROVE, **more: Any) -> Approval:
    desk = Approvals(station.database, station.wakes, SystemClock())
    return await desk.answer(station.tenant, asked.id, Said(verdict, REVIEWER, asked.digest, **more))


async def results(station: Station, run: RunId) -> list[str]:
    """What the model was told that its calls came to."""
    told = fold(await station.rows(run)).messages
    return ["".join(p.text for p in m.content if isinstance(p, Text)) for m in told if isinstance(m, ToolMessage)]


async def test_a_payment_waits_for_a_yes_and_is_then_made_once(station: Station) -> None:
    run = await station.submit()
    async with station.worker(REFUND):
        waiting = await station.until(run, Status.WAITING_FOR_APPROVAL)
        assert (waiting.worker, waiting.why) == (None, "refund needs a person's approval")
        assert station.tools.calls_of("refund") == 0
        (asked,) = await questions(station, run)
        assert asked.arguments == {"order": 7, "amount": 40}
        await answer(station, asked)
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of("refund") == 1
    assert await station.kinds(run) == [
        "run.admitted",
        "run.claimed",
        "guardrail.judged",
        "model.called",
        "model.answered",
        "approval.asked",
        "run.parked",
        "approval.answered",
        "run.resumed",
        "run.claimed",
        "tool.called",
        "tool.answered",
        "model.called",
        "model.answered",
        "run.finished",
    ]
    (used,) = await questions(station, run)
    assert used.consumed_at is not None


async def test_a_no_with_its_reason_is_what_the_model_reads(station: Station) -> None:
    run = await station.submit()
    async with station.worker(REFUND):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
        (asked,) = await questions(station, run)
        await answer(station, asked, Verdict.DENY, why="the order was never paid")
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of("refund") == 0
    (told,) = await results(station, run)
    assert told == "This call was not made. key:rev denied it: the order was never paid"


async def test_a_question_that_nobody_answers_expires_which_is_no_denial(station: Station) -> None:
    run = await station.submit()
    async with station.worker(REFUND):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
        async with station.database.system.transaction() as tx:
            await tx.execute("UPDATE qd.approvals SET expires_at = clock_timestamp() WHERE run = $1", run)
        assert (await station.until(run)).status is Status.SUCCEEDED
    (told,) = await results(station, run)
    assert "Nobody answered in time" in told
    assert "not denied" in told
    assert station.tools.calls_of("refund") == 0


async def test_what_a_reviewer_changed_is_what_is_sent(station: Station) -> None:
    run = await station.submit()
    async with station.worker(REFUND):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
        (asked,) = await questions(station, run)
        await answer(station, asked, arguments={"order": 7, "amount": 15})
        assert (await station.until(run)).status is Status.SUCCEEDED
    (sent,) = [request for request in station.tools.requests if request.grant.name == "refund"]
    assert sent.arguments == {"order": 7, "amount": 15}
    (called,) = [event for event in await station.events(run) if isinstance(event, e.ToolCalled)]
    assert called.origins == {"order": "model", "amount": "reviewer"}


async def test_what_is_known_of_the_signed_in_user_is_not_the_models_choice(station: Station) -> None:
    to_self = {"steps": [{"call": "refund", "arguments": {"to": "ann@example.com", "cc": "eve@example.com"}}]}
    run = await station.submit(claims={"email": "ann@example.com"})
    async with station.worker(to_self):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
    (asked,) = [event for event in await station.events(run) if isinstance(event, e.ApprovalAsked)]
    assert asked.origins == {"to": "trusted", "cc": "model"}


async def test_an_edit_that_policy_forbids_is_not_sent(station: Station) -> None:
    async with station.database.tenant(station.tenant) as tx:
        when = "when { context.arguments has amount && context.arguments.amount > 100 };"
        text = f'forbid (principal, action == Action::"refund", resource) {when}'
        await policies.add(tx, station.tenant, "not-too-much", 1, text, "test", "key:own")
    run = await station.submit()
    async with station.worker(REFUND):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
        (asked,) = await questions(station, run)
        await answer(station, asked, arguments={"order": 7, "amount": 1000})
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of("refund") == 0


async def test_each_answer_sends_the_run_on_and_the_other_question_stays_open(station: Station) -> None:
    run = await station.submit()
    async with station.worker(BOTH):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
        first, second = await questions(station, run)
        await answer(station, first)
        async with asyncio.timeout(10):
            while station.tools.calls_of("refund") == 0:
                await asyncio.sleep(0.02)
        await station.until(run, Status.WAITING_FOR_APPROVAL)
        await answer(station, second)
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of("refund") == 2


async def test_answers_that_come_all_at_once_lose_nothing(station: Station) -> None:
    run = await station.submit()
    async with station.worker(BOTH):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
        await asyncio.gather(*(answer(station, asked) for asked in await questions(station, run)))
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of("refund") == 2


async def test_two_people_at_once_come_to_one_effect(station: Station) -> None:
    run = await station.submit()
    desk = Approvals(station.database, station.wakes, SystemClock())
    async with station.worker(REFUND):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
        (asked,) = await questions(station, run)
        people = [Person(f"key:{name}", name, frozenset({"reviewer"})) for name in ("ann", "bob", "cem")]
        answers = await asyncio.gather(
            *(desk.answer(station.tenant, asked.id, Said(Verdict.APPROVE, person, asked.digest)) for person in people),
            return_exceptions=True,
        )
        assert sum(isinstance(one, AlreadyAnswered) for one in answers) == 2
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of("refund") == 1


async def test_an_approval_given_before_the_policy_changed_is_asked_for_again(station: Station) -> None:
    run = await station.submit()
    async with station.worker(REFUND):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
    (asked,) = await questions(station, run)
    await answer(station, asked)
    async with station.database.tenant(station.tenant) as tx:
        text = '@ask("Money needs a yes.")\nforbid (principal, action, resource) unless { context.approved };'
        await policies.add(tx, station.tenant, "money", 1, text, "test", "key:own")
    async with station.worker(REFUND):
        waiting = await station.until(run, Status.WAITING_FOR_APPROVAL)
        again = [one for one in await questions(station, run) if one.id != asked.id]
        assert len(again) == 1
        assert station.tools.calls_of("refund") == 0
        await answer(station, again[0])
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of("refund") == 1
    assert waiting.why == "refund needs a person's approval"


async def test_cancelling_a_run_that_waits_for_a_yes_withdraws_its_question(station: Station) -> None:
    run = await station.submit()
    async with station.worker(REFUND):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
        await station.runs.cancel(station.tenant, run, "key:op", "no longer wanted")
        assert (await station.until(run)).status is Status.CANCELLED
    (asked,) = await questions(station, run)
    assert asked.state.value == "withdrawn"
    with pytest.raises(AlreadyAnswered):
        await answer(station, asked)


async def test_waiting_holds_no_place_and_survives_every_worker(station: Station) -> None:
    run = await station.submit()
    async with station.worker(REFUND):
        await station.until(run, Status.WAITING_FOR_APPROVAL)
    (asked,) = await questions(station, run)
    await answer(station, asked)
    async with station.worker(REFUND):
        assert (await station.until(run)).status is Status.SUCCEEDED
    assert station.tools.calls_of("refund") == 1
    assert isinstance(asked.id, UUID)
