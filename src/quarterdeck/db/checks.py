"""What Quarterdeck refuses to start on: a database that could show one tenant's rows to another, or forget a commit."""

from dataclasses import dataclass

from quarterdeck.core.errors import Error
from quarterdeck.db.faults import CodeTooOld, MigrationsPending, NotDurable, RoleTooPowerful, ServerTooOld
from quarterdeck.db.migrations import readiness
from quarterdeck.db.pool import Database, Side

OLDEST_SERVER = 15


@dataclass(frozen=True, slots=True)
class Posture:
    """What a connection says of its role and its server."""

    role: str
    superuser: bool
    bypasses_rls: bool
    creates_roles: bool
    owns_tables: bool
    may_become_owner: bool
    server_version: int
    fsync: str
    synchronous_commit: str


# The role's own powers, the ways round row-level security, and what the server does with a commit.
SELECT_POSTURE = """
SELECT r.rolname AS role, r.rolsuper AS superuser, r.rolbypassrls AS bypasses_rls, r.rolcreaterole AS creates_roles,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname IN ('qd', 'qd_engine') AND c.relowner = r.oid) AS owns_tables,
       EXISTS (SELECT FROM pg_roles o WHERE o.rolname = 'qd_owner' AND pg_has_role(r.oid, o.oid, 'MEMBER'))
           AS may_become_owner,
       current_setting('server_version_num')::int AS server_version,
       current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit
FROM pg_roles r WHERE r.rolname = current_user
"""


def objections(posture: Posture) -> tuple[Error, ...]:
    """Everything about a connection that is a reason not to start, worst first."""
    found: list[Error] = []
    powers = {
        "is a superuser": posture.superuser,
        "has BYPASSRLS": posture.bypasses_rls,
        "owns tables of Quarterdeck": posture.owns_tables,
        "may become qd_owner": posture.may_become_owner and not posture.superuser,
        "has CREATEROLE": posture.creates_roles and not posture.superuser,
    }
    if any(powers.values()):
        why = " and ".join(power for power, has in powers.items() if has)
        found.append(
            RoleTooPowerful(
                f"{posture.role} {why}, so row-level security would not hold it: connect as qd_app and qd_system, "
                "which `quarterdeck migrate` makes, and let only QUARTERDECK_DATABASE_URL name an owner",
                role=posture.role,
            )
        )
    for setting, value in (("fsync", posture.fsync), ("synchronous_commit", posture.synchronous_commit)):
        if value == "off":
            found.append(
                NotDurable(
                    f"{setting} is off for {posture.role}: a commit could be lost. Set it on in postgresql.conf, or "
                    f"undo it with ALTER ROLE {posture.role} RESET {setting} and ALTER DATABASE ... RESET {setting}",
                    setting=setting,
                )
            )
    major = posture.server_version // 10_000
    if major < OLDEST_SERVER:
        found.append(
            ServerTooOld(f"this server is PostgreSQL {major}; {OLDEST_SERVER} or newer is needed", found=major)
        )
    return tuple(found)


async def refuse_unsafe(database: Database) -> None:
    """Raises RoleTooPowerful, NotDurable or ServerTooOld when either side of this database is not fit to start on."""
    for side in (database.app, database.system):
        for objection in objections(await _posture(side)):
            raise objection


async def refuse_unmigrated(database: Database) -> None:
    """Raises MigrationsPending or CodeTooOld when this code can't work on the tables as they are."""
    verdict = await readiness(database)
    if verdict.too_old:
        raise CodeTooOld(ahead=list(verdict.ahead))
    if verdict.pending:
        raise MigrationsPending(pending=list(verdict.pending))


async def _posture(side: Side) -> Posture:
    async with side.transaction() as tx:
        row = await tx.fetchrow(SELECT_POSTURE)
    assert row is not None, "a session's role exists"
    return Posture(**row)
