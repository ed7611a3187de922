"""`/v1/escalations`: opened with the run's event, claimed by one, closed with a note, counted."""

import asyncio
from uuid import UUID

from quarterdeck.core.ids import uuid7
from quarterdeck.escalations import store
from quarterdeck.runs.events import RunEscalated
from tests.db.runs.api import Stage, run_id


async def opened(stage: Stage, **wanted: str) -> str:
    """A conversation that an agent passed on."""
    run = run_id(await stage.submit())
    facts = {"to": "team-desk", "summary": "Ann wants a person.", "why": "I may not promise this"} | wanted
    event = RunEscalated(step=1, call="c1", escalation=str(uuid7()), **facts)
    tenant = stage.scene.tenant
    async with stage.scene.database.tenant(tenant) as tx:
        for _ in range(2):  # the second time does nothing
            await store.open(tx, tenant, run, event, agent="desk", user="ann", thread=None)
    return event.escalation


async def test_a_conversation_waits_with_its_summary_and_owner(stage: Stage):
    first, second = await opened(stage), await opened(stage, to="team-billing")
    reviewer = await stage.key("reviewer")
    listed = (await reviewer.get("/v1/escalations", params={"state": "open"})).json()["items"]
    assert [item["escalation_id"] for item in listed] == [second, first]
    assert (listed[1]["owner"], listed[1]["summary"]) == ("team-desk", "Ann wants a person.")
    assert (listed[1]["agent"], listed[1]["user_id"], listed[1]["why"]) == ("desk", "ann", "I may not promise this")
    billing = (await reviewer.get("/v1/escalations", params={"owner": "team-billing"})).json()["items"]
    assert [item["escalation_id"] for item in billing] == [second]
    page = (await reviewer.get("/v1/escalations", params={"limit": 1})).json()
    rest = (await reviewer.get("/v1/escalations", params={"limit": 1, "cursor": page["next_cursor"]})).json()
    assert [item["escalation_id"] for item in rest["items"]] == [first]


async def test_one_person_claims_it_and_closes_it_with_a_note(stage: Stage):
    path = f"/v1/escalations/{await opened(stage)}"
    mine, theirs = await stage.key("reviewer"), await stage.key("reviewer")
    early = await mine.post(f"{path}/close", json={"note": "done"})
    assert (early.status_code, early.json()["code"]) == (409, "escalation.not_claimed")
    claimed = (await mine.post(f"{path}/claim")).json()
    assert (claimed["state"], claimed["claimed_by"][:4]) == ("claimed", "key:")
    assert (await mine.post(f"{path}/claim")).status_code == 200
    taken = await theirs.post(f"{path}/claim")
    assert (taken.status_code, taken.json()["claimed_by"]) == (409, claimed["claimed_by"])
    refused = await theirs.post(f"{path}/close", json={"note": "done"})
    assert refused.json()["code"] == "escalation.claimed_by_other"
    assert (await mine.post(f"{path}/close", json={})).json()["code"] == "escalation.note_missing"
    closed = (await mine.post(f"{path}/close", json={"note": "called her"})).json()
    assert (closed["state"], closed["note"], closed["closed_by"]) == ("closed", "called her", claimed["claimed_by"])
    assert (await mine.post(f"{path}/claim")).json()["code"] == "escalation.already_closed"


async def test_it_is_taken_over_on_purpose_and_closed_by_operators(stage: Stage):
    path = f"/v1/escalations/{await opened(stage)}"
    first, second, operator = await stage.key("reviewer"), await stage.key("reviewer"), await stage.key("operator")
    await first.post(f"{path}/claim")
    taken = (await second.post(f"{path}/claim", json={"take_over": True})).json()
    closed = (await operator.post(f"{path}/close", json={"note": "sorted out"})).json()
    assert closed["claimed_by"] == taken["claimed_by"] != closed["closed_by"]
    async with stage.scene.database.system.transaction() as tx:
        kinds = [row["kind"] for row in await tx.fetch("SELECT kind FROM qd.audit_waiting ORDER BY at, id")]
    assert [kind for kind in kinds if kind.startswith("escalation.")] == [
        "escalation.claimed",
        "escalation.claimed",
        "escalation.closed",
    ]


async def test_of_many_claims_at_once_one_counts(stage: Stage):
    path = f"/v1/escalations/{await opened(stage)}/claim"
    people = [await stage.key("reviewer") for _ in range(4)]
    answers = await asyncio.gather(*(person.post(path) for person in people))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_they_are_counted(stage: Stage):
    ids = [await opened(stage), await opened(stage), await opened(stage, to="team-billing")]
    reviewer = await stage.key("reviewer")
    await reviewer.post(f"/v1/escalations/{ids[0]}/claim")
    await reviewer.post(f"/v1/escalations/{ids[0]}/close", json={"note": "done"})
    counted = (await reviewer.get("/v1/escalations/facets")).json()
    assert counted["state"] == {"open": 2, "closed": 1}
    assert counted["owner"] == {"team-desk": 1, "team-billing": 1}
    assert counted["agent"] == {"desk": 2}


async def test_who_may_see_and_take_them(stage: Stage):
    path = f"/v1/escalations/{await opened(stage)}"
    assert (await (await stage.key("caller")).get("/v1/escalations")).status_code == 403
    assert (await (await stage.key("auditor")).get(path)).status_code == 200
    assert (await (await stage.key("auditor")).post(f"{path}/claim")).status_code == 403
    elsewhere = await stage.key("reviewer", agents=["other"])
    assert (await elsewhere.get(path)).status_code == 404
    assert (await elsewhere.post(f"{path}/claim")).status_code == 404
    assert (await elsewhere.get("/v1/escalations")).json()["items"] == []
    assert (await stage.owner.get(f"/v1/escalations/{UUID(int=7)}")).json()["code"] == "escalation.not_found"


async def test_who_listens_is_told_once(stage: Stage):
    tenant = stage.scene.tenant
    async with stage.scene.database.tenant(tenant) as tx:
        await tx.execute(
            "INSERT INTO qd.webhook_endpoints (tenant, id, url, kinds, sealed_secrets, created_by)"
            " VALUES ($1, $2, 'https://example.com', '{*}', '{}', 'key:test')",
            *(tenant, uuid7()),
        )
    escalation = await opened(stage)
    async with stage.scene.database.tenant(tenant) as tx:
        told = await tx.fetch("SELECT data FROM qd.outbox WHERE kind = 'escalation.opened'")
    assert len(told) == 1
    assert escalation in told[0]["data"]
