"""One scanner for what tools return and for what an agent says: credentials and personal data, by form and digits."""

import time

import pytest

from quarterdeck.guardrails.numbers import is_card, is_iban, luhn
from quarterdeck.guardrails.scanning import PII, SECRETS, scan

CARD, IBAN = "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("write to ann.smith+x@example.co.uk.", "e-mail", "write to [e-mail removed]."),
        (f"card {CARD}, valid", "card number", "card [card number removed], valid"),
        (f"to {IBAN} now", "IBAN", "to [IBAN removed] now"),
        ("call +49 (89) 1234-5678 today", "phone number", "call [phone number removed] today"),
        ("call (415) 555-2671 today", "phone number", "call [phone number removed] today"),
    ],
)
def test_personal_data_with_a_form_is_taken_out_where_that_is_wanted(text: str, kind: str, shown: str):
    assert scan(text, frozenset({PII}), take_out=True) == (shown, {kind: 1})
    assert scan(text, frozenset({PII}), take_out=False) == (text, {kind: 1})
    assert scan(text, frozenset({SECRETS}), take_out=True) == (text, {})


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112 is no card",
        "0000 0000 0000 0000",
        "DE89 3704 0044 0532 0130 02 has wrong digits",
        "version 1.2.3.4 of 2026-11-20 12:00:00",
        "a@b and @name",
        "uuid 0198f0c2-0000-7000-8000-000000000000",
    ],
)
def test_look_alikes_stay(text: str):
    assert scan(text, frozenset({PII, SECRETS}), take_out=True) == (text, {})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("sk-proj-abcdefghijklmnop1234567890", "api key"),
        ("AKIAIOSFODNN7EXAMPLE", "aws key"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "github token"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r", "json web token"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ\n-----END RSA PRIVATE KEY-----", "private key"),
        ("postgres://ann:hunter22@db.example.com/x", "password in a url"),
        ('"api_key": "h8Kq2Lm9Zx4Vb7Nc1Rt5Wy"', "credential"),
        ("Authorization: Bearer h8Kq2Lm9Zx4Vb7Nc1Rt5Wy", "bearer token"),
    ],
)
def test_credentials_of_known_forms_are_taken_out_where_that_is_wanted(text: str, kind: str):
    shown, found = scan(f"see {text} there", frozenset({SECRETS}), take_out=True)
    assert found == {kind: 1}
    assert f"[{kind} removed]" in shown
    assert shown.startswith("see ")
    assert shown.endswith(" there")


def test_a_secret_word_beside_an_ordinary_one_is_no_credential():
    text = "password: please_choose_a_long_one_here, token = aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    assert scan(text, frozenset({SECRETS}), take_out=True) == (text, {})


def test_check_digits_tell():
    assert luhn("4111111111111111")
    assert is_card("4111111111111111")
    assert not is_card("1234567890123452")  # right digits, no issuer
    assert not luhn("4111111111111110")
    assert is_iban(IBAN)
    assert not is_iban("DE00 3704 0044 0532 0130 00")


@pytest.mark.parametrize(
    "one",
    [
        "a@",
        "1 ",
        "AB12 ",
        "+1 ",
        "(212) ",
        "sk-a",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "://a:",
        "token: ",
        "555-",
        "0-",
        "1.",
        "a:",
        "DE",
        "DE1 ",
        "0123 456 789 ",
        "é@",
        "(1)",
        "4111 1111 1111 1111 ",
    ],
)
def test_no_text_makes_the_scan_slow(one: str):
    text = one * (100_000 // len(one))
    began = time.thread_time()
    scan(text, frozenset({PII, SECRETS}), take_out=True)
    assert time.thread_time() - began < 1.0
