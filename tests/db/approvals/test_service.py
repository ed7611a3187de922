"""Answers: who may give them, what becomes of the run, and that two clicks are one effect."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from quarterdeck.approvals import job, store
from quarterdeck.approvals.records import (
    AlreadyAnswered,
    Changed,
    DigestMissing,
    LinkNotEnough,
    NoSuchApproval,
    NotAnotherPerson,
    NotForMany,
    NotYourRole,
    OwnRun,
    Person,
    ReasonMissing,
    Said,
    State,
    Verdict,
)
from quarterdeck.approvals.service import Approvals
from quarterdeck.core.clock import FakeClock
from quarterdeck.core.ids import RunId, uuid7
from quarterdeck.core.json import digest
from quarterdeck.runs import events as e
from quarterdeck.runs.log import Departure
from quarterdeck.runs.messages import Text
from quarterdeck.runs.records import Status
from tests.db.approvals.scene import ANN, ARGUMENTS, BEN, LINKS, OWNER, AskingScene, question
from tests.db.runs.scene import new_tenant
from tests.db.runs.test_fence import sweep_now

CAT = Person("key:cat", "cat", frozenset({"reviewer"}))
EDITED = {"order": 1001, "amount_usd": 50}


async def test_an_approval_is_written_into_the_log_and_the_run_is_queued_again(scene: AskingScene):
    asked = await scene.asking()
    approved = await scene.approve(asked.id, why="looks right")
    assert (approved.state, approved.answered_by, approved.why) == (State.APPROVED, ("key:ben",), "looks right")
    assert (await scene.read(asked.hold.run)).status is Status.QUEUED
    assert (await scene.kinds(asked.hold.run))[-2:] == ["approval.answered", "run.resumed"]
    state = await scene.state(asked.hold)
    said = state.calls[0].said
    assert said is not None
    assert (said.state, said.by, said.arguments) == ("approved", ("key:ben",), None)
    assert ("qd_admit", 1) in scene.heard.sent


async def test_the_same_click_twice_is_one_answer_and_another_persons_is_told_what_happened(scene: AskingScene):
    asked = await scene.asking()
    await scene.approve(asked.id)
    before = await scene.kinds(asked.hold.run)
    assert (await scene.approve(asked.id)).state is State.APPROVED
    with pytest.raises(AlreadyAnswered) as told:
        await scene.approve(asked.id, CAT)
    assert told.value.facts["approval_state"] == "approved"
    assert told.value.facts["answered_by"] == ["key:ben"]
    with pytest.raises(AlreadyAnswered):
        await scene.deny(asked.id)
    assert await scene.kinds(asked.hold.run) == before


async def test_of_many_clicks_at_once_one_counts(scene: AskingScene):
    asked = await scene.asking()
    people = [replace(BEN, by=f"key:{n}", user=f"u{n}") for n in range(3)] + [BEN, BEN]
    answers = await asyncio.gather(*(scene.approve(asked.id, one) for one in people), return_exceptions=True)
    winners = [one for one in answers if not isinstance(one, BaseException)]
    assert all(isinstance(one, AlreadyAnswered) for one in answers if isinstance(one, BaseException))
    assert len({one.answered_by for one in winners}) == 1
    assert (await scene.kinds(asked.hold.run)).count("approval.answered") == 1
    assert (await scene.kinds(asked.hold.run)).count("run.resumed") == 1


async def test_a_yes_and_a_no_at_once_come_to_one_of_them(scene: AskingScene):
    for _ in range(4):
        asked = await scene.asking()
        await asyncio.gather(scene.approve(asked.id), scene.deny(asked.id, CAT), return_exceptions=True)
        events = [event for event in await scene.log(asked.hold.run) if event.kind == "approval.answered"]
        assert len(events) == 1
        assert (await scene.find(asked.id)).state.value in events[0].data


async def test_a_denial_needs_a_reason_and_is_told_to_the_agent(scene: AskingScene):
    asked = await scene.asking()
    with pytest.raises(ReasonMissing):
        await scene.deny(asked.id, why="  ")
    denied = await scene.deny(asked.id, why="not this customer")
    assert (denied.state, denied.why) == (State.DENIED, "not this customer")
    assert (await scene.read(asked.hold.run)).status is Status.QUEUED
    assert not await scene.consume(asked.id, digest(ARGUMENTS))


async def test_a_yes_is_to_what_was_seen(scene: AskingScene):
    asked = await scene.asking()
    with pytest.raises(DigestMissing):
        await scene.approve(asked.id, digest=None)
    with pytest.raises(Changed) as told:
        await scene.approve(asked.id, digest="00" * 32)
    assert told.value.facts["digest"] == digest(ARGUMENTS)
    assert (await scene.find(asked.id)).state is State.PENDING


async def test_an_edit_is_what_was_approved_and_what_is_used(scene: AskingScene):
    asked = await scene.asking()
    approved = await scene.approve(asked.id, arguments=EDITED)
    assert (approved.edited, approved.digest) == (EDITED, digest(EDITED))
    assert approved.summary == "refund $50.00 for order 1001"
    said = (await scene.state(asked.hold)).calls[0].said
    assert said is not None
    assert said.arguments == EDITED
    assert not await scene.consume(asked.id, digest(ARGUMENTS))
    assert await scene.consume(asked.id, digest(EDITED))


async def test_two_people_have_to_agree_where_two_are_asked_for(scene: AskingScene):
    asked = await scene.asking(question(people=2))
    first = await scene.approve(asked.id)
    assert (first.state, len(first.votes)) == (State.PENDING, 1)
    assert (await scene.read(asked.hold.run)).status is Status.WAITING_FOR_APPROVAL
    assert (await scene.approve(asked.id)).state is State.PENDING
    for same in (replace(BEN, by="key:ben as someone", user="someone"), replace(CAT, user="ben")):
        with pytest.raises(NotAnotherPerson):
            await scene.approve(asked.id, same)
    second = await scene.approve(asked.id, CAT)
    assert (second.state, second.answered_by) == (State.APPROVED, ("key:ben", "key:cat"))


async def test_nobody_who_submitted_a_run_or_for_whom_it_is_counts_as_one_of_two(scene: AskingScene):
    asked = await scene.asking(question(people=2))
    for own in (ANN, replace(BEN, by="key:k"), replace(BEN, by="key:k as ben")):
        with pytest.raises(OwnRun):
            await scene.approve(asked.id, own)
    # What harms nobody is open to them: a no.
    assert (await scene.deny(asked.id, ANN)).state is State.DENIED


async def test_an_edit_by_the_second_of_two_people_needs_the_first_ones_yes_again(scene: AskingScene):
    asked = await scene.asking(question(people=2))
    await scene.approve(asked.id)
    edited = await scene.approve(asked.id, CAT, arguments=EDITED)
    assert (edited.state, edited.edited) == (State.PENDING, EDITED)
    with pytest.raises(Changed):
        await scene.approve(asked.id, BEN, digest=digest(ARGUMENTS))
    approved = await scene.approve(asked.id, BEN)
    assert (approved.state, approved.digest) == (State.APPROVED, digest(EDITED))


async def test_only_the_roles_that_were_asked_for_may_answer(scene: AskingScene):
    asked = await scene.asking(question(roles=("operator",)))
    with pytest.raises(NotYourRole):
        await scene.approve(asked.id)
    with pytest.raises(NotYourRole):
        await scene.deny(asked.id)
    assert (await scene.approve(asked.id, OWNER)).state is State.APPROVED
    plain = await scene.asking()
    with pytest.raises(NotYourRole):
        await scene.approve(plain.id, replace(BEN, roles=frozenset({"operator", "developer", "auditor"})))


async def test_a_link_answers_what_one_person_may_and_can_be_undone(scene: AskingScene):
    by_link = Person("link:abc", link=True)
    assert (await scene.approve((await scene.asking()).id, by_link)).answered_by == ("link:abc",)
    for refused in (question(people=2), question(effect="deletion")):
        asked = await scene.asking(refused)
        with pytest.raises(LinkNotEnough):
            await scene.approve(asked.id, by_link)
    with pytest.raises(LinkNotEnough):
        await scene.approve((await scene.asking()).id, by_link, arguments=EDITED)


async def test_only_low_risk_is_approved_many_at_once(scene: AskingScene):
    low = await scene.asking(question(effect="write"))
    assert (await scene.approve(low.id, digest=None, many=True)).state is State.APPROVED
    for refused in (question(), question(effect="external_message"), question(effect="write", people=2)):
        asked = await scene.asking(refused)
        with pytest.raises(NotForMany):
            await scene.approve(asked.id, digest=None, many=True)
        assert (await scene.deny(asked.id, many=True)).state is State.DENIED


async def test_what_is_answered_while_a_worker_has_the_run_is_in_the_log_and_nothing_else(scene: AskingScene):
    asked = await scene.asking(park=False)
    await scene.approve(asked.id)
    assert (await scene.read(asked.hold.run)).status is Status.RUNNING
    assert (await scene.kinds(asked.hold.run))[-1] == "approval.answered"
    assert ("qd_control", ["answered", asked.hold.run.hex]) in scene.heard.sent
    await asked.worker.append(asked.hold, e.ToolFailed(call="c1", code="x", content=(Text("went on"),)))


async def test_a_run_that_parked_just_after_its_answer_came_is_found_and_goes_on(scene: AskingScene):
    asked = await scene.asking(park=False)
    await scene.approve(asked.id)
    await scene.park(asked.worker, asked.hold)
    assert (await scene.read(asked.hold.run)).status is Status.WAITING_FOR_APPROVAL
    await waited_long(scene, asked.hold.run)
    assert await a_round(scene) == 1
    assert (await scene.read(asked.hold.run)).status is Status.QUEUED
    assert (await scene.kinds(asked.hold.run)).count("approval.answered") == 1


async def test_a_time_out_is_nobodys_denial_and_lets_the_run_go_on(scene: AskingScene):
    asked = await scene.asking()
    await scene.lapse(asked.id)
    assert await a_round(scene) == 1
    found = await scene.find(asked.id)
    assert (found.state, found.answered_by) == (State.EXPIRED, ())
    assert (await scene.read(asked.hold.run)).status is Status.QUEUED
    said = (await scene.state(asked.hold)).calls[0].said
    assert said is not None
    assert (said.state, said.by) == ("expired", ())
    assert await a_round(scene) == 0


async def test_an_answer_that_comes_too_late_expires_the_question_and_is_refused(scene: AskingScene):
    asked = await scene.asking()
    await scene.lapse(asked.id)
    with pytest.raises(AlreadyAnswered) as told:
        await scene.approve(asked.id)
    assert told.value.facts["approval_state"] == "expired"
    assert (await scene.find(asked.id)).state is State.EXPIRED
    assert (await scene.read(asked.hold.run)).status is Status.QUEUED


async def test_an_answer_and_the_end_of_its_time_at_once_come_to_one_of_them(scene: AskingScene):
    for _ in range(4):
        asked = await scene.asking()
        await scene.lapse(asked.id)
        slow = FakeClock(scene.clock.now() - timedelta(hours=2))
        late = Approvals(scene.database, scene.heard, slow, LINKS)
        yes = Said(Verdict.APPROVE, BEN, digest=digest(ARGUMENTS))
        await asyncio.gather(
            late.answer(scene.tenant, asked.id, yes),
            job.round(scene.database, scene.heard, scene.clock),
            job.round(scene.database, scene.heard, scene.clock),
            return_exceptions=True,
        )
        assert (await scene.kinds(asked.hold.run)).count("approval.answered") == 1
        assert (await scene.kinds(asked.hold.run)).count("run.resumed") == 1
        assert (await scene.read(asked.hold.run)).status is Status.QUEUED
        # Whoever's clock was slow: what has expired by the database's is not approved.
        assert (await scene.find(asked.id)).state is State.EXPIRED
        assert not await scene.consume(asked.id, digest(ARGUMENTS))


async def test_cancelling_the_run_takes_its_questions_back(scene: AskingScene):
    asked = await scene.asking()
    await scene.runs.cancel(scene.tenant, asked.hold.run, "key:op", "")
    assert (await scene.find(asked.id)).state is State.WITHDRAWN
    assert "approval.answered" in await scene.kinds(asked.hold.run)
    with pytest.raises(AlreadyAnswered) as told:
        await scene.approve(asked.id)
    assert told.value.facts["approval_state"] == "withdrawn"


async def test_a_question_is_withdrawn_while_its_run_is_being_cancelled(scene: AskingScene):
    asked = await scene.asking(park=False)
    await scene.runs.cancel(scene.tenant, asked.hold.run, "key:op", "")
    with pytest.raises(AlreadyAnswered) as told:
        await scene.approve(asked.id)
    assert told.value.facts["approval_state"] == "withdrawn"
    assert (await scene.read(asked.hold.run)).status is Status.CANCELLING


async def test_questions_of_a_run_that_ended_otherwise_are_hidden_at_once_and_withdrawn_soon(scene: AskingScene):
    asked = await scene.asking(park=False)
    finished = e.RunFinished(status="failed", error_code="x", error="broke")
    await scene.leave(asked.worker, asked.hold, Departure(Status.FAILED, error_code="x", ended=True), finished)
    async with scene.database.tenant(scene.tenant) as tx:
        assert await store.listed(tx, scene.tenant, store.Wanted(State.PENDING), None, 10) == []
    assert (await scene.find(asked.id)).state is State.WITHDRAWN
    assert await a_round(scene) == 1
    async with scene.database.tenant(scene.tenant) as tx:
        assert await tx.fetchval("SELECT state FROM qd.approvals WHERE id = $1", asked.id) == "withdrawn"


async def test_a_retried_run_does_not_wait_for_a_question_that_was_withdrawn_behind_its_back(scene: AskingScene):
    asked = await scene.asking()
    async with scene.database.tenant(scene.tenant) as tx:
        await store.withdraw(tx, scene.tenant, asked.hold.run)
    await waited_long(scene, asked.hold.run)
    assert await a_round(scene) == 1
    assert (await scene.read(asked.hold.run)).status is Status.QUEUED
    said = (await scene.state(asked.hold)).calls[0].said
    assert said is not None
    assert said.state == "withdrawn"


async def test_a_run_with_another_open_question_waits_on_for_that_one_only_after_this_was_acted_upon(
    scene: AskingScene,
):
    asked = await scene.asking(question("c1"), question("c2"))
    await scene.approve(asked.id)
    assert (await scene.read(asked.hold.run)).status is Status.QUEUED
    await scene.approve(UUID(asked.questions[1].approval), CAT)
    assert (await scene.kinds(asked.hold.run)).count("approval.answered") == 2


async def test_waiting_survives_the_death_of_the_worker_that_asked(scene: AskingScene):
    asked = await scene.asking(park=False)
    await asked.worker.die()
    await sweep_now(scene)
    await scene.approve(asked.id)
    assert (await scene.read(asked.hold.run)).status is Status.QUEUED
    state = await scene.state(asked.hold)
    assert state.calls[0].said is not None


async def test_people_are_reminded_once_at_half_time(scene: AskingScene):
    await listening(scene)
    asked = await scene.asking()
    async with scene.database.system.transaction() as tx:
        half = await tx.fetchval(
            "SELECT abs(extract(epoch FROM remind_at - asked_at) / extract(epoch FROM expires_at - asked_at) - 0.5)"
            " FROM qd.approvals WHERE id = $1",
            asked.id,
        )
        assert half < 0.01
        await tx.execute("UPDATE qd.approvals SET remind_at = now() WHERE id = $1", asked.id)
    rounds = await asyncio.gather(*(job.round(scene.database, scene.heard, scene.clock, LINKS) for _ in range(3)))
    assert sum(rounds) == 1
    assert (await scene.outbox()).count("approval.reminder") == 1


async def test_who_listens_is_told_of_questions_and_answers_with_a_link_while_it_helps(scene: AskingScene):
    await listening(scene)
    asked = await scene.asking()
    await scene.approve(asked.id)
    async with scene.database.tenant(scene.tenant) as tx:
        rows = await tx.fetch("SELECT kind, data FROM qd.outbox WHERE kind LIKE 'approval.%' ORDER BY id")
    assert [row["kind"] for row in rows] == ["approval.asked", "approval.answered"]
    link = f"https://deck.example.com/v1/approvals/{asked.id}/link?token="
    assert link in rows[0]["data"]
    assert '"link"' not in rows[1]["data"]


async def test_another_tenants_question_does_not_exist(scene: AskingScene):
    asked = await scene.asking()
    other = await new_tenant(scene.database)
    with pytest.raises(NoSuchApproval):
        await scene.approvals.answer(other, asked.id, Said(Verdict.APPROVE, BEN, digest=digest(ARGUMENTS)))
    async with scene.database.tenant(other) as tx:
        assert not await store.consume(tx, other, asked.id, digest(ARGUMENTS))


async def test_each_answer_is_audited(scene: AskingScene):
    asked = await scene.asking(question(people=2))
    await scene.approve(asked.id)
    await scene.approve(asked.id, CAT)
    async with scene.database.system.transaction() as tx:
        rows = await tx.fetch("SELECT kind, actor, approved_by, status FROM qd.audit_waiting ORDER BY at, id")
    assert [(row["kind"], row["actor"], row["status"]) for row in rows] == [
        ("approval.voted", "key:ben", "pending"),
        ("approval.answered", "key:cat", "approved"),
    ]
    assert rows[1]["approved_by"] == ["person:key:ben", "person:key:cat"]


async def a_round(scene: AskingScene) -> int:
    """A round of the chore, at a time when it looks at everything that waits."""
    scene.clock.advance(timedelta(seconds=-scene.clock.boot() % job.TIDY_EVERY))
    return await job.round(scene.database, scene.heard, scene.clock)


async def waited_long(scene: AskingScene, run: RunId) -> None:
    async with scene.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.runs SET parked_at = now() - interval '1 minute' WHERE id = $1", run)


async def listening(scene: AskingScene) -> None:
    """Somebody wants to be told."""
    async with scene.database.tenant(scene.tenant) as tx:
        await tx.execute(
            "INSERT INTO qd.webhook_endpoints (tenant, id, url, kinds, sealed_secrets, created_by)"
            " VALUES ($1, $2, 'https://example.com', '{*}', '{}', 'key:test')",
            *(scene.tenant, uuid7()),
        )
