"""Finds out whether policies can do their work, before anybody relies on them: form, types, and what they would widen.

Each is validated against the schema that the release's tools make, so that a policy which speaks of an argument that is
not there, or may be missing, is refused when it is registered instead of failing at a call.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from quarterdeck.policies import cedar
from quarterdeck.policies.records import Granting, PolicyFault, PolicyText
from quarterdeck.policies.schema import schema_text
from quarterdeck.policies.statements import Statement, read

MOST = 2_000
"""Policies of a release, or of a tenant: a decision about a tool reads all that are about it."""
_OPTIONAL = re.compile(r"unable to guarantee safety of access to optional attribute")
_MISSING = re.compile(r"attribute `.*` .*not found")


def validate(release: Granting, texts: Sequence[PolicyText]) -> tuple[PolicyFault, ...]:
    """What is wrong with a release's own policies, in order. What can't be validated is wrong."""
    return tuple(_faults(release, texts))


def validate_tenant(texts: Sequence[PolicyText], releases: Iterable[Granting] = ()) -> tuple[PolicyFault, ...]:
    """What is wrong with a tenant's policies: their form, permits among them, and what does not fit a release's tools.

    A policy about a tool that a release does not grant is passed over for that release.
    """
    found = [*narrowing_faults(texts)]
    for text in texts:
        found += [one for one in read(text) if isinstance(one, PolicyFault)]
    for release in releases:
        granted = {tool.name for tool in release.tools}
        found += _faults(release, texts, granted)
    return tuple(dict.fromkeys(found))


def narrowing_faults(texts: Sequence[PolicyText]) -> Iterator[PolicyFault]:
    """What in a tenant's policies would widen what releases grant."""
    for text in texts:
        for one in read(text):
            if isinstance(one, Statement) and not one.forbids:
                problem = "a tenant's policies only narrow, and this one permits"
                yield _fault(one, problem, "write a forbid, with `unless` for exceptions")


def _faults(release: Granting, texts: Sequence[PolicyText], only: set[str] | None = None) -> Iterator[PolicyFault]:
    count = sum(len(read(text)) for text in texts)
    if count > MOST:
        yield PolicyFault(texts[0].name, 1, 1, f"there are {count:,} policies", f"write at most {MOST:,}")
        return
    schema = schema_text(release)
    for text in texts:
        for one in read(text):
            if isinstance(one, PolicyFault):
                yield one
            elif only is None or one.action is None or one.action in only:
                yield from _statement_faults(one, schema)


def _statement_faults(one: Statement, schema: str) -> Iterator[PolicyFault]:
    if one.ask is not None and ("approved",) not in one.mentions and () not in one.mentions:
        yield _fault(one, "it asks, and a yes would change nothing", "end it with `unless { context.approved }`")
    if one.each and not one.forbids:
        yield _fault(one, "it permits by single elements of a list", "write a forbid with `unless`")
    try:
        problems = cedar.misfits(one.text, schema)
    except (cedar.Malformed, ValueError) as fault:
        problems = (cedar.one_line(str(fault)),)
    for problem in problems:
        if len(problems) > 1 and problem.startswith("unable to find an applicable action"):
            continue  # what was said before is why
        yield _fault(one, problem, _fix(problem))


def _fix(problem: str) -> str:
    if _OPTIONAL.search(problem):
        return "ask first whether it is there: `context.arguments has amount && ...`"
    if _MISSING.search(problem):
        return "see with `qd policy schema` what there is; arguments without one plain type are left out"
    if "unrecognized action" in problem:
        return "name a tool that is granted"
    return "correct it"


def _fault(one: Statement, problem: str, fix: str) -> PolicyFault:
    return PolicyFault(one.file, one.line, one.column, problem, fix)
