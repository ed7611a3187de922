"""What a connection must be, told before it is kept."""

import pytest

from quarterdeck.core.json import Json
from quarterdeck.providers.options import WireOptions, read_options
from quarterdeck.providers.records import BadConnection, Kind, Wanted
from quarterdeck.providers.rules import origin, settle


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (Kind.OPENAI, "", "https://api.openai.com/v1"),
        (Kind.ANTHROPIC, "", "https://api.anthropic.com"),
        (Kind.OLLAMA, "", "http://127.0.0.1:11434/v1"),
        (Kind.OPENAI_COMPATIBLE, "HTTP://Localhost:8000/v1/", "http://localhost:8000/v1"),
        (Kind.OPENAI_COMPATIBLE, "https://models.example:443/v1", "https://models.example/v1"),
        (Kind.OPENAI_COMPATIBLE, "http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        (Kind.RECORDED, "", ""),
    ],
)
def test_an_address_is_filled_in_and_written_in_one_way(kind: Kind, given: str, kept: str):
    assert settle(Wanted("x", kind, given)).base_url == kept


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted("Bad Name", Kind.OPENAI), "lower-case"),
        (Wanted("x", Kind.OPENAI_COMPATIBLE), "needs a base_url"),
        (Wanted("x", Kind.OPENAI_COMPATIBLE, "ftp://host/"), "http"),
        (Wanted("x", Kind.OPENAI_COMPATIBLE, "https://"), "host"),
        (Wanted("x", Kind.OPENAI_COMPATIBLE, "https://me:secret@host/v1"), "passwords"),
        (Wanted("x", Kind.OPENAI_COMPATIBLE, "https://host/v1?key=1"), "query"),
        (Wanted("x", Kind.OPENAI_COMPATIBLE, "https://host:99999/v1"), "can't be read"),
        (Wanted("x", Kind.RECORDED, "https://host/v1"), "neither"),
        (Wanted("x", Kind.SCRIPTED, key="k"), "neither"),
        (Wanted("x", Kind.OPENAI, options={"nope": 1}), "nope"),
        (Wanted("x", Kind.OPENAI, options={"api": "completions"}), "api"),
        (Wanted("x", Kind.RECORDED, options={"mode": "loose"}), "mode"),
        (Wanted("x", Kind.RECORDED, options={"speed": -1}), "speed"),
        (Wanted("x", Kind.OPENAI, agents=frozenset({"a\0b"})), "NUL"),
    ],
)
def test_a_connection_that_can_not_work_is_refused_with_what_is_wrong(wanted: Wanted, says: str):
    with pytest.raises(BadConnection, match=says):
        settle(wanted)


def test_options_have_defaults_and_types():
    given: dict[str, Json] = {"idle_timeout": 3}
    assert read_options(Kind.GOOGLE, given) == WireOptions(idle_timeout=3.0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a/v1", "https://a:443/v2", True),
        ("https://a/v1", "http://a/v1", False),
        ("https://a/v1", "https://a:8443/v1", False),
        ("https://a/v1", "https://b/v1", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, *, same: bool):
    assert (origin(one) == origin(other)) is same
