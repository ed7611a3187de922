"""Registering over HTTP, on a real database: what is kept, what is refused, and who may."""

import asyncio
import base64
from typing import Any

import httpx

from quarterdeck.releases.manifest import id_of
from tests.api import Deployment
from tests.unit.releases.builders import FILES, SOUND, another_tool, raw

REMOTE = {
    "agent": "reader",
    "servers.0": {
        "name": "tools",
        "kind": "http",
        "module": "",
        "command": [],
        "environment": None,
        "url": "https://mcp.example.com/mcp",
        "headers": None,
        "lock_digest": "",
    },
    "files": {},
}


def body(changes: dict | None = None, files: dict[str, bytes] | None = None, **more: object) -> dict[str, Any]:
    encoded = {
        path: base64.b64encode(content).decode() for path, content in (FILES if files is None else files).items()
    }
    return {"manifest": raw(changes), "files": encoded, **more}


async def register(client: httpx.AsyncClient, changes: dict | None = None, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/agents", json=body(changes, **more))
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


async def test_a_release_is_kept_whole_and_becomes_the_agents(admin: httpx.AsyncClient):
    answer = await admin.post("/v1/agents", json=body({}, {**FILES, "cassettes/a.json": b"{}"}, label="first"))
    assert answer.status_code == 201
    registered = answer.json()
    release = id_of(SOUND)
    assert registered["release"] == release
    assert answer.headers["location"] == f"/v1/releases/{release}"
    assert (registered["created"], registered["previous"], registered["changes"]) == (True, None, [])
    assert registered["agent_version"] == f"support-desk@{release[:12]}"
    whole = (await admin.get(f"/v1/releases/{release}")).json()
    assert id_of(whole["manifest"]) == release
    assert whole["files"] == [
        {"path": "cassettes/a.json", "size": 2, "digest": None},
        {"path": "docs/a.md", "size": 5, "digest": SOUND["files"]["docs/a.md"]},
        {"path": "tools.py", "size": 15, "digest": SOUND["files"]["tools.py"]},
    ]
    assert (whole["label"], whole["current"]) == ("first", True)
    agent = (await admin.get("/v1/agents/support-desk")).json()
    assert (agent["release"], agent["tools"], agent["owner"]) == (release, ["find_order"], "team@example.com")
    assert agent["model"] == {"provider": "openai", "id": "gpt-4.1-mini-2025-04-14"}


async def test_the_same_again_is_the_same_release(admin: httpx.AsyncClient):
    first = await register(admin)
    answer = await admin.post("/v1/agents", json=body())
    assert answer.status_code == 200
    again = answer.json()
    assert (again["created"], again["release"]) == (False, first["release"])
    assert again["registered_at"] == first["registered_at"]
    listed = (await admin.get("/v1/agents/support-desk/releases")).json()
    assert len(listed["items"]) == 1


async def test_an_older_release_registered_again_becomes_the_agents_again(admin: httpx.AsyncClient):
    first = await register(admin)
    second = await register(
        admin, {"tools": [*SOUND["tools"], another_tool(name="b", remote_name="b", effect="payment")]}
    )
    assert second["previous"] == first["release"]
    assert second["changes"] == [
        "tool b added (payment, repeat safe, trusted results) — it can change things",
    ]
    back = await register(admin)
    assert (back["previous"], back["created"]) == (second["release"], False)
    assert (await admin.get("/v1/agents/support-desk")).json()["release"] == first["release"]
    listed = (await admin.get("/v1/agents/support-desk/releases")).json()["items"]
    assert [(line["release"], line["current"]) for line in listed] == [
        (second["release"], False),
        (first["release"], True),
    ]


async def test_recordings_of_a_release_never_change(admin: httpx.AsyncClient):
    await register(admin, files={**FILES, "cassettes/a.json": b"1", "cassettes/b.json": b"2"})
    sent = {**FILES, "cassettes/a.json": b"1", "cassettes/b.json": b"other", "cassettes/c.json": b"3"}
    again = await register(admin, files=sent)
    assert again["ignored"] == ["cassettes/b.json", "cassettes/c.json"]
    whole = (await admin.get(f"/v1/releases/{again['release']}")).json()
    assert [file["path"] for file in whole["files"] if file["digest"] is None] == [
        "cassettes/a.json",
        "cassettes/b.json",
    ]


async def test_faults_are_told_with_their_places(admin: httpx.AsyncClient):
    answer = await admin.post("/v1/agents", json=body({"tools.0.server": "x"}, {**FILES, "tools.py": b"import os"}))
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "release.refused"
    assert [error["place"] for error in problem["errors"]] == ["manifest.tools[0].server", "files['tools.py']"]
    assert (await admin.get("/v1/agents")).json()["items"] == []


async def test_bad_input_is_answered_and_leaves_nothing(admin: httpx.AsyncClient):
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    bad = {
        "no manifest": {"files": {}},
        "an empty manifest": {"manifest": {}},
        "a manifest of another form": body({"limits.max_steps": "many"}),
        "not base64": {"manifest": raw(), "files": {"tools.py": "!!!"}},
        "a wrong id": body(release="0" * 64),
        "a way out": body({"files": {"../../etc/x": "0" * 64}}, {"../../etc/x": b""}),
        "an unknown member": body(surprise=True),
        "a label like an id": body(label="deadbeef"),
        "another tenant": body(tenant="umbra"),
        "a deep schema": body({"tools.0.parameters": {"type": "object", "properties": deep}}),
        "a number without end": body({"model.extra": {"a": int("9" * 400)}}),
        "too many files": body({}, {f"cassettes/{at}.json": b"" for at in range(301)}),
    }
    for what, sent in bad.items():
        answer = await admin.post("/v1/agents", json=sent)
        assert answer.status_code == 422, (what, answer.text)
        assert answer.json()["errors"], what
    assert (await admin.get("/v1/agents")).json()["items"] == []


async def test_text_that_the_database_can_not_store_is_refused(admin: httpx.AsyncClient):
    raw_body = httpx.Request("POST", "http://x", json=body()).content.replace(b"Answers questions", b"Answers\\u0000q")
    answer = await admin.post("/v1/agents", content=raw_body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "release.refused")
    raw_body = raw_body.replace(b"\\u0000", b"\\ud800")
    answer = await admin.post("/v1/agents", content=raw_body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text


async def test_numbers_beyond_what_a_double_holds_survive_storage(admin: httpx.AsyncClient):
    wide = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**63 - 1, "minimum": -1e300}}}
    registered = await register(admin, {"tools.0.parameters": wide})
    whole = await admin.get(f"/v1/releases/{registered['release']}")
    assert whole.status_code == 200
    assert id_of(whole.json()["manifest"]) == registered["release"]


