"""What goes wrong at providers, on every wire: each fault has a code, says whether to try again, and hides the key."""

import asyncio
import contextlib
import gc
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from quarterdeck.models import transport
from quarterdeck.models.native import open_native
from quarterdeck.models.records import Fault, ModelFault
from quarterdeck.providers.options import WireOptions
from quarterdeck.providers.records import Kind
from tests.fakes.asking import EXACT, asked, connection, user
from tests.fakes.provider import Call, Drops, Fails, FakeProvider, Hangs, Says, Sends, fake_provider
from tests.flow.providers.conftest import KEY, Asking


async def fault_of(ask: Asking, **more: object) -> ModelFault:
    with pytest.raises(ModelFault) as caught:
        await ask(**more)
    fault = caught.value
    assert KEY not in f"{fault} {fault.detail} {fault.raw} {fault.__cause__!r}"
    return fault


def quota(kind: Kind) -> Fails:
    """The account is empty, in each vendor's words."""
    if kind == Kind.ANTHROPIC:
        return Fails(400, "Your credit balance is too low", "invalid_request_error")
    if kind == Kind.GOOGLE:
        detail = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "RequestsPerDay"}]}
        error = {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": [detail]}
        return Fails(429, body={"error": error})
    return Fails(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota")


@pytest.mark.parametrize(
    ("turn", "code", "retryable"),
    [
        (Fails(429, "slow down", "rate_limit_error", "RESOURCE_EXHAUSTED"), Fault.RATE_LIMITED, True),
        (Fails(500, "oops", "api_error", "INTERNAL"), Fault.SERVER_ERROR, True),
        (Fails(502, "bad gateway"), Fault.SERVER_ERROR, True),
        (Fails(503, "overloaded", "overloaded_error", "UNAVAILABLE"), Fault.OVERLOADED, True),
        (Fails(529, "overloaded", "overloaded_error", "UNAVAILABLE"), Fault.OVERLOADED, True),
        (Fails(400, "bad schema", "invalid_request_error", "INVALID_ARGUMENT"), Fault.REFUSED_REQUEST, False),
        (Fails(401, "bad key", "authentication_error", "UNAUTHENTICATED"), Fault.UNAUTHENTICATED, False),
        (Fails(403, "not yours", "permission_error", "PERMISSION_DENIED"), Fault.UNAUTHENTICATED, False),
        (Fails(404, "no such model", "not_found_error", "NOT_FOUND"), Fault.UNKNOWN_MODEL, False),
        (Drops(), Fault.CUT_OFF, True),
        (Sends(b"<html>Bad gateway</html>", "text/html"), Fault.MALFORMED, True),
        (Sends(b"all is well", "text/plain"), Fault.MALFORMED, True),
        (Sends(b""), Fault.MALFORMED, True),
        (Sends(b"\xff\xfe\x00"), Fault.MALFORMED, True),
        (Sends(b"[]"), Fault.MALFORMED, True),
        (Sends(b'{"surprise": true}'), Fault.MALFORMED, True),
        (Sends(b'{"choices": [], "output": 7, "content": "no", "candidates": 3}'), Fault.MALFORMED, True),
        (Sends(b"", status=307, headers={"location": "http://127.0.0.1:9/elsewhere"}), Fault.REFUSED_REQUEST, False),
    ],
    ids=lambda value: (
        f"{type(value).__name__}-{getattr(value, 'status', '')}" if not isinstance(value, Fault) else value
    ),
)
async def test_a_fault_has_its_code(ask: Asking, provider: FakeProvider, turn: Fails, code: Fault, *, retryable: bool):
    provider.turns = [turn]
    fault = await fault_of(ask)
    assert (fault.fault, fault.retryable) == (code, retryable)
    assert len(provider.asked) == 1, "the client tried again by itself"
    assert "`mine`" in fault.detail
    if isinstance(turn, Fails):
        assert fault.http_status == turn.status
        assert turn.message in fault.detail


async def test_an_empty_account_is_not_asked_again(ask: Asking, provider: FakeProvider):
    provider.turns = [quota(ask.kind)]
    fault = await fault_of(ask)
    assert (fault.fault, fault.retryable) == (Fault.QUOTA, False)


async def test_a_conversation_that_is_too_long_is_told_apart(ask: Asking, provider: FakeProvider):
    message = {
        Kind.ANTHROPIC: "prompt is too long: 300000 tokens > 200000 maximum",
        Kind.GOOGLE: "The input token count (9) exceeds the maximum number of tokens allowed (8)",
    }.get(ask.kind, "This model's maximum context length is 8 tokens")
    code = "INVALID_ARGUMENT" if ask.kind == Kind.GOOGLE else "context_length_exceeded"
    provider.turns = [Fails(400, message, "invalid_request_error", code)]
    assert (await fault_of(ask)).fault == Fault.TOO_LONG


async def test_retry_after_is_read_in_seconds_and_as_a_date(ask: Asking, provider: FakeProvider):
    provider.turns = [Fails(429, headers={"retry-after": "7"}, type="rate_limit_error", code="RESOURCE_EXHAUSTED")]
    assert (await fault_of(ask)).retry_after == 7.0
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    provider.turns = [Fails(429, headers={"retry-after": later}, type="rate_limit_error", code="RESOURCE_EXHAUSTED")]
    assert (await fault_of(ask)).retry_after == pytest.approx(20, abs=3)
    provider.turns = [Fails(429, headers={"retry-after": "soon"}, type="rate_limit_error", code="RESOURCE_EXHAUSTED")]
    assert (await fault_of(ask)).retry_after is None


async def test_a_provider_that_quotes_the_key_does_not_give_it_away(
    ask: Asking, provider: FakeProvider, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    caplog.set_level(logging.DEBUG)
    provider.turns = [Fails(401, f"Incorrect API key provided: {KEY}.", "authentication_error", "UNAUTHENTICATED")]
    fault = await fault_of(ask)
    assert "[secret removed]" in fault.detail
    logging.getLogger("test").error("as a worker might log it", exc_info=fault)
    printed = capfd.readouterr()
    ours = "\n".join(record.getMessage() + str(record.exc_text) for record in caplog.records)
    assert KEY not in ours + printed.out + printed.err


async def test_no_answer_at_all_ends_with_the_pins_time_out(ask: Asking, provider: FakeProvider):
    provider.turns = [Hangs()]
    started = asyncio.get_running_loop().time()
    fault = await fault_of(ask, timeout=0.4)
    assert (fault.fault, fault.retryable) == (Fault.TIMEOUT, True)
    assert asyncio.get_running_loop().time() - started < 2
    await _until(lambda: provider.asked[0].left)


async def test_an_answer_that_trickles_past_the_time_out_is_given_up(provider: FakeProvider, kind: Kind):
    provider.turns = [Says("word " * 200, between=0.05)]
    model = open_native(connection(kind, provider.url), WireOptions(), KEY)
    with pytest.raises(ModelFault) as caught:
        await model.answer(asked(model=EXACT[kind], timeout=0.5), lambda _kind, _text: None)
    assert caught.value.fault == Fault.TIMEOUT
    await _until(lambda: provider.asked[0].left)
    await model.close()


async def test_a_stream_that_falls_silent_is_given_up(provider: FakeProvider, kind: Kind):
    provider.turns = [Says("It rains in Hamburg, as ever.", hang_after=4)]
    model = open_native(connection(kind, provider.url), WireOptions(idle_timeout=0.3), KEY)
    pieces: list[str] = []
    started = asyncio.get_running_loop().time()
    with pytest.raises(ModelFault) as caught:
        await model.answer(asked(model=EXACT[kind]), lambda _kind, text: pieces.append(text))
    assert (caught.value.fault, caught.value.retryable) == (Fault.TIMEOUT, True)
    assert asyncio.get_running_loop().time() - started < 3
    await _until(lambda: provider.asked[0].left)
    await model.close()


@pytest.mark.parametrize(
    "turn", [Says("It rains in Hamburg, as ever.", cut_after=4), Says("It rains in Hamburg.", end_early=True)]
)
async def test_a_stream_that_ends_before_the_model_is_cut_off(provider: FakeProvider, kind: Kind, turn: Says):
    provider.turns = [turn]
    model = open_native(connection(kind, provider.url), WireOptions(), KEY)
    with pytest.raises(ModelFault) as caught:
        await model.answer(asked(model=EXACT[kind]), lambda _kind, _text: None)
    assert (caught.value.fault, caught.value.retryable) == (Fault.CUT_OFF, True)
    await model.close()


async def test_calls_of_a_stream_that_was_cut_are_not_taken_for_whole(provider: FakeProvider, kind: Kind):
    provider.turns = [Says(calls=[Call("look", {"x": 1, "why": "because of something long"}, "c1")], end_early=True)]
    model = open_native(connection(kind, provider.url), WireOptions(), KEY)
    with pytest.raises(ModelFault) as caught:
        await model.answer(asked(model=EXACT[kind]), lambda _kind, _text: None)
    assert caught.value.fault == Fault.CUT_OFF
    await model.close()


async def test_a_huge_answer_is_not_read_to_its_end(
    ask: Asking, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, kind: Kind
):
    monkeypatch.setattr(transport, "MAX_ANSWER", 200_000)
    model = open_native(connection(kind, provider.url), WireOptions(), KEY)
    provider.turns = [Says("x" * 1_000_000)] if not ask.streamed else [Says("x" * 20_000)]
    fault = await fault_of(Asking(model, kind, streamed=ask.streamed))
    assert (fault.fault, fault.retryable) == (Fault.TOO_LARGE, False)
    await model.close()


async def test_an_address_where_nobody_answers_is_unreachable(kind: Kind):
    async with fake_provider() as gone:
        url = gone.url
    model = open_native(connection(kind, url), WireOptions(), KEY)
    with pytest.raises(ModelFault) as caught:
        await model.answer(asked(model=EXACT[kind]), None)
    assert (caught.value.fault, caught.value.retryable) == (Fault.UNREACHABLE, True)
    await model.close()


async def test_cancelling_closes_the_request(ask: Asking, provider: FakeProvider):
    provider.turns = [Says("word " * 200, between=0.05, latency=0.0 if ask.streamed else 30)]
    asking = asyncio.create_task(ask())
    await _until(lambda: bool(provider.asked))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    if ask.streamed:
        await _until(lambda: provider.asked[0].left)


async def test_a_key_goes_to_its_own_origin_only(kind: Kind, provider: FakeProvider):
    async with fake_provider() as thief:
        for status in (301, 302, 307, 308):
            provider.turns = [Sends(b"", status=status, headers={"location": f"{thief.url}/v1/chat/completions"})]
            model = open_native(connection(kind, provider.url), WireOptions(), KEY)
            with pytest.raises(ModelFault):
                await model.answer(asked(model=EXACT[kind]), None)
            await model.close()
        assert thief.asked == []


async def test_the_environment_of_the_worker_is_no_part_of_a_connection(
    kind: Kind, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY",
    ):
        monkeypatch.setenv(name, "canary-from-the-environment")
    for name in ("OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.setenv(name, "x-canary: canary-from-the-environment")
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for key in (KEY, ""):
        model = open_native(connection(kind, provider.url), WireOptions(), key)
        await model.answer(asked(user("hi"), model=EXACT[kind]), None)
        assert "canary-from-the-environment" not in str(provider.asked[-1].headers)
        assert (KEY in str(provider.asked[-1].headers)) is bool(key)
        await model.close()


async def test_a_vendors_own_service_needs_a_key():
    with pytest.raises(ModelFault) as caught:
        open_native(connection(Kind.OPENAI), WireOptions(), "")
    assert caught.value.fault == Fault.UNCONFIGURED


async def test_many_faults_leave_nothing_open(ask: Asking, provider: FakeProvider):
    turns = [Drops(), Fails(500), Sends(b"<", "text/html"), Says("x" * 50, cut_after=3), Says("x", end_early=True)]
    for turn in turns:
        provider.turns = [turn]
        with contextlib.suppress(ModelFault):
            await ask()
    provider.turns = [Says("still here")]
    assert await ask()
    gc.collect()
    await asyncio.sleep(0)
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert not [task for task in tasks if "quarterdeck" in repr(task)]


async def _until(true, seconds: float = 3.0) -> None:
    for _ in range(int(seconds / 0.01)):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen in time")
