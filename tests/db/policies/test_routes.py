"""`/v1/policies` on a real database: versions, ETags, findings, who may, and what other tenants see of it."""

import httpx
import pytest

from tests.api import Deployment
from tests.db.policies.conftest import register

BIG = '@ask("Refunds above 100 need a yes.")\nforbid(principal, action == Action::"refund", resource)\n'
BIG += "when { context.arguments.amount > 100 } unless { context.approved };\n"
NEVER = '@reason("No refunds.")\nforbid(principal, action == Action::"refund", resource);'
BODY = {"text": BIG, "why": "fraud in May"}


async def test_a_policy_is_set_read_changed_and_removed_and_its_history_stays(owner: httpx.AsyncClient, admin):
    await register(admin)
    made = await owner.put("/v1/policies/refunds", json=BODY)
    assert (made.status_code, made.headers["location"]) == (201, "/v1/policies/refunds"), made.text
    body = made.json()
    assert (body["version"], body["text"], body["why"], body["warnings"]) == (1, BIG, "fraud in May", [])
    assert body["says"] == [
        "asks a person before `refund` when `amount` is more than 100 (Refunds above 100 need a yes.)"
    ]
    read = await owner.get("/v1/policies/refunds")
    assert read.headers["etag"] == made.headers["etag"] == body["etag"]
    assert [item["name"] for item in (await owner.get("/v1/policies")).json()["items"]] == ["refunds"]

    changed = await owner.put(
        "/v1/policies/refunds", json={"text": NEVER, "why": "worse"}, headers={"if-match": body["etag"]}
    )
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed.json()["changes"] == [
        "no longer asks a person before `refund` when `amount` is more than 100 (Refunds above 100 need a yes.)",
        "new: forbids `refund` (No refunds.)",
    ]
    gone = await owner.delete("/v1/policies/refunds", params={"why": "solved"})
    assert gone.status_code == 204
    assert (await owner.get("/v1/policies/refunds")).status_code == 404
    assert (await owner.get("/v1/policies")).json()["items"] == []
    history = (await owner.get("/v1/policies/refunds/history")).json()["items"]
    assert [(item["version"], item["why"], item["text"]) for item in history] == [
        (3, "solved", None),
        (2, "worse", NEVER),
        (1, "fraud in May", BIG),
    ]
    assert all(item["set_by"].startswith("key:") for item in history)
    assert (await owner.get("/v1/policies/refunds", params={"version": 1})).json()["text"] == BIG
    diff = (await owner.get("/v1/policies/refunds/diff", params={"old": 2})).json()
    assert diff["changes"] == ["no longer forbids `refund` (No refunds.)"]


async def test_the_same_text_again_makes_no_version(owner: httpx.AsyncClient):
    await owner.put("/v1/policies/refunds", json=BODY)
    again = await owner.put("/v1/policies/refunds", json={**BODY, "why": "once more"})
    assert (again.status_code, again.json()["version"], again.json()["changes"]) == (200, 1, [])


async def test_a_change_made_from_an_old_version_is_refused(owner: httpx.AsyncClient):
    first = await owner.put("/v1/policies/refunds", json=BODY)
    await owner.put("/v1/policies/refunds", json={"text": NEVER, "why": "worse"})
    headers = {"if-match": first.headers["etag"]}
    late = await owner.put("/v1/policies/refunds", json={"text": BIG, "why": "back"}, headers=headers)
    assert late.status_code == 412
    assert (await owner.delete("/v1/policies/refunds", params={"why": "x"}, headers=headers)).status_code == 412
    assert (await owner.put("/v1/policies/new", json=BODY, headers=headers)).status_code == 412
    assert (await owner.get("/v1/policies/refunds")).json()["text"] == NEVER


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        (f"{NEVER}\n\npermit(principal, action, resource);", 4, 1, "permits"),
        (f'{NEVER}\n  forbid(principal, action == Action::"refund" resource);', 3, 3, "unexpected"),
        (f"// words\n{BIG.replace('amount >', 'amout >')}", 2, 1, "amout"),
        ("forbid(principal, action, resource) when { context.arguments.amount > 5 };", 1, 1, "amount"),
    ],
)
async def test_a_faulty_policy_is_refused_with_place_and_fix(
    owner: httpx.AsyncClient, admin, text: str, line: int, column: int, problem: str
):
    await register(admin)
    refused = await owner.put("/v1/policies/refunds", json={"text": text, "why": "because"})
    assert (refused.status_code, refused.json()["code"]) == (422, "policy.invalid"), refused.text
    (found,) = refused.json()["errors"]
    assert (found["file"], found["line"], found["column"]) == ("refunds", line, column)
    assert found.pop("place") == f"refunds:{line}:{column}"
    assert problem in found["problem"]
    assert found["fix"]
    assert (await owner.get("/v1/policies")).json()["items"] == []
    checked = await owner.post("/v1/policies/check", json={"text": text, "name": "refunds"})
    assert checked.json()["findings"] == [found]


