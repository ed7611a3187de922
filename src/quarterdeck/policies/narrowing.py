"""Looks a tenant's policy through before it is put in force: it only narrows, it can be read, and it fits the tools."""

from collections.abc import Iterator, Mapping, Sequence

from quarterdeck.policies import cedar
from quarterdeck.policies.engine import narrowing_faults
from quarterdeck.policies.ports import Inspected
from quarterdeck.policies.records import PolicyFault, PolicyText
from quarterdeck.policies.sayings import tools_of
from quarterdeck.policies.schema import schema_text
from quarterdeck.policies.statements import Statement, read
from quarterdeck.spec.findings import Finding, Place, did_you_mean


def examine(wanted: PolicyText, releases: Sequence[Inspected]) -> tuple[Finding, ...]:
    """What is wrong with a text as a tenant's policy under these releases. Nothing, or warnings only: it may stand.

    A policy about tools that no release has is a warning, since an agent that has them may come. One that does not fit
    the arguments of a tool that it is about is an error: at a call it would fail, and what fails denies.
    """
    said = read(wanted)
    faults = [one for one in said if isinstance(one, PolicyFault)]
    faults += narrowing_faults([wanted])
    if faults:
        return tuple(_finding(fault) for fault in faults)
    statements = [one for one in said if isinstance(one, Statement)]
    known = sorted({tool.name for release in releases for tool in release.tools})
    by_schema = {schema_text(release): release for release in releases if release.tools}
    return (*_unfit(statements, by_schema), *_unknown(statements, known))


def _unfit(statements: Sequence[Statement], releases: Mapping[str, Inspected]) -> Iterator[Finding]:
    """What does not fit the arguments of tools. Each policy is told once, with the first misfit release."""
    told: set[str] = set()
    for schema, release in releases.items():
        names = {tool.name for tool in release.tools}
        mine = [one for one in statements if _concerns(one, names) and one.id not in told]
        if not mine or not cedar.misfits("\n".join(one.text for one in mine), schema):
            continue
        for one in mine:
            problems = cedar.misfits(one.text, schema)
            if problems:
                told.add(one.id)
                yield Finding(
                    Place(one.file, one.line, one.column),
                    f"it does not fit the tools of {release.version}: {problems[0]}",
                    "speak only of arguments that each tool has which it is about; "
                    'name the tool with `action == Action::"..."`, and ask with `has` for what may be left out',
                )


def _concerns(statement: Statement, tools: set[str]) -> bool:
    """Whether all that a policy names is among these tools: where a part is missing, its schema can't know it."""
    named = tools_of(statement)
    return named is None or named <= tools


def _unknown(statements: Sequence[Statement], known: Sequence[str]) -> Iterator[Finding]:
    for one in statements:
        for name in sorted((tools_of(one) or frozenset[str]()) - set(known)):
            yield Finding(
                Place(one.file, one.line, one.column),
                f"no agent has a tool `{name}` at present",
                did_you_mean(name, known),
                warning=True,
            )


def _finding(fault: PolicyFault) -> Finding:
    return Finding(Place(fault.file, fault.line, fault.column), fault.problem, fault.fix)
