"""Retries wait in milliseconds here."""

import pytest

from quarterdeck.sdk import rules


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(rules, "LONGEST_PAUSE", 0.002)
