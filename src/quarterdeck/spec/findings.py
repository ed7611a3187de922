"""What is found wrong with an author's files: where, what, and how to put it right, as editors and compilers say it."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from quarterdeck.core.errors import Invalid
from quarterdeck.core.json import Json


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file of the agent's folder. Lines and columns count from 1; 0 stands for the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Severity(StrEnum):
    """How bad it is. Errors hinder; warnings hinder whoever asks for that; hints are only told."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `file:line:column: problem; fix`. A warning hinders nothing, a hint still less."""

    place: Place
    problem: str
    fix: str
    warning: bool = False
    hint: bool = False

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        if self.hint:
            return Severity.HINT
        return Severity.WARNING if self.warning else Severity.ERROR

    def __str__(self) -> str:
        mark = "" if self.severity is Severity.ERROR else f"{self.severity}: "
        return f"{self.place}: {mark}{self.problem}; {self.fix}"

    def as_json(self) -> dict[str, Json]:
        """As a member of an error's `errors`."""
        where = {"file": self.place.file, "line": self.place.line, "column": self.place.column}
        return {**where, "problem": self.problem, "fix": self.fix, "warning": self.warning, "severity": self.severity}


class AgentInvalid(Invalid):
    """The agent's folder has errors."""

    code = "agent.invalid"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(
            sorted(findings, key=lambda found: (found.warning, found.hint, found.place))
        )
        shown: list[Json] = [found.as_json() for found in self.findings]
        super().__init__("\n".join(str(found) for found in self.findings), errors=shown)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The fix for an unknown word: the known one that looks like it, else all of them."""
    near = get_close_matches(word, known, 1, 0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"there are {listed(known)}" if known else "remove it"


def listed(words: Sequence[str]) -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{word}`" for word in words]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)
