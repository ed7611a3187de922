"""What an author says about control: where effects may go, when a person is asked, how often, within which bounds.

The short forms here (`allow`, `deny`, `bounds`, `ask_above`, `ask`) become Cedar policies that can be printed.
"""

from typing import Annotated, TypeAlias

from pydantic import Field, JsonValue

from quarterdeck.spec import values
from quarterdeck.spec.section import Section

Argument: TypeAlias = Annotated[str, Field(pattern=values.ARGUMENT)]
Pattern: TypeAlias = Annotated[str, Field(min_length=1, max_length=500)]
Patterns: TypeAlias = dict[Argument, Annotated[list[Pattern], Field(min_length=1, max_length=500)]]
Span: TypeAlias = Annotated[str, Field(pattern=values.SPAN)]
Reason: TypeAlias = Annotated[str, Field(min_length=1, max_length=500)]


class BoundSection(Section):
    """The least and the most that a number may be; what is outside is denied."""

    min: int | float | None = Field(default=None, description="The least.")
    max: int | float | None = Field(default=None, description="The most.")


class RateSection(Section):
    """At most so many calls in any such time, for each run, user, agent or tenant."""

    calls: values.RateCalls = Field(description="How many.", examples=[10])
    every: Span = Field(description="In which time, such as `30s`, `1m`, `24h`.", examples=["1m"])
    per: Annotated[values.Per, Field(strict=False)] = Field(
        default=values.Per.TENANT, description="For each run, user, agent or tenant."
    )


class ApprovalSection(Section):
    """How a person is asked when one has to be."""

    roles: Annotated[list[Annotated[str, Field(pattern=values.ROLE)]], Field(max_length=16)] = Field(
        default_factory=list[str], description="Who may answer; left out = whoever may answer approvals."
    )
    people: values.People = Field(default=1, description="How many have to say yes.")
    expires: Span = Field(default="24h", description="How long the question stands.", examples=["4h"])
    summary: Annotated[str, Field(max_length=500)] = Field(
        default="",
        description="What the call would do, in words, with arguments as `{order.id}`, and money as `{amount:usd}`, "
        "`{amount:cents}` or `{amount:micro_usd}`.",
        examples=["Refund {amount:usd} for order {order}"],
    )


class BindingSection(Section):
    """What the gate binds an argument to; the model neither chooses nor learns it. Exactly one of these."""

    claim: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="A claim of the user that the agent acts for."
    )
    of: Annotated[values.Bearer, Field(strict=False)] | None = Field(
        default=None, description="The id of the tenant, the user or the agent."
    )
    value: JsonValue = Field(default=None, description="This value.")
    values: Annotated[list[JsonValue], Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="One of these values."
    )


class AffectsSection(Section):
    """How many records a call touches, and the most that are allowed."""

    argument: Argument | None = Field(
        default=None, description="The argument that says it: a number, or a list that is counted."
    )
    result: Annotated[str, Field(pattern=values.POINTER)] | None = Field(
        default=None, description="Where in the result it stands, as a JSON pointer.", examples=["/deleted"]
    )
    per_call: values.Affected | None = Field(default=None, description="The most of one call.")
    per_run: values.Affected | None = Field(default=None, description="The most of all calls in a run.")


