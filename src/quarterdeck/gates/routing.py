"""Which of a release's models takes a step, and why: the first route whose conditions fit, a cheaper one when money
gets short, another one while a model can't be asked. Never a model that the release does not name.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from quarterdeck.releases.records import ModelPin, Release, Route
from quarterdeck.spec.routing import MAIN
from quarterdeck.spec.values import Purpose

CONVERSATION = (Purpose.STEP, Purpose.CLOSING)
"""What a route takes that names no purpose: the conversation itself, whose prompt a provider may have cached."""

Closed: TypeAlias = Callable[[Route], str | None]
"""Why a route can't be asked at the moment (a switch, an open circuit), as a clause; None = it can."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The route that takes a step. `why` is a sentence without its full stop, for the log.

    `closed` is set where no route that may take it can be asked: then `route` is the one that should have.
    """

    route: str
    pin: ModelPin
    why: str
    closed: str | None = None


def choose(
    release: Release,
    purpose: str,
    step: int,
    task: str,
    input_tokens: int,
    *,
    has_tools: bool,
    closed: Closed,
    degree: str = "",
) -> Choice:
    """The route for a question. Deterministic; asks `closed` of as many routes as it has to, in order.

    `purpose` is empty for a step of the conversation, as in the log; `task` is the run's tag of that name and
    `input_tokens` an estimate. `degree` is how far the run saves, empty = not at all.

    A route that can't be asked is stood in for by the one that would be asked otherwise, at last by the release's own
    model, and then by its `fallbacks` in their order; by no other.
    """
    asking = _Asking(purpose or Purpose.STEP, step, task, input_tokens, has_tools, degree)
    wanted = list(_wanted(release, asking))
    first, why = wanted[0]
    shut: dict[str, str] = {}
    for route, reason in wanted:
        if route.name in shut:
            continue
        words = closed(route)
        if words is None:
            instead = f"`{first.name}` can't be asked ({shut[first.name]}): " if shut else ""
            return Choice(route.name, route.pin, f"{instead}{reason}")
        shut[route.name] = words
    others = "" if len(shut) == 1 else f", nor any of {', '.join(f'`{name}`' for name in shut if name != first.name)}"
    return Choice(first.name, first.pin, why, f"`{first.name}` can't be asked ({shut[first.name]}){others}")


def main_route(release: Release) -> Route:
    """The release's own model, as a route."""
    return Route(MAIN, release.model)


def route_of(release: Release, name: str) -> Route | None:
    """The route of a name; None where the release has none of it."""
    return main_route(release) if name == MAIN else next((one for one in release.routes if one.name == name), None)


@dataclass(frozen=True, slots=True)
class _Asking:
    purpose: str
    step: int
    task: str
    input_tokens: int
    has_tools: bool
    degree: str


def _wanted(release: Release, asking: _Asking) -> Iterator[tuple[Route, str]]:
    """The routes that may take a step, the best first, each with why. Some may come twice."""
    if asking.degree and release.cheaper is not None and (saving := route_of(release, release.cheaper)) is not None:
        yield saving, f"`{saving.name}` saves money, which gets short ({asking.degree})"
    for route in release.routes:
        met = _met(route, asking)
        if met is not None:
            yield route, f"`{route.name}` takes {met}"
            break
    main = main_route(release)
    yield main, "the release's own model"
    for name in release.fallbacks:
        if (stand_in := route_of(release, name)) is not None:
            yield stand_in, f"falls back to `{name}`"


def _met(route: Route, asking: _Asking) -> str | None:
    """The conditions of a route in words, where a step fits all of them and there are any; else None."""
    purpose = asking.purpose
    held = {
        f"task `{asking.task}`": not route.tasks or asking.task in route.tasks,
        f"what is asked as {purpose}": purpose in (route.purposes or CONVERSATION),
        f"fewer than {route.input_under or 0:,} input tokens": route.input_under is None
        or asking.input_tokens < route.input_under,
        f"the first {route.first_steps} steps": route.first_steps is None or asking.step <= route.first_steps,
        "what needs no tools": not (route.without_tools and asking.has_tools),
    }
    given = _given(route)
    if not any(given) or not all(held.values()):
        return None
    return " and ".join(words for words, is_given in zip(held, given, strict=True) if is_given)


def _given(route: Route) -> tuple[bool, ...]:
    """Which conditions a route has, in the order above."""
    return (
        bool(route.tasks),
        bool(route.purposes),
        route.input_under is not None,
        route.first_steps is not None,
        route.without_tools,
    )
