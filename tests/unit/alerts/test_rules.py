"""Alerts begin once, go on while the trouble does, and end when it is clearly over."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.alerts.records import Facts, Kind, Presumed, Severity, Trouble
from quarterdeck.alerts.rules import judge
from tests.unit.alerts.made import ACME, BEGAN, NOW, RENEWS, USD, Deck, account, hours, of_user

LATE = RENEWS - timedelta(minutes=10)


@pytest.mark.parametrize(("spent", "level"), [(4.9, None), (5.0, 50), (7.9, 50), (8.0, 80), (10.0, 100), (12.0, 100)])
def test_the_highest_level_that_is_reached_is_told(spent: float, level: int | None):
    begun = [one for one in judge(Facts(LATE, (account(spent),)), []).begun if one.kind is Kind.THRESHOLD]
    assert [one.facts["level"] for one in begun] == ([] if level is None else [level])


def test_a_level_is_told_once_in_a_window():
    deck = Deck()
    assert deck.look(account(8.1), at=LATE) == ["Budget all-day: $8.10 of $10.00 used (81 %), renews in 10 min."]
    assert deck.look(account(8.4), at=LATE) == []
    assert deck.look(account(9.7), at=LATE) == []
    assert len(deck.standing) == 1


def test_the_next_level_takes_the_place_of_the_one_before():
    deck = Deck()
    deck.look(account(8.1), at=LATE)
    assert len(deck.look(account(10.0), at=LATE)) == 1
    assert deck.ended == ["the next level was reached"]
    assert [one.severity for one in deck.standing] == [Severity.CRITICAL]


def test_a_new_window_ends_it_and_may_tell_it_again():
    deck = Deck()
    deck.look(account(8.1), at=LATE)
    tomorrow: dict[str, Any] = {"began_at": RENEWS, "renews_at": RENEWS + timedelta(days=1)}
    assert deck.look(account(0.0, **tomorrow), at=RENEWS) == []
    assert deck.ended == ["its window is over"]
    assert len(deck.look(account(8.1, **tomorrow), at=RENEWS + timedelta(hours=23))) == 1


def test_a_raised_limit_ends_it_and_its_own_levels_are_news():
    deck = Deck()
    deck.look(account(10.0), at=LATE)
    assert deck.look(account(10.0, limit=40.0), at=LATE) == []
    assert deck.ended == ["its limit was changed"]
    assert len(deck.look(account(33.0, limit=40.0), at=LATE)) == 1


def test_money_that_is_given_back_does_not_make_it_flicker():
    deck = Deck()
    deck.look(account(8.0), at=LATE)
    for spent in (7.9, 8.0, 7.6, 8.1):
        assert deck.look(account(spent), at=LATE) == []
        assert deck.ended == []
    deck.look(account(7.4), at=LATE)
    assert "less is used than was reckoned" in deck.ended


def test_a_removed_budget_ends_its_alerts():
    deck = Deck()
    deck.look(account(8.1), at=LATE)
    deck.look(at=LATE)
    assert (deck.ended, deck.standing) == (["little of it is used, or it was removed"], [])


def test_the_last_of_a_limit_counts_as_used_since_nobody_can_spend_it():
    deck = Deck()
    assert deck.look(account(9.8), at=LATE) == ["Budget all-day: $9.80 of $10.00 used (98 %), renews in 10 min."]
    assert deck.standing[0].severity is Severity.CRITICAL


def test_accounts_that_are_told_by_themselves_are_told_apart():
    deck = Deck()
    both = [account(8.1, budget="agents", scope="agent", one=one, agent=one) for one in ("desk", "till")]
    assert len(deck.look(*both, at=LATE)) == 2
    assert [(alert.subject, alert.agent) for alert in deck.standing] == [
        ("budget:agents:desk", "desk"),
        ("budget:agents:till", "till"),
    ]


def test_money_and_tokens_of_one_budget_are_told_apart():
    deck = Deck()
    tokens = account(unit="tokens", limit=0, spent=0)
    assert len(deck.look(account(8.1), replace(tokens, limit=100, spent=90), at=LATE)) == 2
    assert [alert.facts["unit"] for alert in deck.standing] == ["micro_usd", "tokens"]
    deck.look(account(8.1), replace(tokens, limit=100, spent=10), at=LATE)
    assert deck.ended == ["less is used than was reckoned"]


def test_many_users_at_a_level_are_one_alert_that_names_the_first_of_them():
    deck = Deck()
    users = [of_user(f"u{n}", 8.0 + n / 10) for n in range(9)]
    (said,) = deck.look(*users, at=LATE)
    assert said == (
        "9 users have used 80 % of budget each-user or more; most used $8.80 of $10.00 by u8, renews in 10 min."
    )
    facts: Any = deck.standing[0].facts
    assert [one["account"] for one in facts["accounts"]] == ["u8", "u7", "u6", "u5", "u4"]
    assert deck.look(*users, of_user("u9", 8.0), at=LATE) == []
    assert [alert.count for alert in deck.standing] == [10]


def test_those_near_the_next_level_stay_with_theirs_when_others_have_reached_it():
    deck = Deck()
    users = [of_user("ann", 10.0), of_user("bob", 9.7, alike=40)]
    assert len(deck.look(*users, at=LATE)) == 2
    assert deck.look(*users, at=LATE) == []
    assert deck.ended == []
    assert sorted(alert.count for alert in deck.standing) == [1, 40]


def test_levels_are_those_that_the_budget_names():
    assert Deck().look(account(9.9, alert_at=()), at=LATE) == []
    assert len(Deck().look(account(9.1, alert_at=(90,)), at=LATE)) == 1


def test_a_budget_of_nothing_is_used_up_from_the_start():
    assert len(Deck().look(account(0.0, limit=0.0), at=LATE)) == 1


def test_a_budget_that_will_not_last_is_told_before_it_hurts():
    deck = Deck()
    said = deck.look(account(6.0, alert_at=()))
    assert said == ["Budget all-day will be used up in 8 h at this pace: $4.00 left, renews in 12 h."]
    assert deck.look(account(6.1, alert_at=())) == []


@pytest.mark.parametrize(
    ("spent", "passed"),
    [(4.0, timedelta(hours=12)), (9.0, timedelta(hours=23)), (1.5, timedelta(hours=1)), (2.5, timedelta(hours=2))],
    ids=["slow enough", "renews first", "little is used", "too early to say"],
)
def test_nothing_is_projected_that_proves_nothing(spent: float, passed: timedelta):
    assert Deck().look(account(spent, alert_at=()), at=BEGAN + passed) == []


def test_a_projection_at_the_border_does_not_flicker():
    deck = Deck()
    assert len(deck.look(account(5.4, alert_at=()))) == 1
    for spent in (5.1, 5.4, 5.05):
        assert deck.look(account(spent, alert_at=())) == []
        assert deck.ended == []
    deck.look(account(4.5, alert_at=()))
    assert deck.ended == ["spending has slowed down"]
    assert deck.look(account(5.4, alert_at=())) == [], "the same is not told twice on a day"


def test_a_budget_that_never_renews_is_told_a_day_ahead():
    total = {"renews_at": None, "window": "total", "alert_at": ()}
    assert Deck().look(account(3.0, **total)) == []
    assert len(Deck().look(account(3.5, **total))) == 1


def test_nobody_is_told_of_each_users_pace():
    assert Deck().look(of_user("ann", 6.0, alert_at=())) == []


def test_spending_beyond_reservations_is_told_once_a_window():
    deck = Deck()
    (said,) = deck.look(account(1.0, uncovered=20_000), at=LATE)
    assert said == "Budget all-day: calls cost $0.0200 more than was reserved for them."
    assert deck.look(account(1.0, uncovered=50_000), at=LATE + timedelta(minutes=2)) == []
    assert deck.standing[0].words == "Budget all-day: calls cost $0.0500 more than was reserved for them."


def test_a_jump_against_the_same_hour_of_the_days_before_is_told():
    deck = Deck()
    said = deck.look(hours=(hours(9.0, 2.0, 3.0, 2.5),))
    assert said == ["The tenant spent $9.00 in the last hour; $2.50 usual at this hour."]
    assert deck.look(hours=(hours(6.0, 2.0, 3.0, 2.5),)) == []
    assert deck.ended == [], "it is over below twice the usual only"
    deck.look(hours=(hours(4.0, 2.0, 3.0, 2.5),))
    assert deck.ended == ["it is over"]


@pytest.mark.parametrize(
    "quiet",
    [hours(7.0, 2.0, 3.0, 2.5), hours(0.9, 0.0, 0.0, 0.0), hours(9.0), hours(9.0, before=2.0), hours(9.0, 1.0, 1.0)],
    ids=["not thrice", "not worth it", "nothing to compare with", "not five times the hour before", "too few days"],
)
def test_no_jump_is_made_of_what_may_be_usual(quiet: object):
    assert Deck().look(hours=(quiet,)) == []


def test_without_history_the_hour_before_is_compared_with():
    said = Deck().look(hours=(hours(11.0, 1.0, before=2.0),))
    assert said == ["The tenant spent $11.00 in the last hour; $2.00 in the hour before."]


def test_calls_without_an_answer_are_told_by_agent_and_day():
    deck = Deck()
    lost = Presumed(ACME, "desk", 2, 30_000, NOW)
    assert deck.look(presumed=(lost,)) == ["2 calls of agent desk never got an answer; $0.0300 is presumed spent."]
    assert deck.look(presumed=(replace(lost, calls=3),)) == []
    assert [alert.count for alert in deck.standing] == [3]
    assert len(deck.look(presumed=(replace(lost, last_at=NOW + timedelta(days=1)),))) == 1


def test_trouble_with_a_provider_is_the_deployments_own():
    deck = Deck()
    away = Trouble(Kind.OPEN, "openai", "gpt-x", until=NOW + timedelta(seconds=40))
    assert deck.look(troubles=(away,)) == ["Model openai/gpt-x fails again and again and is left alone for 40 s."]
    assert [alert.tenant for alert in deck.standing] == [None]
    busy = Trouble(Kind.THROTTLED, "openai", waiting=12, longest=34.0)
    said = deck.look(troubles=(busy,))
    assert said == ["Provider openai is at its limit: 12 runs wait for their turn, the first for 34 s."]
    assert deck.ended == ["it is over"]


def test_waiting_for_a_provider_is_told_when_it_lasts_and_over_when_it_is_short_again():
    deck = Deck()
    for longest, told, over in ((29.0, 0, []), (31.0, 1, []), (12.0, 0, []), (9.0, 0, ["it is over"])):
        assert len(deck.look(troubles=(Trouble(Kind.THROTTLED, "p", "m", 3, longest),))) == told
        assert deck.ended == over


amounts = st.integers(0, 20 * USD)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), amounts, amounts), max_size=6))
def test_the_same_facts_again_change_nothing(drawn: list[tuple[str, int, int]]):
    accounts = [
        replace(of_user("ann", 0), budget=budget, one=f"u{n}", spent=spent, limit=limit)
        for n, (budget, spent, limit) in enumerate(drawn)
    ]
    deck = Deck()
    deck.look(*accounts)
    assert deck.look(*accounts) == []
    assert (deck.last.begun, deck.last.going_on, deck.last.ended) == ((), (), ())
    deck.look()
    assert deck.standing == []
