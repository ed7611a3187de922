"""Tables for spreadsheets: nothing in them is taken for a formula, and nothing is lost."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.usage.tables import cell, written


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", '=HYPERLINK("http://x","y")']
)
def test_a_text_that_would_be_a_formula_is_led_by_an_apostrophe(formula: str):
    assert cell(formula) == f"'{formula}"


def test_numbers_stay_numbers_and_plain_texts_plain():
    assert [cell(value) for value in (-5, 1.5, True, None, "desk", "a-b", "2026-11-03")] == [
        -5,
        1.5,
        "true",
        "",
        "desk",
        "a-b",
        "2026-11-03",
    ]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), min_size=1, max_size=4))
def test_what_is_written_can_be_read_again_and_begins_no_formula(values: list[str]):
    columns = [f"c{n}" for n in range(len(values))]
    table = written(columns, [dict(zip(columns, values, strict=True))])
    head, row = list(csv.reader(io.StringIO(table, newline="")))
    assert head == columns
    assert [value.removeprefix("'") for value in row] == [value.removeprefix("'") for value in values]
    assert not any(value.lstrip(" ").startswith(("=", "+", "-", "@")) for value in row)


def test_a_name_of_a_column_is_text_too():
    assert written(["tag:=x", "=y"], []).splitlines() == ["tag:=x,'=y"]
