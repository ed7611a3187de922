"""What changed in the control of tools between two releases, in words. What permits more than before reads as such."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from quarterdeck.core.json import Json
from quarterdeck.core.text import shorten
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.statements import Statement, read
from quarterdeck.releases.manifest import Asked, Manifest, Narrowed, Policy, Rate, Server, Tool
from quarterdeck.spec.values import Autonomy, Effect, Trust

WIDER = " \N{EM DASH} this permits more"
_ARROW = "\N{RIGHTWARDS ARROW}"
_LEVELS = list(Autonomy)


def kind_changes(old: Tool, new: Tool) -> Iterator[str]:
    """The differences in what a tool is said to do and to be believed: what gates and policies go by."""
    if old.effect is not new.effect:
        yield f"tool {new.name}, effect: {old.effect} {_ARROW} {new.effect}{_if(_danger(new) < _danger(old))}"
    if old.trust is not new.trust:
        wider = new.trust is Trust.TRUSTED
        yield f"tool {new.name}, trust: {old.trust} {_ARROW} {new.trust}{_if(wider)}"


def _danger(tool: Tool) -> int:
    return {Effect.READ: 0, Effect.WRITE: 1}.get(tool.effect, 2)


def tool_changes(old: Tool, new: Tool) -> Iterator[str]:
    """The differences in the control of one tool."""
    name = f"tool {new.name}"
    if old.autonomy is not new.autonomy:
        wider = _LEVELS.index(new.autonomy) > _LEVELS.index(old.autonomy)
        yield f"{name}, autonomy: {old.autonomy} {_ARROW} {new.autonomy}{_if(wider)}"
    yield from _sets(f"{name}, destinations", old.destinations, new.destinations, fewer_is_wider=True)
    yield from _sets(f"{name}, payload", old.payload, new.payload)
    yield from _sets(f"{name}, secrets", old.secrets, new.secrets, more_is_wider=True)
    yield from _sets(f"{name}, results searched for", old.scan, new.scan, fewer_is_wider=True)
    yield from _rates(name, old.rates, new.rates)
    if old.concurrency != new.concurrency:
        wider = new.concurrency == 0 or 0 < old.concurrency < new.concurrency
        yield f"{name}, concurrency: {old.concurrency or 'any'} {_ARROW} {new.concurrency or 'any'}{_if(wider)}"
    yield from _asking(name, old.asking, new.asking)
    yield from _scope(name, old, new)
    yield from _affects(name, old, new)


def new_tool(tool: Tool) -> str:
    """What control a tool comes with, as a clause; empty where nothing but the default holds."""
    to = tool.destinations
    said = [
        f"autonomy {tool.autonomy}" if tool.autonomy is not Autonomy.ASK_WHEN_RISKY else "",
        f"secrets {', '.join(tool.secrets)}" if tool.secrets else "",
        f"goes to what `{'`, `'.join(to)}` {'says' if len(to) == 1 else 'say'}" if to else "",
    ]
    return "; ".join(one for one in said if one)


def _rates(name: str, old: Sequence[Rate], new: Sequence[Rate]) -> Iterator[str]:
    was = {(rate.per, rate.seconds): rate.calls for rate in old}
    now = {(rate.per, rate.seconds): rate.calls for rate in new}
    for key in sorted({*was, *now}):
        before, after = was.get(key), now.get(key)
        what = f"{name}, calls in {key[1]:,} s a {key[0]}"
        if before != after:
            wider = after is None or (before is not None and after > before)
            shown = [f"{one:,}" if one is not None else "any" for one in (before, after)]
            yield f"{what}: {shown[0]} {_ARROW} {shown[1]}{_if(wider)}"


def _asking(name: str, old: Asked, new: Asked) -> Iterator[str]:
    if old.people != new.people:
        yield f"{name}, people who have to say yes: {old.people} {_ARROW} {new.people}{_if(new.people < old.people)}"
    if old.roles != new.roles:
        before, after = ", ".join(old.roles) or "any reviewer", ", ".join(new.roles) or "any reviewer"
        wider = not new.roles or (bool(old.roles) and not set(new.roles) <= set(old.roles))
        yield f"{name}, who may say yes: {before} {_ARROW} {after}{_if(wider)}"
    if old.expires_in != new.expires_in:
        yield f"{name}, a question stands for: {old.expires_in:,.0f} s {_ARROW} {new.expires_in:,.0f} s"
    if old.summary != new.summary:
        yield f'{name}, what is shown to who is asked: "{old.summary}" {_ARROW} "{new.summary}"'


def _scope(name: str, old: Tool, new: Tool) -> Iterator[str]:
    was, now = old.scope or {}, new.scope or {}
    for argument in sorted({*was, *now}):
        before, after = was.get(argument), now.get(argument)
        if before != after:
            shown = [_bound(one.model_dump(mode="json")) if one is not None else "not bound" for one in (before, after)]
            yield f"{name}, {argument} is bound to: {shown[0]} {_ARROW} {shown[1]}{_if(before is not None)}"


def _bound(bound: Mapping[str, Json]) -> str:
    return shorten(", ".join(f"{key} {value}" for key, value in bound.items()), 120)


def _affects(name: str, old: Tool, new: Tool) -> Iterator[str]:
    for part, words in (("per_call", "records a call"), ("per_run", "records a run")):
        before: int | None = getattr(old.affects, part, None)
        after: int | None = getattr(new.affects, part, None)
        if before != after:
            wider = after is None or (before is not None and after > before)
            shown = [f"{one:,}" if one is not None else "any" for one in (before, after)]
            yield f"{name}, {words}: {shown[0]} {_ARROW} {shown[1]}{_if(wider)}"
    was = (getattr(old.affects, "argument", None), getattr(old.affects, "result", None))
    now = (getattr(new.affects, "argument", None), getattr(new.affects, "result", None))
    if old.affects is not None and new.affects is not None and was != now:
        yield f"{name}, records are counted by: {was[0] or was[1]} {_ARROW} {now[0] or now[1]}"


def server_changes(old: Server, new: Server) -> Iterator[str]:
    """The differences in what a server may reach, and in what is left of another agent."""
    name = f"tool server {new.name}"
    yield from _sets(f"{name}, hosts that it may reach", old.network, new.network, more_is_wider=True)
    if old.agent != new.agent:
        yield f"{name}: agent {old.agent or 'none'} {_ARROW} {new.agent or 'none'}"
    before, after = old.narrowed or Narrowed(), new.narrowed or Narrowed()
    if before.tools != after.tools:
        wider = after.tools is None or (before.tools is not None and not set(after.tools) <= set(before.tools))
        shown = [", ".join(one) or "none" if one is not None else "all" for one in (before.tools, after.tools)]
        yield f"{name}, tools left to the agent: {shown[0]} {_ARROW} {shown[1]}{_if(wider)}"
    if before.autonomy != after.autonomy:
        levels = [len(_LEVELS) if one is None else _LEVELS.index(one) for one in (before.autonomy, after.autonomy)]
        shown = [one or "its own" for one in (before.autonomy, after.autonomy)]
        yield f"{name}, autonomy left to the agent: {shown[0]} {_ARROW} {shown[1]}{_if(levels[1] > levels[0])}"
    for part in ("max_steps", "max_tool_calls", "max_seconds", "max_tokens"):
        was, now = getattr(before, part), getattr(after, part)
        if was != now:
            wider = now is None or (was is not None and now > was)
            yield f"{name}, {part}: {was or 'its own'} {_ARROW} {now or 'its own'}{_if(wider)}"


def release_changes(old: Manifest, new: Manifest) -> Iterator[str]:
    """The differences in policies, one sentence each, and in whom conversations pass to."""
    if old.escalate_to != new.escalate_to:
        yield f"conversations pass to: {_person(old)} {_ARROW} {_person(new)}"
    was, now = _statements(old.policies), _statements(new.policies)
    for key in sorted({*was, *now}):
        before, after = was.get(key), now.get(key)
        if before is None and after is not None:
            yield f"policy {key} added ({_told(after)}){_if(not after.forbids)}"
        elif after is None and before is not None:
            yield f"policy {key} removed ({_told(before)}){_if(before.forbids)}"
        elif before is not None and after is not None and before.parsed != after.parsed:
            yield f"policy {key}: {_told(before)} {_ARROW} {_told(after)}{_if(_may_widen(before, after))}"


def _person(manifest: Manifest) -> str:
    if manifest.escalate_to is None:
        return f"the owner, {manifest.owner}"
    return manifest.escalate_to or "nobody: the agent can't ask for a person"


def _statements(policies: Sequence[Policy]) -> dict[str, Statement]:
    """Policies by their own ids, else by what they say: one that moves to another line is the same."""
    found: dict[str, Statement] = {}
    for policy in policies:
        for one in read(PolicyText(policy.name, policy.text)):
            if isinstance(one, Statement):
                named = not one.id.endswith(f":{one.line}")
                found[one.id if named else f"{policy.name} `{shorten(' '.join(one.text.split()), 100)}`"] = one
    return found


def _told(one: Statement) -> str:
    return shorten(one.ask or one.reason or f"{one.effect}s", 200)


def _may_widen(old: Statement, new: Statement) -> bool:
    """Whether a policy that changed may permit more. Only where it is plain that it doesn't, it doesn't."""
    if (old.effect, old.action) != (new.effect, new.action) or (old.ask is None and new.ask is not None):
        return True
    before, after = _literals(old.parsed.get("conditions")), _literals(new.parsed.get("conditions"))
    match old.id.partition("/tools.")[2].split(".")[1:]:
        case ["allow", *_]:
            return not set(after) <= set(before)
        case ["deny", *_]:
            return not set(before) <= set(after)
        case ["bounds", *_, "min"]:
            return _number(after) < _number(before)
        case ["bounds" | "ask_above", *_]:
            return _number(after) > _number(before)
        case ["ask"]:
            return False
        case _:
            return True


def _number(literals: Sequence[str]) -> Decimal:
    """The limit of a bound: the one number in it."""
    numbers = [Decimal(one) for one in literals if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", one)]
    return numbers[0] if numbers else Decimal(0)


def _literals(node: JsonValue | Json) -> list[str]:
    """Every text that an expression compares with, patterns included."""
    if isinstance(node, Mapping):
        if "Value" in node:
            return [str(node["Value"])]
        if "like" in node:
            return [str(node["like"])]
        return [one for inner in node.values() for one in _literals(inner)]
    if isinstance(node, Sequence) and not isinstance(node, str):
        return [one for inner in node for one in _literals(inner)]
    return []


def _sets(
    what: str,
    old: Iterable[str],
    new: Iterable[str],
    *,
    more_is_wider: bool = False,
    fewer_is_wider: bool = False,
) -> Iterator[str]:
    added, removed = sorted(set(new) - set(old)), sorted(set(old) - set(new))
    if added:
        yield f"{what}: {', '.join(added)} added{_if(more_is_wider)}"
    if removed:
        yield f"{what}: {', '.join(removed)} removed{_if(fewer_is_wider)}"


def _if(wider: bool) -> str:
    return WIDER if wider else ""
