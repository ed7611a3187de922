"""Monthly partitions of the log."""

from datetime import UTC, datetime

import asyncpg
import pytest

from quarterdeck.core.ids import TenantId, uuid7, uuid7_floor
from quarterdeck.db.partitions import look_at_partitions, make_partitions
from tests.marks import on_every_postgres

TENANT = TenantId(uuid7())
EVENT = "INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, data) VALUES ($1, $2, 1, 1, 'x', '{}')"


def month(ahead: int) -> str:
    now = datetime.now(UTC)
    year, index = divmod(now.year * 12 + now.month - 1 + ahead, 12)
    return f"run_events_{year}_{index + 1:02}"


def in_month(ahead: int) -> int:
    """Unix milliseconds on the first of a month."""
    _, _, year, number = month(ahead).split("_")
    return int(datetime(int(year), int(number), 1, tzinfo=UTC).timestamp() * 1000)


@on_every_postgres
async def test_a_migrated_database_has_this_month_and_three_more(database):
    async with database.system.transaction() as tx:
        seen = await look_at_partitions(tx)
        assert await make_partitions(tx) == ()
    assert seen.months == tuple(month(ahead) for ahead in range(4))
    assert not seen.default_has_rows


@on_every_postgres
async def test_more_months_are_made_when_asked_for_and_only_those(database):
    async with database.system.transaction() as tx:
        assert await make_partitions(tx, 5) == (month(4), month(5))
        assert (await look_at_partitions(tx)).months[-1] == month(5)


async def test_the_servers_bounds_are_those_of_our_ids(database, owner_url):
    async with database.system.transaction() as tx:
        for ahead in (-600, 0, 3, 120):
            moment = datetime.fromtimestamp(in_month(ahead) / 1000, UTC)
            assert await tx.fetchval("SELECT qd.smallest_uuid7($1)", moment) == uuid7_floor(in_month(ahead))


async def test_an_event_goes_to_the_month_of_its_runs_id(database, owner_url):
    firsts = [uuid7_floor(in_month(ahead)) for ahead in range(4)]
    lasts = [uuid7_floor(in_month(ahead + 1) - 1) for ahead in range(4)]
    async with database.tenant(TENANT) as tx:
        for run in (*firsts, *lasts):
            await tx.execute(EVENT, TENANT, run)
    owner = await asyncpg.connect(owner_url)
    for ahead in range(4):
        rows = await owner.fetch(f"SELECT run FROM qd.{month(ahead)} ORDER BY run")
        assert [row["run"] for row in rows] == [firsts[ahead], lasts[ahead]]
    await owner.close()


async def test_a_double_is_refused_whichever_partition(database):
    for run in (uuid7(), uuid7(in_month(50))):
        async with database.tenant(TENANT) as tx:
            await tx.execute(EVENT, TENANT, run)
        with pytest.raises(asyncpg.UniqueViolationError):
            async with database.tenant(TENANT) as tx:
                await tx.execute(EVENT, TENANT, run)


async def test_rows_in_the_default_partition_are_reported_and_block_only_their_own_month(database):
    async with database.tenant(TENANT) as tx:
        await tx.execute(EVENT, TENANT, uuid7(in_month(4) + 1000))
    async with database.system.transaction() as tx:
        assert (await look_at_partitions(tx)).default_has_rows
        assert await make_partitions(tx, 6) == (month(5), month(6))


async def test_making_partitions_does_not_wait_for_those_who_append(database):
    async with database.tenant(TENANT) as appending:
        await appending.execute(EVENT, TENANT, uuid7())
        async with database.system.transaction() as tx:
            assert await make_partitions(tx, 4) == (month(4),)


@pytest.mark.parametrize("months", [-1, 1000])
async def test_a_senseless_number_of_months_is_refused(database, months):
    with pytest.raises(asyncpg.InvalidParameterValueError):
        async with database.system.transaction() as tx:
            await make_partitions(tx, months)
