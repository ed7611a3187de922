"""`make test`: every stage of tests, one after another, with one plain line of counts at the end.

Stages are counted from JUnit reports and not from exit codes alone, so that a stage that crashed, or was never written,
can't pass for a green one.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
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


def pytest_stage(name: str, *options: str, may_skip: bool = True) -> Stage:
    """The stage whose tests stand in `tests/<name>`."""
    folder = f"tests/{name}"
    return Stage(name, folder, (*PYTEST, *options, "--junitxml={report}", folder), may_skip)


# Flow tests stop and kill processes and look at clocks: a file at a time on each of two workers keeps that honest.
STAGES = (
    pytest_stage("unit", "-n", "2"),
    Stage("web", "web", (*VITEST, "--reporter=default", "--reporter=junit", "--outputFile.junit={report}")),
    pytest_stage("db", "-n", "2", "--dist", "loadfile"),
    pytest_stage("contract"),
    pytest_stage("console", may_skip=False),
    pytest_stage("flow", "-n", "2", "--dist", "loadfile"),
)


def run(stage: Stage, reports: Path) -> Count:
    """Run one stage to its end and count it."""
    if not (ROOT / stage.folder).is_dir():
        return Count(failed=1, broken=f"{stage.folder} does not exist")
    report = reports / f"{stage.name}.xml"
    status = carry_out([part.format(report=report) for part in stage.command])
    count = counted(report)
    if count is None:
        return Count(failed=1, broken=f"it left no report (status {status})")
    if status != 0 and count.failed == 0:
        return count + Count(failed=1, broken=f"it ended with status {status}")
    if count.passed + count.failed + count.skipped == 0:
        return Count(failed=1, broken="it holds no tests")
    if count.skipped and not stage.may_skip and os.environ.get("CI"):
        return count + Count(failed=count.skipped)
    return count


def carry_out(command: list[str]) -> int:
    """Run a command in a process group of its own, so that what it starts ends with it, also after Ctrl-C."""
    kept = {key: value for key, value in os.environ.items() if not of_a_deployment(key)}
    process = subprocess.Popen(command, cwd=ROOT, env=kept, start_new_session=True)
    try:
        return process.wait(STAGE_LIMIT)
    except subprocess.TimeoutExpired:
        print(f"test: no end after {STAGE_LIMIT} s, stopping it", flush=True)
        return 124
    finally:
        for kind in (signal.SIGINT, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, kind)
                wait_a_little(process)


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
        for stage in STAGES:
            if chosen and stage.name not in chosen:
                continue
            print(f"\n--- {stage.name} ---", flush=True)
            began, count = time.monotonic(), run(stage, Path(reports))
            total += count
            seconds = time.monotonic() - began
            facts = f"{count.passed:5} passed {count.failed:4} failed {count.skipped:4} skipped {seconds:6.1f} s"
            lines.append(f"  {stage.name:<9}{facts}  {count.broken}".rstrip())
    print("\n" + "\n".join(lines))
    seconds = time.monotonic() - started
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped in {seconds:.0f} s", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
