"""Reservations are never below the most that a call can cost, and learn from what went beyond."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.budgets.estimates import HIGHEST, Factors, input_bound, worst_case
from quarterdeck.budgets.records import Amount


@dataclass(frozen=True)
class Price:
    input: int = 3_000_000
    output: int = 15_000_000
    cache_read: int = 300_000
    cache_write: int = 3_750_000
    request: int = 0
    tier: "Price | None" = None

    def within(self, input_tokens: int) -> "Price":
        return self.tier if self.tier is not None and input_tokens < 1_000 else replace(self)


def test_input_is_reserved_at_what_writing_it_to_the_cache_costs():
    assert worst_case(Price(), 1000, 0, 0) == Amount(3_750, 1000)
    assert worst_case(Price(cache_write=0), 1000, 0, 0) == Amount(3_000, 1000)


def test_what_was_counted_before_is_taken_at_its_word_and_new_bytes_at_1_3_a_token():
    assert input_bound(1000, 13) == 1010
    assert input_bound(1000, 1) == 1001


def test_output_and_the_price_of_a_request_are_included():
    assert worst_case(Price(request=7), 0, 0, 2000) == Amount(30_007, 2000)


def test_a_fraction_of_a_micro_usd_is_rounded_up():
    assert worst_case(Price(input=1, output=1, cache_write=1), 1, 0, 0).micro_usd == 1


def test_a_closer_bound_is_used_where_prices_have_tiers():
    price = Price(tier=Price(input=1_000_000, cache_write=0, output=1_000_000))
    assert worst_case(price, 999, 0, 0).micro_usd == 999
    assert worst_case(price, 1000, 0, 0).micro_usd == 3_750


def test_without_a_price_tokens_are_bounded_all_the_same():
    assert worst_case(None, 10, 13, 100) == Amount(0, 120)


@given(
    known=st.integers(0, 10**6),
    new=st.integers(0, 10**6),
    output=st.integers(0, 10**5),
    factor=st.floats(0, 20),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_no_call_within_the_bounds_costs_more_than_its_reservation(known, new, output, factor, shares):
    """However a call's input is split into fresh, read and written tokens."""
    price = Price(request=3)
    worst = worst_case(price, known, new, output, factor)
    tokens = known + int(new / 1.3)
    written = int(tokens * shares[0])
    read = int((tokens - written) * shares[1])
    fresh = tokens - written - read
    total = fresh * price.input + read * price.cache_read + written * price.cache_write + output * price.output
    assert worst.micro_usd >= -(-total // 1_000_000) + price.request
    assert worst.tokens >= tokens + output
    assert worst.requests == 1


def test_a_model_that_never_exceeds_its_bound_keeps_the_factor_one():
    factors = Factors()
    for used in range(1, 200):
        factors.learn("m", 1000, used)
    assert factors.of("m") == 1.0
    assert factors.of("another") == 1.0


def test_usage_beyond_the_bound_raises_the_next_reservation_above_it():
    factors = Factors()
    factors.learn("m", 1000, 1500)
    assert factors.of("m") == 1.5
    assert worst_case(None, 1000, 0, 0, factors.of("m")).tokens == 1500
    # The bound now has the factor in it, and the same usage changes nothing.
    factors.learn("m", 1500, 1500)
    assert factors.of("m") == 1.5


def test_one_call_in_a_hundred_may_go_beyond_and_more_may_not():
    rare, often = Factors(), Factors()
    for call in range(200):
        for factors, beyond in ((rare, {0}), (often, {0, 1, 2})):
            bound = input_bound(1000, 0, factors.of("m"))
            factors.learn("m", bound, 3000 if call in beyond else 500)
    assert rare.of("m") == 1.0
    assert often.of("m") == 3.0


def test_what_was_long_ago_is_forgotten():
    factors = Factors(remembered=10)
    factors.learn("m", 1000, 2000)
    for _ in range(10):
        factors.learn("m", 1000, 100)
    assert factors.of("m") == 1.0


def test_models_that_nobody_asks_any_more_take_no_room():
    factors = Factors(models=2)
    for model in ("a", "b", "c"):
        factors.learn(model, 100, 200)
    assert (factors.of("a"), factors.of("b"), factors.of("c")) == (1.0, 2.0, 2.0)


def test_a_wrong_count_does_not_raise_estimates_without_end():
    factors = Factors()
    factors.learn("m", 1, 10**9)
    assert factors.of("m") == HIGHEST


def test_a_count_that_is_missing_teaches_nothing():
    factors = Factors()
    factors.learn("m", 0, 100)
    factors.learn("m", 100, 0)
    assert factors.of("m") == 1.0
