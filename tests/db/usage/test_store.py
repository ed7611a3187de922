"""The ledger on a real database: what is appended twice counts once, and the provider's word goes before a guess."""

from quarterdeck.core.ids import ThreadId, uuid7
from quarterdeck.db.pool import Database
from quarterdeck.usage import store
from quarterdeck.usage.records import State

ALL = "SELECT * FROM qd.usage WHERE tenant = $1 ORDER BY call, attempt, tried"


async def entered(database: Database, tenant, *batches):
    for batch in batches:
        async with database.tenant(tenant) as tx:
            await store.enter(tx, batch)
    async with database.tenant(tenant) as tx:
        return await tx.fetch(ALL, tenant)


async def test_a_row_comes_back_as_it_was_entered(database, tenant, row):
    said = row(
        thread=ThreadId(uuid7()),
        tools=("look up", 'say "hi"', "back\\slash", "{a,b}", "look up"),
        tags={"plan": "gold", "ünï": "✓"},
        purpose="summary",
        route="quick",
        served_model="gpt",
        cache_read=400,
        reasoning=7,
        saved_cache=-3,
        trimmed_tokens=12,
        ms=900,
    )
    (kept,) = await entered(database, tenant, [said])
    assert kept["tools"] == ["look up", 'say "hi"', "back\\slash", "{a,b}"]
    assert kept["tags"] == '{"plan": "gold", "ünï": "✓"}'
    assert (kept["run"], kept["thread"], kept["at"]) == (said.run, said.thread, said.at)
    assert (kept["cost_micro_usd"], kept["priced"], kept["state"]) == (2800, True, "spent")
    assert (kept["cache_read"], kept["reasoning"], kept["saved_cache"], kept["trimmed_tokens"]) == (400, 7, -3, 12)


async def test_the_same_append_again_counts_once(database, tenant, row):
    said = row()
    assert len(await entered(database, tenant, [said], [said], [said, said])) == 1


async def test_another_attempt_try_or_call_counts_by_itself(database, tenant, row):
    said = row()
    others = [row(run=said.run, attempt=2), row(run=said.run, tried=2), row(run=said.run, call="m2")]
    assert len(await entered(database, tenant, [said, *others])) == 4


async def test_the_providers_word_takes_the_place_of_a_presumption_and_never_the_other_way(database, tenant, row):
    guess = row(state=State.PRESUMED, cost=90_000)
    truth = row(run=guess.run, cost=500, input=10)
    (kept,) = await entered(database, tenant, [guess], [truth], [guess], [row(run=guess.run, cost=7)])
    assert (kept["state"], kept["cost_micro_usd"], kept["input"]) == ("spent", 500, 10)


async def test_a_presumption_and_the_word_in_one_append_leave_the_word(database, tenant, row):
    guess = row(state=State.PRESUMED, cost=90_000)
    truth = row(run=guess.run, cost=500)
    (kept,) = await entered(database, tenant, [guess, truth, guess])
    assert (kept["state"], kept["cost_micro_usd"]) == ("spent", 500)


async def test_a_call_without_a_price_costs_nothing_and_says_so(database, tenant, row):
    (kept,) = await entered(database, tenant, [row(cost=None)])
    assert (kept["cost_micro_usd"], kept["priced"]) == (0, False)


async def test_absurd_counts_of_a_provider_keep_no_event_out_of_the_log(database, tenant, row):
    (kept,) = await entered(database, tenant, [row(input=10**30, output=-5, cost=2**80, ms=2**40)])
    assert (kept["input"], kept["output"], kept["cost_micro_usd"], kept["ms"]) == (10**15, 0, 10**15, 2**31 - 1)


async def test_nothing_to_enter_asks_nothing(database: Database, tenant):
    await database.close()
    await store.enter(None, [])  # pyright: ignore[reportArgumentType]  # it is not asked
