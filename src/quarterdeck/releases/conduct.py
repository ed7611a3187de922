"""What a release says of models, money, context and guardrails: from `agent.yaml` into the manifest, and the server's
own judgement of it there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

from pydantic import ValidationError

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.core.text import shorten
from quarterdeck.net.records import Reach, Refusal
from quarterdeck.net.rules import judge_url
from quarterdeck.releases.manifest import Guardrail, Manifest, Pin, as_doubles
from quarterdeck.spec import pins
from quarterdeck.spec.checks import CHECKS, Kind
from quarterdeck.spec.findings import did_you_mean
from quarterdeck.spec.guardrails import flaws
from quarterdeck.spec.money import AT_ONCE, BudgetSection, micro_usd, window_of
from quarterdeck.spec.reading import AgentFolder
from quarterdeck.spec.routing import MAIN, RouteSection

Complaint: TypeAlias = tuple[str, str, str]
"""Where in the manifest, what is wrong, and the fix."""


def conduct_of(folder: AgentFolder) -> dict[str, object]:
    """The manifest's members about models beyond the first, money, context and guardrails."""
    agent = folder.agent
    return {
        "routes": [_route(name, route) for name, route in agent.routes.items()],
        "fallbacks": list(agent.fallbacks),
        "cheaper": agent.cheaper,
        "budgets": [_budget(one) for one in sorted(agent.budgets, key=lambda one: (one.scope, one.budget_duration))],
        "context": agent.context.model_dump(),
        "guardrails": [cast("Mapping[str, object]", as_doubles(rule)) for rule in folder.guardrails],
    }


def _route(name: str, route: RouteSection) -> dict[str, object]:
    when = route.when
    said: dict[str, object] = {"name": name, "pin": route.model.model_dump()}
    if when is None:
        return said
    return {
        **said,
        "tasks": sorted(set(when.tasks or ())),
        "purposes": sorted(set(when.purposes or ())),
        "input_under": when.input_under,
        "first_steps": when.first_steps,
        "without_tools": when.without_tools,
    }


def _budget(budget: BudgetSection) -> dict[str, object]:
    # Parts of a micro-dollar were refused when the folder was read.
    money = None if budget.max_budget is None else micro_usd(budget.max_budget)
    window = window_of(budget.budget_duration)
    return {"scope": budget.scope, "window": window, "max_micro_usd": money, "max_tokens": budget.max_tokens}


def providers_of(manifest: Manifest) -> tuple[str, ...]:
    """Every provider connection that a release asks, the main one first."""
    asked = [manifest.model.provider, *(pin.provider for _, pin in _pins(manifest))]
    return tuple(dict.fromkeys(asked))


def brings_code(manifest: Manifest) -> bool:
    """Whether a guardrail calls a function of the release's own."""
    return any(_settings(one, Kind.FUNCTION) for one in manifest.guardrails)


def complaints(manifest: Manifest, kinds: Mapping[str, str | None], reach: Reach) -> Iterator[Complaint]:
    """What is wrong with it. `kinds` are those of the provider connections, as far as they exist."""
    for place, pin in _pins(manifest):
        yield from _pin_complaints(place, pin, kinds.get(pin.provider))
    yield from _route_complaints(manifest)
    yield from _budget_complaints(manifest)
    for at, rule in enumerate(manifest.guardrails):
        yield from _guardrail_complaints(f"guardrails[{at}]", rule, manifest, reach)
    for (edge, name), count in Counter((one.edge, one.name) for one in manifest.guardrails).items():
        if count > 1:
            yield "guardrails", f"{count} of the {edge} are called {name!r}", "give each a name of its own"
    for at, tool in enumerate(manifest.tools):
        if tool.cache and tool.effect != "read":
            yield f"tools[{at}].cache", "only what a declared read returns may be given again", "take it away"


def _pins(manifest: Manifest) -> Iterator[tuple[str, Pin]]:
    """Every exact model beyond the main one, with its place. What is no pin at all is a flaw of its guardrail."""
    for at, route in enumerate(manifest.routes):
        yield f"routes[{at}].pin", route.pin
    for at, rule in enumerate(manifest.guardrails):
        for name in _settings(rule, Kind.MODEL):
            try:
                yield f"guardrails[{at}].settings.{name}", Pin.model_validate(rule.settings[name])
            except ValidationError:
                continue


