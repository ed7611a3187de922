"""The manifest: everything that makes an agent behave as it does, as one JSON object whose digest is the release's id.

These models are its border: what an author's machine sends is read through them and believed only as far as they check.
The id is always computed from the object as it was sent, never from a model's own output, so that a field added later
changes no id.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from quarterdeck.core.ids import ReleaseId
from quarterdeck.core.json import Json, JsonObject, digest
from quarterdeck.spec import values

SCHEMA_VERSION = 1
_EXACT_INTEGERS = 2**53

Short = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=4000)]
Digest = Annotated[str, Field(pattern=values.DIGEST)]
ArgumentPath = Annotated[str, Field(pattern=values.ARGUMENT)]
ObjectSchema = dict[str, JsonValue]


class Part(BaseModel):
    """What all parts have in common: nothing unknown, nothing converted, nothing changed.

    `SPARSE` are the fields that a manifest leaves out where they say nothing: what came later changes no older id.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    SPARSE: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_silence(self, plain: SerializerFunctionWrapHandler) -> dict[str, object]:
        shown: dict[str, object] = plain(self)
        fields = type(self).model_fields
        return {
            name: value
            for name, value in shown.items()
            if name not in self.SPARSE or getattr(self, name) != fields[name].get_default(call_default_factory=True)
        }


class Prompt(Part):
    """The template as the model will read it, with LF line ends, and the SHA-256 of its UTF-8 bytes."""

    text: Annotated[str, Field(min_length=1, max_length=values.LARGEST_PROMPT)]
    digest: Digest


class Variable(Part):
    """A variable of the template. Without a value and a default, one that is not required is empty."""

    type: Annotated[values.VariableType, Field(strict=False)]
    required: bool
    default: str | int | float | bool | None = None
    description: Text = ""


class Pin(Part):
    """The exact model and what is sent along."""

    provider: Annotated[str, Field(pattern=values.NAME)]
    id: Short
    temperature: values.Temperature | None = None
    top_p: values.Probability | None = None
    max_output_tokens: values.OutputTokens = 4096
    timeout: values.Seconds = 120.0
    parallel_tool_calls: bool = True
    extra: dict[str, JsonValue] | None = None


class Narrowed(Part):
    """What is left of another agent's release when it is called as a tool: less than it grants, never more."""

    SPARSE: ClassVar[frozenset[str]] = frozenset(
        {"tools", "autonomy", "max_steps", "max_tool_calls", "max_seconds", "max_tokens"}
    )

    tools: Annotated[
        list[Annotated[str, Field(pattern=values.TOOL_NAME)]] | None, Field(max_length=values.MOST_TOOLS)
    ] = None
    autonomy: Annotated[values.Autonomy, Field(strict=False)] | None = None
    max_steps: values.Steps | None = None
    max_tool_calls: values.ToolCalls | None = None
    max_seconds: values.RunSeconds | None = None
    max_tokens: values.Tokens | None = None


class Server(Part):
    """Where tools live. Only the fields of its kind are filled."""

    SPARSE: ClassVar[frozenset[str]] = frozenset({"network", "agent", "narrowed"})

    name: Annotated[str, Field(pattern=values.SERVER_NAME)]
    kind: Annotated[values.ServerKind, Field(strict=False)]
    module: Annotated[str, Field(max_length=240)] = ""
    command: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=64)] = []
    environment: Annotated[dict[Short, Text] | None, Field(max_length=64)] = None
    url: Annotated[str, Field(max_length=2000)] = ""
    headers: Annotated[dict[Short, Text] | None, Field(max_length=32)] = None
    lock_digest: Annotated[str, Field(pattern=f"{values.DIGEST}|^$")] = ""
    network: Annotated[list[Annotated[str, Field(pattern=values.HOST)]], Field(max_length=64)] = []
    agent: Annotated[str, Field(pattern=f"{values.SUB_AGENT}|^$")] = ""
    narrowed: Narrowed | None = None


class Rate(Part):
    """At most `calls` in any `seconds`, for each of what `per` says."""

    calls: values.RateCalls
    seconds: values.RateSeconds
    per: Annotated[values.Per, Field(strict=False)] = values.Per.TENANT


class Asked(Part):
    """How a person is asked about a tool."""

    SPARSE: ClassVar[frozenset[str]] = frozenset({"roles", "people", "expires_in", "summary"})

    roles: Annotated[list[Annotated[str, Field(pattern=values.ROLE)]], Field(max_length=16)] = []
    people: values.People = 1
    expires_in: values.ExpirySeconds = 86_400.0
    summary: Annotated[str, Field(max_length=500)] = ""


