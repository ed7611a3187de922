"""Who may come in and what they may give to others: decided from records alone."""

from datetime import datetime

from quarterdeck.core.errors import Forbidden, Unauthenticated
from quarterdeck.core.ids import AgentName, TenantId, UserId
from quarterdeck.http.fixes import invalid
from quarterdeck.http.records import Actor, Role
from quarterdeck.tenants.records import Grant, GrantTooWide, KeyExpired, KeyRevoked, KnownKey, Session, SessionEnded
from quarterdeck.tenants.records import TenantDisabled as Disabled

LONGEST_USER_ID = 200
_ROLES = {str(role): role for role in Role}


def check_standing(key: KnownKey, now: datetime) -> None:
    """Let a proven key pass that is neither revoked nor expired and whose tenant is not disabled.

    Raises KeyRevoked, KeyExpired or TenantDisabled: who holds the secret may learn why it does not work.
    """
    if key.revoked_at is not None:
        raise KeyRevoked
    if key.expires_at is not None and key.expires_at <= now:
        raise KeyExpired(expired_at=key.expires_at.isoformat())
    if key.tenant is not None and key.tenant_disabled:
        raise Disabled


def check_session(session: Session | None, now: datetime) -> Session:
    """Let a session pass that was neither ended nor has run out. Raises SessionEnded."""
    if session is None or session.revoked_at is not None or session.expires_at <= now:
        raise SessionEnded
    return session


def actor_of(key: KnownKey, user_id: UserId | None = None) -> Actor:
    """The actor that a key makes; it acts for itself unless a session says for whom."""
    admin = key.tenant is None
    return Actor(
        key_id=key.id,
        name=key.name,
        user_id=user_id or UserId(key.name),
        # A role that a newer version knows and this one doesn't gives nothing.
        roles=frozenset({Role.OWNER}) if admin else frozenset(_ROLES[role] for role in key.roles if role in _ROLES),
        tenant=key.tenant,
        tenant_slug=key.tenant_slug or "",
        admin=admin,
        agents=None if key.agents is None else frozenset(AgentName(agent) for agent in key.agents),
        environments=None if key.environments is None else frozenset(key.environments),
        may_assert_user=admin or key.may_assert_user,
    )


def check_tenant_claim(actor: Actor, slug: str) -> None:
    """Let a `Quarterdeck-Tenant` header pass: an admin may name any tenant, anybody else only the own one.

    The answer is the same whether the named tenant exists or not.
    """
    if not actor.admin and slug != actor.tenant_slug:
        raise Forbidden("Only a deployment admin's key may name another tenant.")


def read_user_claim(header: str) -> UserId:
    """The user id in a `Quarterdeck-User` header, which carries UTF-8. Raises Invalid for what can't be one."""
    try:
        user_id = header.encode("latin-1").decode()
    except UnicodeError:
        user_id = ""
    if not user_id.isprintable() or not 1 <= len(user_id) <= LONGEST_USER_ID:
        raise invalid(
            "header.quarterdeck-user",
            "this is no user id",
            f"send 1 to {LONGEST_USER_ID} printable characters in UTF-8",
        )
    return UserId(user_id)


def check_grant(actor: Actor, wanted: Grant, tenant: TenantId | None, now: datetime) -> None:
    """Let an owner give a key away that is worth no more than the own one, and an admin any.

    Raises Forbidden, GrantTooWide, or Invalid for an end in the past and for roles that make no sense.
    """
    actor.require(Role.OWNER)
    if tenant is None:
        actor.require_admin()
    elif not wanted.roles:
        raise invalid("body.roles", "a key without a role can do nothing", "give it at least one role")
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise invalid("body.expires_in_s", "this is over already", "send seconds from now")
    if actor.admin:
        return
    for name, own, given in (
        ("agents", actor.agents, wanted.agents),
        ("environments", actor.environments, wanted.environments),
    ):
        if own is not None and (given is None or not given <= own):
            raise GrantTooWide(
                f"Your own key is restricted to some {name}; name some of those.", restricted=sorted(own)
            )


def check_proof(*, proven: bool) -> None:
    """Raise Unauthenticated for a key that is unknown or whose secret is wrong: which of the two is not said."""
    if not proven:
        raise Unauthenticated("This key is not valid.")