async def test_a_floating_pin_is_refused_by_the_server_too(admin: httpx.AsyncClient):
    answer = await admin.post("/v1/agents", json=body({"model.id": "gpt-4.1"}))
    assert answer.status_code == 422
    assert "gpt-4.1-2025-04-14" in answer.json()["detail"]


async def test_a_missing_connection_is_a_warning_and_a_present_one_is_none(
    deployment: Deployment, admin: httpx.AsyncClient
):
    assert "no provider connection 'openai'" in (await register(admin))["warnings"][0]
    made = await (await deployment.admin()).post("/v1/providers", json={"name": "openai", "kind": "recorded"})
    assert made.status_code == 201, made.text
    assert (await register(admin))["warnings"] == []


async def test_each_connection_that_a_route_or_a_judge_names_is_looked_up(
    deployment: Deployment, admin: httpx.AsyncClient
):
    ours, theirs = {"name": "openai", "kind": "recorded"}, {"name": "theirs", "kind": "anthropic", "key": "sk-x"}
    for connection in (ours, theirs):
        made = await (await deployment.admin()).post("/v1/providers", json=connection)
        assert made.status_code == 201, made.text
    pin = {"provider": "theirs", "id": "claude-3-5-sonnet-latest"}
    floating = await admin.post("/v1/agents", json=body({"routes": [{"name": "quick", "pin": pin, "tasks": ["faq"]}]}))
    assert (floating.status_code, floating.json()["errors"][0]["place"]) == (422, "manifest.routes[0].pin.id")

    exact, absent = {**pin, "id": "claude-sonnet-4-5-20250929"}, {"provider": "absent", "id": "m-1"}
    judge = {"name": "judge", "edge": "output", "check": "judge", "action": "block"}
    changes = {
        "routes": [{"name": "quick", "pin": exact, "tasks": ["faq"]}],
        "guardrails": [{**judge, "settings": {"model": absent, "rubric": "Be kind."}}],
        "budgets": [{"scope": "run", "max_micro_usd": 500_000}],
    }
    assert (await register(admin, changes))["warnings"] == [
        (
            "There is no provider connection 'absent' that this agent may use: what needs it will fail until a "
            "deployment admin adds one."
        )
    ]
    raised = {**changes, "budgets": [{"scope": "run", "max_micro_usd": 900_000}], "guardrails": []}
    assert (await register(admin, raised))["changes"] == [
        "budget of each run: $0.5000 \N{RIGHTWARDS ARROW} $0.9000 \N{EM DASH} this permits more",
        "guardrail judge of the output removed (judge: block) \N{EM DASH} this permits more",
    ]


