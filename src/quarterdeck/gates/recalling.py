"""Reads that need not be sent: an earlier answer to the same principal is given again, where the author allows it.

The gate has decided by then, as for any call: this spares the tool, never the policy. A cache must not fail a call
either, so where the database is away the tool is asked. What may be out of date is never given: see `recall`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from quarterdeck.core import log as logs
from quarterdeck.core.errors import Error
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import digest, encode
from quarterdeck.gates.intents import Intent, ToolFacts
from quarterdeck.recall.records import Asked, Found, Known, Principal, Unknown, Want
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.runs.events import ToolAnswered
from quarterdeck.runs.messages import Stored
from quarterdeck.runs.records import Effect

_log = logs.get(__name__)
_SLACK = 5.0
_REMOTE = "http"


class Answers(Protocol):
    """Where earlier answers are: `recall.service.Recall`."""

    def want(self, asked: Asked) -> Want | None:
        """The keys of a read."""
        ...

    async def find(self, tenant: TenantId, run: RunId, want: Want, seconds: int) -> Found:
        """An earlier answer, or the time as of which one can be kept."""
        ...

    async def keep(
        self,
        tenant: TenantId,
        run: RunId,
        want: Want,
        asked_at: datetime,
        seconds: int,
        value: bytes,
        parts: Sequence[str],
    ) -> None:
        """Keep one."""
        ...

    async def changing(self, principal: Principal, server: str, seconds: float) -> datetime | None:
        """Something may change there."""
        ...

    async def changed(self, principal: Principal, server: str, told: datetime | None) -> None:
        """It has."""
        ...


@dataclass(frozen=True, slots=True)
class Miss:
    """No earlier answer: what is read now may be kept under `want`, as of `at`."""

    want: Want
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A call under way that is no read."""

    principal: Principal
    server: str
    told: datetime | None


class Recalling:
    """What a process knows already of what its tools would answer."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def find(self, release: Release, intent: Intent, facts: ToolFacts) -> ToolAnswered | Miss | None:
        """An earlier answer as the event to append; None: this call has nothing to do with any."""
        grant = intent.grant
        if not grant.cache or grant.effect != Effect.READ:
            return None
        asked = Asked(principal_of(facts), server_of(release, grant), tool_of(grant), intent.arguments)
        want = self._answers.want(asked)
        if want is None:
            return None
        try:
            found = await self._answers.find(facts.tenant, facts.run, want, grant.cache)
        except Error as away:
            _log.warning("recall.not_looked_up", tool=grant.name, error=away.code)
            return None
        match found:
            case Known(value=value):
                return msgspec.structs.replace(_decoder.decode(value), call=intent.call, cached=True, ms=0, tries=0)
            case Unknown(at=at):
                return Miss(want, at)

    async def keep(self, miss: Miss, intent: Intent, facts: ToolFacts, answer: ToolAnswered) -> None:
        """Keep an answer for the next time. One that is an error, or of which something was taken out, is not kept."""
        if answer.is_error or answer.redacted:
            return
        parts = [part.key for part in answer.content if isinstance(part, Stored)]
        try:
            await self._answers.keep(
                facts.tenant, facts.run, miss.want, miss.at, intent.grant.cache, encode(answer), parts
            )
        except Error as away:
            _log.warning("recall.not_kept", tool=intent.grant.name, error=away.code)

    async def changing(self, release: Release, intent: Intent, facts: ToolFacts, left: float) -> Change | None:
        """To be told before a call that is no read is sent, which may begin within `left` seconds.

        Raises Unavailable: then it must not be sent.
        """
        grant = intent.grant
        if grant.effect == Effect.READ or not _may_be_known(release, grant, facts):
            return None
        principal, server = principal_of(facts), server_of(release, grant)
        seconds = max(0.0, left) + grant.timeout + _SLACK
        return Change(principal, server, await self._answers.changing(principal, server, seconds))

    async def changed(self, change: Change) -> None:
        """To be told once that call has its outcome, and never where nobody knows it."""
        try:
            await self._answers.changed(change.principal, change.server, change.told)
        except Error as away:
            # Until the time that was told, nothing that was read there is given again.
            _log.warning("recall.change_not_ended", error=away.code)


def principal_of(facts: ToolFacts) -> Principal:
    """On whose behalf a call is made."""
    return Principal(facts.tenant, facts.user, facts.roles, facts.claims)


def server_of(release: Release, grant: ToolGrant) -> str:
    """What makes a server the same one: one of others by its address and what is sent along, code by its release."""
    server = release.server(grant.server)
    where = [server.url, dict(server.headers or {})] if server.kind == _REMOTE else [server.name, release.id]
    return digest([server.kind, *where])


def tool_of(grant: ToolGrant) -> str:
    """What makes a tool the same one: its name there, its schemas, and what becomes of its words here."""
    schemas = [dict(grant.parameters), None if grant.output_schema is None else dict(grant.output_schema)]
    return digest([grant.remote_name, *schemas, grant.trust, list(grant.scan), grant.max_output])


def _may_be_known(release: Release, grant: ToolGrant, facts: ToolFacts) -> bool:
    """Whether anybody can have kept what was read of this server: of code only its own release, when it is whole."""
    if release.server(grant.server).kind == _REMOTE or facts.narrowed is not None:
        return True
    return any(tool.cache and tool.server == grant.server for tool in release.tools)


_decoder = msgspec.json.Decoder(ToolAnswered)
