"""The Cedar schema of a release, made from its tools: what policies may speak of, and of which type each thing is.

Principal: the agent, acting for a user. Action: a tool. Resource: the tool in its server.
"""

from collections.abc import Iterator, Mapping

from quarterdeck.policies.fitting import leaves, steps
from quarterdeck.policies.records import GrantedTool, Granting
from quarterdeck.policies.shapes import Kind, Shape, quoted, shape_of

_ENTITIES = """\
// Who acts: the agent, for a user with roles and claims (`name=value`), in a tenant, under a release.
entity Tenant;
entity Agent in [Tenant] { release: String, user: String, roles: Set<String>, claims: Set<String> };
// What is acted with: a tool in its server, with what was declared of it.
entity Server;
entity Tool in [Server] {
  effect: String, repeat: String, trust: String, destinations: Set<String>, payload: Set<String>
};
"""

_CONTEXT = """\
    approved: Bool, autonomy: String, clean: Bool, tainted: Bool,
    calls_in_run: Long, calls_by_user_today: Long, affected_in_run: Long, budget_left_micro_usd?: Long, now: datetime,
    several: Set<String>, climbing: Set<String>,
"""


def schema_text(release: Granting) -> str:
    """The schema in Cedar's own words, for people and for Cedar. Deterministic."""
    return "\n".join([_ENTITIES, *(_action(tool) for tool in sorted(release.tools, key=lambda tool: tool.name))])


def _action(tool: GrantedTool) -> str:
    shape = shape_of(tool.parameters)
    each = ", ".join(f"{quoted(path)}?: {leaf.cedar()}" for path, leaf in leaves(shape))
    lower = ", ".join(f"{quoted(path)}?: String" for path in texts_of(shape))
    origins = ", ".join(f"{quoted(path)}?: Set<String>" for path in origin_paths(tool))
    parts = f"arguments: {shape.cedar()},\n    each: {{{each}}},\n    lower: {{{lower}}},\n    origins: {{{origins}}},"
    context = f"{{\n{_CONTEXT}    {parts}\n  }}"
    return f"action {quoted(tool.name)} appliesTo {{ principal: [Agent], resource: [Tool], context: {context} }};\n"


def origin_paths(tool: GrantedTool) -> list[str]:
    """The arguments whose origins policies may ask for: each at the top, and those that are marked."""
    properties = tool.parameters.get("properties")
    names = list(properties) if isinstance(properties, Mapping) else []
    return sorted({*names, *tool.destinations, *tool.payload})


def texts_of(shape: Shape) -> Iterator[str]:
    """The paths of all text among the arguments, in lists or not."""
    yield from _texts(shape, "")


def _texts(shape: Shape, before: str) -> Iterator[str]:
    if shape.item is not None:
        yield from _texts(shape.item, f"{before}[]")
    for name, member in shape.members.items():
        if "." not in name and not steps(name)[1:]:
            yield from _texts(member.shape, f"{before}.{name}" if before else name)
    if shape.kind is Kind.TEXT:
        yield before
