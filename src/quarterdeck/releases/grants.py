"""What a release grants of what a tool server offers. Not declared is taken at its worst: write, never, untrusted.

An author's own Python code is believed about itself; any other server's annotations are hints that are only shown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.core.text import shorten
from quarterdeck.policies.compile import Short, misfits
from quarterdeck.policies.shapes import shape_of
from quarterdeck.releases.controls import Controls, controls_of, flaws
from quarterdeck.releases.records import ToolSchema
from quarterdeck.spec import endpoints, values
from quarterdeck.spec.agent import ServerSection, ToolSection
from quarterdeck.spec.document import Document
from quarterdeck.spec.findings import Finding, Place, did_you_mean, listed
from quarterdeck.spec.schemas import schema_fault
from quarterdeck.spec.words import dotted

_LONGEST_DESCRIPTION = 4000
_MOST_NAMED = 20
_LONGEST_TIMEOUT = 3600


@dataclass(frozen=True, slots=True)
class Grant:
    """One granted tool with everything that the manifest says of it. `place` is where the grant comes from."""

    name: str
    server: str
    remote_name: str
    description: str
    parameters: JsonObject
    output_schema: JsonObject | None
    effect: values.Effect
    repeat: values.Repeat
    trust: values.Trust
    timeout: float
    max_output: int
    retries: int
    max_concurrency: int
    place: Place
    controls: Controls = field(default_factory=Controls)
    said: ToolSection = field(default_factory=ToolSection)
    hints: Mapping[str, Json] = field(default_factory=dict[str, Json])


def grants_of(
    document: Document, at: int, section: ServerSection, server: str, offered: Sequence[ToolSchema]
) -> Iterator[Grant | Finding]:
    """The tools granted of a server, and what is wrong with them. `at` is the server's position in `agent.yaml`."""
    by_name = {tool.name: tool for tool in offered}
    for name in section.tools:
        if name not in by_name:
            yield Finding(
                document.key(("tools", at, "tools", name)),
                f"`{server}` has no tool `{shorten(name, 60)}`",
                did_you_mean(name, list(by_name)[:_MOST_NAMED]),
            )
    if not by_name:
        problem = f"`{server}` offers no tools"
        fix = "mark functions with `@tool`" if section.python else "see that the server has some, or remove it"
        yield Finding(document.place(("tools", at)), problem, fix)
    elif section.python is None and not section.tools:
        problem = f"no tool of `{server}` is granted; it offers {listed(list(by_name)[:_MOST_NAMED])}"
        yield Finding(document.place(("tools", at)), problem, "list under `tools` those that the agent may use")
    for tool in offered:
        if section.python is not None or tool.name in section.tools:
            yield from _grant(document, at, section, server, tool)


@dataclass(frozen=True, slots=True)
class _Marks:
    """What an author's code declares of a tool; None where it says nothing."""

    effect: values.Effect | None = None
    repeat: values.Repeat | None = None
    trust: values.Trust | None = None
    timeout: float | None = None
    destinations: tuple[str, ...] = ()
    payload: tuple[str, ...] = ()


def _grant(
    document: Document, at: int, section: ServerSection, server: str, tool: ToolSchema
) -> Iterator[Grant | Finding]:
    said = section.tools.get(tool.name) or ToolSection()
    place = document.key(("tools", at, "tools", tool.name))
    name = said.name or tool.name
    description = said.description or tool.description.strip()
    marks = _marks(tool) if section.python is not None else _Marks()
    effect = said.effect or marks.effect
    controls = controls_of(said, marks.destinations, marks.payload, cache=said.cache)
    faults = [*_faults(place, tool, name, description), *_mark_faults(place, tool)]
    if said.secrets and section.python is None:
        at_secrets = document.key(("tools", at, "tools", tool.name, "secrets"))
        faults.append(
            Finding(at_secrets, f"`{name}` can't be given secrets: {endpoints.ONLY_OWN_CODE}", "take them away")
        )
    if not faults:
        faults += _control_findings(document, (at, tool.name), tool, name, effect, controls, said)
    yield from faults
    if any(not fault.warning for fault in faults):
        return
    yield from _doubts(place, tool, name, description, effect)
    yield Grant(
        name=name,
        server=server,
        remote_name=tool.name,
        description=description,
        parameters=tool.parameters,
        output_schema=tool.output_schema,
        effect=effect or values.Effect.WRITE,
        repeat=said.repeat or marks.repeat or _repeat_of(effect),
        trust=said.trust or marks.trust or values.Trust.UNTRUSTED,
        timeout=said.timeout or marks.timeout or 30.0,
        max_output=said.max_output or 100_000,
        retries=2 if said.retries is None else said.retries,
        max_concurrency=said.max_concurrency or 0,
        place=place,
        controls=controls,
        said=said,
        hints=tool.hints,
    )


