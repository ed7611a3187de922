"""Sessions in the database: an admin's are reached as qd_system, a tenant's as qd_app."""

from quarterdeck.core.ids import TenantId
from quarterdeck.db.records import Tx
from quarterdeck.tenants.records import Session

# Keep a session that was just made.
_ADD = "INSERT INTO qd.sessions (hash, tenant, key_id, user_id, expires_at) VALUES ($1, $2, $3, $4, $5)"

# A session by what is stored of its cookie, before its tenant is known.
_KNOW = "SELECT * FROM qd.find_session($1)"

# Sign out; signing out twice keeps the first time.
_END = """
UPDATE qd.sessions SET revoked_at = coalesce(revoked_at, now()) WHERE hash = $2 AND tenant IS NOT DISTINCT FROM $1
"""


async def add_session(tx: Tx, session: Session) -> None:
    """Keep a session."""
    await tx.execute(_ADD, session.hash, session.tenant, session.key_id, session.user_id, session.expires_at)


async def know_session(tx: Tx, digest: bytes) -> Session | None:
    """A session, of whatever tenant."""
    row = await tx.fetchrow(_KNOW, digest)
    return Session(**row) if row else None


async def end_session(tx: Tx, tenant: TenantId | None, digest: bytes) -> None:
    """Sign out."""
    await tx.execute(_END, tenant, digest)
