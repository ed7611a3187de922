"""A provider's key may be the name of a secret: resolved when its client is opened, and again when it was rotated."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from quarterdeck.core.errors import Error
from quarterdeck.models.records import Fault, ModelFault, ModelRequest
from quarterdeck.models.service import Models
from quarterdeck.providers.records import Connection, Kind
from tests.fakes.asking import connection


class Missing(Error):
    """There is no secret `OPENAI` here."""


class Kept:
    """One connection, whose key is as it was given."""

    def __init__(self, key: str) -> None:
        self.key = key

    async def all(self) -> Sequence[Connection]:
        return [replace(connection(Kind.OPENAI), sealed_key=b"sealed")]

    def open_key(self, connection: Connection) -> str:
        return self.key


async def no_files(_: ModelRequest) -> dict[str, bytes]:
    return {}


@pytest.fixture
async def opened():
    """`await opened(key, resolve)` gives the models of a process."""
    started: list[Models] = []

    async def open_models(key: str, resolve=None) -> Models:
        models = Models(Kept(key), no_files, resolve=resolve)
        await models.start()
        started.append(models)
        return models

    yield open_models
    for models in started:
        await models.close()


async def client_of(models: Models) -> object:
    found = await models.connection("mine")
    assert found is not None
    async with await models.borrow(found) as model:
        return model


async def test_a_client_is_opened_with_the_secrets_value_and_anew_when_that_changes(opened):
    values = {"OPENAI": "sk-first-value-000001"}

    async def resolve(name: str) -> str:
        return values[name]

    models = await opened("secret://OPENAI", resolve)
    first = await client_of(models)
    assert await client_of(models) is first
    assert await models.keys_of("mine") == {"provider/mine": ("sk-first-value-000001",)}
    values["OPENAI"] = "sk-second-value-00002"
    second = await client_of(models)
    assert second is not first
    assert await client_of(models) is second
    assert await models.keys_of("mine") == {"provider/mine": ("sk-second-value-00002",)}


async def test_a_secret_that_can_not_be_had_is_named_and_nobody_is_asked(opened):
    async def resolve(_: str) -> str:
        raise Missing

    models = await opened("secret://OPENAI", resolve)
    with pytest.raises(ModelFault, match="no secret `OPENAI`") as fault:
        await client_of(models)
    assert fault.value.fault == Fault.UNCONFIGURED
    assert await models.keys_of("mine") == {}


async def test_a_plain_key_is_known_by_its_providers_name(opened):
    models = await opened("sk-plain-value-000001")
    await client_of(models)
    assert await models.keys_of("mine") == {"provider/mine": ("sk-plain-value-000001",)}
    assert await models.keys_of("none") == {}
