"""From the manifest, which is what was registered, to the records that the runtime reads."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.policies.records import PolicyText
from quarterdeck.releases.manifest import Asked, Budget, Context, Guardrail, Manifest, Pin, RunLimits, Server, Tool
from quarterdeck.releases.manifest import Route as RoutePart
from quarterdeck.releases.manifest import Variable as Declared
from quarterdeck.releases.records import (
    Asking,
    BudgetLimit,
    ContextPolicy,
    GuardrailRule,
    Limits,
    ModelPin,
    Release,
    Route,
    ToolGrant,
    ToolRate,
    ToolServer,
)
from quarterdeck.spec.template import bind, render


def view(
    tenant: TenantId, release: ReleaseId, manifest: Manifest, *, label: str | None, by: str, at: datetime
) -> Release:
    """The release as the runtime reads it. Servers and tools come in the manifest's order, which is that of names."""
    return Release(
        tenant=tenant,
        id=release,
        agent=AgentName(manifest.agent),
        owner=manifest.owner,
        description=manifest.description,
        prompt=manifest.prompt.text,
        variables={name: variable_json(variable) for name, variable in manifest.variables.items()},
        model=_pin(manifest.model),
        servers=tuple(server_record(server) for server in manifest.servers),
        tools=tuple(grant_record(tool) for tool in manifest.tools),
        limits=_limits(manifest.limits),
        output_schema=manifest.output_schema,
        behaviour=manifest.behaviour_version,
        files=manifest.files,
        label=label,
        registered_by=by,
        registered_at=at,
        policies=tuple(PolicyText(policy.name, policy.text) for policy in manifest.policies),
        escalate_to=manifest.escalate_to,
        routes=tuple(_route(route) for route in manifest.routes),
        fallbacks=tuple(manifest.fallbacks),
        cheaper=manifest.cheaper,
        budgets=tuple(_budget(budget) for budget in manifest.budgets),
        context=_context(manifest.context),
        guardrails=tuple(_guardrail(rule) for rule in manifest.guardrails),
    )


def variable_json(variable: Declared) -> dict[str, Json]:
    """A declaration as `spec.template.bind` reads it."""
    return {
        "type": str(variable.type),
        "required": variable.required,
        "default": variable.default,
        "description": variable.description,
    }


def server_record(server: Server) -> ToolServer:
    """A server as tools are asked of it."""
    return ToolServer(
        name=server.name,
        kind=str(server.kind),
        module=server.module,
        command=tuple(server.command),
        environment=server.environment,
        url=server.url,
        headers=server.headers,
        lock_digest=server.lock_digest,
        network=tuple(server.network),
        agent=server.agent,
        narrowed=None if server.narrowed is None else server.narrowed.model_dump(mode="json"),
    )


def _pin(pin: Pin) -> ModelPin:
    return ModelPin(
        provider=pin.provider,
        id=pin.id,
        temperature=pin.temperature,
        top_p=pin.top_p,
        max_output_tokens=pin.max_output_tokens,
        timeout=pin.timeout,
        parallel_tool_calls=pin.parallel_tool_calls,
        extra=pin.extra,
    )


def grant_record(tool: Tool) -> ToolGrant:
    """A tool as gates and policies read it."""
    return ToolGrant(
        name=tool.name,
        server=tool.server,
        remote_name=tool.remote_name,
        description=tool.description,
        parameters=tool.parameters,
        effect=str(tool.effect),
        repeat=str(tool.repeat),
        trust=str(tool.trust),
        timeout=tool.timeout,
        max_output=tool.max_output,
        retries=tool.retries,
        max_concurrency=tool.max_concurrency,
        output_schema=tool.output_schema,
        destinations=tuple(tool.destinations),
        payload=tuple(tool.payload),
        autonomy=str(tool.autonomy),
        rates=tuple(ToolRate(rate.calls, rate.seconds, str(rate.per)) for rate in tool.rates),
        concurrency=tool.concurrency,
        secrets=tuple(tool.secrets),
        scan=tuple(str(scan) for scan in tool.scan),
        asking=_asking(tool.asking),
        scope=None if tool.scope is None else {name: one.model_dump(mode="json") for name, one in tool.scope.items()},
        affects=None if tool.affects is None else tool.affects.model_dump(mode="json"),
        cache=tool.cache,
    )


def _asking(asked: Asked) -> Asking:
    return Asking(tuple(asked.roles), asked.people, asked.expires_in, asked.summary)


def pin_in(given: Mapping[str, Json]) -> ModelPin:
    """The exact model that a guardrail's settings name; a manifest where it is none was refused at registration."""
    return _pin(Pin.model_validate(dict(given)))


def _route(route: RoutePart) -> Route:
    return Route(
        name=route.name,
        pin=_pin(route.pin),
        tasks=tuple(route.tasks),
        purposes=tuple(str(one) for one in route.purposes),
        input_under=route.input_under,
        first_steps=route.first_steps,
        without_tools=route.without_tools,
    )


def _budget(budget: Budget) -> BudgetLimit:
    return BudgetLimit(str(budget.scope), str(budget.window), budget.max_micro_usd, budget.max_tokens)


def _context(context: Context) -> ContextPolicy:
    return ContextPolicy(
        max_tokens=context.max_tokens,
        max_turns=context.max_turns,
        keep_turns=context.keep_turns,
        summarise=context.summarise,
        results_over=context.results_over,
    )


def _guardrail(rule: Guardrail) -> GuardrailRule:
    settings = cast("Mapping[str, Json]", rule.settings)
    return GuardrailRule(rule.name, rule.edge, rule.check, rule.action, settings)


def _limits(limits: RunLimits) -> Limits:
    return Limits(
        max_steps=limits.max_steps,
        max_tool_calls=limits.max_tool_calls,
        max_seconds=limits.max_seconds,
        max_tokens=limits.max_tokens,
        max_parallel_calls=limits.max_parallel_calls,
        max_repeats=limits.max_repeats,
    )


def prompt_for(release: Release, given: Mapping[str, Json]) -> str:
    """The release's prompt with its variables filled in: what a run's model reads as its system prompt.

    Raises Invalid, naming each fault, when `given` does not fit the variables that the release declares. The same
    release and values give the same text for ever.
    """
    declared = cast("Mapping[str, JsonObject]", release.variables)
    return render(release.prompt, bind(declared, given))
