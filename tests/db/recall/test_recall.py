"""Reads that are answered from what was read before: to whom, for how long, and what puts an end to it."""

import asyncio
from dataclasses import replace

import pytest

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.db.pool import Database
from quarterdeck.gates.outcomes import INLINE, Outcome
from quarterdeck.recall.service import sweep
from quarterdeck.runs.events import ToolAnswered, ToolFailed, ToolUnknown
from quarterdeck.runs.messages import Label, Stored, Trust
from quarterdeck.tools.records import Failed, ToolRequest, Unknown
from tests.db.recall.conftest import CHANGE, CRM, LOOK, Desk, another_release
from tests.fakes.toolbox import answered
from tests.toolbox import a_release


def cached(outcome: Outcome) -> bool:
    assert isinstance(outcome, ToolAnswered)
    return outcome.cached


async def test_the_same_read_is_not_sent_twice(desk: Desk):
    first, again = await desk.call("look"), await desk.call("look")
    assert isinstance(first, ToolAnswered)
    assert isinstance(again, ToolAnswered)
    assert (first.cached, again.cached) == (False, True)
    assert again.content == first.content
    assert again.call != first.call
    assert again.label == Label("tool:look", Trust.UNTRUSTED)
    assert desk.tools.calls_of("look") == 1


async def test_what_its_author_did_not_allow_is_sent_each_time(desk: Desk):
    assert not cached(await desk.call("peek"))
    assert not cached(await desk.call("peek"))


async def test_a_tool_that_is_no_read_is_never_answered_from_before_whatever_its_grant_says(desk: Desk):
    release = a_release(replace(CHANGE, cache=300), servers=(CRM,), tenant=desk.tenant)
    for _ in range(2):
        assert not cached(await desk.call("change", release))
    assert desk.tools.calls_of("change") == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "bob"},
        {"arguments": {"id": 2}},
        {"arguments": {"id": "1"}},
        {"roles": ("admin",)},
        {"claims": {"email": "erika@example.com"}},
    ],
    ids=str,
)
async def test_another_principal_or_question_is_sent(desk: Desk, changes: dict):
    await desk.call("look")
    assert not cached(await desk.call("look", **changes))


async def test_the_order_of_arguments_and_roles_makes_no_difference(desk: Desk):
    await desk.call("look", arguments={"a": 1, "b": 2}, roles=("x", "y"))
    assert cached(await desk.call("look", arguments={"b": 2, "a": 1}, roles=("y", "x")))


async def test_another_release_gets_the_answer_of_the_same_tool_on_the_same_server(desk: Desk):
    await desk.call("look")
    assert cached(await desk.call("look", another_release(desk.release)))


@pytest.mark.parametrize(
    "changes",
    [{"trust": "trusted"}, {"parameters": {"type": "object", "properties": {}}}, {"scan": ("pii",)}],
    ids=str,
)
async def test_a_tool_that_is_declared_otherwise_is_another_one(desk: Desk, changes: dict):
    await desk.call("look")
    other = a_release(replace(LOOK, **changes), servers=(CRM,), tenant=desk.tenant)
    assert not cached(await desk.call("look", other))


async def test_a_server_at_another_address_is_another_one(desk: Desk):
    await desk.call("look")
    moved = replace(CRM, url="https://crm2.example/mcp")
    assert not cached(await desk.call("look", a_release(LOOK, servers=(moved,), tenant=desk.tenant)))


async def test_code_of_another_release_is_another_server(desk: Desk):
    code = a_release(replace(LOOK, server="code"), tenant=desk.tenant)
    await desk.call("look", code)
    assert cached(await desk.call("look", code))
    assert not cached(await desk.call("look", another_release(code)))


async def test_a_call_that_is_no_read_puts_what_was_read_there_out_of_date(desk: Desk):
    await desk.call("look")
    await desk.call("change")
    assert not cached(await desk.call("look"))
    assert cached(await desk.call("look"))


async def test_a_call_of_another_agent_to_the_same_server_does_so_too(desk: Desk):
    await desk.call("look")
    writer = another_release(a_release(CHANGE, servers=(CRM,), tenant=desk.tenant))
    await desk.call("change", writer, agent="other")
    assert not cached(await desk.call("look"))


@pytest.mark.parametrize(("tool", "user"), [("elsewhere", "erika"), ("change", "bob"), ("peek", "erika")])
async def test_calls_to_other_servers_of_others_and_reads_leave_it_alone(desk: Desk, tool: str, user: str):
    await desk.call("look")
    await desk.call(tool, user=user)
    assert cached(await desk.call("look"))


async def test_what_is_read_while_a_change_is_under_way_is_not_given_again(desk: Desk):
    going, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: ToolRequest, cancel: asyncio.Event | None):
        going.set()
        await go_on.wait()
        return answered()

    await desk.call("look")
    desk.tools.tools["change"] = slow
    change = asyncio.create_task(desk.call("change"))
    await going.wait()
    assert not cached(await desk.call("look"))
    assert not cached(await desk.call("look"))
    go_on.set()
    await change
    assert not cached(await desk.call("look"))
    assert cached(await desk.call("look"))


async def test_a_read_that_began_before_a_change_and_ended_after_it_is_not_given_again(desk: Desk):
    going, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: ToolRequest, cancel: asyncio.Event | None):
        going.set()
        await go_on.wait()
        return answered("old")

    desk.tools.tools["look"] = slow
    look = asyncio.create_task(desk.call("look"))
    await going.wait()
    await desk.call("change")
    go_on.set()
    await look
    assert not cached(await desk.call("look"))


