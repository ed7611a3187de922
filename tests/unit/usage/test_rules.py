"""What may be asked, and what answers mean in words."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from quarterdeck.core.errors import Invalid
from quarterdeck.usage import rules
from quarterdeck.usage.records import Every, Filters, Question, Spender, SpentRun, Spread, Usual
from quarterdeck.usage.store_reports import DIMENSIONS

AT = datetime(2026, 11, 3, tzinfo=UTC)
MONTH = Filters(AT - timedelta(days=30), AT)
USUAL = Usual("desk", 100, 1000.0, 5.0, 0.0, 900.0, 100.0, 0.2, math.log(1000), 0.1, 0.1)
RUN = SpentRun("acme", uuid4(), "desk", "ann", AT, 1000, 5, 0, 4500, 500, 1200)


def test_keys_are_read_once_each_in_order():
    assert rules.read_by(" agent, tag:plan ,agent", DIMENSIONS) == ("agent", "tag:plan")
    assert rules.read_by("", DIMENSIONS) == ()


@pytest.mark.parametrize(
    "wrong", ["planet", "tag:", "tag:" + "x" * 65, "tag:a\nb", "agent;drop", "agent,user,run,step,model,tool,route"]
)
def test_what_usage_can_not_be_told_apart_by_is_refused(wrong: str):
    with pytest.raises(Invalid, match=r"query\.by"):
        rules.read_by(wrong, DIMENSIONS)


def test_tags_are_names_with_values_that_may_hold_anything():
    assert rules.read_tags(["plan=gold", "note=a=b", "empty="]) == (("plan", "gold"), ("note", "a=b"), ("empty", ""))
    for wrong in ("plan", "=gold"):
        with pytest.raises(Invalid):
            rules.read_tags([wrong])


@pytest.mark.parametrize(
    "wrong", ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime", "UTC\x00", "localtime", "right/UTC"]
)
def test_a_zone_that_nobody_knows_is_refused(wrong: str):
    assert rules.check_zone("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(Invalid, match="time zone"):
        rules.check_zone(wrong)


def test_a_report_with_too_many_lines_is_refused_before_it_is_made():
    hourly = Question(MONTH, ("user",), Every.HOUR, top=20)
    assert rules.check_size(hourly) is hourly
    with pytest.raises(Invalid, match="50,000 lines"):
        rules.check_size(replace(hourly, top=1000))
    assert rules.check_size(replace(hourly, every=Every.DAY, top=1000))
    with pytest.raises(Invalid, match="not after since"):
        rules.check_size(Question(Filters(AT, AT)))


def spread(*costs: int) -> Spread:
    spenders = [Spender("acme", f"u{place}", place, cost, 1, sum(costs[:place])) for place, cost in enumerate(costs, 1)]
    reached = {share: spenders[math.ceil(len(costs) * share) - 1] for share in (0.001, 0.01, 0.1)}
    return Spread(len(costs), sum(costs), 0.5, tuple(spenders[:2]), reached)


def test_the_spread_is_said_in_sentences_that_are_true():
    assert rules.say_spread(spread(*[910] + [1] * 90 + [0] * 909), "user") == [
        "0.1 % of users (1 of 1,000) makes 91 % of the cost.",
        "1 % of users (10 of 1,000) make 92 % of the cost.",
        "10 % of users (100 of 1,000) make 100 % of the cost.",
    ]


def test_a_share_that_is_less_than_one_spender_is_not_spoken_of():
    assert rules.say_spread(spread(80, *[1] * 20), "agent") == ["10 % of agents (3 of 21) make 82 % of the cost."]
    assert rules.say_spread(spread(3, 1), "agent") == ["1 of 2 agents makes 75 % of the cost."]
    assert rules.say_spread(Spread(0, 0, 0.0, (), {}), "user") == []


def test_a_run_with_three_times_the_steps_costs_more_because_of_its_steps():
    found = rules.judge(replace(RUN, cost=3000, calls=15, input=13_500, output=1500), USUAL)
    assert found.times == pytest.approx(3)
    assert found.z == pytest.approx(0.6745 * math.log(3) / 0.1)
    assert [cause.cause for cause in found.causes] == ["steps"]
    assert found.why == "3.0 times what a run of desk usually costs ($0.0010): 15 calls where 5 are usual."


def test_a_context_that_grew_a_longer_output_a_dearer_model_and_retries_are_told_apart():
    grown = rules.judge(replace(RUN, cost=5000, input=45_000, peak=30_000), USUAL)
    assert [cause.cause for cause in grown.causes] == ["context"]
    assert "9,000 tokens read a call, up to 30,000 where 900 are usual: its context grew" in grown.why
    wordy = rules.judge(replace(RUN, cost=3000, output=10_000), USUAL)
    assert [cause.cause for cause in wordy.causes] == ["output"]
    dear = rules.judge(replace(RUN, cost=8000, models=(("opus", 8000),)), USUAL, "haiku")
    assert [cause.cause for cause in dear.causes] == ["price"]
    assert "a token costs 8.0 times the usual (mostly opus, not haiku)" in dear.why
    again = rules.judge(replace(RUN, cost=2000, calls=10, repeated=5, input=9000, output=1000), USUAL)
    assert [cause.cause for cause in again.causes] == ["retries"]
    assert "5 of its 10 calls were made again" in again.why


def test_the_largest_factor_is_told_first():
    found = rules.judge(replace(RUN, cost=60_000, calls=10, input=150_000, output=1000, models=(("opus", 1),)), USUAL)
    assert [cause.cause for cause in found.causes] == ["context", "steps", "price"]
    assert [cause.times for cause in found.causes] == sorted((cause.times for cause in found.causes), reverse=True)


def test_where_all_runs_cost_the_same_the_distance_is_measured_by_what_little_there_is():
    found = rules.judge(replace(RUN, cost=4000), replace(USUAL, mad=0.0, deviation=0.2))
    assert found.z == pytest.approx(math.log(4) / (1.2533 * 0.2))
    assert rules.judge(replace(RUN, cost=4000), replace(USUAL, mad=0.0, deviation=0.0)).z == 999.0
