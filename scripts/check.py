"""`make check`: everything that can be judged without running the product. Every step runs, whatever the others say."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts import lengths, links, locks, names
from scripts.findings import ROOT, Finding, files_of_the_house, report

BIN = Path(sys.executable).parent
Check = Callable[[Iterable[Path]], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to check: a command of somebody else's, or a function of ours over the files."""

    name: str
    task: tuple[str, ...] | Check


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended, and what there is to read about it."""

    step: Step
    passed: bool
    seconds: float
    output: str


STEPS = (
    Step("types", (str(BIN / "basedpyright"), "--warnings")),
    Step("style", (str(BIN / "ruff"), "check", ".")),
    Step("format", (str(BIN / "ruff"), "format", "--check", ".")),
    Step("layers", (str(BIN / "lint-imports"),)),
    Step("lengths", lengths.check),
    Step("names", names.check),
    Step("links", links.check),
    Step("locks", locks.check),
    Step("web-lint", (sys.executable, "hatch_build.py", "run", "lint")),
    Step("web-types", (sys.executable, "hatch_build.py", "run", "typecheck")),
)


def run(step: Step) -> Outcome:
    """Carry one step out."""
    started = time.monotonic()
    if callable(step.task):
        passed, lines = report(step.task(files_of_the_house()))
        output = "\n".join(lines)
    else:
        environ = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(step.task, cwd=ROOT, env=environ, check=False, capture_output=True, text=True)
        passed, output = ended.returncode == 0, ended.stdout + ended.stderr
    return Outcome(step, passed, time.monotonic() - started, output.strip())


def main(chosen: list[str]) -> int:
    """Run the chosen steps (all by default), two at a time; the exit status."""
    unknown = set(chosen) - {step.name for step in STEPS}
    if unknown:
        print(f"check: no step is called {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in STEPS)}")
        return 2
    failed: list[str] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for outcome in pool.map(run, [step for step in STEPS if not chosen or step.name in chosen]):
            mark = "ok    " if outcome.passed else "FAILED"
            print(f"{mark} {outcome.step.name:<10} {outcome.seconds:5.1f} s", flush=True)
            if outcome.output and (not outcome.passed or callable(outcome.step.task)):
                print(outcome.output, flush=True)
            if not outcome.passed:
                failed.append(outcome.step.name)
    print(f"check: {'clean' if not failed else 'failed: ' + ', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
