"""Origins, credentials, versions and positions as requests state them."""

import pytest
from fastapi import FastAPI, Request

from quarterdeck.core.errors import Invalid
from quarterdeck.http.credentials import Kind, credentials_of
from quarterdeck.http.etags import check_if_match, etag_of, is_unchanged
from quarterdeck.http.idempotency import KeyMalformed, key_of
from quarterdeck.http.origin import WrongOrigin, check_origin, origin_of
from quarterdeck.http.problems import PreconditionFailed, PreconditionRequired
from quarterdeck.http.streams import frame, position_of, wants_stream
from tests.unit.http.test_actor import actor


def request(method="GET", query="", public_url="", **headers: str) -> Request:
    app = FastAPI()
    app.state.public_url = public_url
    raw = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, value in {"host": "localhost:7410", **headers}.items()
    ]
    return Request(
        {
            "type": "http",
            "method": method,
            "path": "/",
            "query_string": query.encode(),
            "headers": raw,
            "scheme": "http",
            "server": ("localhost", 7410),
            "app": app,
        }
    )


@pytest.mark.parametrize(
    ("origin", "public_url", "passes"),
    [
        ("http://localhost:7410", "", True),
        ("HTTP://LOCALHOST:7410", "", True),
        ("http://localhost", "", False),
        ("https://localhost:7410", "", False),
        ("null", "", False),
        ("", "", False),
        ("https://deck.example", "https://deck.example/", True),
        ("https://deck.example", "https://deck.example:443", True),
        ("https://deck.example:444", "https://deck.example", False),
        ("https://deck.example.evil", "https://deck.example", False),
    ],
)
def test_only_our_own_pages_may_change_things(origin, public_url, passes):
    asked = request(origin=origin, public_url=public_url)
    if passes:
        check_origin(asked)
    else:
        with pytest.raises(WrongOrigin):
            check_origin(asked)


def test_a_request_without_an_origin_passes_only_where_no_browser_is_presumed():
    check_origin(request(), required=False)
    with pytest.raises(WrongOrigin):
        check_origin(request())


def test_addresses_with_ipv6_keep_their_brackets():
    assert origin_of("http://[::1]:7410/x") == "http://[::1]:7410"


def test_credentials_are_taken_from_the_strongest_place():
    cookie = "quarterdeck-session=c"
    assert credentials_of(request(authorization="Bearer k", cookie=cookie)).secret == "k"
    assert credentials_of(request(authorization="Basic k", cookie=cookie)).kind is Kind.SESSION
    assert credentials_of(request(query="token=t")).kind is Kind.ADDRESS
    assert credentials_of(request("POST", query="token=t")).kind is Kind.NONE
    assert credentials_of(request(cookie="other=1")).kind is Kind.NONE
    with pytest.raises(WrongOrigin):
        credentials_of(request("DELETE", cookie=cookie))
    assert credentials_of(request("DELETE", cookie=cookie, origin="http://localhost:7410")).secret == "c"
    assert credentials_of(request(cookie=f"{cookie}; __Host-quarterdeck=h")).secret == "h"


def test_versions_are_compared_as_wholes():
    current = etag_of({"a": 1})
    assert current == etag_of({"a": 1}) != etag_of({"a": 2})
    for passes in (current, "*", f'"x", {current}'):
        check_if_match(request(if_match=passes), current)
    for refused in ('"x"', "", f"W/{current}", current[:-2]):
        with pytest.raises(PreconditionFailed):
            check_if_match(request(if_match=refused), current)
    check_if_match(request(), current)
    with pytest.raises(PreconditionRequired):
        check_if_match(request(), current, required=True)
    assert is_unchanged(request(if_none_match=f"W/{current}"), current)
    assert not is_unchanged(request(), current)


def test_a_position_is_one_of_this_very_stream():
    assert position_of(request(), None, 9) == 0
    assert position_of(request(), 4, 9) == 4
    assert position_of(request(last_event_id="9"), 4, 9) == 9
    for wrong in ("10", "-1", "x", "1.5", "9" * 400, "²"):
        with pytest.raises(Invalid) as refused:
            position_of(request(last_event_id=wrong), None, 9)
        assert "header.last-event-id" in refused.value.detail
    with pytest.raises(Invalid):
        position_of(request(), 10, 9)


def test_a_frame_has_an_id_only_when_one_can_go_on_from_it():
    assert frame("run.admitted", b"{}", 1) == b"id: 1\nevent: run.admitted\ndata: {}\n\n"
    assert frame("message.delta", b"{}") == b"event: message.delta\ndata: {}\n\n"
    assert wants_stream(request(accept="text/event-stream"))
    assert not wants_stream(request(accept="application/json"))


def test_an_idempotency_key_may_stand_in_quotes_and_belongs_to_its_api_key():
    assert key_of(request(), actor()) is None
    assert key_of(request(idempotency_key='"a b"'), actor()) == "k:a b"
    assert (
        key_of(request(idempotency_key="abc"), actor()) == key_of(request(idempotency_key='"abc"'), actor()) == "k:abc"
    )
    for wrong in ("", '"', 'a"b', "a b", "é"):
        with pytest.raises(KeyMalformed):
            key_of(request(idempotency_key=wrong), actor())
