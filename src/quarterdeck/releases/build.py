"""From an agent's folder to a release: asks the tool servers what they offer, and joins it with what the author grants.

Deterministic: the order of entries in `agent.yaml` does not count, text has LF line ends, code is taken byte for byte.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError

from quarterdeck.core.ids import ReleaseId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.policies.compile import Short, compile_forms
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.rules import patterns
from quarterdeck.policies.shapes import shape_of
from quarterdeck.releases import agents, rules
from quarterdeck.releases.conduct import conduct_of
from quarterdeck.releases.grants import Grant, grants_of
from quarterdeck.releases.manifest import SCHEMA_VERSION, Manifest, Tool, as_doubles, digest_of, id_of
from quarterdeck.releases.records import BEHAVIOUR_VERSION, Extract, ToolSchema, ToolServer
from quarterdeck.releases.view import view
from quarterdeck.spec import values
from quarterdeck.spec.agent import FILE, AgentSection, ServerSection
from quarterdeck.spec.control import EscalateSection
from quarterdeck.spec.findings import AgentInvalid, Finding, Place
from quarterdeck.spec.lint import lint
from quarterdeck.spec.lint_tools import ToolText
from quarterdeck.spec.prompts import declaration_of
from quarterdeck.spec.reading import AgentFolder
from quarterdeck.spec.sources import name_of

_NO_TOOLS: Mapping[str, Sequence[ToolSchema]] = {}


@dataclass(frozen=True, slots=True)
class Draft:
    """A release as it was built and not yet registered. `files` are all that go with it, recordings included.

    `grants` are the tools with what their servers hinted at: for the author to read, no part of the release.
    """

    manifest: JsonObject
    id: ReleaseId
    files: Mapping[str, bytes]
    grants: tuple[Grant, ...]
    warnings: tuple[Finding, ...]
    lint: tuple[Finding, ...] = ()
    """What a careful reader would say: errors, warnings and hints."""

    def patterns(self) -> tuple[Finding, ...]:
        """What in it undoes policies, as warnings: the server says the same when it is registered."""
        manifest = Manifest.model_validate(self.manifest)
        release = view(TenantId(UUID(int=0)), self.id, manifest, label=None, by="", at=datetime.min.replace(tzinfo=UTC))
        return tuple(Finding(Place(FILE), found.problem, found.fix, warning=True) for found in patterns(release))


async def build(folder: AgentFolder, extract: Extract) -> Draft:
    """The release that a folder makes. Reads nothing but what `folder` holds; `extract` starts the tool servers.

    Raises AgentInvalid where what the servers offer does not fit what `agent.yaml` says, and whatever `extract` raises.
    """
    servers = servers_of(folder)
    offered = await extract(list(servers.values()), folder.files) if servers else _NO_TOOLS
    others = agents.servers_of(folder.agent)
    found: list[Finding] = []
    grants: list[Grant] = []
    for at, server in servers.items():
        section = folder.agent.tools[at]
        for result in grants_of(folder.document, at, section, server.name, offered.get(server.name, ())):
            if isinstance(result, Finding):
                found.append(result)
            else:
                grants.append(result)
    grants += agents.grants_of(folder)
    found += _twins(grants)
    policies = _policies(folder, grants)
    if all(finding.warning for finding in found):
        found += _policy_findings(folder, grants, policies)
    if any(not finding.warning for finding in found):
        raise AgentInvalid([*found, *folder.warnings])
    manifest = _manifest(folder, [*servers.values(), *others], grants, policies)
    return Draft(
        manifest=manifest,
        id=id_of(manifest),
        files={**folder.files, **folder.recordings},
        grants=tuple(sorted(grants, key=lambda grant: grant.name)),
        warnings=(*folder.warnings, *found),
        lint=lint(folder, [_text(folder, grant) for grant in grants]),
    )


def _text(folder: AgentFolder, grant: Grant) -> ToolText:
    """A tool as the lint reads it."""
    code = {name_of(section): section.python for section in folder.agent.tools}
    return ToolText(
        name=grant.name,
        remote_name=grant.remote_name,
        description=grant.description,
        parameters=grant.parameters,
        effect=grant.effect,
        place=grant.place,
        module=code.get(grant.server),
        bounded=grant.said.max_output is not None or grant.server not in code,
    )


def servers_of(folder: AgentFolder) -> dict[int, ToolServer]:
    """The tool servers of an agent, by their position in `agent.yaml`."""
    lock = folder.agent.requirements
    lock_digest = digest_of(folder.files[lock]) if lock is not None else ""
    return {at: _server(section, lock_digest) for at, section in enumerate(folder.agent.tools)}


def _server(section: ServerSection, lock_digest: str) -> ToolServer:
    name, network = name_of(section) or "", tuple(sorted(set(section.network)))
    if section.stdio is not None:
        command, environment = tuple(section.stdio.command), section.stdio.environment or None
        return ToolServer(name, values.ServerKind.STDIO, command=command, environment=environment, network=network)
    if section.mcp is not None:
        return ToolServer(name, values.ServerKind.HTTP, url=section.mcp.url, headers=section.mcp.headers or None)
    module = section.python or ""
    return ToolServer(name, values.ServerKind.PYTHON, module=module, lock_digest=lock_digest, network=network)


def _twins(grants: Sequence[Grant]) -> Iterator[Finding]:
    """Tools that the model could not tell apart."""
    seen: dict[str, Grant] = {}
    for grant in grants:
        first = seen.setdefault(grant.name, grant)
        if first is not grant:
            problem = f"two tools are called `{grant.name}`: one of `{first.server}`, one of `{grant.server}`"
            yield Finding(grant.place, problem, f"give one of them another `name` under `tools` in {FILE}")
    if len(grants) > values.MOST_TOOLS:
        yield Finding(Place(FILE), f"there are {len(grants)} tools", f"grant at most {values.MOST_TOOLS}")


def _policies(folder: AgentFolder, grants: Sequence[Grant]) -> list[PolicyText]:
    """What short forms compile to, then the agent's own files in the order of their names."""
    forms = compile_forms([Short(grant.name, shape_of(grant.parameters), grant.said) for grant in grants])
    files = [PolicyText(path, folder.policies[path]) for path in sorted(folder.policies)]
    return [*([forms] if forms is not None else []), *files]


