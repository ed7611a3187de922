"""What runs may spend, in a real worker: paid before it is asked, saved in steps, and a last answer at the end."""

import asyncio
from collections.abc import Mapping

import pytest

from quarterdeck.core.ids import RunId
from quarterdeck.core.json import Json
from quarterdeck.releases.records import BudgetLimit, GuardrailRule, Limits, ModelPin, Route
from quarterdeck.runs import events as e
from quarterdeck.runs.records import Run, Status
from tests.db.worker.station import Station

USD = 1_000_000
PRICES: Mapping[str, Json] = {"*": {"input": 2, "output": 8}}
"""USD per million tokens."""
LOOK: Mapping[str, Json] = {
    "steps": [
        {
            "call": "look",
            "arguments": {"n": "{n}"},
            "times": 50,
            "usage": {"input": 2_000, "output": 100},
            "cost": 4_800,
        }
    ],
    "beside": {"closing": {"text": "I looked at some of it.", "usage": {"input": 900, "output": 40}, "cost": 2_120}},
}


@pytest.fixture(autouse=True)
def priced(station: Station) -> None:
    station.prices = PRICES
    station.limits = Limits(max_steps=60, max_tool_calls=100, max_repeats=100)


def of_run(usd: float) -> tuple[BudgetLimit, ...]:
    return (BudgetLimit("run", "total", int(usd * USD), None),)


async def spent_and_held(station: Station, run: RunId) -> tuple[int, int]:
    """What the books say that a run has spent, and holds."""
    async with station.database.system.transaction() as tx:
        row = await tx.fetchrow(
            "SELECT coalesce(sum(cost_micro_usd), 0)::bigint AS spent FROM qd.usage WHERE tenant = $1 AND run = $2",
            station.tenant,
            run,
        )
        held = await tx.fetchval(
            "SELECT count(*) FROM qd.budget_reservations WHERE tenant = $1 AND run = $2 AND state = 'reserved'",
            station.tenant,
            run,
        )
    assert row is not None
    return row["spent"], held


async def last(station: Station, run: RunId) -> e.RunFinished:
    finished = (await station.events(run))[-1]
    assert isinstance(finished, e.RunFinished)
    return finished


async def test_a_run_that_has_spent_its_budget_ends_with_a_last_answer_and_a_handoff(station: Station) -> None:
    station.budgets = of_run(0.10)
    run = await station.submit()
    async with station.worker(LOOK):
        ended = await station.until(run)
    assert (ended.status, ended.reason) == (Status.STOPPED, "budget")
    finished = await last(station, run)
    assert finished.text == "I looked at some of it."
    assert finished.handoff is not None
    assert finished.handoff.done[0].startswith("look (n: 1)")
    assert "this run's budget of $0.1000 is used up" in finished.handoff.why
    spent, held = await spent_and_held(station, run)
    assert 0 < spent == ended.cost <= 0.10 * USD
    assert held == 0
    asked = [event for event in await station.events(run) if isinstance(event, e.ModelCalled)]
    assert asked[-1].purpose == "closing"
    assert all("budget" in event.decision.checks for event in asked)
    assert all(event.reserved > 0 for event in asked)


async def test_the_model_is_told_what_is_left_once_it_is_worth_knowing(station: Station) -> None:
    station.budgets = of_run(0.10)
    run = await station.submit()
    async with station.worker(LOOK):
        await station.until(run)
    told = [event.notice for event in await station.events(run) if isinstance(event, e.ModelCalled)]
    assert told[0] == ""
    assert any("$0." in notice and "run budget" in notice for notice in told)


async def test_a_run_goes_on_with_the_cheaper_model_before_it_ends(station: Station) -> None:
    station.budgets = of_run(0.15)
    station.prices = {"scripted-1": {"input": 2, "output": 8}, "small-1": {"input": 0.1, "output": 0.4}}
    station.routes = (Route("quick", ModelPin("script", "small-1")),)
    station.cheaper = "quick"
    run = await station.submit()
    async with station.worker(LOOK):
        ended = await station.until(run)
    asked = [event for event in await station.events(run) if isinstance(event, e.ModelCalled)]
    models = [event.model for event in asked]
    assert models[0] == "scripted-1"
    assert "small-1" in models
    assert models.index("small-1") > 1
    first_cheap = asked[models.index("small-1")]
    assert (first_cheap.route, first_cheap.degree) == ("quick", "cheaper")
    assert ended.status is Status.STOPPED