def _control_findings(
    document: Document,
    entry: tuple[int, str],
    tool: ToolSchema,
    name: str,
    effect: values.Effect | None,
    controls: Controls,
    said: ToolSection,
) -> Iterator[Finding]:
    """What of a tool's control does not fit its arguments, each at its place."""
    at, listed_as = entry
    within = ("tools", at, "tools", listed_as)
    for flaw in flaws(tool.parameters, effect or values.Effect.WRITE, controls):
        where = document.key((*within, *flaw.where))
        yield Finding(where, f"`{dotted((name, *flaw.where))}`: {flaw.problem}", flaw.fix, warning=flaw.doubt)
    if controls.cache and effect is not values.Effect.READ:
        problem = f"`{name}.cache`: only what a declared read returns may be given again"
        yield Finding(document.key((*within, "cache")), problem, "remove it, or declare `effect: read` if it is one")
    if controls.cache > values.LONGEST_CACHE:
        problem = f"`{name}.cache`: nothing is given again after more than {values.LONGEST_CACHE // 86_400} days"
        yield Finding(document.place((*within, "cache")), problem, "write less, such as `5m`")
    short = Short(name, shape_of(tool.parameters), said)
    for misfit in misfits(short):
        where = document.key((*within, *misfit.where))
        yield Finding(where, f"`{dotted((name, *misfit.where))}`: {misfit.problem}", misfit.fix)


def _repeat_of(effect: values.Effect | None) -> values.Repeat:
    """Where nothing is said of repeating: what was declared to change nothing can be asked again, all else can't."""
    return values.Repeat.SAFE if effect is values.Effect.READ else values.Repeat.NEVER


def _faults(place: Place, tool: ToolSchema, name: str, description: str) -> Iterator[Finding]:
    if not values.is_tool_name(name):
        problem = f"models can't be offered a tool called `{shorten(name, 80)}`"
        yield Finding(place, problem, "give it a `name` of letters, digits, dashes and underscores, at most 64")
    if len(description) > _LONGEST_DESCRIPTION:
        problem = f"the description of `{shorten(name, 60)}` has {len(description):,} characters"
        yield Finding(place, problem, f"give it a `description` of at most {_LONGEST_DESCRIPTION:,}")
    fault = schema_fault(tool.parameters)
    if fault is not None:
        problem = f"the schema of the arguments of `{shorten(name, 60)}` can't be used: {fault}"
        yield Finding(place, problem, "correct it at its server, or leave the tool out")
    fault = None if tool.output_schema is None else schema_fault(tool.output_schema, of_object=False)
    if fault is not None:
        problem = f"the schema of the results of `{shorten(name, 60)}` can't be used: {fault}"
        yield Finding(place, problem, "correct it at its server, or leave the tool out")


def _mark_faults(place: Place, tool: ToolSchema) -> Iterator[Finding]:
    """What was written in code is not checked by Python."""
    for mark, kind in _KINDS.items():
        given = tool.marks.get(mark)
        if given is not None and _known(kind, given) is None:
            problem = f"`{tool.name}` is marked `{mark}={given!r}` in its code"
            yield Finding(place, problem, f"write one of {listed(list(kind))}")
    timeout = tool.marks.get("timeout")
    if timeout is not None and (not isinstance(timeout, int | float) or not 0 < timeout <= _LONGEST_TIMEOUT):
        problem = f"`{tool.name}` is marked `timeout={timeout!r}` in its code"
        yield Finding(place, problem, f"write seconds above 0, up to {_LONGEST_TIMEOUT:,}")
    for mark in ("destinations", "payload"):
        given = tool.marks.get(mark)
        if given is not None and not _are_arguments(given):
            problem = f"`{tool.name}` is marked `{mark}={given!r}` in its code"
            yield Finding(place, problem, 'write a list of arguments, such as `["to"]`')


def _are_arguments(given: Json) -> bool:
    return (
        isinstance(given, Sequence)
        and not isinstance(given, str)
        and len(given) <= values.MOST_MARKS
        and all(isinstance(one, str) and re.fullmatch(values.ARGUMENT, one) for one in given)
    )


def _doubts(
    place: Place, tool: ToolSchema, name: str, description: str, effect: values.Effect | None
) -> Iterator[Finding]:
    """What may be registered and should be looked at."""
    if not description:
        problem = f"the tool `{name}` has no description: the model sees its name only"
        yield Finding(place, problem, "give it a docstring, or a `description` here", warning=True)
    if effect is None:
        problem = f"the tool `{name}` declares no effect: it is taken for a write that is never repeated"
        yield Finding(place, problem, "declare its `effect` (and `repeat`)", warning=True)
    if effect is values.Effect.READ and tool.hints.get("readOnlyHint") is False:
        problem = f"`{name}` is declared a read, but its server hints that it changes things"
        yield Finding(place, problem, "make sure which it is", warning=True)


def _marks(tool: ToolSchema) -> _Marks:
    timeout = tool.marks.get("timeout")
    return _Marks(
        effect=_known(values.Effect, tool.marks.get("effect")),
        repeat=_known(values.Repeat, tool.marks.get("repeat")),
        trust=_known(values.Trust, tool.marks.get("trust")),
        timeout=float(timeout) if isinstance(timeout, int | float) else None,
        destinations=_arguments(tool.marks.get("destinations")),
        payload=_arguments(tool.marks.get("payload")),
    )


def _arguments(given: Json) -> tuple[str, ...]:
    return tuple(str(one) for one in given) if isinstance(given, Sequence) and not isinstance(given, str) else ()


Word = TypeVar("Word", bound=StrEnum)


def _known(kind: type[Word], given: Json) -> Word | None:
    return next((word for word in kind if word == given), None)


_KINDS: Mapping[str, type[StrEnum]] = {"effect": values.Effect, "repeat": values.Repeat, "trust": values.Trust}
