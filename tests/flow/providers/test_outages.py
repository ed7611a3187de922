"""A provider with limits, and one that fails, asked through the gate over its real wire by two workers."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from quarterdeck.core.ids import new_run_id
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.gates.asking import Asking
from quarterdeck.models.records import Fault, ModelFault, ModelRequest
from quarterdeck.models.service import Models
from quarterdeck.pacing.service import Pacer
from quarterdeck.providers.records import Connection, Kind
from tests.fakes.asking import EXACT, asked, connection
from tests.fakes.provider import Fails, FakeProvider, Says, fake_provider

LIMITS = {
    "x-ratelimit-limit-requests": "600",
    "x-ratelimit-remaining-requests": "599",
    "x-ratelimit-reset-requests": "100ms",
    "x-ratelimit-limit-tokens": "90000",
    "x-ratelimit-remaining-tokens": "89900",
    "x-ratelimit-reset-tokens": "66ms",
}


class Kept:
    """One connection, and its key."""

    def __init__(self, one: Connection) -> None:
        self.one = one

    async def all(self) -> Sequence[Connection]:
        return [self.one]

    def open_key(self, connection: Connection) -> str:
        return "sk-canary-0123456789abcdef"


async def no_files(_: ModelRequest) -> dict[str, bytes]:
    return {}


@pytest.fixture
async def provider():
    async with fake_provider() as running:
        yield running


@pytest.fixture
async def pacer(database: Database):
    made = Pacer(database, None)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def asking(provider: FakeProvider, pacer: Pacer):
    """A worker's way of asking."""
    models = Models(Kept(connection(Kind.OPENAI, provider.url, options={"api": "chat"})), no_files)
    await models.start()
    yield Asking(models, pacer=pacer)
    await models.close()


@pytest.fixture
async def other(settings: Settings):
    """Another worker's pacer."""
    opened = await Database.open(urls_of(settings), size=4)
    made = Pacer(opened, None)
    await made.start()
    yield made
    await made.close()
    await opened.close()


def question(**more: Any) -> ModelRequest:
    return asked(model=EXACT[Kind.OPENAI], run=new_run_id(), **more)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_limits_in_an_answers_headers_are_known_to_all_workers(
    asking: Asking, provider: FakeProvider, other: Pacer, *, streamed: bool
):
    provider.turns = [Says("hello", headers=LIMITS)]
    answer = await asking.answer(question(), (lambda _kind, _piece: None) if streamed else None)
    assert answer.pace is not None
    assert (answer.pace.requests, answer.pace.tokens_left) == (600, 89_900)
    await asking.answer(question())
    await asyncio.sleep(0.3)  # it is written down beside the answer
    await other._follower.look()
    (lane,) = other._lanes.values()
    assert (lane.requests.most, lane.tokens.most) == (600, 90_000)
    assert "canary" not in lane.name.key


async def test_a_refusal_of_seconds_is_waited_for_in_line_and_not_in_place(asking: Asking, provider: FakeProvider):
    provider.turns = [Fails(429, "slow down", headers={"retry-after": "20"}), Says("never said")]
    began = time.monotonic()
    with pytest.raises(ModelFault) as caught:
        await asking.answer(question())
    assert (caught.value.fault, caught.value.retryable) == (Fault.PACED, True)
    assert 15 <= (caught.value.retry_after or 0) <= 30
    assert time.monotonic() - began < 4
    assert len(provider.asked) == 1
    with pytest.raises(ModelFault) as caught:
        await asking.answer(question())
    assert caught.value.fault == Fault.PACED
    assert len(provider.asked) == 1


async def test_a_refusal_of_a_moment_is_waited_for_in_place(asking: Asking, provider: FakeProvider):
    headers = {"retry-after-ms": "300"}
    provider.turns = [Fails(429, "slow down", headers=headers), Says("at last")]
    assert (await asking.answer(question())).finish == "stop"


async def test_a_model_that_fails_again_and_again_is_left_alone_until_it_is_well(
    asking: Asking, provider: FakeProvider
):
    pin = question().pin
    provider.turns = [Fails(500)]
    for _ in range(2):
        with pytest.raises(ModelFault):
            await asking.answer(question())
    assert "fails at the moment" in (asking.closed(pin.provider, pin.id) or "")
    assert asking.closed(pin.provider, "gpt-4.1-2025-04-14") is None
    seen = len(provider.asked)
    with pytest.raises(ModelFault) as caught:
        await asking.answer(question(), None, None)
    assert caught.value.fault in {Fault.OVERLOADED, Fault.SERVER_ERROR}
    assert len(provider.asked) - seen <= 2  # those that find out whether it is well again
    assert asking.paces()[pin.provider].limit == 64  # other models over this connection are asked as before
    provider.turns = [Says("well again")]
    until = time.monotonic() + 40
    while time.monotonic() < until:
        try:
            await asking.answer(question())
        except ModelFault:
            continue
        break
    assert asking.closed(pin.provider, pin.id) is None


async def test_a_long_refusal_closes_the_route_so_that_another_one_can_take_over(
    asking: Asking, provider: FakeProvider
):
    pin = question().pin
    provider.turns = [Fails(429, "come back later", headers={"retry-after": "120"})]
    with pytest.raises(ModelFault):
        await asking.answer(question())
    assert "wants to be left alone" in (asking.closed(pin.provider, pin.id) or "")
