"""What every request meets on its way in, and every answer on its way out."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Request

from quarterdeck.core.errors import Error
from quarterdeck.http import border, problems
from quarterdeck.http.asgi import Message
from quarterdeck.http.bodies import BodyLimit
from quarterdeck.http.context import begin, context_of

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def seen():
    return []


@pytest.fixture
async def client(seen):
    app = FastAPI()
    border.install(
        app, max_body=1_000, https=True, observe=lambda scope, status, seconds: seen.append((status, seconds))
    )

    @app.post("/v1/echo")
    async def echo(request: Request):
        return {"size": len(await request.body()), "trace": context_of(request.scope).traceparent}

    @app.get("/page")
    async def page():
        return {}

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as found:
        yield found


async def test_a_request_id_is_taken_over_when_well_formed_and_made_when_not(client):
    assert (await client.get("/page", headers={"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
    for wrong in ("", "a" * 129, "a b", "é", "<x>"):
        made = (await client.get("/page", headers=[(b"x-request-id", wrong.encode())])).headers["x-request-id"]
        assert made != wrong
        assert len(made) == 36


async def test_nothing_has_an_address_with_nul_in_it(client):
    answer = await client.get("/pa%00ge")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "wrong", ["", "ff" + TRACE[2:], TRACE.upper(), TRACE + "-x", "00-" + "0" * 32 + TRACE[35:], TRACE[:-4]]
)
async def test_a_trace_is_taken_over_only_when_well_formed(client, wrong):
    right = await client.post("/v1/echo", headers={"traceparent": TRACE})
    assert right.json()["trace"] == right.headers["traceparent"] == TRACE
    answer = await client.post("/v1/echo", headers={"traceparent": wrong})
    assert answer.json()["trace"] is None
    assert "traceparent" not in answer.headers


async def test_every_answer_tells_browsers_to_do_nothing_with_it(client):
    for answer in (
        await client.get("/page"),
        await client.get("/nowhere"),
        await client.post("/v1/echo", content=b"x" * 2000),
    ):
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert "access-control-allow-origin" not in answer.headers
    assert (await client.post("/v1/echo")).headers["cache-control"] == "no-store"


async def test_a_body_may_be_as_large_as_the_limit_and_no_larger(client, seen):
    async def chunks(count: int):
        for _ in range(count):
            yield b"x" * 100

    for content, size in ((b"x" * 1_000, 1_000), (chunks(10), 1_000)):
        assert (await client.post("/v1/echo", content=content)).json()["size"] == size
    for content in (b"x" * 1_001, chunks(11), chunks(10_000)):
        answer = await client.post("/v1/echo", content=content)
        assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (413, "request.too_large", 1_000)
    assert [status for status, _ in seen] == [200, 200, 413, 413, 413]


async def test_a_length_that_is_no_number_is_malformed(client):
    for wrong in ("x", "-1", "1e3", "+5"):
        answer = await client.post("/v1/echo", headers={"content-length": wrong})
        assert answer.status_code == 400


async def test_a_body_that_trickles_in_is_given_up():
    async def never() -> Message:
        await asyncio.sleep(60)
        return {}

    async def read(scope, receive, send):
        await receive()

    async def ignore(message):
        return None

    limited = BodyLimit(read, 1_000, time=0.05)
    with pytest.raises(problems.TooSlow):
        await limited({"type": "http", "headers": [(b"content-length", b"5")]}, never, ignore)


async def test_a_client_that_waits_for_leave_is_refused_without_reading():
    async def fail():
        raise AssertionError("was read")

    async def app(scope, receive, send):
        raise AssertionError("was called")

    async def ignore(message):
        return None

    headers = [(b"content-length", b"5000"), (b"expect", b"100-continue")]
    with pytest.raises(Error) as refused:
        await BodyLimit(app, 1_000)({"type": "http", "headers": headers}, fail, ignore)
    assert refused.value.status == 413


def test_a_request_outside_the_border_still_has_a_context():
    scope = {"type": "http", "headers": []}
    assert context_of(scope) is context_of(scope)
    assert begin(scope).request_id != context_of({"type": "http", "headers": []}).request_id


async def test_an_answer_cut_off_half_way_is_cut_off_and_not_mended(seen):
    app = FastAPI()
    border.install(app, max_body=1_000, observe=lambda scope, status, seconds: seen.append((status, seconds)))

    @app.get("/half")
    async def half(request: Request):
        from starlette.responses import StreamingResponse

        async def chunks():
            yield b"one"
            raise RuntimeError("the disk is gone")

        return StreamingResponse(chunks())

    sent = []

    async def receive() -> Message:
        await asyncio.sleep(60)
        return {}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/half", "headers": [], "query_string": b"", "root_path": ""}
    with pytest.raises(RuntimeError, match="disk"):
        await app({**scope, "scheme": "http", "server": ("localhost", 80), "raw_path": b"/half"}, receive, send)
    assert [message["type"] for message in sent].count("http.response.start") == 1
    assert seen[0][0] == 200
