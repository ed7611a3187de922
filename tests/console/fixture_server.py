"""A small API with made-up runs, for building and testing the console alone: the shapes of `/v1`, none of its depth.

`python -m tests.console.fixture_server 7411` serves it; any key signs in, and the key's own word says what it may do:
`auditor`, `nobody` (sees nothing), `empty` (a tenant without runs), `admin`.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from quarterdeck.console.mount import mount
from quarterdeck.core.errors import Conflict, Error, Forbidden, NotFound, Unauthenticated
from quarterdeck.core.settings import Settings
from quarterdeck.http.problems import problem
from tests.console import fixture_audit, fixture_money
from tests.console.chronicle import RELEASES, Chronicle, iso, text
from tests.console.fixture_gate import ROUTES
from tests.console.made_up import day
from tests.console.made_up_gate import gate_of_day
from tests.console.made_up_money import closed, money_of_day

ROLES = {"auditor": ["auditor"], "reviewer": ["reviewer"], "nobody": ["caller"], "admin": []}
ANSWER = (
    "Your order 88121 left our warehouse on Friday and is with DPD. It was held at the depot over the weekend "
    "because the address label was damaged; they have printed a new one this morning.\n\n"
    "It is on the van now and should be with you before 18:00 today. I am sorry for the wait."
)


class Fixture:
    """What the server knows: runs, and switches that a test can throw."""

    def __init__(self) -> None:
        self.runs = day()
        self.gate = gate_of_day()
        self.money = money_of_day()
        ended = closed(900, datetime.now(UTC) - timedelta(hours=20))
        self.runs = {ended.id: ended, **self.runs}
        for made in self.runs.values():
            for asked in made.run["pending_approvals"]:
                self.gate.approvals[asked["approval_id"]] |= {"run_id": made.id, "digest": asked["digest"]}
        self.cut = False  # answers nothing while true, as a server that is away
        self.started: set[str] = set()
        self.news = asyncio.Condition()

    def run(self, request: Request) -> Chronicle:
        self.allow(request)
        found = self.runs.get(request.path_params["run"])
        if found is None:
            raise NotFound
        return found

    def allow(self, request: Request) -> str:
        if self.cut:
            raise ConnectionResetError
        word = request.cookies.get("fixture")
        if word is None:
            raise Unauthenticated
        return word


def here(request: Request) -> Fixture:
    return request.app.state.fixture


async def sign_in(request: Request) -> Response:
    key = (await request.json())["key"]
    if not key.startswith("qd_"):
        raise Unauthenticated("This key is not known here.")
    word = key.removeprefix("qd_")
    answer = JSONResponse(actor(word), 201)
    answer.set_cookie("fixture", word, httponly=True, samesite="strict")
    return answer


def actor(word: str) -> dict[str, Any]:
    admin = word == "admin"
    return {
        "key_id": "k1",
        "name": f"{word} key",
        "user_id": word,
        "tenant": None if admin else "acme",
        "admin": admin,
        "roles": ROLES.get(word, ["owner"]),
        "agents": None,
        "environments": None,
        "may_assert_user": False,
    }


async def current(request: Request) -> Response:
    word = here(request).allow(request)
    if request.method == "GET":
        return JSONResponse(actor(word))
    gone = Response(status_code=204)
    gone.delete_cookie("fixture")
    return gone


def chosen(request: Request) -> list[Chronicle]:
    """The runs that the filters leave, the newest first."""
    word = here(request).allow(request)
    if word == "nobody":
        raise Forbidden("Lists of all runs are for operators, developers, reviewers and auditors.")
    asked = request.query_params
    found = [] if word == "empty" else list(here(request).runs.values())
    if wanted := asked.getlist("status"):
        found = [made for made in found if made.run["status"] in wanted]
    for name in ("agent", "user_id", "release", "thread_id"):
        if wanted := asked.get(name):
            found = [made for made in found if str(made.run[name]).startswith(wanted)]
    if cause := asked.get("cause"):
        found = [made for made in found if cause in (made.run["error_code"], made.run["reason"])]
    if words := asked.get("q"):
        found = [made for made in found if words.lower() in f"{made.title} {made.run['why']} {made.user}".lower()]
    if since := asked.get("since"):
        found = [made for made in found if made.run["created_at"] >= since]
    return found[::-1]


async def runs(request: Request) -> Response:
    found = chosen(request)
    start, limit = int(request.query_params.get("cursor", 0)), int(request.query_params.get("limit", 50))
    more = start + limit < len(found)
    page = [made.run for made in found[start : start + limit]]
    return JSONResponse({"items": page, "next_cursor": str(start + limit) if more else None})


async def facets(request: Request) -> Response:
    found = chosen(request)
    causes = Counter(made.run["error_code"] or made.run["reason"] for made in found)
    return JSONResponse(
        {
            "status": Counter(made.run["status"] for made in found),
            "agent": Counter(made.agent for made in found),
            "cause": {cause: n for cause, n in causes.items() if cause},
        }
    )


async def trace(request: Request) -> Response:
    return JSONResponse(here(request).run(request).trace())


async def events(request: Request) -> Response:
    made = here(request).run(request)
    if "text/event-stream" in request.headers.get("accept", ""):
        after = int(request.headers.get("last-event-id", 0))
        return StreamingResponse(stream(here(request), made, after), media_type="text/event-stream")
    after, limit = int(request.query_params.get("after", 0)), int(request.query_params.get("limit", 100))
    return JSONResponse({"items": made.events[after : after + limit], "next_cursor": None})


async def stream(fixture: Fixture, made: Chronicle, after: int) -> AsyncGenerator[str]:
    if made.run["status"] == "running" and made.id not in fixture.started:
        fixture.started.add(made.id)
        asyncio.get_running_loop().create_task(go_on(fixture, made))
    sent_words = 0
    yield ": hello\n\n"
    while not fixture.cut:
        for event in made.events[after:]:
            data = json.dumps(
                {"seq": event["seq"], "attempt": event["attempt"], "at": event["at"], "data": event["data"]}
            )
            yield f"id: {event['seq']}\nevent: {event['kind']}\ndata: {data}\n\n"
            after = event["seq"]
            if event["kind"] == "run.finished":
                return
        words = getattr(made, "words", "")
        if len(words) > sent_words:
            delta = {
                "step": made.step + 1,
                "attempt": 1,
                "offset": sent_words,
                "kind": "text",
                "text": words[sent_words:],
            }
            yield f"event: message.delta\ndata: {json.dumps(delta)}\n\n"
            sent_words = len(words)
        async with fixture.news:
            try:
                await asyncio.wait_for(fixture.news.wait(), 5)
            except TimeoutError:
                yield ": still here\n\n"


async def go_on(fixture: Fixture, made: Chronicle) -> None:
    """The rest of the live run, written while somebody watches."""
    await asyncio.sleep(0.5)
    for word in ANSWER.split(" "):
        made.words = f"{getattr(made, 'words', '')}{word} "  # pyright: ignore[reportAttributeAccessIssue] - scratch
        async with fixture.news:
            fixture.news.notify_all()
        await asyncio.sleep(0.04)
    made.now = datetime.now(UTC)
    made.model(text(ANSWER), seconds=0).finish(words=ANSWER).tell("ok", "Succeeded after 2 steps.", ("2 steps", 5))
    async with fixture.news:
        fixture.news.notify_all()


async def cancel(request: Request) -> Response:
    made = here(request).run(request)
    why = (await request.json()).get("why", "")
    made.now = datetime.now(UTC)
    made.event("run.cancel_requested", by="owner key", why=why)
    made.finish("cancelled", why=why or "cancelled", handoff={"done": [], "left": ["everything"]})
    made.tell("stopped", "Cancelled by owner key.")
    return JSONResponse(made.run, 202)


async def retry(request: Request) -> Response:
    made = here(request).run(request)
    made.event("run.retried", by="owner key", why=(await request.json()).get("why", ""))
    made.run |= {"status": "queued", "finished_at": None, "current_step": "waits for a worker"}
    made.tell("running", "Queued again by owner key.")
    return JSONResponse(made.run, 202)


async def outcome(request: Request) -> Response:
    made = here(request).run(request)
    body = await request.json()
    row = next((effect for effect in made.effects if effect["call"].endswith(f"/{body['call']}")), None)
    if row is None or row["state"] != "unknown":
        raise Conflict("This call's outcome is known already.")
    row |= {"state": body["outcome"], "settled_at": iso(datetime.now(UTC)), "settled_by": "owner key"}
    made.event("tool.resolved", call=body["call"], outcome=body["outcome"], by="owner key", content=[])
    made.run |= {"status": "queued", "current_step": "waits for a worker", "why": "", "unknown_outcomes": []}
    made.tell("running", "Queued again: owner key said what became of orders.refund.")
    return JSONResponse(made.run, 202)


async def agents(request: Request) -> Response:
    if here(request).allow(request) == "empty":
        return JSONResponse({"items": [], "next_cursor": None})
    items = [
        {
            "name": name,
            "release": release,
            "agent_version": f"{name}@{release[:12]}",
            "label": f"{name}-7",
            "owner": "team-support",
            "description": "Answers customers from orders and the help centre; refunds need a person.",
            "model": {"provider": "openai", "id": "gpt-4o-2024-11-20"},
            "tools": ["orders.find", "orders.refund", "help.search"],
            "disabled": name == "ops-helper",
            "disabled_at": None,
            "created_at": iso(datetime.now(UTC)),
            "updated_at": iso(datetime.now(UTC)),
        }
        for name, release in RELEASES.items()
    ]
    return JSONResponse({"items": items, "next_cursor": None})


async def releases(request: Request) -> Response:
    here(request).allow(request)
    name = request.path_params["name"]
    line = {
        "release": RELEASES[name],
        "agent": name,
        "agent_version": f"{name}@{RELEASES[name][:12]}",
        "label": f"{name}-7",
        "model": {"provider": "openai", "id": "gpt-4o-2024-11-20"},
        "registered_by": "deployment admin",
        "registered_at": iso(datetime.now(UTC)),
        "current": True,
    }
    return JSONResponse({"items": [line], "next_cursor": None})


async def keys(request: Request) -> Response:
    here(request).allow(request)
    key = {
        "id": "k1",
        "name": "backend",
        "deployment": False,
        "status": "active",
        "roles": ["caller"],
        "agents": None,
        "environments": None,
        "may_assert_user": True,
        "created_by": "bootstrap",
        "created_at": iso(datetime.now(UTC)),
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": iso(datetime.now(UTC)),
    }
    if request.method == "POST":
        return JSONResponse({**key, **(await request.json()), "id": "k2", "secret": "qd_k2_" + "x" * 43}, 201)
    return JSONResponse(
        {"items": [key, {**key, "id": "k0", "name": "old laptop", "status": "revoked"}], "next_cursor": None}
    )


async def tenants(request: Request) -> Response:
    here(request).allow(request)
    return JSONResponse(
        {"items": [{"slug": "acme", "name": "Acme"}, {"slug": "globex", "name": "Globex"}], "next_cursor": None}
    )


async def throw(request: Request) -> Response:
    """A switch for tests: `POST /fixture/cut` takes the API away, `/fixture/mend` brings it back."""
    here(request).cut = request.path_params["what"] == "cut"
    async with here(request).news:
        here(request).news.notify_all()
    return Response(status_code=204)


async def refused(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Error)
    return problem(fault, request.scope)


def make_app(fixture: Fixture | None = None) -> Starlette:
    app = Starlette(
        routes=[
            Route("/v1/sessions", sign_in, methods=["POST"]),
            Route("/v1/sessions/current", current, methods=["GET", "DELETE"]),
            Route("/v1/runs", runs),
            Route("/v1/runs/facets", facets),
            Route("/v1/runs/{run}/trace", trace),
            Route("/v1/runs/{run}/events", events),
            Route("/v1/runs/{run}/cancel", cancel, methods=["POST"]),
            Route("/v1/runs/{run}/retry", retry, methods=["POST"]),
            Route("/v1/runs/{run}/outcome", outcome, methods=["POST"]),
            Route("/v1/agents", agents),
            Route("/v1/agents/{name}/releases", releases),
            Route("/v1/keys", keys, methods=["GET", "POST"]),
            Route("/v1/tenants", tenants),
            *ROUTES,
            *fixture_audit.ROUTES,
            *fixture_money.ROUTES,
            Route("/fixture/{what}", throw, methods=["POST"]),
        ],
        exception_handlers={Error: refused},
    )
    app.state.fixture = fixture or Fixture()
    mount(app, Settings(environment="dev"))
    return app


if __name__ == "__main__":
    uvicorn.run(make_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
