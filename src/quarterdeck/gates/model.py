"""The model gate: the only way from a run to a model.

`decide` judges whether this run may ask this model now; `answer` then asks it. Whatever comes back is an answer or a
ModelFault; nothing is sent that `decide` did not see.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from quarterdeck.core.ids import TenantId
from quarterdeck.gates.asking import Asking
from quarterdeck.gates.checks import BLIND_PAUSE, SWITCH_PAUSE
from quarterdeck.gates.gathering import in_force
from quarterdeck.gates.pacing import Pace
from quarterdeck.gates.records import ALLOW, Check, Ruling, deny, not_now
from quarterdeck.gates.rules import decide
from quarterdeck.gates.secrecy import Secrecy
from quarterdeck.models.records import Delta, ModelAnswer, ModelRequest, OnFault
from quarterdeck.models.service import Models
from quarterdeck.providers.records import Connection
from quarterdeck.releases.records import Limits, ModelPin, Release
from quarterdeck.runs.parts import Decision
from quarterdeck.spec import pins
from quarterdeck.switches.records import CLEAR, Standing


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the loop knows of the run when it wants to ask: steps taken, tokens and seconds used so far.

    `background`: its priority is below zero.
    """

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    background: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What the checks look at."""

    request: ModelRequest
    connection: Connection | None
    limits: Limits
    used: ModelFacts
    standing: Standing = CLEAR


def switch(question: Question) -> Ruling:
    """No switch stands against it, and this worker knows that. What one holds back waits: nothing is lost by it."""
    standing = question.standing
    if not standing.known:
        return not_now("Which switches are thrown is not known here at the moment.", BLIND_PAUSE, "unknown")
    if held := standing.paused or standing.denied:
        return not_now(held, SWITCH_PAUSE, "paused" if standing.paused else "")
    return ALLOW


def pin(question: Question) -> Ruling:
    """The release pins one exact model, with settings that are known."""
    wanted = question.request.pin
    kind = None if question.connection is None else question.connection.kind
    if (refused := _refusal(kind, wanted.id)) is not None:
        return deny(refused)
    unknown = [] if not wanted.extra else sorted(set(wanted.extra) - pins.SETTINGS)
    if unknown:
        return deny(f"The model settings {', '.join(unknown)} are not among those that may be set.", "settings")
    return ALLOW


def connection(question: Question) -> Ruling:
    """The connection exists and this tenant's agent may use it."""
    wanted, found = question.request, question.connection
    if found is None:
        name = wanted.pin.provider
        return deny(f"There is no provider connection `{name}`; a deployment admin makes one.", "unknown")
    if not found.serves(wanted.tenant, wanted.agent):
        return deny(f"The provider connection `{found.name}` is not open to this agent.", "closed")
    return ALLOW


def limits(question: Question) -> Ruling:
    """The run has steps, tokens and time left."""
    most, used = question.limits, question.used
    if used.steps >= most.max_steps:
        return deny(f"The limit of {most.max_steps} steps is reached.", "steps")
    if used.tokens >= most.max_tokens:
        return deny(f"The limit of {most.max_tokens:,} tokens is reached.", "tokens")
    if used.seconds >= most.max_seconds:
        return deny(f"The limit of {most.max_seconds:g} s of execution is reached.", "time")
    return ALLOW


CHECKS: tuple[Check[Question], ...] = (switch, connection, pin, limits)
"""The order is the contract."""


class ModelStandings(Protocol):
    """What switches leave of questions to models: `switches.board.Board`."""

    def standing(
        self,
        tenant: TenantId,
        agent: str,
        *,
        model: str | None = None,
        provider: str | None = None,
        background: bool = False,
    ) -> Standing:
        """What they leave; never waits."""
        ...


class ModelGate:
    """The model gate of a process."""

    def __init__(
        self, models: Models, switches: ModelStandings, secrecy: Secrecy | None = None, marks: bytes = b""
    ) -> None:
        """`marks` is the key of the codes between which untrusted results are shown; empty = they are not marked."""
        self._models = models
        self._switches = switches
        self.asking = Asking(models, secrecy, marks)

    def pin(self, tenant: TenantId, release: Release) -> ModelPin:
        """The exact model to ask: the release's, or the one that a switch has put in its place."""
        pinned = release.model
        standing = self._switches.standing(tenant, release.agent, model=pinned.id, provider=pinned.provider)
        instead = standing.model
        return pinned if instead is None else replace(pinned, provider=instead[0], id=instead[1])

    async def decide(self, request: ModelRequest, release: Release, used: ModelFacts) -> Decision:
        """Whether this run may ask now. Raises only what looking up an unknown connection in the database raises."""
        found = await self._models.connection(request.pin.provider)
        # Of the release's own model, whatever is asked in its place: what is switched off stays switched off.
        pinned = release.model
        standing = self._switches.standing(
            request.tenant, request.agent, model=pinned.id, provider=pinned.provider, background=used.background
        )
        return decide(
            CHECKS, Question(request, found, release.limits, used, standing), in_force("", "", standing.switches)
        )

    async def answer(
        self, request: ModelRequest, delta: Delta | None = None, on_fault: OnFault | None = None
    ) -> ModelAnswer:
        """Ask, and ask again where that may help: at most `asking.TRIES` times and `asking.TIME` seconds.

        `on_fault` is told of each failed try; what was streamed of it is void. A provider that says when to come back
        is obeyed, within reason: when that is too far off the fault is raised with its `retry_after`, for the caller to
        wait without holding a slot. Raises ModelFault. Cancelling it ends the try under way.

        No secret that the run's tools can be given, and no key of the provider, is asked or answered: what is said of
        one is replaced by its name before anybody reads it.
        """
        return await self.asking.answer(request, delta, on_fault)

    def same_model(self, wanted: ModelPin, served: str) -> bool:
        """Whether the model that answered is the pinned one, spelling aside."""
        return served == wanted.id or pins.same_model(wanted.id, served)

    def paces(self) -> dict[str, Pace]:
        """The pace of each connection that was asked so far, for metrics."""
        return self.asking.paces()


_refusal = lru_cache(4096)(pins.refusal)
"""Pins are few and asked about at every step."""
