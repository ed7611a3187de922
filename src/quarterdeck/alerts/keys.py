"""How one trouble is told from another, so that it is raised once."""

from collections.abc import Mapping
from typing import TypeAlias

from quarterdeck.alerts.records import Alert, Kind
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import encode_text

Standing: TypeAlias = Mapping[tuple[TenantId | None, Kind, str], Alert]
"""Alerts that stand, by tenant, kind and subject."""


def key_of(*parts: object) -> str:
    """What tells one trouble from another, whatever characters names have."""
    return encode_text([part if isinstance(part, str | int) else str(part) for part in parts])


def key_in(kind: Kind, subject: str, time: object, standing: Alert | None) -> str:
    """The key of what stands, else a fresh one: what has ended is not told again within the same `time`."""
    return standing.key if standing is not None else key_of(kind, subject, time)
