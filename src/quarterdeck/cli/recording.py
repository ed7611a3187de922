"""Recording a conversation with a real model: the connection's recorder is switched on for as long as a run takes.

Recordings are written by the worker, so this is for a deployment on this machine, such as `dev`.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quarterdeck.cli.facts import members, text
from quarterdeck.core.errors import Conflict

if TYPE_CHECKING:
    from quarterdeck.sdk import Quarterdeck

SEEN_WITHIN = 2.5
"""Seconds after which every worker has seen a change of a connection."""

_NEAR = frozenset({"127.0.0.1", "::1", "localhost"})
_REPLAYING = frozenset({"recorded", "scripted"})


class NotRecordable(Conflict):
    """This conversation can't be recorded."""

    code = "run.not_recordable"


@contextmanager
def recording(admin: "Quarterdeck", agent: str, folder: Path) -> Generator[set[Path]]:
    """While the block lasts, conversations of this agent's connection are recorded into `folder`.

    Afterwards the set holds the files that were written, and no worker records any more. Others' runs over the same
    connection are recorded too.
    Raises NotRecordable where there is no real model, or the workers are on another machine.
    """
    if urlsplit(admin.base_url).hostname not in _NEAR:
        raise NotRecordable(
            "Recordings are written on the worker's machine: set the connection's option `record` to a folder there."
        )
    release = admin.releases.get(admin.agents.get(agent.partition("@")[0]).release)
    provider = admin.providers.get(text(members(release.manifest.get("model")), "provider"))
    if provider.kind in _REPLAYING:
        raise NotRecordable(f"The connection `{provider.name}` is of kind {provider.kind} and asks no real model.")
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    before = _seen(folder)
    admin.providers.update(provider.name, options={**provider.options, "record": str(folder)})
    found: set[Path] = set()
    try:
        time.sleep(SEEN_WITHIN)
        yield found
    finally:
        admin.providers.update(provider.name, options=dict(provider.options))
        time.sleep(SEEN_WITHIN)
        found |= {path for path, at in _seen(folder).items() if before.get(path) != at}


def _seen(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
