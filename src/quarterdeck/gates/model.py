"""The model gate: the only way from a run to a model.

`decide` judges whether this run may ask this model now; `answer` then asks it. Whatever comes back is an answer or a
ModelFault; nothing is sent that `decide` did not see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from quarterdeck.core.ids import TenantId
from quarterdeck.gates import routing
from quarterdeck.gates.asking import Asking
from quarterdeck.gates.checks import BLIND_PAUSE, SWITCH_PAUSE
from quarterdeck.gates.gathering import in_force
from quarterdeck.gates.pacing import Pace
from quarterdeck.gates.records import ALLOW, Check, Ruling, deny, not_now
from quarterdeck.gates.routing import Choice
from quarterdeck.gates.rules import decide
from quarterdeck.gates.secrecy import Secrecy
from quarterdeck.models import prices
from quarterdeck.models.prices import Price
from quarterdeck.models.records import Delta, ModelAnswer, ModelRequest, OnFault
from quarterdeck.models.service import Models
from quarterdeck.pacing.service import Pacer
from quarterdeck.providers.records import Connection
from quarterdeck.releases.records import Limits, ModelPin, Release, Route
from quarterdeck.runs.messages import Usage
from quarterdeck.runs.parts import Decision
from quarterdeck.spec import pins
from quarterdeck.switches.records import CLEAR, Standing

GRACE = 60.0
"""Seconds beyond its limit of time in which a run may still be asked for a last answer."""


@dataclass(frozen=True, slots=True)
class Savings:
    """Micro-USD that an answer cost less thanks to the provider's cache, to its route and to what was left out."""

    cache: int = 0
    route: int = 0
    trim: int = 0


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the loop knows of the run when it wants to ask: steps taken, tokens and seconds used so far.

    `background`: its priority is below zero. `beside`: the question is no step of the conversation but a summary, a
    judge's or the last one, for which a run that has reached its limits has a little left. `unpriced`: its money is
    limited, and no price is known.
    """

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    background: bool = False
    beside: bool = False
    unpriced: bool = False


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
    if used.beside:
        over = used.seconds >= most.max_seconds + GRACE
        return deny(f"The limit of {most.max_seconds:g} s of execution is long over.", "time") if over else ALLOW
    if used.steps >= most.max_steps:
        return deny(f"The limit of {most.max_steps} steps is reached.", "steps")
    if used.tokens >= most.max_tokens:
        return deny(f"The limit of {most.max_tokens:,} tokens is reached.", "tokens")
    if used.seconds >= most.max_seconds:
        return deny(f"The limit of {most.max_seconds:g} s of execution is reached.", "time")
    return ALLOW


def price(question: Question) -> Ruling:
    """What it may cost is known, where money is limited: what can't be priced can't be kept within a budget."""
    if not question.used.unpriced:
        return ALLOW
    wanted = question.request.pin
    return deny(
        f"No price is known for `{wanted.id}` on `{wanted.provider}`, and money is limited here. "
        "A deployment admin sets one with the connection's option `prices`, or `allow_unpriced: true`."
    )


CHECKS: tuple[Check[Question], ...] = (switch, connection, pin, limits, price)
"""The order is the contract. The budget comes after: it is asked, and paid from, in the transaction of the question."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What routes look at: what a question is for (empty = a step), which step it is, the run's task, about how many
    tokens it has, whether tools go along, and how far the run saves.
    """

    purpose: str
    step: int
    task: str = ""
    input_tokens: int = 0
    has_tools: bool = False
    degree: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """The price of a model, None = not known. `unpriced`: and nobody has said that it may be asked all the same."""

    price: Price | None
    unpriced: bool


class ModelStandings(Protocol):
    """What switches leave of questions to models: `switches.board.Board`."""

    def standing(
        self,
        tenant: TenantId,
        agent: str,
        *,
        model: str | None = None,
        provider: str | None = None,
        route: str | None = None,
        background: bool = False,
    ) -> Standing:
        """What they leave; never waits."""
        ...


class ModelGate:
    """The model gate of a process."""

    def __init__(
        self,
        models: Models,
        switches: ModelStandings,
        secrecy: Secrecy | None = None,
        marks: bytes = b"",
        pacer: Pacer | None = None,
    ) -> None:
        """`marks` is the key of the codes between which untrusted results are shown; empty = they are not marked."""
        self._models = models
        self._switches = switches
        self.asking = Asking(models, secrecy, marks, pacer=pacer)

    def choose(self, tenant: TenantId, release: Release, kind: Kind, tried: Sequence[str] = ()) -> Choice:
        """The route that takes a question, and the exact model to ask over it: its own, or the one that a switch has
        put in its place. Routes that were `tried`, are switched off or fail at the moment are passed over, as far as
        the release has others; where none is left, `closed` says so.
        """

        def closed(route: Route) -> str | None:
            if route.name in tried:
                return "it has just failed"
            standing = self._standing(tenant, release.agent, route)
            return standing.denied or self.asking.closed(route.pin.provider, route.pin.id)

        choice = routing.choose(
            release,
            kind.purpose,
            kind.step,
            kind.task,
            kind.input_tokens,
            has_tools=kind.has_tools,
            closed=closed,
            degree=kind.degree,
        )
        instead = self._standing(tenant, release.agent, Route(choice.route, choice.pin)).model
        if instead is None:
            return choice
        return replace(choice, pin=replace(choice.pin, provider=instead[0], id=instead[1]), why="put there by a switch")

    async def decide(
        self, request: ModelRequest, release: Release, used: ModelFacts, choice: Choice | None = None
    ) -> Decision:
        """Whether this run may ask now, over its own model or the route that was chosen.

        Raises only what looking up an unknown connection in the database raises.
        """
        found = await self._models.connection(request.pin.provider)
        route = routing.main_route(release) if choice is None else _route_of(release, choice)
        # Of the route's own model, whatever is asked in its place: what is switched off stays switched off.
        standing = self._standing(request.tenant, request.agent, route, background=used.background)
        return decide(
            CHECKS, Question(request, found, release.limits, used, standing), in_force("", "", standing.switches)
        )

    def _standing(self, tenant: TenantId, agent: str, route: Route, *, background: bool = False) -> Standing:
        return self._switches.standing(
            tenant,
            agent,
            model=route.pin.id,
            provider=route.pin.provider,
            route=route.name or None,
            background=background,
        )

    async def price(self, pin: ModelPin) -> Bound:
        """What a question over this pin may cost at most, as far as that is known."""
        found = await self._models.connection(pin.provider)
        if found is None:
            return Bound(None, unpriced=False)  # there is nothing to ask either
        known = self._models.price(found, pin)
        return Bound(known, unpriced=known is None and not self._models.allows_unpriced(found))

    async def savings(self, request: ModelRequest, main: ModelPin, usage: Usage, trimmed: int) -> Savings:
        """What an answer cost less than it might have."""
        own = await self.price(request.pin)
        if own.price is None:
            return Savings()
        first = own if request.pin == main else await self.price(main)
        return Savings(
            prices.saved_by_cache(own.price, usage),
            prices.saved_by_route(own.price, first.price, usage),
            prices.saved_by_trimming(own.price, usage, trimmed),
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


def _route_of(release: Release, choice: Choice) -> Route:
    """The route as the release has it: of a model that is named by a rule there is none."""
    return routing.route_of(release, choice.route) or Route(choice.route, choice.pin)


_refusal = lru_cache(4096)(pins.refusal)
"""Pins are few and asked about at every step."""
