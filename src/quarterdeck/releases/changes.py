"""What changed between two releases, in words: sentences for the person who decides whether it may go live."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import chain

from pydantic import JsonValue

from quarterdeck.core.json import digest
from quarterdeck.core.text import shorten
from quarterdeck.releases import conduct_changes, widening
from quarterdeck.releases.manifest import Manifest, Server, Tool, Variable, as_doubles
from quarterdeck.spec.values import Effect

_ARROW = "\N{RIGHTWARDS ARROW}"
_MOST_PASSAGES = 8
_LONGEST_PASSAGE = 160
_LONGEST_COMPARED = 2000


def changes(old: Manifest, new: Manifest) -> tuple[str, ...]:
    """Each difference as a sentence without its full stop, the weightiest first; empty when there is none."""
    return tuple(
        chain(
            _agent(old, new),
            _model(old, new),
            conduct_changes.conduct_changes(old, new),
            _prompt(old, new),
            _variables(old.variables, new.variables),
            _tools(old, new),
            _servers(old, new),
            widening.release_changes(old, new),
            _limits(old, new),
            _output(old, new),
            _files(old, new),
        )
    )


def _agent(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.agent != new.agent:
        yield f"another agent: {old.agent} {_ARROW} {new.agent}"
    if old.behaviour_version != new.behaviour_version:
        yield f"behaviour of the runtime: version {old.behaviour_version} {_ARROW} {new.behaviour_version}"
    if old.owner != new.owner:
        yield f"owner: {old.owner} {_ARROW} {new.owner}"
    if old.description != new.description:
        yield f"description: {_passage(old.description)} {_ARROW} {_passage(new.description)}"


def _model(old: Manifest, new: Manifest) -> Iterator[str]:
    before, after = old.model, new.model
    if (before.provider, before.id) != (after.provider, after.id):
        wider = widening.WIDER if conduct_changes.is_new_model(old, after) else ""
        yield f"model: {before.id} on {before.provider} {_ARROW} {after.id} on {after.provider}{wider}"
    for name in ("temperature", "top_p", "max_output_tokens", "timeout", "parallel_tool_calls"):
        yield from _setting(f"model setting {name}", getattr(before, name), getattr(after, name))
    extra_before, extra_after = before.extra or {}, after.extra or {}
    for name in sorted(extra_before.keys() | extra_after.keys()):
        yield from _setting(f"model setting {name}", extra_before.get(name), extra_after.get(name))


def _prompt(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.prompt.text == new.prompt.text:
        return
    passages = list(word_changes(old.prompt.text, new.prompt.text))
    for line, before, after in passages[:_MOST_PASSAGES]:
        yield f"prompt, line {line}: {_replaced(before, after)}"
    if len(passages) > _MOST_PASSAGES:
        yield f"prompt: {len(passages) - _MOST_PASSAGES} more passages changed"
    if not passages:
        yield "prompt: only spaces and line breaks changed"


def word_changes(old: str, new: str) -> Iterator[tuple[int, str, str]]:
    """Passages that differ: the line in the new text (in the old one where something was removed), before, after."""
    was, now = old.split("\n"), new.split("\n")
    for old_from, old_to, new_from, new_to in _differences(was, now):
        before, after = " ".join(was[old_from:old_to]).split(), " ".join(now[new_from:new_to]).split()
        line = new_from + 1 if after else old_from + 1
        for a, b, c, d in _differences(before, after):
            yield line, " ".join(before[a:b]), " ".join(after[c:d])


def _differences(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where two sequences differ, as bounds in both.

    The time that takes grows with the square of their length: beyond a length that no honest change reaches, all that
    is between a common beginning and a common end is one difference.
    """
    shorter = min(len(old), len(new))
    start = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    end = next((at for at in range(shorter - start) if old[-1 - at] != new[-1 - at]), shorter - start)
    was, now = old[start : len(old) - end], new[start : len(new) - end]
    if max(len(was), len(now)) > _LONGEST_COMPARED:
        yield start, start + len(was), start, start + len(now)
        return
    for tag, a, b, c, d in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if tag != "equal":
            yield start + a, start + b, start + c, start + d


