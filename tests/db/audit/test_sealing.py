"""What is written is sealed, whenever it is committed, by whichever worker comes; and who tampers is found."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from quarterdeck.audit.job import Sealer, prune, seal_round, seal_some
from quarterdeck.audit.records import DEPLOYMENT, Entry, NotASeal, NotSealed, PayloadInLog
from quarterdeck.audit.rules import record_of
from quarterdeck.audit.store import write
from quarterdeck.core.chain import GENESIS, link
from quarterdeck.core.ids import TenantId, uuid7
from tests.marks import on_every_postgres

TABLES = ("audit_waiting", "audit", "audit_payloads", "audit_seals", "audit_heads")


async def refused(transaction, statement: str) -> None:
    """Holds that a role has no right to this."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction as tx:
            await tx.execute(statement)


@on_every_postgres
async def test_qd_app_may_add_and_read_and_nothing_else(scene):
    await scene.did("a", inputs={"x": 1})
    await scene.seal()
    await scene.did("b")
    for table in TABLES:
        for statement in (f"UPDATE qd.{table} SET tenant = tenant", f"DELETE FROM qd.{table}", f"TRUNCATE qd.{table}"):
            await refused(scene.database.tenant(scene.tenant), statement)
        if table != "audit_waiting":
            copy = f"INSERT INTO qd.{table} SELECT * FROM qd.{table}"
            await refused(scene.database.tenant(scene.tenant), copy)
    await refused(scene.database.system.transaction(), "UPDATE qd.audit SET actor = 'nobody'")


async def test_what_was_written_is_sealed_in_order_and_verifies(scene):
    for number in range(5):
        await scene.did(f"a{number}", inputs={"n": number}, outputs=None)
    before = await scene.verify()
    assert (before.sealed, before.chain.unsealed, before.findings) == (0, 5, ())
    assert await scene.seal() == 1
    rows = await scene.rows()
    assert [(row.position, row.action) for row in rows] == [(n + 1, f"a{n}") for n in range(5)]
    report = await scene.verify()
    assert (report.sealed, report.kept, report.erased, report.chain.unsealed) == (5, 5, 0, 0)
    assert report.faults == 0
    assert await scene.seal() == 0


async def test_an_entry_is_there_exactly_when_its_transaction_commits(scene):
    async def undone() -> None:
        async with scene.database.tenant(scene.tenant) as tx:
            await write(tx, [Entry(tenant=scene.tenant, kind="k", actor="a")])
            raise LookupError

    with pytest.raises(LookupError):
        await undone()
    await scene.seal()
    assert await scene.rows() == []


async def test_many_entries_are_written_at_once(scene):
    entries = [
        Entry(tenant=scene.tenant, kind="k", actor="a", action=str(n), approved_by=("person:ada", "policy:p")[: n % 3])
        for n in range(120)
    ]
    async with scene.database.tenant(scene.tenant) as tx:
        await write(tx, entries)
    await scene.seal()
    rows = await scene.rows()
    assert sorted(int(row.action) for row in rows) == list(range(120))
    assert {row.approved_by for row in rows} == {(), ("person:ada",), ("person:ada", "policy:p")}


async def test_a_row_that_is_committed_late_is_sealed_all_the_same(scene):
    async with scene.database.tenant(scene.tenant) as tx:
        await write(tx, [Entry(tenant=scene.tenant, kind="k", actor="a", action="early, committed late")])
        await scene.did("late, committed early")
        assert await scene.seal() == 1
    assert await scene.seal() == 1
    assert [row.action for row in await scene.rows()] == ["late, committed early", "early, committed late"]
    assert (await scene.verify()).faults == 0


async def test_several_sealers_at_once_make_one_chain(scene):
    others = [TenantId(uuid7()) for _ in range(3)]

    async def busy(tenant: TenantId) -> None:
        for number in range(15):
            async with scene.database.tenant(tenant) as tx:
                await write(tx, [Entry(tenant=tenant, kind="k", actor="a", action=str(number), inputs={"n": number})])

    async def sealing() -> None:
        for _ in range(15):
            await seal_round(scene.database, scene.keys)

    await asyncio.gather(*(busy(tenant) for tenant in (scene.tenant, *others)), sealing(), sealing(), sealing())
    await scene.seal()
    for tenant in (scene.tenant, *others):
        report = await scene.audit.verify(tenant)
        assert (report.sealed, report.kept, report.chain.unsealed, report.faults) == (15, 15, 0, 0)


async def test_a_head_that_somebody_holds_is_passed_over_and_not_waited_for(scene):
    other = TenantId(uuid7())
    await scene.did("a")
    await scene.seal()
    await scene.did("b")
    async with scene.database.tenant(other) as tx:
        await write(tx, [Entry(tenant=other, kind="k", actor="a")])
    async with scene.database.system.transaction() as tx:
        await tx.fetch("SELECT FROM qd.audit_heads WHERE tenant = $1 FOR UPDATE", scene.tenant)
        heads, _ = await seal_some(scene.database, scene.keys)
        assert [head.chain for head in heads] == [str(other)]
    assert await scene.seal() == 1


