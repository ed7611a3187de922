"""`/v1/policies/explain`, `simulate`, `who`, `unused` and `patterns`: what policies come to, asked and not changed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query

from quarterdeck.core.errors import NotFound
from quarterdeck.core.ids import AgentName, RunId
from quarterdeck.core.json import JsonObject
from quarterdeck.core.text import storable_json
from quarterdeck.http.answers import Answer
from quarterdeck.http.fixes import invalid
from quarterdeck.http.pages import read_cursor, write_cursor
from quarterdeck.http.parts import PartsDep
from quarterdeck.policies import reports
from quarterdeck.policies.bodies import (
    ExplanationRecord,
    MayPage,
    PatternPage,
    Question,
    SimulationRecord,
    SimulationWish,
    UnusedPage,
    show_explained,
    show_may,
)
from quarterdeck.policies.ports import Inspected
from quarterdeck.policies.records import PolicyRequest, PolicyText
from quarterdeck.policies.routes import Desk, ReaderDep
from quarterdeck.policies.rules import patterns
from quarterdeck.policies.sayings import differences
from quarterdeck.policies.simulate import Simulator, is_clean, leaves
from quarterdeck.spec import values
from quarterdeck.spec.values import Autonomy

router = APIRouter(prefix="/v1/policies", tags=["policies"])

AgentQuery = Annotated[str | None, Query(pattern=values.NAME, description="One agent; left out = all.")]
DaysQuery = Annotated[int, Query(ge=1, le=365, description="How far back the log is looked at.")]


@router.post("/explain", response_model=ExplanationRecord)
async def explain_policy(body: Question, desk: ReaderDep, parts: PartsDep) -> Answer:
    """Ask what policies say of a call that nobody makes: the verdict, the policies that decide, what they looked at."""
    name = body.release or body.agent
    if name is None or (body.release and body.agent):
        raise invalid("body", "it names neither an agent nor a release, or both", "send one of the two")
    now = body.now or parts.clock.now()

    def ask(release: Inspected) -> PolicyRequest:
        if not desk.actor.may_use(release.agent):
            raise NotFound(f"There is no agent {name!r} here.")
        tool = next((tool for tool in release.tools if tool.name == body.tool), None)
        if tool is None:
            known = [tool.name for tool in release.tools]
            raise NotFound(f"{release.version} has no tool {body.tool!r}.", tools=known)
        arguments = _storable(cast("JsonObject", body.arguments), "body.arguments")
        origins = {**dict.fromkeys(leaves(arguments), "user"), **body.origins}
        return PolicyRequest(
            tenant=desk.tenant,
            agent=release.agent,
            release=release.id,
            user=body.user,
            tool=tool.name,
            server=tool.server,
            effect=tool.effect,
            arguments=arguments,
            now=now,
            roles=tuple(body.roles),
            claims=_storable(cast("JsonObject", body.claims), "body.claims"),
            origins=origins,
            destinations=tuple(tool.destinations),
            clean=is_clean(tool.destinations, origins),
            tainted="untrusted" in origins.values() if body.tainted is None else body.tainted,
            autonomy=_autonomy(body.autonomy or tool.autonomy),
            calls_in_run=body.calls_in_run,
            calls_by_user_today=body.calls_by_user_today,
            affected_in_run=body.affected_in_run,
            budget_left_micro_usd=body.budget_left_micro_usd,
            approved=body.approved,
        )

    async with desk.transaction() as tx:
        explained = await desk.policies.explain(tx, desk.tenant, name, ask)
    return Answer(show_explained(explained))


@router.post("/simulate", response_model=SimulationRecord)
async def simulate_policy(body: SimulationWish, desk: ReaderDep, parts: PartsDep) -> Answer:
    """Run a changed policy over the calls of the last days, and list those that it would judge differently.

    Nothing is kept. An answer covers some thousands of calls; ask again with `next_cursor` for those after them.
    """
    since, behind = read_cursor(body.cursor, tuple[datetime, UUID]) or (None, None)
    began = parts.clock.now() - timedelta(days=body.days) if since is None else since
    async with desk.transaction() as tx:
        present = await desk.policies.texts(tx, desk.tenant)
        before = next((text.text for text in present if text.name == body.name), "")
        if body.text is not None:
            await desk.policies.require_sound(tx, desk.tenant, PolicyText(body.name, body.text))
    after = [text for text in present if text.name != body.name]
    after += [] if body.text is None else [PolicyText(body.name, body.text)]
    simulator = Simulator(desk.tenant, desk.policies.shelf, desk.policies.past, desk.transaction)
    found = await simulator.simulate(
        present, after, began, behind=None if behind is None else RunId(behind), agents=_agents(desk, body.agent)
    )
    shown = {
        "since": began,
        "runs": found.runs,
        "calls": found.calls,
        "unread": found.unread,
        "changed": found.changed,
        "changes": differences(before, body.text or ""),
        "next_cursor": None if found.next is None else write_cursor((began, found.next)),
    }
    return Answer(shown)


@router.get("/who", response_model=MayPage)
async def list_permissions(
    desk: ReaderDep,
    agent: AgentQuery = None,
    tool: Annotated[str | None, Query(max_length=200, description="One tool; left out = all.")] = None,
    user: Annotated[str | None, Query(max_length=200, description="What holds for this user.")] = None,
) -> Answer:
    """Who may do what: for each agent and tool allow, ask, deny, or what it depends on, in words."""
    async with desk.transaction() as tx:
        releases = await desk.policies.shelf.current(tx, desk.tenant, _agents(desk, agent))
        texts = await desk.policies.texts(tx, desk.tenant)
    found = [each for release in releases for each in reports.permissions(release, texts, tool=tool, user=user)]
    return Answer({"items": [show_may(each) for each in found], "next_cursor": None})


@router.get("/unused", response_model=UnusedPage)
async def list_unused(desk: ReaderDep, parts: PartsDep, agent: AgentQuery = None, days: DaysQuery = 30) -> Answer:
    """Least privilege: tools that current releases grant and nobody has called for so many days."""
    since = parts.clock.now() - timedelta(days=days)
    async with desk.transaction() as tx:
        agents = _agents(desk, agent)
        releases = await desk.policies.shelf.current(tx, desk.tenant, agents)
        used = await desk.policies.past.used(tx, desk.tenant, since, agents)
    items = [
        {
            "agent": each.release.agent,
            "release": each.release.id,
            "tool": each.tool.name,
            "server": each.tool.server,
            "effect": each.tool.effect,
            "granted_at": each.release.registered_at,
        }
        for each in reports.unused(releases, used)
    ]
    return Answer({"items": items, "next_cursor": None})


@router.get("/patterns", response_model=PatternPage)
async def list_patterns(desk: ReaderDep, agent: AgentQuery = None) -> Answer:
    """Anti-patterns of current releases: one key for everything, tools that reach any tenant, unmarked destinations."""
    async with desk.transaction() as tx:
        releases = await desk.policies.shelf.current(tx, desk.tenant, _agents(desk, agent))
    items = [
        {"agent": release.agent, "release": release.id, **asdict(found)}
        for release in releases
        for found in patterns(release)
    ]
    return Answer({"items": items, "next_cursor": None})


def _agents(desk: Desk, agent: str | None) -> Sequence[str] | None:
    """The agents that are asked about, as far as the key is for them; None = every agent of the tenant."""
    if agent is not None:
        desk.actor.require_agent(AgentName(agent))
        return [agent]
    return None if desk.actor.agents is None else sorted(desk.actor.agents)


def _storable(given: JsonObject, place: str) -> JsonObject:
    if storable_json(given) != given:
        raise invalid(place, "it holds NUL or half a surrogate pair", "send printable text")
    return given


def _autonomy(level: str) -> str:
    if level not in set(Autonomy):
        raise invalid("body.autonomy", "there is no such level", f"send one of {', '.join(Autonomy)}")
    return level
