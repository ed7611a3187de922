"""Asking tool servers what they offer, on the author's machine, when a release is built."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from quarterdeck.core.json import Json
from quarterdeck.core.settings import Settings
from quarterdeck.core.text import storable, storable_json
from quarterdeck.mcp import wire
from quarterdeck.net.client import Outbound
from quarterdeck.releases.records import Extract, ToolSchema, ToolServer
from quarterdeck.secrets.backends import Environment
from quarterdeck.spec.references import names_in
from quarterdeck.tools import environments, folders
from quarterdeck.tools.errors import ToolsUnprepared
from quarterdeck.tools.launch import launch_of, uid_for
from quarterdeck.tools.local import LocalServer
from quarterdeck.tools.remote import RemoteServer
from quarterdeck.tools.sandbox import Wanted

LOCK = "requirements.lock"


def extractor(settings: Settings, outbound: Outbound | None = None) -> Extract:
    """The `Extract` port: starts each server confined as in production, with the release's files and no others.

    Raises ToolsUnprepared or ServerUnavailable with the server's own words. `outbound` reaches remote servers; without
    it one is made for the occasion.
    """
    return partial(_extract, settings, outbound)


async def _extract(
    settings: Settings, outbound: Outbound | None, servers: Sequence[ToolServer], files: Mapping[str, bytes]
) -> Mapping[str, Sequence[ToolSchema]]:
    # Not in the author's folder: what lies there and is not part of the release would be found too.
    root = Path(tempfile.mkdtemp(prefix="quarterdeck-build-"))
    try:
        folder = await asyncio.to_thread(folders.write_out, root, "draft", files, {})
        found: dict[str, Sequence[ToolSchema]] = {}
        for server in servers:
            if server.kind == "http":
                found[server.name] = await _of_remote(server, outbound or Outbound.of(settings), ours=outbound is None)
            else:
                found[server.name] = await _of_local(settings, server, folder, files)
        return found
    finally:
        await asyncio.to_thread(folders.remove, root)


async def _of_local(
    settings: Settings, server: ToolServer, folder: Path, files: Mapping[str, bytes]
) -> tuple[ToolSchema, ...]:
    root = settings.data_dir.absolute()
    if server.lock_digest:
        if LOCK not in files:
            raise ToolsUnprepared(f"There is no `{LOCK}` among the files.")
        await environments.build(root, server.lock_digest, files[LOCK])
    launch = launch_of(
        server,
        folder,
        root,
        memory=settings.tool_host_memory,
        uid=uid_for(settings.tool_host_uid, server.name),
        wanted=Wanted.of(settings),
    )
    running = LocalServer(launch, None, _nobody)
    await running.start()
    try:
        return tuple(schema_of(listed) for listed in running.listed.values())
    finally:
        await running.close()


async def _of_remote(server: ToolServer, outbound: Outbound, *, ours: bool) -> tuple[ToolSchema, ...]:
    running = RemoteServer(server.name, outbound, server.url, server.headers, await _own_secrets(server))
    try:
        await running.start()
        return tuple(schema_of(listed) for listed in running.listed.values())
    finally:
        await running.close()
        if ours:
            await outbound.close()


async def _own_secrets(server: ToolServer) -> Mapping[str, str]:
    """The secrets that a server's headers refer to, from the author's own environment: the vault gives none away.

    Raises ToolsUnprepared, which names the variable to set.
    """
    found: dict[str, str] = {}
    for name in {name for text in (server.headers or {}).values() for name in names_in(text)}:
        bare = name.rpartition("/")[2]
        value = await Environment().read(bare)
        if value is None:
            told = f"`{server.name}` lists its tools only to whoever has the secret `{name}`: set "
            raise ToolsUnprepared(f"{told}QUARTERDECK_SECRET_{bare} to one while the agent is built.")
        found[name] = value
    return found


def schema_of(listed: wire.Listed) -> ToolSchema:
    """A listed tool as the release's builder takes it. What the server says of itself is text of others: storable."""
    marks = (listed.meta or {}).get("quarterdeck/marks")
    return ToolSchema(
        name=listed.name,
        description=storable(listed.description or listed.title or ""),
        parameters=_object(listed.input_schema) or {"type": "object"},
        output_schema=_object(listed.output_schema) or None,
        marks=_object(cast("object", marks)) if isinstance(marks, dict) else {},
        hints=_object(listed.annotations),
    )


def _object(value: object) -> dict[str, Json]:
    return cast("dict[str, Json]", storable_json(cast("Json", value))) if value else {}


def _nobody(_: LocalServer) -> None:
    """Nobody else has to know that this server has ended."""
