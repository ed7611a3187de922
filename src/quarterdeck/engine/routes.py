"""The workers of a deployment over HTTP: who executes, how much each holds, whose lease has run out."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from quarterdeck.engine import store
from quarterdeck.http.actor import ActorDep
from quarterdeck.http.answers import Answer
from quarterdeck.http.parts import PartsDep

router = APIRouter(prefix="/v1/workers", tags=["workers"])


class WorkerView(BaseModel):
    """One worker process. `state` is `alive`, `draining` or `dead`; a dead one's runs are being taken over."""

    id: str
    host: str
    pid: int
    version: str
    behaviours: list[int]
    capacity: int
    running: int
    state: str
    epoch: int
    started_at: str
    lease_until: str


class WorkerPage(BaseModel):
    """All workers of the last hour: there are few, so there is one page."""

    items: list[WorkerView]
    next_cursor: str | None


@router.get("", response_model=WorkerPage, summary="List the workers")
async def list_workers(actor: ActorDep, parts: PartsDep) -> Response:
    """Every worker that was alive in the last hour. For deployment admins: workers belong to no tenant."""
    actor.require_admin()
    async with parts.database.system.transaction() as tx:
        workers = await store.listed(tx)
    return Answer({"items": workers, "next_cursor": None})
