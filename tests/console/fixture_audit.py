"""The audit's part of the small API: `/v1/audit` with its chain."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.console.chronicle import Json, iso
from tests.console.fixture_gate import fitting, gate_of, paged
from tests.console.made_up_gate import Gate, digest


async def audit(request: Request) -> Response:
    names = {"kind": "kind", "actor": "actor", "tool": "action", "run": "run_id", "verdict": "verdict"}
    return paged(request, fitting(request, with_seals(gate_of(request))[::-1], **names))


def with_seals(gate: Gate) -> list[Json]:
    """The newest two wait for their seal."""
    unsealed: Json = {"position": None, "hash": None}
    return [*gate.audit[:-2], *(row | unsealed for row in gate.audit[-2:])]


async def audit_row(request: Request) -> Response:
    found = next(row for row in with_seals(gate_of(request)) if row["id"] == request.path_params["row"])
    payload = {"inputs": {"order": 1077}, "outputs": {"ok": True}}
    return JSONResponse({**found, "payload": payload, "payload_state": "kept"})


def chain(gate: Gate) -> Json:
    sealed = max(0, len(gate.audit) - 2)
    head = {"position": sealed, "hash": digest(sealed), "at": iso(datetime.now(UTC)), "signer": "ab", "signature": "cd"}
    waits = {"unsealed": min(2, len(gate.audit)), "oldest_unsealed": None}
    return {"public_key": digest("key"), "head": head if sealed else None, "floor": None, **waits}


async def audit_head(request: Request) -> Response:
    return JSONResponse(chain(gate_of(request)))


async def verify(request: Request) -> Response:
    gate = gate_of(request)
    findings: list[Any] = [
        {"fault": "changed", "first": 117, "last": 117},
        {"fault": "missing", "first": 140, "last": 143},
    ]
    findings = findings if gate.broken else []
    counted = {"first": 1, "sealed": max(0, len(gate.audit) - 2), "kept": 198, "erased": 4, "ms": 38}
    found = {"valid": not gate.broken, "faults": len(findings), "findings": findings}
    return JSONResponse({**chain(gate), **counted, **found})


async def export(request: Request) -> Response:
    gate_of(request)
    return PlainTextResponse("{}\n", media_type="application/jsonl")


ROUTES = [
    Route("/v1/audit", audit),
    Route("/v1/audit/head", audit_head),
    Route("/v1/audit/verify", verify),
    Route("/v1/audit/export", export),
    Route("/v1/audit/{row}", audit_row),
]
