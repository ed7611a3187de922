"""Links: for one question of one tenant, and no longer than it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quarterdeck.approvals.links import Links, name_of
from quarterdeck.approvals.records import LinkInvalid
from quarterdeck.core.ids import uuid7
from quarterdeck.core.settings import Settings
from tests.unit.approvals.test_rules import HELD, NOW

LINKS = Links(bytes(range(32)))


def test_a_link_names_its_tenant_until_the_question_expires():
    token = LINKS.token(HELD)
    assert LINKS.read(token, HELD.id, NOW) == HELD.tenant
    with pytest.raises(LinkInvalid):
        LINKS.read(token, HELD.id, HELD.expires_at)


def test_a_link_of_another_question_key_or_tenant_is_refused():
    token = LINKS.token(HELD)
    with pytest.raises(LinkInvalid):
        LINKS.read(token, uuid7(), NOW)
    with pytest.raises(LinkInvalid):
        Links(bytes(32)).read(token, HELD.id, NOW)
    later = LINKS.token(replace(HELD, expires_at=HELD.expires_at + timedelta(days=9)))
    with pytest.raises(LinkInvalid):  # the time of one with the proof of the other
        LINKS.read(later[:32] + token[32:], HELD.id, NOW)


@pytest.mark.parametrize("token", ["", "x", "é", "A" * 75, "A" * 10_000])
def test_what_is_no_link_is_refused(token: str):
    with pytest.raises(LinkInvalid):
        LINKS.read(token, HELD.id, NOW)


def test_a_link_starts_where_people_reach_the_api():
    settings = Settings.model_validate({"secret_key": "x" * 32, "public_url": "https://deck.example.com/"})
    assert Links.of(settings).url(HELD).startswith(f"https://deck.example.com/v1/approvals/{HELD.id}/link?token=")
    assert LINKS.url(HELD).startswith("/v1/approvals/")


def test_records_name_a_link_without_telling_it():
    token = LINKS.token(HELD)
    assert name_of(token) == name_of(token)
    assert token[:12] not in name_of(token)