async def test_without_a_last_answer_the_user_is_told_from_the_log(station: Station) -> None:
    station.budgets = of_run(0.10)
    run = await station.submit()
    async with station.worker({"steps": LOOK["steps"]}):
        ended = await station.until(run)
    assert (ended.status, ended.reason) == (Status.STOPPED, "budget")
    text = (await last(station, run)).text
    assert "I had to stop before this was finished: this run's budget of $0.1000 is used up" in text
    assert "- look (n: 1)" in text
    assert (await spent_and_held(station, run))[1] == 0


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_steps=2, max_repeats=100), "steps"),
        (Limits(max_tool_calls=2, max_repeats=100), "calls"),
        (Limits(max_tokens=4_000, max_repeats=100), "tokens"),
        (Limits(max_repeats=2), "loop"),
    ],
)
async def test_every_limit_ends_with_a_last_answer(station: Station, limits: Limits, reason: str) -> None:
    station.limits = limits
    same = {**LOOK, "steps": [{"call": "look", "times": 50, "usage": {"input": 2_000, "output": 100}}]}
    run = await station.submit()
    async with station.worker(same if reason == "loop" else LOOK):
        ended = await station.until(run)
    assert (ended.status, ended.reason) == (Status.STOPPED, reason)
    assert (await last(station, run)).text == "I looked at some of it."
    assert ended.steps_used <= limits.max_steps


async def test_a_budget_that_is_too_small_for_one_question_asks_nothing_and_says_so(station: Station) -> None:
    station.budgets = of_run(0.000_001)
    run = await station.submit()
    async with station.worker(LOOK):
        ended = await station.until(run)
    assert (ended.status, ended.reason, ended.cost) == (Status.STOPPED, "budget", 0)
    assert "less than a question costs" in (await last(station, run)).text
    assert await spent_and_held(station, run) == (0, 0)


async def test_where_money_is_limited_a_model_without_a_price_is_not_asked(station: Station) -> None:
    station.budgets, station.prices = of_run(1), None
    run = await station.submit()
    async with station.worker(LOOK):
        ended = await station.until(run)
    assert (ended.status, ended.error_code) == (Status.FAILED, "model.price")
    assert "`prices`" in ended.why


async def test_runs_of_one_user_share_what_the_user_may_spend(station: Station) -> None:
    station.budgets = (BudgetLimit("user", "day", int(0.2 * USD), None),)
    runs = [await station.submit() for _ in range(8)]
    async with station.worker(LOOK):
        ended = [await station.until(run, within=30) for run in runs]
    assert {one.reason for one in ended} == {"budget"}
    books = [await spent_and_held(station, run) for run in runs]
    assert sum(spent for spent, _ in books) <= 0.2 * USD
    assert sum(held for _, held in books) == 0


async def test_a_child_spends_from_its_parents_budget(station: Station) -> None:
    station.budgets = of_run(0.10)
    busy = {"steps": [{"call": "look", "arguments": {"n": "{n}"}, "times": 50, "cost": 9_000}]}
    run = await station.submit()
    async with station.worker(
        {"steps": [{"call": "delegate", "arguments": {"task": "look around"}}, {"text": "done"}]}, helper=busy
    ):
        ended = await station.until(run, within=30)
    async with station.database.system.transaction() as tx:
        rows = await tx.fetch(
            "SELECT run, sum(cost_micro_usd)::bigint AS cost FROM qd.usage "
            "WHERE tenant = $1 AND root_run = $2 GROUP BY run",
            station.tenant,
            run,
        )
    assert len(rows) == 2
    assert sum(row["cost"] for row in rows) <= 0.10 * USD
    assert ended.status in {Status.SUCCEEDED, Status.STOPPED}


