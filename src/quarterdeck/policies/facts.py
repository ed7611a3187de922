"""What policies see of a call, as Cedar's JSON.

Only those parts that some policy looks at, so that a big argument which no policy speaks of costs nothing.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache

from quarterdeck.core.json import Json, JsonObject, encode_text
from quarterdeck.policies.fitting import elements, fit, folded, leaves
from quarterdeck.policies.records import GrantedTool, PolicyRequest
from quarterdeck.policies.schema import origin_paths, texts_of
from quarterdeck.policies.shapes import Shape, shape_of
from quarterdeck.policies.statements import Path

_SEPARATES = re.compile(r"[,;\s<>\"'|\x00-\x1f\x7f]")
_CLIMBS = re.compile(r"(^|[/\\])\.\.?([/\\]|$)|\\|%(2e|2f|5c|00)|[\x00-\x1f\x7f]", re.IGNORECASE)
_INDEX = re.compile(r"\[\d+\]")
_MOST_ELEMENTS = 200


class Inexact(Exception):
    """A policy looks at a value that has no exact form in Cedar."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Which parts of the context some policies look at. None = all of them."""

    arguments: frozenset[str] | None
    each: frozenset[str] | None
    origins: frozenset[str] | None
    lower: frozenset[str] | None
    parts: frozenset[str] | None

    @classmethod
    def at(cls, mentions: frozenset[Path]) -> "Looked":
        """From what policies mention."""
        everything = () in mentions

        def within(part: str) -> frozenset[str] | None:
            if everything or (part,) in mentions:
                return None
            return frozenset(path[1] for path in mentions if path[0] == part)

        return cls(
            arguments=within("arguments"),
            each=within("each"),
            origins=within("origins"),
            lower=within("lower"),
            parts=None if everything else frozenset(path[0] for path in mentions),
        )


class Arguments:
    """A tool's arguments as policies see them."""

    def __init__(self, tool: GrantedTool) -> None:
        self.shape = shape_of(tool.parameters)
        self._origins = origin_paths(tool)
        self._texts = tuple(texts_of(self.shape))

    def context(self, request: PolicyRequest, looked: Looked, *, approved: bool) -> dict[str, Json]:
        """The context of a request, as far as it is looked at. Raises Inexact."""
        parts: dict[str, Callable[[], Json]] = {
            "approved": lambda: approved,
            "autonomy": lambda: request.autonomy,
            "clean": lambda: request.clean,
            "tainted": lambda: request.tainted,
            "calls_in_run": lambda: request.calls_in_run,
            "calls_by_user_today": lambda: request.calls_by_user_today,
            "affected_in_run": lambda: request.affected_in_run,
            "now": lambda: {"__extn": {"fn": "datetime", "arg": _moment(request)}},
            "arguments": lambda: self._arguments(request.arguments, looked),
            "each": dict[str, Json],
            "origins": lambda: self._origins_of(request, looked),
            "several": lambda: self._odd(request, _SEPARATES),
            "climbing": lambda: self._odd(request, _CLIMBS),
            "lower": lambda: self._lower(request.arguments, looked),
        }
        if request.budget_left_micro_usd is not None:
            parts["budget_left_micro_usd"] = lambda: request.budget_left_micro_usd
        return {name: of() for name, of in parts.items() if looked.parts is None or name in looked.parts}

    def each(self, request: PolicyRequest, looked: Looked) -> Iterator[JsonObject]:
        """One element of one list after another: what it puts into the context. Raises Inexact."""
        lower = self._lower(request.arguments, looked)
        for path, leaf in leaves(self.shape):
            if not any(wanted is None or path in wanted for wanted in (looked.each, looked.lower)):
                continue
            found = elements(request.arguments, path)
            if len(found) > _MOST_ELEMENTS:
                raise Inexact(f"`{path}` has {len(found):,} elements; {_MOST_ELEMENTS} can be judged one by one")
            for value in found:
                fitted = fit(leaf, value, path)
                _require_exact(fitted.misfits, looked=None)
                own = {path: folded(value)} if isinstance(value, str) else {}
                yield {"each": {path: fitted.value}, "lower": {**lower, **own}}

    def _lower(self, arguments: JsonObject, looked: Looked) -> dict[str, Json]:
        """Text that stands in no list, without case."""
        found: dict[str, Json] = {}
        for path in self._texts:
            if "[]" not in path and (looked.lower is None or path in looked.lower):
                for one in elements(arguments, path):
                    found[path] = folded(one) if isinstance(one, str) else ""
        return found

    def _arguments(self, arguments: JsonObject, looked: Looked) -> Json:
        shape = self.shape
        if looked.arguments is not None:
            if not looked.arguments:
                return {}
            members = {name: one for name, one in shape.members.items() if name in looked.arguments}
            shape = Shape(shape.kind, members=members)
        fitted = fit(shape, arguments)
        _require_exact(fitted.misfits, looked.arguments)
        return fitted.value

    def _origins_of(self, request: PolicyRequest, looked: Looked) -> dict[str, Json]:
        wanted = [path for path in self._origins if looked.origins is None or path in looked.origins]
        if not wanted:
            return {}
        found: dict[str, set[str]] = {}
        for leaf, origin in request.origins.items():
            pattern = _INDEX.sub("[]", leaf)
            for path in wanted:
                if pattern == path or pattern.startswith((f"{path}.", f"{path}[")):
                    found.setdefault(path, set()).add(origin)
        return {path: sorted(origins) for path, origins in found.items()}

    def _odd(self, request: PolicyRequest, pattern: re.Pattern[str]) -> list[Json]:
        """The paths of text that holds something of a kind, or characters that nobody sees."""
        return [
            path
            for path in self._texts
            if any(isinstance(one, str) and _holds(pattern, one) for one in elements(request.arguments, path))
        ]


