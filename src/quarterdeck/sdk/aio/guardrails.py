"""Guardrails: how they do on a tenant's own traffic."""

from datetime import datetime

from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.guardrails import Measurement


class AsyncGuardrails:
    """`client.guardrails`: judgements that were recorded, and recent inputs judged anew."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def measure(
        self,
        *,
        agent: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        threshold: float | None = None,
        false_positives: float | None = None,
    ) -> Measurement:
        """Count what was found lately, and say which threshold flags at most `false_positives` of recent inputs."""
        query = {
            "agent": agent,
            "since": since,
            "limit": limit,
            "threshold": threshold,
            "false_positives": false_positives,
        }
        return await self._transport.send(calls.get(Measurement, at("guardrails", "measure"), query))
