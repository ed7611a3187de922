"""Money is an integer number of micro-USD: exact to add, exact to compare, never a float."""

from decimal import ROUND_CEILING, Decimal
from typing import NewType

MicroUsd = NewType("MicroUsd", int)

ZERO = MicroUsd(0)
_MICRO = 1_000_000


def from_usd(amount: Decimal | str) -> MicroUsd:
    """Micro-USD of a dollar amount, rounded up: a cost is never understated."""
    return MicroUsd(int((Decimal(amount) * _MICRO).to_integral_value(rounding=ROUND_CEILING)))


def to_usd(amount: MicroUsd) -> float:
    """Dollars for display and for the public record; never for arithmetic."""
    return amount / _MICRO


def show(amount: MicroUsd) -> str:
    """A dollar amount for people: cents from one cent up, more digits below."""
    dollars = amount / _MICRO
    return f"${dollars:,.2f}" if dollars >= 1 or amount == 0 else f"${dollars:.4f}"
