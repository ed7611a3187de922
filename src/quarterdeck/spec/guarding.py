"""What an author says about guardrails, judged and completed: files that a check names become part of the release."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol, cast

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.spec import values
from quarterdeck.spec.checks import CHECKS, INPUT, OUTPUT, Kind, Setting
from quarterdeck.spec.document import Document, Path
from quarterdeck.spec.findings import Finding, Place, did_you_mean
from quarterdeck.spec.guardrails import checks_on, flaws
from quarterdeck.spec.pins import KindOf
from quarterdeck.spec.routing import ModelSection, pin_findings
from quarterdeck.spec.section import Section
from quarterdeck.spec.words import findings_within

_JSON_TYPES: Mapping[Kind, JsonObject] = {
    Kind.COUNT: {"type": "integer", "minimum": 1},
    Kind.SHARE: {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    Kind.SECONDS: {"type": "number", "exclusiveMinimum": 0, "maximum": 60},
    Kind.FLAG: {"type": "boolean"},
    Kind.WORD: {"type": "string"},
    Kind.WORDS: {"type": "array", "items": {"type": "string"}},
    Kind.PATTERNS: {"type": "array", "items": {"type": "string"}},
    Kind.TOPICS: {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    Kind.MODEL: {"type": "object", "required": ["provider", "id"]},
    Kind.TEXT_FILE: {"type": "string"},
    Kind.SCHEMA: {"type": ["string", "object"]},
    Kind.FUNCTION: {"type": "string"},
    Kind.URL: {"type": "string"},
    Kind.HEADERS: {"type": "object", "additionalProperties": {"type": "string"}},
}


def _with_settings(schema: dict[str, JsonValue]) -> None:
    """Editors complete the settings of all checks; which go with which, `qd agent check` says."""
    properties = cast("dict[str, JsonValue]", schema["properties"])
    for name, kind in CHECKS.items():
        for setting, of in kind.settings.items():
            shape = cast("dict[str, JsonValue]", dict(_JSON_TYPES[of.kind]))
            properties.setdefault(setting, {**shape, "description": f"For `{name}`: {of.what}"})
    schema["additionalProperties"] = False


class GuardrailSection(Section):
    """A check, what is done when it finds something, and the settings of that check beside them."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, json_schema_extra=_with_settings)

    check: str = Field(description="What is looked for.", examples=["injection"])
    action: str = Field(
        description="What is done. Input: `refuse`, `label` (as untrusted), `ask` (a person reviews what changes "
        "things), `record`. Output: `block`, `redact`, `retry`, `ask` (a person takes over), `record`.",
        examples=["refuse"],
    )
    name: Annotated[str, Field(pattern=values.NAME)] | None = Field(
        default=None, description="What it is called in the log; by default like its check."
    )
    fail: Annotated[values.Failing, Field(strict=False)] | None = Field(
        default=None, description="What counts when the check itself breaks: `closed` (found, the default) or `open`."
    )
    message: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="What whoever wrote the text is told."
    )

    @property
    def settings(self) -> dict[str, Json]:
        """The settings of the check as they are written, without those that were left out."""
        own = cast("Mapping[str, Json]", self.model_extra or {})
        common: dict[str, Json] = {"fail": self.fail, "message": self.message}
        return {**own, **{name: value for name, value in common.items() if value is not None}}


class GuardrailsSection(Section):
    """What comes in and what goes out is looked at, in the order given here. Signals: the guarantee is what tools may
    do.
    """

    input: Annotated[list[GuardrailSection], Field(max_length=values.MOST_GUARDRAILS)] = Field(
        default_factory=list[GuardrailSection],
        description=f"What users say: {', '.join(checks_on(INPUT))}.",
        examples=["[{check: injection, action: label}]"],
    )
    output: Annotated[list[GuardrailSection], Field(max_length=values.MOST_GUARDRAILS)] = Field(
        default_factory=list[GuardrailSection],
        description=f"What the agent answers: {', '.join(checks_on(OUTPUT))}.",
        examples=["[{check: pii, action: redact}]"],
    )


class Files(Protocol):
    """The agent's folder as guardrails need it. What is wrong with a file is kept by whoever reads it."""

    def text(self, path: str, place: Place) -> str | None:
        """The words in a file."""
        ...

    def schema(self, path: str, place: Place) -> JsonObject | None:
        """The JSON Schema in a file."""
        ...

    def module(self, path: str, place: Place) -> bytes | None:
        """Take a Python file into the release; what stands in it."""
        ...


