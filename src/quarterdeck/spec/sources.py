"""Judges where an agent's tools come from, as `agent.yaml` says it: without reading a file or asking a server."""

from collections.abc import Iterator

from quarterdeck.core.text import shorten
from quarterdeck.spec import endpoints
from quarterdeck.spec.agent import AddressSection, AgentSection, CommandSection, ServerSection
from quarterdeck.spec.document import Document
from quarterdeck.spec.findings import Finding

_KINDS = ("python", "stdio", "mcp")

_NO_CREDENTIAL = "remove it, or name a secret of the vault: `secret://NAME`"


def name_of(server: ServerSection) -> str | None:
    """What a source of tools is called: as it says, or for Python like its file."""
    if server.name is not None or server.python is None:
        return server.name
    return server.python.rpartition("/")[2].removesuffix(".py").lower() or None


def source_findings(document: Document, agent: AgentSection) -> Iterator[Finding]:
    """What is wrong with the sources of tools, in order."""
    names: dict[str, int] = {}
    for at, server in enumerate(agent.tools):
        place = document.place(("tools", at))
        given = [kind for kind in _KINDS if getattr(server, kind) is not None]
        if len(given) != 1:
            has = f"has {' and '.join(f'`{one}`' for one in given)}" if given else "has none of them"
            problem = f"`tools[{at}]` needs exactly one of `python`, `stdio` and `mcp`; it {has}"
            yield Finding(place, problem, "make each source of tools an entry of its own")
            continue
        name = name_of(server)
        if name is None:
            yield Finding(place, f"`tools[{at}]` needs a `name`", "add one, such as `name: search`")
        elif name in names:
            problem = f"another source of tools is called `{name}` too (`tools[{names[name]}]`)"
            yield Finding(place, problem, "give this one another `name`")
        else:
            names[name] = at
        if server.stdio is not None:
            yield from _command_findings(document, at, server.stdio)
        if server.mcp is not None:
            yield from _address_findings(document, at, server.mcp)


def _command_findings(document: Document, at: int, stdio: CommandSection) -> Iterator[Finding]:
    fault = endpoints.command_fault(stdio.command)
    if fault is not None:
        place = document.place(("tools", at, "stdio", "command"))
        yield Finding(place, f"the command can't be used: {fault}", "correct it")
    for name, problem in endpoints.environment_faults(stdio.environment).items():
        place = document.key(("tools", at, "stdio", "environment", name))
        yield Finding(place, f"`{shorten(name, 60)}` can't be set: {problem}", "remove it")


def _address_findings(document: Document, at: int, mcp: AddressSection) -> Iterator[Finding]:
    fault = endpoints.url_fault(mcp.url)
    if fault is not None:
        place = document.place(("tools", at, "mcp", "url"))
        yield Finding(place, f"the address can't be used: {fault}", "correct it")
    for name, value in mcp.headers.items():
        fault = endpoints.header_fault(name, value)
        if fault is not None:
            place = document.key(("tools", at, "mcp", "headers", name))
            fix = _NO_CREDENTIAL if "credential" in fault else "remove it"
            yield Finding(place, f"the header `{shorten(name, 60)}` can't be sent: {fault}", fix)
