"""A tenant's own policies as they are kept: each version by whom, when and why."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quarterdeck.core.errors import Conflict, Invalid, NotFound, Unavailable
from quarterdeck.core.json import Json
from quarterdeck.spec.findings import Finding

MAX_TEXT = 200_000
"""Characters of one policy text: a thousand policies."""
MAX_NAMES = 100
"""Policy texts that a tenant may have at a time."""


@dataclass(frozen=True, slots=True)
class TenantPolicy:
    """One version of a tenant's policy text. `text` is None in the version that removed it."""

    name: str
    version: int
    text: str | None
    why: str
    set_by: str
    set_at: datetime

    @property
    def digest(self) -> str:
        """SHA-256 of the text, 64 hexadecimal digits; empty for a removal."""
        return "" if self.text is None else hashlib.sha256(self.text.encode()).hexdigest()


class PolicyMissing(NotFound):
    """This tenant has no policy of this name."""

    code = "policy.not_found"


class PolicyChanged(Conflict):
    """Somebody else changed this policy at the same moment; look at it again."""

    code = "policy.changed"


class TooManyPolicies(Conflict):
    """This tenant has as many policy texts as one may have; put several policies into one text."""

    code = "policy.too_many"


class PoliciesUnknown(Unavailable):
    """This process does not know the tenants' policies at the moment; nothing is decided without them."""

    code = "policy.unknown"


class PolicyInvalid(Invalid):
    """This policy has errors."""

    code = "policy.invalid"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(sorted(findings, key=lambda found: (found.warning, found.place)))
        shown: list[Json] = [{"place": str(found.place), **found.as_json()} for found in self.findings]
        faults = [found for found in self.findings if not found.warning]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{faults[0]}{more}" if faults else None, errors=shown)
