"""Small parts: log lines, pieces of a message, spans, pairs, exit codes, what changes in a folder, checks."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from quarterdeck.cli.arguments import pairs
from quarterdeck.cli.checks import Verdict, check_clock, check_folder, check_partitions, check_secret, judge_isolation
from quarterdeck.cli.child import Event, What
from quarterdeck.cli.exits import Exit, faults_of
from quarterdeck.cli.lines import show
from quarterdeck.cli.live import Writing
from quarterdeck.cli.provider import options_of
from quarterdeck.cli.results import code_of
from quarterdeck.cli.waterfall import draw
from quarterdeck.cli.workshop import connection_for, state_of
from quarterdeck.core.errors import Conflict, Invalid
from quarterdeck.core.settings import Settings
from quarterdeck.sdk import Delta, Reset
from quarterdeck.sdk.records import Run, Span

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            '{"event":"worker.registered","level":"info","worker":"w1","timestamp":"x"}',
            ("worker.registered worker=w1", ""),
        ),
        ('{"event":"http.request","level":"info","path":"/v1/runs"}', None),
        ('{"event":"Shutting down","logger":"uvicorn.error","level":"info"}', None),
        ('{"event":"lease.lost","level":"error","worker":"w 1"}', ('lease.lost worker="w 1"', "red")),
        ('{"event":"x","level":"error","exception":"Traceback"}', ("x\nTraceback", "red")),
        ("error: the port is taken", ("error: the port is taken", "")),
        ("   ", None),
    ],
)
def test_log_lines_show_what_a_person_wants(line: str, shown: tuple[str, str] | None):
    assert show(line) == shown


def test_everything_is_shown_to_who_asks_for_everything():
    assert show('{"event":"http.request","level":"info"}', everything=True) == ("http.request", "")


def test_pieces_are_put_together_by_their_place():
    writing = Writing()
    for offset, text in ((0, "Hel"), (3, "lo"), (3, "lo")):
        writing.take(Delta(step=1, attempt=1, offset=offset, text=text))
    assert writing.text == "Hello"
    writing.take(Reset(step=1, attempt=2))
    assert writing.text == ""
    writing.take(Delta(step=1, attempt=2, offset=4, text="there"))
    assert writing.text.endswith("there")
    assert "Hell" not in writing.text


def test_reasoning_is_shown_until_there_are_words():
    writing = Writing()
    writing.take(Delta(step=1, offset=0, kind="thinking", text="hm"))
    assert writing.text == "hm"
    writing.take(Delta(step=1, offset=0, text="So"))
    assert writing.text == "So"


def span(name: str, parent: str | None, begin: float, ms: float, kind: str = "tool", status: str = "ok") -> Span:
    start = NOW + timedelta(seconds=begin)
    return Span(
        id=name,
        parent=parent,
        name=name,
        kind=kind,
        status=status,
        start=start,
        end=start + timedelta(milliseconds=ms),
        ms=ms,
    )


def test_a_waterfall_is_indented_in_proportion_and_without_checks_that_passed():
    spans = [
        span("run", None, 0, 4000, "run"),
        span("check", "run", 0, 0, "policy"),
        span("refused", "run", 0, 0, "policy", "denied"),
        span("late", "run", 2, 2000, status="error"),
    ]
    lines = list(draw(spans))
    assert [text.split("  ")[0].strip() or text.split()[0] for text, _ in lines] == ["run", "refused", "late"]
    assert [style for _, style in lines] == ["", "red", "red"]
    assert lines[2][0].startswith("  late")
    assert lines[2][0].endswith(" " * 16 + "━" * 16)
    assert list(draw([])) == []


def test_pairs_want_a_name_and_a_value():
    assert pairs(["a=b=c", "d="], "--tag") == {"a": "b=c", "d": ""}
    for wrong in ("a", "=b"):
        with pytest.raises(typer.BadParameter):
            pairs([wrong], "--tag")


def test_options_are_json_where_they_can_be():
    assert options_of(["a=1", "b=x", 'c={"d":[1]}', "e=true"]) == {"a": 1, "b": "x", "c": {"d": [1]}, "e": True}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("succeeded", 0),
        ("failed", 3),
        ("stopped", 4),
        ("cancelled", 5),
        ("waiting_for_outcome", 6),
        ("running", 7),
        ("waiting_for_retry", 7),
    ],
)
def test_exit_codes_tell_how_a_run_ended(status: str, code: int):
    assert code_of(Run(run_id="r", agent="a", status=status)) == code
    assert Exit(code) == code


def test_an_error_that_lists_faults_is_a_line_for_each():
    faults = [
        {"place": "body.a", "problem": "p", "fix": "f"},
        {"file": "agent.yaml", "line": 2, "column": 1, "problem": "q", "fix": "g"},
    ]
    assert faults_of(Invalid("long", errors=faults)) == ["body.a: p; f", "agent.yaml:2:1: q; g"]
    assert faults_of(Invalid("one", errors=faults[:1])) == ["one"]
    assert faults_of(Conflict("why", run="r")) == ["why"]


def test_a_child_that_died_says_how():
    assert Event("worker-1", What.DIED, 7, -9).words == "ended by SIGKILL; starting it again"
    assert Event("worker-1", What.ENDED, 7, 0).words == "ended with status 0"
    assert Event("worker-1", What.STARTED, 7).words == "started (pid 7)"


@pytest.mark.parametrize(
    ("name", "environ", "recorded", "made"),
    [
        ("openai", {"OPENAI_API_KEY": "k"}, True, ("openai", None, "k")),
        ("openai", {}, True, ("recorded", None, None)),
        ("openai", {"OPENAI_API_KEY": ""}, False, ("", None, None)),
        (
            "openai",
            {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://gate/v1"},
            True,
            ("openai", "http://gate/v1", "k"),
        ),
        ("google", {"GEMINI_API_KEY": "k"}, False, ("google", None, "k")),
        ("ollama", {"OLLAMA_HOST": "box:11434"}, False, ("ollama", "http://box:11434/v1", None)),
        ("ollama", {"OLLAMA_URL": "http://box:11434/v1"}, False, ("ollama", "http://box:11434/v1", None)),
        ("house", {"OPENAI_API_KEY": "k"}, False, ("", None, None)),
    ],
)
def test_a_real_model_is_asked_only_where_the_environment_says_so(name, environ, recorded, made):
    assert connection_for(name, environ, recorded=recorded) == made


def test_every_kind_of_change_in_a_folder_is_seen(tmp_path: Path):
    states = [state_of(tmp_path)]
    file = tmp_path / "a" / "b.md"
    file.parent.mkdir()
    file.write_text("x")
    states.append(state_of(tmp_path))
    os.utime(file, ns=(1, 1))
    states.append(state_of(tmp_path))
    file.rename(file.with_name("c.md"))
    states.append(state_of(tmp_path))
    file.with_name("c.md").unlink()
    states.append(state_of(tmp_path))
    assert states[0] == states[-1]
    assert len(set(states)) == 4
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("x")
    assert state_of(tmp_path) == states[0]


@pytest.mark.parametrize(("seconds", "verdict"), [(0.1, "ok"), (-5, "warn"), (60, "fail")])
def test_a_clock_that_is_off_is_told(seconds: float, verdict: str):
    assert check_clock(NOW, NOW + timedelta(seconds=seconds)).verdict == verdict


def test_a_secret_that_others_can_read_fails_with_the_command_that_helps(tmp_path: Path):
    assert check_folder(tmp_path).verdict is Verdict.OK
    (tmp_path / "secret.key").write_text("x")
    (tmp_path / "secret.key").chmod(0o644)
    check = check_folder(tmp_path)
    assert check.verdict is Verdict.FAIL
    assert check.fix == f"chmod 600 {tmp_path / 'secret.key'}"


def test_a_secret_that_is_none_fails():
    assert check_secret(Settings()).verdict is Verdict.FAIL
    assert check_secret(Settings.model_validate({"secret_key": "x" * 16})).verdict is Verdict.OK


def test_it_is_well_with_tools_only_in_a_sandbox_and_else_is_said_what_they_can_reach():
    assert judge_isolation(["sandbox=bubblewrap 0.8.0", "network=none", "uid=61200"]).verdict is Verdict.OK
    without = judge_isolation(["network=open", "uid=61200", "no_new_privs"], "it is not installed", "install it")
    assert (without.verdict, without.fix) == (Verdict.WARN, "install it")
    assert "no sandbox (it is not installed): tools reach the whole network" in without.found
    assert "run as your user" not in without.found
    assert "run as your user" in judge_isolation(["no_new_privs", "own_uid"]).found
    assert judge_isolation([]).verdict is Verdict.WARN


def test_months_to_come_are_looked_for():
    month = f"run_events_{datetime.now(UTC):%Y_%m}"
    assert check_partitions([month, "run_events_2999_01"], default_has_rows=False).verdict is Verdict.OK
    assert check_partitions([month], default_has_rows=False).verdict is Verdict.WARN
    assert check_partitions([month], default_has_rows=True).verdict is Verdict.FAIL
