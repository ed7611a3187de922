"""What was decided and done: read, checked by the deployment, or taken along to be checked elsewhere."""

from collections.abc import AsyncGenerator
from datetime import datetime

from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.proof import AuditRow, Chain, Verification
from quarterdeck.sdk.records import Page

_SILENCE = 60.0
_PATIENCE = 3600.0


class AsyncAudit:
    """`client.audit`. For auditors and owners."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        kind: str | None = None,
        actor: str | None = None,
        tool: str | None = None,
        run: str | None = None,
        verdict: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> AsyncListing[AuditRow]:
        """Decisions and deeds, newest first."""
        query: dict[str, calls.Query] = {
            "kind": kind,
            "actor": actor,
            "tool": tool,
            "run": run,
            "verdict": verdict,
            "since": since,
            "until": until,
        }
        return AsyncListing(self._transport, Page[AuditRow], at("audit"), query, limit)

    async def get(self, row_id: str) -> AuditRow:
        """One row with its payload."""
        return await self._transport.send(calls.get(AuditRow, at("audit", row_id)))

    async def head(self) -> Chain:
        """Where the chain stands, and the key that it is checked with. Keep both elsewhere now and then."""
        return await self._transport.send(calls.get(Chain, at("audit", "head")))

    async def verify(self, after: int | None = None, hash: str | None = None) -> Verification:
        """Let the deployment check itself: from the beginning, or behind a head that you kept."""
        query: dict[str, calls.Query] = {"after": after, "hash": hash}
        return await self._transport.send(calls.get(Verification, at("audit", "verify"), query, _PATIENCE))

    async def export(self, after: int | None = None) -> AsyncGenerator[bytes]:
        """The chain line by line, each with its line end; `check_export` proves it. `after`: see an export's last line.

        Raises Unreachable when it is cut, and then the last line, which holds the signed head, is missing.
        """
        call = calls.get(bytes, at("audit", "export"), {"after": after})
        rest = b""
        async with self._transport.open_stream(call, _SILENCE) as response:
            async for chunk in response.aiter_raw():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line + b"\n"
        if rest:
            yield rest

    async def erase(self, row_id: str, why: str) -> None:
        """Erase a row's inputs and outputs. The row stays, the chain stays valid, and this is audited too."""
        await self._transport.send(calls.act(type(None), at("audit", row_id, "erase"), {"why": why}))
