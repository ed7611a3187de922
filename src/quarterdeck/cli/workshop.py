"""The agents that `dev` was given: registered when it starts and again whenever their files change."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.cli.agent import build_draft, model_of, send
from quarterdeck.cli.exits import faults_of, told

if TYPE_CHECKING:
    from quarterdeck.sdk import Quarterdeck

LOOK_EVERY = 1.0
VENDORS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "openai": (("OPENAI_API_KEY",), "OPENAI_BASE_URL"),
    "anthropic": (("ANTHROPIC_API_KEY",), "ANTHROPIC_BASE_URL"),
    "google": (("GOOGLE_API_KEY", "GEMINI_API_KEY"), "GOOGLE_BASE_URL"),
}
"""Kinds of connections whose key people have in their environment: where it may be, and what moves the address."""
OLLAMA = ("OLLAMA_URL", "OLLAMA_HOST")

_SKIPPED = frozenset({"__pycache__", "node_modules", "venv"})


class Workshop:
    """Folders under work. `say` is told what was done about each, in lines."""

    def __init__(self, client: "Quarterdeck", folders: Sequence[Path], say: Callable[[str], None]) -> None:
        self._client = client
        self._folders = [folder.absolute() for folder in folders]
        self._say = say
        self._seen: dict[Path, object] = {}
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None

    def open(self) -> None:
        """Register every folder, then watch them until `close`. A folder with errors is told and waited for."""
        self._look()
        self._watcher = threading.Thread(target=self._watch, name="workshop", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join(5.0)

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            self._look()

    def _look(self) -> None:
        for folder in self._folders:
            found = state_of(folder)
            if self._seen.get(folder) != found:
                self._seen[folder] = found
                self._register(folder)

    def _register(self, folder: Path) -> None:
        try:
            draft = build_draft(folder)
            provider, recorded = model_of(draft)
            self._connect(provider, recorded=recorded)
            registered = send(self._client, draft)
        except Exception as fault:
            error = told(fault)
            if error is None:
                raise
            for line in faults_of(error):
                self._say(f"{folder.name}: {line}")
            return
        for warning in (*draft.warnings, *registered.warnings):
            self._say(f"{folder.name}: {warning}")
        changes = "; ".join(registered.changes)
        if registered.created or not changes:
            self._say(f"{registered.agent_version} registered{f': {changes}' if changes else ''}")

    def _connect(self, name: str, *, recorded: bool) -> None:
        """Make the provider connection that an agent names where there is none.

        With the key in the environment, else replaying the agent's own recordings.
        """
        from quarterdeck.sdk.errors import NotFound

        try:
            self._client.providers.get(name)
        except NotFound:
            kind, url, key = connection_for(name, os.environ, recorded=recorded)
            if not kind:
                return
            self._client.providers.create(name, kind, base_url=url, key=key)
            how = "replays the agent's recordings" if kind == "recorded" else f"asks {kind}"
            self._say(f"provider connection `{name}` made: it {how}")


def connection_for(name: str, environ: Mapping[str, str], *, recorded: bool) -> tuple[str, str | None, str | None]:
    """The kind, address and key of a connection that is called `name`; no kind where nothing can be known.

    A real model goes before a recording, but only where the environment says that it may be asked.
    """
    variables, address = VENDORS.get(name, ((), ""))
    for variable in variables:
        if environ.get(variable):
            return name, environ.get(address) or None, environ[variable]
    if name == "ollama":
        for host in (environ[variable].rstrip("/") for variable in OLLAMA if environ.get(variable)):
            url = host if "://" in host else f"http://{host}"
            return name, url if url.endswith("/v1") else f"{url}/v1", None
    return ("recorded", None, None) if recorded else ("", None, None)


def state_of(folder: Path) -> frozenset[tuple[str, int, int]]:
    """What tells that a file was changed: names, sizes and times of all that is in a folder."""
    found: set[tuple[str, int, int]] = set()
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
        for name in files:
            path = Path(root, name)
            try:
                seen = path.lstat()
            except OSError:  # gone again already
                continue
            found.add((str(path), seen.st_size, seen.st_mtime_ns))
    return frozenset(found)
