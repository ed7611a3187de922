"""Judges a prompt template against the variables that `agent.yaml` declares."""

from collections.abc import Iterator

from quarterdeck.core.json import JsonObject
from quarterdeck.spec import template
from quarterdeck.spec.agent import FILE, AgentSection, VariableSection
from quarterdeck.spec.document import Document
from quarterdeck.spec.findings import Finding, Place, did_you_mean


def prompt_findings(document: Document, agent: AgentSection, text: str) -> Iterator[Finding]:
    """What is wrong with the template in `agent.prompt`, whose text this is, and with the variables."""
    file = agent.prompt
    if not text.strip():
        yield Finding(document.place(("prompt",)), f"`{file}` is empty", "write what the agent is to do")
    used: set[str] = set()
    for mark in template.marks(text):
        used.add(mark.name)
        place = Place(file, mark.line, mark.column)
        if not mark.name:
            yield Finding(place, f"`{mark.written}` is no variable", "write `{{ name }}`, or `\\{{` for two braces")
        elif mark.name not in agent.variables:
            fix = did_you_mean(mark.name, list(agent.variables)) if agent.variables else "declare it"
            problem = f"the variable `{mark.name}` is not declared"
            yield Finding(place, problem, f"{fix} (variables are declared under `variables` in {FILE})")
    for name, variable in agent.variables.items():
        if name not in used:
            problem, fix = f"the variable `{name}` is not used in {file}", f"use it as `{{{{ {name} }}}}`, or remove it"
            yield Finding(document.key(("variables", name)), problem, fix, warning=True)
        fault = template.declaration_fault(declaration_of(variable))
        if fault is not None:
            place = document.place(("variables", name, "default"))
            yield Finding(place, f"`variables.{name}`: {fault}", "correct the declaration")


def declaration_of(variable: VariableSection | None) -> JsonObject:
    """A variable as the manifest declares it: what was left out is filled in."""
    given = variable or VariableSection()
    required = given.default is None if given.required is None else given.required
    return {
        "type": str(given.type),
        "required": required,
        "default": given.default,
        "description": given.description,
    }
