"""What reports on policies need of packages that stand above: releases and the log of what was called.

`releases.shelf` and `runs.past` fill these; `serve` puts them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.db.records import Tx
from quarterdeck.policies.records import GrantedTool, Granting


class Servant(Protocol):
    """What is looked at in a tool server: `releases.records.ToolServer` is one."""

    @property
    def name(self) -> str:
        """The server's name."""
        ...

    @property
    def kind(self) -> str:
        """`python`, `stdio`, `http` or `agent`."""
        ...

    @property
    def url(self) -> str:
        """Where a remote one is."""
        ...

    @property
    def headers(self) -> Mapping[str, str] | None:
        """What is sent with each request; secrets stand there as `secret://NAME`."""
        ...

    @property
    def environment(self) -> Mapping[str, str] | None:
        """What a local one finds in its environment."""
        ...


class InspectedTool(GrantedTool, Protocol):
    """A tool with all that anti-patterns show in: `releases.records.ToolGrant` is one."""

    @property
    def description(self) -> str:
        """What the model reads about it."""
        ...

    @property
    def autonomy(self) -> str:
        """The most that the release allows."""
        ...

    @property
    def secrets(self) -> Sequence[str]:
        """Names of the secrets that it is given."""
        ...

    @property
    def scope(self) -> Mapping[str, Json] | None:
        """Arguments that the gate binds."""
        ...


class Inspected(Granting, Protocol):
    """A release with all that reports look at: `releases.records.Release` is one."""

    @property
    def id(self) -> ReleaseId:
        """The release's id."""
        ...

    @property
    def tenant(self) -> TenantId:
        """Whose it is."""
        ...

    @property
    def registered_at(self) -> datetime:
        """Since when it is there."""
        ...

    @property
    def version(self) -> str:
        """How people name it."""
        ...

    @property
    def servers(self) -> Sequence[Servant]:
        """Its tool servers."""
        ...

    @property
    def tools(self) -> Sequence[InspectedTool]:
        """Its tools."""
        ...


class Shelf(Protocol):
    """Where releases are found."""

    async def find(self, tx: Tx, tenant: TenantId, name: str) -> Inspected:
        """The release that `agent`, `agent@version` or the digits of an id stand for. Raises NotFound of some kind."""
        ...

    async def current(self, tx: Tx, tenant: TenantId, agents: Sequence[str] | None) -> Sequence[Inspected]:
        """The releases that new runs take, one an agent, by its name; of these agents only where they are named."""
        ...

    async def load(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> Inspected:
        """A release by its whole id. Raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call that an agent wanted to make, as its log tells it. `recorded` is what the gate said of it then."""

    step: int
    call: str
    tool: str
    arguments: JsonObject
    origins: Mapping[str, str]
    at: datetime
    recorded: str
    tainted: bool
    calls_in_run: int
    affected_in_run: int = 0


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run and the calls that it wanted to make, in their order."""

    id: RunId
    agent: AgentName
    release: ReleaseId
    user: str
    calls: tuple[PastCall, ...]
    roles: tuple[str, ...] = ()
    claims: Mapping[str, Json] = field(default_factory=dict[str, Json])


class Past(Protocol):
    """What was called."""

    async def runs(
        self, tx: Tx, tenant: TenantId, since: datetime, after: RunId | None, agents: Sequence[str] | None, limit: int
    ) -> Sequence[PastRun]:
        """Runs that were submitted since a time, oldest first, from behind `after` on; those without calls as well."""
        ...

    async def used(
        self, tx: Tx, tenant: TenantId, since: datetime, agents: Sequence[str] | None
    ) -> Mapping[tuple[str, str], tuple[int, datetime]]:
        """By agent and tool: how often it was called since a time, and when last. What was never called is absent."""
        ...

    async def earlier(self, tx: Tx, tenant: TenantId, day: datetime, before: RunId) -> Mapping[tuple[str, str], int]:
        """By user and tool: calls in runs that were submitted since `day` and before a run."""
        ...
