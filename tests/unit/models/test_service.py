"""Which connections a worker knows: those that there are, also one that was made a moment ago."""

import asyncio
from collections.abc import Sequence

from quarterdeck.models.records import ModelRequest
from quarterdeck.models.service import Models
from quarterdeck.providers.records import Connection, Kind
from tests.fakes.asking import connection


class Kept:
    """Connections, and how often somebody looked at them."""

    def __init__(self) -> None:
        self.there: list[Connection] = []
        self.looks = 0

    async def all(self) -> Sequence[Connection]:
        self.looks += 1
        found = [*self.there]
        await asyncio.sleep(0.01)
        return found

    def open_key(self, connection: Connection) -> str:
        return ""


async def no_files(_: ModelRequest) -> dict[str, bytes]:
    return {}


async def test_a_connection_that_was_made_right_after_a_look_is_found_by_those_who_ask_for_it():
    kept = Kept()
    models = Models(kept, no_files)
    await models.start()
    assert await models.connection("mine") is None
    kept.there.append(connection(Kind.SCRIPTED))
    found = await asyncio.gather(*(models.connection("mine") for _ in range(50)))
    assert [one.name for one in found if one] == ["mine"] * 50
    assert kept.looks == 3
    await models.close()


async def test_many_who_ask_for_what_is_not_there_do_not_look_each_for_themselves():
    kept = Kept()
    models = Models(kept, no_files)
    await models.start()
    assert set(await asyncio.gather(*(models.connection("none") for _ in range(200)))) == {None}
    assert kept.looks <= 3
    await models.close()