async def test_a_policy_about_an_unknown_tool_is_kept_with_a_warning(owner: httpx.AsyncClient, admin):
    await register(admin)
    made = await owner.put("/v1/policies/x", json={"text": NEVER.replace('"refund"', '"refnd"'), "why": "soon"})
    (warning,) = made.json()["warnings"]
    assert (made.status_code, warning["warning"], warning["fix"]) == (201, True, "did you mean `refund`?")


async def test_only_owners_change_policies_and_callers_do_not_see_them(
    owner: httpx.AsyncClient, deployment: Deployment
):
    await owner.put("/v1/policies/refunds", json=BODY)
    for role, reads in (("operator", 200), ("developer", 200), ("reviewer", 200), ("auditor", 200), ("caller", 403)):
        client = await deployment.client(await deployment.key("acme", roles=[role]))
        assert (await client.get("/v1/policies")).status_code == reads
        assert (await client.get("/v1/policies/who")).status_code == reads
        assert (await client.put("/v1/policies/refunds", json=BODY)).status_code == 403
        assert (await client.delete("/v1/policies/refunds", params={"why": "x"})).status_code == 403


async def test_another_tenants_policies_are_not_there(
    owner: httpx.AsyncClient, other: httpx.AsyncClient, admin: httpx.AsyncClient
):
    release = await register(admin)
    await owner.put("/v1/policies/refunds", json=BODY)
    answers = [
        await other.get("/v1/policies/refunds"),
        await other.get("/v1/policies/refunds", params={"version": 1}),
        await other.get("/v1/policies/refunds/diff"),
        await other.get("/v1/policies/refunds/history"),
        await other.delete("/v1/policies/refunds", params={"why": "mine"}),
        await other.get(f"/v1/policies/release/{release}"),
        await other.post("/v1/policies/check", json={"text": BIG, "release": release}),
        await other.post("/v1/policies/explain", json={"agent": "desk", "tool": "refund"}),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert (await other.get("/v1/policies")).json()["items"] == []
    assert (await other.get("/v1/policies/who")).json()["items"] == []
    assert (await owner.get("/v1/policies/refunds")).status_code == 200


async def test_every_change_stands_in_the_audit_with_its_reason(owner: httpx.AsyncClient, deployment: Deployment):
    await owner.put("/v1/policies/refunds", json=BODY)
    await owner.delete("/v1/policies/refunds", params={"why": "solved"})
    async with deployment.parts.database.system.transaction() as tx:
        rows = await tx.fetch("SELECT kind, actor, target, payload FROM qd.audit_waiting WHERE kind LIKE 'policy.%'")
    written = {row["kind"]: row for row in rows}
    assert set(written) == {"policy.set", "policy.removed"}
    assert written["policy.set"]["target"] == "policy:refunds"
    assert "fraud in May" in written["policy.set"]["payload"]
    assert "solved" in written["policy.removed"]["payload"]


@pytest.mark.parametrize("name", ["who", "check", "Refunds", "a_b", "-a", "a" * 64])
async def test_a_name_that_can_not_be_is_refused(owner: httpx.AsyncClient, name: str):
    assert (await owner.put(f"/v1/policies/{name}", json=BODY)).status_code in {405, 422}


async def test_an_agent_that_can_not_be_is_refused_and_breaks_nothing(owner: httpx.AsyncClient):
    for path in ("who", "unused", "patterns"):
        assert (await owner.get(f"/v1/policies/{path}", params={"agent": "a\x00b"})).status_code == 422
    assert (await owner.get("/v1/policies/release/a%00b")).status_code == 404
    assert (await owner.post("/v1/policies/explain", json={"agent": "a\x00b", "tool": "x"})).status_code == 404


async def test_a_key_for_one_agent_learns_nothing_of_the_others(
    owner: httpx.AsyncClient, admin: httpx.AsyncClient, deployment: Deployment
):
    release = await register(admin)
    await register(admin, "other")
    client = await deployment.client(await deployment.key("acme", roles=["developer"], agents=["other"]))
    for answer in (
        await client.get(f"/v1/policies/release/{release}"),
        await client.get("/v1/policies/who", params={"agent": "desk"}),
        await client.post("/v1/policies/check", json={"text": BIG, "release": "desk"}),
        await client.post("/v1/policies/simulate", json={"name": "x", "text": NEVER, "agent": "desk"}),
        await client.post("/v1/policies/explain", json={"agent": "desk", "tool": "refund"}),
    ):
        assert answer.status_code == 404
    assert {item["agent"] for item in (await client.get("/v1/policies/who")).json()["items"]} == {"other"}
