"""Everything that can happen in a run: this listing is the documentation of the log.

Each event has a `kind` (its SSE name), a format version and its facts. Old formats are lifted when read, by
`UPCASTERS`, never rewritten. What is measured in time is in milliseconds, money in micro-USD, sizes in bytes.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

import msgspec

from quarterdeck.core.errors import Error
from quarterdeck.core.json import Json, JsonObject, encode_text
from quarterdeck.runs.messages import Content, Label, Message, Spoken, Usage
from quarterdeck.runs.parts import Decision, Finding, Handoff, Narrowing


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened. Subclasses name its facts."""

    kind: ClassVar[str]
    v: ClassVar[int] = 1


class RunAdmitted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The API accepted the run. Everything that configured it is named here; `not_before` is Unix milliseconds."""

    kind = "run.admitted"
    agent: str
    release: str
    user: str
    input: tuple[Message, ...]
    thread: str | None = None
    variables: Mapping[str, Json] = {}
    tags: Mapping[str, str] = {}
    priority: int = 0
    submitted_by: str = ""
    traceparent: str | None = None
    not_before: int | None = None
    effective: str = ""
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Json] = {}
    narrowed: Narrowing | None = None


class RunClaimed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A worker took the run: a new attempt begins. Whatever the attempt before had in flight is dealt with now."""

    kind = "run.claimed"
    worker: str
    host: str
    version: str
    behaviour: int


class ThreadContinued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The conversation before this run: the runs of the thread, oldest first, whose messages the model reads first."""

    kind = "thread.continued"
    runs: tuple[str, ...]


class MessageAdded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The runtime put words of its own before the model: a nudge after an empty answer, a repair, a warning."""

    kind = "message.added"
    message: Message
    cause: str


class ContextShortened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """From here on the model is shown less of the conversation. Both marks count messages from its beginning.

    Big results before `results_upto` are shown as references, and `summary` stands for all messages before
    `messages_upto`. The log, and what the tool gate knows of where values come from, keep everything.
    """

    kind = "context.shortened"
    step: int
    results_upto: int
    messages_upto: int = 0
    summary: Message | None = None
    tokens_before: int = 0
    tokens_after: int = 0


class GuardrailJudged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What came in, or is to go out, has passed its guardrails, and what they said.

    `verdict` is the strongest of what they want: `allow`, `record`, `label`, `redact`, `retry`, `ask` or `deny`;
    `rule` decided and `reason` is for whoever wrote what was judged. `replaced` are the messages that take the place of
    those that came in, where characters were taken out that nobody could see.
    """

    kind = "guardrail.judged"
    edge: str
    step: int
    verdict: str
    checks: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    rule: str = ""
    reason: str = ""
    ms: int = 0
    replaced: tuple[Message, ...] = ()


class RunClosing(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A limit is reached: the model is asked for nothing more than a last answer, paid from what was set aside."""

    kind = "run.closing"
    reason: str
    why: str


class ModelCalled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Intent: this step asks the model, with the release's prompt and the messages so far; `prompt` is their digest.

    `purpose` is empty for a step of the conversation, else `closing`, `summary` or `judge`. `route` took it, because of
    `route_why`. `reserved` and `reserved_tokens` are the worst case that was set aside, `notice` what the model is told
    is left, and `degree` how far the run saves: `cheaper`, `shorter`, `no_tools`, `closing`.
    """

    kind = "model.called"
    step: int
    call: str
    provider: str
    model: str
    decision: Decision
    prompt: str = ""
    messages: int = 0
    purpose: str = ""
    route: str = ""
    route_why: str = ""
    reserved: int = 0
    reserved_tokens: int = 0
    notice: str = ""
    degree: str = ""


class ModelAnswered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The model's answer, whole, with what it cost and which model really gave it.

    `uncovered` is what it cost beyond all that was set aside and left.
    """

    kind = "model.answered"
    step: int
    call: str
    content: tuple[Spoken, ...]
    finish: str
    served_model: str
    usage: Usage
    cost: int | None = None
    response_id: str | None = None
    ms: int = 0
    first_token_ms: int | None = None
    tries: int = 1
    purpose: str = ""
    uncovered: int = 0


class ModelFailed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """One try at the model did not work. `retry_in_ms` is set when another one follows by itself.

    `presumed` is what it is taken to have cost, because the provider may have done the work all the same.
    """

    kind = "model.failed"
    step: int
    call: str
    code: str
    message: str
    status: int | None = None
    retry_in_ms: int | None = None
    ms: int = 0
    try_: int = msgspec.field(default=1, name="try")
    purpose: str = ""
    presumed: int = 0


class ModelDrifted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The model that answered is not the one that was pinned, or a replay left the recorded path."""

    kind = "model.drifted"
    step: int
    call: str
    wanted: str
    served: str
    difference: str = ""


class ToolCalled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Intent: decided and about to be sent. Nobody may begin it after `not_after` (Unix milliseconds).

    `arguments` are those that are sent: a reviewer may have edited what the model asked for. `origins` says of each
    argument where its value can have come from. `approval` is the one that this intent uses up, and `approved_by` says
    who or what let it pass: `person:<name>`, `policy:<id>`, `autonomy:<level>`; `child` is the run that
    carries the call out, where the tool is another agent; `records` is how many records it touches, as far as declared.
    """

    kind = "tool.called"
    step: int
    call: str
    tool: str
    arguments: JsonObject
    effect: str
    repeat: str
    decision: Decision
    key: str = ""
    not_after: int = 0
    timeout_ms: int = 0
    origins: Mapping[str, str] = {}
    approval: str | None = None
    approved_by: tuple[str, ...] = ()
    child: str | None = None
    records: int = 0


