"""A sealed secret opens in its own place, under its own key, and nowhere else."""

import pytest

from quarterdeck.core.seal import SealBroken, seal, unseal

KEY = bytes(range(32))


def test_a_sealed_value_opens_where_it_was_sealed_for() -> None:
    assert unseal(KEY, seal(KEY, b"whsec", b"tenant|endpoint"), b"tenant|endpoint") == b"whsec"


def test_equal_secrets_look_different_and_never_show() -> None:
    first, second = seal(KEY, b"secret-secret", b""), seal(KEY, b"secret-secret", b"")
    assert first != second
    assert b"secret" not in first


@pytest.mark.parametrize("change", ["key", "place", "bit", "cut", "format", "empty"])
def test_a_sealed_value_that_was_changed_or_moved_does_not_open(change: str) -> None:
    sealed = seal(KEY, b"secret", b"here")
    changed = {
        "bit": sealed[:-1] + bytes([sealed[-1] ^ 1]),
        "cut": sealed[:-1],
        "format": b"\x02" + sealed[1:],
        "empty": b"",
    }.get(change, sealed)
    key = bytes(32) if change == "key" else KEY
    with pytest.raises(SealBroken):
        unseal(key, changed, b"there" if change == "place" else b"here")


def test_a_short_key_is_refused_rather_than_used() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        seal(bytes(16), b"secret", b"")
