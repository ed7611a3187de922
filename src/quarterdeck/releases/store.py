"""SQL of agents, their releases and the files of those."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quarterdeck.blobs.records import BlobKey
from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.core.json import Json, JsonObject, decode_object, encode_text
from quarterdeck.db.records import Row, Tx
from quarterdeck.releases.records import Agent, ReleaseLine


@dataclass(frozen=True, slots=True)
class Stored:
    """A release as it lies in the database."""

    id: ReleaseId
    agent: AgentName
    manifest: dict[str, Json]
    label: str | None
    registered_by: str
    registered_at: datetime


# A release.
GET_RELEASE = """
SELECT id, agent, manifest, label, registered_by, registered_at FROM qd.releases WHERE tenant = $1 AND id = $2
"""

# The files of a release.
GET_FILES = "SELECT path, blob, size FROM qd.release_files WHERE tenant = $1 AND release = $2 ORDER BY path"

# Releases whose ids begin with some digits, of one agent or of any: two are enough to see that it is unclear.
BY_PREFIX = """
SELECT id FROM qd.releases
WHERE tenant = $1 AND id >= $2 AND id < $2 || 'g' AND ($3::text IS NULL OR agent = $3) LIMIT 2
"""

# The release of an agent that has a label.
BY_LABEL = "SELECT id FROM qd.releases WHERE tenant = $1 AND agent = $2 AND label = $3"

# What new runs of an agent take.
CURRENT = "SELECT release, disabled_at IS NOT NULL AS disabled FROM qd.agents WHERE tenant = $1 AND name = $2"

# The kind of a provider connection that this agent of this tenant may use. Connections belong to the deployment.
PROVIDER_KIND = """
SELECT kind FROM qd.providers
WHERE name = $2 AND (tenants IS NULL OR $1 = ANY(tenants)) AND (agents IS NULL OR $3 = ANY(agents))
"""

# Keep a release unless it is there.
ADD_RELEASE = """
INSERT INTO qd.releases (tenant, id, agent, manifest, label, registered_by) VALUES ($1, $2, $3, $4::jsonb, $5, $6)
ON CONFLICT (tenant, id) DO NOTHING RETURNING registered_at
"""

# Keep a file of a release.
ADD_FILE = "INSERT INTO qd.release_files (tenant, release, path, blob, size) VALUES ($1, $2, $3, $4, $5)"

# Lock an agent's row against others who register it at the same time, and tell what its release has been until now. An
# agent that is not there yet is made with a release that names nothing, which `POINT` replaces in the same transaction.
HOLD_AGENT = """
INSERT INTO qd.agents (tenant, name, release, owner, description) VALUES ($1, $2, '', '', '')
ON CONFLICT (tenant, name) DO UPDATE SET name = excluded.name RETURNING release
"""

# Give an agent its release.
POINT = """
UPDATE qd.agents SET release = $3, owner = $4, description = $5,
    updated_at = CASE WHEN release = $3 THEN updated_at ELSE now() END
WHERE tenant = $1 AND name = $2
"""

# Take an agent out of service, or put it back.
DISABLE = """
UPDATE qd.agents SET disabled_at = CASE WHEN $3 THEN coalesce(disabled_at, now()) END WHERE tenant = $1 AND name = $2
"""

_AGENT = """
SELECT a.name, a.release, r.label, a.owner, a.description, r.manifest -> 'model' ->> 'provider' AS provider,
    r.manifest -> 'model' ->> 'id' AS model,
    ARRAY(SELECT tool ->> 'name' FROM jsonb_array_elements(r.manifest -> 'tools') AS tool) AS tools,
    a.created_at, a.updated_at, a.disabled_at
FROM qd.agents a JOIN qd.releases r ON r.tenant = a.tenant AND r.id = a.release
"""

# One agent.
GET_AGENT = _AGENT + "WHERE a.tenant = $1 AND a.name = $2"

# A page of agents by name, only those that a key is for where it is not for all.
LIST_AGENTS = (
    _AGENT + "WHERE a.tenant = $1 AND a.name > $2 AND ($3::text[] IS NULL OR a.name = ANY($3)) ORDER BY a.name LIMIT $4"
)

# A page of an agent's releases, the newest first.
LIST_RELEASES = """
SELECT r.id, r.agent, r.label, r.manifest -> 'model' ->> 'provider' AS provider,
    r.manifest -> 'model' ->> 'id' AS model, r.registered_by, r.registered_at, r.id = a.release AS current