async def test_after_a_call_of_which_nobody_knows_the_outcome_nothing_is_given_again_for_a_while(desk: Desk):
    async def lost(request: ToolRequest, cancel: asyncio.Event | None):
        return Unknown("no answer", 1)

    desk.tools.tools["change"] = lost
    await desk.call("look")
    assert isinstance(await desk.call("change"), ToolUnknown)
    for _ in range(2):
        assert not cached(await desk.call("look"))


async def test_two_changes_at_once_end_each_for_itself(desk: Desk):
    first = await desk.call("look")
    assert isinstance(first, ToolAnswered)
    going = [asyncio.Event(), asyncio.Event()]
    go_on = [asyncio.Event(), asyncio.Event()]

    async def slow(request: ToolRequest, cancel: asyncio.Event | None):
        at = int(str(request.arguments["id"]))
        going[at].set()
        await go_on[at].wait()
        return answered()

    desk.tools.tools["change"] = slow
    changes = [asyncio.create_task(desk.call("change", arguments={"id": at})) for at in (0, 1)]
    await asyncio.gather(*(one.wait() for one in going))
    go_on[0].set()
    await changes[0]
    assert not cached(await desk.call("look"))
    assert not cached(await desk.call("look"))
    go_on[1].set()
    await changes[1]


async def test_errors_and_failures_are_not_given_again(desk: Desk):
    async def wrong(request: ToolRequest, cancel: asyncio.Event | None):
        return answered("no such order", is_error=True)

    async def failing(request: ToolRequest, cancel: asyncio.Event | None):
        return Failed("refused", "no", 1)

    for tool in (wrong, failing):
        desk.tools.tools["look"] = tool
        assert not getattr(await desk.call("look"), "cached", False)
    del desk.tools.tools["look"]
    assert not cached(await desk.call("look"))


async def test_an_answer_of_which_something_was_taken_out_is_not_given_again(desk: Desk):
    async def secret(request: ToolRequest, cancel: asyncio.Event | None):
        return answered("write to erika@example.com")

    desk.tools.tools["look"] = secret
    release = a_release(replace(LOOK, scan=("pii",)), servers=(CRM,), tenant=desk.tenant)
    first = await desk.call("look", release)
    assert isinstance(first, ToolAnswered)
    assert first.redacted
    assert not cached(await desk.call("look", release))


async def test_a_big_answer_can_be_read_by_the_run_that_gets_it_again(desk: Desk):
    async def big(request: ToolRequest, cancel: asyncio.Event | None):
        return answered("x" * (INLINE + 1))

    desk.tools.tools["look"] = big
    await desk.call("look")
    again = await desk.call("look")
    assert isinstance(again, ToolAnswered)
    assert again.cached
    [part] = again.content
    assert isinstance(part, Stored)
    async with desk.database.system.transaction() as tx:
        holders = await tx.fetch("SELECT holder FROM qd.blob_refs WHERE key = $1", bytes.fromhex(part.key))
    assert len(holders) == 3  # both runs, and the answer that is kept


async def test_an_answer_has_its_time(desk: Desk, database: Database):
    await desk.call("look")
    async with database.system.transaction() as tx:
        await tx.execute("UPDATE qd.recalled SET expires_at = now() - interval '1 second'")
    assert not cached(await desk.call("look"))
    assert cached(await desk.call("look"))


async def test_what_is_over_is_swept_with_its_references(desk: Desk, database: Database):
    await desk.call("look")
    await desk.call("look", arguments={"id": 2})
    async with database.system.transaction() as tx:
        await tx.execute("UPDATE qd.recalled SET expires_at = now() - interval '1 second'")
        await tx.execute("UPDATE qd.recall_places SET expires_at = now() - interval '2 days'")
        assert await sweep(tx) == 2
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.recalled") == 0
        assert await tx.fetchval("SELECT count(*) FROM qd.recall_places") == 0
        assert await tx.fetchval("SELECT count(*) FROM qd.blob_refs WHERE holder LIKE 'recall:%'") == 0


async def test_an_answer_whose_payload_was_erased_is_asked_for_anew(desk: Desk, database: Database):
    await desk.call("look")
    async with database.system.transaction() as tx:
        await tx.execute("DELETE FROM qd.blob_refs WHERE holder LIKE 'recall:%'")
    assert not cached(await desk.call("look"))


async def test_the_rows_say_nothing_of_who_asked_for_what(desk: Desk, database: Database):
    await desk.call("look", arguments={"name": "very-secret-name"})
    async with database.system.transaction() as tx:
        [row] = await tx.fetch("SELECT r::text AS row FROM qd.recalled r")
    assert "erika" not in row["row"]
    assert b"very-secret-name".hex() not in row["row"]


async def test_many_workers_that_read_the_same_at_once_keep_one_answer(desk: Desk, database: Database):
    await asyncio.gather(*(desk.call("look") for _ in range(6)))
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.recalled") == 1
    assert cached(await desk.call("look"))


async def test_a_database_that_is_away_costs_a_read_nothing_and_lets_no_write_out(desk: Desk):
    await desk.call("look")
    await desk.database.close()
    looked = await desk.call("look")
    assert isinstance(looked, ToolAnswered)
    assert not looked.cached
    changed = await desk.call("change")
    assert isinstance(changed, ToolFailed)
    assert changed.code == "not_sent"
    assert desk.tools.calls_of("change") == 0


async def test_arguments_that_have_no_one_form_are_never_the_same(desk: Desk):
    for _ in range(2):
        assert not cached(await desk.call("look", arguments={"id": 2**60}))


async def test_another_tenants_answer_is_not_found(desk: Desk):
    await desk.call("look")
    async with desk.database.tenant(TenantId(uuid7())) as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.recalled") == 0
