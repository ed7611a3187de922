"""What a switch would hit, counted before it is thrown, so that nobody stops more than they meant to."""

from collections.abc import Iterable, Sequence

from quarterdeck.spec.routing import MAIN
from quarterdeck.switches.records import Action, CallsUnderWay, Granted, LiveRuns, Reach, Scope, Wanted

MOST_NAMES = 200
"""Agents and tools named in an answer; the counts are of all."""


def reach(
    wanted: Wanted, granted: Sequence[Granted], runs: Iterable[LiveRuns], calls: Iterable[CallsUnderWay]
) -> Reach:
    """What a switch hits of the releases that agents have or runs keep, of those runs, and of the calls under way."""
    hit = {(one.tenant, one.release): one for one in granted if _hits(wanted, one)}
    counts = {"running": 0, "queued": 0, "waiting": 0}
    for some in runs:
        if (some.tenant, some.release) in hit and _concerns(wanted, some):
            counts[some.state] += some.count
    in_flight = [
        some.count
        for some in calls
        if (release := hit.get((some.tenant, some.release))) is not None and _carries(wanted, release, some)
    ]
    many = len({one.tenant for one in hit.values()}) > 1
    agents = {f"{one.tenant_slug}/{one.agent}" if many else one.agent for one in hit.values()}
    return Reach(
        agents=tuple(sorted(agents)[:MOST_NAMES]),
        tools=tuple(sorted({tool for one in hit.values() for tool in _tools(wanted, one)})[:MOST_NAMES]),
        running_runs=counts["running"],
        queued_runs=counts["queued"],
        waiting_runs=counts["waiting"],
        calls_in_flight=sum(in_flight),
    )


def _hits(wanted: Wanted, one: Granted) -> bool:
    if wanted.tenant not in {None, one.tenant} or wanted.agent not in {None, one.agent}:
        return False
    match wanted.scope:
        case Scope.TOOL:
            return wanted.target in one.tools
        case Scope.SERVER:
            return wanted.target in one.tools.values()
        case Scope.MODEL:
            return wanted.target in one.models
        case Scope.ROUTE:
            return wanted.target == MAIN or wanted.target in one.routes
        case Scope.AGENT:
            return wanted.target == one.agent
        case Scope.TENANT | Scope.EVERYTHING:
            return True


def _concerns(wanted: Wanted, some: LiveRuns) -> bool:
    match wanted.action:
        case Action.PAUSE_NEW:
            return some.fresh
        case Action.STOP_BACKGROUND:
            return some.background
        case _:
            return True


def _carries(wanted: Wanted, release: Granted, some: CallsUnderWay) -> bool:
    """Whether calls under way are of the kind that the switch is about."""
    match wanted.scope:
        case Scope.MODEL | Scope.ROUTE:
            return not some.tool
        case Scope.TOOL | Scope.SERVER:
            return some.tool in _tools(wanted, release)
        case _:
            return wanted.action not in {Action.PAUSE_NEW, Action.STOP_BACKGROUND}


def _tools(wanted: Wanted, one: Granted) -> list[str]:
    match wanted.scope:
        case Scope.TOOL:
            return [wanted.target]
        case Scope.SERVER:
            return [tool for tool, server in one.tools.items() if server == wanted.target]
        case Scope.MODEL | Scope.ROUTE:
            return []
        case _:
            return list(one.tools)
