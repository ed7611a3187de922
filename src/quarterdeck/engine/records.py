"""What the engine carries."""

from dataclasses import dataclass
from uuid import UUID

from quarterdeck.core.ids import RunId, TenantId, WorkerId


@dataclass(frozen=True, slots=True)
class Delivery:
    """ "This run is ready": for whichever worker executes its behaviour version."""

    tenant: TenantId
    run: RunId
    behaviour: int
    priority: int = 0

    @property
    def payload(self) -> bytes:
        """32 bytes: tenant, run."""
        return self.tenant.bytes + self.run.bytes


@dataclass(frozen=True, slots=True)
class Lease:
    """What a worker holds: its row, and until when on its own boot-time clock it may act."""

    worker: WorkerId
    epoch: int
    good_until: float


def parse(payload: bytes) -> tuple[TenantId, RunId]:
    """The tenant and run of a payload."""
    return TenantId(UUID(bytes=payload[:16])), RunId(UUID(bytes=payload[16:32]))


def entrypoint(behaviour: int) -> str:
    """The queue that workers of a behaviour version listen to."""
    return f"run.v{behaviour}"
