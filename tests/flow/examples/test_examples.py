"""The agents that we ship, each of their recorded conversations played through the whole product, word for word."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest

import quarterdeck
from examples import money
from examples.reviewer import judge
from quarterdeck.core.settings import Settings
from quarterdeck.db.urls import urls_of
from quarterdeck.models.cassettes import Conversation, read
from quarterdeck.releases.build import Draft, build
from quarterdeck.sdk.approvals import Approval
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

OFF = "refund-while-refunds-are-off"


def told(name: str) -> Conversation:
    """A recorded conversation of the support desk."""
    return next(one for one in conversations(FOLDERS["support-desk"]) if one.id == name)


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
        assert (draft.warnings, draft.lint) == ((), ()), "an example has nothing that a careful reader would mark"
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
            run = await self.answered(submitted.json()["run_id"])
            expected = ("stopped", "escalated") if escalates(conversation) else ("succeeded", None)
            assert (run["status"], run["reason"]) == expected, (conversation.id, run["why"], run["result"])
            ended.append(run)
        return ended

    async def say(self, agent: str, words: str | None) -> dict:
        """A run of its own, once it has ended."""
        submitted = await self.owner.post("/v1/runs?wait=30", json={"agent": agent, "input": words})
        assert submitted.status_code in {200, 201}, submitted.text
        return submitted.json()

    async def events(self, run: dict, kind: str) -> list[dict]:
        """What the log says of one kind, in order."""
        listed = await self.owner.get(f"/v1/runs/{run['run_id']}/events", params={"limit": 200})
        assert listed.status_code == 200, listed.text
        return [event["data"] for event in listed.json()["items"] if event["kind"] == kind]

    async def answered(self, run_id: str) -> dict:
        """The run once it has ended, whatever it asks answered as in the demo."""
        run = (await self.owner.get(f"/v1/runs/{run_id}")).json()
        while run["status"] == "waiting_for_approval":
            for asked in await self.questions(run_id):
                answer = judge(asked)
                said = {"digest": asked.digest, "why": answer.why} if answer.approved else {"why": answer.why}
                verdict = "approve" if answer.approved else "deny"
                told = await self.owner.post(f"/v1/approvals/{asked.approval_id}/{verdict}", json=said)
                assert told.status_code in {200, 201}, told.text
            waited = await self.owner.get(f"/v1/runs/{run_id}/wait?seconds=30")
            assert waited.status_code == 200, waited.text
            run = waited.json()
        return run

    async def questions(self, run_id: str, state: str = "pending") -> list[Approval]:
        """What a run asked people."""
        listed = await self.owner.get("/v1/approvals", params={"run": run_id, "state": state})
        assert listed.status_code == 200, listed.text
        return msgspec.convert(listed.json()["items"], list[Approval])


def escalates(conversation: Conversation) -> bool:
    """Whether it ends with a person taking over."""
    return conversation.id == "asking-for-a-person"


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
        for name in ("openai", "anthropic"):
            made = await (await deployment.admin()).post("/v1/providers", json={"name": name, "kind": "recorded"})
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
        if conversation.id != OFF:
            await stage.play(agent, conversation)


async def test_a_refund_while_refunds_are_switched_off_is_told_and_left_to_a_person(stage: Stage):
    await stage.register(FOLDERS["support-desk"])
    lever = {"scope": "tool", "target": "refund_order", "action": "disable", "why": "a test"}
    thrown = await stage.owner.post("/v1/switches", json=lever)
    assert thrown.status_code == 201, thrown.text
    await asyncio.sleep(1.0)  # within which every worker knows
    [run] = await stage.play("support-desk", told(OFF))
    assert run["tools_called"] == ["get_order", "open_ticket"]


async def test_a_refund_above_the_limit_is_paid_when_a_person_approved_it(stage: Stage):
    await stage.register(FOLDERS["support-desk"])
    [run] = await stage.play("support-desk", told("refund-that-a-person-approves"))
    [asked] = await stage.questions(run["run_id"], "approved")
    assert asked.summary.startswith("Refund $640.00 for order 1077: ")
    assert (asked.origins["number"], asked.reason) == ("user", "`amount_cents` is above 10,000.")
    assert "R-1077-1" in run["result"]["text"]


async def test_an_order_that_only_the_seller_named_is_asked_about_however_small_the_refund(stage: Stage):
    await stage.register(FOLDERS["support-desk"])
    [run] = await stage.play("support-desk", told("the-seller-gives-orders"))
    [asked] = await stage.questions(run["run_id"], "denied")
    assert (asked.arguments["number"], asked.arguments["amount_cents"]) == (1063, 9900)
    assert asked.origins["number"] == "untrusted"
    assert asked.policies == ("base.cedar/destination",)
    assert "refund_order" not in run["tools_called"]


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
    [run] = await stage.play("support-desk", told("refund-for-a-dented-kettle"))
    effects = (await stage.owner.get(f"/v1/runs/{run['run_id']}/effects")).json()
    items = effects["items"] if isinstance(effects, dict) else effects
    assert [(effect["tool"], effect["state"]) for effect in items] == [("refund_order", "happened")]
    assert run["risk_level"] == "money"
    assert "R-1042-1" in run["result"]["text"]


async def test_a_run_whose_budget_is_used_up_tells_its_customer_and_the_team_where_things_stand(stage: Stage):
    await stage.register(FOLDERS["support-desk"])
    limit = {"scope": "user", "max_budget": money.MAY_SPEND, "budget_duration": "1d", "why": "a test"}
    made = await stage.owner.put("/v1/budgets/one-customer", json=limit)
    assert made.status_code in {200, 201}, made.text
    await asyncio.sleep(1.0)  # within which every worker knows
    run = await stage.say("support-desk", told(money.ERRANDS).opening)
    assert (run["status"], run["reason"], run["steps_used"]) == ("stopped", "budget", 4)
    assert 0 < run["cost_micro_usd"] <= money.MAY_SPEND * 1_000_000
    closing, handoff = run["result"]["text"], run["result"]["handoff"]
    assert all(words in closing for words in ("R-1042-1", "Mugs (1080)", "Not done", "Espresso machine (1077)"))
    assert handoff["done"][3].startswith("refund order (number: 1042, amount: 49.50, reason: ")
    assert handoff["done"][4].startswith("open ticket (number: 1080, summary: ")
    assert "order 1077, leaks and I want a full refund" in handoff["left"][0]
    assert "this user's budget of $0.0050 a day is used up" in handoff["why"]
    assert "it renews at" in handoff["why"]
    asked = await stage.events(run, "model.called")
    assert (asked[-1]["purpose"], asked[-1]["route"]) == ("closing", "small")
    assert await stage.events(run, "model.drifted") == []
    proof = (await stage.owner.get(f"/v1/runs/{run['run_id']}/proof")).json()
    assert proof["proven"], proof["gaps"]


async def test_a_run_that_ran_out_of_money_is_finished_once_the_budget_is_raised_and_it_is_retried(stage: Stage):
    await stage.register(FOLDERS["support-desk"])
    limit = {"scope": "user", "max_budget": money.MAY_SPEND, "budget_duration": "1d", "why": "a test"}
    await stage.owner.put("/v1/budgets/one-customer", json=limit)
    await asyncio.sleep(1.0)
    run = await stage.say("support-desk", told(money.ERRANDS).opening)
    assert run["reason"] == "budget"
    await stage.owner.put("/v1/budgets/one-customer", json=limit | {"max_budget": 1})
    retried = await stage.owner.post(f"/v1/runs/{run['run_id']}/retry", json={"why": "the budget was raised"})
    assert retried.status_code == 202, retried.text
    await stage.owner.get(f"/v1/runs/{run['run_id']}/wait?seconds=30")
    ended = await stage.answered(run["run_id"])
    assert ended["status"] == "succeeded", (ended["why"], ended["result"])
    assert "All five are looked into" in ended["result"]["text"]
    called = [one["tool"] for one in await stage.events(run, "tool.called")]
    assert (called.count("refund_order"), called.count("open_ticket")) == (2, 1)


async def test_a_message_that_is_too_long_is_refused_with_words_before_a_model_reads_it(stage: Stage):
    await stage.register(FOLDERS["support-desk"])
    run = await stage.say("support-desk", money.pasted())
    assert (run["status"], run["reason"], run["cost_micro_usd"]) == ("stopped", "policy", 0)
    assert "at most 6,000 are accepted" in run["result"]["text"]
    assert await stage.events(run, "model.called") == []


async def test_an_address_of_a_stranger_is_taken_out_of_an_answer_and_our_own_stays(stage: Stage):
    await stage.register(FOLDERS["support-desk"])
    [run] = await stage.play("support-desk", told(money.CARRIER))
    assert "[e-mail removed]" in run["result"]["text"]
    assert "help@harbour-hearth.example" in run["result"]["text"]
    answers = await stage.events(run, "model.answered")
    assert "jonas.weber" not in str(answers)
    judged = await stage.events(run, "guardrail.judged")
    assert [(one["edge"], one["verdict"]) for one in judged] == [("input", "allow"), ("output", "redact")]


async def test_the_list_of_deployments_is_read_once_by_whoever_asks_twice(stage: Stage):
    await stage.register(FOLDERS["ops-helper"])
    by_id = {one.id: one for one in conversations(FOLDERS["ops-helper"])}
    first, second = await stage.play("ops-helper", by_id["checkout-was-failing"], by_id["an-answer-out-of-form"])
    assert not any(one.get("cached") for one in await stage.events(first, "tool.answered"))
    assert [one.get("cached") for one in await stage.events(second, "tool.answered")] == [True]
