"""Money's part of the small API: `/v1/budgets`, `alerts`, `usage`, and proofs of runs."""

from datetime import UTC, datetime
from itertools import accumulate

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from quarterdeck.core.errors import Conflict, Forbidden, Invalid, NotFound
from quarterdeck.http.problems import PreconditionFailed
from tests.console.chronicle import Json, iso
from tests.console.fixture_gate import paged
from tests.console.made_up_money import MILLION, Money, etag, line, lines, near_of, proof_of, summed

SOURCES = ("tenant", "deployment", "release")


class TooLittle(Conflict):
    """There is too little use to suggest a limit from; look further back with `days`, or wait for more."""

    code = "budget.too_little_use"


def money_of(request: Request) -> Money:
    """What there is of money, for whoever may see a whole tenant."""
    fixture = request.app.state.fixture
    word = fixture.allow(request)
    if word == "nobody":
        raise Forbidden("This is for operators, developers, reviewers and auditors.")
    return Money() if word == "empty" else fixture.money


async def budgets(request: Request) -> Response:
    found = money_of(request).budgets
    return paged(request, [found[key] for key in sorted(found, key=lambda key: (SOURCES.index(key[0]), key[1]))])


def find(request: Request) -> Json | None:
    found, wanted = money_of(request).budgets, request.query_params.get("source")
    name = request.path_params["name"]
    return next((found[one, name] for one in SOURCES if wanted in {None, one} and (one, name) in found), None)


async def budget(request: Request) -> Response:
    if (found := find(request)) is None:
        raise NotFound("There is no budget of this name.")
    return JSONResponse(found, headers={"etag": etag(found)} if found["source"] == "tenant" else None)


async def change(request: Request) -> Response:
    money, name = money_of(request), request.path_params["name"]
    present = money.budgets.get(("tenant", name))
    wanted = request.headers.get("if-match")
    if wanted is not None and (present is None or wanted != etag(present)):
        raise PreconditionFailed
    if request.method == "DELETE":
        del money.budgets["tenant", name]
        return Response(status_code=204)
    body = await request.json()
    if body["target"] == "nobody":
        raise Invalid("This budget can't hold as it is described.", errors=[])
    body["max_budget"] = None if body["max_budget"] is None else float(body["max_budget"])
    kept = present["spending"] if present else []
    made = money.limit(name, **{**body, "spending": kept, "updated_at": iso(datetime.now(UTC))})
    return JSONResponse(made, 200 if present else 201)


async def accounts(request: Request) -> Response:
    found = find(request)
    unit = request.query_params.get("unit", "micro_usd")
    first = next((one for one in found["spending"] if one["unit"] == unit), None) if found else None
    if first is None:
        return JSONResponse({"items": [], "next_cursor": None})
    made: list[Json] = []
    for place in range(first["accounts"]):
        spent = first["spent"] // (place + 1)
        name = first["account"] if place == 0 else f"user-{place:03d}"
        left = max(0, first["limit"] - spent)
        percent = round(100 * spent / first["limit"], 1)
        later: Json = {"account": name, "spent": spent, "left": left, "used_percent": percent}
        later |= {"reserved": 0, "uncovered": 0, "projected_at": None}
        made.append(first if place == 0 else {**first, **later})
    return paged(request, made)


async def suggest(request: Request) -> Response:
    money_of(request)
    body = await request.json()
    if body["scope"] == "tenant":
        raise TooLittle
    duration = body["budget_duration"] or "1d"
    words = "Twice what 99 of 100 users stayed under in a day."
    spread: Json = {"p50": 0.12, "p99": 0.84, "max": 3.1, "suggested": 1.68, "over": 3}
    tokens: Json = {"p50": 9_000, "p99": 71_000, "max": 240_000, "suggested": 142_000, "over": 2}
    budget = {"scope": body["scope"], "target": body["target"], "budget_duration": duration, "why": words}
    budget |= {
        "max_budget": 1.68,
        "max_tokens": 142_000,
        "rpm_limit": None,
        "tpm_limit": None,
        "alert_at": [50, 80, 100],
    }
    now = iso(datetime.now(UTC))
    measured = {"since": now, "until": now, "samples": 2_104, "instances": 214, "windows": 30}
    asked = {name: budget[name] for name in ("scope", "target", "budget_duration")}
    warnings = ["The most of all, $3.10, is 26 times the median: look at it before you set a limit."]
    found = {"max_budget": spread, "max_tokens": tokens, "words": words, "warnings": warnings, "budget": budget}
    return JSONResponse({**asked, **measured, **found})


async def alerts(request: Request) -> Response:
    found = sorted(money_of(request).alerts.values(), key=lambda one: one["raised_at"], reverse=True)
    wanted = {"standing": ("raised", "acknowledged")}.get(state := request.query_params.get("state", ""), (state,))
    return paged(request, [one for one in found if not state or one["state"] in wanted])


async def alert_facets(request: Request) -> Response:
    counts: dict[str, int] = {}
    for one in money_of(request).alerts.values():
        if one["state"] == "raised":
            counts[one["severity"]] = counts.get(one["severity"], 0) + 1
    return JSONResponse({"severity": counts})


async def acknowledge(request: Request) -> Response:
    found = money_of(request).alerts[request.path_params["alert"]]
    found |= {
        "state": "acknowledged",
        "acknowledged_at": iso(datetime.now(UTC)),
        "acknowledged_by": "owner key (key:k1)",
    }
    return JSONResponse(found)


