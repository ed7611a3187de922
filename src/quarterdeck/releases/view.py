"""From the manifest, which is what was registered, to the records that the runtime reads."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.policies.records import PolicyText
from quarterdeck.releases.manifest import Asked, Manifest, Pin, RunLimits, Server, Tool, Variable
from quarterdeck.releases.records import Asking, Limits, ModelPin, Release, ToolGrant, ToolRate, ToolServer
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
    )


def variable_json(variable: Variable) -> dict[str, Json]:
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
    )


def _asking(asked: Asked) -> Asking:
    return Asking(tuple(asked.roles), asked.people, asked.expires_in, asked.summary)


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
