"""What a call costs, from the public price list of `genai-prices`. Unknown stays unknown: never a guess."""

from functools import lru_cache

from genai_prices import Usage as Priced
from genai_prices import calc_price

from quarterdeck.core.money import MicroUsd, from_usd
from quarterdeck.runs.messages import Usage


def price(vendor: str | None, model: str, usage: Usage) -> MicroUsd | None:
    """Micro-USD of one call, rounded up, at today's list price; None when the list does not know the model.

    `vendor` None: whichever vendor the id belongs to. `usage.input` includes the cached tokens, as the list expects.
    """
    counted = Priced(
        input_tokens=usage.input,
        cache_read_tokens=usage.cache_read or None,
        cache_write_tokens=usage.cache_write or None,
        output_tokens=usage.output,
    )
    try:
        return from_usd(calc_price(counted, model, provider_id=vendor).total_price)
    except (LookupError, ValueError):
        # ValueError: a count that contradicts another, such as more cached tokens than tokens.
        return None


@lru_cache(4096)
def price_again(vendor: str | None, model: str, usage: Usage) -> MicroUsd | None:
    """The same, remembered: replays ask for the same prices over and over."""
    return price(vendor, model, usage)
