"""What a row's hash covers, and what its payload's state is."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from quarterdeck.audit.keys import Keys
from quarterdeck.audit.records import FIELDS, Row
from quarterdeck.audit.rules import Payload, payload_of, record_of, seal
from quarterdeck.core.chain import GENESIS, link
from quarterdeck.core.ids import TenantId

TENANT, OTHER = TenantId(UUID(int=7)), TenantId(UUID(int=8))
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROW = Row(UUID(int=1), AT, "k", "a", "do", "t", UUID(int=2), "c", 3, "u", "r", "allow", "x", ("p",), "s", "e")
OTHERS: dict[str, Any] = {
    "id": UUID(int=9),
    "at": AT.replace(microsecond=1),
    "run": None,
    "seq": None,
    "approved_by": ("p", "q"),
} | {name: "other" for name in FIELDS if name not in {"id", "at", "run", "seq", "approved_by"}}
KEYS = Keys(b"s" * 32, b"b" * 32)


@pytest.mark.parametrize("name", FIELDS)
def test_the_hash_covers_everything_that_a_row_says(name: str):
    changed = replace(ROW, **{name: OTHERS[name]})
    assert link(GENESIS, record_of(TENANT, changed, 1, None)) != link(GENESIS, record_of(TENANT, ROW, 1, None))


def test_the_hash_covers_whose_row_it_is_where_it_stands_and_what_it_is_bound_to():
    records = [
        record_of(TENANT, ROW, 1, None),
        record_of(OTHER, ROW, 1, None),
        record_of(TENANT, ROW, 2, None),
        record_of(TENANT, ROW, 1, b"m"),
    ]
    assert len({link(GENESIS, record) for record in records}) == 4
    assert link(b"x", records[0]) != link(GENESIS, records[0])


def test_a_payload_is_kept_erased_changed_or_was_never_there():
    key = KEYS.of_row(TENANT, ROW.id)
    with_payload = replace(ROW, digest=b"d" * 32)
    sealed = replace(with_payload, mac=seal(TENANT, with_payload, 1, GENESIS, key).mac)
    assert payload_of(sealed, key) is Payload.KEPT
    assert payload_of(replace(sealed, digest=None), key) is Payload.ERASED
    assert payload_of(replace(sealed, digest=b"e" * 32), key) is Payload.CHANGED
    assert payload_of(ROW, key) is Payload.NONE
    assert payload_of(with_payload, key) is Payload.CHANGED


def test_every_row_of_every_tenant_is_bound_with_a_key_of_its_own():
    keys = {KEYS.of_row(tenant, UUID(int=row)) for tenant in (TENANT, OTHER) for row in (1, 2)}
    assert len(keys) == 4