async def test_the_deployments_own_deeds_have_a_chain_of_their_own(scene):
    async with scene.database.system.transaction() as tx:
        await write(tx, [Entry(tenant=DEPLOYMENT, kind="tenant.founded", actor="key:admin", target="acme")])
    await scene.seal()
    assert (await scene.audit.verify(DEPLOYMENT)).sealed == 1


async def test_a_call_refers_to_the_log_and_is_bound_to_what_stands_there(scene):
    await scene.called({"tool": "refund", "arguments": {"amount": 1.50}})
    await scene.seal()
    report = await scene.verify()
    assert (report.kept, report.faults) == (1, 0)
    row = await scene.audit.find(scene.tenant, (await scene.rows())[0].id)
    assert '"amount": 1.50' in row.payload or '"amount": 1.5' in row.payload
    await scene.thief.execute("""UPDATE qd.run_events SET data = jsonb_set(data, '{arguments,amount}', '9.99')""")
    assert await scene.found() == [("payload_changed", 1, 1)]


async def test_a_log_that_is_gone_leaves_erased_payloads_and_a_valid_chain(scene):
    await scene.called({"tool": "refund"})
    await scene.seal()
    await scene.thief.execute("DELETE FROM qd.run_events")
    report = await scene.verify()
    assert (report.sealed, report.kept, report.erased, report.faults) == (1, 0, 1, 0)


async def test_an_erased_payload_leaves_the_chain_valid_and_the_erasure_in_it(scene):
    await scene.did("a", inputs={"iban": "DE02120300000000202051"})
    row = await _only_waiting(scene)
    with pytest.raises(NotSealed):
        await scene.audit.erase(scene.tenant, row, "key:owner", "asked to")
    await scene.seal()
    await scene.audit.erase(scene.tenant, row, "key:owner", "asked to")
    await scene.audit.erase(scene.tenant, row, "key:owner", "asked twice")
    await scene.seal()
    report = await scene.verify()
    assert (report.sealed, report.kept, report.erased, report.faults) == (2, 1, 1, 0)
    found = await scene.audit.find(scene.tenant, row)
    assert (found.payload, scene.audit.payload_of(scene.tenant, found)) == (None, "erased")
    assert (await scene.rows())[1].kind == "audit.erased"


async def test_what_stands_in_a_runs_log_is_not_erased_from_here(scene):
    await scene.called({"tool": "refund"})
    await scene.seal()
    with pytest.raises(PayloadInLog):
        await scene.audit.erase(scene.tenant, (await scene.rows())[0].id, "key:owner", "asked to")


SET_BACK = """
UPDATE qd.audit_heads SET position = s.position, hash = s.hash, at = s.at, signature = s.signature
FROM qd.audit_seals s WHERE s.position = 2
"""
ADDED = """
INSERT INTO qd.audit
SELECT (jsonb_populate_record(a, jsonb_build_object('position', 7, 'id', gen_random_uuid()))).*
FROM qd.audit a WHERE position = 6
"""
OTHER_PAYLOAD = """
UPDATE qd.audit_payloads p SET payload = '{}' FROM qd.audit a WHERE a.id = p.id AND a.position = 4
"""


@pytest.mark.parametrize(
    ("done", "found"),
    [
        ("UPDATE qd.audit SET actor = 'key:other' WHERE position = 3", [("changed", 3, 3)]),
        ("UPDATE qd.audit SET at = at + interval '1 microsecond' WHERE position = 5", [("changed", 4, 5)]),
        ("UPDATE qd.audit SET approved_by = '{person:eve}' WHERE position = 1", [("changed", 1, 1)]),
        ("UPDATE qd.audit SET mac = NULL WHERE position = 5", [("changed", 4, 5), ("payload_changed", 5, 5)]),
        ("DELETE FROM qd.audit WHERE position = 1", [("missing", 1, 1)]),
        ("DELETE FROM qd.audit WHERE position IN (3, 4)", [("missing", 3, 4)]),
        ("DELETE FROM qd.audit WHERE position = 6", [("missing", 6, 6)]),
        ("DELETE FROM qd.audit", [("missing", 1, 2), ("missing", 3, 6)]),
        (
            "UPDATE qd.audit SET position = 100 WHERE position = 4",
            [("missing", 4, 4), ("missing", 7, 99), ("not_signed", 7, 100)],
        ),
        (OTHER_PAYLOAD, [("payload_changed", 4, 4)]),
        (ADDED, [("changed", 7, 7), ("not_signed", 7, 7)]),
        (SET_BACK, [("out_of_order", 2, 6)]),
        ("UPDATE qd.audit_heads SET signature = '\\x00'", [("bad_signature", 6, 6)]),
        ("DELETE FROM qd.audit_heads", [("not_signed", 6, 6)]),
        ("DELETE FROM qd.audit_seals", []),
        ("DELETE FROM qd.audit_seals; DELETE FROM qd.audit_heads", [("not_signed", 1, 6)]),
    ],
)
async def test_whatever_is_done_to_the_tables_is_found_and_located(scene, done, found):
    """Two seals: one at position 2 and one at 6. Taking the older one away loses nothing that a head vouches for."""
    for number in range(6):
        await scene.did(f"a{number}", inputs={"n": number})
        if number == 1:
            await scene.seal()
    await scene.seal()
    assert await scene.found() == []
    await scene.thief.execute(done)
    assert await scene.found() == found


