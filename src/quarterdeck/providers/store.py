"""Provider connections in the database. They belong to the deployment: read as qd_app, written as qd_system."""

from collections.abc import Mapping
from uuid import UUID

from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json, decode_object, encode_text
from quarterdeck.db.records import Row, Tx
from quarterdeck.providers.records import Connection, Kind

_COLUMNS = "name, kind, base_url, sealed_key, options, tenants, agents, created_at, updated_at"

# All connections by name: there are few, and a worker keeps all of them.
_LIST = f"SELECT {_COLUMNS} FROM qd.providers ORDER BY name"

# One connection by its name.
_FIND = f"SELECT {_COLUMNS} FROM qd.providers WHERE name = $1"

# The same, held until the transaction ends.
_LOCK = f"SELECT {_COLUMNS} FROM qd.providers WHERE name = $1 FOR UPDATE"

# Add a connection; nothing when the name is taken.
_ADD = f"""
INSERT INTO qd.providers (name, kind, base_url, sealed_key, options, tenants, agents)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING RETURNING {_COLUMNS}
"""

# Write a connection anew. The time moves forward even within a microsecond: clients are rebuilt when it changes.
_WRITE = f"""
UPDATE qd.providers SET kind = $2, base_url = $3, sealed_key = $4, options = $5, tenants = $6, agents = $7,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
WHERE name = $1 RETURNING {_COLUMNS}
"""

# Remove a connection; releases that name it can no longer ask their model.
_DELETE = "DELETE FROM qd.providers WHERE name = $1 RETURNING name"


async def read_all(tx: Tx) -> list[Connection]:
    """Every connection, by name."""
    return [_connection(row) for row in await tx.fetch(_LIST)]


async def find(tx: Tx, name: str, *, lock: bool = False) -> Connection | None:
    """One connection, held until the transaction ends if so wanted."""
    row = await tx.fetchrow(_LOCK if lock else _FIND, name)
    return None if row is None else _connection(row)


async def add(tx: Tx, connection: Connection) -> Connection | None:
    """Add a connection, or None when there is one of its name."""
    row = await tx.fetchrow(_ADD, *_parameters(connection))
    return None if row is None else _connection(row)


async def write(tx: Tx, connection: Connection) -> Connection | None:
    """Write a connection anew, or None when there is none of its name."""
    row = await tx.fetchrow(_WRITE, *_parameters(connection))
    return None if row is None else _connection(row)


async def delete(tx: Tx, name: str) -> bool:
    """Remove a connection; whether there was one."""
    return await tx.fetchval(_DELETE, name) is not None


def _parameters(connection: Connection) -> tuple[object, ...]:
    return (
        connection.name,
        connection.kind,
        connection.base_url or None,
        connection.sealed_key,
        encode_text(connection.options),
        None if connection.tenants is None else sorted(connection.tenants),
        None if connection.agents is None else sorted(connection.agents),
    )


def _connection(row: Row) -> Connection:
    tenants: list[UUID] | None = row["tenants"]
    agents: list[str] | None = row["agents"]
    options: Mapping[str, Json] = decode_object(row["options"])
    return Connection(
        name=row["name"],
        kind=Kind(row["kind"]),
        base_url=row["base_url"] or "",
        options=options,
        tenants=None if tenants is None else frozenset(TenantId(tenant) for tenant in tenants),
        agents=None if agents is None else frozenset(agents),
        sealed_key=row["sealed_key"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
