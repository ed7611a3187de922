"""A release as the runtime reads it. The manifest is the truth; these records are its typed view."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.policies.records import PolicyText
from quarterdeck.spec.references import names_in

BEHAVIOUR_VERSION = 3
"""Raised only when assembled prompts, checks or the fold change; part of every release's digest."""
EXECUTED = (2, 3)
"""The behaviours that this version's workers execute; runs of others stay queued, with the reason."""


@dataclass(frozen=True, slots=True)
class ModelPin:
    """One exact model on a named provider connection, with the settings that are sent along."""

    provider: str
    id: str
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int = 4096
    timeout: float = 120.0
    parallel_tool_calls: bool = True
    extra: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class ToolServer:
    """Where tools live. `python`: the release's own code in a host; `stdio`: a local command; `http`: remote MCP."""

    name: str
    kind: str
    module: str = ""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
    url: str = ""
    headers: Mapping[str, str] | None = None
    lock_digest: str = ""
    network: tuple[str, ...] = ()
    agent: str = ""
    narrowed: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class ToolRate:
    """At most `calls` of a tool in any `seconds`, for each `run`, `user`, `agent` or `tenant`."""

    calls: int
    seconds: int
    per: str = "tenant"


@dataclass(frozen=True, slots=True)
class Asking:
    """How a person is asked about a tool: by whom it may be answered, by how many, and until when."""

    roles: tuple[str, ...] = ()
    people: int = 1
    expires_in: float = 86_400.0
    summary: str = ""


@dataclass(frozen=True, slots=True)
class ToolGrant:
    """One tool that the release grants: its schema as extracted at registration and what its author declared.

    `destinations` are the arguments that say to whom or where an effect goes, `payload` those that only carry content;
    both name arguments by path (`to`, `items[].account`). `cache`: seconds for which a read's result may be given again
    to the same principal. `autonomy` is the most that the release allows; what is live
    may be less. `scope` binds arguments to values that the gate fills in or holds fast; `affects` names the argument,
    or the pointer into the result, that counts the records touched, with the most of a call and of a run.
    """

    name: str
    server: str
    remote_name: str
    description: str
    parameters: JsonObject
    effect: str
    repeat: str
    trust: str
    timeout: float = 30.0
    max_output: int = 100_000
    retries: int = 2
    max_concurrency: int = 0
    output_schema: JsonObject | None = None
    destinations: tuple[str, ...] = ()
    payload: tuple[str, ...] = ()
    autonomy: str = "ask_when_risky"
    rates: tuple[ToolRate, ...] = ()
    concurrency: int = 0
    secrets: tuple[str, ...] = ()
    scan: tuple[str, ...] = ()
    asking: Asking = Asking()
    scope: Mapping[str, Json] | None = None
    affects: Mapping[str, Json] | None = None
    cache: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run ends whatever the model wants. Seconds count execution, models and tools included, not parking."""

    max_steps: int = 30
    max_tool_calls: int = 60
    max_seconds: float = 900.0
    max_tokens: int = 500_000
    max_parallel_calls: int = 8
    max_repeats: int = 3


@dataclass(frozen=True, slots=True)
class Route:
    """An exact model for steps of a kind.

    It takes a step that fits all of its conditions: a task of the run, a purpose (`step`, `closing`, `summary`,
    `judge`), fewer input tokens, one of the first steps, no tools offered. Without any condition it takes none by
    itself: it is there to fall back on, or to save.
    """

    name: str
    pin: ModelPin
    tasks: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    input_under: int | None = None
    first_steps: int | None = None
    without_tools: bool = False


@dataclass(frozen=True, slots=True)
class BudgetLimit:
    """What may be spent in one scope: `request`, `run`, `thread`, `user` or `agent`, each one of them by itself.

    `window` is `hour`, `day`, `month` or `total`; None = not limited.
    """

    scope: str
    window: str = "total"
    max_micro_usd: int | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ContextPolicy:
    """How much of a conversation the model is shown.

    Above `max_tokens` or `max_turns`, results older than the last `keep_turns` turns and larger than `results_over`
    bytes become references, and what is older still is summarised. None = everything is shown.
    """

    max_tokens: int | None = None
    max_turns: int | None = None
    keep_turns: int = 6
    summarise: bool = True
    results_over: int = 2_000


@dataclass(frozen=True, slots=True)
class GuardrailRule:
    """A check on one edge (`input`, `output`), what is done when it finds something, and its settings."""

    name: str
    edge: str
    check: str
    action: str
    settings: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Release:
    """Everything that a worker needs to execute a run of this release.

    `variables` are the prompt's, each declared with `type`, `required`, `default` and `description`: `view.prompt_for`
    fills them in. `files` names the digest of each file by path, recordings not among them. `fallbacks` and `cheaper`
    are names of `routes`; the release's own `model` is the route `main`.
    """

    tenant: TenantId
    id: ReleaseId
    agent: AgentName
    owner: str
    description: str
    prompt: str
    variables: Mapping[str, Json]
    model: ModelPin
    servers: tuple[ToolServer, ...]
    tools: tuple[ToolGrant, ...]
    limits: Limits
    output_schema: JsonObject | None
    behaviour: int
    files: Mapping[str, str]
    label: str | None
    registered_by: str
    registered_at: datetime
    policies: tuple[PolicyText, ...] = ()
    escalate_to: str | None = None
    routes: tuple[Route, ...] = ()
    fallbacks: tuple[str, ...] = ()
    cheaper: str | None = None
    budgets: tuple[BudgetLimit, ...] = ()
    context: ContextPolicy = ContextPolicy()
    guardrails: tuple[GuardrailRule, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that its tools and guardrails can be given, by name."""
        own = [dict(server.headers or {}) for server in self.servers]
        own += [given for rule in self.guardrails if isinstance(given := rule.settings.get("headers"), dict)]
        headers = (str(text) for sent in own for text in sent.values())
        named = [name for text in headers for name in names_in(text)]
        return tuple(dict.fromkeys([*named, *(name for tool in self.tools for name in tool.secrets)]))

    def tool(self, name: str) -> ToolGrant | None:
        """The grant of that name, or None: default deny starts here."""
        return next((tool for tool in self.tools if tool.name == name), None)

    def server(self, name: str) -> ToolServer:
        """The server of that name; a manifest that names an unknown one was refused at registration."""
        return next(server for server in self.servers if server.name == name)

    @property
    def version(self) -> str:
        """How people name it: the agent and the first twelve digits of the id."""
        return f"{self.agent}@{self.id[:12]}"


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """One tool as its server shows it when a release is built: the author's CLI asks, the manifest pins what it said.

    `marks` are what the author declared in code (`effect`, `repeat`, `trust`, `timeout`); `agent.yaml` overrides them.
    `hints` are MCP annotations: shown to people, believed by nobody.
    """

    name: str
    description: str
    parameters: JsonObject
    output_schema: JsonObject | None = None
    marks: Mapping[str, Json] = field(default_factory=dict[str, Json])
    hints: Mapping[str, Json] = field(default_factory=dict[str, Json])


