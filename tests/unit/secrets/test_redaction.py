"""Secrets leave texts in every form in which tools give them back, and nothing else does."""

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest

from quarterdeck.secrets.redaction import NONE_KNOWN, Cleaning, Redactor, Trickle, forms_of

VALUE = 'p/w+"ü=7 Kq&<x>%canary'
TOKEN = "tok-4f6a0b1c2d3e4f5a6b7c8d9e"


def cleaned(text: str, *values: str) -> str:
    return Redactor({"CANARY": values or (VALUE, TOKEN)}).clean(text)[0]


def wrapped(value: str, prefix: str) -> str:
    return base64.encodebytes(
        (prefix + value + "and something else behind it, long enough to break lines").encode()
    ).decode()


@pytest.mark.parametrize("value", [VALUE, TOKEN, "8 bytes!"])
@pytest.mark.parametrize(
    "write",
    [
        lambda value: value,
        lambda value: quote(value, safe=""),
        quote,
        quote_plus,
        lambda value: json.dumps({"a": value}),
        lambda value: json.dumps({"a": value}, ensure_ascii=False),
        lambda value: json.dumps(json.dumps({"a": value})),
        lambda value: json.dumps(value).replace("/", "\\/"),
        html.escape,
        lambda value: value.encode().hex(),
        lambda value: value.encode().hex().upper(),
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
        lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(b"x" + value.encode()).decode(),
        lambda value: base64.b64encode(b"user:" + value.encode() + b" and more").decode(),
        lambda value: base64.urlsafe_b64encode(b"ab" + value.encode() + b"c").decode(),
    ],
)
def test_every_form_of_a_secret_is_taken_out(value: str, write):
    text = f"before {write(value)} after"
    without, found = Redactor({"CANARY": [value]}).clean(text)
    assert "[secret CANARY]" in without
    assert without.startswith("before ")
    assert without.endswith(" after")
    assert found["CANARY"] >= 1
    assert not [form for form in forms_of(value) if form in without]


@pytest.mark.parametrize("prefix", ["", "a", "ab", "a long beginning that pushes it over the end of a line "])
def test_a_secret_in_wrapped_base64_is_found_through_the_line_breaks(prefix: str):
    text = wrapped(TOKEN, prefix)
    for given in (text, text.replace("\n", "\r\n    "), json.dumps(text)):
        assert "[secret CANARY]" in cleaned(given)


def test_a_secret_of_several_lines_is_found_whole_and_line_by_line():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBAQEFAASCBKcwggSjAgEAAo\n-----END KEY-----\n"
    assert cleaned(f"it is {key}.", key) == "it is [secret CANARY]."
    assert cleaned("line 2: BAQEFAASCBKcwggSjAgEAAo", key) == "line 2: [secret CANARY]"
    assert "[secret CANARY]" in cleaned(json.dumps(key), key)


def test_blanks_inside_a_line_are_not_looked_through():
    spread = " ".join(TOKEN)
    assert cleaned(spread) == spread


def test_what_is_too_short_to_be_told_from_words_stays():
    assert cleaned("a passwd here", "passwd") == "a passwd here"
    assert not Redactor({"SHORT": ["1234567"]})


def test_one_secret_inside_another_leaves_nothing_of_either():
    redactor = Redactor({"LONG": [TOKEN + "-and-more"], "SHORT": [TOKEN]})
    text, found = redactor.clean(f"{TOKEN}-and-more {TOKEN}")
    assert TOKEN not in text
    assert "and-more" not in text
    assert dict(found) == {"LONG": 1, "SHORT": 1}


def test_values_before_the_present_one_are_taken_out_too():
    assert cleaned("old-value-1 new-value-2", "new-value-2", "old-value-1") == "[secret CANARY] [secret CANARY]"


def test_a_text_without_secrets_is_the_same_object():
    text = "nothing here\n" * 100
    assert Redactor({"A": [TOKEN]}).clean(text)[0] is text
    assert NONE_KNOWN.clean(text)[0] is text


def test_the_beginning_of_a_secret_where_a_text_was_cut_is_taken_out():
    redactor = Redactor({"CANARY": [TOKEN]})
    assert redactor.clean_cut(f"it is {TOKEN[:20]}")[0] == "it is [secret, cut off]"
    assert redactor.clean_cut("it is to")[0] == "it is to"


def test_strings_and_keys_of_json_values_are_cleaned():
    value = {"a": [TOKEN, 1, None, {TOKEN: True}]}
    found = Cleaning(Redactor({"CANARY": [TOKEN]}))
    assert found.json(value) == {"a": ["[secret CANARY]", 1, None, {"[secret CANARY]": True}]}
    assert found.found == {"CANARY": 2}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 50])
def test_a_secret_that_comes_in_pieces_is_never_shown_in_part(size: int):
    text = f"It is {TOKEN}, not tok-4f6a, and again {TOKEN.encode().hex()} tok"
    trickle = Trickle(Cleaning(Redactor({"CANARY": [TOKEN]})))
    shown = [trickle.feed(text[at : at + size]) for at in range(0, len(text), size)]
    shown.append(trickle.rest())
    assert "".join(shown) == "It is [secret CANARY], not tok-4f6a, and again [secret CANARY] tok"
    assert not any(TOKEN[:6] in piece and "not" not in piece and "4f6a," not in piece for piece in shown)


def test_bytes_that_hold_a_secret_are_recognised():
    redactor = Redactor({"CANARY": [TOKEN]})
    assert redactor.found_in(b"\x00\xff" + TOKEN.encode() + b"\xfe") == {"CANARY": 1}
    assert redactor.found_in(b"\x00\xff\xfe") == {}


def test_a_hundred_kilobytes_with_ten_secrets_cost_about_a_millisecond():
    redactor = Redactor({f"S{at}": [f"{at}-x7Kq_f93mZ-{at * 7919:032x}"] for at in range(10)})
    text = ("an order line with some words in it, 19.99 EUR, paid\n" * 2000)[:100_000]

    def once() -> float:
        began = time.thread_time()
        redactor.clean(text)
        return time.thread_time() - began

    assert min(once() for _ in range(30)) < 0.005  # measured: 0.8 ms; the machine's noise is not what this is about
