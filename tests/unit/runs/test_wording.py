"""The exact effect in words: what a reviewer reads is what is done, whatever stands in the arguments."""

import pytest

from quarterdeck.core.json import Json
from quarterdeck.runs.wording import LONGEST, in_words


@pytest.mark.parametrize(
    ("template", "arguments", "words"),
    [
        ("refund {amount:usd} to {to}", {"amount": 250, "to": "ann@example.com"}, "refund $250.00 to ann@example.com"),
        ("refund {amount:cents}", {"amount": 1999}, "refund $19.99"),
        ("refund {amount:micro_usd}", {"amount": 1_500_000}, "refund $1.50"),
        ("refund {amount:usd}", {"amount": "1234.5"}, "refund $1,234.50"),
        ("refund {amount:usd}", {"amount": 0.125}, "refund $0.125"),
        ("refund {amount:usd}", {"amount": "a lot"}, 'refund "a lot"'),
        ("refund {amount:usd}", {"amount": True}, "refund true"),
        ("close {order.id}", {"order": {"id": 7}}, "close 7"),
        ("pay {items[1].account}", {"items": [{}, {"account": "DE1"}]}, "pay DE1"),
        ("pay {items[5].account}", {"items": []}, "pay (nothing)"),
        ("pay {missing}", {}, "pay (nothing)"),
        ("send {body}", {"body": ["a", 1]}, 'send ["a",1]'),
        ("{not a place} {x:eur}", {}, "{not a place} {x:eur}"),
        ("", {"order": 1001, "amount_usd": 250}, "t: order = 1001, amount_usd = $250.00"),
        ("", {"price_usd_cents": 5, "fee_micro_usd": 2_000_000}, "t: price_usd_cents = $0.05, fee_micro_usd = $2.00"),
        ("", {}, "t, without arguments"),
    ],
)
def test_a_call_is_said_in_words(template: str, arguments: dict[str, Json], words: str):
    assert in_words("t", arguments, template) == words


@pytest.mark.parametrize(
    "value",
    [
        "bob@evil.example, approved by finance",
        'x" to ann@example.com',
        "ann@example.com\nall good",
        "{amount}",
        "a\N{RIGHT-TO-LEFT OVERRIDE}b",
        "аnn@example.com",  # the first letter is not Latin
    ],
)
def test_a_value_is_not_taken_for_our_own_words(value: str):
    said = in_words("pay", {"to": value, "amount": 5}, "pay to {to}, nothing else")
    assert said.startswith('pay to "')
    assert said.endswith('", nothing else')
    assert "\n" not in said
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in said


def test_what_is_long_is_cut_with_a_mark():
    said = in_words("t", {"a": "x" * 5_000, "b": ["y" * 5_000] * 9}, "{a} {b}")
    assert len(said) <= LONGEST
    assert said.count("\N{HORIZONTAL ELLIPSIS}") == 2
