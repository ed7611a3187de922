"""Every error is a problem, and none says more than it should."""

import asyncio
from typing import Annotated

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field

from quarterdeck.core.errors import Conflict, TooMany, Unauthenticated
from quarterdeck.http import border


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    amount: int = Field(ge=1, le=5)
    lines: list[str] = []


def application() -> FastAPI:
    app = FastAPI()
    border.install(app, max_body=2_000, time_limit=0.2)

    @app.post("/v1/orders")
    async def order(body: Order):
        return {"amount": body.amount}

    @app.get("/v1/orders")
    async def orders():
        return []

    @app.get("/v1/orders/{number}")
    async def find(number: int, limit: Annotated[int, Query(le=10)] = 1):
        return {"number": number}

    @app.get("/v1/broken")
    async def broken():
        raise RuntimeError("the password is hunter2")

    @app.get("/v1/away")
    async def away():
        raise asyncpg.PostgresConnectionError("connection to 10.0.0.5 lost")

    @app.get("/v1/busy")
    async def busy():
        raise TooMany(retry_after=2.4)

    @app.get("/v1/conflict")
    async def conflict():
        raise Conflict("It runs.", status="running", run="1", half="\ud800")

    @app.get("/v1/who")
    async def who():
        raise Unauthenticated

    @app.get("/v1/slow")
    async def slow():
        await asyncio.sleep(5)

    return app


@pytest.fixture
async def client():
    transport = httpx.ASGITransport(app=application(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as found:
        yield found


def problem_of(answer: httpx.Response, status: int, code: str) -> dict:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"urn:quarterdeck:problem:{code}"
    assert body["instance"] == f"urn:quarterdeck:request:{answer.headers['x-request-id']}"
    assert {"title", "detail"} <= body.keys()
    return body


async def test_a_refused_value_is_named_with_its_place_and_the_fix(client):
    body = problem_of(await client.post("/v1/orders", json={"amount": 9, "lines": [1], "x": 1}), 422, "request.invalid")
    assert [(one["place"], one["fix"]) for one in body["errors"]] == [
        ("body.amount", "send at most 5"),
        ("body.lines[0]", "send a string"),
        ("body.x", "remove it, or check its spelling"),
    ]


async def test_a_refused_value_is_not_repeated(client):
    answer = await client.post("/v1/orders", json={"amount": "hunter2"})
    assert "hunter2" not in answer.text


async def test_a_thousand_mistakes_are_not_a_thousand_lines(client):
    answer = await client.post("/v1/orders", json={"amount": 1, "lines": [1] * 500})
    assert len(problem_of(answer, 422, "request.invalid")["errors"]) == 20


@pytest.mark.parametrize(
    "body",
    [b'{"amount":', b"\xff\xfe", b'{"amount": 1}\x00', b"[" * 1_900, b"nul", b"{'a': 1}"],
)
async def test_what_is_not_json_is_malformed(client, body):
    answer = await client.post("/v1/orders", content=body, headers={"content-type": "application/json"})
    problem_of(answer, 400, "request.malformed")


@pytest.mark.parametrize(
    "body",
    [b'{"amount": "\xed\xa0\x80"}', b'{"amount": "\\ud800"}', b'{"amount": 1, "\\udfff": 2}', b'{"amount": "\\u0000"}'],
)
async def test_half_characters_are_refused_and_the_refusal_can_be_sent(client, body):
    answer = await client.post("/v1/orders", content=body, headers={"content-type": "application/json"})
    problem_of(answer, 422, "request.invalid")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"1", b'"x"', b"{}"])
async def test_json_of_another_shape_is_invalid(client, body):
    answer = await client.post("/v1/orders", content=body, headers={"content-type": "application/json"})
    problem_of(answer, 422, "request.invalid")


async def test_another_content_type_is_said_to_be_the_mistake(client):
    answer = await client.post("/v1/orders", content=b'{"amount": 1}', headers={"content-type": "text/plain"})
    assert "application/json" in problem_of(answer, 422, "request.invalid")["detail"]


async def test_what_nobody_foresaw_says_nothing_of_itself(client):
    answer = await client.get("/v1/broken")
    problem_of(answer, 500, "unexpected")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text


async def test_a_lost_database_is_unavailable_and_says_when_to_try_again(client):
    answer = await client.get("/v1/away")
    problem_of(answer, 503, "database.away")
    assert answer.headers["retry-after"] == "1"


async def test_retry_after_is_whole_seconds_rounded_up(client):
    assert (await client.get("/v1/busy")).headers["retry-after"] == "3"


async def test_facts_stand_beside_the_members_and_never_in_their_place(client):
    body = problem_of(await client.get("/v1/conflict"), 409, "conflict")
    assert (body["fact_status"], body["run"], body["half"]) == ("running", "1", "\N{REPLACEMENT CHARACTER}")


async def test_401_says_how_to_authenticate(client):
    answer = await client.get("/v1/who")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_unknown_addresses_and_methods_are_problems_too(client):
    problem_of(await client.get("/nowhere"), 404, "not_found")
    for path, allowed in (("/v1/orders", "GET, POST"), ("/v1/orders/1", "GET")):
        wrong = await client.put(path)
        problem_of(wrong, 405, "request.method")
        assert wrong.headers["allow"] == allowed


async def test_path_and_query_are_checked_like_bodies(client):
    for path in ("/v1/orders/x", "/v1/orders/1?limit=99", "/v1/orders/1?limit=x"):
        problem_of(await client.get(path), 422, "request.invalid")


async def test_an_answer_that_does_not_begin_in_time_is_given_up(client):
    problem_of(await client.get("/v1/slow"), 503, "request.took_too_long")
