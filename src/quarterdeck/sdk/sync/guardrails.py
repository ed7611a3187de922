# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Guardrails: how they do on a tenant's own traffic."""

from datetime import datetime

from quarterdeck.sdk import calls
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.guardrails import Measurement
from quarterdeck.sdk.sync.transport import Transport


class Guardrails:
    """`client.guardrails`: judgements that were recorded, and recent inputs judged anew."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def measure(
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
        return self._transport.send(calls.get(Measurement, at("guardrails", "measure"), query))
