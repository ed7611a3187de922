"""What policies come to, on a real database: explained, tried on the past, and who may do what."""

from uuid import UUID

import httpx
import pytest

from quarterdeck.core.ids import ReleaseId, TenantId
from quarterdeck.runs import log
from quarterdeck.runs.events import ApprovalAsked, Event, ToolAnswered, ToolCalled, ToolDenied
from quarterdeck.runs.fold import apply, fold
from quarterdeck.runs.messages import Label, Text
from quarterdeck.runs.parts import Decision
from tests.api import Deployment
from tests.db.policies.conftest import LOOKUP, REFUND, SHOP, register
from tests.db.policies.test_routes import BIG, NEVER
from tests.db.runs.scene import Scene
from tests.manifests import manifest

ALLOWED = Decision("allow", "default")


def called(call: str, tool: str = "refund", **arguments: object) -> ToolCalled:
    return ToolCalled(
        step=1,
        call=call,
        tool=tool,
        arguments=arguments,  # pyright: ignore[reportArgumentType]  # a builder
        effect="payment",
        repeat="never",
        decision=ALLOWED,
        origins=dict.fromkeys(arguments, "user"),
    )


@pytest.fixture
async def scene(deployment: Deployment, owner: httpx.AsyncClient, admin: httpx.AsyncClient) -> Scene:
    """Acme, whose agent has made calls."""
    async with deployment.parts.database.system.transaction() as tx:
        tenant = await tx.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'acme'")
    return Scene(deployment.parts.database, TenantId(tenant))


async def made(scene: Scene, release: str, *events: Event) -> UUID:
    run = await scene.submit(release=ReleaseId(release))
    worker = await scene.worker()
    await scene.admit()
    hold = await worker.claim(run.id)
    assert hold is not None
    async with scene.database.tenant(scene.tenant) as tx:
        state = fold(await log.read(tx, scene.tenant, run.id))
        for event in events:
            state = apply(state, event, hold.attempt, scene.clock.now())
        await log.append(tx, hold, events, state, step="at it", risk="read")
    return run.id


async def test_a_call_is_explained_with_the_policy_that_decides_and_what_it_looked_at(owner, admin):
    release = await register(admin)
    await owner.put("/v1/policies/refunds", json={"text": NEVER, "why": "fraud"})
    question = {"agent": "desk", "tool": "refund", "arguments": {"amount": 5, "to": "DE1"}, "user": "ann"}
    answer = (await owner.post("/v1/policies/explain", json=question)).json()
    assert (answer["verdict"], answer["reason"], answer["errors"]) == ("deny", "No refunds.", [])
    assert answer["policies"] == [{"id": "refunds:1", "says": "forbids `refund` (No refunds.)"}]
    assert (answer["agent"], answer["release"]) == ("desk", release)
    assert answer["context"]["arguments"] == {"amount": 5, "to": "DE1"}
    assert answer["context"]["autonomy"] == "ask_when_risky"
    await owner.delete("/v1/policies/refunds", params={"why": "solved"})
    by_id = (await owner.post("/v1/policies/explain", json={"release": release[:12], **without(question)})).json()
    assert (by_id["verdict"], by_id["policies"][0]["id"]) == ("ask", "base.cedar/dangerous")
    approved = (await owner.post("/v1/policies/explain", json={**question, "approved": True})).json()
    assert approved["verdict"] == "allow"


def without(question: dict) -> dict:
    return {name: value for name, value in question.items() if name != "agent"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"tool": "nope"}, 404),
        ({"agent": "nobody"}, 404),
        ({"agent": None}, 422),
        ({"autonomy": "wild"}, 422),
        ({"arguments": {"amount": "a\u0000b"}}, 422),
        ({"surprise": 1}, 422),
    ],
)
async def test_a_question_that_can_not_be_answered_says_why(owner, admin, changes, status):
    await register(admin)
    question = {"agent": "desk", "tool": "refund", "arguments": {"amount": 5, "to": "x"}, **changes}
    assert (await owner.post("/v1/policies/explain", json=question)).status_code == status


async def test_a_changed_policy_is_tried_on_the_calls_of_the_past(scene: Scene, owner, admin, other):
    release = await register(admin)
    small, big = called("c1", amount=50, to="DE1"), called("c2", amount=500, to="DE1")
    run = await made(scene, release, small, big)
    wish = {"name": "refunds", "text": NEVER, "days": 3}
    tried = (await owner.post("/v1/policies/simulate", json=wish)).json()
    assert (tried["runs"], tried["calls"], tried["unread"], tried["next_cursor"]) == (1, 2, 0, None)
    assert [(each["call"], each["before"], each["after"]) for each in tried["changed"]] == [
        ("c1", "ask", "deny"),
        ("c2", "ask", "deny"),
    ]
    assert tried["changed"][0]["run"] == str(run)
    assert tried["changed"][0]["policies"] == ["refunds:1"]
    assert tried["changed"][0]["recorded"] == "allow"
    assert tried["changes"] == ["new: forbids `refund` (No refunds.)"]
    assert (await owner.get("/v1/policies")).json()["items"] == []
    await owner.put("/v1/policies/refunds", json={"text": NEVER, "why": "now"})
    gone = (await owner.post("/v1/policies/simulate", json={"name": "refunds", "text": None})).json()
    assert [(each["before"], each["after"]) for each in gone["changed"]] == [("deny", "ask")] * 2
    assert (await other.post("/v1/policies/simulate", json=wish)).json()["calls"] == 0


