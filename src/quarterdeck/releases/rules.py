"""Is a submitted release sound? Judged without looking anything up.

This is the server's own judgement. An author's machine makes the same checks earlier, with line numbers, but nothing
that it sends is believed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from quarterdeck.core.ids import AgentName
from quarterdeck.core.json import Json
from quarterdeck.core.text import is_storable, shorten, storable
from quarterdeck.net.records import Reach, Refusal
from quarterdeck.net.rules import judge_url
from quarterdeck.policies.base import NAME as BASE
from quarterdeck.policies.records import PolicyFault, PolicyText
from quarterdeck.policies.validation import validate
from quarterdeck.releases import conduct
from quarterdeck.releases.controls import controls_in, flaws
from quarterdeck.releases.manifest import Manifest, Server, Tool, digest_of, schemas_of
from quarterdeck.releases.records import BEHAVIOUR_VERSION, ToolGrant
from quarterdeck.releases.tasks import TASK
from quarterdeck.releases.view import grant_record, variable_json
from quarterdeck.spec import endpoints, pins, template, values
from quarterdeck.spec.agent import FILE
from quarterdeck.spec.paths import CASSETTES, clash, path_fault
from quarterdeck.spec.schemas import schema_fault

_MOST_SHOWN = 20
_PUBLIC = Reach()
_NO_OTHERS: Mapping[str, str | None] = {}
_BUILD_AGAIN = "build it again with `qd agent register`"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where in the manifest or among the files, what, and how to put it right."""

    place: str
    problem: str
    fix: str

    def as_json(self) -> dict[str, Json]:
        """As a member of an error's `errors`."""
        return {"place": self.place, "problem": self.problem, "fix": self.fix}


def judge(
    manifest: Manifest,
    files: Mapping[str, bytes],
    provider_kind: str | None,
    reach: Reach = _PUBLIC,
    kinds: Mapping[str, str | None] = _NO_OTHERS,
) -> tuple[Fault, ...]:
    """What is wrong with a submitted release, at most twenty faults; empty when it can be registered.

    `provider_kind` is that of the connection which the pin names, None while there is no such connection; `kinds` are
    those of the connections of its other models, by name. `reach` says how far its tool servers may be. A name is
    looked up at each call; an address shows here already where it leads.
    """
    checks = (
        _judge_texts(manifest),
        _judge_behaviour(manifest),
        _judge_prompt(manifest),
        _judge_pin(manifest, provider_kind),
        _judge_conduct(manifest, {**kinds, manifest.model.provider: provider_kind}, reach),
        _judge_servers(manifest, reach),
        _judge_tools(manifest),
        _judge_controls(manifest),
        _judge_policies(manifest),
        _judge_schemas(manifest),
        _judge_paths(manifest, files),
        _judge_contents(manifest, files),
    )
    return tuple(fault for _, fault in zip(range(_MOST_SHOWN), chain.from_iterable(checks), strict=False))


def needs_code(manifest: Manifest) -> bool:
    """Whether the release brings code or commands of its own, which only a deployment admin may register."""
    own = {values.ServerKind.PYTHON, values.ServerKind.STDIO}
    return any(server.kind in own for server in manifest.servers) or conduct.brings_code(manifest)


def is_recording(path: str) -> bool:
    """Whether a file is a recorded conversation: it travels with the release and is no part of its id."""
    return path.startswith(CASSETTES)


def _judge_texts(manifest: Manifest) -> Iterator[Fault]:
    for place, text in _texts(manifest.model_dump(), "manifest"):
        if not is_storable(text):
            yield Fault(shorten(storable(place), 200), "it contains a NUL or a lone surrogate", "remove that character")


def _judge_behaviour(manifest: Manifest) -> Iterator[Fault]:
    if manifest.behaviour_version > BEHAVIOUR_VERSION:
        yield Fault(
            "manifest.behaviour_version",
            f"this deployment knows behaviours up to {BEHAVIOUR_VERSION}",
            "upgrade the deployment, or build with its version of Quarterdeck",
        )


def _judge_prompt(manifest: Manifest) -> Iterator[Fault]:
    text = storable(manifest.prompt.text)
    if digest_of(text.encode()) != manifest.prompt.digest:
        yield Fault("manifest.prompt.digest", "it is not the digest of the text", _BUILD_AGAIN)
    for mark in template.marks(text):
        if mark.name not in manifest.variables:
            place = f"manifest.prompt.text, line {mark.line}, column {mark.column}"
            yield Fault(place, f"{mark.written!r} is no declared variable", "declare it under `variables`")
    for name, variable in manifest.variables.items():
        fault = template.declaration_fault(variable_json(variable))
        if fault is not None:
            yield Fault(f"manifest.variables.{name}", fault, "correct the declaration")


