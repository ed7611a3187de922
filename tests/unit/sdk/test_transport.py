"""Requests and answers: keys, retries, problems, and records that other versions have changed."""

import httpx
import pytest

from quarterdeck.sdk import errors
from quarterdeck.sdk.records import Run
from tests.unit.sdk.wire import RUN, URL, Wire, problem


async def test_a_submit_whose_answer_was_lost_is_sent_again_under_the_same_key():
    wire = Wire(httpx.ReadError("cut"), problem(503), httpx.Response(202, json=RUN))
    run = await wire.client.runs.submit("desk", "hello")
    assert run.run_id == "r1"
    keys = {request.headers["idempotency-key"] for request in wire.asked}
    assert len(wire.asked) == 3
    assert len(keys) == 1
    assert len({request.content for request in wire.asked}) == 1


async def test_two_submits_never_share_a_key():
    wire = Wire(httpx.Response(202, json=RUN))
    client = wire.client
    await client.runs.submit("desk", "hello")
    await client.runs.submit("desk", "hello")
    assert wire.asked[0].headers["idempotency-key"] != wire.asked[1].headers["idempotency-key"]


async def test_a_cancel_whose_answer_was_lost_is_not_sent_again():
    wire = Wire(httpx.ReadError("cut"))
    with pytest.raises(errors.Unreachable):
        await wire.client.runs.cancel("r1")
    assert len(wire.asked) == 1


async def test_a_cancel_that_never_left_is_sent_again():
    wire = Wire(httpx.ConnectError("refused"), httpx.Response(202, json=RUN))
    assert (await wire.client.runs.cancel("r1")).run_id == "r1"


async def test_a_deployment_that_stays_away_is_an_error_that_names_it():
    with pytest.raises(errors.Unreachable, match=r"Nothing answers at http://deck.test"):
        await Wire(httpx.ConnectError("refused")).client.runs.get("r1")


async def test_silence_is_told_apart_from_refusal():
    with pytest.raises(errors.TimedOut):
        await Wire(httpx.ReadTimeout("")).client.runs.get("r1")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Malformed),
        (401, errors.Unauthenticated),
        (402, errors.BudgetSpent),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (412, errors.Changed),
        (413, errors.TooLarge),
        (422, errors.Invalid),
        (418, errors.Refused),
        (500, errors.Broken),
        (503, errors.Unavailable),
    ],
)
async def test_each_problem_has_a_class(status: int, kind: type[errors.Refused]):
    wire = Wire(problem(status, "a.code", run="r1", instance="urn:quarterdeck:request:abc"))
    with pytest.raises(kind) as refused:
        await wire.client.runs.cancel("r1")
    assert type(refused.value) is kind
    assert (refused.value.code, refused.value.status, refused.value.facts["run"]) == ("a.code", status, "r1")
    assert str(refused.value) == "What a.code says."
    assert refused.value.request_id == "abc"


async def test_refused_values_are_named_with_place_and_fix():
    faults = [{"place": "body.agent", "problem": "it is missing", "fix": "add it"}]
    with pytest.raises(errors.Invalid) as refused:
        await Wire(problem(422, errors=faults)).client.runs.submit("", "hello")
    assert refused.value.errors == faults


async def test_a_proxys_page_is_a_refusal_too():
    with pytest.raises(errors.Refused, match="HTTP 407") as refused:
        await Wire(httpx.Response(407, text="<html>sign in</html>")).client.runs.get("r1")
    assert refused.value.code == "http.407"


async def test_a_redirect_is_not_followed_with_the_key():
    wire = Wire(httpx.Response(302, headers={"location": "https://elsewhere.test/"}))
    with pytest.raises(errors.Refused):
        await wire.client.runs.get("r1")
    assert [request.url.host for request in wire.asked] == ["deck.test"]


async def test_an_answer_of_something_else_is_not_understood():
    with pytest.raises(errors.NotUnderstood, match="GET /v1/runs/r1"):
        await Wire(httpx.Response(200, text="<html>")).client.runs.get("r1")


async def test_members_of_other_versions_do_no_harm():
    newer = {**RUN, "something_new": {"x": 1}, "status": "a_new_status"}
    run = await Wire(httpx.Response(200, json=newer)).client.runs.get("r1")
    assert (run.status, run.ended, run.tags, run.result) == ("a_new_status", False, {}, None)


async def test_what_was_not_said_is_not_sent():
    wire = Wire(httpx.Response(202, json=RUN))
    await wire.client.runs.submit("desk", "hello", tags={"a": "b"})
    assert wire.asked[0].content == b'{"agent":"desk","input":"hello","tags":{"a":"b"}}'
    assert wire.asked[0].headers["authorization"] == "Bearer qd_a_b"


async def test_ids_cannot_lead_to_another_address():
    wire = Wire(problem(404))
    with pytest.raises(errors.NotFound):
        await wire.client.runs.get("../keys?x=1#y")
    assert wire.asked[0].url.raw_path == b"/v1/runs/..%2Fkeys%3Fx%3D1%23y"


async def test_acting_for_others_says_so_in_headers():
    wire = Wire(httpx.Response(200, json=RUN))
    await wire.client.acting(tenant="acme", user="Jürgen").runs.get("r1")
    assert wire.asked[0].headers["quarterdeck-tenant"] == "acme"
    assert dict(wire.asked[0].headers.raw)[b"quarterdeck-user"] == "Jürgen".encode()


async def test_a_process_that_is_not_ready_says_why():
    checks = {"ready": False, "checks": {"database": "away"}}
    ready = await Wire(httpx.Response(503, json=checks)).client.ready()
    assert (ready.ready, ready.checks) == (False, {"database": "away"})


def test_the_plain_client_does_the_same():
    wire = Wire(httpx.ReadError("cut"), httpx.Response(202, json={**RUN, "status": "succeeded"}))
    with wire.plain_client as client:
        run: Run = client.runs.run_and_wait("desk", "hello", timeout=5)
    assert run.succeeded
    assert wire.asked[-1].url == f"{URL}/v1/runs?wait=5"


async def test_waiting_goes_on_until_it_has_ended():
    wire = Wire(
        httpx.Response(202, json={**RUN, "status": "running"}), httpx.Response(200, json={**RUN, "status": "failed"})
    )
    assert (await wire.client.runs.wait("r1")).status == "failed"
    assert len(wire.asked) == 2


async def test_waiting_ends_when_its_time_is_over():
    run = await Wire(httpx.Response(202, json={**RUN, "status": "running"})).client.runs.wait("r1", timeout=0.0)
    assert run.status == "running"


async def test_a_run_that_waits_for_a_person_is_handed_over():
    wire = Wire(httpx.Response(200, json={**RUN, "status": "waiting_for_outcome"}))
    assert (await wire.client.runs.wait("r1")).waits_for_person