def _holds(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.search(text) is not None or (
        not text.isascii() and any(unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} for char in text)
    )


def _require_exact(misfits: Sequence[str], looked: frozenset[str] | None) -> None:
    for path in misfits:
        name = re.split(r"[.\[]", path, maxsplit=1)[0]
        if looked is None or name in looked:
            raise Inexact(
                f"the value of `{path}` has no exact form in a policy: whole numbers have up to 64 bits, "
                "others at most four decimal places"
            )


def _moment(request: PolicyRequest) -> str:
    return request.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{request.now.microsecond // 1000:03d}Z"


def principal_of(request: PolicyRequest) -> str:
    """Who acts, as Cedar's JSON of entities."""
    return _principal(
        str(request.tenant),
        str(request.agent),
        str(request.release),
        request.user,
        tuple(request.roles),
        tuple(claims_of(request.claims)),
    )


@lru_cache(maxsize=1024)
def _principal(
    tenant: str, agent: str, release: str, user: str, roles: tuple[str, ...], claims: tuple[str, ...]
) -> str:
    return encode_text(
        [
            {
                "uid": {"type": "Agent", "id": agent},
                "attrs": {"release": release, "user": user, "roles": roles, "claims": claims},
                "parents": [{"type": "Tenant", "id": tenant}],
            }
        ]
    )


def claims_of(claims: Mapping[str, Json]) -> list[str]:
    """Claims as `name=value`, one for each member of a list, with dots for what is within: `org.unit=7`.

    Names that hold `=` are left out: nobody shall pass one claim off as another.
    """
    return sorted(set(_claims("", claims)))


def _claims(before: str, value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if "=" not in name and "." not in name:
                yield from _claims(f"{before}.{name}" if before else name, inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            if not isinstance(inner, Mapping):
                yield from _claims(before, inner)
    elif isinstance(value, str):
        yield f"{before}={value}"
    elif value is not None:
        yield f"{before}={encode_text(value)}"


def resource_of(tool: GrantedTool) -> list[JsonObject]:
    """A tool and its server, as Cedar's JSON of entities."""
    attributes: JsonObject = {
        "effect": tool.effect,
        "repeat": tool.repeat,
        "trust": tool.trust,
        "destinations": list(tool.destinations),
        "payload": list(tool.payload),
    }
    server: JsonObject = {"type": "Server", "id": tool.server}
    return [{"uid": {"type": "Tool", "id": tool.name}, "attrs": attributes, "parents": [server]}]