def _settings(rule: Guardrail, kind: Kind) -> list[str]:
    if (check := CHECKS.get(rule.check)) is None:
        return []
    given = rule.settings
    return [name for name, setting in check.settings.items() if setting.kind is kind and given.get(name) is not None]


def _pin_complaints(place: str, pin: Pin, kind: str | None) -> Iterator[Complaint]:
    refusal = pins.refusal(kind, pin.id)
    if refusal is not None:
        yield f"{place}.id", refusal.rstrip("."), "pin an exact id"
    unknown = sorted(set(pin.extra or {}) - pins.SETTINGS)
    if unknown:
        problem = f"{unknown[0]!r} is no model setting that may be sent along"
        yield f"{place}.extra", problem, did_you_mean(unknown[0], sorted(pins.SETTINGS))


def _route_complaints(manifest: Manifest) -> Iterator[Complaint]:
    names = Counter(route.name for route in manifest.routes)
    for at, route in enumerate(manifest.routes):
        if names[route.name] > 1 or route.name == MAIN:
            yield f"routes[{at}].name", f"{route.name!r} is the name of another route", "give this one another"
    wanted = [(f"fallbacks[{at}]", name) for at, name in enumerate(manifest.fallbacks)]
    wanted += [("cheaper", manifest.cheaper)] if manifest.cheaper is not None else []
    for place, name in wanted:
        if name not in names:
            yield place, f"there is no route {name!r}", did_you_mean(name, list(names))
    if len(set(manifest.fallbacks)) < len(manifest.fallbacks):
        yield "fallbacks", "a route is there twice", "name it once"


def _budget_complaints(manifest: Manifest) -> Iterator[Complaint]:
    seen = Counter((budget.scope, budget.window) for budget in manifest.budgets)
    for at, budget in enumerate(manifest.budgets):
        if budget.max_micro_usd is None and budget.max_tokens is None:
            yield f"budgets[{at}]", "it limits nothing", "give it `max_micro_usd` or `max_tokens`"
        if budget.scope in AT_ONCE and budget.window != "total":
            yield f"budgets[{at}].window", f"what a {budget.scope} may spend does not renew", "make it `total`"
        if seen[budget.scope, budget.window] > 1:
            yield f"budgets[{at}]", "another is about the same scope and window", "put them into one"


def _guardrail_complaints(place: str, rule: Guardrail, manifest: Manifest, reach: Reach) -> Iterator[Complaint]:
    for flaw in flaws(rule.edge, rule.check, rule.action, cast("JsonObject", rule.settings)):
        member = flaw.member if flaw.member in {"", "check", "action"} else f"settings.{flaw.member}"
        yield f"{place}.{member}".rstrip("."), flaw.problem, flaw.fix
    fail, message = rule.settings.get("fail", "closed"), rule.settings.get("message", "")
    if fail not in {"closed", "open"} or not isinstance(message, str) or len(message) > 500:
        yield f"{place}.settings", "`fail` is `closed` or `open`, and `message` a sentence", "correct it in agent.yaml"
    for name in _settings(rule, Kind.MODEL):
        yield from _model_complaints(f"{place}.settings.{name}", cast("Json", rule.settings[name]))
    for name in _settings(rule, Kind.SCHEMA):
        if isinstance(rule.settings[name], str):
            yield f"{place}.settings.{name}", "it is the name of a file and not a schema", "build the release again"
    for name in _settings(rule, Kind.FUNCTION):
        file = str(rule.settings[name]).partition(":")[0]
        if file not in manifest.files:
            yield f"{place}.settings.{name}", f"{shorten(file, 80)!r} is no file of this release", "build it again"
    for name in _settings(rule, Kind.URL):
        target = judge_url(str(rule.settings[name]), reach)
        if isinstance(target, Refusal):
            yield f"{place}.settings.{name}", target.why.rstrip("."), "correct it in agent.yaml"


def _model_complaints(place: str, given: Json) -> Iterator[Complaint]:
    try:
        _ = Pin.model_validate(given)
    except ValidationError as fault:
        error = fault.errors(include_url=False, include_input=False)[0]
        inside = "".join(f".{part}" for part in error["loc"])
        yield f"{place}{inside}", error["msg"], "correct it in agent.yaml"