async def test_a_thief_who_recomputes_every_hash_still_can_not_sign(scene):
    for number in range(4):
        await scene.did(f"a{number}")
        await scene.seal()
    rows, before = await scene.rows(), GENESIS
    for row in rows:
        actor = "key:innocent" if row.position == 2 else row.actor
        await scene.thief.execute("UPDATE qd.audit SET actor = $2 WHERE position = $1", row.position, actor)
        changed = (await scene.rows())[row.position - 1]
        before = link(before, record_of(scene.tenant, changed, row.position, row.mac))
        await scene.thief.execute("UPDATE qd.audit SET hash = $2 WHERE position = $1", row.position, before)
        await scene.thief.execute("UPDATE qd.audit_seals SET hash = $2 WHERE position = $1", row.position, before)
    assert (await scene.found())[0] == ("bad_signature", 2, 2)


async def test_a_chain_cut_back_to_an_older_signed_head_is_found_by_whoever_kept_a_newer_one(scene):
    for number in range(3):
        await scene.did(f"a{number}")
        await scene.seal()
    kept = (await scene.audit.chain(scene.tenant)).head
    await scene.thief.execute(SET_BACK)
    await scene.thief.execute("DELETE FROM qd.audit WHERE position = 3")
    await scene.thief.execute("DELETE FROM qd.audit_seals WHERE position = 3")
    assert await scene.found() == []
    report = await scene.audit.verify(scene.tenant, kept.position, kept.hash)
    assert [(str(f.fault), f.first, f.last) for f in report.findings] == [("missing", 3, 3)]


async def test_a_worker_notices_that_a_chain_has_become_shorter(scene):
    sealer = Sealer(scene.database, scene.keys, None)
    for number in range(3):
        await scene.did(f"a{number}")
        await sealer.round()
    await scene.thief.execute(SET_BACK)
    await scene.thief.execute("DELETE FROM qd.audit WHERE position > 2")
    await scene.thief.execute("DELETE FROM qd.audit_seals WHERE position > 2")
    await scene.did("after")
    with capture_logs() as events:
        await sealer.round()
    assert [event["position"] for event in events if event["event"] == "audit.chain_was_cut"] == [3]


async def test_verifying_may_begin_at_any_signed_head(scene):
    for number in range(3):
        await scene.did(f"a{number}")
        await scene.did(f"b{number}")
        await scene.seal()
    report = await scene.audit.verify(scene.tenant, 4)
    assert (report.first, report.sealed, report.faults) == (5, 2, 0)
    with pytest.raises(NotASeal):
        await scene.audit.verify(scene.tenant, 3)


async def test_what_has_served_its_time_is_pruned_behind_a_signed_floor(scene):
    for number in range(3):
        await scene.did(f"a{number}", inputs={"n": number})
        await scene.seal()
    await scene.thief.execute("UPDATE qd.audit_seals SET at = at - interval '9 days' WHERE position <= 2")
    assert await prune(scene.database, scene.keys, datetime.now(UTC) - timedelta(days=8)) == 2
    assert [row.position for row in await scene.rows()] == [3]
    assert await scene.thief.fetchval("SELECT count(*) FROM qd.audit_payloads") == 1
    await scene.seal()
    report = await scene.verify()
    assert (report.first, report.sealed, report.faults, report.chain.floor.position) == (3, 2, 0, 2)
    assert (await scene.rows())[-1].kind == "audit.pruned"
    assert await prune(scene.database, scene.keys, datetime.now(UTC) - timedelta(days=8)) == 0


async def test_rows_removed_without_a_signed_floor_are_missing(scene):
    for number in range(3):
        await scene.did(f"a{number}")
        await scene.seal()
    await scene.thief.execute("DELETE FROM qd.audit WHERE position <= 2")
    await scene.thief.execute("DELETE FROM qd.audit_seals WHERE position <= 2")
    assert await scene.found() == [("missing", 1, 2)]
    await scene.thief.execute(
        "UPDATE qd.audit_heads SET floor = 2, floor_hash = hash, floor_at = at, floor_signer = signer,"
        " floor_signature = signature"
    )
    assert ("bad_signature", 2, 2) in await scene.found()


async def _only_waiting(scene):
    async with scene.database.tenant(scene.tenant) as tx:
        return await tx.fetchval("SELECT id FROM qd.audit_waiting")
