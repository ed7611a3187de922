"""Calling another agent as a tool: a run of its own, admitted in the transaction of the intent that it carries out.

It gets the task in words and no more than its parent has: the parent's user, what is left of the parent's limits, the
parent's level of autonomy where that is lower, and the taint of what the parent has read.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from quarterdeck.autonomy.rules import lowest
from quarterdeck.budgets.records import BudgetsUnknown, Scope
from quarterdeck.core.errors import Error
from quarterdeck.core.ids import new_run_id
from quarterdeck.core.json import Json
from quarterdeck.core.text import storable
from quarterdeck.gates.forms import POINTERS, forms_in
from quarterdeck.gates.intents import Intent
from quarterdeck.gates.provenance import Provenance
from quarterdeck.loop.attempt import Attempt
from quarterdeck.loop.ledger import Child
from quarterdeck.releases.records import Limits, Release, ToolServer
from quarterdeck.runs.events import Event, ToolFailed
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.messages import MODEL, Label, Text, Trust, UserMessage
from quarterdeck.runs.parts import Narrowing
from quarterdeck.runs.records import Submission
from quarterdeck.traces.ids import place_of, span_id
from quarterdeck.traces.records import Kind

KIND = "agent"
"""The kind of a tool server that stands for another agent."""


def server_of(release: Release, intent: Intent) -> ToolServer | None:
    """The agent that a call goes to, or None: it goes to a tool."""
    server = next((one for one in release.servers if one.name == intent.grant.server), None)
    return server if server is not None and server.kind == KIND else None


async def delegate(attempt: Attempt, server: ToolServer, intent: Intent, said: Provenance) -> Child | Event:
    """The child that carries a call out; where there is no such agent, the failure that the model is told."""
    run = attempt.run
    try:
        release = await attempt.around.resolve(run.tenant, server.agent)
    except Error as fault:
        return ToolFailed(call=intent.call, code="no_agent", content=(Text(storable(fault.detail)),))
    state, now = attempt.recorder.state, attempt.around.clock.now()
    task = str(intent.arguments.get("task") or "")
    left = narrowing(server.narrowed or {}, state, attempt.release.limits, now, tainted=said.tainted)
    submission = Submission(
        tenant=run.tenant,
        id=new_run_id(),
        agent=release.agent,
        release=release.id,
        behaviour=release.behaviour,
        user_id=run.user_id,
        submitted_by=f"run:{run.id}",
        variables={},
        thread=None,
        priority=run.priority,
        tags=run.tags,
        available_at=None,
        dedup_key=None,
        dedup_digest=None,
        traceparent=_traceparent(attempt),
        parent=run.id,
        roles=state.admitted.roles if state.admitted else (),
        claims=state.admitted.claims if state.admitted else {},
        narrowed=replace(left, vouched=vouched(task, said), ancestors=_ancestors(attempt)),
    )
    label = Label(f"agent:{run.agent}", Trust.UNTRUSTED) if said.tainted else MODEL
    return Child(submission, (UserMessage((Text(storable(task)),), label),))


def vouched(task: str, said: Provenance) -> tuple[str, ...]:
    """The addresses and accounts of a task that nobody outside can have chosen, and no model made up."""
    pointers = dict.fromkeys(form.key for form in forms_in(task) if form.kind in POINTERS)
    return tuple(key for key in pointers if said.of(key).clean)


def narrowing(
    declared: Mapping[str, Json], state: RunState, limits: Limits, now: datetime, *, tainted: bool
) -> Narrowing:
    """What is left for a child: what the author declares, and no more than what its parent has left itself."""
    above = (state.admitted.narrowed if state.admitted else None) or Narrowing()
    tools, autonomy = declared.get("tools"), declared.get("autonomy")
    levels = [level for level in (autonomy, above.autonomy) if isinstance(level, str)]
    used = state.usage.input + state.usage.output
    return Narrowing(
        depth=above.depth + 1,
        tools=tuple(str(tool) for tool in tools) if isinstance(tools, list) else None,
        autonomy=lowest(*levels) if levels else None,
        max_steps=_least(declared.get("max_steps"), limits.max_steps - state.steps, lowest_allowed=1),
        max_tool_calls=_least(declared.get("max_tool_calls"), limits.max_tool_calls - state.tool_calls),
        max_seconds=float(
            _least(declared.get("max_seconds"), limits.max_seconds - state.active_ms_at(now) / 1000, lowest_allowed=1)
        ),
        max_tokens=int(_least(declared.get("max_tokens"), limits.max_tokens - used, lowest_allowed=1)),
        tainted=tainted or above.tainted,
    )


def _least(declared: Json, left: float, *, lowest_allowed: int = 0) -> int:
    chosen = min(declared, left) if isinstance(declared, int | float) and not isinstance(declared, bool) else left
    return max(lowest_allowed, int(chosen))


def _ancestors(attempt: Attempt) -> tuple[str, ...]:
    """The runs whose own budget the child spends from too, outermost first."""
    run, admitted = str(attempt.run.id), attempt.recorder.state.admitted
    above = admitted.narrowed.ancestors if admitted and admitted.narrowed else ()
    try:
        limited = any(line.scope is Scope.RUN for line in attempt.lines())
    except BudgetsUnknown:
        limited = True  # a line too many does no harm: without an account it limits nothing
    return (*above, run) if limited else above


def _traceparent(attempt: Attempt) -> str:
    """The child's spans stand in its parent's trace, below the parent's own."""
    run = attempt.run
    place = place_of(run.id, run.traceparent)
    return f"00-{place.trace}-{span_id(run.id.bytes, 1, Kind.RUN)}-01"
