"""What a function returns becomes an MCP result."""

import base64
import datetime
import math
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from quarterdeck.core.json import decode
from quarterdeck.tools.author import Blob, ToolError, TryLater
from quarterdeck.tools.host.answers import NOTHING, answer_of, failure_of


def text_of(answer):
    return answer["content"][0]["text"]


@dataclass
class Order:
    id: str
    day: datetime.date


class Refund(BaseModel):
    amount: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (None, NOTHING),
        (3, "3"),
        (True, "true"),
        ([1, "a"], '[1,"a"]'),
        ({"a": 1}, '{"a":1}'),
        (Order("o1", datetime.date(2026, 1, 2)), '{"id":"o1","day":"2026-01-02"}'),
        (Refund(amount=5), '{"amount":5}'),
        ({"x": math.nan}, '{"x":null}'),
    ],
)
def test_every_value_has_a_text(value, text):
    assert text_of(answer_of(value, None)) == text


@pytest.mark.parametrize("value", [{"a": 1}, Refund(amount=1), Order("o", datetime.date(2026, 1, 1))])
def test_objects_are_structured_as_well(value):
    answer: Any = answer_of(value, None)
    assert decode(bytes(answer["structuredContent"])) == decode(text_of(answer))


@pytest.mark.parametrize("value", ["text", 3, [1, 2], None])
def test_other_values_are_text_only(value):
    assert "structuredContent" not in answer_of(value, None)


def test_bytes_are_blocks_of_their_kind():
    answer: Any = answer_of(["see:", Blob(b"png", "image/png"), Blob(b"zip", "application/zip")], None)
    kinds = [block["type"] for block in answer["content"]]
    assert kinds == ["text", "image", "resource"]
    assert base64.b64decode(answer["content"][1]["data"]) == b"png"
    assert answer["content"][2]["resource"]["mimeType"] == "application/zip"


def test_a_value_without_a_form_in_json_is_an_error_that_names_its_type():
    with pytest.raises(ToolError, match="returned object"):
        answer_of(object(), None)


def test_what_is_far_beyond_the_limit_does_not_cross_the_pipe():
    answer: Any = answer_of("x" * 1_000_000, 1000)
    assert len(text_of(answer)) == 1000
    assert answer["_meta"] == {"quarterdeck/size": 1_000_000}


def test_lone_surrogates_and_nul_become_replacement_characters():
    answer: Any = answer_of("a\ud800b\0c", None)
    assert text_of(answer) == "a\ufffdb\ufffdc"
    assert msgspec.json.encode(answer)


def test_the_tools_own_words_are_the_error():
    answer = failure_of(ToolError("no such order"))
    assert (text_of(answer), answer["isError"]) == ("no such order", True)


def test_any_other_exception_is_named_and_cut():
    answer = failure_of(ValueError("y" * 100_000))
    assert text_of(answer).startswith("ValueError: yyy")
    assert len(text_of(answer)) <= 4000


def test_try_later_says_that_nothing_has_happened():
    assert failure_of(TryLater("busy", 3.0))["_meta"] == {"quarterdeck/try_later": 3.0}