def _variables(old: Mapping[str, Variable], new: Mapping[str, Variable]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            yield f"variable {name} added ({after.type}{', required' if after.required else ''})"
        elif after is None:
            yield f"variable {name} removed"
        elif before is not None and before != after:
            for part in ("type", "required", "default", "description"):
                yield from _setting(f"variable {name}, {part}", getattr(before, part), getattr(after, part))


def _tools(old: Manifest, new: Manifest) -> Iterator[str]:
    was, now = {tool.name: tool for tool in old.tools}, {tool.name: tool for tool in new.tools}
    for name in sorted(now.keys() - was.keys()):
        tool = now[name]
        risk = "" if tool.effect is Effect.READ else " \N{EM DASH} it can change things"
        control = widening.new_tool(tool)
        more = f"; {control}" if control else ""
        yield f"tool {name} added ({tool.effect}, repeat {tool.repeat}, {tool.trust} results{more}){risk}"
    for name in sorted(was.keys() - now.keys()):
        yield f"tool {name} removed ({was[name].effect})"
    for name in sorted(was.keys() & now.keys()):
        yield from _tool(was[name], now[name])


def _tool(old: Tool, new: Tool) -> Iterator[str]:
    name = f"tool {new.name}"
    yield from widening.kind_changes(old, new)
    for part in ("repeat", "timeout", "max_output", "retries", "max_concurrency", "server"):
        yield from _setting(f"{name}, {part}", getattr(old, part), getattr(new, part))
    yield from _setting(f"{name}, name at its server", old.remote_name, new.remote_name)
    yield from widening.tool_changes(old, new)
    yield from conduct_changes.cache_changes(old, new)
    if old.description != new.description:
        said = [_replaced(before, after) for _, before, after in word_changes(old.description, new.description)]
        yield f"{name}, description: {shorten('; '.join(said), 400) or 'only spaces changed'}"
    yield from _schema(f"{name}, argument", old.parameters, new.parameters)
    if _differ(old.output_schema, new.output_schema):
        yield f"{name}: the schema of its results changed"


def _schema(what: str, old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> Iterator[str]:
    if not _differ(dict(old), dict(new)):
        return
    names = sorted({*_properties(old), *_properties(new)})
    sentences = [sentence for name in names for sentence in _property(what, name, old, new)]
    yield from sentences or [f"{what}s: the schema changed outside its properties"]


def _property(what: str, name: str, old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> Iterator[str]:
    before, after = _properties(old).get(name), _properties(new).get(name)
    required_before, required_now = name in _required(old), name in _required(new)
    if before is None:
        yield f"{what} {name} added{' (required)' if required_now else ' (optional)'}"
    elif after is None:
        yield f"{what} {name} removed"
    else:
        if required_before != required_now:
            yield f"{what} {name} became {'required' if required_now else 'optional'}"
        if _differ(before, after):
            kinds = f": {_kind(before)} {_ARROW} {_kind(after)}" if _kind(before) != _kind(after) else ""
            yield f"{what} {name} changed{kinds}"


def _servers(old: Manifest, new: Manifest) -> Iterator[str]:
    was, now = {one.name: one for one in old.servers}, {one.name: one for one in new.servers}
    for name in sorted(now.keys() - was.keys()):
        yield f"tool server {name} added ({_whereabouts(now[name])})"
    for name in sorted(was.keys() - now.keys()):
        yield f"tool server {name} removed"
    for name in sorted(was.keys() & now.keys()):
        before, after = was[name], now[name]
        if _whereabouts(before) != _whereabouts(after):
            yield f"tool server {name}: {_whereabouts(before)} {_ARROW} {_whereabouts(after)}"
        if (before.environment, before.headers) != (after.environment, after.headers):
            yield f"tool server {name}: what is sent along (environment, headers) changed"
        if before.lock_digest != after.lock_digest:
            yield f"tool server {name}: locked dependencies changed"
        yield from widening.server_changes(before, after)


def _whereabouts(server: Server) -> str:
    agent = f"agent {server.agent}" if server.agent else ""
    return shorten(server.url or server.module or agent or " ".join(server.command), _LONGEST_PASSAGE)


def _limits(old: Manifest, new: Manifest) -> Iterator[str]:
    for name in type(old.limits).model_fields:
        yield from _setting(f"limit {name}", getattr(old.limits, name), getattr(new.limits, name))


def _output(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.output_schema is None and new.output_schema is not None:
        yield "answers are structured now: an output schema was added"
    elif new.output_schema is None and old.output_schema is not None:
        yield "answers are free text now: the output schema was removed"
    elif old.output_schema is not None and new.output_schema is not None:
        yield from _schema("output, member", old.output_schema, new.output_schema)


def _files(old: Manifest, new: Manifest) -> Iterator[str]:
    for word, paths in (
        ("added", new.files.keys() - old.files.keys()),
        ("removed", old.files.keys() - new.files.keys()),
        ("changed", {path for path in old.files.keys() & new.files.keys() if old.files[path] != new.files[path]}),
    ):
        if paths:
            shown = sorted(paths)
            more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
            yield f"files {word}: {', '.join(shown[:5])}{more}"


def _setting(what: str, old: JsonValue, new: JsonValue) -> Iterator[str]:
    if _differ(old, new):
        yield f"{what}: {_value(old)} {_ARROW} {_value(new)}"


def _value(value: JsonValue) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else shorten(str(value), _LONGEST_PASSAGE)


def _replaced(before: str, after: str) -> str:
    if not before:
        return f"added {_passage(after)}"
    if not after:
        return f"removed {_passage(before)}"
    return f"{_passage(before)} {_ARROW} {_passage(after)}"


def _passage(text: str) -> str:
    return f'"{shorten(" ".join(text.split()), _LONGEST_PASSAGE)}"'


def _differ(old: JsonValue, new: JsonValue) -> bool:
    return digest(as_doubles(old)) != digest(as_doubles(new))


def _properties(schema: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _required(schema: Mapping[str, JsonValue]) -> frozenset[str]:
    found = schema.get("required")
    return frozenset(name for name in found if isinstance(name, str)) if isinstance(found, list) else frozenset()


def _kind(schema: JsonValue) -> str:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return kind if isinstance(kind, str) else "a choice"
