"""What is asked for again, and what there is of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf a tool is called: equal only where the tool could not tell them apart."""

    tenant: TenantId
    user: str
    roles: tuple[str, ...]
    claims: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Asked:
    """A read as its answer depends on it: who asks, which server, which tool as it is declared, which arguments."""

    principal: Principal
    server: str
    tool: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class Want:
    """The same as keys: of this very read, and of everything that its principal reads of its server."""

    key: bytes
    place: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """An earlier answer, in the words of whoever kept it; what it refers to is the asking run's as well from now on."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is none that may be given again. What is read now is as of `at`, by the database's clock."""

    at: datetime


Found: TypeAlias = Known | Unknown
