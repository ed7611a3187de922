"""The tutorial, followed word by word: its commands are read from the page and run in an empty folder."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.cli.local import recall
from tests.flow.cli.shell import Shell
from tests.flow.cli.test_dev import Dev
from tests.flow.stage import a_folder, until

PAGE = Path(__file__).parents[3] / "docs" / "tutorial.md"


class Reader:
    """Somebody with the page before them. `do` is the next command, which has to be the one that is expected."""

    def __init__(self, text: str) -> None:
        self._commands: Iterator[str] = iter(re.findall(r"^\$ ([^\n]*?)(?:\s+#[^\n]*)?$", text, re.MULTILINE))
        self.blocks = re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL)
        self._said = iter(re.findall(r"`dev` says\s+`([^`]*)`", text))

    def next(self, expected: str) -> str:
        command = next(self._commands)
        assert re.fullmatch(expected, command), f"the page says `{command}` where this test expects `{expected}`"
        return command

    def said_by_dev(self) -> str:
        """What `dev` says next, by the page."""
        return next(self._said)

    def block(self, language: str, begins: str) -> str:
        return next(text for kind, text in self.blocks if kind == language and text.startswith(begins))


@pytest.fixture
def folder():
    with a_folder() as made:
        yield made


def words(command: str) -> list[str]:
    """A command's words without `qd`, as a shell would part them."""
    parts = shlex.split(command)
    assert parts[0] == "qd"
    return parts[1:]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.mark.slow
def test_the_tutorial_works_word_by_word(folder: Path):
    page = Reader(PAGE.read_text(encoding="utf-8"))
    qd = Shell(folder, {"QUARTERDECK_PORT": str(free_port())})
    for install in (r"python3 -m venv \.venv", r"\. \.venv/bin/activate", "pip install quarterdeck"):
        page.next(install)

    assert qd(*words(page.next("qd init handbook"))).out.startswith("handbook: ")
    output = folder / "dev.txt"
    with qd.started(*words(page.next("qd dev --workers 2 --agent handbook")), output=output) as process:
        dev = Dev(process, output)
        dev.until("is running")
        dev.until(r"handbook@[0-9a-f]{12} registered")

        assert "five days" in qd(*words(page.next("qd run submit handbook '.*'"))).out
        for look in ("show", "trace", "events"):
            assert qd(*words(page.next(f"qd run {look} last"))).out

        kill_a_worker(page, qd)
        change_the_prompt(page, qd, dev, folder)
        from_python(page, folder)
        ask_a_person(page, qd, dev, folder)
        for command in (
            r"export OPENAI_API_KEY=.*",
            "qd provider remove openai",
            "qd provider add openai --kind openai .*",
        ):
            page.next(command)
        add_a_tool(page, dev, folder)
        page.next("qd run submit handbook '.*'")
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0


def kill_a_worker(page: Reader, qd: Shell) -> None:
    qd(*words(page.next("qd provider update openai --option speed=.*")))
    time.sleep(1.5)  # a person takes longer to read on
    run = qd(*words(page.next("qd run submit handbook '.*' --detach"))).out.strip()
    page.next("qd worker list")
    holder = until(lambda: _holder(qd), "a worker holds it")
    assert page.next("kill -9 PID")
    os.kill(holder, signal.SIGKILL)
    assert "taken over by another worker (attempt 2)" in qd(*words(page.next("qd run watch last"))).out
    assert "attempts\t2" in qd("run", "show", run).out
    qd(*words(page.next("qd provider update openai --option speed=1")))


def _holder(qd: Shell) -> int:
    """The process id that the list shows beside `1 of 100`."""
    rows = [line.split("\t") for line in qd("worker", "list").out.splitlines()]
    return next((int(row[3]) for row in rows if row[4] == "1 of 100"), 0)


def change_the_prompt(page: Reader, qd: Shell, dev: Dev, folder: Path) -> None:
    prompt = folder / "handbook" / "prompt.md"
    lines = prompt.read_text().rstrip("\n").split("\n")
    prompt.write_text("\n".join([*lines[:-1], page.block("", "Answer in the language").rstrip("\n")]) + "\n")
    said = re.escape(page.block("", "handbook@").split("registered: ")[1].strip())
    dev.until(r"handbook@[0-9a-f]{12} registered: " + said)
    qd(*words(page.next("qd release list handbook")))
    new, old = (release["release"][:8] for release in qd("release", "list", "handbook", "--json").json)
    page.next("qd release diff [0-9a-f]+ [0-9a-f]+")
    assert "one or two" in qd("release", "diff", old, new).out
    asked = words(page.next("qd run submit handbook@[0-9a-f]+ '.*'"))
    qd("run", "submit", f"handbook@{old}", asked[-1])
    agent = folder / "handbook" / "agent.yaml"
    right = agent.read_text()
    assert "max_steps:" in right
    agent.write_text(right.replace("max_steps:", "max_stepz:"))
    dev.until(r"agent\.yaml:\d+:3: there is no `limits\.max_stepz`; did you mean `max_steps`\?")
    agent.write_text(right)


def from_python(page: Reader, folder: Path) -> None:
    (folder / "ask.py").write_text(page.block("python", "from quarterdeck.sdk"))
    assert page.next(r"QUARTERDECK_URL=\S+ QUARTERDECK_KEY=\S+ python ask\.py")
    access = recall(folder / ".quarterdeck")
    assert access is not None
    environ = {**os.environ, "QUARTERDECK_URL": access.url, "QUARTERDECK_KEY": access.key}
    done = subprocess.run(
        [sys.executable, "ask.py"], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "-> " in done.stdout
    assert "succeeded after" in done.stdout


def ask_a_person(page: Reader, qd: Shell, dev: Dev, folder: Path) -> None:
    (folder / "handbook" / "cassettes" / "mail.json").write_text(page.block("json", '{"cassette"'))
    tools = folder / "handbook" / "tools.py"
    tools.write_text("\n\n".join((tools.read_text(), page.block("python", '@tool(effect="external_message"'))))
    dev.until(re.escape(page.said_by_dev()))
    run = qd(*words(page.next("qd run submit handbook '.*'")), code=6)
    assert "waiting_for_approval" in run.err
    assert "send_mail" in qd(*words(page.next("qd approval list"))).out
    [asked] = qd("approval", "list", "--json").json
    page.next("qd approval show ID")
    assert "(from: user)" in qd("approval", "show", asked["approval_id"]).out
    page.next("qd approval approve ID")
    qd("approval", "approve", asked["approval_id"])
    assert "Dana knows." in qd(*words(page.next("qd run watch last"))).out


def add_a_tool(page: Reader, dev: Dev, folder: Path) -> None:
    tools = folder / "handbook" / "tools.py"
    code = tools.read_text()
    tools.write_text("\n\n".join((f"from datetime import date\n{code}", page.block("python", '@tool(effect="read"'))))
    dev.until(re.escape(page.said_by_dev()))
