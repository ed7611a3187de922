"""What calls cost: each token once and as what it is, exactly afterwards, and never more than was reserved before."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import msgspec
import pytest
from genai_prices import Usage as Counted
from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.json import Json
from quarterdeck.models import prices
from quarterdeck.models.prices import Price, Prices, cost, prices_of, saved_by_cache, saved_by_route, saved_by_trimming
from quarterdeck.providers.records import BadConnection, Connection, Kind
from quarterdeck.releases.records import ModelPin
from quarterdeck.runs.messages import Usage

PLAIN = Price(input=2_000_000, output=8_000_000, cache_read=500_000, cache_write=2_500_000)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
COUNTS = st.integers(0, 500_000)
USAGES = st.builds(
    lambda fresh, read, write, output, share: Usage(fresh + read + write, output, read, write, output * share // 100),
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    st.integers(0, 100),
)


def connection(kind: Kind = Kind.OPENAI, base_url: str = "", **options: Json) -> Connection:
    return Connection("c", kind, base_url, options, None, None, None, NOON, NOON)


def pinned(model: str, **extra: Json) -> ModelPin:
    return ModelPin(provider="c", id=model, extra=extra)


@pytest.fixture
def price_list():
    """A list of our own: (model id, prices) become the models of the vendor `acme`."""

    def put(*models: tuple[str, ModelPrice | list[ConditionalPrice]], variants: list[PriceVariant] | None = None):
        made = [
            ModelInfo(id=name, match=ClauseEquals(name), prices=price, price_variants=variants)
            for name, price in models
        ]
        acme = Provider(id="acme", name="Acme", api_pattern=r"https://api\.acme\.example", models=made)
        set_custom_snapshot(DataSnapshot(providers=[acme], from_auto_update=False))
        return Prices(vendor="acme")

    prices.listed.cache_clear()
    yield put
    set_custom_snapshot(None)
    prices.listed.cache_clear()


def usd(**each: str | TieredPrices) -> ModelPrice:
    return ModelPrice(
        **{name: value if isinstance(value, TieredPrices) else Decimal(value) for name, value in each.items()}
    )


def test_cached_tokens_are_a_part_of_the_input_and_charged_once():
    usage = Usage(input=1_000_000, output=0, cache_read=600_000, cache_write=100_000)
    assert cost(PLAIN, usage) == 300_000 * 2 + 600_000 * 0.5 + 100_000 * 2.5


def test_reasoning_is_a_part_of_the_output_and_charged_once():
    assert cost(PLAIN, Usage(output=1000, reasoning=900)) == cost(PLAIN, Usage(output=1000)) == 8000


def test_a_cost_is_rounded_up_to_a_whole_micro_usd():
    assert cost(PLAIN, Usage(input=1, cache_read=1)) == 1
    assert cost(PLAIN, Usage()) == 0


def test_more_cached_tokens_than_tokens_mean_that_the_provider_counts_them_apart():
    assert cost(PLAIN, Usage(input=10, cache_read=1_000_000)) == 10 * 2 + 500_000


@given(USAGES)
def test_no_call_costs_more_than_its_tokens_at_the_dearest_rate(usage: Usage):
    dearest = usage.input * PLAIN.cache_write + usage.output * PLAIN.output
    assert 0 <= cost(PLAIN, usage) <= -(-dearest // 1_000_000)


@given(USAGES, USAGES)
def test_what_is_charged_for_two_calls_is_what_is_charged_for_each(one: Usage, other: Usage):
    together = cost(PLAIN, one.plus(other))
    assert 0 <= cost(PLAIN, one) + cost(PLAIN, other) - together <= 1


def test_every_model_of_the_public_list_costs_here_what_it_costs_there():
    usage = Usage(input=250_000, output=3000, cache_read=120_000, cache_write=7000)
    counted = Counted(input_tokens=250_000, output_tokens=3000, cache_read_tokens=120_000, cache_write_tokens=7000)
    snapshot, compared = DataSnapshot(providers, from_auto_update=False), 0
    for vendor in providers:
        for model in vendor.models:
            ours = Prices(vendor=vendor.id).of(model.id, at=NOON)
            if ours is not None and snapshot.find_provider_model(model.id, None, vendor.id, None)[1] is model:
                theirs = model.calc_price(counted, vendor, genai_request_timestamp=NOON).total_price * 1_000_000
                assert abs(cost(ours, usage) - theirs) <= 2, (vendor.id, model.id)
                compared += 1
    assert compared > 1000


def test_a_long_input_is_charged_by_its_tier_as_a_whole(price_list):
    tiered = TieredPrices(base=Decimal(1), tiers=[Tier(start=200_000, price=Decimal(2))])
    price = price_list(("m", usd(input_mtok=tiered, output_mtok="10"))).of("m")
    assert cost(price, Usage(input=200_000)) == 200_000
    assert cost(price, Usage(input=200_001)) == 400_002


def test_the_bound_is_the_dearest_tier_unless_the_input_is_known_to_be_short(price_list):
    tiered = TieredPrices(base=Decimal(1), tiers=[Tier(start=200_000, price=Decimal(2))])
    price = price_list(("m", usd(input_mtok=tiered, output_mtok="10"))).of("m")
    assert price.input == 2_000_000
    assert price.within(200_000).input == 1_000_000
    assert price.within(200_001).input == 2_000_000


@given(USAGES)
def test_the_bound_for_a_known_length_covers_what_is_charged(usage: Usage):
    price = Prices(vendor="anthropic").of("claude-sonnet-4-5-20250929", at=NOON)
    assert price is not None
    for bound in (price, price.within(usage.input)):
        dearest = max(bound.input, bound.cache_read, bound.cache_write)
        assert cost(price, usage) <= -(-(usage.input * dearest + usage.output * bound.output) // 1_000_000)


def test_a_price_that_is_going_to_rise_within_the_hour_bounds_what_is_reserved_now(price_list):
    rising = [
        ConditionalPrice(prices=usd(input_mtok="1", output_mtok="1")),
        ConditionalPrice(StartDateConstraint(date(2026, 11, 4)), prices=usd(input_mtok="3", output_mtok="3")),
    ]
    found = price_list(("m", rising))
    before = found.of("m", at=datetime(2026, 11, 3, 22, 50, tzinfo=UTC))
    shortly = found.of("m", at=datetime(2026, 11, 3, 23, 30, tzinfo=UTC))
    assert (before.input, shortly.input, shortly.within(5).input) == (1_000_000, 3_000_000, 3_000_000)
    assert cost(shortly, Usage(input=1000)) == 1000


def test_the_time_of_day_decides_what_is_charged(price_list):
    nightly = [
        ConditionalPrice(prices=usd(input_mtok="4", output_mtok="4")),
        ConditionalPrice(
            TimeOfDateConstraint(time(16, tzinfo=UTC), time(0, tzinfo=UTC)), prices=usd(input_mtok="1", output_mtok="1")
        ),
    ]
    found = price_list(("m", nightly))
    for hour, expected in ((12, 4000), (17, 1000)):
        assert cost(found.of("m", at=NOON.replace(hour=hour)), Usage(input=1000)) == expected
    assert found.of("m", at=NOON.replace(hour=23, minute=30)).input == 4_000_000


def test_the_tier_of_service_is_charged_and_the_standard_price_bounds_it_too(price_list):
    flex = PriceVariant({"service_tier": "flex"}, usd(input_mtok="0.5"))
    found = price_list(("m", usd(input_mtok="1", output_mtok="2")), variants=[flex])
    assert found.charge("m", "m", Usage(input=1000), tier="flex") == 500
    assert found.charge("m", "m", Usage(input=1000), tier="default") == 1000
    assert found.price(pinned("m", service_tier="flex")).input == 1_000_000


@pytest.mark.parametrize("setting", ["1h", {"retention": "24h"}])
def test_what_is_kept_long_in_the_cache_costs_more_to_write(price_list, setting: Json):
    found = price_list(
        (
            "m",
            usd(
                input_mtok="1", output_mtok="2", cache_read_mtok="0.1", cache_write_mtok="1.25", cache_write_1h_mtok="2"
            ),
        )
    )
    usage = Usage(input=1_000_000, cache_write=1_000_000)
    assert found.price(pinned("m", cache=setting)).cache_write == 2_000_000
    assert found.price(pinned("m", cache=True)).cache_write == 1_250_000
    assert found.charge("m", "m", usage, long_writes=400_000) == 600_000 * 1.25 + 400_000 * 2


def test_what_a_request_costs_by_itself_is_charged_once_a_call(price_list):
    price = price_list(("m", usd(input_mtok="1", output_mtok="1", requests_kcount="5"))).of("m")
    assert cost(price, Usage(input=1)) == 5001


def test_the_model_that_served_is_charged_and_else_the_one_that_was_asked(price_list):
    found = price_list(
        ("dear", usd(input_mtok="10", output_mtok="10")), ("cheap", usd(input_mtok="1", output_mtok="1"))
    )
    usage = Usage(input=1_000_000)
    assert found.charge("cheap", "dear", usage) == 10_000_000
    assert found.charge("cheap", "unheard of", usage) == 1_000_000
    assert found.charge("unheard of", "", usage) is None


def test_a_model_that_nobody_knows_has_no_price():
    assert prices_of(connection()).price(pinned("nix")) is None
    assert prices_of(connection(Kind.OLLAMA, "http://localhost:11434/v1")).price(pinned("gpt-4.1")) is None


def test_a_model_whose_output_has_no_price_has_none(price_list):
    assert price_list(("m", usd(input_mtok="1"))).of("m") is None


def test_own_prices_go_before_the_list_and_a_star_is_for_all_others():
    own: Mapping[str, Json] = {
        "gpt-4.1-2025-04-14": {"input": 0.15, "output": 0.6, "cache_read": 0.075},
        "*": {"input": 0, "output": 0},
    }
    found = prices_of(connection(prices=own))
    assert found.price(pinned("gpt-4.1-2025-04-14")) == Price(150_000, 600_000, 75_000, 150_000)
    assert found.price(pinned("another")) == Price(0, 0, 0, 0)


def test_own_prices_are_exact_to_the_last_digit_that_was_written():
    found = prices_of(connection(prices={"m": {"input": 0.1, "output": 0.0000019}})).price(pinned("m"))
    assert found is not None
    assert (found.input, found.output) == (100_000, 2)


@pytest.mark.parametrize("wrong", [{"input": -1, "output": 1}, {"input": 1}, {"input": 1, "output": 1, "outptu": 1}, 3])
def test_an_own_price_that_can_not_be_is_refused(wrong: Json):
    with pytest.raises(BadConnection, match="prices"):
        prices_of(connection(prices={"m": wrong}))


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_connection_may_have_prices_and_allow_unpriced(kind: Kind):
    found = prices_of(connection(kind, prices={"m": {"input": 1, "output": 2}}, allow_unpriced=True))
    assert found.price(pinned("m")) == Price(1_000_000, 2_000_000, 1_000_000, 1_000_000)
    assert found.allow_unpriced


@pytest.mark.parametrize(
    ("url", "model"),
    [
        ("https://api.groq.com/openai/v1", "llama-3.3-70b-versatile"),
        ("https://openrouter.ai/api/v1", "openai/gpt-4.1"),
        ("https://api.mistral.ai/v1", "mistral-large-2411"),
    ],
)
def test_the_address_of_a_compatible_service_says_whose_prices_hold(url: str, model: str):
    assert prices_of(connection(Kind.OPENAI_COMPATIBLE, url)).price(pinned(model)) is not None
    assert prices_of(connection(Kind.OPENAI_COMPATIBLE, "https://llm.example/v1")).price(pinned(model)) is None


def test_savings_are_against_the_same_tokens_without_a_cache_or_by_the_main_model():
    usage = Usage(input=1_000_000, output=0, cache_read=600_000, cache_write=100_000)
    without = msgspec.structs.replace(usage, cache_read=0, cache_write=0)
    assert saved_by_cache(PLAIN, usage) == cost(PLAIN, without) - cost(PLAIN, usage)
    assert saved_by_cache(PLAIN, Usage(input=100_000, cache_write=100_000)) == -50_000
    dearer = Price(4_000_000, 16_000_000, 1_000_000, 5_000_000)
    assert saved_by_route(PLAIN, dearer, usage) == cost(PLAIN, usage)
    assert saved_by_route(dearer, PLAIN, usage) == saved_by_route(PLAIN, None, usage) == 0
    assert saved_by_trimming(PLAIN, Usage(input=10), 1000) == 2000
    assert saved_by_trimming(PLAIN, usage, 1000) == 500


def test_a_price_is_found_in_a_microsecond_once_it_was_found():
    """It is asked for before every call. Counted, not timed: the list itself is asked once a minute."""
    prices.listed.cache_clear()
    found = Prices(vendor="openai")
    for second in range(50):
        _ = found.of("gpt-4.1-2025-04-14", at=NOON + timedelta(seconds=second))
    assert prices.listed.cache_info().misses == 1
