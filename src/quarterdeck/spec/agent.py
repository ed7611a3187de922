"""`agent.yaml`: what an author says about an agent. The field descriptions here are what editors show while typing."""

from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from quarterdeck.spec import values
from quarterdeck.spec.control import AgentsSection, EscalateSection, PolicySections
from quarterdeck.spec.guarding import GuardrailsSection
from quarterdeck.spec.money import BudgetSection, ContextSection
from quarterdeck.spec.routing import ModelSection, RouteSection
from quarterdeck.spec.section import Section

FILE = "agent.yaml"


class VariableSection(Section):
    """A variable of the prompt: `{{ name }}` there, a value in each run."""

    type: Annotated[values.VariableType, Field(strict=False)] = Field(
        default=values.VariableType.STRING, description="What it holds."
    )
    required: bool | None = Field(
        default=None, description="Has every run to give it a value? By default yes, unless there is a default."
    )
    default: str | int | float | bool | None = Field(default=None, description="Its value where a run gives none.")
    description: Annotated[str, Field(max_length=4000)] = Field(default="", description="For those who submit runs.")
    trust: Annotated[values.Trust, Field(strict=False)] = Field(
        default=values.Trust.UNTRUSTED,
        description="Who gives its value: `trusted` = only systems of your own. Otherwise `qd agent check` wants its "
        "place in the prompt to be marked off. No part of the release.",
    )


class ToolSection(PolicySections):
    """What you declare of one tool. What is not declared is assumed at its worst: write, never, untrusted."""

    name: Annotated[str, Field(pattern=values.TOOL_NAME)] | None = Field(
        default=None, description="What the model calls it; by default its name at the server."
    )
    description: Annotated[str, Field(min_length=1, max_length=4000)] | None = Field(
        default=None, description="What the model reads about it; by default what the server says."
    )
    effect: Annotated[values.Effect, Field(strict=False)] | None = Field(
        default=None, description="What it does to the world. Not declared = write."
    )
    repeat: Annotated[values.Repeat, Field(strict=False)] | None = Field(
        default=None,
        description="What to do when an answer was lost: `safe` call again; `keyed` call again with the same key; "
        "`never` ask a person. Not declared = never, but for a declared read: safe.",
    )
    trust: Annotated[values.Trust, Field(strict=False)] | None = Field(
        default=None, description="Can outsiders have written what it returns? Not declared = untrusted."
    )
    timeout: values.Seconds | None = Field(default=None, description="Seconds that a call may take; 30 by default.")
    max_output: values.OutputBytes | None = Field(
        default=None, description="Bytes of a result that the model gets to see; 100,000 by default."
    )
    retries: values.Retries | None = Field(
        default=None, description="Further tries of a safe or keyed call that failed; 2 by default."
    )
    max_concurrency: values.Concurrency | None = Field(
        default=None, description="Calls at the same time in one worker; 0, the default, is no limit of its own."
    )
    cache: Annotated[str, Field(pattern=values.SPAN)] | None = Field(
        default=None,
        description="For a declared read: how long the same call of the same user is answered from memory.",
        examples=["5m"],
    )

    LATER: ClassVar[dict[str, str]] = {
        "reconcile": "reconcile hooks",
    }


class CommandSection(Section):
    """A local MCP server that is started and spoken to over its standard input and output."""

    command: Annotated[list[str], Field(min_length=1, max_length=64)] = Field(
        description="Program and arguments.", examples=[["python", "server.py"]]
    )
    environment: Annotated[dict[str, str], Field(max_length=64)] = Field(
        default_factory=dict,
        description="Its environment variables; it gets no others. No credentials belong here, nor names of secrets.",
    )


class AddressSection(Section):
    """A remote MCP server over streamable HTTP."""

    url: str = Field(description="Its address.", examples=["https://mcp.example.com/mcp"])
    headers: Annotated[dict[str, str], Field(max_length=32)] = Field(
        default_factory=dict,
        description="Sent with each request. Credentials are named, `Bearer secret://NAME`, and never stand here.",
    )


class ServerSection(Section):
    """A source of tools: exactly one of `python`, `stdio` and `mcp`."""

    name: Annotated[str, Field(pattern=values.SERVER_NAME)] | None = Field(
        default=None, description="What the server is called here; for `python` by default the file's name."
    )
    python: str | None = Field(
        default=None,
        description="A Python file in this folder whose `@tool` functions are granted.",
        examples=["tools.py"],
    )
    stdio: CommandSection | None = Field(
        default=None, description="A local command that speaks MCP.", examples=["{command: [python, server.py]}"]
    )
    mcp: AddressSection | None = Field(
        default=None, description="A remote server that speaks MCP.", examples=["{url: https://mcp.example.com/mcp}"]
    )
    tools: dict[str, ToolSection | None] = Field(
        default_factory=dict,
        description="Tools by their name at the server. For `stdio` and `mcp` only those listed here are granted.",
    )
    network: Annotated[list[Annotated[str, Field(pattern=values.HOST)]], Field(max_length=64)] = Field(
        default_factory=list[str],
        description="For `python` and `stdio`: the hosts that it may reach where its host is in a sandbox; `*` is all. "
        "Left out = none.",
        examples=[["api.example.com"]],
    )