Extract: TypeAlias = Callable[
    [Sequence[ToolServer], Mapping[str, bytes]], Awaitable[Mapping[str, Sequence[ToolSchema]]]
]
"""Asks each server for its tools; the answer is by server name. The second argument are the release's files by path:
the code sees these and no others, so that a file forgotten in `agent.yaml` is missed on the author's machine and not in
production. Raises `core.errors.Error` with a sentence for the author when a server does not start or talks nonsense."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What an author hands in: the manifest as parsed JSON, the bytes of every file by path, and a name for people.

    `release` is the id that the author's machine computed; where it is given it has to be right.
    """

    manifest: JsonObject
    files: Mapping[str, bytes]
    label: str | None = None
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """What registering came to. `created` is False for a release that was there already.

    `changes` says in words how it differs from `previous`, the agent's release until now. `ignored` are recordings that
    were sent with other content than the release has: a release never changes. `warnings` hinder nothing today.
    """

    release: Release
    created: bool
    previous: ReleaseId | None
    changes: tuple[str, ...]
    ignored: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as lists show it: its name and the release that new runs take."""

    name: AgentName
    release: ReleaseId
    label: str | None
    owner: str
    description: str
    provider: str
    model: str
    tools: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReleaseLine:
    """A release as lists show it. `current`: new runs of its agent take it."""

    id: ReleaseId
    agent: AgentName
    label: str | None
    provider: str
    model: str
    registered_by: str
    registered_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A file of a release. `digest` is None for recordings, which are no part of the release's id."""

    path: str
    size: int
    digest: str | None


@dataclass(frozen=True, slots=True)
class WholeRelease:
    """A release as it was registered."""

    line: ReleaseLine
    manifest: JsonObject
    files: tuple[ReleaseFile, ...]
