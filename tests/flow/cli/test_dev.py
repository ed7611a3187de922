"""`qd dev`: a whole deployment in one terminal, which starts, is found, survives, and leaves nothing behind."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from quarterdeck.cli.local import recall
from tests.flow.cli.shell import Shell
from tests.flow.cli.test_nouns import written
from tests.flow.stage import a_folder, until


class Dev:
    """A running `dev` and what it has said so far."""

    def __init__(self, process: "subprocess.Popen[str]", output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def said(self) -> str:
        return self._output.read_text()

    def has_said(self, pattern: str) -> bool:
        return re.search(pattern, self.said) is not None

    def until(self, pattern: str) -> None:
        try:
            until(lambda: self.has_said(pattern), f"{pattern!r} is said", 90)
        except AssertionError:
            raise AssertionError(f"{pattern!r} was not said, but:\n{self.said}") from None

    @property
    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running(qd: Shell, *words: str) -> Iterator[Dev]:
    output = Path(tempfile.mkdtemp(dir=qd.folder), "said.txt")
    with qd.started("dev", "--port", "0", *words, output=output) as process:
        dev = Dev(process, output)
        dev.until("is running")
        yield dev


@pytest.fixture
def here():
    with a_folder() as folder:
        yield Shell(folder, {"QUARTERDECK_DRAIN_GRACE": "2", "QUARTERDECK_LEASE": "3"})


def gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def test_it_starts_is_found_by_commands_and_leaves_nothing_behind(here: Shell):
    with running(here) as dev:
        folder = here.folder / ".quarterdeck"
        access = recall(folder)
        assert access is not None
        for part in (access.url, access.key, access.admin_key):
            assert part in dev.said
        for name in ("access.json", "secret.key"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        below = here.folder / "some" / "where"
        below.mkdir(parents=True)
        assert Shell(below)("run", "list", "--json").json == []
        assert here("worker", "list", "--json").json[0]["state"] == "alive"
        checks = {check["name"]: check["verdict"] for check in here("doctor", "--json").json}
        assert checks.pop("providers") == "warn"
        assert checks.pop("tool host") == ("ok" if os.geteuid() == 0 else "warn")
        assert checks.pop("disk") in {"ok", "warn"}
        assert set(checks.values()) == {"ok"}, checks
        assert here("migrate").out == "nothing to do: the database is up to date\n"
        assert "already" in here("bootstrap", code=1).err
        assert here("bootstrap", "--force").out.startswith("qd_")

        second = here("dev", code=1)
        assert f"Process {dev.process.pid} runs Quarterdeck in" in second.err
        children = dev.children
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(30) == 0
        dev.until("stopped")
        assert gone(children)
    with running(here) as again:
        assert access.key not in again.said
        known = recall(folder)
        assert known is not None
        assert (known.key, known.admin_key) == (access.key, access.admin_key)
        assert here("run", "list", "--json").json == []


def test_processes_that_die_are_started_again_and_all_end_when_their_parent_is_killed(here: Shell):
    with running(here, "--workers", "2") as dev:
        worker = next(one for one in dev.children if one.cmdline()[4:5] == ["worker"])
        worker.kill()
        dev.until(r"worker-\d +ended by SIGKILL; starting it again")
        until(lambda: sum(one.cmdline()[4:5] == ["worker"] for one in dev.children) == 2, "the worker is back")
        started = [one for one in dev.children if one.cmdline()[4:5] in (["worker"], ["serve"])]
        assert len(started) == 3
        dev.process.kill()
        until(lambda: gone(started), "the children have left", 20)
    with running(here):
        assert here("run", "list", "--json").json == []


def test_an_agent_is_registered_and_again_when_it_changes(here: Shell):
    folder = written(here.folder / "adder", "script")
    conversation = {
        "id": "sum",
        "model": "gpt-4.1-mini-2025-04-14",
        "calls": [{"asked": [{"user": "2 + 3?"}], "answer": {"content": [{"type": "text", "text": "5"}]}}],
    }
    (folder / "cassettes").mkdir()
    (folder / "cassettes" / "sums.json").write_text(json.dumps({"cassette": 1, "conversations": [conversation]}))
    with running(here, "--agent", "adder") as dev:
        dev.until(r"provider connection `script` made: it replays the agent's recordings")
        dev.until(r"adder@[0-9a-f]{12} registered")
        assert here("run", "submit", "adder", "2 + 3?").out == "5\n"
        (folder / "prompt.md").write_text("You add with care.")
        dev.until(r"adder@[0-9a-f]{12} registered: .*prompt")
        (folder / "agent.yaml").write_text("name: [")
        dev.until(r"adder: agent\.yaml:1:\d+: ")
        written(folder, "script", prompt="You add again.")
        dev.until(r"(?s)registered.*registered.*agent\.yaml.*registered")
        assert len(here("release", "list", "adder", "--json").json) == 3


def test_ctrl_c_lets_a_step_finish_and_a_run_goes_on_with_the_next_start(here: Shell):
    steps = {"steps": [{"call": "add", "arguments": {"first": "{n}", "second": 1}, "times": 12}, {"text": "done"}]}
    written(here.folder / "adder", "script")
    with running(here, "--agent", "adder") as dev:
        options = ("--option", f"script={json.dumps(steps)}", "--option", "latency_ms=300")
        here("provider", "add", "script", "--kind", "scripted", *options)
        run = here("run", "submit", "adder", "go", "--detach").out.strip()
        until(lambda: here("run", "show", run, "--json").json["steps_used"] >= 2, "it is under way")
        dev.process.send_signal(signal.SIGTERM)
        assert dev.process.wait(30) == 0
    with running(here):
        assert here("run", "watch", run).out.splitlines()[-1] == "done"
        events = here("run", "events", run, "--json").lines
        called = [event["data"]["arguments"]["first"] for event in events if event["kind"] == "tool.called"]
        assert sorted(set(called)) == list(range(1, 13))
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_a_port_that_is_taken_is_named_before_anything_starts(here: Shell):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        began = time.monotonic()
        said = here("dev", "--port", str(port), code=1)
    assert f"127.0.0.1:{port} can't be listened on" in said.err
    assert "QUARTERDECK_PORT" in said.err
    assert time.monotonic() - began < 20
    assert not (here.folder / ".quarterdeck" / "postgres").exists()


def test_a_setting_that_is_wrong_is_named(here: Shell):
    wrong = Shell(here.folder, {"QUARTERDECK_LEASE": "soon"})
    for command in ("dev", "serve", "worker", "migrate"):
        said = wrong(command, code=1)
        assert "QUARTERDECK_LEASE" in said.err
        assert "Traceback" not in said.err


def test_processes_without_a_database_say_how_to_get_one(here: Shell, tmp_path: Path):
    empty = Shell(tmp_path)
    for command in ("serve", "worker", "migrate", "bootstrap"):
        assert "run `qd dev` in this folder" in empty(command, code=1).err
    said = empty("doctor", code=1)
    assert "fail" in said.out
    assert "QUARTERDECK_DATABASE_URL" in said.out