async def test_a_faulty_policy_is_not_tried(owner, admin):
    await register(admin)
    wish = {"name": "refunds", "text": "permit(principal, action, resource);"}
    assert (await owner.post("/v1/policies/simulate", json=wish)).json()["code"] == "policy.invalid"


async def test_a_call_is_judged_once_with_the_taint_and_the_counts_of_its_moment(scene: Scene, owner, admin):
    release = await register(admin)
    outsiders = ToolAnswered(call="c1", content=(Text("hello"),), label=Label("tool:lookup"))
    asked = ApprovalAsked(
        step=2, call="c3", approval="a", tool="refund", arguments={"amount": 9, "to": "x"}, effect="payment",
        decision=Decision("ask", "permission"), digest="d", expires_at=1,
    )  # fmt: skip
    denied = ToolDenied(
        step=3, call="c4", tool="refund", arguments={"amount": 7, "to": "x"}, decision=Decision("deny", "x"), content=()
    )
    again = ToolCalled(
        step=2, call="c3", tool="refund", arguments={"amount": 9, "to": "x"}, effect="payment", repeat="never",
        decision=ALLOWED, approval="a",
    )  # fmt: skip
    await made(scene, release, called("c0", amount=1, to="x"), outsiders, asked, again, denied)
    for text, expected in (
        ('forbid(principal, action == Action::"refund", resource) when { context.tainted };', {"c3", "c4"}),
        ('forbid(principal, action == Action::"refund", resource) when { context.calls_in_run >= 2 };', {"c4"}),
        ('forbid(principal, action == Action::"refund", resource) when { context.calls_by_user_today < 1 };', {"c0"}),
    ):
        tried = (await owner.post("/v1/policies/simulate", json={"name": "x", "text": text})).json()
        assert {each["call"] for each in tried["changed"]} == expected, text
        assert tried["calls"] == 3
    recorded = {each["call"]: each["recorded"] for each in tried["changed"]}
    assert recorded == {"c0": "allow"}


async def test_calls_of_releases_that_are_not_there_any_more_are_counted_and_not_judged(scene: Scene, owner, admin):
    await register(admin)
    await made(scene, "cd" * 32, called("c1", amount=1, to="x"))
    tried = (await owner.post("/v1/policies/simulate", json={"name": "x", "text": NEVER})).json()
    assert (tried["calls"], tried["unread"], tried["changed"]) == (0, 1, [])


async def test_who_may_do_what_is_told_by_tool_with_its_conditions(owner, admin):
    await register(admin)
    before = (await owner.get("/v1/policies/who")).json()["items"]
    assert [(each["tool"], each["verdict"]) for each in before] == [("lookup", "allow"), ("refund", "ask")]
    text = BIG + 'forbid(principal, action == Action::"refund", resource) unless { principal.roles.contains("boss") };'
    await owner.put("/v1/policies/refunds", json={"text": text, "why": "care"})
    (refund,) = (await owner.get("/v1/policies/who", params={"tool": "refund", "agent": "desk"})).json()["items"]
    assert (refund["verdict"], refund["roles"]) == ("depends", ["boss"])
    forbids = next(each for each in refund["conditions"] if each["verb"] == "forbid")
    assert (forbids["by"], forbids["policy"]) == ("tenant", "refunds:4")
    assert forbids["when"] == ["the user does not have the role `boss`"]
    await owner.put("/v1/policies/refunds", json={"text": NEVER, "why": "enough"})
    after = (await owner.get("/v1/policies/who", params={"tool": "refund"})).json()["items"]
    assert [each["verdict"] for each in after] == ["deny"]


async def test_tools_that_nobody_calls_are_listed(scene: Scene, owner, admin):
    release = await register(admin)
    unused = (await owner.get("/v1/policies/unused")).json()["items"]
    assert [(each["agent"], each["tool"]) for each in unused] == [("desk", "lookup"), ("desk", "refund")]
    await made(scene, release, called("c1", "lookup", order=7))
    left = (await owner.get("/v1/policies/unused", params={"agent": "desk", "days": 7})).json()["items"]
    assert [each["tool"] for each in left] == ["refund"]


async def test_patterns_that_undo_policies_are_listed(owner, admin):
    await register(admin)
    (found,) = (await owner.get("/v1/policies/patterns")).json()["items"]
    assert (found["kind"], found["about"][0], found["agent"]) == ("untrusted_input", "refund", "desk")


async def test_what_a_release_brings_is_printed_with_its_schema(owner, admin):
    release = await register(admin)
    for name in ("desk", release, release[:12]):
        printed = (await owner.get(f"/v1/policies/release/{name}")).json()
        assert (printed["release"], printed["agent"]) == (release, "desk")
        assert 'action "refund"' in printed["schema"]
        assert printed["texts"][0]["name"] == "base.cedar"
        assert printed["texts"][0]["says"][0] == "permits every tool"


async def test_patterns_are_warnings_when_a_release_is_registered(admin):
    made = manifest("desk", servers=[SHOP], tools=[LOOKUP, REFUND])
    answer = await admin.post("/v1/agents", json={"manifest": made, "files": {}})
    assert answer.status_code == 201
    assert any("`refund` (payment) can be fed with what outsiders wrote" in said for said in answer.json()["warnings"])
