"""A provider's bill beside the ledger: what agrees, what differs, and the likeliest cause first."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.spec.exports import ExportDay
from quarterdeck.usage.reconciling import Kind, compare
from quarterdeck.usage.records import DaySums

DAY = date(2026, 11, 3)
NEXT = DAY + timedelta(days=1)


def ours(day: date = DAY, model: str = "gpt-4.1-2025-04-14", **said: int) -> DaySums:
    plain = {"calls": 10, "input": 1000, "output": 100, "cached": 400, "cost": 5000}
    return DaySums(day, model, **{**plain, "presumed_calls": 0, "presumed": 0, "unpriced_calls": 0, **said})


def theirs(day: date = DAY, model: str = "gpt-4.1-2025-04-14", **said: int | None) -> ExportDay:
    plain: dict[str, int | None] = {"calls": 10, "input": 1000, "output": 100, "cached": 400, "cost": 5000}
    return ExportDay(day, model, **{**plain, **said})


def test_what_is_the_same_on_both_sides_agrees():
    found = compare([ours()], [theirs()], 0.0)
    assert (found.agreed, found.differences, found.our_cost, found.their_cost) == (1, (), 5000, 5000)


def test_several_rows_of_an_export_are_added_up():
    usage, cost = (
        theirs(input=600, output=60, cached=400, cost=None),
        theirs(input=400, output=40, cached=None, cost=5000),
    )
    assert compare([ours()], [usage, cost], 0.0).agreed == 1


def test_what_an_export_does_not_say_is_not_compared():
    assert compare([ours()], [theirs(input=None, output=None, cached=None)], 0.0).agreed == 1
    assert compare([ours()], [theirs(cost=None)], 0.0).their_cost is None


def test_counts_within_the_tolerance_agree_and_beyond_it_differ():
    assert compare([ours()], [theirs(input=1005)], 0.005).agreed == 1
    (found,) = compare([ours()], [theirs(input=1006)], 0.005).differences
    assert (found.kind, found.what) == (Kind.TOKENS_DIFFER, ("input",))


def test_rounding_each_call_up_is_no_difference():
    assert compare([ours(cost=5010)], [theirs()], 0.0).agreed == 1
    assert compare([ours(cost=5011)], [theirs()], 0.0).agreed == 0


def test_a_model_is_known_with_and_without_its_date():
    assert compare([ours()], [theirs(model="GPT-4.1")], 0.0).agreed == 1
    assert compare([ours(model="gpt-4.1")], [theirs(model="models/gpt-4.1-2025-04-14")], 0.0).agreed == 1


def test_two_models_of_one_name_are_not_guessed_at():
    found = compare([ours(), ours(model="gpt-4.1-2026-01-01")], [theirs(model="gpt-4.1")], 0.0)
    assert [one.kind for one in found.differences] == [Kind.MISSING_HERE, Kind.MISSING_THERE, Kind.MISSING_THERE]


def test_only_the_days_of_the_export_are_compared():
    found = compare([ours(), ours(NEXT), ours(NEXT + timedelta(days=1))], [theirs(NEXT)], 0.0)
    assert (found.agreed, found.differences, found.first, found.last) == (1, (), NEXT, NEXT)


def test_what_only_the_provider_has_may_come_from_elsewhere():
    (found,) = compare([], [theirs()], 0.0).differences
    assert (found.kind, found.ours) == (Kind.MISSING_HERE, None)
    assert found.causes == ("The key is used by something else than this deployment.",)
    (found,) = compare([], [theirs()], 0.0, whole=False).differences
    assert found.causes[0] == "Another tenant of this deployment uses the same provider connection."


def test_a_day_that_stands_beside_is_another_time_zone():
    (found,) = compare([ours(NEXT)], [theirs()], 0.0).differences
    assert "2026-11-04" in found.causes[0]
    assert "time zone" in found.causes[0]


def test_another_name_is_suggested_where_one_is_left_over():
    here, there = compare([ours(model="alias")], [theirs(model="real")], 0.0).differences
    assert (here.kind, there.kind) == (Kind.MISSING_THERE, Kind.MISSING_HERE)
    assert any("such as real" in cause for cause in here.causes)
    assert any("such as alias" in cause for cause in there.causes)


def test_what_was_only_presumed_may_never_have_reached_the_provider():
    lost = ours(model="lost", presumed_calls=10)
    (found,) = compare([lost, ours()], [theirs()], 0.0).differences
    assert found.kind is Kind.MISSING_THERE
    assert found.causes[0].startswith("All 10 calls are only presumed")


def test_cached_tokens_that_are_counted_apart_are_recognised():
    (found,) = compare([ours()], [theirs(input=600)], 0.0).differences
    assert found.causes[0] == "The export counts cached tokens apart from the input; here they are a part of it."


def test_what_is_missing_on_one_day_and_too_much_on_the_next_was_around_midnight():
    first, _ = compare([ours(), ours(NEXT)], [theirs(input=900), theirs(NEXT, input=1100)], 0.0).differences
    assert "around midnight" in first.causes[0]


def test_presumed_calls_explain_what_the_provider_alone_has_counted():
    (found,) = compare([ours(presumed_calls=1)], [theirs(output=150)], 0.0).differences
    assert found.what == ("output",)
    assert found.causes[0].startswith("1 calls are presumed here, without tokens")
    (found,) = compare([ours()], [theirs(output=150)], 0.0).differences
    assert found.causes == ("The key is used by something else than this deployment.",)


def test_less_at_the_provider_is_an_export_that_is_not_whole():
    (found,) = compare([ours()], [theirs(input=900)], 0.0).differences
    assert found.causes[0].startswith("The export is not complete")


def test_prices_are_compared_where_the_tokens_agree():
    for cost, cause in (
        (2500, "The provider charged half: a batch or flex price."),
        (4000, "The provider gives a discount or its price fell: set the connection's `prices`."),
        (6000, "The provider's price rose, or it served a dearer tier: set the connection's `prices`."),
    ):
        (found,) = compare([ours()], [theirs(cost=cost)], 0.005).differences
        assert (found.kind, found.what, found.causes[0]) == (Kind.PRICE_DIFFERS, ("cost",), cause)
    (found,) = compare([ours(unpriced_calls=3, cost=0)], [theirs()], 0.005).differences
    assert found.causes[0].startswith("3 calls have no price here")


SIDES = st.lists(
    st.builds(ours, st.sampled_from([DAY, NEXT]), st.sampled_from(["a", "b-2026-01-01", "b"]), input=st.integers(0, 9)),
    max_size=6,
)


@given(SIDES, SIDES)
def test_every_model_and_day_of_either_side_is_told_once(here: list[DaySums], there: list[DaySums]):
    export = [ExportDay(one.day, one.model, input=one.input, cost=one.cost) for one in there]
    found = compare(here, export, 0.0)
    told = {day.day for day in export}
    kept = {(one.day, one.model) for one in here if told and min(told) <= one.day <= max(told)}
    places = [(one.day, one.ours.model if one.ours else one.model) for one in found.differences]
    assert len(places) == len(set(places))
    assert found.agreed + len(found.differences) <= len(kept | {(one.day, one.model) for one in there})
    assert set(kept) >= {(one.day, one.ours.model) for one in found.differences if one.ours}
    assert found.our_cost == sum(one.cost for one in here if (one.day, one.model) in kept)


@given(SIDES)
def test_a_ledger_agrees_with_itself(here: list[DaySums]):
    export = [ExportDay(one.day, one.model, one.calls, one.input, one.output, one.cached, one.cost) for one in here]
    assert compare(here, export, 0.0).differences == ()
