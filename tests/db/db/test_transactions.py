"""Transactions: what commits, what does not, and what the caller hears."""

# ruff: noqa: PT012  # what is raised comes out of the end of a block of several statements

import asyncio

import asyncpg
import pytest

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.json import decode, encode_text
from quarterdeck.db.faults import CommitRefused, Contended, DatabaseAway, DatabaseBusy, LoginRefused, NoSuchDatabase
from quarterdeck.db.pool import Database, retrying
from quarterdeck.db.records import Tx, Urls
from quarterdeck.db.urls import urls_of, with_database

TENANT = TenantId(uuid7())
INSERT = "INSERT INTO qd.idempotency (tenant, key, digest) VALUES ($1, $2, '')"
KEYS = "SELECT key FROM qd.idempotency ORDER BY key"


async def keys(database: Database) -> list[str]:
    async with database.tenant(TENANT) as tx:
        return [row["key"] for row in await tx.fetch(KEYS)]


async def test_a_block_that_ends_commits(database):
    async with database.tenant(TENANT) as tx:
        assert await tx.execute(INSERT, TENANT, "a") == "INSERT 0 1"
        await tx.executemany(INSERT, [(TENANT, "b"), (TENANT, "c")])
    assert await keys(database) == ["a", "b", "c"]


async def test_a_block_that_raises_rolls_back_and_its_own_error_comes_out(database):
    with pytest.raises(ValueError, match="mine"):
        async with database.tenant(TENANT) as tx:
            await tx.execute(INSERT, TENANT, "a")
            raise ValueError("mine")
    assert await keys(database) == []


async def test_a_cancelled_block_rolls_back_and_its_connection_serves_on(database):
    inside = asyncio.Event()

    async def work():
        async with database.tenant(TENANT) as tx:
            await tx.execute(INSERT, TENANT, "a")
            inside.set()
            await tx.execute("SELECT pg_sleep(30)")

    task = asyncio.create_task(work())
    await inside.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys(database) == []


async def test_a_swallowed_failure_is_not_taken_for_a_commit(database):
    with pytest.raises(CommitRefused):
        async with database.tenant(TENANT) as tx:
            await tx.execute(INSERT, TENANT, "a")
            with pytest.raises(asyncpg.UniqueViolationError):
                await tx.execute(INSERT, TENANT, "a")
    assert await keys(database) == []


async def test_callbacks_are_called_after_the_commit_in_order_and_one_that_fails_hurts_nobody(database):
    called: list[str] = []

    def fail() -> None:
        raise RuntimeError("a callback's own fault")

    async with database.tenant(TENANT) as tx:
        await tx.execute(INSERT, TENANT, "a")
        tx.after_commit(lambda: called.append("first"))
        tx.after_commit(fail)
        tx.after_commit(lambda: called.append("last"))
        assert called == []
    assert called == ["first", "last"]


async def test_callbacks_of_a_rolled_back_transaction_are_never_called(database):
    called: list[str] = []
    with pytest.raises(ValueError):
        async with database.tenant(TENANT) as tx:
            tx.after_commit(lambda: called.append("never"))
            raise ValueError
    assert called == []


async def test_the_tenant_ends_with_its_transaction(database):
    async with database.tenant(TENANT) as tx:
        await tx.execute(INSERT, TENANT, "a")
    for _ in range(6):  # whichever connection it gets
        async with database.app.transaction() as tx:
            assert await tx.fetch(KEYS) == []


async def test_the_system_side_sees_every_tenant(database):
    other = TenantId(uuid7())
    for tenant in (TENANT, other):
        async with database.tenant(tenant) as tx:
            await tx.execute(INSERT, tenant, "a")
    async with database.system.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM qd.idempotency") == 2


async def test_json_goes_in_and_out_as_text(database):
    value = {"b": [1, 2.5, None, True], "a": "\N{SNOWMAN}"}
    async with database.tenant(TENANT) as tx:
        back = await tx.fetchval("SELECT $1::jsonb", encode_text(value))
        many = await tx.fetchval("SELECT $1::jsonb[]", [encode_text(value)])
    assert decode(back) == value
    assert [decode(one) for one in many] == [value]


async def test_rows_read_by_name_by_position_and_as_a_mapping(database):
    async with database.tenant(TENANT) as tx:
        row = await tx.fetchrow("SELECT $1::uuid AS id, 2 AS n", TENANT)
        assert await tx.fetchrow("SELECT 1 WHERE false") is None
    assert (row["id"], row[1], {**row}) == (TENANT, 2, {"id": TENANT, "n": 2})


async def test_a_deadlock_is_contended_and_retrying_gets_through(database):
    async with database.tenant(TENANT) as tx:
        await tx.executemany(INSERT, [(TENANT, "a"), (TENANT, "b")])
    both_hold_one = asyncio.Barrier(2)
    tries: list[str] = []

    async def lock_in_order(first: str, second: str) -> None:
        tries.append(first)
        async with database.tenant(TENANT) as tx:
            await tx.execute("UPDATE qd.idempotency SET status = 1 WHERE tenant = $1 AND key = $2", TENANT, first)
            if len(tries) <= 2:
                await both_hold_one.wait()
            await tx.execute("UPDATE qd.idempotency SET status = 1 WHERE tenant = $1 AND key = $2", TENANT, second)

    await asyncio.gather(
        retrying(lambda: lock_in_order("a", "b")),
        retrying(lambda: lock_in_order("b", "a")),
    )
    assert len(tries) >= 3  # on a busy machine the one that comes again may meet the other once more


