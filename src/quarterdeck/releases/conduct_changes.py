"""What changed in models, money, context and guardrails between two releases, in words. What permits more than before
reads as such: a model that was not asked before, a budget that was raised, a guardrail that finds less or does less.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from pydantic import JsonValue

from quarterdeck.core.json import encode_text
from quarterdeck.core.money import MicroUsd, show
from quarterdeck.core.text import shorten
from quarterdeck.releases.manifest import Budget, Context, Guardrail, Manifest, Pin, Route, Tool
from quarterdeck.releases.widening import WIDER

_ARROW = "\N{RIGHTWARDS ARROW}"
_STRENGTH = ("record", "label", "redact", "retry", "ask", "refuse", "block")
"""Actions from the weakest to the strongest; those of one edge never meet those of the other."""
_MORE_IS_STRICTER = frozenset({"grounding", "judge"})
_PIN_SETTINGS = ("temperature", "top_p", "max_output_tokens", "timeout", "parallel_tool_calls", "extra")


def conduct_changes(old: Manifest, new: Manifest) -> Iterator[str]:
    """Each difference as a sentence without its full stop."""
    yield from _routes(old, new)
    yield from _budgets(old.budgets, new.budgets)
    for name in Context.model_fields:
        before, after = getattr(old.context, name), getattr(new.context, name)
        if before != after:
            yield f"context, {name}: {_value(before)} {_ARROW} {_value(after)}"
    for edge in ("input", "output"):
        yield from _guardrails(edge, old, new)


def is_new_model(old: Manifest, pin: Pin) -> bool:
    """Whether an exact model is one that a release has asked for nothing so far."""
    return (pin.provider, pin.id) not in models_of(old)


def models_of(manifest: Manifest) -> frozenset[tuple[str, str]]:
    """Every model that a release can ask, as provider connection and exact id."""
    asked = {(pin.provider, pin.id) for pin in (manifest.model, *(route.pin for route in manifest.routes))}
    judges = (rule.settings.get("model") for rule in manifest.guardrails)
    return frozenset(asked | {_named(model) for model in judges if isinstance(model, dict)})


def cache_changes(old: Tool, new: Tool) -> Iterator[str]:
    """For how long what a tool has returned is given again."""
    if old.cache != new.cache:
        shown = [f"{one:,} s" if one else "not at all" for one in (old.cache, new.cache)]
        yield f"tool {new.name}, results are given again for: {shown[0]} {_ARROW} {shown[1]}"


def _routes(old: Manifest, new: Manifest) -> Iterator[str]:
    was, now = {route.name: route for route in old.routes}, {route.name: route for route in new.routes}
    for name in [name for name in now if name not in was]:
        wider = _if(is_new_model(old, now[name].pin))
        yield f"route {name} added: {_model(now[name].pin)}, takes {_taken(now[name])}{wider}"
    for name in [name for name in was if name not in now]:
        yield f"route {name} removed ({_model(was[name].pin)})"
    for name in [name for name in now if name in was]:
        yield from _route(old, was[name], now[name])
    kept = [[name for name in side if name in was and name in now] for side in (was, now)]
    if kept[0] != kept[1]:
        yield f"routes are asked in this order: {', '.join(kept[0])} {_ARROW} {', '.join(kept[1])}"
    if old.fallbacks != new.fallbacks:
        shown = [", ".join(one) or "none" for one in (old.fallbacks, new.fallbacks)]
        yield f"fallbacks: {shown[0]} {_ARROW} {shown[1]}"
    if old.cheaper != new.cheaper:
        yield f"the route that saves: {old.cheaper or 'none'} {_ARROW} {new.cheaper or 'none'}"


def _route(old: Manifest, before: Route, after: Route) -> Iterator[str]:
    name = f"route {after.name}"
    if (before.pin.provider, before.pin.id) != (after.pin.provider, after.pin.id):
        wider = _if(is_new_model(old, after.pin))
        yield f"{name}: {_model(before.pin)} {_ARROW} {_model(after.pin)}{wider}"
    for part in _PIN_SETTINGS:
        if getattr(before.pin, part) != getattr(after.pin, part):
            yield f"{name}, {part}: {_value(getattr(before.pin, part))} {_ARROW} {_value(getattr(after.pin, part))}"
    if before.conditions != after.conditions:
        yield f"{name} takes: {_taken(before)} {_ARROW} {_taken(after)}"


def _model(pin: Pin) -> str:
    return f"{pin.id} on {pin.provider}"


def _taken(route: Route) -> str:
    """Which steps a route takes, in words."""
    said = [
        f"tasks {', '.join(route.tasks)}" if route.tasks else "",
        f"what is asked as {', '.join(route.purposes)}" if route.purposes else "",
        f"fewer than {route.input_under:,} input tokens" if route.input_under is not None else "",
        f"the first {route.first_steps} steps" if route.first_steps is not None else "",
        "what needs no tools" if route.without_tools else "",
    ]
    return " and ".join(one for one in said if one) or "nothing by itself"


def _budgets(old: Sequence[Budget], new: Sequence[Budget]) -> Iterator[str]:
    was = {(budget.scope, budget.window): budget for budget in old}
    now = {(budget.scope, budget.window): budget for budget in new}
    for key in sorted({*was, *now}):
        scope, window = key
        what = f"budget of {'the agent' if scope == 'agent' else f'each {scope}'}"
        what += "" if window == "total" else f" a {window}"
        before, after = was.get(key), now.get(key)
        for part, shown in (("max_micro_usd", _dollars), ("max_tokens", _tokens)):
            had: int | None = getattr(before, part, None)
            has: int | None = getattr(after, part, None)
            if had != has:
                wider = has is None or (had is not None and has > had)
                yield f"{what}: {shown(had)} {_ARROW} {shown(has)}{_if(wider)}"


def _dollars(micro: int | None) -> str:
    return "any money" if micro is None else show(MicroUsd(micro))


def _tokens(count: int | None) -> str:
    return "any tokens" if count is None else f"{count:,} tokens"


def _guardrails(edge: str, old: Manifest, new: Manifest) -> Iterator[str]:
    was = {rule.name: rule for rule in old.guardrails if rule.edge == edge}
    now = {rule.name: rule for rule in new.guardrails if rule.edge == edge}
    for name in [name for name in now if name not in was]:
        yield f"guardrail {name} of the {edge} added ({_does(now[name])})"
    for name in [name for name in was if name not in now]:
        yield f"guardrail {name} of the {edge} removed ({_does(was[name])}){WIDER}"
    for name in [name for name in now if name in was]:
        yield from _guardrail(old, was[name], now[name])
    kept = [[name for name in side if name in was and name in now] for side in (was, now)]
    if kept[0] != kept[1]:
        yield f"guardrails of the {edge} come in this order: {', '.join(kept[0])} {_ARROW} {', '.join(kept[1])}"


def _does(rule: Guardrail) -> str:
    return f"{rule.check}: {rule.action}"


def _guardrail(old: Manifest, before: Guardrail, after: Guardrail) -> Iterator[str]:
    name = f"guardrail {after.name} of the {after.edge}"
    if before.check != after.check:
        yield f"{name}: {_does(before)} {_ARROW} {_does(after)}{WIDER}"
        return
    if before.action != after.action:
        wider = _STRENGTH.index(after.action) < _STRENGTH.index(before.action)
        yield f"{name}: {before.action} {_ARROW} {after.action}{_if(wider)}"
    for setting in sorted({*before.settings, *after.settings}):
        had, has = before.settings.get(setting), after.settings.get(setting)
        if encode_text(had) != encode_text(has):
            wider = _finds_less(old, after.check, setting, had, has)
            yield f"{name}, {setting}: {_value(had)} {_ARROW} {_value(has)}{_if(wider)}"


def _finds_less(old: Manifest, check: str, setting: str, had: JsonValue, has: JsonValue) -> bool:
    """Whether a changed setting may let more through. Only where it is plain that it doesn't, it doesn't."""
    if setting == "model" and isinstance(has, dict):
        return _named(has) not in models_of(old)
    if setting == "threshold":
        had, has = (_number(had), _number(has)) if check in _MORE_IS_STRICTER else (_number(has), _number(had))
        return had is None or has is None or has < had
    judge = _PLAIN.get(setting)
    return judge is None or judge(had, has)


def _named(model: Mapping[str, JsonValue]) -> tuple[str, str]:
    return str(model.get("provider")), str(model.get("id"))


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _raised(had: JsonValue, has: JsonValue) -> bool:
    before, after = _number(had), _number(has)
    return after is None or (before is not None and after > before)


def _fewer(had: JsonValue, has: JsonValue) -> bool:
    """A list of what is looked for; left out = all."""
    return isinstance(has, list) and (not isinstance(had, list) or not set(map(str, had)) <= set(map(str, has)))


def _more(had: JsonValue, has: JsonValue) -> bool:
    """A list of what is let through; left out = nothing."""
    before, after = (set(map(str, one)) if isinstance(one, list) else set[str]() for one in (had, has))
    return not after <= before


_PLAIN: Mapping[str, Callable[[JsonValue, JsonValue], bool]] = {
    "max_tokens": _raised,
    "max_characters": _raised,
    "max_bytes": _raised,
    "matches": _raised,
    "kinds": _fewer,
    "classes": _fewer,
    "patterns": _fewer,
    "regions": _fewer,
    "allow": _more,
    "hosts": _more,
    "images": lambda _, has: has is True,
    "classifier": lambda _, has: has is False,
    "ignore_case": lambda _, has: has is not True,
    "strip": lambda _, has: has is not True,
    "fail": lambda _, has: has == "open",
    "message": lambda _, __: False,
    "seconds": lambda _, __: False,
}


def _value(value: JsonValue) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict | list):
        return shorten(encode_text(value), 120)
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return f'"{shorten(" ".join(value.split()), 120)}"'


def _if(wider: bool) -> str:
    return WIDER if wider else ""
