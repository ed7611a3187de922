"""From the short forms of `agent.yaml` (`allow`, `deny`, `bounds`, `ask_above`, `ask`) to Cedar that one can print.

A `*` stands for text within one part: in `*@example.com` for no `@`, in `https://*.example.com/*` for no `/`; only one
at the end reaches further. What may be several addresses at once, or climbs out of a folder, is not what was allowed.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from quarterdeck.core.text import shorten
from quarterdeck.policies.fitting import at, decimal_text, folded, steps
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.shapes import Kind, Shape, quoted
from quarterdeck.spec.agent import FILE
from quarterdeck.spec.control import PolicySections

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"})
_LONG = range(-(2**63), 2**63)
_MOST_STARS = 4

Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A short form that can't become a policy: where in the tool's section, what is wrong, and the fix."""

    where: Where
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Short:
    """What one tool declares in short forms, with the arguments that it takes."""

    tool: str
    arguments: Shape
    said: PolicySections


def compile_forms(tools: Sequence[Short]) -> PolicyText | None:
    """The policies of all tools as one text, in the order of their names; None when nothing was declared.

    Only of what `misfits` is silent about.
    """
    parts = [part for short in sorted(tools, key=lambda one: one.tool) for part in _forms(short)]
    texts = [part for part in parts if isinstance(part, str)]
    return PolicyText(FILE, "\n\n".join(texts) + "\n") if texts else None


def misfits(short: Short) -> tuple[Misfit, ...]:
    """What of a tool's short forms can't become a policy."""
    return tuple(part for part in _forms(short) if isinstance(part, Misfit))


def _forms(short: Short) -> Iterator[str | Misfit]:
    said = short.said
    for path, patterns in sorted((said.allow or {}).items()):
        yield from _listed(short, "allow", path, patterns)
    for path, patterns in sorted((said.deny or {}).items()):
        yield from _listed(short, "deny", path, patterns)
    for path, bound in sorted((said.bounds or {}).items()):
        if bound.min is None and bound.max is None:
            yield Misfit(("bounds", path), "it has neither `min` nor `max`", "write `{max: 500}`")
        if bound.min is not None:
            yield _bounded(short, ("bounds", path, "min"), path, bound.min)
        if bound.max is not None:
            yield _bounded(short, ("bounds", path, "max"), path, bound.max)
    for path, limit in sorted((said.ask_above or {}).items()):
        yield _bounded(short, ("ask_above", path), path, limit)
    if said.ask is not None:
        reason = "Every call of this tool needs a yes." if said.ask == "always" else said.ask
        yield _policy(short, ("ask",), "", ask=reason)


# How an argument is spoken of.


@dataclass(frozen=True, slots=True)
class _Spoken:
    """An argument in Cedar: its value, when it is there, its type, and the path under which facts about it stand."""

    value: str
    present: str
    kind: Kind
    path: str


def _spoken(short: Short, where: Where, path: str) -> _Spoken | Misfit:
    shape = at(short.arguments, path)
    while shape is not None and shape.item is not None:
        shape, path = shape.item, f"{path}[]"
    if shape is None or shape.kind is Kind.RECORD:
        known = ", ".join(f"`{name}`" for name in list(short.arguments.members)[:12])
        problem = f"`{shorten(path, 60)}` is no argument of `{short.tool}` that policies can speak of"
        return Misfit(where, problem, f"there are {known}" if known else "write a policy file, or leave it out")
    if "[]" in path:
        return _Spoken(f"context.each[{quoted(path)}]", f"context.each has {quoted(path)}", shape.kind, path)
    value, present = "context.arguments", list[str]()
    for step in steps(path):
        word = _WORD.fullmatch(step) is not None and step not in _RESERVED
        present.append(f"{value} has {step if word else quoted(step)}")
        value += f".{step}" if word else f"[{quoted(step)}]"
    return _Spoken(value, " && ".join(present), shape.kind, path)


def _policy(short: Short, where: Where, when: str, *, unless: str = "", ask: str = "", reason: str = "") -> str:
    name = ".".join(re.sub(r"[^A-Za-z0-9_.\[\]-]", "_", str(part)) for part in ("tools", short.tool, *where))
    exceptions = [*([f"({unless})" if ask else unless] if unless else []), *(["context.approved"] if ask else [])]
    lines = [
        f"@id({quoted(name)})",
        f"@ask({quoted(ask)})" if ask else f"@reason({quoted(reason)})",
        f"forbid (principal, action == Action::{quoted(short.tool)}, resource)",
    ]
    if when:
        lines.append(f"when {{ {when} }}")
    if exceptions:
        lines.append(f"unless {{ {' || '.join(exceptions)} }}")
    return "\n".join(lines) + ";"


# Numbers.


