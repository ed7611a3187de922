"""How wakes are packed into notifications."""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.json import Json, decode, encode_text
from quarterdeck.db.wakes import packed

items = st.lists(st.one_of(st.integers(), st.text(max_size=40), st.lists(st.text(max_size=8), max_size=4)))


@given(items, st.integers(min_value=200, max_value=7000))
def test_every_item_arrives_once_and_in_order_within_the_limit(values: list[Json], limit: int):
    texts = [encode_text(value) for value in values]
    payloads = packed(texts, limit)
    assert all(len(payload.encode()) <= limit for payload in payloads)
    arrived = [item for payload in payloads for item in cast("list[Json]", decode(payload))]
    assert [encode_text(item) for item in arrived] == texts


def test_as_few_notifications_as_fit():
    assert packed(["1", "2", "3"], 7) == ["[1,2,3]"]
    assert packed(["1", "2", "3"], 6) == ["[1,2]", "[3]"]
    assert packed([]) == []
