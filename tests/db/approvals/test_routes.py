"""`/v1/approvals`, as reviewers, callers and holders of links meet it."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from quarterdeck.core.ids import uuid7
from quarterdeck.core.json import digest, fingerprint
from quarterdeck.runs.records import Status
from tests.db.approvals.scene import ARGUMENTS, Asked, AskingScene, question
from tests.db.runs.api import Stage

DIGEST = digest(ARGUMENTS)


@pytest.fixture
async def asking(stage: Stage) -> AskingScene:
    """The runs of the stage's tenant, with questions."""
    return AskingScene(stage.deployment.parts.database, stage.scene.tenant)


@pytest.fixture
async def reviewer(stage: Stage) -> httpx.AsyncClient:
    return await stage.key("reviewer", name="rita")


def address(asked: Asked, verb: str = "") -> str:
    return f"/v1/approvals/{asked.id}" + (f"/{verb}" if verb else "")


async def test_the_inbox_shows_the_exact_effect_and_what_was_decided_before(asking: AskingScene, reviewer):
    for verdict in (asking.approve, asking.deny):
        await verdict((await asking.asking(question(arguments={"order": 7}))).id)
    asked = await asking.asking()
    inbox = (await reviewer.get("/v1/approvals", params={"state": "pending"})).json()
    assert [item["approval_id"] for item in inbox["items"]] == [str(asked.id)]
    item = inbox["items"][0]
    assert item["summary"] == "refund $250.00 for order 1001"
    assert item["arguments"] == ARGUMENTS
    assert item["origins"] == {"order": "user", "amount_usd": "model"}
    assert (item["reason"], item["rule"], item["policies"]) == ("refunds ask", "default", ["base:3"])
    assert (item["risk_level"], item["roles"], item["people"]) == ("money", ["reviewer"], 1)
    assert item["previous"]["arguments"] == {"order": 7}
    assert item["similar"] == {"approved": 1, "denied": 1, "expired": 0}
    assert (await reviewer.get(address(asked))).json()["digest"] == DIGEST


