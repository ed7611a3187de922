"""`/v1/autonomy`: how far agents may go by themselves, and what people's answers so far say for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quarterdeck.autonomy import store
from quarterdeck.autonomy.records import Autonomy, Change, NoSuchGrant, Setting
from quarterdeck.autonomy.service import Levels, Line
from quarterdeck.core.ids import AgentName, TenantId
from quarterdeck.core.json import Json
from quarterdeck.core.text import storable
from quarterdeck.db.pool import Transaction
from quarterdeck.http.actor import READERS, Actor, ActorDep, Role
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.etags import check_if_match, etag_of
from quarterdeck.http.pages import DEFAULT_LIMIT, CursorQuery, LimitQuery, page, read_cursor
from quarterdeck.http.parts import Parts, PartsDep

router = APIRouter(prefix="/v1/autonomy", tags=["autonomy"])

Why = Annotated[str, StringConstraints(max_length=2_000)]


class LevelRequest(BaseModel):
    """How far the agent may go with the tool from now on, and why."""

    model_config = ConfigDict(extra="forbid")

    level: Autonomy = Field(description="At most as far as the agent's release grants.")
    why: Why = ""


class EvidenceRecord(BaseModel):
    """How questions about the tool ended in the last `days`; `edited` are among the approved."""

    approved: int
    edited: int
    denied: int
    expired: int
    days: int
    words: str


class SettingRecord(BaseModel):
    """What somebody set, with the evidence of that moment."""

    level: Autonomy
    set_by: str
    set_at: datetime
    why: str
    evidence: EvidenceRecord


class AutonomyRecord(BaseModel):
    """One tool of one agent. `level` is what holds: the lower of `ceiling` and what was set."""

    agent: str
    tool: str
    effect: str
    ceiling: Autonomy = Field(description="What the agent's present release grants.")
    level: Autonomy
    setting: SettingRecord | None
    evidence: EvidenceRecord


class AutonomyPage(BaseModel):
    """A page of tools that are not reads, by agent and name."""

    items: list[AutonomyRecord]
    next_cursor: str | None


class ChangeRecord(BaseModel):
    """One change of a level. `level` null = set back to what the release grants."""

    id: UUID
    agent: str
    tool: str
    level: Autonomy | None
    previous: Autonomy | None
    set_by: str
    set_at: datetime
    why: str
    evidence: EvidenceRecord


class ChangePage(BaseModel):
    """A page of changes, newest first."""

    items: list[ChangeRecord]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, in which tenant, and what the answer is made with."""

    actor: Actor
    tenant: TenantId
    parts: Parts
    levels: Levels

    def transaction(self) -> Transaction:
        """The tenant's transaction."""
        return self.parts.database.tenant(self.tenant)

    def require_agent(self, agent: str) -> None:
        """Raise NoSuchGrant for an agent that the key is not for."""
        if not self.actor.may_use(AgentName(agent)):
            raise NoSuchGrant(agent=agent)


async def _desk(request: Request, actor: ActorDep, parts: PartsDep) -> Desk:
    actor.require(*READERS)
    return Desk(actor, actor.in_tenant(), parts, cast("Levels", request.app.state.levels))


async def _writers_desk(desk: Annotated[Desk, Depends(_desk)]) -> Desk:
    desk.actor.require(Role.OPERATOR)
    return desk


ReaderDep = Annotated[Desk, Depends(_desk)]
WriterDep = Annotated[Desk, Depends(_writers_desk)]


@router.get("", response_model=AutonomyPage)
async def list_autonomy(
    desk: ReaderDep,
    agent: Annotated[str | None, Query(max_length=64)] = None,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> Response:
    """What holds for each tool that is not a read, by agent and name."""
    after = read_cursor(cursor, tuple[str, str])
    only = desk.actor.agents
    if agent is not None:
        only = frozenset({AgentName(agent)}) if desk.actor.may_use(AgentName(agent)) else frozenset[AgentName]()
    async with desk.transaction() as tx:
        lines = await desk.levels.listed(tx, desk.tenant, after, limit + 1, only)
    return page(lines, limit, lambda line: (line.granted.agent, line.granted.tool), _show)


@router.get("/{agent}/{tool}", response_model=AutonomyRecord)
async def get_autonomy(agent: str, tool: str, desk: ReaderDep) -> Response:
    """What holds for one tool."""
    desk.require_agent(agent)
    async with desk.transaction() as tx:
        line = await desk.levels.line(tx, desk.tenant, storable(agent), storable(tool))
    return Answer(_show(line), etag=_etag(line.setting))


@router.put("/{agent}/{tool}", response_model=AutonomyRecord)
async def set_autonomy(request: Request, agent: str, tool: str, body: LevelRequest, desk: WriterDep) -> Response:
    """Set how far an agent may go with a tool. Audited with the evidence; every worker knows within a second."""
    desk.require_agent(agent)
    names = storable(agent), storable(tool)
    async with desk.transaction() as tx:
        check_if_match(request, _etag(await store.hold(tx, desk.tenant, *names)))
        line = await desk.levels.set(tx, desk.tenant, *names, body.level, desk.actor.named, storable(body.why))
    return Answer(_show(line), etag=_etag(line.setting))


@router.delete("/{agent}/{tool}", status_code=204)
async def forget_autonomy(
    request: Request,
    agent: str,
    tool: str,
    desk: WriterDep,
    why: Annotated[str, Query(max_length=2_000, description="The reason.")],
) -> Response:
    """Set a tool back to what the agent's release grants."""
    desk.require_agent(agent)
    names = storable(agent), storable(tool)
    async with desk.transaction() as tx:
        check_if_match(request, _etag(await store.hold(tx, desk.tenant, *names)))
        await desk.levels.forget(tx, desk.tenant, *names, desk.actor.named, storable(why))
    return Nothing()


@router.get("/{agent}/{tool}/changes", response_model=ChangePage)
async def list_autonomy_changes(
    agent: str, tool: str, desk: ReaderDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None
) -> Response:
    """Who changed it, when, why, and what was known then; newest first."""
    desk.require_agent(agent)
    before = read_cursor(cursor, UUID)
    async with desk.transaction() as tx:
        rows = await store.changes(tx, desk.tenant, storable(agent), storable(tool), before, limit + 1)
        if not rows:
            await desk.levels.line(tx, desk.tenant, storable(agent), storable(tool))  # raises where nothing can change
    return page(rows, limit, lambda row: row.id, _show_change)


def _show(line: Line) -> dict[str, Json]:
    return {
        "agent": line.granted.agent,
        "tool": line.granted.tool,
        "effect": line.granted.effect,
        "ceiling": line.granted.ceiling.value,
        "level": line.level,
        "setting": _show_setting(line.setting) if line.setting else None,
        "evidence": line.evidence.shown(),
    }


def _show_setting(setting: Setting) -> dict[str, Json]:
    return {
        "level": setting.level.value,
        "set_by": setting.set_by,
        "set_at": setting.set_at.isoformat().replace("+00:00", "Z"),
        "why": setting.why,
        "evidence": setting.evidence,
    }


def _show_change(change: Change) -> dict[str, Json]:
    return {
        "id": str(change.id),
        "agent": change.agent,
        "tool": change.tool,
        "level": change.level,
        "previous": change.previous,
        "set_by": change.set_by,
        "set_at": change.set_at.isoformat().replace("+00:00", "Z"),
        "why": change.why,
        "evidence": change.evidence,
    }


def _etag(setting: Setting | None) -> str:
    return etag_of(None if setting is None else [setting.level, setting.set_at, setting.set_by])
