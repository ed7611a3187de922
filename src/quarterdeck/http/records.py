"""The actor that a request is from, and the roles that it has: plain records, so that rules can judge them."""

from dataclasses import dataclass
from enum import StrEnum

from quarterdeck.core.errors import Error, Forbidden, NotFound
from quarterdeck.core.ids import AgentName, KeyId, TenantId, UserId


class TenantRequired(Error):
    """This is a tenant's, and a deployment admin's key has none: name one with the `Quarterdeck-Tenant` header."""

    code, status = "tenant.required", 422


class Role(StrEnum):
    """What a key or session may do in its tenant. An owner has every role."""

    OWNER = "owner"
    OPERATOR = "operator"
    DEVELOPER = "developer"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    CALLER = "caller"


READERS = frozenset({Role.OWNER, Role.OPERATOR, Role.DEVELOPER, Role.REVIEWER, Role.AUDITOR})
"""Roles that see the whole tenant; a caller sees what it submitted."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A key or a session, and the end user that it acts for.

    `tenant` is None for a deployment admin who named no tenant. `admin` stays true for one who did. `agents` and
    `environments` are None where there is no restriction. `only` is empty but for a narrow token: then it is the one
    thing, such as `run:0190...`, that may be read with it.
    """

    key_id: KeyId
    name: str
    user_id: UserId
    roles: frozenset[Role]
    tenant: TenantId | None = None
    tenant_slug: str = ""
    admin: bool = False
    agents: frozenset[AgentName] | None = None
    environments: frozenset[str] | None = None
    may_assert_user: bool = False
    only: str = ""

    @property
    def subject(self) -> str:
        """How records name who did something: `key:<id>`."""
        return f"key:{self.key_id}"

    @property
    def named(self) -> str:
        """The same with the user that it speaks for, where that is not the key itself: `key:<id> as ann`."""
        return f"{self.subject} as {self.user_id}" if self.for_one_user else self.subject

    @property
    def reads_all(self) -> bool:
        """Whether it sees everything in its tenant, or only what is its own."""
        return not READERS.isdisjoint(self.roles)

    @property
    def for_one_user(self) -> bool:
        """Whether it speaks for one end user only, as a header or session said, and not for its key as a whole."""
        return self.user_id != self.name

    def has(self, *roles: Role) -> bool:
        """Whether it has one of these roles."""
        return Role.OWNER in self.roles or not self.roles.isdisjoint(roles)

    def require(self, *roles: Role) -> None:
        """Raise Forbidden unless it has one of these roles."""
        if not self.has(*roles):
            raise Forbidden(needs=[str(role) for role in (*roles, Role.OWNER)], has=sorted(self.roles))

    def require_admin(self) -> None:
        """Raise Forbidden unless it is a deployment admin."""
        if not self.admin:
            raise Forbidden("This belongs to the deployment; only a deployment admin's key may do it.")

    def in_tenant(self) -> TenantId:
        """The tenant that it acts in. Raises TenantRequired for an admin who named none."""
        if self.tenant is None:
            raise TenantRequired
        return self.tenant

    def may_use(self, agent: AgentName) -> bool:
        """Whether this agent is among those that the key is for."""
        return self.agents is None or agent in self.agents

    def require_agent(self, agent: AgentName) -> None:
        """Raise NotFound for an agent that the key is not for: it need not learn that there is one."""
        if not self.may_use(agent):
            raise NotFound(f"There is no agent {agent!r} here.", agent=agent)

    def on_behalf_of(self, user_id: str | None) -> UserId:
        """The end user that a request is made for: the one it names, if the key may, else the actor's own.

        Raises Forbidden when it names another user without `may_assert_user`.
        """
        if user_id is None or user_id == self.user_id:
            return self.user_id
        if not self.may_assert_user:
            raise Forbidden("This key may not name an end user; it needs may_assert_user.", user_id=user_id)
        return UserId(user_id)

    def covers(self, thing: str) -> bool:
        """Whether a narrow token is for this thing. True for every actor that is not narrow."""
        return not self.only or self.only == thing
