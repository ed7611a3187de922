"""Provider connections against a real database: keys bound to their origin, changes seen, nothing shown."""

from dataclasses import replace
from uuid import UUID

import pytest

from quarterdeck.core.ids import TenantId
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.providers import store
from quarterdeck.providers.records import (
    BadConnection,
    Connection,
    KeyBound,
    KeyUnreadable,
    Kind,
    NoSuchProvider,
    ProviderExists,
    Wanted,
)
from quarterdeck.providers.rules import show, version_of
from quarterdeck.providers.service import Providers, wanted_from

KEY = "sk-canary-4f6a0b1c2d3e4f5a6b7c8d9e"
TENANT = TenantId(UUID(int=7))


@pytest.fixture
def providers(database: Database, settings: Settings) -> Providers:
    return Providers.of(database, settings)


async def add(providers: Providers, wanted: Wanted) -> Connection:
    async with providers.database.system.transaction() as tx:
        return await providers.add(tx, wanted)


async def test_a_connection_is_kept_whole_and_its_key_opens_again(providers: Providers):
    wanted = Wanted(
        "openai",
        Kind.OPENAI,
        key=KEY,
        options={"idle_timeout": 5},
        tenants=frozenset({TENANT}),
        agents=frozenset({"a"}),
    )
    await add(providers, wanted)
    kept = await providers.get("openai")
    assert (kept.kind, kept.base_url, kept.options) == (Kind.OPENAI, "https://api.openai.com/v1", {"idle_timeout": 5})
    assert (kept.tenants, kept.agents) == (frozenset({TENANT}), frozenset({"a"}))
    assert providers.open_key(kept) == KEY
    assert kept.serves(TENANT, "a")
    assert not kept.serves(TENANT, "b")
    assert not kept.serves(TenantId(UUID(int=8)), "a")


async def test_a_key_is_not_stored_or_shown_in_the_clear(providers: Providers):
    kept = await add(providers, Wanted("openai", Kind.OPENAI, key=KEY))
    assert kept.sealed_key is not None
    assert KEY.encode() not in kept.sealed_key
    assert KEY not in repr(kept)
    assert KEY not in str(show(kept))


async def test_a_name_is_taken_once(providers: Providers):
    await add(providers, Wanted("openai", Kind.OPENAI, key=KEY))
    with pytest.raises(ProviderExists):
        await add(providers, Wanted("openai", Kind.OPENAI, key=KEY))


async def test_a_key_does_not_follow_to_another_origin(providers: Providers):
    await add(providers, Wanted("mine", Kind.OPENAI_COMPATIBLE, "https://models.example/v1", KEY))
    with pytest.raises(KeyBound):
        await providers.change("mine", {"base_url": "https://elsewhere.example/v1"})
    with pytest.raises(KeyBound):
        await providers.change("mine", {"base_url": "http://models.example/v1"})
    with pytest.raises(KeyBound):
        await providers.change("mine", {"base_url": "https://models.example:8443/v1"})
    assert (await providers.get("mine")).base_url == "https://models.example/v1"


async def test_a_key_stays_when_only_the_path_changes(providers: Providers):
    await add(providers, Wanted("mine", Kind.OPENAI_COMPATIBLE, "https://models.example/v1", KEY))
    changed = await providers.change("mine", {"base_url": "https://MODELS.example:443/v2/"})
    assert changed.base_url == "https://models.example/v2"
    assert providers.open_key(changed) == KEY


async def test_another_origin_is_taken_with_the_key_given_again_or_taken_away(providers: Providers):
    await add(providers, Wanted("mine", Kind.OPENAI_COMPATIBLE, "https://models.example/v1", KEY))
    moved = await providers.change("mine", {"base_url": "https://elsewhere.example/v1", "key": "sk-another-key"})
    assert providers.open_key(moved) == "sk-another-key"
    bare = await providers.change("mine", {"base_url": "https://third.example/v1", "key": None})
    assert bare.sealed_key is None


async def test_a_row_that_was_moved_to_another_address_in_the_database_opens_no_key(providers: Providers):
    kept = await add(providers, Wanted("mine", Kind.OPENAI_COMPATIBLE, "https://models.example/v1", KEY))
    async with providers.database.system.transaction() as tx:
        await store.write(tx, replace(kept, base_url="https://thief.example/v1"))
    with pytest.raises(KeyUnreadable):
        providers.open_key(await providers.get("mine"))


async def test_a_change_names_what_it_changes_and_raises_the_version(providers: Providers):
    before = await add(providers, Wanted("mine", Kind.OPENAI, key=KEY, options={"idle_timeout": 5}))
    after = await providers.change("mine", {"agents": ["desk"], "tenants": [str(TENANT)]})
    assert (after.options, after.agents, after.tenants) == (
        {"idle_timeout": 5},
        frozenset({"desk"}),
        frozenset({TENANT}),
    )
    assert version_of(after) != version_of(before)
    with pytest.raises(BadConnection):
        await providers.change("mine", {"kind": "google"})
    with pytest.raises(BadConnection):
        await providers.change("mine", {"tenants": ["not a uuid"]})


async def test_whoever_looks_before_a_change_may_refuse_it(providers: Providers):
    await add(providers, Wanted("mine", Kind.OPENAI, key=KEY))

    def refuse(present: Connection) -> None:
        raise BadConnection(f"not {present.name}")

    with pytest.raises(BadConnection, match="not mine"):
        await providers.change("mine", {"agents": []}, refuse)
    assert (await providers.get("mine")).agents is None


async def test_what_is_gone_is_not_found(providers: Providers):
    await add(providers, Wanted("mine", Kind.OPENAI, key=KEY))
    await providers.remove("mine")
    for act in (providers.get("mine"), providers.remove("mine"), providers.change("mine", {})):
        with pytest.raises(NoSuchProvider):
            await act


async def test_the_environment_makes_connections_once_and_follows_its_changes(providers: Providers):
    environment = {"OPENAI_API_KEY": KEY, "OLLAMA_URL": "http://127.0.0.1:11434"}
    await providers.follow(environment, recorded=("anthropic",))
    first = {one.name: one for one in await providers.all()}
    assert {name: (one.kind, one.base_url) for name, one in first.items()} == {
        "openai": (Kind.OPENAI, "https://api.openai.com/v1"),
        "ollama": (Kind.OLLAMA, "http://127.0.0.1:11434/v1"),
        "anthropic": (Kind.RECORDED, ""),
    }
    await providers.change("openai", {"agents": ["desk"]})
    again = await providers.ensure(wanted_from(environment)[0])
    assert (again.agents, providers.open_key(again)) == (frozenset({"desk"}), KEY)
    newer = await providers.ensure(wanted_from(environment | {"OPENAI_API_KEY": "sk-newer-key-0001"})[0])
    assert (newer.agents, providers.open_key(newer)) == (frozenset({"desk"}), "sk-newer-key-0001")


async def test_the_application_role_can_read_and_not_write(database: Database):
    async with database.app.transaction() as tx:
        assert await store.read_all(tx) == []
    with pytest.raises(Exception, match="permission denied"):
        async with database.app.transaction() as tx:
            await store.delete(tx, "mine")
