"""Who may do what, and what is granted and never used: read from releases, policies and the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.folding import FALSE, Facts, entity, parents, text, texts, within
from quarterdeck.policies.ports import Inspected, InspectedTool
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.sayings import Saying, saying_of


@dataclass(frozen=True, slots=True)
class Condition:
    """A policy that speaks of a tool, and whose it is: the `release`'s or the `tenant`'s."""

    saying: Saying
    policy: str
    by: str


@dataclass(frozen=True, slots=True)
class May:
    """What an agent may do with a tool: `allow`, `ask`, `deny`, or `depends` on the conditions."""

    release: Inspected
    tool: InspectedTool
    verdict: str
    conditions: tuple[Condition, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unused:
    """A tool that is granted and was not called."""

    release: Inspected
    tool: InspectedTool


def permissions(
    release: Inspected, tenant: Sequence[PolicyText], *, tool: str | None = None, user: str | None = None
) -> list[May]:
    """What an agent may do with each of its tools, or with one; for everybody, or for one user."""
    policies = PolicySet.of(release, tenant)
    theirs = frozenset(each.name for each in tenant)
    return [
        _may(release, each, policies, theirs, _facts(release, each, user))
        for each in release.tools
        if tool is None or each.name == tool
    ]


def unused(releases: Sequence[Inspected], used: Mapping[tuple[str, str], object]) -> list[Unused]:
    """Tools that releases grant and that do not stand among those used, by agent and tool."""
    return [
        Unused(release, tool)
        for release in releases
        for tool in release.tools
        if (str(release.agent), tool.name) not in used
    ]


def _may(release: Inspected, tool: InspectedTool, policies: PolicySet, theirs: frozenset[str], facts: Facts) -> May:
    found: list[Condition] = []
    for one in policies.about(tool.name):
        saying = saying_of(one, facts)
        if saying is not None and saying.covers(tool.name):
            found.append(Condition(saying, one.id, "tenant" if one.file in theirs else "release"))
    roles = sorted({role for each in found for role in each.saying.roles})
    verdict = "deny" if policies.faults else _verdict([each.saying for each in found])
    return May(release, tool, verdict, tuple(found), tuple(roles))


def _verdict(found: Sequence[Saying]) -> str:
    """What policies come to, whatever the call: forbid wins, then ask; without a permit nothing is allowed."""
    always = {saying.verb for saying in found if not saying.conditions}
    sometimes = {saying.verb for saying in found if saying.conditions}
    if "forbid" in always or "permit" not in always | sometimes:
        return "deny"
    if "forbid" in sometimes or "permit" not in always:
        return "depends"
    if "ask" in always:
        return "ask"
    return "depends" if "ask" in sometimes else "allow"


def _facts(release: Inspected, tool: InspectedTool, user: str | None) -> Facts:
    """What is known of every call of a tool, whoever makes it. Autonomy counts as the most that the release allows."""
    known = {
        ("context", "approved"): FALSE,
        ("context", "autonomy"): text(tool.autonomy),
        ("resource", "effect"): text(tool.effect),
        ("resource", "repeat"): text(tool.repeat),
        ("resource", "trust"): text(tool.trust),
        ("resource", "destinations"): texts(tuple(tool.destinations)),
        ("resource", "payload"): texts(tuple(tool.payload)),
        ("principal", "release"): text(release.id),
        ("principal",): entity("Agent", release.agent),
        ("resource",): entity("Tool", tool.name),
        within("principal"): parents("Agent", release.agent, "Tenant", str(release.tenant)),
        within("resource"): parents("Tool", tool.name, "Server", tool.server),
    }
    return known if user is None else {**known, ("principal", "user"): text(user)}
