"""What models cost: a connection's own prices, else the public list of `genai-prices`. Unknown stays unknown.

Before a call the worst that it can cost is reserved, after it exactly what was used is settled: a `Price` answers both.
Lists have tiers (a long input costs more, all of it) and prices that hold at some times only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from quarterdeck.core.json import Json
from quarterdeck.core.money import MicroUsd
from quarterdeck.providers.options import OwnPrice, read_options
from quarterdeck.providers.records import Connection, Kind
from quarterdeck.releases.records import ModelPin
from quarterdeck.runs.messages import Usage

_MILLION = 1_000_000
_AHEAD = (timedelta(), timedelta(minutes=30), timedelta(minutes=60))
"""When a call that is reserved now may be priced; no price in the list holds for less than an hour."""
_LISTED = {Kind.OPENAI: "openai", Kind.ANTHROPIC: "anthropic", Kind.GOOGLE: "google"}
_SHORT_CACHE = (None, False, True, "5m")
ANY = "*"
"""Among a connection's own prices: every model that has none of its own."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Micro-USD per million tokens, for calls with more than `over` tokens of input. `request` is paid once a call."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    over: int = -1
    cache_write_long: int = 0
    """What is kept for longer than the provider's usual minutes; 0 = as `cache_write`."""
    reasoning: int = 0
    """0 = as `output`."""
    request: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in micro-USD per million tokens: the most that any call may be charged.

    `tiers` are what calls are charged exactly, by the length of their input, `bounds` the most that they may be, should
    a price change meanwhile; empty = just these.
    """

    input: int
    output: int
    cache_read: int
    cache_write: int
    request: int = 0
    tiers: tuple[Rates, ...] = ()
    bounds: tuple[Rates, ...] = ()

    def rates(self, input_tokens: int) -> Rates:
        """What a call with so many tokens of input, cached ones included, is charged."""
        found = Rates(self.input, self.output, self.cache_read, self.cache_write, request=self.request)
        for tier in self.tiers:
            if input_tokens > tier.over:
                found = tier
        return found

    def within(self, input_tokens: int) -> "Price":
        """The most that a call with at most so many tokens of input may be charged: a closer bound where tiers are.

        It holds only if the caller's own bound on the input does.
        """
        reached = [bound for bound in self.bounds if bound.over < input_tokens]
        return self if len(reached) == len(self.bounds) else _most(reached, self.tiers)


def cost(price: Price, usage: Usage, long_writes: int = 0) -> MicroUsd:
    """Exactly what a call is charged, rounded up to a whole micro-USD.

    Cached tokens are part of `usage.input`, and reasoning of `usage.output`: each token is charged once, as what it is.
    Counts that contradict that (more cached than all) come from a provider that counts them apart; then all are
    charged. `long_writes` of the tokens written to the cache are kept there for long.
    """
    rates = price.rates(usage.input)
    cached = usage.cache_read + usage.cache_write
    fresh = usage.input - cached if cached <= usage.input else usage.input
    long = min(long_writes, usage.cache_write)
    reasoning = min(usage.reasoning, usage.output)
    total = (
        fresh * rates.input
        + usage.cache_read * rates.cache_read
        + (usage.cache_write - long) * rates.cache_write
        + long * (rates.cache_write_long or rates.cache_write)
        + (usage.output - reasoning) * rates.output
        + reasoning * (rates.reasoning or rates.output)
    )
    return MicroUsd(-(-total // _MILLION) + rates.request)


def saved_by_cache(price: Price, usage: Usage) -> int:
    """What the provider's cache saved, in micro-USD; negative where what was written cost more than reading saved."""
    rates = price.rates(usage.input)
    read, written = rates.input - rates.cache_read, rates.cache_write - rates.input
    return (usage.cache_read * read - usage.cache_write * written) // _MILLION


def saved_by_trimming(price: Price, usage: Usage, trimmed_tokens: int) -> int:
    """What leaving so many tokens out saved, in micro-USD, told low: at the price of cached ones where some were."""
    rates = price.rates(usage.input)
    return trimmed_tokens * (rates.cache_read if usage.cache_read else rates.input) // _MILLION


def saved_by_route(price: Price, main: Price | None, usage: Usage) -> int:
    """What a route's model saved against the release's own for the same tokens; 0 where that is cheaper or unknown."""
    return 0 if main is None else max(0, cost(main, usage) - cost(price, usage))


@dataclass(frozen=True, slots=True)
class Prices:
    """What the models of one connection cost. `vendor` is its name in the public list, `anyone` = any vendor's.

    What is asked for twice is not looked up twice.
    """

    own: Mapping[str, Price] = field(default_factory=dict[str, Price])
    vendor: str | None = None
    anyone: bool = False
    allow_unpriced: bool = False

    def price(self, pin: ModelPin, at: datetime | None = None) -> Price | None:
        """Of the model that is going to be asked, with the most that it may cost; None = not known."""
        extra = pin.extra or {}
        tier = extra.get("service_tier")
        return self.of(pin.id, tier if isinstance(tier, str) else "", at, long=_keeps_long(extra))

    def charge(self, model: str, served: str, usage: Usage, *, tier: str = "", long_writes: int = 0) -> MicroUsd | None:
        """What a call cost that was answered just now: by the model that served it, else by the one that was asked.

        `tier` is the tier of service that it was served in.
        """
        price = self.of(served, tier) if served else None
        price = self.of(model, tier) if price is None else price
        return None if price is None else cost(price, usage, long_writes)

    def of(self, model: str, tier: str = "", at: datetime | None = None, *, long: bool = False) -> Price | None:
        """Of one model id; own prices go before the list's."""
        own = self.own.get(model) or self.own.get(ANY)
        if own is not None or (self.vendor is None and not self.anyone):
            return own
        minute = int((at or datetime.now(UTC)).timestamp()) // 60
        return listed(self.vendor, model, tier, minute, long)


