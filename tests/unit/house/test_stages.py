"""`make test` may not call anything green that did not run to its end."""

import sys
from pathlib import Path

import pytest

from scripts import test as stages

REPORT = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"><failure/></testcase><testcase name="c"><error/></testcase>
<testcase name="d"><skipped/></testcase>
</testsuite></testsuites>"""


def stage(code: str, *, folder: str = "scripts", may_skip: bool = True) -> stages.Stage:
    return stages.Stage("one", folder, (sys.executable, "-c", code, "{report}"), may_skip)


def writing(report: str, status: int = 0) -> str:
    report = report.replace("\n", "").replace('"', "'")
    return f'import sys; open(sys.argv[1], "w").write("{report}"); sys.exit({status})'


def test_a_report_is_counted_case_by_case(tmp_path: Path):
    count = stages.run(stage(writing(REPORT, 1)), tmp_path)
    assert (count.passed, count.failed, count.skipped, count.broken) == (1, 2, 1, "")


def test_a_stage_without_a_folder_fails(tmp_path: Path):
    assert stages.run(stage("", folder="tests/none"), tmp_path).failed == 1


def test_a_stage_that_dies_before_its_report_fails(tmp_path: Path):
    count = stages.run(stage("import os; os._exit(3)"), tmp_path)
    assert (count.failed, count.broken) == (1, "it left no report (status 3)")


def test_a_stage_whose_tests_pass_but_whose_process_fails_is_a_failure(tmp_path: Path):
    count = stages.run(stage(writing("<testsuite><testcase name='a'/></testsuite>", 3)), tmp_path)
    assert (count.passed, count.failed) == (1, 1)


def test_a_stage_without_tests_fails(tmp_path: Path):
    assert stages.run(stage(writing("<testsuite/>")), tmp_path).broken == "it holds no tests"


@pytest.mark.parametrize(("ci", "failed"), [("", 0), ("true", 1)])
def test_a_skip_where_none_is_allowed_fails_in_ci(tmp_path: Path, monkeypatch, ci: str, failed: int):
    monkeypatch.setenv("CI", ci)
    report = "<testsuite><testcase name='a'><skipped/></testcase></testsuite>"
    assert stages.run(stage(writing(report), may_skip=False), tmp_path).failed == failed


def test_stages_that_leave_a_core_free_run_at_the_same_time_and_are_told_apart(tmp_path: Path, capfd):
    meet = (
        "import os, pathlib, time; a, b = {!r}, {!r}; pathlib.Path(a).touch()\n"
        "while not os.path.exists(b): time.sleep(0.01)\n"
    )
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    green = "<testsuite><testcase name='a'/></testsuite>"
    pair = [
        stages.Stage(name, "scripts", (sys.executable, "-c", code, "{report}"), alone=False)
        for name, code in (
            ("first", meet.format(one, other) + "print('first said')\n" + writing(green)),
            ("second", meet.format(other, one) + "print('second said')\n" + writing(green, 3)),
        )
    ]
    (together,) = stages.together(pair)
    ended = [(stage.name, count.passed, count.failed) for stage, count, _ in stages.run_together(together, tmp_path)]
    assert ended == [("first", 1, 0), ("second", 1, 1)]
    told = ["", "--- first ---", "first said", "", "--- second ---", "second said", ""]
    assert capfd.readouterr().out.split("\n") == told


def test_stages_that_keep_both_cores_busy_run_one_after_another():
    order = [[stage.name for stage in group] for group in stages.together(stages.STAGES)]
    assert [name for group in order for name in group] == [stage.name for stage in stages.STAGES]
    assert [group for group in order if len(group) > 1] == [["contract", "console"]]


def test_tests_do_not_see_the_settings_of_a_real_deployment():
    assert stages.of_a_deployment("QUARTERDECK_DATABASE_URL")
    assert not stages.of_a_deployment("QUARTERDECK_TEST_DATABASE_URL")
    assert not stages.of_a_deployment("PATH")
