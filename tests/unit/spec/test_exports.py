"""Reading providers' exports: their own shapes, anybody's tables, and lines that nobody can read."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.json import encode
from quarterdeck.spec.exports import BadLine, ExportDay, read

OPENAI_USAGE = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": 1762128000,
            "end_time": 1762214400,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 5000,
                    "output_tokens": 1000,
                    "input_cached_tokens": 4000,
                    "input_audio_tokens": 0,
                    "num_model_requests": 5,
                    "project_id": None,
                    "model": "gpt-4.1-2025-04-14",
                    "batch": None,
                }
            ],
        }
    ],
    "has_more": False,
}
OPENAI_COSTS = {
    "start_time": 1762128000,
    "results": [
        {"amount": {"value": 0.06, "currency": "usd"}, "line_item": "gpt-4.1-2025-04-14, input", "project_id": None},
        {"amount": {"value": 0.5, "currency": "usd"}, "line_item": "gpt-4.1-2025-04-14, output", "project_id": None},
    ],
}
ANTHROPIC_USAGE = {
    "data": [
        {
            "starting_at": "2025-11-03T00:00:00Z",
            "ending_at": "2025-11-04T00:00:00Z",
            "results": [
                {
                    "uncached_input_tokens": 1500,
                    "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
                    "cache_read_input_tokens": 200,
                    "output_tokens": 500,
                    "server_tool_use": {"web_search_requests": 10},
                    "model": "claude-sonnet-4-5-20250929",
                }
            ],
        }
    ],
    "has_more": False,
}
ANTHROPIC_COST = {
    "data": [
        {
            "starting_at": "2025-11-03T00:00:00Z",
            "results": [{"currency": "USD", "amount": "123.78912", "model": "claude-sonnet-4-5-20250929"}],
        }
    ]
}
DAY = date(2025, 11, 3)
GPT, CLAUDE = "gpt-4.1-2025-04-14", "claude-sonnet-4-5-20250929"


def days(text: str | bytes, **columns: str) -> list[ExportDay | BadLine]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(read(data.splitlines(keepends=True), columns))


def lines(*values: Any) -> bytes:
    return b"".join(encode(value) + b"\n" for value in values)


def test_openais_usage_counts_cached_tokens_as_a_part_of_the_input():
    assert days(lines(OPENAI_USAGE)) == [ExportDay(DAY, GPT, calls=5, input=5000, output=1000, cached=4000)]


def test_openais_costs_name_the_model_before_what_is_charged_for():
    assert days(lines(OPENAI_COSTS)) == [ExportDay(DAY, GPT, cost=60_000), ExportDay(DAY, GPT, cost=500_000)]


def test_anthropics_usage_counts_cached_tokens_apart_and_here_they_are_put_together():
    assert days(lines(ANTHROPIC_USAGE)) == [ExportDay(DAY, CLAUDE, input=3200, output=500, cached=200)]


def test_anthropics_costs_are_cents():
    assert days(lines(ANTHROPIC_COST)) == [ExportDay(DAY, CLAUDE, cost=1_237_891)]


@pytest.mark.parametrize("page", [OPENAI_USAGE, ANTHROPIC_USAGE])
def test_a_page_that_is_laid_out_over_many_lines_says_the_same(page: Any):
    import msgspec

    assert days(msgspec.json.format(encode(page), indent=2)) == days(lines(page))


def test_pages_one_a_line_are_read_one_after_the_other():
    assert len(days(lines(OPENAI_USAGE, OPENAI_COSTS, ANTHROPIC_USAGE))) == 4


def test_the_tables_of_both_consoles_are_known():
    openai = "start_time,end_time,model,num_model_requests,input_tokens,output_tokens,input_cached_tokens\n"
    assert days(f"{openai}1762128000,1762214400,{GPT},5,5000,1000,4000\n") == [ExportDay(DAY, GPT, 5, 5000, 1000, 4000)]
    anthropic = (
        "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
        "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
    )
    assert days(f"{anthropic}2025-11-03,{CLAUDE},1500,500,1000,200,500\n") == [
        ExportDay(DAY, CLAUDE, input=3200, output=500, cached=200)
    ]


def test_any_table_with_a_day_and_a_model_will_do_and_what_it_does_not_say_stays_unsaid():
    assert days("date,model,cost\n2025-11-03,m,1.50\n") == [ExportDay(DAY, "m", cost=1_500_000)]
    assert days('\ufeffDate,Model,Input_Tokens,Cost\n2025-11-03,m,"1,000",$0.25\n') == [
        ExportDay(DAY, "m", input=1000, cost=250_000)
    ]


def test_columns_can_be_named():
    table = "when,what,prompt\n2025-11-03,m,7\n"
    assert days(table, date="When", model="what", input_tokens="prompt") == [ExportDay(DAY, "m", input=7)]
    assert days(table, date="when", model="modell") == [BadLine(2, "it has no 'modell'")]


def test_a_time_in_a_zone_belongs_to_its_day_in_utc():
    (found,) = days("date,model\n2025-11-03T23:30:00-05:00,m\n")
    assert isinstance(found, ExportDay)
    assert found.day == date(2025, 11, 4)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2025-11-03,m", "it has 2 columns and the head 4"),
        ("never,m,1,1", "'never' is no date"),
        (",m,1,1", "it has no date"),
        ("2025-11-03,,1,1", "it has no model"),
        ("2025-11-03,m,-1,1", "input_tokens: '-1' is no count"),
        ("2025-11-03,m,1.5,1", "input_tokens: '1.5' is no count"),
        ("2025-11-03,m,many,1", "input_tokens: 'many' is no number"),
        ("2025-11-03,m,1,nan", "cost: 'nan' is no number"),
        ("2025-11-03,m,1,1e300", "its cost is no sum of money"),
        ("99999999999999,m,1,1", "is no date"),
    ],
)
def test_a_line_that_can_not_be_read_is_named_and_the_others_are_read(row: str, problem: str):
    table = f"date,model,input_tokens,cost\n2025-11-03,a,1,1\n\n{row}\n2025-11-03,b,1,1\n"
    first, bad, last = days(table)
    assert isinstance(first, ExportDay)
    assert isinstance(last, ExportDay)
    assert isinstance(bad, BadLine)
    assert bad.line == 4
    assert problem in bad.problem


def test_lines_that_are_no_json_are_named():
    good = encode({"date": "2025-11-03", "model": "m"})
    assert [type(one).__name__ for one in days(good + b"\n{oops\n[]\n17\n" + good)] == [
        "ExportDay",
        "BadLine",
        "BadLine",
        "ExportDay",
    ]
    (bad,) = days('{\n  "data": [\n    oops\n  ]\n}\n')
    assert isinstance(bad, BadLine)
    assert bad.line == 3


def test_what_is_not_utf_8_or_in_another_currency_is_named():
    assert days(b"date,model\n2025-11-03,m\xff\n") == [BadLine(2, "it is not UTF-8")]
    euro = {"date": "2025-11-03", "model": "m", "amount": {"value": 1, "currency": "eur"}}
    assert days(lines(euro)) == [BadLine(1, "its cost is in 'eur', and ours in USD")]


def test_nothing_is_nothing():
    assert days("") == days("\n\n") == days("date,model\n") == []


@given(st.binary(max_size=300))
def test_no_file_is_too_odd_to_be_told_what_is_wrong_with_it(data: bytes):
    for found in days(data):
        assert isinstance(found, ExportDay | BadLine)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["data", "results", "date", "model", "cost", "amount", "input_tokens"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_is_too_odd_to_be_told_what_is_wrong_with_it(value: Any):
    for found in days(lines({"data": value})):
        assert isinstance(found, ExportDay | BadLine)


def test_a_large_export_is_read_without_being_held():
    """Peak memory is that of a line, not of the file."""
    import tracemalloc

    def endless():
        yield b"date,model,input_tokens\n"
        for n in range(3_000):
            yield b"2025-11-03,%s,%d\n" % (b"m" * 200, n)

    tracemalloc.start()
    total = sum(one.input or 0 for one in read(endless()) if isinstance(one, ExportDay))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == sum(range(3_000))
    assert peak < 200_000