UNPRICED = Prices()
"""None that anybody knows."""
ANYBODYS = Prices(anyone=True)
"""The public list's, whoever's model it is."""


def prices_of(connection: Connection) -> Prices:
    """What a connection's models cost. Raises BadConnection for options that can't be read."""
    options = read_options(connection.kind, connection.options)
    own = {model: _own(price) for model, price in options.prices.items()}
    vendor = _LISTED.get(connection.kind)
    if connection.kind == Kind.OPENAI_COMPATIBLE:
        vendor = _vendor_at(connection.base_url)
    return Prices(own, vendor, connection.kind == Kind.RECORDED, options.allow_unpriced)


@lru_cache(4096)
def listed(vendor: str | None, model: str, tier: str, minute: int, long: bool) -> Price | None:
    """The public list's price at a minute since 1970; None when it does not know the model or not all of its price.

    `vendor` None: whichever the id belongs to. `long`: what is written to the cache is kept for long.
    """
    try:
        _, found = get_snapshot().find_provider_model(model, None, vendor, None)
    except LookupError:
        return None
    now = datetime.fromtimestamp(minute * 60, UTC)
    context = {"service_tier": tier} if tier and tier != "auto" else None
    exact = _tiers(found, now, context)
    # A tier of service that is asked for may not be given: then the standard price holds.
    contexts = (None,) if context is None else (None, context)
    bounds = [rates for ahead in _AHEAD for one in contexts for rates in _tiers(found, now + ahead, one)]
    if long:
        bounds = [replace(rates, cache_write=max(rates.cache_write, rates.cache_write_long)) for rates in bounds]
    return _most(bounds, exact) if exact else None


def _most(bounds: Sequence[Rates], tiers: tuple[Rates, ...]) -> Price:
    return Price(
        input=max(one.input for one in bounds),
        output=max(max(one.output, one.reasoning) for one in bounds),
        cache_read=max(one.cache_read for one in bounds),
        cache_write=max(one.cache_write for one in bounds),
        request=max(one.request for one in bounds),
        tiers=tiers,
        bounds=tuple(bounds),
    )


def _tiers(model: ModelInfo, at: datetime, context: Mapping[str, str] | None) -> tuple[Rates, ...]:
    """The rates at a time, by length of the input; none where the list does not say what words cost."""
    price = model.get_prices(at, context)
    if price.input_mtok is None or price.output_mtok is None:
        return ()
    starts = {tier.start for value in _values(price) if isinstance(value, TieredPrices) for tier in value.tiers}
    return tuple(_rates(price, over) for over in (-1, *sorted(starts)))


def _values(price: ModelPrice) -> tuple[Decimal | TieredPrices | None, ...]:
    return (
        price.input_mtok,
        price.output_mtok,
        price.cache_read_mtok,
        price.cache_write_mtok,
        price.cache_write_1h_mtok,
        price.output_reasoning_mtok,
        price.requests_kcount,
    )


def _rates(price: ModelPrice, over: int) -> Rates:
    """What lies in no list of its own is charged as what it is a part of."""
    input_, output, read, write, long, reasoning, requests = (_micro(value, over) for value in _values(price))
    assert input_ is not None
    assert output is not None
    return Rates(
        input=input_,
        output=output,
        cache_read=input_ if read is None else read,
        cache_write=input_ if write is None else write,
        over=over,
        cache_write_long=long or 0,
        reasoning=reasoning or 0,
        request=-(-(requests or 0) // 1000),
    )


def _micro(value: Decimal | TieredPrices | None, over: int) -> int | None:
    """Micro-USD; the few prices that are finer are rounded up."""
    if isinstance(value, TieredPrices):
        reached = [tier.price for tier in value.tiers if tier.start <= over]
        value = reached[-1] if reached else value.base
    return None if value is None else int((value * _MILLION).to_integral_value(rounding=ROUND_CEILING))


def _own(price: OwnPrice) -> Price:
    def micro(usd: float | None, otherwise: int) -> int:
        found = _micro(None if usd is None else Decimal(repr(usd)), -1)
        return otherwise if found is None else found

    input_ = micro(price.input, 0)
    read, write = micro(price.cache_read, input_), micro(price.cache_write, input_)
    return Price(input_, micro(price.output, 0), read, write)


def _keeps_long(extra: Mapping[str, Json]) -> bool:
    """Whether a release asks for what it writes to the provider's cache to be kept longer than usual."""
    setting = extra.get("cache")
    kept = setting.get("retention") if isinstance(setting, Mapping) else setting
    return not any(kept is usual or kept == usual for usual in _SHORT_CACHE)


@lru_cache(256)
def _vendor_at(url: str) -> str | None:
    """Whose service answers at an address, where the list has prices for it."""
    try:
        return get_snapshot().find_provider(None, None, url).id
    except LookupError:
        return None