async def test_code_is_registered_by_deployment_admins_only(deployment: Deployment, owner: httpx.AsyncClient):
    answer = await owner.post("/v1/agents", json=body())
    assert (answer.status_code, answer.json()["code"]) == (403, "release.code_refused")
    developer = await deployment.client(await deployment.key("acme", roles=["developer"]))
    assert (await developer.post("/v1/agents", json=body())).status_code == 403
    assert (await developer.post("/v1/agents", json=body(REMOTE, {}))).status_code == 201
    caller = await deployment.client(await deployment.key("acme", roles=["caller"]))
    assert (await caller.post("/v1/agents", json=body(REMOTE, {}))).status_code == 403
    narrow = await deployment.client(await deployment.key("acme", roles=["developer"], agents=["another"]))
    assert (await narrow.post("/v1/agents", json=body(REMOTE, {}))).status_code == 404
    nobody = await deployment.client()
    assert (await nobody.post("/v1/agents", json=body())).status_code == 401
    stateless = await deployment.admin()
    assert (await stateless.post("/v1/agents", json=body())).json()["code"] == "tenant.required"


async def test_callers_see_agents_and_not_what_they_are_made_of(deployment: Deployment, admin: httpx.AsyncClient):
    release = (await register(admin))["release"]
    caller = await deployment.client(await deployment.key("acme", roles=["caller"]))
    assert (await caller.get("/v1/agents")).json()["items"][0]["name"] == "support-desk"
    assert (await caller.get(f"/v1/releases/{release}")).status_code == 403
    assert (await caller.get("/v1/agents/support-desk/releases")).status_code == 403
    narrow = await deployment.client(await deployment.key("acme", roles=["auditor"], agents=["another"]))
    assert (await narrow.get("/v1/agents")).json()["items"] == []
    for address in ("agents/support-desk", "agents/support-desk/releases", f"releases/{release}"):
        assert (await narrow.get(f"/v1/{address}")).status_code == 404


async def test_another_tenants_releases_do_not_exist(admin: httpx.AsyncClient, other: httpx.AsyncClient):
    release = (await register(admin, label="first"))["release"]
    for address in (
        "agents/support-desk",
        "agents/support-desk/releases",
        f"releases/{release}",
        f"releases/{release[:12]}",
        "releases/support-desk@first",
    ):
        answer = await other.get(f"/v1/{address}")
        assert answer.status_code == 404, address
    assert (await other.get("/v1/agents")).json()["items"] == []


