"""The Python client against a real deployment: many at once on one connection pool, and webhooks as it checks them."""

import asyncio

import pytest

from quarterdeck.sdk import AsyncQuarterdeck, Delta, Event, Quarterdeck, SignatureInvalid, errors, verify_webhook
from tests.flow.stage import Tenant, until


async def test_many_runs_are_submitted_and_watched_at_once(tenant: Tenant):
    await asyncio.to_thread(tenant.agent, {"call": "look", "arguments": {"what": "{n}x"}}, {"text": "done"})
    async with AsyncQuarterdeck(tenant.stage.fleet.url, tenant.key) as deck:
        assert (await deck.whoami()).tenant == tenant.slug
        assert (await deck.ready()).ready

        async def one(number: int) -> tuple[list[int], str]:
            run = await deck.runs.submit("clerk", f"number {number}", tags={"number": str(number)})
            seen = [item async for item in deck.runs.stream(run.run_id)]
            words = "".join(item.text for item in seen if isinstance(item, Delta))
            assert words in ("", "done")  # nobody listened when the model wrote, or somebody did
            return [item.seq for item in seen if isinstance(item, Event)], run.run_id

        found = await asyncio.gather(*(one(number) for number in range(20)))
        assert all(seqs == list(range(1, len(seqs) + 1)) for seqs, _ in found)
        listed = [run async for run in deck.runs.list(status=["succeeded"], agent="clerk")]
        assert {run.run_id for run in listed} == {run_id for _, run_id in found}
        assert (await deck.runs.facets()).status == {"succeeded": 20}
        trace = await deck.runs.trace(found[0][1])
        assert trace.story.sentence
        assert {span.kind for span in trace.spans} >= {"run", "model", "tool"}


async def test_the_same_key_twice_is_one_run_and_another_body_is_refused(tenant: Tenant):
    await asyncio.to_thread(tenant.agent, {"text": "done"})
    async with AsyncQuarterdeck(tenant.stage.fleet.url, tenant.key) as deck:
        runs = await asyncio.gather(*(deck.runs.submit("clerk", "go", idempotency_key="k1") for _ in range(8)))
        assert len({run.run_id for run in runs}) == 1
        with pytest.raises(errors.Invalid) as refused:
            await deck.runs.submit("clerk", "something else", idempotency_key="k1")
        assert refused.value.code == "idempotency.reused"
        done = await deck.runs.run_and_wait("clerk", "go", timeout=30)
        assert (done.status, done.text) == ("succeeded", "done")


def test_a_conversation_and_a_run_of_another_user(tenant: Tenant):
    tenant.agent({"text": "hello"})
    with Quarterdeck(tenant.stage.fleet.url, tenant.key) as deck:
        ann = deck.acting(user="Ann Jürgens")
        thread = ann.threads.create("clerk", title="greetings")
        assert thread.user_id == "Ann Jürgens"
        run = ann.threads.submit(thread.thread_id, "good morning", wait=30)
        assert (run.status, run.user_id) == ("succeeded", "Ann Jürgens")
        assert [turn.role for turn in ann.threads.messages(thread.thread_id)] == ["user", "model"]


def test_a_webhook_is_checked_with_the_secret_that_was_shown_once(tenant: Tenant):
    tenant.agent({"text": "done"})
    with Quarterdeck(tenant.stage.fleet.url, tenant.key) as deck:
        webhook = deck.webhooks.create(f"{tenant.stage.outside.letterbox.url}/sdk-{tenant.slug}")
        assert webhook.secret is not None
        assert deck.webhooks.get(webhook.id).secret is None
        deck.runs.run_and_wait("clerk", "go", timeout=30)
        letters = until(lambda: tenant.stage.outside.letterbox.to(f"/sdk-{tenant.slug}"), "a message comes")
        letter = letters[0]
        assert verify_webhook([webhook.secret], letter.headers, letter.body) == letter.headers["webhook-id"]
        with pytest.raises(SignatureInvalid):
            verify_webhook([webhook.secret], letter.headers, letter.body + b" ")