def _judge_pin(manifest: Manifest, provider_kind: str | None) -> Iterator[Fault]:
    refusal = pins.refusal(provider_kind, manifest.model.id)
    if refusal is not None:
        yield Fault("manifest.model.id", refusal.rstrip("."), "pin an exact id")


def _judge_conduct(manifest: Manifest, kinds: Mapping[str, str | None], reach: Reach) -> Iterator[Fault]:
    for place, problem, fix in conduct.complaints(manifest, kinds, reach):
        yield Fault(f"manifest.{place}", problem, fix)


def _judge_servers(manifest: Manifest, reach: Reach) -> Iterator[Fault]:
    for name, count in Counter(server.name for server in manifest.servers).items():
        if count > 1:
            yield Fault("manifest.servers", f"{name!r} is there {count} times", "give each server a name of its own")
    for at, server in enumerate(manifest.servers):
        for place, problem in _server_faults(server, manifest.files, reach):
            yield Fault(f"manifest.servers[{at}].{place}", problem, "correct it in agent.yaml")


def _server_faults(server: Server, files: Mapping[str, str], reach: Reach) -> Iterator[tuple[str, str]]:
    foreign = [name for name in _filled(server) if name not in _FIELDS_OF[server.kind]]
    if foreign:
        yield foreign[0], f"a {server.kind} server has no such field"
    match server.kind:
        case values.ServerKind.PYTHON:
            yield from _python_faults(server, files)
        case values.ServerKind.STDIO:
            yield from _stdio_faults(server)
        case values.ServerKind.HTTP:
            yield from _http_faults(server, reach)
        case values.ServerKind.AGENT:
            if not server.agent:
                yield "agent", "it names no agent"


def _python_faults(server: Server, files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if not server.module.endswith(".py") or server.module not in files:
        yield "module", "it is no Python file of this release"
    if server.lock_digest and server.lock_digest not in files.values():
        yield "lock_digest", "no file of this release has this digest"


def _stdio_faults(server: Server) -> Iterator[tuple[str, str]]:
    fault = endpoints.command_fault(server.command)
    if fault is not None:
        yield "command", fault
    for name, problem in endpoints.environment_faults(server.environment or {}).items():
        yield f"environment.{shorten(name, 60)}", problem


def _http_faults(server: Server, reach: Reach) -> Iterator[tuple[str, str]]:
    fault = endpoints.url_fault(server.url)
    target = judge_url(server.url, reach)
    if fault is not None:
        yield "url", fault
    elif isinstance(target, Refusal):
        yield "url", target.why.rstrip(".")
    for name, value in (server.headers or {}).items():
        fault = endpoints.header_fault(name, value)
        if fault is not None:
            yield f"headers.{shorten(name, 60)}", fault


_FIELDS_OF: Mapping[values.ServerKind, frozenset[str]] = {
    values.ServerKind.PYTHON: frozenset({"module", "lock_digest", "network"}),
    values.ServerKind.STDIO: frozenset({"command", "environment", "network"}),
    values.ServerKind.HTTP: frozenset({"url", "headers"}),
    values.ServerKind.AGENT: frozenset({"agent", "narrowed"}),
}


def _filled(server: Server) -> Iterator[str]:
    for name in ("module", "command", "environment", "url", "headers", "lock_digest", "network", "agent", "narrowed"):
        if getattr(server, name):
            yield name


def _judge_tools(manifest: Manifest) -> Iterator[Fault]:
    servers = {server.name: server.kind for server in manifest.servers}
    names = Counter(tool.name for tool in manifest.tools)
    sources = Counter((tool.server, tool.remote_name) for tool in manifest.tools)
    for at, tool in enumerate(manifest.tools):
        if names[tool.name] > 1:
            yield Fault(f"manifest.tools[{at}].name", "another tool has this name", "rename one in agent.yaml")
        if sources[tool.server, tool.remote_name] > 1:
            yield Fault(f"manifest.tools[{at}].remote_name", "it is granted twice", "grant it once")
        kind = servers.get(tool.server)
        if tool.secrets and kind not in {None, values.ServerKind.PYTHON}:
            yield Fault(f"manifest.tools[{at}].secrets", endpoints.ONLY_OWN_CODE, "take them away")
        if tool.server not in servers:
            yield Fault(f"manifest.tools[{at}].server", "there is no such server", _BUILD_AGAIN)


def _judge_controls(manifest: Manifest) -> Iterator[Fault]:
    kinds = {server.name: server.kind for server in manifest.servers}
    for at, tool in enumerate(manifest.tools):
        if schema_fault(tool.parameters) is not None:
            continue
        for flaw in flaws(tool.parameters, tool.effect, controls_in(tool)):
            if not flaw.doubt:
                place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in flaw.where)
                yield Fault(f"manifest.tools[{at}]{place}", flaw.problem, flaw.fix)
        if kinds.get(tool.server) is values.ServerKind.AGENT and dict(tool.parameters) != dict(TASK):
            yield Fault(f"manifest.tools[{at}].parameters", "another agent is told a `task` and no more", _BUILD_AGAIN)


