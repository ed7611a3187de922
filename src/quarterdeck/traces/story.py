"""What happened, in one sentence made by rules, each clause with the event that it speaks of. Pure.

Read in thirty seconds by somebody who has just been woken up: first how it stands, then what went wrong on the way,
then what is known of effects, then who else it happened to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quarterdeck.core.text import shorten
from quarterdeck.runs import events as e
from quarterdeck.runs.entries import Entry
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.records import Effect, Run, Status
from quarterdeck.traces.attributes import brief
from quarterdeck.traces.records import Blast, Clause, Story, Tone

_LONGEST = 300
_TONES = {
    Status.QUEUED: Tone.RUNNING,
    Status.RUNNING: Tone.RUNNING,
    Status.CANCELLING: Tone.RUNNING,
    Status.WAITING_FOR_RETRY: Tone.RUNNING,
    Status.SUCCEEDED: Tone.OK,
    Status.FAILED: Tone.FAILED,
    Status.STOPPED: Tone.STOPPED,
    Status.CANCELLED: Tone.STOPPED,
}
_HELD = {
    "child": "Waiting",
    "switch": "Held back",
    "rate": "Held back",
    "circuit": "Held back",
    "pace": "Held back",
    "budget": "Held back",
}
"""Reasons of waits that end otherwise than by the clock alone."""

_CODES = {
    "bad_answer": "answered nonsense",
    "cancelled": "was interrupted",
    "crashed": "crashed",
    "host_failed": "could not be started",
    "not_sent": "could not be sent",
    "rate_limited": "was rate limited",
    "refused": "was refused by its server",
    "schema_changed": "is not what it was when the release was built",
    "timeout": "timed out",
    "too_large": "answered more than can be taken",
    "too_late": "came too late to begin",
    "unreachable": "could not be reached",
}


@dataclass(slots=True)
class _Tool:
    """What became of the calls of one tool."""

    calls: int = 0
    failures: int = 0
    code: str = ""
    seq: int = 0


@dataclass(slots=True)
class _Gist:
    """What the sentence is made of: gathered in one pass over the log."""

    tools: dict[str, _Tool] = field(default_factory=dict[str, _Tool])
    intents: dict[str, e.ToolCalled] = field(default_factory=dict[str, e.ToolCalled])
    open_doubts: dict[str, tuple[int, e.ToolUnknown]] = field(default_factory=dict[str, tuple[int, e.ToolUnknown]])
    denied: list[tuple[int, e.ToolDenied]] = field(default_factory=list[tuple[int, e.ToolDenied]])
    faults: list[tuple[int, e.ModelFailed]] = field(default_factory=list[tuple[int, e.ModelFailed]])
    drift: tuple[int, e.ModelDrifted] | None = None
    questions: dict[str, e.ApprovalAsked] = field(default_factory=dict[str, e.ApprovalAsked])
    answers: list[tuple[int, e.ApprovalAnswered]] = field(default_factory=list[tuple[int, e.ApprovalAnswered]])
    deaths: list[int] = field(default_factory=list[int])
    released: tuple[int, e.RunReleased] | None = None
    parked: tuple[int, e.RunParked] | None = None
    cancel: tuple[int, e.CancelRequested] | None = None
    retried: tuple[int, e.RunRetried] | None = None
    finished: tuple[int, e.RunFinished] | None = None
    last: int = 0


def tell(run: Run, state: RunState, entries: Sequence[Entry], blast: Blast | None, now: datetime) -> Story:
    """The story of a run as its log stands."""
    gist = _gather(entries)
    clauses = [_how_it_stands(run, state, gist, now), *_on_the_way(run, gist), *_others(blast)]
    return Story(tuple(clauses), _TONES.get(run.status, Tone.WAITING))


def _gather(entries: Sequence[Entry]) -> _Gist:
    gist = _Gist()
    for entry in entries:
        _note(gist, entry.seq, entry.event)
        gist.last = entry.seq
    return gist


def _note(gist: _Gist, seq: int, event: e.Event) -> None:
    match event:
        case e.ToolCalled() | e.ToolAnswered() | e.ToolFailed() | e.ToolDenied() | e.ToolUnknown() | e.ToolResolved():
            _note_tool(gist, seq, event)
        case e.ApprovalAsked():
            gist.questions[event.approval] = event
        case e.ApprovalAnswered():
            gist.answers.append((seq, event))
        case e.ModelFailed():
            gist.faults.append((seq, event))
        case e.ModelDrifted():
            gist.drift = gist.drift or (seq, event)
        case _:
            _note_run(gist, seq, event)


def _note_run(gist: _Gist, seq: int, event: e.Event) -> None:
    match event:
        case e.RunReleased():
            gist.released = (seq, event)
            if event.why == "lease":
                gist.deaths.append(seq)
        case e.RunParked():
            gist.parked = (seq, event)
        case e.CancelRequested():
            gist.cancel = (seq, event)
        case e.RunRetried():
            gist.retried, gist.finished, gist.cancel = (seq, event), None, None
        case e.RunFinished():
            gist.finished = (seq, event)
        case _:
            pass


def _note_tool(
    gist: _Gist,
    seq: int,
    event: e.ToolCalled | e.ToolAnswered | e.ToolFailed | e.ToolDenied | e.ToolUnknown | e.ToolResolved,
) -> None:
    match event:
        case e.ToolCalled():
            gist.intents[event.call] = event
            gist.tools.setdefault(event.tool, _Tool()).calls += 1
        case e.ToolAnswered() if event.is_error:
            _failed(gist, seq, event.call, "answered with an error")
        case e.ToolFailed():
            _failed(gist, seq, event.call, _CODES.get(event.code, f"failed ({event.code})"))
        case e.ToolDenied():
            gist.denied.append((seq, event))
        case e.ToolUnknown():
            gist.open_doubts[event.call] = (seq, event)
        case e.ToolResolved():
            gist.open_doubts.pop(event.call, None)
        case _:
            pass


def _failed(gist: _Gist, seq: int, call: str, how: str) -> None:
    intent = gist.intents.get(call)
    if intent is not None:
        tool = gist.tools[intent.tool]
        tool.failures, tool.code, tool.seq = tool.failures + 1, how, seq


def _how_it_stands(run: Run, state: RunState, gist: _Gist, now: datetime) -> Clause:
    match run.status:
        case Status.SUCCEEDED:
            return _succeeded(run, state, gist)
        case Status.FAILED | Status.STOPPED:
            return _ended_badly(run, gist)
        case Status.CANCELLED:
            return _cancelled(state, gist)
        case Status.QUEUED:
            return _queued(run, gist, now)
        case Status.RUNNING | Status.CANCELLING:
            return _running(run, state, gist, now)
        case Status.WAITING_FOR_RETRY:
            seq, parked = gist.parked or (gist.last, e.RunParked(status="", why=run.why))
            if run.reason in _HELD:
                return Clause(f"{_HELD[run.reason]}: {_said(parked.why)}.", seq)
            return Clause(f"Waiting to try again at {_clock(run.available_at)}: {_said(parked.why)}.", seq)
        case Status.WAITING_FOR_OUTCOME | Status.WAITING_FOR_APPROVAL | Status.WAITING_FOR_CONNECTION:
            return _waiting(run, gist)


def _succeeded(run: Run, state: RunState, gist: _Gist) -> Clause:
    took = _duration((run.finished_at or run.last_event_at) - run.created_at)
    calls = f" after {_count(state.tool_calls, 'tool call')}" if state.tool_calls else ""
    return Clause(f"Succeeded{calls} in {took}.", gist.finished[0] if gist.finished else gist.last)


def _ended_badly(run: Run, gist: _Gist) -> Clause:
    seq, finished = gist.finished or (gist.last, e.RunFinished(status=run.status, error=run.why))
    handoff = finished.handoff.why if finished.handoff else ""
    why = finished.error or handoff or run.why or run.error_code or run.reason or "no reason was written down"
    word = "Failed" if run.status is Status.FAILED else "Stopped"
    fault = gist.faults[-1][0] if gist.faults and (run.error_code or "").startswith("model.") else seq
    return Clause(f"{word}: {_said(why)}.", fault)


def _cancelled(state: RunState, gist: _Gist) -> Clause:
    seq, request = gist.cancel or (gist.last, e.CancelRequested(by="somebody"))
    when = f"after {_count(state.steps, 'step')}" if state.steps else "before it began"
    why = f": {_said(request.why)}" if request.why else ""
    return Clause(f"Cancelled by {request.by} {when}{why}.", seq)


def _queued(run: Run, gist: _Gist, now: datetime) -> Clause:
    if run.available_at > now and not run.attempt:
        return Clause(f"Begins at {_clock(run.available_at)}, in {_duration(run.available_at - now)}.", gist.last)
    if run.cancel_requested_at is not None:
        return Clause("Being cancelled: its worker died, and the next one ends it.", gist.last)
    if gist.released is not None and gist.released[0] == gist.last:
        seq, released = gist.released
        left = "Its worker died" if released.why == "lease" else "Its worker gave it back"
        return Clause(f"{left}; it waits for another to go on.", seq)
    again = " again" if run.attempt else ""
    why = f": {_said(run.why)}" if run.why else ""
    return Clause(f"Queued{again} for {_duration(now - run.last_event_at)}{why}.", gist.last)


def _running(run: Run, state: RunState, gist: _Gist, now: datetime) -> Clause:
    if gist.cancel is not None:
        seq, request = gist.cancel
        return Clause(f"Being cancelled by {request.by}; what is in flight is accounted for first.", seq)
    doing = run.step or "starting"
    step = f", step {state.steps}" if state.steps else ""
    return Clause(f"Running for {_duration(now - (run.started_at or run.created_at))}{step}: {doing}.", gist.last)


def _waiting(run: Run, gist: _Gist) -> Clause:
    seq, parked = gist.parked or (gist.last, e.RunParked(status=run.status, why=run.why))
    if run.status is Status.WAITING_FOR_OUTCOME and gist.open_doubts:
        return Clause("Waiting for a person to say what became of a call.", seq)
    return Clause(f"Waiting for a person: {_said(parked.why)}.", seq)


def _on_the_way(run: Run, gist: _Gist) -> Iterator[Clause]:
    """What went wrong, what is not known, and what was survived."""
    for call, (seq, doubt) in gist.open_doubts.items():
        intent = gist.intents.get(call)
        shown = f" ({brief(intent.arguments)})" if intent and intent.arguments else ""
        yield Clause(f"Nothing is known of the effect of {doubt.tool}{shown}: {_said(doubt.why)}.", seq)
    # The worst tool speaks for itself; a run in which many fail is read in its waterfall.
    worst = max(gist.tools.items(), key=lambda item: item[1].failures, default=None)
    if worst is not None and worst[1].failures:
        yield _tool_clause(gist, *worst)
    yield from _answers(gist)
    if gist.denied:
        seq, denied = gist.denied[-1]
        times = "" if len(gist.denied) == 1 else f" and {_count(len(gist.denied) - 1, 'other call')}"
        yield Clause(f"The gate refused {denied.tool}{times} ({denied.decision.rule}).", seq)
    if gist.faults and run.status is Status.SUCCEEDED:
        seq, fault = gist.faults[-1]
        yield Clause(f"The model failed {_times(len(gist.faults))} on the way ({fault.code}).", seq)
    if gist.drift is not None:
        seq, drift = gist.drift
        yield Clause(_said(drift.difference or f"{drift.served} answered in place of {drift.wanted}") + ".", seq)
    if gist.deaths and run.attempt > 1:
        yield Clause(f"{_count(len(gist.deaths), 'worker')} died on the way; another took over.", gist.deaths[-1])
    if gist.retried is not None:
        seq, retried = gist.retried
        yield Clause(f"{retried.by} sent it back.", seq)
    if run.ended and run.waited_ms >= 1000:
        waited = _duration_ms(run.waited_ms)
        yield Clause(f"It waited {waited} for people.", gist.parked[0] if gist.parked else None)


def _answers(gist: _Gist) -> Iterator[Clause]:
    """What people said of calls that wanted a yes; many of them are counted."""
    approved = [one for one in gist.answers if one[1].state == "approved"]
    if len(approved) > 1:
        yield Clause(f"People approved {len(approved)} calls.", approved[-1][0])
    others = [one for one in gist.answers if one not in approved]
    for seq, answer in [*(approved if len(approved) == 1 else []), *others]:
        asked = gist.questions.get(answer.approval)
        if asked is None:
            continue
        what, by = f"{asked.tool} ({brief(answer.arguments or asked.arguments)})", " and ".join(answer.by)
        match answer.state:
            case "approved":
                edited = ", changed" if answer.arguments is not None else ""
                yield Clause(f"{by} approved {what}{edited}.", seq)
            case "denied":
                yield Clause(f"{by} denied {what}: {_said(answer.why)}.", seq)
            case "expired":
                yield Clause(f"Nobody said in time whether {what} may be made.", seq)
            case _:
                pass


def _tool_clause(gist: _Gist, name: str, tool: _Tool) -> Clause:
    if tool.failures == tool.calls:
        times = "" if tool.calls == 1 else f" on all {tool.calls} calls"
    else:
        times = f" on {tool.failures} of {tool.calls} calls"
    intents = [intent for intent in gist.intents.values() if intent.tool == name]
    writes = any(intent.effect != Effect.READ for intent in intents)
    known = "; none of these took effect" if writes and "error" not in tool.code and tool.failures == tool.calls else ""
    return Clause(f"{name} {tool.code}{times}{known}.", tool.seq)


def _others(blast: Blast | None) -> Iterator[Clause]:
    if blast is None:
        return
    if not blast.this_release and not blast.previous_release:
        yield Clause("No other recent run shows it.")
        return
    here = _count(blast.this_release, "other run") if blast.this_release else "no other run"
    before = f"{blast.previous_release}" if blast.previous_release else "none"
    shows = "shows" if blast.this_release == 1 else "show"
    yield Clause(f"{here[:1].upper()}{here[1:]} on this release {shows} it, {before} on the one before.")


def _said(words: str) -> str:
    """Somebody's words, made to stand inside a sentence of ours."""
    return shorten(" ".join(words.split()).rstrip(".…"), _LONGEST)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _duration(span: timedelta) -> str:
    return _duration_ms(int(span.total_seconds() * 1000))


def _duration_ms(ms: int) -> str:
    seconds = max(0, ms) / 1000
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def _clock(at: datetime) -> str:
    return at.strftime("%H:%M:%S UTC")
