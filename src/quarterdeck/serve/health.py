"""`/healthz`: the process lives. `/readyz`: it can serve. `/metrics`: what it and the deployment are doing."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from quarterdeck.core import log as logs
from quarterdeck.core.errors import Error
from quarterdeck.db.migrations import readiness
from quarterdeck.http.actor import find_full_actor
from quarterdeck.http.answers import Answer
from quarterdeck.http.parts import Parts, PartsDep
from quarterdeck.serve import store
from quarterdeck.serve.metrics import Metrics

router = APIRouter(tags=["health"])

CHECK_TIME = 3.0
_log = logs.get("quarterdeck.serve")


class Alive(BaseModel):
    """That the process answers."""

    status: str


class Ready(BaseModel):
    """Whether the process can serve, and what each check said."""

    ready: bool
    checks: dict[str, str]


@router.get("/healthz", response_model=Alive)
async def healthz() -> Response:
    """Whether this process is alive. Asks nothing of anything else, so an outage elsewhere restarts no process."""
    return Answer({"status": "ok"})


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready, "description": "Not ready."}})
async def readyz(parts: PartsDep) -> Response:
    """Whether this process can serve: database, migrations and queue answer, and it was not told to end."""
    checks = {"process": "closing" if parts.closing.is_set() else "ok"}
    for name, check in (("database", _database), ("migrations", _migrations), ("queue", _queue)):
        checks[name] = await _verdict(name, check, parts)
    ready = all(verdict == "ok" for verdict in checks.values())
    return Answer({"ready": ready, "checks": checks}, 200 if ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, parts: PartsDep) -> Response:
    """Prometheus metrics of this process and of the deployment. For `QUARTERDECK_METRICS_TOKEN` or an admin's key."""
    await _admit(request, parts)
    page, media_type = await cast("Metrics", request.app.state.metrics).render()
    return Response(page, media_type=media_type, headers={"cache-control": "no-store"})


async def _admit(request: Request, parts: Parts) -> None:
    token = parts.settings.metrics_token.get_secret_value()
    sent = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if token and hmac.compare_digest(sent.encode("latin-1"), token.encode()):
        return
    (await find_full_actor(request)).require_admin()


async def _verdict(name: str, check: Callable[[Parts], Awaitable[str]], parts: Parts) -> str:
    try:
        async with asyncio.timeout(CHECK_TIME):
            return await check(parts)
    except TimeoutError:
        return f"no answer within {CHECK_TIME:g} s"
    except Error as error:
        return error.title()
    except Exception as fault:  # what a probe sees must not depend on who wrote the check
        _log.warning("ready.check_failed", check=name, fault=repr(fault))
        return "failed; the reason is in the logs"


async def _database(parts: Parts) -> str:
    for side in (parts.database.app, parts.database.system):
        async with side.transaction() as tx:
            await tx.fetchval("SELECT 1")
    return "ok"


async def _migrations(parts: Parts) -> str:
    state = await readiness(parts.database)
    return "ok" if state.ready else "not those of this version; run `quarterdeck migrate`"


async def _queue(parts: Parts) -> str:
    await store.touch_queue(parts.database)
    return "ok"
