"""What `/v1/agents` and `/v1/releases` take and answer."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from quarterdeck.releases.records import Agent, Registered, ReleaseLine, WholeRelease
from quarterdeck.spec import values


class NewRelease(BaseModel):
    """A release as `qd agent register` builds and sends it."""

    model_config = ConfigDict(extra="forbid")

    manifest: dict[str, JsonValue] = Field(description="Its canonical form (RFC 8785) is what the id is the digest of.")
    files: dict[str, str] = Field(
        default_factory=dict, description="Content of every file in base64, by path.", max_length=values.MOST_FILES
    )
    release: str | None = Field(default=None, description="The id as it was computed where it was built.")
    label: str | None = Field(default=None, description="A name for people, such as support-desk-2026-06-09.")
    tenant: str | None = Field(default=None, description="Guards against the wrong key: must be the actor's tenant.")


class AgentChange(BaseModel):
    """What to change of an agent."""

    model_config = ConfigDict(extra="forbid")

    disabled: bool = Field(description="true: it takes no new runs; runs that exist go on.")


class ModelRecord(BaseModel):
    """The exact model that a release asks, and over which connection."""

    provider: str
    id: str


class AgentRecord(BaseModel):
    """An agent and the release that new runs of it take."""

    name: str
    release: str
    agent_version: str = Field(examples=["support-desk@3f9c2a71b0de"])
    label: str | None
    owner: str
    description: str
    model: ModelRecord
    tools: list[str]
    disabled: bool
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime


class AgentPage(BaseModel):
    """A page of agents, by name."""

    items: list[AgentRecord]
    next_cursor: str | None


class ReleaseRecord(BaseModel):
    """A release as lists show it."""

    release: str
    agent: str
    agent_version: str
    label: str | None
    model: ModelRecord
    registered_by: str
    registered_at: datetime
    current: bool = Field(description="New runs of its agent take it.")


class ReleasePage(BaseModel):
    """A page of an agent's releases, the newest first."""

    items: list[ReleaseRecord]
    next_cursor: str | None


class FileRecord(BaseModel):
    """A file of a release."""

    path: str
    size: int
    digest: str | None = Field(description="SHA-256; null for recordings, which are no part of the id.")


class WholeReleaseRecord(ReleaseRecord):
    """A release, whole."""

    owner: str
    description: str
    manifest: dict[str, JsonValue]
    files: list[FileRecord]
    against: str | None
    changes: list[str] = Field(description="What changed since the release named by `against`, in words.")


class RegisteredRecord(BaseModel):
    """What registering came to."""

    release: str
    agent: str
    agent_version: str
    label: str | None
    owner: str
    registered_by: str
    registered_at: datetime
    created: bool = Field(description="false: the release was there before.")
    previous: str | None = Field(description="What new runs of the agent took until now.")
    changes: list[str] = Field(description="What changed since then, in words.")
    ignored: list[str] = Field(description="Recordings that differ from those the release was registered with.")
    warnings: list[str]


def show_agent(agent: Agent) -> dict[str, object]:
    """An `AgentRecord`."""
    return {
        "name": agent.name,
        "release": agent.release,
        "agent_version": f"{agent.name}@{agent.release[:12]}",
        "label": agent.label,
        "owner": agent.owner,
        "description": agent.description,
        "model": {"provider": agent.provider, "id": agent.model},
        "tools": agent.tools,
        "disabled": agent.disabled_at is not None,
        "disabled_at": agent.disabled_at,
        "created_at": agent.created_at,
        "updated_at": agent.updated_at,
    }


def show_line(line: ReleaseLine) -> dict[str, object]:
    """A `ReleaseRecord`."""
    return {
        "release": line.id,
        "agent": line.agent,
        "agent_version": f"{line.agent}@{line.id[:12]}",
        "label": line.label,
        "model": {"provider": line.provider, "id": line.model},
        "registered_by": line.registered_by,
        "registered_at": line.registered_at,
        "current": line.current,
    }


def show_whole(whole: WholeRelease, against: str | None, changed: Sequence[str]) -> dict[str, object]:
    """A `WholeReleaseRecord`."""
    return {
        **show_line(whole.line),
        "owner": whole.manifest["owner"],
        "description": whole.manifest["description"],
        "manifest": whole.manifest,
        "files": [{"path": file.path, "size": file.size, "digest": file.digest} for file in whole.files],
        "against": against,
        "changes": changed,
    }


def show_registered(registered: Registered) -> dict[str, object]:
    """A `RegisteredRecord`."""
    release = registered.release
    return {
        "release": release.id,
        "agent": release.agent,
        "agent_version": release.version,
        "label": release.label,
        "owner": release.owner,
        "registered_by": release.registered_by,
        "registered_at": release.registered_at,
        "created": registered.created,
        "previous": registered.previous,
        "changes": registered.changes,
        "ignored": registered.ignored,
        "warnings": registered.warnings,
    }
