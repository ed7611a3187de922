"""Signatures of webhooks: those of the standard, and nothing that only looks like one."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.signature import PREFIX, SignatureInvalid, new_secret, sign, verify

# The example of the standard's own reference implementations.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, UTC)
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_signature_is_that_of_the_standard() -> None:
    assert sign([SECRET], MESSAGE, AT, BODY) == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_a_receiver_with_the_standards_own_library_accepts_our_messages() -> None:
    secret = new_secret()
    headers = sign([secret], MESSAGE, datetime.now(UTC), BODY)
    assert standardwebhooks.Webhook(secret).verify(BODY, headers) == {"test": 2432232314}


def test_messages_of_the_standards_own_library_are_accepted() -> None:
    now = datetime.now(UTC)
    signature = standardwebhooks.Webhook(SECRET).sign(MESSAGE, now, BODY.decode())
    headers = {"Webhook-Id": MESSAGE, "Webhook-Timestamp": str(int(now.timestamp())), "Webhook-Signature": signature}
    assert verify([SECRET], headers, BODY) == MESSAGE


def test_a_fresh_secret_has_256_bits_and_is_never_the_same() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert len(base64.b64decode(first.removeprefix(PREFIX))) == 32


def test_while_a_secret_is_rotated_receivers_with_either_accept() -> None:
    old, new = new_secret(), new_secret()
    headers = sign([new, old], MESSAGE, AT, BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    assert verify([old], headers, BODY, now=AT) == MESSAGE
    assert verify([new], headers, BODY, now=AT) == MESSAGE
    assert verify([new_secret(), old], headers, BODY, now=AT) == MESSAGE
    with pytest.raises(SignatureInvalid):
        verify([new_secret()], headers, BODY, now=AT)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_other"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "-1614265330"},
        {"webhook-timestamp": "1614265330.0"},
        {"webhook-timestamp": "١٦١٤٢٦٥٣٣٠"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": SIGNATURE.replace("v1", "v1a")},
        {"webhook-signature": SIGNATURE.replace("v1", "v2")},
        {"webhook-signature": SIGNATURE[:-2] + "F="},
        {"webhook-signature": SIGNATURE.removeprefix("v1,")},
    ],
)
def test_a_message_with_altered_headers_is_refused(change: dict[str, str]) -> None:
    headers = {**sign([SECRET], MESSAGE, AT, BODY), **change}
    with pytest.raises(SignatureInvalid):
        verify([SECRET], headers, BODY, now=AT)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_message_without_one_of_the_headers_is_refused(missing: str) -> None:
    headers = {name: value for name, value in sign([SECRET], MESSAGE, AT, BODY).items() if name != missing}
    with pytest.raises(SignatureInvalid):
        verify([SECRET], headers, BODY, now=AT)


@pytest.mark.parametrize(("seconds", "accepted"), [(-301, False), (-299, True), (299, True), (301, False)])
def test_a_message_is_accepted_within_five_minutes_either_way(seconds: int, accepted: bool) -> None:
    headers, now = sign([SECRET], MESSAGE, AT, BODY), AT + timedelta(seconds=seconds)
    if accepted:
        assert verify([SECRET], headers, BODY, now=now) == MESSAGE
    else:
        with pytest.raises(SignatureInvalid):
            verify([SECRET], headers, BODY, now=now)


@given(st.binary(), st.binary())
def test_only_the_very_body_that_was_signed_is_accepted(body: bytes, other: bytes) -> None:
    headers = sign([SECRET], MESSAGE, AT, body)
    assert verify([SECRET], headers, body, now=AT) == MESSAGE
    if other != body:
        with pytest.raises(SignatureInvalid):
            verify([SECRET], headers, other, now=AT)


def test_a_secret_that_is_not_base64_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        sign(["whsec_?"], MESSAGE, AT, BODY)