@dataclass(frozen=True, slots=True)
class Guarding:
    """Guardrails as a release keeps them, and what is wrong with them."""

    rules: list[JsonObject] = field(default_factory=list[JsonObject])
    findings: list[Finding] = field(default_factory=list[Finding])


def read_guardrails(document: Document, sections: GuardrailsSection, files: Files, kind_of: KindOf) -> Guarding:
    """Each guardrail with its files read, in order."""
    read = Guarding()
    for edge, entries in ((INPUT, sections.input), (OUTPUT, sections.output)):
        names: set[str] = set()
        for at, section in enumerate(entries):
            path: Path = ("guardrails", edge, at)
            found = list(_findings(document, path, edge, section, kind_of))
            name = section.name or _free(section.check, names)
            if name in names:
                problem = f"another guardrail of the {edge} is called `{name}` too"
                found.append(Finding(document.place((*path, "name")), problem, "give this one another `name`"))
            names.add(name)
            read.findings.extend(found)
            if not found:
                settings = _completed(document, path, section, files)
                read.findings.extend(_function_findings(document, path, section, files))
                rule: dict[str, Json] = {"name": name, "edge": edge, "check": section.check, "action": section.action}
                read.rules.append({**rule, "settings": settings})
    return read


def _free(check: str, taken: set[str]) -> str:
    """A name for a check: its own, with a number where another has it."""
    name, number = check.replace("_", "-"), 2
    while name in taken:
        name, number = f"{check.replace('_', '-')}-{number}", number + 1
    return name


def _findings(
    document: Document, path: Path, edge: str, section: GuardrailSection, kind_of: KindOf
) -> Iterator[Finding]:
    for flaw in flaws(edge, section.check, section.action, section.settings):
        inside = (*path, flaw.member) if flaw.member else path
        value = flaw.member in {"check", "action"} or not flaw.member
        yield Finding(document.place(inside) if value else document.key(inside), flaw.problem, flaw.fix)
    for name, setting in _settings(section):
        if setting.kind is Kind.MODEL:
            yield from _model_findings(document, (*path, name), section.settings[name], kind_of)


def _model_findings(document: Document, path: Path, given: Json, kind_of: KindOf) -> Iterator[Finding]:
    if not isinstance(given, Mapping):
        return
    try:
        model = ModelSection.model_validate(given)
    except ValidationError as fault:
        yield from findings_within(document, ModelSection, fault, path)
        return
    yield from pin_findings(document, path, model, kind_of)


def _completed(document: Document, path: Path, section: GuardrailSection, files: Files) -> JsonObject:
    """The settings with the content of files in the place of their names, and models with all that is sent along."""
    settings = section.settings
    for name, setting in _settings(section):
        given, place = settings[name], document.place((*path, name))
        match setting.kind:
            case Kind.MODEL:
                settings[name] = cast("Json", ModelSection.model_validate(given).model_dump())
            case Kind.TEXT_FILE:
                settings[name] = files.text(str(given), place)
            case Kind.SCHEMA if isinstance(given, str):
                settings[name] = files.schema(given, place)
            case _:
                pass
    return settings


def _function_findings(document: Document, path: Path, section: GuardrailSection, files: Files) -> Iterator[Finding]:
    """A function that a check names has to be there. Code is read and not run."""
    for name, setting in _settings(section):
        if setting.kind is not Kind.FUNCTION:
            continue
        place = document.place((*path, name))
        file, _, function = str(section.settings[name]).partition(":")
        content = files.module(file, place)
        known = _functions(content) if content is not None else None
        if known is not None and function not in known:
            fix = did_you_mean(function, known) if known else "write it"
            yield Finding(place, f"`{file}` has no function `{function}`", fix)


def _functions(content: bytes) -> list[str] | None:
    """What can be called at the top of a file; None where it is no Python, which is found elsewhere."""
    try:
        body = ast.parse(content).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    defined = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return [*defined, *(target.id for target in targets if isinstance(target, ast.Name))]


def _settings(section: GuardrailSection) -> Iterator[tuple[str, Setting]]:
    kind = CHECKS.get(section.check)
    given = section.settings
    for name, setting in kind.settings.items() if kind is not None else ():
        if given.get(name) is not None:
            yield name, setting
