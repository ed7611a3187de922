"""The gate, the registry and a provider that misbehaves, together; and a recording that replays without it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.ids import new_run_id
from quarterdeck.gates.model import ModelFacts, ModelGate
from quarterdeck.gates.records import Verdict
from quarterdeck.models.records import Fault, ModelFault, ModelRequest
from quarterdeck.models.service import Models
from quarterdeck.providers.records import Connection, Kind
from quarterdeck.runs.messages import Call, Message, ModelMessage, Text
from tests.fakes import provider as fake
from tests.fakes.asking import EXACT, asked, connection, release, result, user
from tests.fakes.provider import Asked, Fails, FakeProvider, Says, Turn, fake_provider
from tests.fakes.standing import Calm

KEY = "sk-canary-0123456789abcdef"


class Kept:
    """Connections without a database; the key of each is kept beside it."""

    def __init__(self, *connections: Connection) -> None:
        self.connections: Sequence[Connection] = connections
        self.key = KEY

    async def all(self) -> Sequence[Connection]:
        return self.connections

    def open_key(self, connection: Connection) -> str:
        return self.key


async def no_files(_: ModelRequest) -> dict[str, bytes]:
    return {}


@pytest.fixture
async def provider():
    async with fake_provider() as running:
        yield running


@pytest.fixture
async def kept(provider: FakeProvider) -> Kept:
    return Kept(connection(Kind.OPENAI, provider.url, options={"api": "chat"}))


@pytest.fixture
async def models(kept: Kept):
    opened = Models(kept, no_files)
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture
def gate(models: Models) -> ModelGate:
    return ModelGate(models, Calm())


def question(*messages: Message, **more: Any) -> ModelRequest:
    return asked(*messages, model=EXACT[Kind.OPENAI], **more)


async def test_a_refused_question_is_asked_again_when_the_provider_says(gate: ModelGate, provider: FakeProvider):
    provider.turns = [Fails(429, "slow down", headers={"retry-after": "1"}), Fails(500), Says("at last")]
    faults: list[tuple[str, float | None]] = []

    async def on_fault(fault: ModelFault, _tries: int, again_in: float | None, _ms: int) -> None:
        faults.append((fault.fault, again_in))

    started = time.monotonic()
    assert (await gate.decide(question(), release(), ModelFacts())).verdict == Verdict.ALLOW
    answer = await gate.answer(question(), None, on_fault)
    assert answer.content == (Text("at last"),)
    assert [fault for fault, _ in faults] == ["rate_limited", "server_error"]
    assert 1.0 <= (faults[0][1] or 0) <= 2.0
    assert time.monotonic() - started >= 1.0
    assert len(provider.asked) == 3


async def test_a_cut_stream_is_asked_for_again_from_its_beginning(gate: ModelGate, provider: FakeProvider):
    provider.turns = [Says("It rains in Hamburg, as ever.", cut_after=4), Says("It rains.")]
    pieces: list[str] = []

    async def on_fault(fault: ModelFault, _tries: int, _again_in: float | None, _ms: int) -> None:
        assert fault.fault == Fault.CUT_OFF
        pieces.clear()

    answer = await gate.answer(question(), lambda _kind, piece: pieces.append(piece), on_fault)
    assert answer.content == (Text("It rains."),)
    assert "".join(pieces) == "It rains."


async def test_a_storm_is_not_kept_alive_by_one_worker(gate: ModelGate, provider: FakeProvider):
    """Forty runs ask at once; the provider bears four at a time and refuses what is more."""

    def plan(_: Asked) -> Turn:
        too_many = provider._at_once >= 4
        return Fails(429, "slow down", headers={"retry-after": "0"}) if too_many else Says("ok", latency=0.05)

    provider.plan = plan

    async def run() -> str:
        for _ in range(10):  # as the loop does: park, and come back later
            try:
                return (await gate.answer(question(run=new_run_id()))).finish
            except ModelFault:
                await asyncio.sleep(0.2)
        return "given up"

    assert await asyncio.gather(*(run() for _ in range(40))) == ["stop"] * 40
    refused = len(provider.asked) - 40
    assert refused < 160, f"{refused} refusals for 40 answers"
    assert gate.paces()["mine"].limit < 40


async def test_a_changed_key_is_used_from_the_next_question_on(
    gate: ModelGate, models: Models, kept: Kept, provider: FakeProvider
):
    await gate.answer(question())
    kept.key = "sk-another-0123456789abcdef"
    kept.connections = [replace(kept.connections[0], updated_at=datetime.now(UTC))]
    await asyncio.sleep(1.2)  # the connections are looked at each second
    await gate.answer(question())
    sent = [one.headers["Authorization"] for one in provider.asked]
    assert sent == [f"Bearer {KEY}", "Bearer sk-another-0123456789abcdef"]


async def test_another_model_than_the_pinned_one_is_noticed(gate: ModelGate, provider: FakeProvider):
    provider.turns = [Says("hello", model="gpt-4.1-mini-2026-01-01")]
    answer = await gate.answer(question())
    assert not gate.same_model(question().pin, answer.served_model)


async def test_settings_that_may_be_set_are_sent_along(gate: ModelGate, provider: FakeProvider):
    request = question(extra={"seed": 7, "stop_sequences": ["END"]}, top_p=0.5, parallel_tool_calls=False)
    assert (await gate.decide(request, release(), ModelFacts())).verdict == Verdict.ALLOW
    await gate.answer(request)
    body = provider.asked[0].body
    assert (body["seed"], body["stop"], body["top_p"], body["parallel_tool_calls"]) == (7, ["END"], 0.5, False)


async def test_a_connection_without_its_key_says_so(kept: Kept):
    kept.key = ""
    kept.connections = [connection(Kind.OPENAI)]
    models = Models(kept, no_files)
    await models.start()
    with pytest.raises(ModelFault) as caught:
        await ModelGate(models, Calm()).answer(question())
    await models.close()
    assert (caught.value.fault, "has no key" in caught.value.detail) == (Fault.UNCONFIGURED, True)


async def test_a_recorded_conversation_replays_without_the_provider(kept: Kept, provider: FakeProvider, tmp_path: Path):
    async def converse(gate: ModelGate) -> list[Message]:
        run = new_run_id()
        messages: list[Message] = [user("look for both")]
        while True:
            step = 1 + sum(isinstance(message, ModelMessage) for message in messages)
            answer = await gate.answer(question(*messages, run=run, step=step), lambda _kind, _piece: None)
            messages.append(ModelMessage(answer.content))
            calls = [part for part in answer.content if isinstance(part, Call)]
            if not calls:
                return messages
            messages += [result(call.id, f"{call.arguments['x']} is there") for call in calls]

    provider.turns = [
        Says("Both at once.", calls=[fake.Call("look", {"x": 1}, "c1"), fake.Call("look", {"x": 2}, "c2")], input=900),
        Says("Both are there."),
    ]
    recording = Models(kept, no_files, record=tmp_path)
    await recording.start()
    original = await converse(ModelGate(recording, Calm()))
    await recording.close()
    await provider.close()
    replaying = Models(Kept(connection(Kind.RECORDED, options={"folder": str(tmp_path)})), no_files)
    await replaying.start()
    replayed = await converse(ModelGate(replaying, Calm()))
    await replaying.close()
    assert replayed == original
