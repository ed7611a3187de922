"""Building releases with tools and calling them, for tests of gates and hosts."""

import hashlib
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, new_run_id, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.net.client import Outbound
from quarterdeck.releases.records import BEHAVIOUR_VERSION, Limits, ModelPin, Release, ToolGrant, ToolServer
from quarterdeck.tools.host.functions import FunctionTool, tools_of
from quarterdeck.tools.records import ToolRequest
from quarterdeck.tools.service import Tools

CLOCK = SystemClock()
TENANT = TenantId(uuid7())


def a_grant(name: str, server: str = "code", **changes: Any) -> ToolGrant:
    """A tool that takes any object; undeclared, so a write that is never repeated."""
    plain = ToolGrant(
        name=name,
        server=server,
        remote_name=name,
        description=f"The tool {name}.",
        parameters={"type": "object"},
        effect="write",
        repeat="never",
        trust="untrusted",
        timeout=10.0,
    )
    return replace(plain, **changes)


def a_release(
    *grants: ToolGrant,
    servers: tuple[ToolServer, ...] = (),
    files: Mapping[str, bytes] | None = None,
    limits: Limits | None = None,
    tenant: TenantId = TENANT,
) -> Release:
    """A release of some tools. Its id follows from its files, so that equal code is the same release."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in (files or {}).items()}
    name = repr((sorted(digests.items()), servers, [grant.name for grant in grants]))
    return Release(
        tenant=tenant,
        id=ReleaseId(hashlib.sha256(name.encode()).hexdigest()),
        agent=AgentName("desk"),
        owner="somebody",
        description="",
        prompt="",
        variables={},
        model=ModelPin("scripted", "script"),
        servers=servers or (ToolServer("code", "python", module="tools.py"),),
        tools=grants,
        limits=limits or Limits(),
        output_schema=None,
        behaviour=BEHAVIOUR_VERSION,
        files=digests,
        label=None,
        registered_by="a test",
        registered_at=datetime.now(UTC),
    )


@dataclass
class Bundle:
    """A release with its files."""

    release: Release
    files: Mapping[str, bytes]


class Code:
    """A release made of Python source: what its decorators declare is what is granted, with `changes`.

    `files` are added to the release; a `tools.py` among them takes the place of the source in which the tools were
    found.
    """

    def __init__(
        self,
        source: str,
        *,
        lock: bytes | None = None,
        files: Mapping[str, bytes] | None = None,
        tenant: TenantId = TENANT,
        **changes: Any,
    ) -> None:
        text = "from quarterdeck.tools.author import Blob, Context, ToolError, TryLater, tool\n" + dedent(source)
        self.files: dict[str, bytes] = {"tools.py": text.encode(), **(files or {})}
        digest = ""
        if lock is not None:
            self.files["requirements.lock"] = lock
            digest = hashlib.sha256(lock).hexdigest()
        namespace: dict[str, object] = {"__name__": "tools_of_a_test"}
        exec(compile(text, "tools.py", "exec"), namespace)
        grants = (_granted(tool, changes) for tool in tools_of(namespace).values())
        server = ToolServer("code", "python", module="tools.py", lock_digest=digest)
        self.release = a_release(*grants, servers=(server,), files=self.files, tenant=tenant)


def _granted(tool: FunctionTool, changes: Mapping[str, Any]) -> ToolGrant:
    pinned = {"parameters": tool.parameters, "output_schema": tool.output_schema}
    return a_grant(tool.marks.name, **{**pinned, **tool.declared(), **changes})


def a_request(
    release: Release, tool: str, within: float = 30.0, run: RunId | None = None, **arguments: Any
) -> ToolRequest:
    """A call whose intent was made just now."""
    grant = release.tool(tool)
    assert grant is not None
    return ToolRequest(
        tenant=release.tenant,
        run=run or new_run_id(),
        user="erika",
        release=release,
        grant=grant,
        call="call-1",
        arguments=arguments,
        key="qd_key",
        not_after=int((time.time() + within) * 1000),
        boot_deadline=CLOCK.boot() + within,
    )


class Kept(dict[str, bytes]):
    """Where blobs go in a test."""

    async def put(self, tenant: TenantId, run: RunId, content: bytes) -> str:
        key = hashlib.sha256(content).hexdigest()
        self[key] = content
        return key


@asynccontextmanager
async def tools_for(
    folder: Path, *codes: Code | Bundle, kept: Kept | None = None, outbound: Outbound | None = None, **settings: Any
) -> AsyncGenerator[Any]:
    """The tools of some releases, all ended afterwards."""
    by_release = {code.release.id: code.files for code in codes}

    async def read(release: Release) -> Mapping[str, bytes]:
        return by_release.get(release.id, {})

    chosen = Settings.model_validate({"data_dir": folder, "allow_private_targets": True, **settings})
    tools = Tools(chosen, CLOCK, files=read, keep=(Kept() if kept is None else kept).put, outbound=outbound)
    try:
        yield tools
    finally:
        await tools.close()