def _bounded(short: Short, where: Where, path: str, limit: float) -> str | Misfit:
    """A number against its limit: `min` denies what is below, `max` what is above, `ask_above` asks."""
    spoken = _spoken(short, where, path)
    if isinstance(spoken, Misfit):
        return spoken
    below = where[-1] == "min"
    compared = _compared(spoken, limit, below=below)
    if compared is None:
        if spoken.kind not in {Kind.LONG, Kind.DECIMAL}:
            return Misfit(where, f"`{path}` is no number", "bounds are for numbers; use `allow` for text")
        return Misfit(where, f"{limit} can't be compared exactly", "use at most four decimal places, and 64 bits")
    when = f"{spoken.present} && {compared}"
    if where[0] == "ask_above":
        return _policy(short, where, when, ask=f"`{path}` is above {limit:,}.")
    reason = f"`{path}` has to be {'at least' if below else 'at most'} {limit:,}."
    return _policy(short, where, when, reason=reason)


def _compared(spoken: _Spoken, limit: float, *, below: bool) -> str | None:
    if spoken.kind is Kind.LONG and math.isfinite(limit):
        # Of whole numbers: more than 99.5 is more than 99, less than 99.5 is less than 100.
        whole = math.ceil(limit) if below else math.floor(limit)
        return f"{spoken.value} {'<' if below else '>'} {whole}" if whole in _LONG else None
    if spoken.kind is Kind.DECIMAL:
        text = decimal_text(Decimal(repr(limit)))
        return (
            None
            if text is None
            else f"{spoken.value}.{'lessThan' if below else 'greaterThan'}(decimal({quoted(text)}))"
        )
    return None


# Text.


def _listed(short: Short, form: str, path: str, patterns: Sequence[str]) -> Iterator[str | Misfit]:
    spoken = _spoken(short, (form, path), path)
    if isinstance(spoken, Misfit):
        yield spoken
        return
    if spoken.kind is not Kind.TEXT:
        yield Misfit((form, path), f"`{path}` is no text", "use `bounds` for numbers")
        return
    faults = [(at, fault) for at, one in enumerate(patterns) if (fault := _pattern_fault(form, one)) is not None]
    for position, (problem, fix) in faults:
        yield Misfit((form, path, position), problem, fix)
    if faults:
        return
    shown = ", ".join(patterns[:10]) + (f" and {len(patterns) - 10} more" if len(patterns) > 10 else "")
    if form == "allow":
        either = _joined([_allowed(spoken, one) for one in patterns])
        yield _policy(short, (form, path), spoken.present, unless=either, reason=f"`{path}` has to be one of: {shown}.")
        return
    # Without case and with compatible forms made one, so that a capital letter is no way around a denial.
    lower = f"context.lower[{quoted(spoken.path)}]"
    either = _joined([_matches(lower, folded(one)) for one in patterns])
    when = f"context.lower has {quoted(spoken.path)} && ({either})"
    yield _policy(short, (form, path), when, reason=f"`{path}` may not be any of: {shown}.")


def _joined(choices: Sequence[str]) -> str:
    return " ||\n  ".join(choices)


def _matches(value: str, pattern: str) -> str:
    return f"{value} like {quoted(pattern)}" if "*" in pattern else f"{value} == {quoted(pattern)}"


def _allowed(spoken: _Spoken, pattern: str) -> str:
    """That a value is what a pattern means, and nothing else besides."""
    conditions = [_matches(spoken.value, pattern)]
    if "*" not in pattern:
        return conditions[0]
    is_url, is_path = "://" in pattern, "/" in pattern
    if is_url or not is_path:
        conditions.append(f"!context.several.contains({quoted(spoken.path)})")
    if is_path:
        conditions.append(f"!context.climbing.contains({quoted(spoken.path)})")
    apart = "/?#:@" if is_url else "/" if is_path else "@" if "@" in pattern else ""
    for star in re.finditer(r"\*", pattern):
        if star.end() < len(pattern):
            before, after = pattern[: star.start()], pattern[star.end() :]
            conditions += [f"!({spoken.value} like {quoted(f'{before}*{char}*{after}')})" for char in apart]
    return f"({' && '.join(conditions)})"


def _pattern_fault(form: str, pattern: str) -> tuple[str, str] | None:
    if not pattern.replace("*", "").strip():
        return f"`{pattern}` means everything", "leave it out, or say more of what is meant"
    if pattern.count("*") > _MOST_STARS:
        return f"`{shorten(pattern, 60)}` has more than {_MOST_STARS} stars", "write several simpler ones"
    _, scheme, rest = pattern.partition("://")
    if form == "allow" and scheme and "*" in rest and "/" not in rest:
        return f"`{shorten(pattern, 60)}` would go on into other hosts", f"write `{pattern.rstrip('*')}/*`"
    return None
