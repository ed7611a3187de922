"""Cursors come back as what they were, and nothing else does."""

import contextlib
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.errors import Invalid
from quarterdeck.http.pages import page, read_cursor, write_cursor


@given(st.tuples(st.datetimes(timezones=st.just(UTC)), st.uuids()))
def test_a_position_survives_the_way_to_the_client_and_back(position):
    cursor = write_cursor(position)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert read_cursor(cursor, tuple[datetime, UUID]) == position


@given(st.text(max_size=80))
def test_what_we_did_not_write_is_refused_as_a_value_and_breaks_nothing(text):
    for kind in (UUID, int, str, tuple[datetime, UUID]):
        # Anything but Invalid would be an answer of 500.
        with contextlib.suppress(Invalid):
            read_cursor(text, kind)


def test_a_cursor_of_another_list_is_refused():
    with pytest.raises(Invalid):
        read_cursor(write_cursor("acme"), UUID)
    assert read_cursor(None, UUID) is read_cursor("", UUID) is None


@pytest.mark.parametrize(("count", "shown", "more"), [(0, 0, False), (2, 2, False), (3, 2, True)])
def test_the_one_row_too_many_only_says_that_there_is_more(count, shown, more):
    body = json.loads(bytes(page(range(count), 2, lambda row: row, lambda row: {"n": row}).body))
    assert len(body["items"]) == shown
    assert (body["next_cursor"] is not None) is more
    if more:
        assert read_cursor(body["next_cursor"], int) == shown - 1
