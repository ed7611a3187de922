"""References to secrets: where they may stand and where not."""

import pytest

from quarterdeck.spec import endpoints
from quarterdeck.spec.references import fill, is_name, is_reference, names_in, without_references


def test_names_are_found_where_they_stand():
    text = "Basic secret://USER_1:secret://file/pass.word and secret://USER_1"
    assert names_in(text) == ("USER_1", "file/pass.word")
    assert without_references(text) == "Basic : and "
    assert names_in("https://example.com") == ()


def test_references_are_filled_whatever_their_values_hold():
    assert fill("Bearer secret://A", {"A": r"\1 secret://B"}) == r"Bearer \1 secret://B"
    with pytest.raises(KeyError):
        fill("secret://A", {})


@pytest.mark.parametrize(
    ("text", "good"), [("A", True), ("env/A_b.c-d", True), ("1A", False), ("ENV/A", False), ("", False)]
)
def test_a_name_is_a_letter_and_what_may_follow(text: str, good: bool):
    assert is_name(text) is good
    assert is_reference(f"secret://{text}") is good


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("Authorization", "Bearer secret://API", None),
        ("Authorization", "secret://API", None),
        ("X-Api-Key", "secret://env/API", None),
        ("X-Anything", "prefix-secret://API-suffix", None),
        ("Authorization", "Bearer x", "it holds a credential"),
        ("Authorization", "Bearer 0123456789abcdef secret://API", "it holds a credential"),
        ("X-Anything", "secret://API and sk-abcdefghijklmnopqrstuvwx", "it holds a credential"),
        ("X-Anything", "secret://-", "by a name that none can have"),
        ("Host", "secret://API", "set by the protocol"),
    ],
)
def test_headers_may_refer_to_secrets_and_hold_none(name: str, value: str, fault: str | None):
    found = endpoints.header_fault(name, value)
    assert (found is None) == (fault is None)
    assert fault is None or fault in str(found)