class Bound(Part):
    """What the gate binds an argument to: exactly one of these."""

    SPARSE: ClassVar[frozenset[str]] = frozenset({"claim", "value", "values", "of"})

    claim: Short | None = None
    of: Annotated[values.Bearer, Field(strict=False)] | None = None
    value: JsonValue = None
    values: Annotated[list[JsonValue] | None, Field(min_length=1, max_length=1000)] = None


class Affected(Part):
    """What counts the records that a call touches, and the most of a call and of a run."""

    SPARSE: ClassVar[frozenset[str]] = frozenset({"argument", "result", "per_call", "per_run"})

    argument: Annotated[str, Field(pattern=values.ARGUMENT)] | None = None
    result: Annotated[str, Field(pattern=values.POINTER)] | None = None
    per_call: values.Affected | None = None
    per_run: values.Affected | None = None


class Tool(Part):
    """One granted tool: what its server said of it when the release was built, and what the author declared."""

    SPARSE: ClassVar[frozenset[str]] = frozenset(
        {"destinations", "payload", "autonomy", "rates", "concurrency", "secrets", "scan", "asking", "scope", "affects"}
        | {"cache"}
    )

    name: Annotated[str, Field(pattern=values.TOOL_NAME)]
    server: str
    remote_name: Short
    description: Text
    parameters: ObjectSchema
    output_schema: ObjectSchema | None = None
    effect: Annotated[values.Effect, Field(strict=False)]
    repeat: Annotated[values.Repeat, Field(strict=False)]
    trust: Annotated[values.Trust, Field(strict=False)]
    timeout: values.Seconds = 30.0
    max_output: values.OutputBytes = 100_000
    retries: values.Retries = 2
    max_concurrency: values.Concurrency = 0
    destinations: Annotated[list[ArgumentPath], Field(max_length=values.MOST_MARKS)] = []
    payload: Annotated[list[ArgumentPath], Field(max_length=values.MOST_MARKS)] = []
    autonomy: Annotated[values.Autonomy, Field(strict=False)] = values.Autonomy.ASK_WHEN_RISKY
    rates: Annotated[list[Rate], Field(max_length=8)] = []
    concurrency: values.Concurrency = 0
    secrets: Annotated[list[Annotated[str, Field(pattern=values.VAULT_NAME)]], Field(max_length=16)] = []
    scan: Annotated[list[Annotated[values.Scan, Field(strict=False)]], Field(max_length=2)] = []
    asking: Asked = Asked()
    scope: Annotated[dict[ArgumentPath, Bound] | None, Field(max_length=16)] = None
    affects: Affected | None = None
    cache: values.CacheSeconds = 0


class RunLimits(Part):
    """Where a run ends."""

    max_steps: values.Steps = 30
    max_tool_calls: values.ToolCalls = 60
    max_seconds: values.RunSeconds = 900.0
    max_tokens: values.Tokens = 500_000
    max_parallel_calls: values.ParallelCalls = 8
    max_repeats: values.Repeats = 3


class Policy(Part):
    """A file of Cedar policies as it is, or what the short forms of `agent.yaml` compile to."""

    name: Annotated[str, Field(min_length=1, max_length=240)]
    text: Annotated[str, Field(min_length=1, max_length=values.LARGEST_POLICIES)]


class Route(Part):
    """A further model by name, and which steps it takes by itself. Their order in the manifest counts."""

    SPARSE: ClassVar[frozenset[str]] = frozenset({"tasks", "purposes", "input_under", "first_steps", "without_tools"})

    name: Annotated[str, Field(pattern=values.NAME)]
    pin: Pin
    tasks: Annotated[list[Short], Field(max_length=values.MOST_MARKS)] = []
    purposes: Annotated[list[Annotated[values.Purpose, Field(strict=False)]], Field(max_length=4)] = []
    input_under: values.Tokens | None = None
    first_steps: values.Steps | None = None
    without_tools: bool = False

    @property
    def conditions(self) -> tuple[tuple[str, ...], tuple[str, ...], int | None, int | None, bool]:
        """Which steps it takes: all that can be said of them, to be compared."""
        purposes = tuple(str(one) for one in self.purposes)
        return tuple(self.tasks), purposes, self.input_under, self.first_steps, self.without_tools


