"""Patterns in a release that undo what policies are for, found without any I/O: at `agent check`, when a release is
registered, and whenever somebody asks.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.policies.ports import Inspected, InspectedTool, Servant
from quarterdeck.spec.findings import listed

DANGEROUS = frozenset({"external_message", "payment", "deletion", "access_change", "production_change"})
"""Effects that ask a person by default."""

_SECRET = re.compile(r"secret://([A-Za-z0-9_./-]+)")
_ADMIN = re.compile(r"(?i)(?<![a-z])(admin|administrator|root|master|superuser|service[-_]?role|sudo)(?![a-z])")
_TENANT = re.compile(r"(?i)^(tenant|org|organi[sz]ation|workspace|account|customer)(_?(id|name|slug|key))?$")
_PERSONAL = re.compile(r"(?i)^(account|customer)")
_KEY_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "apikey", "x-auth-token", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Pattern:
    """An anti-pattern: its kind, the tools or servers it is about, what is wrong, and what to do instead.

    Kinds are `shared_key`, `admin_key`, `any_tenant` and `untrusted_input`.
    """

    kind: str
    about: tuple[str, ...]
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.fix}"


def patterns(release: Inspected) -> tuple[Pattern, ...]:
    """Every anti-pattern of a release."""
    found: list[Pattern] = []
    for look in (_shared_key, _admin_keys, _any_tenant, _untrusted_input):
        found += look(release)
    return tuple(found)


def _shared_key(release: Inspected) -> Iterator[Pattern]:
    """All remote servers take one credential: who has it has everything, and it can't be withdrawn from one of them."""
    remote = [server for server in release.servers if server.kind == "http"]
    if len(remote) < 2:
        return
    held = {server.name: _credentials(server, release.tools) for server in remote}
    shared = [held[remote[0].name][key] for key in frozenset[str].intersection(*map(frozenset[str], held.values()))]
    if shared:
        names = tuple(sorted(held))
        yield Pattern(
            "shared_key",
            names,
            f"the remote servers {listed(names)} all take one credential: {listed(sorted(shared))}",
            "give each server a key of its own, with no more rights than its tools need",
        )


def _admin_keys(release: Inspected) -> Iterator[Pattern]:
    """A credential that is called an admin's: its rights are wider than any one tool needs."""
    for server in release.servers:
        named = sorted(_mentioned(server, release.tools))
        wide = [name for name in named if _ADMIN.search(name)]
        if wide:
            yield Pattern(
                "admin_key",
                (server.name,),
                f"the server `{server.name}` is given {listed(wide)}, which reads like an administrator's credential",
                "use a key that can do what these tools need and nothing else",
            )


def _any_tenant(release: Inspected) -> Iterator[Pattern]:
    """The model chooses whose things a tool touches."""
    for tool in release.tools:
        bound = set(tool.scope or {})
        marked = {_head(path) for path in tool.destinations}
        free = [
            name
            for name in _properties(tool.parameters)
            if _TENANT.match(name) and name not in bound and not (_PERSONAL.match(name) and name in marked)
        ]
        if free:
            yield Pattern(
                "any_tenant",
                (tool.name,),
                f"the model fills in {listed(free)} of `{tool.name}`, so that the tool reaches anybody's",
                f"bind it in agent.yaml: `scope: {{{free[0]}: ...}}`, or mark an account as destination",
            )


def _untrusted_input(release: Inspected) -> Iterator[Pattern]:
    """What outsiders write goes straight into a tool with a dangerous effect, and no argument says where it leads."""
    sources = [tool.name for tool in release.tools if tool.effect == "read" and tool.trust == "untrusted"]
    if not sources:
        return
    for tool in release.tools:
        if tool.effect in DANGEROUS and not tool.destinations and _properties(tool.parameters):
            yield Pattern(
                "untrusted_input",
                (tool.name, *sources),
                f"`{tool.name}` ({tool.effect}) can be fed with what outsiders wrote ({listed(sources)}), and none of "
                "its arguments is marked as a destination",
                "mark the arguments that say to whom or where under `destinations:`",
            )


def _credentials(server: Servant, tools: Sequence[InspectedTool]) -> Mapping[str, str]:
    """What identifies the caller to a server, each with the name to show: secrets, and keys that stand in headers."""
    plain = {
        hashlib.sha256(value.encode()).hexdigest(): name
        for name, value in (server.headers or {}).items()
        if name.lower() in _KEY_HEADERS and not _SECRET.search(value)
    }
    return {**plain, **{name: name for name in _secrets(server, tools)}}


def _secrets(server: Servant, tools: Sequence[InspectedTool]) -> set[str]:
    texts: Iterable[str] = [*(server.headers or {}).values(), *(server.environment or {}).values()]
    named = {name for text in texts for name in _SECRET.findall(text)}
    return named | {name for tool in tools if tool.server == server.name for name in tool.secrets}


def _mentioned(server: Servant, tools: Sequence[InspectedTool]) -> set[str]:
    """Every name under which a server is given something secret."""
    return _secrets(server, tools) | set(server.headers or {}) | set(server.environment or {})


def _properties(parameters: JsonObject) -> Mapping[str, Json]:
    found = parameters.get("properties")
    return cast("Mapping[str, Json]", found) if isinstance(found, Mapping) else {}


def _head(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]