def _policy_findings(folder: AgentFolder, grants: Sequence[Grant], policies: Sequence[PolicyText]) -> Iterator[Finding]:
    """What is wrong with the policies, in terms of the tools that are granted."""
    if not policies:
        return
    try:
        parts = [Tool.model_validate(_tool_part(grant)) for grant in grants]
    except ValidationError as fault:
        raise _unfit(folder.agent, fault) from None
    for fault in rules.policy_faults(folder.agent.name, parts, policies):
        yield Finding(Place(fault.file, fault.line, fault.column), fault.problem, fault.fix)


def _manifest(
    folder: AgentFolder, servers: Sequence[ToolServer], grants: Sequence[Grant], policies: Sequence[PolicyText]
) -> dict[str, Json]:
    agent = folder.agent
    content: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "behaviour_version": BEHAVIOUR_VERSION,
        "agent": agent.name,
        "owner": agent.owner,
        "description": agent.description,
        "prompt": {"text": folder.prompt, "digest": digest_of(folder.prompt.encode())},
        "variables": {name: declaration_of(variable) for name, variable in agent.variables.items()},
        "model": agent.model.model_dump(),
        "servers": [_server_part(server) for server in sorted(servers, key=lambda server: server.name)],
        "tools": [_tool_part(grant) for grant in sorted(grants, key=lambda grant: grant.name)],
        "limits": agent.limits.model_dump(),
        "output_schema": as_doubles(folder.output_schema),
        "files": {path: digest_of(folder.files[path]) for path in sorted(folder.files)},
        "policies": [{"name": policy.name, "text": policy.text} for policy in policies],
        "escalate_to": _escalate_to(agent),
        **conduct_of(folder),
    }
    try:
        return Manifest.model_validate(content).model_dump(mode="json")
    except ValidationError as fault:
        raise _unfit(agent, fault) from None


def _escalate_to(agent: AgentSection) -> str | None:
    if isinstance(agent.escalate, EscalateSection):
        return agent.escalate.to
    return None if agent.escalate else ""


def _server_part(server: ToolServer) -> dict[str, object]:
    return {
        "name": server.name,
        "kind": server.kind,
        "module": server.module,
        "command": list(server.command),
        "environment": server.environment,
        "url": server.url,
        "headers": server.headers,
        "lock_digest": server.lock_digest,
        "network": list(server.network),
        "agent": server.agent,
        "narrowed": server.narrowed,
    }


def _tool_part(grant: Grant) -> dict[str, object]:
    return {
        "name": grant.name,
        "server": grant.server,
        "remote_name": grant.remote_name,
        "description": grant.description,
        "parameters": as_doubles(grant.parameters),
        "output_schema": as_doubles(grant.output_schema),
        "effect": grant.effect,
        "repeat": grant.repeat,
        "trust": grant.trust,
        "timeout": grant.timeout,
        "max_output": grant.max_output,
        "retries": grant.retries,
        "max_concurrency": grant.max_concurrency,
        "destinations": list(grant.controls.destinations),
        "payload": list(grant.controls.payload),
        "autonomy": grant.controls.autonomy,
        "rates": list(grant.controls.rates),
        "concurrency": grant.controls.concurrency,
        "secrets": list(grant.controls.secrets),
        "scan": list(grant.controls.scan),
        "asking": grant.controls.asking,
        "scope": grant.controls.scope,
        "affects": grant.controls.affects,
        "cache": grant.controls.cache,
    }


def _unfit(agent: AgentSection, fault: ValidationError) -> AgentInvalid:
    """What a server said and a manifest can't hold, such as a name of a thousand letters."""
    error = fault.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in error["loc"])
    problem = f"what the tool servers of {agent.name} say can't be put into a release: {path}: {error['msg']}"
    return AgentInvalid([Finding(Place(FILE), problem, "leave that tool out, or correct its server")])