class Budget(Part):
    """What may be spent in a scope, by each one of them: money in micro-USD, tokens, or both."""

    SPARSE: ClassVar[frozenset[str]] = frozenset({"max_micro_usd", "max_tokens"})

    scope: Annotated[values.BudgetScope, Field(strict=False)]
    window: Annotated[values.Window, Field(strict=False)] = values.Window.TOTAL
    max_micro_usd: values.MicroUsd | None = None
    max_tokens: values.BudgetTokens | None = None


class Context(Part):
    """How much of a conversation the model is shown."""

    SPARSE: ClassVar[frozenset[str]] = frozenset({"max_tokens", "max_turns", "keep_turns", "summarise", "results_over"})

    max_tokens: values.ContextTokens | None = None
    max_turns: values.Turns | None = None
    keep_turns: values.Turns = 6
    summarise: bool = True
    results_over: values.ResultBytes = 2_000


class Guardrail(Part):
    """A check on an edge with its settings; what files said stands in them. Their order in the manifest counts."""

    SPARSE: ClassVar[frozenset[str]] = frozenset({"settings"})

    name: Annotated[str, Field(pattern=values.NAME)]
    edge: Literal["input", "output"]
    check: Short
    action: Short
    settings: dict[str, JsonValue] = {}


class Manifest(Part):
    """A release, whole, but for the bytes of its files, of which it holds the digests.

    `escalate_to`: whom conversations pass to; None = the owner, empty = the agent can't ask for a person.
    """

    SPARSE: ClassVar[frozenset[str]] = frozenset(
        {"policies", "escalate_to", "routes", "fallbacks", "cheaper", "budgets", "context", "guardrails"}
    )

    schema_version: Literal[1]
    behaviour_version: Annotated[int, Field(ge=1, le=1_000_000)]
    agent: Annotated[str, Field(pattern=values.NAME)]
    owner: Short
    description: Annotated[str, Field(min_length=1, max_length=1000)]
    prompt: Prompt
    variables: Annotated[
        dict[Annotated[str, Field(pattern=values.VARIABLE_NAME)], Variable], Field(max_length=values.MOST_VARIABLES)
    ]
    model: Pin
    servers: Annotated[list[Server], Field(max_length=values.MOST_SERVERS)]
    tools: Annotated[list[Tool], Field(max_length=values.MOST_TOOLS)]
    limits: RunLimits
    output_schema: ObjectSchema | None
    files: Annotated[dict[str, Digest], Field(max_length=values.MOST_FILES)]
    policies: Annotated[list[Policy], Field(max_length=values.MOST_POLICY_FILES + 1)] = []
    escalate_to: Annotated[str, Field(max_length=200)] | None = None
    routes: Annotated[list[Route], Field(max_length=values.MOST_ROUTES)] = []
    fallbacks: Annotated[list[Annotated[str, Field(pattern=values.NAME)]], Field(max_length=values.MOST_ROUTES)] = []
    cheaper: Annotated[str, Field(pattern=values.NAME)] | None = None
    budgets: Annotated[list[Budget], Field(max_length=values.MOST_BUDGETS)] = []
    context: Context = Context()
    guardrails: Annotated[list[Guardrail], Field(max_length=2 * values.MOST_GUARDRAILS)] = []


def id_of(manifest: JsonObject) -> ReleaseId:
    """The id of a release: SHA-256 of the manifest's canonical form (RFC 8785)."""
    return ReleaseId(digest(as_doubles(manifest)))


def digest_of(content: bytes) -> str:
    """How a manifest names the content of a file: SHA-256 of its bytes as they are, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def as_doubles(value: Json) -> Json:
    """The value with each integer that a double can't hold exactly as the nearest double.

    To RFC 8785 every number is a double. Schemas of others do hold larger integers (the bounds of 64 bits), and they
    must not make an agent impossible to name.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT_INTEGERS:
        return float(value)
    if isinstance(value, Mapping):
        return {key: as_doubles(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_doubles(item) for item in value]
    return value


def schemas_of(manifest: Manifest) -> Iterator[tuple[str, ObjectSchema, bool]]:
    """Every JSON Schema in a manifest, with its place and whether it has to describe an object."""
    for at, tool in enumerate(manifest.tools):
        yield f"tools[{at}].parameters", tool.parameters, True
        if tool.output_schema is not None:
            yield f"tools[{at}].output_schema", tool.output_schema, False
    if manifest.output_schema is not None:
        yield "output_schema", manifest.output_schema, True