def _judge_policies(manifest: Manifest) -> Iterator[Fault]:
    names = Counter(policy.name for policy in manifest.policies)
    for at, policy in enumerate(manifest.policies):
        fault = None if policy.name == FILE else path_fault(policy.name)
        if names[policy.name] > 1 or policy.name == BASE:
            yield Fault(f"manifest.policies[{at}].name", "another has this name", "rename the file")
        elif fault is not None:
            yield Fault(f"manifest.policies[{at}].name", fault, "rename the file")
    if sum(len(policy.text) for policy in manifest.policies) > values.LARGEST_POLICIES:
        yield Fault(
            "manifest.policies", "they are too long together", f"at most {values.LARGEST_POLICIES:,} characters"
        )
        return
    texts = [PolicyText(policy.name, policy.text) for policy in manifest.policies]
    for found in policy_faults(manifest.agent, manifest.tools, texts):
        yield Fault(f"{found.file}:{found.line}:{found.column}", found.problem, found.fix)


def policy_faults(agent: str, tools: Sequence[Tool], texts: Sequence[PolicyText]) -> tuple[PolicyFault, ...]:
    """What is wrong with policies for these tools, each with file and line."""
    if not texts or any(schema_fault(tool.parameters) is not None for tool in tools):
        return ()
    return validate(_Granting(AgentName(agent), [grant_record(tool) for tool in tools], texts), texts)


@dataclass(frozen=True, slots=True)
class _Granting:
    """As much of a release as policies look at."""

    agent: AgentName
    tools: Sequence[ToolGrant]
    policies: Sequence[PolicyText]


def _judge_schemas(manifest: Manifest) -> Iterator[Fault]:
    for place, schema, of_object in schemas_of(manifest):
        fault = schema_fault(schema, of_object=of_object)
        if fault is not None:
            yield Fault(f"manifest.{place}", fault, "correct the schema")


def _judge_paths(manifest: Manifest, files: Mapping[str, bytes]) -> Iterator[Fault]:
    paths = sorted({*manifest.files, *files})
    for path in paths:
        fault = path_fault(path)
        if fault is not None:
            yield Fault(f"files[{shorten(storable(path), 80)!r}]", fault, "rename the file or leave it out")
    twin = clash(paths)
    if twin is not None:
        yield Fault(f"files[{shorten(storable(twin), 80)!r}]", "it clashes with another path", "rename one of them")
    for path in manifest.files:
        if is_recording(path):
            yield Fault(f"manifest.files[{path!r}]", "recordings are no part of the id", _BUILD_AGAIN)


def _judge_contents(manifest: Manifest, files: Mapping[str, bytes]) -> Iterator[Fault]:
    total = sum(len(content) for content in files.values())
    if len(files) > values.MOST_FILES or total > values.LARGEST_RELEASE:
        yield Fault(
            "files",
            f"there are {len(files)} files with {total:,} bytes",
            f"send at most {values.MOST_FILES} files and {values.LARGEST_RELEASE:,} bytes",
        )
    for path, expected in manifest.files.items():
        if path not in files:
            yield Fault(f"files[{path!r}]", "the manifest names it but it was not sent", "send it along")
        elif digest_of(files[path]) != expected:
            yield Fault(f"files[{path!r}]", "its content is not what the manifest says", _BUILD_AGAIN)
    for path, content in files.items():
        if path not in manifest.files and not is_recording(path):
            yield Fault(f"files[{path!r}]", "the manifest does not name it", "list it in agent.yaml or leave it out")
        if len(content) > values.LARGEST_FILE:
            yield Fault(f"files[{path!r}]", f"it has {len(content):,} bytes", f"at most {values.LARGEST_FILE:,}")


def _texts(value: Json, place: str) -> Iterator[tuple[str, str]]:
    """Every string in a manifest, names of members too, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield place, key
            yield from _texts(item, f"{place}.{key}")
    elif isinstance(value, Sequence):
        for at, item in enumerate(value):
            yield from _texts(item, f"{place}[{at}]")
