"""A fake provider and a client for it, for every wire, whole and streamed."""

from typing import Any

import pytest

from quarterdeck.models.native import Native, open_native
from quarterdeck.models.records import ModelAnswer
from quarterdeck.providers.options import WireOptions
from quarterdeck.providers.records import Kind
from tests.fakes.asking import EXACT, asked, connection
from tests.fakes.provider import FakeProvider, fake_provider

KINDS = [Kind.OPENAI, Kind.OPENAI_COMPATIBLE, Kind.OLLAMA, Kind.ANTHROPIC, Kind.GOOGLE]
KEY = "sk-canary-0123456789abcdef"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
async def provider():
    async with fake_provider() as running:
        yield running


@pytest.fixture
async def model(kind: Kind, provider: FakeProvider):
    opened = open_native(connection(kind, provider.url), WireOptions(), KEY)
    yield opened
    await opened.close()


class Asking:
    """Asks and collects what was streamed."""

    def __init__(self, model: Native, kind: Kind, *, streamed: bool) -> None:
        self.model, self.kind, self.streamed = model, kind, streamed
        self.pieces: list[tuple[str, str]] = []

    async def __call__(self, *messages: Any, **more: Any) -> ModelAnswer:
        self.pieces.clear()
        request = asked(*messages, model=more.pop("model", EXACT[self.kind]), **more)
        delta = (lambda kind, text: self.pieces.append((kind, text))) if self.streamed else None
        return await self.model.answer(request, delta)

    def text(self, kind: str = "text") -> str:
        return "".join(piece for of, piece in self.pieces if of == kind)


@pytest.fixture
def ask(model: Native, kind: Kind, streamed: bool) -> Asking:
    return Asking(model, kind, streamed=streamed)
