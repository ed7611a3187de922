"""What the checks of this house answer, and the list of files that they look at."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule of the house is broken, or nearly so when it is not fatal."""

    file: Path
    line: int
    what: str
    fatal: bool = True

    def __str__(self) -> str:
        """`path:line: what`, which editors can jump to."""
        path = self.file.relative_to(ROOT) if self.file.is_relative_to(ROOT) else self.file
        return f"{path}:{self.line}: {'' if self.fatal else '(advice) '}{self.what}"


def files_of_the_house() -> list[Path]:
    """Every file that git tracks or would track, so that a check also sees what is not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return [path for path in paths if path.is_file()]


def report(findings: Iterable[Finding]) -> tuple[bool, list[str]]:
    """Whether none is fatal, and the lines to print."""
    found = list(findings)
    return not any(one.fatal for one in found), [str(one) for one in found]
