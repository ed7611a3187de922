# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Secrets: values go in and never come out."""

from datetime import datetime

from quarterdeck.sdk import calls
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.holdings import KeyRotation, Secret
from quarterdeck.sdk.records import Page
from quarterdeck.sdk.sync.listing import Listing
from quarterdeck.sdk.sync.transport import Transport


class Secrets:
    """`client.secrets`: the tenant's, or the deployment's for an admin who named no tenant."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def set(
        self,
        name: str,
        value: str | None = None,
        *,
        description: str | None = None,
        due_at: datetime | None = None,
        never_due: bool = False,
    ) -> Secret:
        """Keep a secret or give it a new value; what is None stays. Workers use it within five seconds."""
        body = {
            "value": value,
            "description": description,
            "due_at": None if due_at is None else due_at.isoformat(),
        }
        nulls = ["due_at"] if never_due else []
        return self._transport.send(calls.put(Secret, at("secrets", name), body, nulls=nulls))

    def list(self, *, due: bool = False, limit: int | None = None) -> Listing[Secret]:
        """Secrets by name, or only those that should have a new value."""
        return Listing(self._transport, Page[Secret], at("secrets"), {"due": due or None}, limit)

    def get(self, name: str) -> Secret:
        """One secret, without its value."""
        return self._transport.send(calls.get(Secret, at("secrets", name)))

    def remove(self, name: str) -> None:
        """Remove a secret with all its values. Calls that need it fail from then on."""
        self._transport.send(calls.remove(at("secrets", name)))

    def rotate_key(self) -> KeyRotation:
        """Seal the tenant's values under a new data key; the deployment's admin: wrap all data keys anew."""
        return self._transport.send(calls.create(KeyRotation, at("secrets", "rotate-key")))
