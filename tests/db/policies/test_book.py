"""Policies in memory: there when they are needed, changed within a moment, and unknown when nobody could look."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest

from quarterdeck.core.ids import TenantId
from quarterdeck.core.settings import Settings
from quarterdeck.db.following import BELIEVED_FOR
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import POLICIES, Wakes
from quarterdeck.policies import store
from quarterdeck.policies.book import PolicyBook
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.tenant import PoliciesUnknown

OURS, THEIRS = TenantId(UUID(int=7)), TenantId(UUID(int=8))


@pytest.fixture
async def wakes(settings: Settings):
    found = Wakes(urls_of(settings).listen)
    await found.start()
    yield found
    await found.close()


async def put(database: Database, tenant: TenantId, name: str, version: int, text: str | None) -> None:
    async with database.tenant(tenant) as tx:
        assert await store.add(tx, tenant, name, version, text, "because", "key:k") is not None


async def until(holds: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_book_knows_each_tenants_policies_in_force_and_no_others(database: Database, wakes: Wakes):
    await put(database, OURS, "a", 1, "old")
    await put(database, OURS, "a", 2, "new")
    await put(database, OURS, "b", 1, "gone")
    await put(database, OURS, "b", 2, None)
    await put(database, THEIRS, "a", 1, "theirs")
    book = PolicyBook(database, wakes)
    await book.start()
    assert book.tenant(OURS) == (PolicyText("a", "new"),)
    assert book.tenant(THEIRS) == (PolicyText("a", "theirs"),)
    assert book.tenant(TenantId(UUID(int=9))) == ()
    assert book.digest(OURS) not in {"", book.digest(THEIRS)}
    assert book.digest(TenantId(UUID(int=9))) == ""
    await book.close()


async def test_a_change_is_seen_at_once_when_somebody_says_so(database: Database, wakes: Wakes):
    book = PolicyBook(database, wakes, pause=600.0)
    await book.start()
    await asyncio.sleep(0.2)  # what is told on joining the channel has passed
    before = book.digest(OURS)
    await put(database, OURS, "a", 1, "text")
    wakes.send(POLICIES, str(OURS))
    await until(lambda: book.digest(OURS) != before, 2.0)
    assert book.tenant(OURS) == (PolicyText("a", "text"),)
    await book.close()


async def test_a_change_is_seen_by_the_clock_when_nobody_says_so(database: Database, wakes: Wakes):
    book = PolicyBook(database, wakes, pause=0.1)
    await book.start()
    await put(database, OURS, "a", 1, "text")
    await until(lambda: bool(book.tenant(OURS)), 3.0)
    await put(database, OURS, "a", 2, None)
    await until(lambda: not book.tenant(OURS), 3.0)
    await book.close()


async def test_a_book_that_could_not_look_does_not_know(database: Database, wakes: Wakes):
    now = 100.0
    book = PolicyBook(database, wakes, pause=600.0, now=lambda: now)
    with pytest.raises(PoliciesUnknown):
        book.tenant(OURS)
    await book.start()
    await asyncio.sleep(0.2)
    assert book.tenant(OURS) == ()
    now += BELIEVED_FOR + 0.1
    assert not book.known
    with pytest.raises(PoliciesUnknown):
        book.tenant(OURS)
    with pytest.raises(PoliciesUnknown):
        book.digest(OURS)
    await book.look()
    assert book.known
    await book.close()
