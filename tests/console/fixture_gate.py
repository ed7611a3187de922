"""The gate's part of the small API: `/v1/approvals`, `escalations`, `switches`, `policies`, `autonomy`, `audit`."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quarterdeck.core.errors import Conflict, Forbidden, Invalid, NotFound
from quarterdeck.http.problems import PreconditionFailed
from tests.console.chronicle import RELEASES, Json, iso
from tests.console.made_up_gate import BASE, LEVELS, SAYS, Gate, digest, ident

PAGE = 50


class NotTheSame(Conflict):
    """This question is about other arguments by now; look at it again."""

    code = "approval.changed"


def gate_of(request: Request) -> Gate:
    """The gate, for whoever may see a whole tenant."""
    fixture = request.app.state.fixture
    word = fixture.allow(request)
    if word == "nobody":
        raise Forbidden("This is for operators, developers, reviewers and auditors.")
    return Gate() if word == "empty" else fixture.gate


def paged(request: Request, items: list[Json]) -> JSONResponse:
    start, limit = int(request.query_params.get("cursor", 0)), int(request.query_params.get("limit", PAGE))
    more = start + limit < len(items)
    return JSONResponse({"items": items[start : start + limit], "next_cursor": str(start + limit) if more else None})


def fitting(request: Request, items: list[Json], **names: str) -> list[Json]:
    """Those that the filters leave; each name is that of the field which a parameter is about."""
    asked = request.query_params
    return [one for one in items if all(not asked.get(name) or one[of] == asked[name] for name, of in names.items())]


async def approvals(request: Request) -> Response:
    found = sorted(gate_of(request).approvals.values(), key=lambda held: held["asked_at"], reverse=True)
    names = {"state": "state", "agent": "agent", "tool": "tool", "run": "run_id", "risk": "risk_level"}
    return paged(request, fitting(request, found, **names))


async def approval_facets(request: Request) -> Response:
    waiting = gate_of(request).pending()
    counts = {"agent": "agent", "tool": "tool", "risk": "risk_level", "state": "state"}
    return JSONResponse({name: Counter(held[of] for held in waiting) for name, of in counts.items()})


def held_of(request: Request) -> Json:
    found = gate_of(request).approvals.get(request.path_params["approval"])
    if found is None:
        raise NotFound
    return found


async def approval(request: Request) -> Response:
    return JSONResponse(held_of(request))


async def answer(request: Request) -> Response:
    held, body, verdict = held_of(request), await request.json(), request.path_params["verdict"]
    if held["state"] != "pending":
        raise Conflict(f"This question is {held['state']} already.")
    if verdict == "deny":
        if not body["why"].strip():
            raise Invalid("A no needs a reason: the agent is told.")
        settle(request, held, "denied", body["why"])
        return JSONResponse(held)
    if body.get("digest") != held["digest"]:
        raise NotTheSame
    if body.get("arguments"):
        held |= {"edited": body["arguments"], "digest": digest(body["arguments"]), "votes": []}
    held["votes"] = [*held["votes"], {"by": "owner key (key:k1)", "at": iso(datetime.now(UTC))}]
    if len(held["votes"]) >= held["people"]:
        settle(request, held, "approved", body["why"])
    return JSONResponse(held)


def settle(request: Request, held: Json, state: str, why: str) -> None:
    """The question has its answer, and its run goes on."""
    fixture = request.app.state.fixture
    fixture.gate.answer(held, state, "owner key (key:k1)", why, held["age_s"])
    if (made := fixture.runs.get(held["run_id"])) is not None:
        made.event("approval.answered", call=held["call"], approval=held["approval_id"], state=state, by=["owner key"])
        made.run |= {"status": "queued", "pending_approvals": [], "current_step": "waits for a worker", "why": ""}
        made.tell("running", f"Queued again: owner key has {state} it.")
        for span in made.spans:
            if span["kind"] in {"approval", "wait"} and span["end"] is None:
                made.now = datetime.now(UTC)
                made.close(span, "ok" if state == "approved" else "denied")


async def batch(request: Request) -> Response:
    body, items = await request.json(), list[Json]()
    for one in body["ids"]:
        held = gate_of(request).approvals[one]
        if held["risk_level"] not in {"read", "write"}:
            items.append({"approval_id": one, "state": None, "code": "approval.not_for_many", "detail": "Look at it."})
            continue
        settle(request, held, "approved" if body["verdict"] == "approve" else "denied", body["why"])
        items.append({"approval_id": one, "state": held["state"], "code": None, "detail": None})
    return JSONResponse({"items": items})


async def escalations(request: Request) -> Response:
    return paged(request, fitting(request, list(gate_of(request).escalations.values()), state="state"))


async def escalation_facets(request: Request) -> Response:
    states = Counter(one["state"] for one in gate_of(request).escalations.values())
    return JSONResponse({"state": states, "agent": {}, "owner": {}})


async def take(request: Request) -> Response:
    found = gate_of(request).escalations[request.path_params["escalation"]]
    now = iso(datetime.now(UTC))
    if request.path_params["verb"] == "claim":
        found |= {"state": "claimed", "claimed_by": "owner key (key:k1)", "claimed_at": now}
    else:
        note = (await request.json())["note"]
        found |= {"state": "closed", "closed_by": "owner key (key:k1)", "closed_at": now, "note": note}
    return JSONResponse(found)


async def switches(request: Request) -> Response:
    gate = gate_of(request)
    if request.method == "POST":
        body = await request.json()
        if seconds := body.get("for_s"):
            body["until"] = iso(datetime.now(UTC) + timedelta(seconds=seconds))
        return JSONResponse(gate.throw(**body), 201)
    found = list(gate.switches.values())
    if request.query_params.get("all") == "true":
        return paged(request, found[::-1])
    return JSONResponse({"items": [one for one in found if one["state"] == "standing"], "next_cursor": None})


async def preview(request: Request) -> Response:
    gate_of(request)
    body = await request.json()
    nothing = {"agents": [], "tools": [], "running_runs": 0, "queued_runs": 0, "waiting_runs": 0, "calls_in_flight": 0}
    tools = {"orders.find", "orders.refund", "orders.set_address", "mail.send", "crm.delete_account", "ask_ops"}
    if body["scope"] == "tool" and body["target"] not in tools:
        return JSONResponse(nothing)
    agents = [body["agent"]] if body.get("agent") else sorted(RELEASES)
    tools = [body["target"]] if body["scope"] == "tool" else sorted(tools)
    hit = {"running_runs": 1, "queued_runs": 1, "waiting_runs": 2, "calls_in_flight": 1}
    return JSONResponse({"agents": agents, "tools": tools, **hit})


async def lift(request: Request) -> Response:
    found = gate_of(request).switches[request.path_params["switch"]]
    why = (await request.json())["why"]
    found |= {"state": "lifted", "lifted_at": iso(datetime.now(UTC)), "lifted_by": "key:k1", "lifted_why": why}
    return JSONResponse(found)


TOOLS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "support-desk": (
        ("orders.find", "read", "Find an order by its number or by words."),
        ("orders.set_address", "write", "Change where an order goes."),
        ("mail.send", "external_message", "Send an e-mail to anybody."),
    ),
    "refund-desk": (
        ("orders.find", "read", "Find an order by its number or by words."),
        ("orders.refund", "payment", "Pay money back to the card that paid."),
    ),
    "ops-helper": (
        ("logs.search", "read", "Search the logs of a service."),
        ("crm.delete_account", "deletion", "Delete an account with all that belongs to it."),
        ("ask_ops", "read", "Ask another agent."),
    ),
}
CEILINGS = {"read": "free", "write": "free", "payment": "ask_when_risky"}


def tool_part(name: str, effect: str, description: str) -> Json:
    number = {"type": "integer"}
    return {
        "name": name,
        "server": name.partition(".")[0],
        "description": description,
        "effect": effect,
        "repeat": "safe" if effect == "read" else "keyed",
        "trust": "untrusted" if name in {"mail.send", "logs.search"} else "trusted",
        "autonomy": CEILINGS.get(effect, "ask_always"),
        "destinations": {"orders.refund": ["card"], "mail.send": ["to", "cc[]"]}.get(name, []),
        "payload": ["body"] if name == "mail.send" else [],
        "secrets": ["stripe_key"] if effect == "payment" else [],
        "rates": [{"calls": 10, "seconds": 60, "per": "user"}] if effect == "payment" else [],
        "concurrency": 2 if effect == "payment" else 0,
        "asking": {"roles": ["reviewer"], "people": 2 if effect == "deletion" else 1},
        "parameters": {
            "type": "object",
            "properties": {"order": number, "amount": number, "card": {"type": "string"}},
            "required": ["order", "amount", "card"] if effect == "payment" else ["order"],
        },
    }


async def release(request: Request) -> Response:
    gate_of(request)
    version = request.path_params["version"]
    name = next(name for name, known in RELEASES.items() if known == version)
    parts = [tool_part(*tool) for tool in TOOLS[name]]
    return JSONResponse({"release": version, "agent": name, "manifest": {"tools": parts}, "changes": []})


async def autonomy(request: Request) -> Response:
    gate = gate_of(request)
    lines = [
        line_of(gate, agent, name, effect)
        for agent, tools in sorted(TOOLS.items())
        for name, effect, _ in tools
        if effect != "read"
    ]
    return paged(request, lines)


def line_of(gate: Gate, agent: str, tool: str, effect: str) -> Json:
    evidence = {
        "approved": 41,
        "edited": 2,
        "denied": 3,
        "expired": 1,
        "days": 90,
        "words": "approved 41 of 45, 2 edited",
    }
    ceiling = CEILINGS.get(effect, "ask_always")
    setting = gate.levels.get((agent, tool))
    level = setting["level"] if setting else ceiling
    whole = {"ceiling": ceiling, "level": level, "setting": setting, "evidence": evidence}
    return {"agent": agent, "tool": tool, "effect": effect, **whole}


async def set_level(request: Request) -> Response:
    gate, agent, tool = gate_of(request), request.path_params["agent"], request.path_params["tool"]
    effect = next(effect for name, effect, _ in TOOLS[agent] if name == tool)
    if request.method == "DELETE":
        del gate.levels[agent, tool]
        return Response(status_code=204)
    body = await request.json()
    assert body["level"] in LEVELS
    evidence = line_of(gate, agent, tool, effect)["evidence"]
    gate.levels[agent, tool] = {**body, "set_by": "key:k1", "set_at": iso(datetime.now(UTC)), "evidence": evidence}
    return JSONResponse(line_of(gate, agent, tool, effect))


async def changes(request: Request) -> Response:
    gate_of(request)
    return JSONResponse({"items": [], "next_cursor": None})


async def rates(request: Request) -> Response:
    gate_of(request)
    line = {"name": "calls-of-a-user", "scope": "user", "target": "*", "calls": 600, "every": 3600, "concurrency": None}
    return JSONResponse({"items": [line], "next_cursor": None})


async def policies(request: Request) -> Response:
    kept = [versions[-1] for versions in gate_of(request).policies.values() if versions[-1]["text"] is not None]
    return paged(request, sorted(kept, key=lambda one: one["name"]))


async def policy(request: Request) -> Response:
    gate, name = gate_of(request), request.path_params["name"]
    versions = gate.policies.get(name, [])
    present = versions[-1] if versions and versions[-1]["text"] is not None else None
    if request.method == "GET":
        if present is None:
            raise NotFound
        return JSONResponse(present)
    if (wanted := request.headers.get("if-match")) and (present is None or wanted != present["etag"]):
        raise PreconditionFailed(current="" if present is None else present["etag"])
    if request.method == "DELETE":
        gate.keep(name, None, request.query_params["why"])
        return Response(status_code=204)
    body = await request.json()
    kept = gate.keep(name, body["text"], body["why"])
    return JSONResponse({**kept, "changes": [f"new: {SAYS[0]}"], "warnings": []}, 200 if present else 201)


async def history(request: Request) -> Response:
    return paged(request, gate_of(request).policies[request.path_params["name"]][::-1])


async def difference(request: Request) -> Response:
    gate_of(request)
    return JSONResponse({"name": request.path_params["name"], "changes": [f"new: {SAYS[1]}"]})


async def check(request: Request) -> Response:
    gate_of(request)
    text = (await request.json())["text"]
    wrong = [at for at, line in enumerate(text.split("\n"), 1) if "amuont" in line]
    findings = [
        {
            "file": "policy",
            "line": at,
            "column": 26,
            "problem": "no tool has an argument `amuont`",
            "fix": "did you mean `amount`?",
            "warning": False,
        }
        for at in wrong
    ]
    return JSONResponse({"findings": findings, "says": [] if wrong else SAYS[: text.count("forbid")]})


async def release_policies(request: Request) -> Response:
    gate_of(request)
    version = request.path_params["release"]
    texts = [{"name": "base", "text": BASE, "says": ["allows everything", "asks about payments"]}]
    return JSONResponse({"release": version, "agent": "refund-desk", "schema": "", "texts": texts})


async def explain(request: Request) -> Response:
    gate_of(request)
    body = await request.json()
    big = body["arguments"].get("amount", 0) > 50000
    said = (
        {"id": "no-night-refunds/cap", "says": SAYS[1]}
        if big
        else {"id": "base/dangerous", "says": "asks about payments"}
    )
    return JSONResponse(
        {
            "verdict": "deny" if big else "ask",
            "reason": "Refunds above $500 are made by people." if big else "Calls of this kind need a yes.",
            "policies": [said],
            "errors": [],
            "agent": body["agent"],
            "release": RELEASES[body["agent"]],
            "effective": digest("live"),
            "context": {
                "arguments": body["arguments"],
                "origins": body["origins"],
                "autonomy": "ask_when_risky",
                "hour": 14,
            },
        }
    )


async def simulate(request: Request) -> Response:
    gate_of(request)
    body = await request.json()
    part = int(body.get("cursor") or 0)
    changed = {
        "run": ident(f"run {part}"),
        "agent": "refund-desk",
        "step": 2,
        "call": f"call_{part}",
        "tool": "orders.refund",
        "at": iso(datetime.now(UTC)),
        "recorded": "allow",
        "before": "allow",
        "after": "ask",
        "policies": ["no-night-refunds/night"],
        "reason": "Nobody watches refunds at night.",
    }
    cursor = str(part + 1) if part < 2 else None
    found = {
        "since": iso(datetime.now(UTC)),
        "runs": 400,
        "calls": 2100,
        "unread": 0,
        "changed": [changed],
        "changes": [],
    }
    return JSONResponse(found | {"next_cursor": cursor})


async def who(request: Request) -> Response:
    gate_of(request)
    permit = {"verb": "permit", "when": [], "policy": "base/granted", "by": "release", "reason": ""}
    asks = {
        "verb": "ask",
        "when": ['context.autonomy == "ask_when_risky"', "not context.approved"],
        "policy": "base/dangerous",
        "by": "release",
        "reason": "Calls of this kind need a yes.",
    }
    caps = {
        "verb": "forbid",
        "when": ["context.arguments.amount > 50000"],
        "policy": "no-night-refunds/cap",
        "by": "tenant",
        "reason": "Refunds above $500 are made by people.",
    }
    lines = [
        {
            "agent": agent,
            "release": RELEASES[agent],
            "tool": name,
            "server": name.partition(".")[0],
            "effect": effect,
            "autonomy": CEILINGS.get(effect, "ask_always"),
            "verdict": {"read": "allow", "payment": "depends", "write": "allow"}.get(effect, "ask"),
            "roles": [],
            "conditions": [permit, *([asks, caps] if effect == "payment" else [asks] if effect != "read" else [])],
        }
        for agent, tools in sorted(TOOLS.items())
        for name, effect, _ in tools
    ]
    return JSONResponse({"items": lines, "next_cursor": None})


async def unused(request: Request) -> Response:
    gate_of(request)
    line = {
        "agent": "ops-helper",
        "release": RELEASES["ops-helper"],
        "tool": "crm.delete_account",
        "server": "crm",
        "effect": "deletion",
        "granted_at": iso(datetime.now(UTC) - timedelta(days=40)),
    }
    return JSONResponse({"items": [line], "next_cursor": None})


async def patterns(request: Request) -> Response:
    gate_of(request)
    found = {
        "agent": "support-desk",
        "release": RELEASES["support-desk"],
        "kind": "untrusted_into_action",
        "about": ["mail.send"],
        "problem": "What outsiders can write is read by the same agent that sends mail to anybody.",
        "fix": "mark `to` as a destination, or grant the two to different agents",
    }
    return JSONResponse({"items": [found], "next_cursor": None})


ROUTES = [
    Route("/v1/approvals", approvals),
    Route("/v1/approvals/facets", approval_facets),
    Route("/v1/approvals/batch", batch, methods=["POST"]),
    Route("/v1/approvals/{approval}", approval),
    Route("/v1/approvals/{approval}/{verdict}", answer, methods=["POST"]),
    Route("/v1/escalations", escalations),
    Route("/v1/escalations/facets", escalation_facets),
    Route("/v1/escalations/{escalation}/{verb}", take, methods=["POST"]),
    Route("/v1/switches", switches, methods=["GET", "POST"]),
    Route("/v1/switches/preview", preview, methods=["POST"]),
    Route("/v1/switches/{switch}", lift, methods=["DELETE"]),
    Route("/v1/releases/{version}", release),
    Route("/v1/autonomy", autonomy),
    Route("/v1/autonomy/{agent}/{tool}", set_level, methods=["PUT", "DELETE"]),
    Route("/v1/autonomy/{agent}/{tool}/changes", changes),
    Route("/v1/rates", rates),
    Route("/v1/policies", policies),
    Route("/v1/policies/check", check, methods=["POST"]),
    Route("/v1/policies/explain", explain, methods=["POST"]),
    Route("/v1/policies/simulate", simulate, methods=["POST"]),
    Route("/v1/policies/who", who),
    Route("/v1/policies/unused", unused),
    Route("/v1/policies/patterns", patterns),
    Route("/v1/policies/release/{release}", release_policies),
    Route("/v1/policies/{name}", policy, methods=["GET", "PUT", "DELETE"]),
    Route("/v1/policies/{name}/history", history),
    Route("/v1/policies/{name}/diff", difference),
]
