"""AgentDojo as a process of its own: its tools behind MCP, its verdicts behind two more addresses."""

import os
import subprocess
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from bench.stage import free_port

HERE = Path(__file__).parent
ENVIRONMENT = HERE / ".envs" / "agentdojo"

READ = {"effect": "read", "repeat": "safe"}
PAYMENT = {"effect": "payment", "repeat": "never"}
MESSAGE = {"effect": "external_message", "repeat": "never"}
WRITE = {"effect": "write", "repeat": "never"}
DELETION = {"effect": "deletion", "repeat": "never"}
ACCESS = {"effect": "access_change", "repeat": "never"}
TOOLS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "banking": {
        **dict.fromkeys(
            ("get_iban", "get_balance", "get_most_recent_transactions", "get_scheduled_transactions"), READ
        ),
        **dict.fromkeys(("read_file", "get_user_info"), READ),
        **dict.fromkeys(("send_money", "schedule_transaction", "update_scheduled_transaction"), PAYMENT),
        "update_password": ACCESS,
        "update_user_info": WRITE,
    },
    "workspace": {
        **dict.fromkeys(("get_sent_emails", "get_received_emails", "get_draft_emails", "search_emails"), READ),
        **dict.fromkeys(("search_contacts_by_name", "search_contacts_by_email", "get_current_day"), READ),
        **dict.fromkeys(("search_calendar_events", "get_day_calendar_events"), READ),
        **dict.fromkeys(("search_files_by_filename", "get_file_by_id", "list_files", "search_files"), READ),
        **dict.fromkeys(("get_unread_emails", "append_to_file", "create_file"), WRITE),
        **dict.fromkeys(("send_email", "create_calendar_event", "cancel_calendar_event"), MESSAGE),
        **dict.fromkeys(("reschedule_calendar_event", "add_calendar_event_participants"), MESSAGE),
        **dict.fromkeys(("delete_email", "delete_file"), DELETION),
        "share_file": ACCESS,
    },
}
"""What each tool of a suite does to the world, as the agent's author would declare it."""


class Dojo:
    """The running process."""

    def __init__(self, pid: int, port: int, client: httpx.Client) -> None:
        self.pid = pid
        self.target = f"127.0.0.1:{port}"
        self.url = f"http://{self.target}/mcp"
        self._client = client

    def judge(
        self, run: str, conversation: str, trace: Sequence[Mapping[str, Any]], text: str | None
    ) -> dict[str, Any]:
        """Its verdicts on a run that has ended: `now` by its checks, `then` by those of the recording's time."""
        return self._asked("/judge", {"run": run, "conversation": conversation, "trace": trace, "text": text})

    def truth(self, conversation: str) -> dict[str, Any]:
        """The calls that it would make itself: `task` and `attack`, each with `text` or `attack_text` at the end."""
        return self._asked("/truth", {"conversation": conversation})

    def judge_alone(self, conversation: str) -> dict[str, bool]:
        """Its verdicts when it carries the recorded calls out itself, with nothing of ours in between."""
        return self._asked("/judge-alone", {"conversation": conversation})

    def count(self) -> dict[str, int]:
        """How many calls came, and how many of them for a second time."""
        return self._client.get("/count").raise_for_status().json()

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return bool(self.count())
        except httpx.HTTPError:
            return False

    def _asked(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._client.post(path, json=body).raise_for_status().json()


@contextmanager
def opened(recordings: Sequence[Path]) -> Iterator[Dojo]:
    """The process, with these recordings; its environment is made on first use."""
    python = _installed()
    port = free_port()
    command = [python, HERE / "peers" / "agentdojo_server.py", str(port), *recordings]
    # It orders the participants of a meeting by their hashes: alike in every run of the bench.
    process = subprocess.Popen(command, env={**os.environ, "PYTHONHASHSEED": "0"})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            dojo = Dojo(process.pid, port, client)
            until = time.monotonic() + 120  # it imports the clients of many model vendors
            while not dojo.answers():
                if process.poll() is not None or time.monotonic() > until:
                    raise TimeoutError("AgentDojo's tool server did not start")
                time.sleep(0.2)
            yield dojo
    finally:
        process.terminate()
        process.wait()


def _installed() -> Path:
    """The interpreter of AgentDojo's environment. The stamp is written last: an interrupted set-up starts again."""
    python, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".ready"
    if not stamp.exists():
        Console().print("installing AgentDojo, once ...")
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "peers" / "agentdojo.txt"], check=True)
        stamp.touch()
    return python