async def test_two_tenants_have_the_same_release_each_for_itself(
    deployment: Deployment, admin: httpx.AsyncClient, other
):
    await register(admin)
    their_admin = await deployment.admin(quarterdeck_tenant="umbra")
    assert (await register(their_admin))["created"]
    assert (await other.get(f"/v1/releases/{id_of(SOUND)}")).status_code == 200


async def test_a_label_names_one_release_for_ever(admin: httpx.AsyncClient):
    first = await register(admin, label="june")
    taken = await admin.post("/v1/agents", json=body({"owner": "x"}, label="june"))
    assert (taken.status_code, taken.json()["code"]) == (409, "release.label_taken")
    again = await register(admin, label="july")
    assert again["label"] == "june"
    assert "registered before with the label 'june'" in again["warnings"][-1]
    assert (await admin.get("/v1/releases/support-desk@june")).json()["release"] == first["release"]
    await register(admin, {"agent": "another"}, label="june")


async def test_changes_between_any_two_releases_can_be_read(admin: httpx.AsyncClient):
    first = (await register(admin))["release"]
    second = (await register(admin, {"limits.max_steps": 40}))["release"]
    found = (await admin.get(f"/v1/releases/{second[:16]}", params={"against": first[:8]})).json()
    assert (found["against"], found["changes"]) == (first, ["limit max_steps: 30 → 40"])


async def test_many_who_register_at_once_leave_one_release_of_each(admin: httpx.AsyncClient):
    changes = [{"limits.max_steps": 10 + at % 3} for at in range(12)]
    answers = await asyncio.gather(*(register(admin, change) for change in changes))
    assert sum(answer["created"] for answer in answers) == 3
    listed = (await admin.get("/v1/agents/support-desk/releases")).json()["items"]
    assert len(listed) == 3
    assert [line["current"] for line in listed].count(True) == 1


async def test_lists_come_in_pages(admin: httpx.AsyncClient):
    for at in range(5):
        await register(admin, {"agent": f"agent-{at}", "limits.max_steps": 5})
        await register(admin, {"limits.max_steps": 10 + at})
    for address, size in (("agents", 6), ("agents/support-desk/releases", 5)):
        seen, cursor = [], None
        while True:
            found = (
                await admin.get(f"/v1/{address}", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
            ).json()
            seen += [item["release"] + item.get("name", "") for item in found["items"]]
            cursor = found["next_cursor"]
            if cursor is None:
                break
        assert len(set(seen)) == len(seen) == size
    assert (await admin.get("/v1/agents", params={"cursor": "x"})).status_code == 422


async def test_an_agent_can_be_taken_out_of_service_and_put_back(
    deployment: Deployment, admin, owner: httpx.AsyncClient
):
    await register(admin)
    developer = await deployment.client(await deployment.key("acme", roles=["developer"]))
    assert (await developer.patch("/v1/agents/support-desk", json={"disabled": True})).status_code == 403
    answer = await owner.patch("/v1/agents/support-desk", json={"disabled": True})
    assert answer.json()["disabled"] is True
    refused = await owner.post("/v1/runs", json={"agent": "support-desk", "input": "hi"})
    assert (refused.status_code, refused.json()["code"]) == (409, "agent.disabled")
    assert (await owner.patch("/v1/agents/support-desk", json={"disabled": False})).json()["disabled_at"] is None
    assert (await owner.patch("/v1/agents/nobody", json={"disabled": True})).status_code == 404


async def test_a_repeated_idempotency_key_gets_the_first_answer(admin: httpx.AsyncClient):
    headers = {"idempotency-key": "once"}
    first = await admin.post("/v1/agents", json=body(), headers=headers)
    again = await admin.post("/v1/agents", json=body(), headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (await admin.post("/v1/agents", json=body({"owner": "x"}), headers=headers)).status_code == 422
