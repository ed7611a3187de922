"""Looks a tenant's policy through before it is put in force: it only narrows, it can be read, and it fits the tools."""

from collections.abc import Iterator, Sequence

from quarterdeck.policies.ports import Inspected
from quarterdeck.policies.records import PolicyFault, PolicyText
from quarterdeck.policies.sayings import tools_of
from quarterdeck.policies.schema import schema_text
from quarterdeck.policies.statements import Statement, read
from quarterdeck.policies.validation import validate_tenant
from quarterdeck.spec.findings import Finding, Place, did_you_mean


def examine(wanted: PolicyText, releases: Sequence[Inspected]) -> tuple[Finding, ...]:
    """What is wrong with a text as a tenant's policy under these releases. Nothing, or warnings only: it may stand.

    A policy about tools that no release has is a warning, since an agent that has them may come. One that does not fit
    the arguments of a tool that it is about is an error: at a call it would fail, and what fails denies.
    """
    faults = validate_tenant([wanted])
    if faults:
        return tuple(_finding(fault) for fault in faults)
    statements = [one for one in read(wanted) if isinstance(one, Statement)]
    known = sorted({tool.name for release in releases for tool in release.tools})
    return (*_unfit(wanted, statements, releases), *_unknown(statements, known))


def _unfit(wanted: PolicyText, statements: Sequence[Statement], releases: Sequence[Inspected]) -> Iterator[Finding]:
    """What does not fit the arguments of tools. Each policy is told once, with the first release that it misfits."""
    told: set[tuple[int, int]] = set()
    by_schema = {schema_text(release): release for release in releases if release.tools}
    for release in by_schema.values():
        tools = {tool.name for tool in release.tools}
        mine = {(one.line, one.column) for one in statements if _concerns(one, tools)} - told
        for fault in validate_tenant([wanted], [release]) if mine else ():
            place = (fault.line, fault.column)
            if place in mine and place not in told:
                told.add(place)
                yield _finding(fault, f"with the tools of {release.version}, ")


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


def _finding(fault: PolicyFault, where: str = "") -> Finding:
    return Finding(Place(fault.file, fault.line, fault.column), f"{where}{fault.problem}", fault.fix)