async def test_what_a_dead_worker_asked_is_presumed_spent(station: Station) -> None:
    station.budgets = of_run(1)
    slow = {"steps": [{"text": "done", "latency_ms": 60_000}]}
    run = await station.submit()
    async with station.worker(slow) as shift:
        async with asyncio.timeout(15):
            while "model.called" not in await station.kinds(run):
                await asyncio.sleep(0.01)
            await station.expire_leases()
            while not shift.post_is_over():
                await asyncio.sleep(0.05)
    async with station.worker({"steps": [{"text": "done", "cost": 500}]}):
        ended = await station.until(run, within=30)
    assert ended.status is Status.SUCCEEDED
    events = await station.events(run)
    lost = next(event for event in events if isinstance(event, e.ModelFailed))
    assert (lost.code, lost.presumed > 0) == ("lost", True)
    assert ended.cost == lost.presumed + 500
    assert await spent_and_held(station, run) == (lost.presumed + 500, 0)


async def test_a_provider_that_fails_is_stood_in_for_by_a_fallback(station: Station) -> None:
    station.routes = (Route("backup", ModelPin("help", "h-1")),)
    station.fallbacks = ("backup",)
    run = await station.submit()
    async with station.worker(
        {"steps": [{"fault": "quota", "times": 9}]}, helper={"steps": [{"text": "from the other"}]}
    ):
        ended: Run = await station.until(run)
    assert ended.status is Status.SUCCEEDED
    asked = [event for event in await station.events(run) if isinstance(event, e.ModelCalled)]
    assert [event.route for event in asked] == ["main", "backup"]
    assert "falls back to `backup`" in asked[1].route_why
    assert (await last(station, run)).text == "from the other"


async def test_a_provider_with_too_much_to_do_is_waited_for_and_counts_as_no_failure(station: Station) -> None:
    busy = {"steps": [{"fault": "rate_limited", "retry_after": 0.01, "times": 40}, {"text": "at last"}]}
    run = await station.submit()
    async with station.worker(busy):
        parked = await station.until(run, Status.WAITING_FOR_RETRY, within=30)
        assert parked.reason == "pace"


async def test_a_last_question_that_died_with_its_worker_is_presumed_spent_and_not_asked_again(
    station: Station,
) -> None:
    station.budgets = of_run(0.10)
    hanging = {**LOOK, "beside": {"closing": {"text": "never heard", "latency_ms": 60_000}}}
    run = await station.submit()
    async with station.worker(hanging) as shift:
        async with asyncio.timeout(20):
            while not any(one.purpose for one in await asked_in(station, run)):
                await asyncio.sleep(0.02)
            await station.expire_leases()
            while not shift.post_is_over():
                await asyncio.sleep(0.05)
    async with station.worker(LOOK):
        ended = await station.until(run, within=30)
    assert (ended.status, ended.reason) == (Status.STOPPED, "budget")
    asked = await asked_in(station, run)
    assert [one.purpose for one in asked].count("closing") == 1
    spent, held = await spent_and_held(station, run)
    assert (spent, held) == (ended.cost, 0)
    answered = sum(event.cost or 0 for event in await station.events(run) if isinstance(event, e.ModelAnswered))
    assert spent == answered + asked[-1].reserved <= 0.10 * USD


async def asked_in(station: Station, run: RunId) -> list[e.ModelCalled]:
    return [event for event in await station.events(run) if isinstance(event, e.ModelCalled)]


async def test_what_the_log_says_in_the_models_place_passes_the_guardrails_too(station: Station) -> None:
    station.budgets = of_run(0.10)
    station.guardrails = (GuardrailRule("pii", "output", "pii", "redact", {"kinds": ["email"]}),)
    run = await station.submit("Write to bob@example.com about it.")
    async with station.worker({"steps": LOOK["steps"]}):
        ended = await station.until(run)
    assert (ended.status, ended.reason) == (Status.STOPPED, "budget")
    text = (await last(station, run)).text
    assert "I had to stop" in text
    assert "bob@example.com" not in text