class LimitsSection(Section):
    """Where a run ends, whatever the model wants. It then hands over what was done and what is left."""

    max_steps: values.Steps = Field(default=30, description="Questions to the model.")
    max_tool_calls: values.ToolCalls = Field(default=60, description="Tool calls.")
    max_seconds: values.RunSeconds = Field(default=900.0, description="Seconds of work; waiting for people is free.")
    max_tokens: values.Tokens = Field(default=500_000, description="Tokens read and written.")
    max_parallel_calls: values.ParallelCalls = Field(default=8, description="Tool calls at the same time.")
    max_repeats: values.Repeats = Field(default=3, description="The same call with the same arguments in a row.")

    INSTEAD: ClassVar[dict[str, str]] = dict.fromkeys(
        ("max_cost", "max_budget", "max_cost_usd", "max_usd", "budget"),
        "money is limited under `budgets`: `- {scope: run, max_budget: 0.50}`",
    )


class AgentSection(Section):
    """An agent: who it is, which model it asks, which tools it is granted, and where it ends."""

    name: Annotated[str, Field(pattern=values.NAME)] = Field(
        description="Lower-case letters, digits and dashes.", examples=["support-desk"]
    )
    owner: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="The person or team that answers for it.", examples=["support-team@example.com"]
    )
    description: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        description="What it does, in a sentence, for people.", examples=["Answers questions about orders."]
    )
    prompt: str = Field(description="File with the system prompt, a template.", examples=["prompt.md"])
    variables: Annotated[
        dict[Annotated[str, Field(pattern=values.VARIABLE_NAME)], VariableSection | None],
        Field(max_length=values.MOST_VARIABLES),
    ] = Field(default_factory=dict, description="Every `{{ name }}` of the prompt.")
    model: ModelSection = Field(
        description="The exact model.", examples=["{provider: openai, id: gpt-4.1-mini-2025-04-14}"]
    )
    routes: Annotated[
        dict[Annotated[str, Field(pattern=values.NAME)], RouteSection], Field(max_length=values.MOST_ROUTES)
    ] = Field(
        default_factory=dict[str, RouteSection],
        description="Further models by name. The first whose conditions a step fits takes it, else `model`.",
        examples=["{quick: {model: {provider: openai, id: gpt-4.1-nano-2025-04-14}, when: {tasks: [faq]}}}"],
    )
    fallbacks: Annotated[list[str], Field(max_length=values.MOST_ROUTES)] = Field(
        default_factory=list[str],
        description="Routes that take over, in this order, while a model can't be asked. No other ever does.",
        examples=[["backup"]],
    )
    cheaper: str | None = Field(
        default=None, description="The route that takes over when money gets short.", examples=["quick"]
    )
    tools: Annotated[list[ServerSection], Field(max_length=values.MOST_SERVERS)] = Field(
        default_factory=list[ServerSection], description="Where its tools come from. What is not here, it can't do."
    )
    limits: LimitsSection = Field(default_factory=LimitsSection, description="Where a run ends.")
    budgets: Annotated[list[BudgetSection], Field(max_length=values.MOST_BUDGETS)] = Field(
        default_factory=list[BudgetSection],
        description="What may be spent. What an operator sets can only lower it.",
        examples=["[{scope: run, max_budget: 0.50}]"],
    )
    context: ContextSection = Field(
        default_factory=ContextSection, description="How much of a conversation the model is shown."
    )
    guardrails: GuardrailsSection = Field(
        default_factory=GuardrailsSection,
        description="What is looked for in what comes in and what goes out.",
        examples=["{input: [{check: injection, action: label}], output: [{check: pii, action: redact}]}"],
    )
    output: str | dict[str, JsonValue] | None = Field(
        default=None,
        description="JSON Schema of its answer, inline or a file; left out = free text.",
        examples=["output.schema.json"],
    )
    requirements: str | None = Field(
        default=None,
        description="Hash-locked packages that the Python tools need.",
        examples=["requirements.lock"],
    )
    files: Annotated[list[str], Field(max_length=100)] = Field(
        default_factory=list,
        description="Further files that the tools need, as paths or patterns. The tools see no others.",
        examples=[["docs/**", "lib/*.py"]],
    )

    policies: Annotated[list[str], Field(max_length=values.MOST_POLICY_FILES)] = Field(
        default_factory=list,
        description="Files of Cedar policies, as paths or patterns. They come on top of what tools declare here.",
        examples=[["policies/*.cedar"]],
    )
    agents: Annotated[list[AgentsSection], Field(max_length=values.MOST_SERVERS)] = Field(
        default_factory=list[AgentsSection], description="Other agents that it may call as tools."
    )
    escalate: EscalateSection | bool = Field(
        default=True,
        description="Whom a conversation passes to when the agent asks for a person: by default its owner; "
        "`false` = it can't ask.",
        examples=["{to: support-team@example.com}"],
    )

    LATER: ClassVar[dict[str, str]] = {
        "eval": "evals",
        "evals": "evals",
        "eval_gate": "evals",
        "memory": "memory",
        "rollout": "rollouts",
        "schedule": "schedules",
        "connections": "connections",
    }