async def test_retrying_gives_up_in_the_end():
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        raise Contended

    with pytest.raises(Contended):
        await retrying(work, attempts=3)
    assert calls == 3


async def test_a_changed_table_under_a_prepared_statement_is_contended_and_works_the_next_time(database, owner_url):
    owner = await asyncpg.connect(owner_url)
    await owner.execute("CREATE TABLE public.shape (a int); GRANT SELECT ON public.shape TO qd_app")

    async def read(tx: Tx) -> int:
        return len(await tx.fetch("SELECT * FROM public.shape"))

    async with database.tenant(TENANT) as tx:
        await read(tx)
    await owner.execute("ALTER TABLE public.shape ADD COLUMN b int")
    await owner.close()
    with pytest.raises(Contended):
        async with database.tenant(TENANT) as tx:
            await read(tx)
    async with database.tenant(TENANT) as tx:
        assert await read(tx) == 0


async def test_who_waits_too_long_for_a_connection_is_told_so(settings):
    database = await Database.open(urls_of(settings), size=1)
    database.app.pool._patience = 0.1
    try:
        async with database.tenant(TENANT) as tx:
            await tx.execute("SELECT 1")
            with pytest.raises(DatabaseBusy) as caught:
                await keys(database)
        assert caught.value.facts["connections"] == 1
        assert await keys(database) == []
    finally:
        await database.close()


async def test_many_transactions_share_few_connections_and_each_gets_its_turn(settings):
    database = await Database.open(urls_of(settings), size=3)

    async def one(number: int) -> int:
        async with database.tenant(TENANT) as tx:
            await tx.execute(INSERT, TENANT, f"{number:03}")
            return await tx.fetchval("SELECT pg_backend_pid()")

    pids = await asyncio.gather(*(one(number) for number in range(100)))
    assert len(set(pids)) == 3
    assert len(await keys(database)) == 100
    await database.close()


async def test_waiting_transactions_that_are_cancelled_lose_no_connection(settings):
    database = await Database.open(urls_of(settings), size=2)

    async def one() -> None:
        async with database.tenant(TENANT) as tx:
            await tx.execute("SELECT pg_sleep(0.002)")

    tasks = [asyncio.create_task(one()) for _ in range(60)]
    for number, task in enumerate(tasks):
        if number % 3 == 0:
            await asyncio.sleep(0.002)
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(5):
        await asyncio.gather(*(one() for _ in range(10)))
    await database.close()


async def test_a_connection_killed_by_the_server_is_an_absence_and_the_next_one_works(database, owner_url):
    owner = await asyncpg.connect(owner_url)
    with pytest.raises(DatabaseAway):
        async with database.tenant(TENANT) as tx:
            pid = await tx.fetchval("SELECT pg_backend_pid()")
            await owner.execute("SELECT pg_terminate_backend($1)", pid)
            await asyncio.sleep(0.1)
            await tx.execute(INSERT, TENANT, "a")
    await owner.close()
    assert await keys(database) == []


async def test_an_idle_connection_killed_by_the_server_is_noticed_before_it_is_lent(database, owner_url):
    await keys(database)
    owner = await asyncpg.connect(owner_url)
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'qd_app' AND datname = current_database()"
    )
    await owner.close()
    await asyncio.sleep(0.1)
    assert await keys(database) == []


async def test_a_transaction_that_stands_still_is_ended_by_the_server(settings, owner_url):
    owner = await asyncpg.connect(owner_url)
    await owner.execute(
        "DO $$ BEGIN EXECUTE format('ALTER ROLE qd_app IN DATABASE %I SET idle_in_transaction_session_timeout = 100',"
        " current_database()); END $$"
    )
    await owner.close()
    database = await Database.open(urls_of(settings))
    with pytest.raises(DatabaseAway):
        async with database.tenant(TENANT) as tx:
            await tx.execute(INSERT, TENANT, "a")
            await asyncio.sleep(0.5)
            await tx.execute(INSERT, TENANT, "b")
    assert await keys(database) == []
    await database.close()


async def test_the_roles_time_limits_are_set_on_the_server(database):
    names = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout", "timezone")
    async with database.app.transaction() as tx:
        found = [await tx.fetchval("SELECT current_setting($1)", name) for name in names]
    assert found == ["5s", "10s", "30s", "UTC"]


async def test_a_wrong_password_is_a_login_refused(settings):
    wrong = settings.model_copy(update={"secret_key": type(settings.secret_key)("another secret, as long")})
    with pytest.raises(LoginRefused):
        await Database.open(urls_of(wrong))


async def test_a_database_that_is_not_there_is_named_so(settings):
    gone = settings.model_copy(update={"database_url": with_database(settings.database_url, "nowhere")})
    with pytest.raises(NoSuchDatabase):
        await Database.open(urls_of(gone))


async def test_a_server_that_is_not_there_is_an_absence():
    url = "postgresql://qd_app:x@127.0.0.1:1/qd"
    with pytest.raises(DatabaseAway):
        await Database.open(Urls(owner=url, app=url, system=url, listen=url))


async def test_a_closed_database_refuses_and_does_not_hang(settings):
    database = await Database.open(urls_of(settings))
    await database.close()
    with pytest.raises(DatabaseAway):
        await keys(database)
