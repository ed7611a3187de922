"""Reads an agent's whole folder: `agent.yaml`, and every file that it names, judged before anything is started."""

import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from pydantic import ValidationError

from quarterdeck.core.json import JsonObject, decode_object
from quarterdeck.spec import document as documents
from quarterdeck.spec import values
from quarterdeck.spec.agent import FILE, AgentSection
from quarterdeck.spec.document import Document
from quarterdeck.spec.findings import AgentInvalid, Finding, Place
from quarterdeck.spec.folder import Folder
from quarterdeck.spec.guarding import read_guardrails
from quarterdeck.spec.lock import lock_findings
from quarterdeck.spec.money import budget_findings, context_findings
from quarterdeck.spec.paths import CASSETTES, clash, path_fault
from quarterdeck.spec.pins import KindOf
from quarterdeck.spec.prompts import prompt_findings
from quarterdeck.spec.routing import routing_findings
from quarterdeck.spec.schemas import schema_fault
from quarterdeck.spec.sources import source_findings
from quarterdeck.spec.text import place_in, text_of
from quarterdeck.spec.words import findings_of


@dataclass(frozen=True, slots=True)
class AgentFolder:
    """An agent as its folder says, without errors.

    `files` are those that are part of the release, by path; `recordings` go with it without being part of its id.
    `policies` are the texts of its Cedar files, by path; `guardrails` are complete, as a manifest holds them.
    """

    agent: AgentSection
    document: Document
    prompt: str
    output_schema: JsonObject | None
    files: Mapping[str, bytes]
    recordings: Mapping[str, bytes]
    warnings: tuple[Finding, ...]
    policies: Mapping[str, str] = field(default_factory=dict[str, str])
    guardrails: tuple[JsonObject, ...] = ()


def kind_by_name(provider: str) -> str | None:
    """The kind of a connection that is called like one: a guess, for want of a deployment that could be asked."""
    return provider if provider in {"openai", "anthropic", "google", "ollama"} else None


def read_agent(root: Path, kind_of: KindOf = kind_by_name) -> AgentFolder:
    """The agent in a folder. Starts nothing and follows no link.

    Raises AgentInvalid with everything that is wrong, each with file, line, column and fix.
    """
    folder = Folder(root)
    content = folder.read(FILE, Place(FILE), limit=documents.LARGEST)
    document = documents.read(content, FILE)
    try:
        agent = AgentSection.model_validate(document.value)
    except ValidationError as fault:
        raise AgentInvalid(findings_of(document, AgentSection, fault)) from None
    return _Reading(folder, document, agent).result(kind_of)