async def test_the_list_is_narrowed_and_paged(asking: AskingScene, reviewer):
    asked = [await asking.asking(question(tool=tool)) for tool in ("refund", "mail", "refund")]
    await asking.deny(asked[2].id)
    first = (await reviewer.get("/v1/approvals", params={"limit": 2})).json()
    rest = (await reviewer.get("/v1/approvals", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    listed = [item["approval_id"] for item in [*first["items"], *rest["items"]]]
    assert listed == [str(one.id) for one in reversed(asked)]
    assert rest["next_cursor"] is None

    async def found(**query: str) -> list[str]:
        return [item["tool"] for item in (await reviewer.get("/v1/approvals", params=query)).json()["items"]]

    assert await found(state="denied") == ["refund"]
    assert await found(state="pending", tool="mail") == ["mail"]
    assert await found(run=str(asked[1].hold.run)) == ["mail"]
    assert await found(risk="irreversible") == []
    assert await found(agent="other") == []
    facets = (await reviewer.get("/v1/approvals/facets")).json()
    assert facets["state"] == {"pending": 2}
    assert facets["tool"] == {"mail": 1, "refund": 1}


async def test_approving_takes_the_digest_and_lets_the_run_go_on(asking: AskingScene, reviewer):
    asked = await asking.asking()
    missing = await reviewer.post(address(asked, "approve"), json={})
    assert (missing.status_code, missing.json()["code"]) == (422, "approval.digest_missing")
    changed = await reviewer.post(address(asked, "approve"), json={"digest": "0" * 64})
    assert (changed.status_code, changed.json()["code"]) == (409, "approval.changed")
    for _ in range(2):
        answer = await reviewer.post(address(asked, "approve"), json={"digest": DIGEST})
        assert (answer.status_code, answer.json()["state"]) == (200, "approved")
    assert (await asking.read(asked.hold.run)).status is Status.QUEUED
    late = await reviewer.post(address(asked, "deny"), json={"why": "no"})
    assert (late.status_code, late.json()["approval_state"]) == (409, "approved")


async def test_an_edit_is_shown_beside_what_the_agent_asked_for(asking: AskingScene, reviewer):
    asked = await asking.asking()
    edited = {"order": 1001, "amount_usd": 20, "note": "a\x00b"}
    answer = await reviewer.post(address(asked, "approve"), json={"digest": DIGEST, "arguments": edited})
    shown = answer.json()
    assert shown["arguments"] == ARGUMENTS
    assert shown["edited"] == {"order": 1001, "amount_usd": 20, "note": "a\N{REPLACEMENT CHARACTER}b"}
    refused = await asking.asking()
    nan = f'{{"digest": "{DIGEST}", "arguments": {{"n": NaN}}}}'
    answer = await reviewer.post(address(refused, "approve"), content=nan, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    huge = {"digest": DIGEST, "arguments": {"n": 2**60}}
    assert (await reviewer.post(address(refused, "approve"), json=huge)).json()["edited"] == {"n": 2**60}
    assert await asking.consume(refused.id, fingerprint({"n": 2**60}))


async def test_denying_needs_a_reason(asking: AskingScene, reviewer):
    asked = await asking.asking()
    refused = await reviewer.post(address(asked, "deny"), json={})
    assert (refused.status_code, refused.json()["code"]) == (422, "approval.reason_missing")
    assert (await reviewer.post(address(asked, "deny"), json={"why": "no"})).json()["state"] == "denied"


async def test_who_may_look_and_who_may_answer(asking: AskingScene, stage: Stage):
    asked = await asking.asking()
    for role in ("operator", "developer", "auditor"):
        client = await stage.key(role)
        assert (await client.get(address(asked))).status_code == 200
        refused = await client.post(address(asked, "approve"), json={"digest": DIGEST})
        assert (refused.status_code, refused.json()["code"]) == (403, "approval.not_your_role")
    caller = await stage.key("caller")
    assert (await caller.get("/v1/approvals")).status_code == 403
    elsewhere = await stage.key("reviewer", agents=["other"])
    assert (await elsewhere.get(address(asked))).status_code == 404
    assert (await elsewhere.get("/v1/approvals")).json()["items"] == []
    assert (await elsewhere.post(address(asked, "deny"), json={"why": "x"})).status_code == 404
    assert (await stage.owner.post(address(asked, "approve"), json={"digest": DIGEST})).status_code == 200


async def test_two_keys_are_needed_where_two_people_have_to_agree(asking: AskingScene, stage: Stage, reviewer):
    asked = await asking.asking(question(people=2))
    first = (await reviewer.post(address(asked, "approve"), json={"digest": DIGEST})).json()
    assert (first["state"], len(first["votes"])) == ("pending", 1)
    second = await stage.key("reviewer", name="sam")
    done = (await second.post(address(asked, "approve"), json={"digest": DIGEST})).json()
    assert (done["state"], len(done["answered_by"])) == ("approved", 2)


async def test_an_answer_to_many_leaves_alone_what_it_is_not_for(asking: AskingScene, reviewer):
    low, high = await asking.asking(question(effect="write")), await asking.asking()
    ids = [str(low.id), str(high.id), str(uuid7())]
    body = {"ids": ids, "verdict": "approve", "why": "known"}
    items: list[dict[str, Any]] = (await reviewer.post("/v1/approvals/batch", json=body)).json()["items"]
    assert [(item["state"], item["code"]) for item in items] == [
        ("approved", None),
        (None, "approval.not_for_many"),
        (None, "approval.not_found"),
    ]
    assert (await asking.find(high.id)).state == "pending"


async def test_a_link_shows_and_answers_until_the_question_is_over(asking: AskingScene, stage: Stage):
    asked = await asking.asking()
    links = stage.deployment.app.state.approvals.links
    path = links.url(await asking.find(asked.id))
    nobody = await stage.deployment.client()
    shown = await nobody.get(path)
    assert (shown.status_code, shown.json()["state"]) == (200, "pending")
    assert (await asking.find(asked.id)).state == "pending"
    blind = await nobody.post(path, json={"verdict": "approve"})
    assert blind.json()["code"] == "approval.digest_missing"
    yes = {"verdict": "approve", "digest": shown.json()["digest"]}
    assert (await nobody.post(path, json=yes)).status_code == 200
    answer = await nobody.post(path, json=yes)
    assert (answer.status_code, answer.json()["state"]) == (200, "approved")
    assert answer.json()["answered_by"][0].startswith("link:")
    assert links.token(await asking.find(asked.id)) not in answer.text


async def test_a_link_is_for_one_question_and_ends_with_it(asking: AskingScene, stage: Stage):
    one, other = await asking.asking(), await asking.asking()
    links = stage.deployment.app.state.approvals.links
    token = links.token(await asking.find(one.id))
    nobody = await stage.deployment.client()
    for wrong in (token[:-2] + "AA", token + "A", "", "x", token.replace(token[10], "-" if token[10] != "-" else "_")):
        answer = await nobody.get(address(one, "link"), params={"token": wrong})
        assert (answer.status_code, answer.json()["code"]) == (401, "approval.link_invalid"), wrong
    assert (await nobody.get(address(other, "link"), params={"token": token})).status_code == 401
    await asking.lapse(one.id)
    over = links.token(await asking.find(one.id))
    assert (await nobody.get(address(one, "link"), params={"token": over})).status_code == 401
    irreversible = await asking.asking(question(effect="production_change"))
    path = links.url(await asking.find(irreversible.id))
    refused = await nobody.post(path, json={"verdict": "approve", "digest": DIGEST})
    assert (refused.status_code, refused.json()["code"]) == (403, "approval.link_not_enough")


async def test_a_link_of_a_disabled_tenant_is_none(asking: AskingScene, stage: Stage):
    asked = await asking.asking()
    path = stage.deployment.app.state.approvals.links.url(await asking.find(asked.id))
    async with asking.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.tenants SET disabled_at = now()")
    assert (await (await stage.deployment.client()).get(path)).status_code == 401


async def test_a_runs_record_names_what_it_asks(asking: AskingScene, stage: Stage):
    release = await stage.register(prompt="You ask.")
    asked = await asking.asking(release=release)
    record = (await stage.owner.get(f"/v1/runs/{asked.hold.run}")).json()
    assert [one["approval_id"] for one in record["pending_approvals"]] == [str(asked.id)]
    assert record["pending_approvals"][0]["summary"] == "refund $250.00 for order 1001"
    assert record["pending_approvals"][0]["risk_level"] == "money"
    await asking.approve(UUID(str(asked.id)))
    record = (await stage.owner.get(f"/v1/runs/{asked.hold.run}")).json()
    assert record["pending_approvals"] == []
