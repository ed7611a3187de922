"""When a message is tried again, when it is given up, and who signs while a secret is replaced."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import decode_object
from quarterdeck.core.seal import SealBroken
from quarterdeck.webhooks import rules
from quarterdeck.webhooks.records import EndpointId, Outcome, Secret, State

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = bytes(range(32))
TENANT, ENDPOINT = TenantId(UUID(int=1)), EndpointId(UUID(int=2))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_delivery(status: int) -> None:
    assert rules.judge(Outcome(status), 1, None, 0.5).state is State.DELIVERED


@pytest.mark.parametrize("status", [199, 300, 301, 302, 307, 400, 401, 404, 408, 429, 500, 502, 503])
def test_any_other_status_is_tried_again_after_a_while(status: int) -> None:
    verdict = rules.judge(Outcome(status), 1, None, 0.5)
    assert (verdict.state, verdict.wait) == (State.PENDING, rules.BACKOFF[0])
    assert str(status) in (verdict.error or "")


def test_no_answer_is_tried_again_and_says_why() -> None:
    verdict = rules.judge(Outcome(error="It took too long."), 3, None, 0.5)
    assert (verdict.state, verdict.wait, verdict.error) == (State.PENDING, rules.BACKOFF[2], "It took too long.")


def test_the_waits_grow_and_the_last_attempt_is_the_last() -> None:
    verdicts = [rules.judge(Outcome(500), tries, None, 0.5) for tries in range(1, rules.MOST_TRIES + 1)]
    assert [verdict.wait for verdict in verdicts[:-1]] == list(rules.BACKOFF)
    assert verdicts[-1].state is State.DEAD
    assert verdicts[-1].disable is None


@given(st.integers(1, len(rules.BACKOFF)), st.floats(0, 1))
def test_jitter_spreads_a_wait_by_a_fifth_either_way(tries: int, jitter: float) -> None:
    wait = rules.judge(Outcome(500), tries, None, jitter).wait
    assert wait is not None
    assert rules.BACKOFF[tries - 1] * 0.8 <= wait <= rules.BACKOFF[tries - 1] * 1.2


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(timedelta(seconds=1), rules.BACKOFF[0]), (timedelta(minutes=5),) * 2, (timedelta(days=9), timedelta(days=1))],
)
def test_the_receivers_retry_after_lengthens_a_wait_within_a_day(asked: timedelta, waits: timedelta) -> None:
    assert rules.judge(Outcome(429, retry_after=asked), 1, None, 0.5).wait == waits


def test_410_gives_the_message_up_and_disables_the_endpoint() -> None:
    verdict = rules.judge(Outcome(410), 1, None, 0.5)
    assert verdict.state is State.DEAD
    assert "410" in (verdict.disable or "")


@pytest.mark.parametrize(("days", "disabled"), [(4.9, False), (5, True), (50, True)])
def test_an_endpoint_is_disabled_once_nothing_reached_it_for_five_days(days: float, disabled: bool) -> None:
    verdict = rules.judge(Outcome(500), 1, timedelta(days=days), 0.5)
    assert (verdict.disable is not None) is disabled
    assert (verdict.state is State.DEAD) is disabled


def test_a_delivery_after_days_of_failing_disables_nothing() -> None:
    assert rules.judge(Outcome(200), 8, timedelta(days=50), 0.5).disable is None


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("0", timedelta()),
        ("120", timedelta(seconds=120)),
        ("9" * 50, timedelta(days=1)),
        ("Fri, 20 Nov 2026 12:02:00 GMT", timedelta(minutes=2)),
        ("Fri, 20 Nov 2026 11:00:00 GMT", timedelta()),
        ("Fri, 20 Nov 2026 12:02:00 -0000", timedelta(minutes=2)),
        ("Fri, 99 Nov 2026 12:02:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(value: str | None, wait: timedelta | None) -> None:
    assert rules.retry_after(value, NOW) == wait


def test_the_envelope_holds_type_time_and_the_record_as_it_was_written() -> None:
    body = rules.envelope("run.finished", NOW, '{"id": "x", "text": "ä\\u2028"}')
    assert decode_object(body) == {
        "type": "run.finished",
        "timestamp": "2026-11-20T12:00:00Z",
        "data": {"id": "x", "text": "ä\u2028"},
    }


def test_a_rotation_puts_a_fresh_secret_first_and_lets_the_old_one_sign_along_for_a_while() -> None:
    fresh, old = rules.rotated([Secret("whsec_old")], NOW, timedelta(hours=24))
    assert fresh.expires_at is None
    assert fresh.text not in {"whsec_old", ""}
    assert old == Secret("whsec_old", NOW + timedelta(hours=24))
    assert old.lives(NOW + timedelta(hours=23))
    assert not old.lives(NOW + timedelta(hours=24))


def test_rotating_again_never_lengthens_the_life_of_an_old_secret() -> None:
    soon = NOW + timedelta(hours=1)
    secrets = [Secret("b"), Secret("a", soon), Secret("expired", NOW - timedelta(seconds=1))]
    _, b, a = rules.rotated(secrets, NOW, timedelta(hours=24))
    assert (b.text, b.expires_at) == ("b", NOW + timedelta(hours=24))
    assert a == Secret("a", soon)


def test_a_rotation_without_overlap_leaves_the_fresh_secret_alone() -> None:
    assert len(rules.rotated([Secret("leaked"), Secret("older", NOW + timedelta(hours=1))], NOW, timedelta())) == 1


def test_a_rotation_shortens_what_was_to_live_longer() -> None:
    secrets = [Secret("b"), Secret("a", NOW + timedelta(days=5))]
    assert rules.rotated(secrets, NOW, timedelta(minutes=5))[2].expires_at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize("secret", [Secret("whsec_x"), Secret("whsec_x", NOW)])
def test_a_secret_opens_at_its_own_endpoint_only(secret: Secret) -> None:
    sealed = rules.close(KEY, TENANT, ENDPOINT, secret)
    assert b"whsec_" not in sealed
    assert rules.reopen(KEY, TENANT, ENDPOINT, sealed) == secret
    for tenant, endpoint in [(TenantId(UUID(int=9)), ENDPOINT), (TENANT, EndpointId(UUID(int=9)))]:
        with pytest.raises(SealBroken):
            rules.reopen(KEY, tenant, endpoint, sealed)