@dataclass(slots=True)
class _Reading:
    """One pass over a folder. Faults are gathered, so that an author sees all of them at once."""

    folder: Folder
    document: Document
    agent: AgentSection
    found: list[Finding] = field(default_factory=list[Finding])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    recordings: dict[str, bytes] = field(default_factory=dict[str, bytes])
    policies: dict[str, str] = field(default_factory=dict[str, str])

    def result(self, kind_of: KindOf) -> AgentFolder:
        """What was read. Raises AgentInvalid."""
        prompt = self._prompt()
        output = self._output()
        self.found += routing_findings(self.document, self.agent, kind_of)
        self.found += budget_findings(self.document, self.agent.budgets)
        self.found += context_findings(self.document, self.agent.context)
        self.found += source_findings(self.document, self.agent)
        for at, server in enumerate(self.agent.tools):
            if server.python is not None:
                self.module(server.python, self.document.place(("tools", at, "python")))
        guarding = read_guardrails(self.document, self.agent.guardrails, self, kind_of)
        self.found += guarding.findings
        self._requirements()
        self._policies()
        self._further_files()
        self._recordings()
        self.found += self._size_findings()
        if any(not finding.warning for finding in self.found):
            raise AgentInvalid(self.found)
        doubts = tuple(sorted(self.found, key=lambda finding: finding.place))
        return AgentFolder(
            self.agent,
            self.document,
            prompt,
            output,
            self.files,
            self.recordings,
            doubts,
            self.policies,
            tuple(guarding.rules),
        )

    def text(self, path: str, place: Place) -> str | None:
        """The words in a file that a guardrail names; what is wrong with it is found here."""
        read = self._read_text(path, place, values.LARGEST_PROMPT)
        if read is not None and not read[1].strip():
            self.found.append(Finding(place, f"`{path}` is empty", "write into it what is wanted"))
        return None if read is None else read[1]

    def schema(self, path: str, place: Place) -> JsonObject | None:
        """The JSON Schema in a file that a guardrail names."""
        schema = self._schema_file(path, place)
        fault = None if schema is None else schema_fault(schema, of_object=False)
        if fault is not None:
            self.found.append(Finding(Place(path), f"the schema can't be used: {fault}", "correct the schema"))
        return schema

    def _read(self, path: str, place: Place, limit: int = values.LARGEST_FILE) -> bytes | None:
        try:
            return self.folder.read(path, place, limit=limit)
        except AgentInvalid as fault:
            self.found += fault.findings
            return None

    def _read_text(self, path: str, place: Place, limit: int = values.LARGEST_FILE) -> tuple[bytes, str] | None:
        content = self._read(path, place, limit)
        try:
            return None if content is None else (content, text_of(content, path))
        except AgentInvalid as fault:
            self.found += fault.findings
            return None

    def _prompt(self) -> str:
        read = self._read_text(self.agent.prompt, self.document.place(("prompt",)), values.LARGEST_PROMPT)
        if read is None:
            return ""
        self.found += prompt_findings(self.document, self.agent, read[1])
        return read[1]

    def _output(self) -> JsonObject | None:
        given, place = self.agent.output, self.document.place(("output",))
        schema = self._schema_file(given, place) if isinstance(given, str) else given
        fault = None if schema is None else schema_fault(schema)
        if fault is not None:
            where = Place(given) if isinstance(given, str) else place
            self.found.append(Finding(where, f"the output schema can't be used: {fault}", "correct the schema"))
        return schema

    def _schema_file(self, file: str, place: Place) -> JsonObject | None:
        read = self._read_text(file, place, values.LARGEST_SCHEMA)
        if read is None:
            return None
        try:
            return decode_object(read[1])
        except (msgspec.DecodeError, RecursionError) as fault:
            where = _json_place(read[1], file, str(fault))
            self.found.append(Finding(where, f"this is no JSON object: {fault}", "correct its form"))
            return None

    def module(self, path: str, place: Place) -> bytes | None:
        """Take a Python file into the release; what stands in it."""
        file = path
        if not file.endswith(".py"):
            self.found.append(Finding(place, f"`{file}` is no Python file", "name a file that ends in `.py`"))
            return None
        if file.removesuffix(".py") in sys.stdlib_module_names:
            self.found.append(Finding(place, f"`{file}` has the name of a module of Python itself", "rename it"))
        content = self._read(file, place)
        if content is not None:
            self.files[file] = content
            self.found += _python_findings(content, file)
        return content

    def _requirements(self) -> None:
        file, place = self.agent.requirements, self.document.place(("requirements",))
        if file is None:
            return
        if not any(server.python for server in self.agent.tools):
            problem = "`requirements` are for Python tools, and there are none"
            self.found.append(Finding(place, problem, "remove it, or add `- python: tools.py` under `tools`"))
        read = self._read_text(file, place)
        if read is not None:
            self.files[file] = read[0]
            self.found += lock_findings(read[1], file)

    def _policies(self) -> None:
        """The texts of policy files. They are part of the release themselves, so the tools need not see them."""
        paths = self.folder.paths() if self.agent.policies else []
        for at, pattern in enumerate(self.agent.policies):
            place = self.document.place(("policies", at))
            try:
                found = self.folder.matching(pattern, place, paths)
            except AgentInvalid as fault:
                self.found += fault.findings
                continue
            for path in found:
                if not path.endswith(".cedar"):
                    self.found.append(Finding(place, f"`{path}` is no policy file", "name files that end in `.cedar`"))
                elif (read := self._read_text(path, place)) is not None:
                    self.policies[path] = read[1]
        if len(self.policies) > values.MOST_POLICY_FILES:
            problem = f"these are {len(self.policies)} policy files"
            place = self.document.place(("policies",))
            self.found.append(Finding(place, problem, f"name at most {values.MOST_POLICY_FILES}"))

    def _further_files(self) -> None:
        paths = self.folder.paths() if self.agent.files else []
        for at, pattern in enumerate(self.agent.files):
            place = self.document.place(("files", at))
            try:
                self._take(self.folder.matching(pattern, place, paths), pattern, place)
            except AgentInvalid as fault:
                self.found += fault.findings

    def _take(self, paths: list[str], pattern: str, place: Place) -> None:
        """Add files to the release, unless they are in it already or go another way."""
        apart = {FILE, self.agent.prompt, *self.files, *self.policies}
        wanted = [path for path in paths if path not in apart and not path.startswith(CASSETTES)]
        if len(self.files) + len(wanted) > values.MOST_FILES:
            problem = f"`{pattern}` means too many files: a release holds {values.MOST_FILES} at most"
            raise AgentInvalid([Finding(place, problem, "use a narrower pattern")])
        for path in wanted:
            fault = path_fault(path)
            if fault is not None:
                shown = path.encode(errors="replace").decode()
                self.found.append(Finding(place, f"`{shown}` can't be part of a release: {fault}", "rename it"))
                continue
            content = self._read(path, place)
            if content is not None:
                self.files[path] = content

    def _recordings(self) -> None:
        if not (self.folder.root / CASSETTES).is_dir():
            return
        for path in self.folder.paths():
            if path.startswith(CASSETTES) and path.endswith(".json"):
                content = self._read(path, Place(path))
                if content is not None:
                    self.recordings[path] = content

    def _size_findings(self) -> Iterator[Finding]:
        everything = {**self.files, **self.recordings}
        total = sum(len(content) for content in everything.values())
        if total > values.LARGEST_RELEASE or len(everything) > values.MOST_FILES:
            problem = f"this agent comes to {len(everything)} files with {total:,} bytes"
            most = f"a release holds at most {values.MOST_FILES} with {values.LARGEST_RELEASE:,}"
            yield Finding(self.document.key(("files",)), problem, most)
        twin = clash(list(everything))
        if twin is not None:
            yield Finding(Place(twin), "another file has the same name but for upper and lower case", "rename one")


def _python_findings(content: bytes, file: str) -> Iterator[Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _ = compile(content, file, "exec", dont_inherit=True)
    except SyntaxError as fault:
        place = Place(file, fault.lineno or 1, fault.offset or 1)
        yield Finding(place, f"this is no Python: {fault.msg}", "correct it")
    except (ValueError, RecursionError, MemoryError) as fault:
        yield Finding(Place(file), f"this is no Python: {fault}", "correct it")


def _json_place(text: str, file: str, message: str) -> Place:
    """Msgspec tells the byte at which it stopped."""
    digits = message.rpartition("(byte ")[2].partition(")")[0]
    return place_in(text.encode()[: int(digits)].decode(errors="replace"), file) if digits.isdigit() else Place(file)
