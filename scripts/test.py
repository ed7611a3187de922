"""`make test`: every stage of tests, as much at once as two cores take, with one plain line of counts at the end.

Stages are counted from JUnit reports and not from exit codes alone, so that a stage that crashed, or was never written,
can't pass for a green one.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from scripts.findings import ROOT

PYTEST = (sys.executable, "-m", "pytest", "--durations=8", "--durations-min=1", "--quiet")
VITEST = (sys.executable, "hatch_build.py", "run", "test", "--")
STAGE_LIMIT = 1200  # seconds; far above what any stage takes, so that a hang ends as a failure


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the tests with its own folder; `{report}` in the command is where its JUnit report goes."""

    name: str
    folder: str
    command: tuple[str, ...]
    may_skip: bool = True
    alone: bool = True
    """Whether it keeps both cores busy. Two stages in a row that don't run at the same time."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many tests of a stage ended how; `broken` is a stage that did not come to its end, in words."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    broken: str = ""

    def __add__(self, other: "Count") -> "Count":
        """Both together; a broken stage counts as one failure."""
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def pytest_stage(name: str, *options: str, may_skip: bool = True, alone: bool = True) -> Stage:
    """The stage whose tests stand in `tests/<name>`."""
    folder = f"tests/{name}"
    return Stage(name, folder, (*PYTEST, *options, "--junitxml={report}", folder), may_skip, alone)


# Flow tests stop and kill processes and look at clocks: a file at a time on each of two workers keeps that honest.
STAGES = (
    pytest_stage("unit", "-n", "2"),
    Stage("web", "web", (*VITEST, "--reporter=default", "--reporter=junit", "--outputFile.junit={report}")),
    pytest_stage("db", "-n", "2", "--dist", "loadfile"),
    pytest_stage("contract", alone=False),
    pytest_stage("console", may_skip=False, alone=False),
    pytest_stage("flow", "-n", "2", "--dist", "loadfile"),
)


def together(stages: Sequence[Stage]) -> Iterator[tuple[Stage, ...]]:
    """The stages in their order, those in pairs that run at the same time."""
    left = list(stages)
    while left:
        pair = 2 if len(left) > 1 and not (left[0].alone or left[1].alone) else 1
        yield tuple(left[:pair])
        del left[:pair]


def run(stage: Stage, reports: Path) -> Count:
    """Run one stage to its end and count it."""
    ((_, count, _),) = run_together((stage,), reports)
    return count


def run_together(stages: Sequence[Stage], reports: Path) -> Iterator[tuple[Stage, Count, float]]:
    """Run stages at the same time; each with its count and its seconds. What later ones say is shown at their turn."""
    with ExitStack() as stack:
        running = [
            (stage, stack.enter_context(Running(stage, reports, aside=place > 0))) if here(stage) else (stage, None)
            for place, stage in enumerate(stages)
        ]
        for stage, one in running:
            print(f"\n--- {stage.name} ---", flush=True)
            if one is None:
                yield stage, Count(failed=1, broken=f"{stage.folder} does not exist"), 0.0
            else:
                status = one.wait()
                yield stage, judged(stage, status, counted(one.report)), one.seconds


def here(stage: Stage) -> bool:
    """Whether the stage's folder is there."""
    return (ROOT / stage.folder).is_dir()


def judged(stage: Stage, status: int, count: Count | None) -> Count:
    """The count of a stage that ended so, and what else speaks against it."""
    if count is None:
        return Count(failed=1, broken=f"it left no report (status {status})")
    if status != 0 and count.failed == 0:
        return count + Count(failed=1, broken=f"it ended with status {status}")
    if count.passed + count.failed + count.skipped == 0:
        return Count(failed=1, broken="it holds no tests")
    if count.skipped and not stage.may_skip and os.environ.get("CI"):
        return count + Count(failed=count.skipped)
    return count


class Running:
    """A stage under way, in a process group of its own, so that what it starts ends with it, also after Ctrl-C."""

    def __init__(self, stage: Stage, reports: Path, *, aside: bool) -> None:
        self.report = reports / f"{stage.name}.xml"
        self.seconds = 0.0
        self._began = time.monotonic()
        self._said = (reports / f"{stage.name}.txt").open("w+") if aside else None
        self._process = subprocess.Popen(
            [part.format(report=self.report) for part in stage.command],
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if not of_a_deployment(key)},
            start_new_session=True,
            stdout=self._said,
            stderr=self._said and subprocess.STDOUT,
        )

    def __enter__(self) -> "Running":
        return self

    def wait(self) -> int:
        """Its exit status, once it has ended and what it said is shown."""
        try:
            return self._process.wait(max(0.0, self._began + STAGE_LIMIT - time.monotonic()))
        except subprocess.TimeoutExpired:
            print(f"test: no end after {STAGE_LIMIT} s, stopping it", flush=True)
            return 124
        finally:
            self.seconds = time.monotonic() - self._began
            self._end()

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        for kind in (signal.SIGINT, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, kind)
                wait_a_little(self._process)
        if self._said is not None and not self._said.closed:
            self._said.seek(0)
            print(self._said.read(), end="", flush=True)
            self._said.close()


def wait_a_little(process: "subprocess.Popen[bytes]") -> None:
    """Give a signalled process ten seconds to tidy up."""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        print("test: it does not end by itself", flush=True)


def of_a_deployment(variable: str) -> bool:
    """Whether a variable of this shell would point the tests at somebody's real deployment."""
    return variable.startswith("QUARTERDECK_") and not variable.startswith("QUARTERDECK_TEST_")


def counted(report: Path) -> Count | None:
    """The counts of a JUnit report; None where it is missing or cut."""
    try:
        root = ElementTree.parse(report).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    total = Count()
    for case in root.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            total += Count(failed=1)
        elif case.find("skipped") is not None:
            total += Count(skipped=1)
        else:
            total += Count(passed=1)
    return total


def main(chosen: list[str]) -> int:
    """Run the chosen stages (all by default); the exit status."""
    unknown = set(chosen) - {stage.name for stage in STAGES}
    if unknown:
        print(f"test: no stage is called {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in STAGES)}")
        return 2
    started, lines, total = time.monotonic(), list[str](), Count()
    with tempfile.TemporaryDirectory(prefix="quarterdeck-test-") as reports:
        for stages in together([stage for stage in STAGES if not chosen or stage.name in chosen]):
            for stage, count, seconds in run_together(stages, Path(reports)):
                total += count
                facts = f"{count.passed:5} passed {count.failed:4} failed {count.skipped:4} skipped {seconds:6.1f} s"
                lines.append(f"  {stage.name:<9}{facts}  {count.broken}".rstrip())
    print("\n" + "\n".join(lines))
    seconds = time.monotonic() - started
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped in {seconds:.0f} s", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