class ToolDenied(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The gate refused the call; the model is told why in `content`."""

    kind = "tool.denied"
    step: int
    call: str
    tool: str
    arguments: JsonObject
    decision: Decision
    content: tuple[Content, ...]
    origins: Mapping[str, str] = {}


class ApprovalAsked(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A person has to say yes before this call. `digest` binds the answer to these very arguments.

    `expires_at` is Unix milliseconds: what nobody answered by then has expired, which is not a denial.
    """

    kind = "approval.asked"
    step: int
    call: str
    approval: str
    tool: str
    arguments: JsonObject
    effect: str
    decision: Decision
    digest: str
    expires_at: int
    origins: Mapping[str, str] = {}
    summary: str = ""
    people: int = 1
    roles: tuple[str, ...] = ()


class ApprovalAnswered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a question: `approved`, `denied`, `expired` or `withdrawn`.

    `arguments` are set where the reviewer changed them; the gate judges those anew. `by` names everybody who approved.
    """

    kind = "approval.answered"
    call: str
    approval: str
    state: str
    by: tuple[str, ...] = ()
    why: str = ""
    arguments: JsonObject | None = None


class RunEscalated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The agent passed the conversation to a person, who finds it in the queue of escalations."""

    kind = "run.escalated"
    step: int
    call: str
    escalation: str
    to: str
    summary: str
    why: str = ""


class ToolAnswered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The tool answered. `is_error` is the tool's own word; `size` is before truncation.

    `redacted` counts what was taken out of it before anybody read it, by secret or kind; `noted` what was found and
    left. `hidden` counts characters that nobody would have seen; `score` says how much it sounds like instructions to
    the model, from 0 to 1: a signal, never a guarantee. `cached`: an earlier answer was given again.
    """

    kind = "tool.answered"
    call: str
    content: tuple[Content, ...]
    is_error: bool = False
    label: Label | None = None
    ms: int = 0
    size: int = 0
    truncated: bool = False
    tries: int = 1
    redacted: Mapping[str, int] = {}
    noted: Mapping[str, int] = {}
    hidden: int = 0
    score: float = 0.0
    cached: bool = False


class ToolFailed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The call did not take place or can safely be taken as failed; the model is told in `content`."""

    kind = "tool.failed"
    call: str
    code: str
    content: tuple[Content, ...]
    ms: int = 0


class ToolUnknown(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Nobody here knows whether the effect took place. It is never repeated; a person or a reconcile hook answers."""

    kind = "tool.unknown"
    call: str
    tool: str
    why: str
    ask_after: int = 0


class ToolResolved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody said what became of an unknown outcome: `happened` or `did_not_happen`."""

    kind = "tool.resolved"
    call: str
    outcome: str
    by: str
    content: tuple[Content, ...]


class RunParked(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The run waits and holds no worker. `until` is Unix milliseconds where it goes on by itself."""

    kind = "run.parked"
    status: str
    why: str
    until: int | None = None


class RunReleased(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A worker gave the run back unfinished: it drains, or the sweep found its lease run out."""

    kind = "run.released"
    why: str


class RunResumed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What it waited for has come; it is queued again."""

    kind = "run.resumed"
    why: str
    by: str = ""


class RunRetried(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A person sent an ended run back from its last checkpoint; effects that happened stay happened."""

    kind = "run.retried"
    by: str
    why: str = ""


class CancelRequested(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody wants the run to end. It ends once what is in flight has been interrupted and accounted for."""

    kind = "run.cancel_requested"
    by: str
    why: str = ""


class OutputRejected(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The final answer did not fit the agent's output schema; one repair is asked for."""

    kind = "output.rejected"
    step: int
    errors: tuple[str, ...]


class RunFinished(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The end: a result, or a handoff that says what was done, what is left and why it stopped."""

    kind = "run.finished"
    status: str
    reason: str | None = None
    text: str = ""
    output: Json = None
    handoff: Handoff | None = None
    error_code: str | None = None
    error: str | None = None


EVENTS: tuple[type[Event], ...] = (
    RunAdmitted,
    RunClaimed,
    ThreadContinued,
    MessageAdded,
    GuardrailJudged,
    ContextShortened,
    RunClosing,
    ModelCalled,
    ModelAnswered,
    ModelFailed,
    ModelDrifted,
    ToolCalled,
    ToolDenied,
    ApprovalAsked,
    ApprovalAnswered,
    RunEscalated,
    ToolAnswered,
    ToolFailed,
    ToolUnknown,
    ToolResolved,
    RunParked,
    RunReleased,
    RunResumed,
    RunRetried,
    CancelRequested,
    OutputRejected,
    RunFinished,
)
KINDS: Mapping[str, type[Event]] = {event.kind: event for event in EVENTS}

UPCASTERS: dict[tuple[str, int], Callable[[JsonObject], JsonObject]] = {}
"""(kind, version) to a function that lifts its JSON to the next version. Entries are added, never changed."""


class UnknownEvent(Error):
    """The log holds an event that this version can't read; a newer worker must take the run."""

    code, status = "log.unknown_event", 500


def write(event: Event) -> str:
    """The event's JSON text as it is stored. The caller has made its text storable."""
    return encode_text(event)


def read(kind: str, v: int, data: str) -> Event:
    """The event that a row holds, lifted to the present format. Raises UnknownEvent for a newer or unknown one."""
    event = KINDS.get(kind)
    if event is None or v > event.v:
        raise UnknownEvent(kind=kind, version=v)
    if v == event.v:
        return _decoders[kind].decode(data)
    value: JsonObject = msgspec.json.decode(data)
    for version in range(v, event.v):
        value = UPCASTERS[kind, version](value)
    return msgspec.convert(value, event)


_decoders = {event.kind: msgspec.json.Decoder(event) for event in EVENTS}