async def near(request: Request) -> Response:
    money = money_of(request)
    return paged(request, near_of(request.app.state.fixture.runs, money) if money.budgets else [])


def looked(request: Request) -> tuple[Json, list[Json]]:
    """The time that is asked for, and what was spent in it."""
    asked = request.query_params
    until = datetime.now(UTC)
    since = datetime.fromisoformat(asked["since"]) if "since" in asked else until
    by = asked.get("by", "")
    found = lines(by, since, until, asked.get("every")) if money_of(request).budgets else []
    return {"since": iso(since), "until": iso(until), "by": [by], "every": asked.get("every"), "tz": "UTC"}, found


async def report(request: Request) -> Response:
    head, found = looked(request)
    if request.query_params.get("format") == "csv":
        return PlainTextResponse("agent,cost\n", media_type="text/csv")
    return JSONResponse({**head, "lines": found, "total": summed(found)})


async def concentration(request: Request) -> Response:
    head, found = looked(request)
    among = request.query_params["among"]
    if not found:
        return JSONResponse(
            {
                **head,
                "among": among,
                "spenders": 0,
                "cost_micro_usd": 0,
                "gini": 0,
                "shares": [],
                "top": [],
                "words": [],
            }
        )
    costs = [round(90 * MILLION / place**1.4) for place in range(1, 21)]
    total = round(sum(costs) * 1.3)
    names = ["maria", "<b>mallory</b>", *(f"user-{place:03d}" for place in range(3, 21))]
    top = [
        {"place": at + 1, "name": name, "tenant": "acme", "calls": cost // 9_000, "cost_micro_usd": cost}
        | {"estimated_cost_usd": cost / MILLION, "share": cost / total, "cumulative_share": so_far / total}
        for at, (name, cost, so_far) in enumerate(zip(names, costs, accumulate(costs), strict=True))
    ]
    parts = ((0.001, 3, 0.4), (0.01, 29, 0.71), (0.1, 291, 0.93))
    shares = [
        {"of_spenders": part, "spenders": n, "share": share, "cost_micro_usd": round(total * share)}
        for part, n, share in parts
    ]
    words = [f"0.1 % of {among}s (3 of 2,913) make 40 % of the cost."]
    whole = {"spenders": 2_913, "cost_micro_usd": total, "estimated_cost_usd": total / MILLION, "gini": 0.86}
    return JSONResponse({**head, "among": among, **whole, "shares": shares, "top": top, "words": words})


async def outliers(request: Request) -> Response:
    head, found = looked(request)
    runs = list(request.app.state.fixture.runs.values())[-5:-2] if found else []
    causes = [
        {"cause": "steps", "times": 8.2, "here": 41, "usual": 5, "words": "41 steps, 8.2 times as many as usual."},
        {"cause": "context", "times": 3.1, "here": 9_000, "usual": 2_900, "words": "9,000 tokens read in each step."},
    ]
    items = [
        {"run_id": made.id, "tenant": "acme", "agent": made.agent, "user_id": made.user, "at": iso(made.began)}
        | {"cost_micro_usd": 1_900_000, "estimated_cost_usd": 1.9, "usual_micro_usd": 74_000, "times": 25.7, "z": 9.1}
        | {"calls": 41, "models": ["gpt-4.1-2025-04-14"], "causes": causes[: 1 + at % 2], "why": "many steps"}
        for at, made in enumerate(runs)
    ]
    return JSONResponse({**head, "threshold": 3.5, "items": items})


async def savings(request: Request) -> Response:
    head, found = looked(request)
    models = [
        line(None, "model", name, 40 * MILLION // (at + 1)) for at, name in enumerate(("gpt-4.1", "gpt-4.1-mini"))
    ]
    shown = models if found else []
    sums = summed(shown)
    ways = {
        "caching": {"calls": 3_100, "tokens": 4_100_000, "micro_usd": sums["saved_cache_micro_usd"]},
        "trimming": {"calls": 410, "tokens": 980_000, "micro_usd": sums["saved_trim_micro_usd"]},
        "routing": {"calls": 1_204, "tokens": None, "micro_usd": sums["saved_route_micro_usd"]},
    }
    saved = sum(way["micro_usd"] for way in ways.values())
    whole = {"cost_micro_usd": sums["cost_micro_usd"], "saved_micro_usd": saved, "share": 0.24, "cache_hit_rate": 0.46}
    return JSONResponse({**head, **whole, **ways, "by": ["model"], "lines": shown})


async def proof(request: Request) -> Response:
    fixture = request.app.state.fixture
    return JSONResponse(proof_of(fixture.run(request), fixture.money.gaps))


ROUTES = [
    Route("/v1/budgets", budgets),
    Route("/v1/budgets/suggest", suggest, methods=["POST"]),
    Route("/v1/budgets/{name}", budget, methods=["GET"]),
    Route("/v1/budgets/{name}", change, methods=["PUT", "DELETE"]),
    Route("/v1/budgets/{name}/accounts", accounts),
    Route("/v1/alerts", alerts),
    Route("/v1/alerts/facets", alert_facets),
    Route("/v1/alerts/near-limits", near),
    Route("/v1/alerts/{alert}/acknowledge", acknowledge, methods=["POST"]),
    Route("/v1/usage/report", report),
    Route("/v1/usage/concentration", concentration),
    Route("/v1/usage/outliers", outliers),
    Route("/v1/usage/savings", savings),
    Route("/v1/runs/{run}/proof", proof),
]
