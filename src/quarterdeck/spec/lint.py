"""What a careful reader would say of an agent that is right in every point: credentials where everybody reads, words of
callers among the instructions, prompts that no provider can cache, models that nobody knows to be exact.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from quarterdeck.core.json import Json
from quarterdeck.core.text import shorten
from quarterdeck.spec import endpoints, pins, template, values
from quarterdeck.spec.agent import VariableSection
from quarterdeck.spec.checks import CHECKS, Kind
from quarterdeck.spec.document import Document, Path
from quarterdeck.spec.findings import Finding, Place, listed
from quarterdeck.spec.lint_tools import ToolText, tool_findings
from quarterdeck.spec.pins import KindOf
from quarterdeck.spec.reading import AgentFolder, kind_by_name
from quarterdeck.spec.text import place_in

LONG = 2_000
"""Characters of fixed text behind a variable from which on it matters that no provider can cache them."""

_EXPOSED = "a release is kept for ever and can be read by everybody in its tenant"
_REPLACE = "take it out, have it replaced where it came from, and give it to tools as a secret (`qd secret set`)"
_BLOCK = re.compile(
    r"<(?P<tag>[A-Za-z][\w.-]{0,60})(?:\s[^<>]{0,200})?>.*?</(?P=tag)\s*>"
    r'|^(?P<fence>```+|~~~+|""")[^\n]*\n.*?^(?P=fence)|^[ \t]*>[^\n]*$',
    re.DOTALL | re.MULTILINE,
)
"""A part of a prompt that is marked off: between tags, within a fence, or quoted."""


def lint(folder: AgentFolder, tools: Sequence[ToolText], kind_of: KindOf = kind_by_name) -> tuple[Finding, ...]:
    """What is to be said, in the order of the files. Reads nothing but what was read already, and runs no code."""
    found = [
        *_prompt_secrets(folder),
        *_document_secrets(folder.document),
        *_file_secrets(folder.files),
        *_words_of_callers(folder),
        *_cache_breakers(folder),
        *_doubtful_pins(folder, kind_of),
        *tool_findings(folder, tools),
    ]
    return tuple(sorted(found, key=lambda finding: finding.place))


def _prompt_secrets(folder: AgentFolder) -> Iterator[Finding]:
    yield from _secrets(folder.prompt, folder.agent.prompt)


def _file_secrets(files: Mapping[str, bytes]) -> Iterator[Finding]:
    for path, content in files.items():
        try:
            # What comes along for the tools to read may quote such things; code that does is wrong.
            yield from _secrets(content.decode(), path, warning=not path.endswith(".py"))
        except UnicodeDecodeError:
            continue


def _secrets(text: str, file: str, *, warning: bool = False) -> Iterator[Finding]:
    for start, begins in endpoints.secrets_in(text):
        problem = f"`{begins}...` looks like a credential: {_EXPOSED}"
        yield Finding(place_in(text[:start], file), problem, _REPLACE, warning=warning)


def _document_secrets(document: Document) -> Iterator[Finding]:
    for path, text in _texts(document.value, ()):
        # What is sent to servers and checks is judged where they are.
        judged = {"url", "headers", "command", "environment"} & {str(part) for part in path}
        for _, begins in () if judged else endpoints.secrets_in(text):
            yield Finding(document.place(path), f"`{begins}...` looks like a credential: {_EXPOSED}", _REPLACE)


def _texts(value: Json, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, Sequence):
        for at, item in enumerate(value):
            yield from _texts(item, (*path, at))


def _words_of_callers(folder: AgentFolder) -> Iterator[Finding]:
    """Variables that callers fill with text and that stand where instructions stand: what is in them is obeyed."""
    text, file = folder.prompt, folder.agent.prompt
    blocks = [(found.start(), found.end()) for found in _BLOCK.finditer(text)]
    told: set[str] = set()
    for mark, start in _marks(text):
        variable = _given(folder, mark.name)
        marked_off = any(begin <= start < end for begin, end in blocks)
        if mark.name in told or variable is None or not _is_foreign(variable) or marked_off:
            continue
        told.add(mark.name)
        written = f"{{{{ {mark.name} }}}}"
        fix = (
            f"mark it off, `<{mark.name}>{written}</{mark.name}>`, and say that it is material; "
            "or, if only systems of your own fill it, declare `trust: trusted`"
        )
        problem = f"callers fill `{written}`, and it stands among the instructions: the model obeys what is in it"
        yield Finding(Place(file, mark.line, mark.column), problem, fix, warning=True)


def _given(folder: AgentFolder, name: str) -> VariableSection | None:
    """The declaration of a variable that callers fill; None for one that is unknown or has a value already."""
    if name not in folder.agent.variables:
        return None
    variable = folder.agent.variables[name] or VariableSection()
    return variable if variable.default is None else None


def _is_foreign(variable: VariableSection) -> bool:
    return variable.type is values.VariableType.STRING and variable.trust is values.Trust.UNTRUSTED


def _cache_breakers(folder: AgentFolder) -> Iterator[Finding]:
    """The first variable that changes from run to run, with long fixed text behind it."""
    text = folder.prompt
    changing = [(mark, start) for mark, start in _marks(text) if _given(folder, mark.name) is not None]
    if not changing:
        return
    mark, start = changing[0]
    names = list(dict.fromkeys(other.name for other, _ in changing))
    rest = len(text) - start - sum(len(other.written) for other, _ in changing)
    if rest > LONG:
        place = Place(folder.agent.prompt, mark.line, mark.column)
        problem = (
            f"`{{{{ {mark.name} }}}}` may differ in every run, and {rest:,} characters of fixed text come after it"
        )
        fix = f"move what holds {listed(names)} to the end: providers cache only what is the same from the beginning on"
        yield Finding(place, problem, fix, warning=True)


def _marks(text: str) -> Iterator[tuple[template.Mark, int]]:
    """Each variable of a prompt with where it begins."""
    begins = [0]
    for line in text.split("\n"):
        begins.append(begins[-1] + len(line) + 1)
    for mark in template.marks(text):
        if mark.name:
            yield mark, begins[mark.line - 1] + mark.column - 1


def _doubtful_pins(folder: AgentFolder, kind_of: KindOf) -> Iterator[Finding]:
    for path, provider, model in _models(folder):
        judgement = pins.judge_pin(kind_of(provider), model)
        if isinstance(judgement, pins.Unknown):
            problem = f"nobody here knows whether `{shorten(model, 80)}` is one exact model"
            near = f"did you mean {listed(judgement.near[:2])}? " if judgement.near else ""
            fix = f"{near}Pin the id that its vendor promises not to change"
            yield Finding(folder.document.place((*path, "id")), problem, fix, warning=True)


def _models(folder: AgentFolder) -> Iterator[tuple[Path, str, str]]:
    """Every model that `agent.yaml` names, with its place, connection and id."""
    agent = folder.agent
    yield ("model",), agent.model.provider, agent.model.id
    for name, route in agent.routes.items():
        yield ("routes", name, "model"), route.model.provider, route.model.id
    for edge, sections in (("input", agent.guardrails.input), ("output", agent.guardrails.output)):
        for at, section in enumerate(sections):
            for name, setting in CHECKS[section.check].settings.items():
                given = section.settings.get(name)
                if setting.kind is Kind.MODEL and isinstance(given, Mapping):
                    yield ("guardrails", edge, at, name), str(given.get("provider")), str(given.get("id"))