class PolicySections(Section):
    """What may be declared of a tool for its control."""

    destinations: Annotated[list[Argument], Field(max_length=values.MOST_MARKS)] | None = Field(
        default=None,
        description="Arguments that say to whom or where an effect goes: an account, address, URL, path, person.",
        examples=[["to", "items[].account"]],
    )
    payload: Annotated[list[Argument], Field(max_length=values.MOST_MARKS)] | None = Field(
        default=None, description="Arguments that only carry content.", examples=[["body"]]
    )
    autonomy: Annotated[values.Autonomy, Field(strict=False)] | None = Field(
        default=None,
        description="How far the agent may go by itself: `suggest`, `ask_always`, `ask_when_risky` (the default), "
        "`free` (asks only when a destination may come from outsiders).",
    )
    allow: Annotated[Patterns, Field(max_length=values.MOST_MARKS)] | None = Field(
        default=None,
        description="The only values that arguments may have; `*` stands for any text within a part.",
        examples=['{to: ["*@example.com"]}'],
    )
    deny: Annotated[Patterns, Field(max_length=values.MOST_MARKS)] | None = Field(
        default=None,
        description="Values that arguments may not have; `*` stands for any text. Case does not count.",
        examples=['{path: ["/etc/*"]}'],
    )
    bounds: Annotated[dict[Argument, BoundSection], Field(max_length=values.MOST_MARKS)] | None = Field(
        default=None, description="Bounds of numbers.", examples=["{amount: {max: 500}}"]
    )
    ask_above: Annotated[dict[Argument, int | float], Field(max_length=values.MOST_MARKS)] | None = Field(
        default=None, description="A person is asked when a number is above this.", examples=["{amount: 100}"]
    )
    ask: Reason | None = Field(
        default=None,
        description="A person is asked before every call: `always`, or the reason in words.",
        examples=["always"],
    )
    rates: Annotated[list[RateSection], Field(max_length=8)] | None = Field(
        default=None, description="How often it may be called.", examples=["[{calls: 10, every: 1m, per: user}]"]
    )
    concurrency: values.Concurrency | None = Field(
        default=None, description="Calls at the same time over all workers; 0, the default, is no limit."
    )
    secrets: Annotated[list[Annotated[str, Field(pattern=values.VAULT_NAME)]], Field(max_length=16)] | None = Field(
        default=None,
        description="Secrets that the tool is given at a call; the model never sees them.",
        examples=[["crm-token"]],
    )
    scan: Annotated[list[Annotated[values.Scan, Field(strict=False)]], Field(max_length=2)] | None = Field(
        default=None,
        description="What is taken out of its results: credentials and personal data by their shape and check digits; "
        "`secrets:note` and `pii:note` only note in the log what was found.",
        examples=[["secrets", "pii"]],
    )
    approval: ApprovalSection | None = Field(
        default=None, description="How a person is asked.", examples=["{people: 2, expires: 4h}"]
    )
    scope: Annotated[dict[Argument, BindingSection], Field(max_length=16)] | None = Field(
        default=None,
        description="Arguments that the gate fills in or holds fast.",
        examples=["{tenant_id: {claim: org}}"],
    )
    affects: AffectsSection | None = Field(
        default=None,
        description="How many records it touches, and the most allowed.",
        examples=["{argument: ids, per_call: 20}"],
    )


class SubLimitsSection(Section):
    """Where a run of the other agent ends, if its own limits are not lower."""

    max_steps: values.Steps | None = Field(default=None, description="Questions to its model.")
    max_tool_calls: values.ToolCalls | None = Field(default=None, description="Its tool calls.")
    max_seconds: values.RunSeconds | None = Field(default=None, description="Its seconds of work.")
    max_tokens: values.Tokens | None = Field(default=None, description="Tokens that it reads and writes.")


class AgentsSection(Section):
    """Another agent as a tool: it gets a task in words, and may do less than it could by itself, never more."""

    agent: Annotated[str, Field(pattern=values.SUB_AGENT)] = Field(
        description="Its name, or one release of it.", examples=["researcher"]
    )
    name: Annotated[str, Field(pattern=values.TOOL_NAME)] | None = Field(
        default=None, description="What the model calls it; by default the agent's name."
    )
    description: Annotated[str, Field(min_length=1, max_length=4000)] = Field(
        description="When to call it and what to tell it, for the model.", examples=["Finds sources on a question."]
    )
    tools: (
        Annotated[list[Annotated[str, Field(pattern=values.TOOL_NAME)]], Field(max_length=values.MOST_TOOLS)] | None
    ) = Field(default=None, description="Those of its tools that it may use here; left out = all of them.")
    autonomy: Annotated[values.Autonomy, Field(strict=False)] | None = Field(
        default=None, description="The most that it may do by itself here."
    )
    limits: SubLimitsSection | None = Field(default=None, description="Where its runs end.")


class EscalateSection(Section):
    """Whom a conversation passes to."""

    to: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="A person or team.", examples=["support-team@example.com"]
    )
