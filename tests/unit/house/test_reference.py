"""The reference is made from the code, and what is committed is what the code makes."""

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.runs.events import EVENTS
from scripts.reference.__main__ import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_code_says(name: str):
    committed = (FOLDER / name).read_text(encoding="utf-8")
    assert committed == PAGES[name](), "run `python -m scripts.reference`"


def test_every_setting_is_described():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_kind_of_event_has_a_section():
    page = PAGES["events.md"]()
    assert [event.kind for event in EVENTS if f"\n### {event.kind}" not in page] == []
