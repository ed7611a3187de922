"""Questions in the database: used once, in time, and for nothing but what was approved."""

import asyncio
import time
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from quarterdeck.approvals import store
from quarterdeck.approvals.records import State
from quarterdeck.core.ids import new_run_id, uuid7, uuid7_floor
from quarterdeck.core.json import digest
from tests.db.approvals.scene import ARGUMENTS, AskingScene, question

DIGEST = digest(ARGUMENTS)


async def test_an_approval_is_used_once_however_many_ask_at_the_same_time(scene: AskingScene):
    asked = await scene.asking()
    await scene.approve(asked.id)
    used = await asyncio.gather(*(scene.consume(asked.id, DIGEST) for _ in range(4)))
    assert sorted(used) == [False, False, False, True]


async def test_an_approval_is_used_for_what_was_approved_and_nothing_else(scene: AskingScene):
    asked = await scene.asking()
    await scene.approve(asked.id)
    assert not await scene.consume(asked.id, digest({"order": 1001, "amount_usd": 2500}))
    for other in ({"call": "c2"}, {"tool": "pay"}, {"release": "cd" * 32}, {"effective": "e2"}, {"run": new_run_id()}):
        assert not await scene.consume(asked.id, DIGEST, **other), other
    same = {"call": "c1", "tool": "refund", "release": "ab" * 32, "effective": "e1", "run": asked.hold.run}
    assert await scene.consume(asked.id, DIGEST, **same)


async def test_an_approval_whose_time_is_over_is_not_used(scene: AskingScene):
    asked = await scene.asking()
    await scene.approve(asked.id)
    await scene.lapse(asked.id)
    assert not await scene.consume(asked.id, DIGEST)


async def test_what_nobody_approved_is_not_used(scene: AskingScene):
    pending, denied = await scene.asking(), await scene.asking()
    await scene.deny(denied.id)
    assert not await scene.consume(pending.id, DIGEST)
    assert not await scene.consume(denied.id, DIGEST)


async def test_a_transaction_that_fails_after_it_leaves_the_approval_to_be_used(scene: AskingScene):
    asked = await scene.asking()
    await scene.approve(asked.id)
    try:
        async with scene.database.tenant(scene.tenant) as tx:
            assert await store.consume(tx, scene.tenant, asked.id, DIGEST)
            raise RuntimeError("the worker died before its intent was committed")
    except RuntimeError:
        pass
    assert await scene.consume(asked.id, DIGEST)


async def test_asking_again_under_the_same_id_changes_nothing(scene: AskingScene):
    asked = await scene.asking()
    again = question(approval=str(asked.id), arguments={"order": 7})
    async with scene.database.tenant(scene.tenant) as tx:
        await store.ask(tx, scene.tenant, asked.hold.run, again, agent="desk", release="ab" * 32, user="ann")
    assert (await scene.find(asked.id)).arguments == ARGUMENTS


async def test_the_effect_is_said_in_the_words_of_the_tool(scene: AskingScene):
    asked = await scene.asking()
    found = await scene.find(asked.id)
    assert found.summary == "refund $250.00 for order 1001"
    assert (found.risk, found.state) == ("money", State.PENDING)
    assert found.decision["policies"] == ["base:3"]


async def test_questions_are_withdrawn_with_their_run_and_only_those_that_wait(scene: AskingScene):
    asked = await scene.asking(question("c1"), question("c2"))
    await scene.deny(asked.id)
    async with scene.database.tenant(scene.tenant) as tx:
        assert await store.withdraw(tx, scene.tenant, asked.hold.run) == 1
    other = UUID(asked.questions[1].approval)
    assert (await scene.find(asked.id)).state is State.DENIED
    assert (await scene.find(other)).state is State.WITHDRAWN


async def test_the_last_approved_call_and_the_count_of_similar_ones_are_told(scene: AskingScene):
    for order, verdict in ((1, scene.approve), (2, scene.approve), (3, scene.deny)):
        asked = await scene.asking(question(arguments={"order": order}))
        await verdict(asked.id)
    now = int(datetime.now(UTC).timestamp() * 1000)
    async with scene.database.tenant(scene.tenant) as tx:
        known = await store.precedents(
            tx, scene.tenant, [("desk", "refund"), ("desk", "mail")], uuid7_floor(now - 1000 * 60)
        )
        later = await store.precedents(tx, scene.tenant, [("desk", "refund")], uuid7_floor(now + 1000 * 60))
    assert known["desk", "refund"].arguments == {"order": 2}
    assert known["desk", "refund"].similar == {"approved": 2, "denied": 1, "expired": 0}
    assert known["desk", "mail"].arguments is None
    assert later["desk", "refund"].similar == {"approved": 0, "denied": 0, "expired": 0}


async def test_the_inbox_pages_through_many_questions_in_little_time(scene: AskingScene, owner_url: str):
    asked = await scene.asking()
    async with scene.database.system.transaction() as tx:
        await tx.execute(
            """INSERT INTO qd.approvals (tenant, id, run, call, step, tool, agent, release, user_id, effect, risk,
                arguments, digest, decision, summary, expires_at, state)
            SELECT tenant, (lpad(to_hex($2 - n * 1000), 12, '0') || '70008000000000000000')::uuid, run, call, step,
                tool, CASE WHEN n % 1000 = 0 THEN 'rare' ELSE agent END, release, user_id, effect, risk, arguments,
                digest, decision, summary, expires_at, CASE WHEN n % 2 = 0 THEN 'pending' ELSE 'approved' END
            FROM qd.approvals, generate_series(1::bigint, 100000) n WHERE id = $1""",
            *(asked.id, int(datetime.now(UTC).timestamp() * 1000)),
        )
    connection = await asyncpg.connect(owner_url)
    await connection.execute("ANALYZE qd.approvals, qd.runs")  # as autovacuum does
    await connection.close()
    seen: set[UUID] = set()
    before: UUID | None = None
    async with scene.database.tenant(scene.tenant) as tx:
        for _ in range(5):
            page = await store.listed(tx, scene.tenant, store.Wanted(State.PENDING), before, 50)
            assert seen.isdisjoint(one.id for one in page)
            seen.update(one.id for one in page)
            before = page[-1].id
        plans = [
            await tx.fetch(f"EXPLAIN (ANALYZE, FORMAT TEXT) {store.LIST}", *arguments)
            for arguments in (
                (scene.tenant, before, "pending", None, None, None, None, None, 51),
                (scene.tenant, None, "pending", "rare", None, None, None, None, 51),
                (scene.tenant, None, "pending", None, None, uuid7(), None, None, 51),
                (scene.tenant, None, "pending", None, None, None, "irreversible", None, 51),
            )
        ]
        long_ago = uuid7_floor(int(datetime.now(UTC).timestamp() * 1000) - 90 * 86_400_000)
        tools = (["desk"] * 3, ["refund", "mail", "pay"])
        statement = f"EXPLAIN (ANALYZE, FORMAT TEXT) {store.PRECEDENTS}"
        plans.append(await tx.fetch(statement, scene.tenant, *tools, long_ago, store.MOST_COUNTED))
        began = time.monotonic()
        counted = await store.facets(tx, scene.tenant, None)
        assert time.monotonic() - began < 1.0
    assert counted["state"] == {"pending": 10_000}
    assert len(seen) == 250
    for plan in plans:
        took = float(str(plan[-1][0]).split(":")[1].split()[0])
        assert took < 50, "\n".join(str(line[0]) for line in plan)