FROM qd.releases r JOIN qd.agents a ON a.tenant = r.tenant AND a.name = r.agent
WHERE r.tenant = $1 AND r.agent = $2 AND ($3::timestamptz IS NULL OR (r.registered_at, r.id) < ($3, $4))
ORDER BY r.registered_at DESC, r.id DESC LIMIT $5
"""


async def get(tx: Tx, tenant: TenantId, release: ReleaseId) -> Stored | None:
    """A release."""
    row = await tx.fetchrow(GET_RELEASE, tenant, release)
    if row is None:
        return None
    return Stored(
        id=ReleaseId(row["id"]),
        agent=AgentName(row["agent"]),
        manifest=decode_object(row["manifest"]),
        label=row["label"],
        registered_by=row["registered_by"],
        registered_at=row["registered_at"],
    )


async def files(tx: Tx, tenant: TenantId, release: ReleaseId) -> dict[str, BlobKey]:
    """The blobs of a release's files, by path."""
    return {row["path"]: BlobKey(row["blob"]) for row in await tx.fetch(GET_FILES, tenant, release)}


async def sizes(tx: Tx, tenant: TenantId, release: ReleaseId) -> dict[str, int]:
    """How many bytes each of a release's files has, by path."""
    return {row["path"]: row["size"] for row in await tx.fetch(GET_FILES, tenant, release)}


async def by_prefix(tx: Tx, tenant: TenantId, prefix: str, agent: AgentName | None) -> list[ReleaseId]:
    """The ids that begin so; two at most."""
    return [ReleaseId(row["id"]) for row in await tx.fetch(BY_PREFIX, tenant, prefix, agent)]


async def by_label(tx: Tx, tenant: TenantId, agent: AgentName, label: str) -> ReleaseId | None:
    """The release of that label."""
    return await tx.fetchval(BY_LABEL, tenant, agent, label)


async def current(tx: Tx, tenant: TenantId, agent: AgentName) -> tuple[ReleaseId, bool] | None:
    """An agent's release and whether the agent is disabled."""
    row = await tx.fetchrow(CURRENT, tenant, agent)
    return None if row is None else (ReleaseId(row["release"]), row["disabled"])


async def provider_kind(tx: Tx, tenant: TenantId, provider: str, agent: AgentName) -> str | None:
    """The kind of a connection, where there is one that may be used."""
    return await tx.fetchval(PROVIDER_KIND, tenant, provider, agent)


async def add(
    tx: Tx, tenant: TenantId, release: ReleaseId, agent: AgentName, manifest: JsonObject, label: str | None, by: str
) -> datetime | None:
    """Keep a release; None when it was there already."""
    return await tx.fetchval(ADD_RELEASE, tenant, release, agent, encode_text(manifest), label, by)


async def add_files(tx: Tx, tenant: TenantId, release: ReleaseId, files: Sequence[tuple[str, BlobKey, int]]) -> None:
    """Keep the files of a new release: path, blob and size of each."""
    await tx.executemany(ADD_FILE, [(tenant, release, path, blob, size) for path, blob, size in files])


async def hold_agent(tx: Tx, tenant: TenantId, agent: AgentName) -> ReleaseId | None:
    """Lock an agent for this transaction; its release until now, None for a new agent."""
    return (await tx.fetchval(HOLD_AGENT, tenant, agent)) or None


async def point(tx: Tx, tenant: TenantId, agent: AgentName, release: ReleaseId, owner: str, description: str) -> None:
    """Make a release the one that new runs of its agent take."""
    await tx.execute(POINT, tenant, agent, release, owner, description)


async def disable(tx: Tx, tenant: TenantId, agent: AgentName, *, disabled: bool) -> None:
    """Disable or enable an agent; idempotent."""
    await tx.execute(DISABLE, tenant, agent, disabled)


async def get_agent(tx: Tx, tenant: TenantId, agent: AgentName) -> Agent | None:
    """One agent."""
    row = await tx.fetchrow(GET_AGENT, tenant, agent)
    return None if row is None else _agent(row)


async def list_agents(
    tx: Tx, tenant: TenantId, after: str, only: frozenset[AgentName] | None, limit: int
) -> list[Agent]:
    """Agents by name, after one."""
    rows = await tx.fetch(LIST_AGENTS, tenant, after, None if only is None else sorted(only), limit)
    return [_agent(row) for row in rows]


async def list_releases(
    tx: Tx, tenant: TenantId, agent: AgentName, before: tuple[datetime, str] | None, limit: int
) -> list[ReleaseLine]:
    """Releases of an agent, the newest first, from before one on."""
    at, release = before or (None, None)
    return [ReleaseLine(**row) for row in await tx.fetch(LIST_RELEASES, tenant, agent, at, release, limit)]


def _agent(row: Row) -> Agent:
    return Agent(
        name=row["name"],
        release=row["release"],
        label=row["label"],
        owner=row["owner"],
        description=row["description"],
        provider=row["provider"],
        model=row["model"],
        tools=tuple(row["tools"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        disabled_at=row["disabled_at"],
    )
