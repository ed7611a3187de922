"""The agents that we ship, each of their recorded conversations played through the whole product, word for word."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import quarterdeck
from quarterdeck.core.settings import Settings
from quarterdeck.db.urls import urls_of
from quarterdeck.models.cassettes import Conversation, read
from quarterdeck.releases.build import Draft, build
from quarterdeck.spec.reading import read_agent
from quarterdeck.tools.extract import extractor
from quarterdeck.worker.process import work
from tests.api import deployed

ROOT = Path(__file__).parents[3]
FOLDERS = {
    "support-desk": ROOT / "examples" / "support-desk",
    "ops-helper": ROOT / "examples" / "ops-helper",
    "assistant": Path(quarterdeck.__file__).parent / "templates" / "assistant",
}


def conversations(folder: Path) -> list[Conversation]:
    files = sorted((folder / "cassettes").glob("*.json"))
    return [conversation for file in files for conversation in read(file.name, file.read_bytes())]


@dataclass
class Stage:
    """A deployment with a worker at its post."""

    settings: Settings
    owner: httpx.AsyncClient
    admin: httpx.AsyncClient

    async def register(self, folder: Path) -> Draft:
        draft = await build(read_agent(folder), extractor(self.settings))
        files = {path: base64.b64encode(content).decode() for path, content in draft.files.items()}
        body = {"manifest": draft.manifest, "files": files, "release": draft.id}
        answer = await self.admin.post("/v1/agents", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["warnings"] == []
        return draft

    async def play(self, agent: str, *conversations: Conversation) -> list[dict]:
        """Say what opens these conversations, one run after the other in a thread; the runs as they ended."""
        thread = await self.owner.post("/v1/threads", json={"agent": agent})
        assert thread.status_code == 201, thread.text
        ended = []
        for conversation in conversations:
            submitted = await self.owner.post(
                f"/v1/threads/{thread.json()['thread_id']}/runs?wait=30", json={"input": conversation.opening}
            )
            assert submitted.status_code == 200, submitted.text
            run = (await self.owner.get(f"/v1/runs/{submitted.json()['run_id']}")).json()
            assert run["status"] == "succeeded", (conversation.id, run["why"], run["result"])
            ended.append(run)
        return ended


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    """The support desk keeps its ledger outside the tool host."""
    ledgers = Path("/var/tmp/quarterdeck-support-desk")
    before = set(ledgers.glob("*"))
    yield
    for folder in set(ledgers.glob("*")) - before:
        shutil.rmtree(folder)


@pytest.fixture
async def stage(settings: Settings) -> AsyncIterator[Stage]:
    stop = asyncio.Event()
    # As under `qd dev`: the support desk's ledger outlives its host.
    settings = settings.model_copy(update={"tool_host_writes": "/var/tmp"})
    async with deployed(settings) as deployment:
        worker = asyncio.create_task(work(settings, urls_of(settings), stop))
        owner = await deployment.tenant("acme")
        admin = await deployment.admin(quarterdeck_tenant="acme")
        made = await (await deployment.admin()).post("/v1/providers", json={"name": "openai", "kind": "recorded"})
        assert made.status_code == 201, made.text
        yield Stage(settings, owner, admin)
        stop.set()
        await worker


@pytest.mark.parametrize("agent", FOLDERS)
async def test_every_recorded_conversation_plays_as_it_was_written(stage: Stage, agent: str):
    await stage.register(FOLDERS[agent])
    played = conversations(FOLDERS[agent])
    assert len(played) >= 5
    for conversation in played:
        await stage.play(agent, conversation)


async def test_a_conversation_goes_on_in_its_thread(stage: Stage):
    await stage.register(FOLDERS["support-desk"])
    by_id = {one.id: one for one in conversations(FOLDERS["support-desk"])}
    first, second = await stage.play("support-desk", by_id["what-has-not-arrived"], by_id["cancelling-the-mugs"])
    assert first["thread_id"] == second["thread_id"]
    assert second["tools_called"] == ["get_order", "open_ticket"]


async def test_an_agent_that_init_makes_can_be_registered(stage: Stage, tmp_path: Path):
    from quarterdeck.spec.starter import starter_files

    for path, content in starter_files("my-helper", 'Ann "A": x').items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    draft = await stage.register(tmp_path)
    assert (draft.manifest["agent"], draft.manifest["owner"]) == ("my-helper", 'Ann "A": x')
    assert draft.warnings == ()


async def test_a_refund_is_in_the_ledger_once_and_pays_what_was_paid(stage: Stage):
    await stage.register(FOLDERS["support-desk"])
    [kettle] = [one for one in conversations(FOLDERS["support-desk"]) if one.id == "refund-for-a-dented-kettle"]
    [run] = await stage.play("support-desk", kettle)
    effects = (await stage.owner.get(f"/v1/runs/{run['run_id']}/effects")).json()
    items = effects["items"] if isinstance(effects, dict) else effects
    assert [(effect["tool"], effect["state"]) for effect in items] == [("refund_order", "happened")]
    assert run["risk_level"] == "money"
    assert "R-1042-1" in run["result"]["text"]
