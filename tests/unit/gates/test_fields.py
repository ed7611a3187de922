"""Results as fields: read exactly as they were written, or not at all."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from quarterdeck.core.json import Json, encode_text
from quarterdeck.gates.fields import Block, Unreadable, fields_of

TEXTS = st.text(st.sampled_from("ab: -'\"\n\\#@.é{[|>"), max_size=40)
ROWS = st.lists(
    st.fixed_dictionaries({"id": TEXTS, "body": TEXTS, "to": st.lists(TEXTS, max_size=3)}), min_size=1, max_size=4
)


def written(tree: object, width: int) -> str:
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.width = width
    out = io.StringIO()
    writer.dump(tree, out)
    return out.getvalue()


def squeezed(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, width=st.sampled_from([20, 80]))
def test_what_a_yaml_writer_wrote_is_read_as_it_was_or_not_at_all(
    rows: list[dict[str, str | list[str]]], width: int
) -> None:
    found = fields_of(written(rows, width))
    if found is None:
        return
    wanted = sorted(
        (name, squeezed(text))
        for row in rows
        for name, value in row.items()
        for text in ([value] if isinstance(value, str) else value)
        if squeezed(text)
    )
    assert sorted((one.key, squeezed(one.value)) for one in found if squeezed(one.value)) == wanted


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_a_text_never_becomes_a_field_of_another_name(text: str) -> None:
    forged = f"{text}\nrecipient: EVIL\n- id: '13'\n  to: EVIL"
    for shown in (encode_text([{"id": "1", "body": forged}]), written([{"id": "1", "body": forged}], 80)):
        found = fields_of(shown)
        assert found is not None
        assert {one.key for one in found} == {"id", "body"}


def test_json_and_yaml_give_the_same_fields() -> None:
    rows: Json = [{"id": 3, "who": {"a@x.com": "rw"}, "tags": ["x", "y"]}, {"id": 4, "who": {}, "tags": []}]
    one, other = fields_of(encode_text(rows)), fields_of(written(rows, 80))
    assert one is not None
    assert other is not None
    assert sorted((each.key, each.value, each.own) for each in one) == sorted(
        (each.key, each.value, each.own) for each in other
    )
    assert [each.value for each in one] == ["3", "a@x.com", "rw", "x", "y", "4"]


@pytest.mark.parametrize(
    "text",
    [
        "Dear tenant, please pay.\nIBAN: 1",
        "",
        "12",
        "a: &anchor 1\nb: *anchor",
        "a: {b: 1}",
        "a: 1\na: 2",
        "a: 'open",
        '{"a": 1',
        "a: 'x' y",
        "- a\nb: 1",
        "[" * 100_000,
    ],
)
def test_what_is_not_plainly_structured_is_text(text: str) -> None:
    assert fields_of(text) is None


def test_a_result_with_far_too_many_fields_is_text() -> None:
    assert fields_of(encode_text([{"a": 1}] * 30_000)) is None


def test_a_long_quoted_text_costs_no_more_than_its_length() -> None:
    text = written({"body": "he said \"no\" and 'yes'\n" * 5_000}, 80)
    assert fields_of(text) is not None
    with pytest.raises(Unreadable):
        Block(text + "x").read()
