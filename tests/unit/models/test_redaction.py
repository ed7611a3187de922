"""Secrets leave a text in every form that they may have there."""

import base64
from urllib.parse import quote

import pytest

from quarterdeck.models.redaction import MARK, Redactor

SECRET = "s3cr3t/key+with=signs"


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_a_known_secret_goes_in_plain_in_url_form_and_in_base64(before: str):
    redactor = Redactor([SECRET])
    for text in (SECRET, quote(SECRET, safe=""), base64.b64encode(f"{before}{SECRET} and more".encode()).decode()):
        cleaned = redactor.known(f"it says {text} here")
        assert MARK in cleaned
        assert SECRET not in cleaned
    encoded = base64.b64encode(f"{before}{SECRET}{before}".encode()).decode()
    assert len(redactor.known(encoded).replace(MARK, "")) <= 4 * len(before) / 3 * 2 + 8


def test_the_longer_of_two_secrets_goes_first():
    assert Redactor(["password1", "password1-and-more"]).known("password1-and-more") == MARK


def test_what_is_too_short_to_be_a_secret_stays():
    assert Redactor(["short"]).known("short and sweet") == "short and sweet"


def test_no_secrets_change_nothing():
    assert Redactor().known("just text") == "just text"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-ant-api03-abcdefghijklmnop",
        "qd_k1_abcdefghijklmnopqrstuvwxyz",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
    ],
)
def test_whatever_has_the_shape_of_a_credential_goes(secret: str):
    assert Redactor().all(f"the key is {secret}, keep it") == f"the key is {MARK}, keep it"


def test_ordinary_text_keeps_its_shape():
    text = "Order 1042, ask-me-anything, task-12345678901234567890, bearer of news, risk-free."
    assert Redactor().all(text) == text
