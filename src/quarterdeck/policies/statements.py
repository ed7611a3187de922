"""Cedar text taken apart into its policies, each with where it begins, what it is about and what it looks at.

Cedar itself parses; this only finds where one policy ends, which it does not tell, and reads its parsed form.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.policies import cedar
from quarterdeck.policies.records import PolicyFault, PolicyText

_TOKEN = re.compile(r'//[^\r\n]*|"(?:[^"\\]|\\.)*"|;|\s+|[^\s;"/]+|.', re.DOTALL)
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./\[\]-]{0,199}")
_LONGEST = 512 * 1024

Path = tuple[str, ...]
"""What a policy looks at in its context: `("arguments", "amount")`; the empty one is all of it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy. `action` is the tool that it is about where it names one with `==`; None = it is asked about all.

    `mentions` are the parts of the context that it looks at. `ask` is the question of an `@ask`, `reason` that of a
    `@reason`: of the same policy a person can lift the first.
    """

    id: str
    file: str
    line: int
    column: int
    text: str
    effect: str
    action: str | None
    mentions: frozenset[Path]
    ask: str | None
    reason: str
    parsed: JsonObject

    @property
    def forbids(self) -> bool:
        """Whether it can only narrow."""
        return self.effect == "forbid"

    @property
    def each(self) -> bool:
        """Whether it is judged for each element of a list by itself."""
        return any(path[:1] in {(), ("each",)} or (path[0] == "lower" and "[]" in path[-1]) for path in self.mentions)


def read(text: PolicyText) -> tuple[Statement | PolicyFault, ...]:
    """The policies of a text, and what can't be read. The same text gives the same answer: it is remembered."""
    return _read(text.name, text.text)


@lru_cache(maxsize=512)
def _read(name: str, text: str) -> tuple[Statement | PolicyFault, ...]:
    if len(text) > _LONGEST:
        return (PolicyFault(name, 1, 1, f"it has {len(text):,} characters", f"keep it below {_LONGEST:,}"),)
    found: list[Statement | PolicyFault] = []
    ids: dict[str, int] = {}
    for line, column, piece in pieces(text):
        one = _statement(name, line, column, piece)
        if isinstance(one, Statement) and ids.setdefault(one.id, line) != line:
            problem = f"another policy has this `@id` (line {ids[one.id]})"
            one = PolicyFault(name, line, column, problem, "give each an id of its own")
        found.append(one)
    whole = _misread(name, text, len(found)) if all(isinstance(one, Statement) for one in found) else None
    return tuple(found) if whole is None else (whole,)


def _misread(name: str, text: str, expected: int) -> PolicyFault | None:
    """A fault where Cedar reads another number of policies in a text than were found here."""
    try:
        count = cedar.count(text)
    except cedar.Malformed as fault:
        return PolicyFault(name, 1, 1, f"these are no policies: {fault}", "correct them")
    problem = f"Cedar reads {count} policies here, and it looks like {expected}"
    return PolicyFault(name, 1, 1, problem, "write it plainly") if count != expected else None


def pieces(text: str) -> Iterator[tuple[int, int, str]]:
    """Each policy's text with the line and column at which it begins; comments before it are not part of it."""
    began: int | None = None
    for token in _TOKEN.finditer(text):
        word = token.group()
        if began is None and not word.isspace() and not word.startswith("//"):
            began = token.start()
        if word == ";" and began is not None:
            yield _piece(text, began, token.end())
            began = None
    if began is not None:
        yield _piece(text, began, len(text))


def _piece(text: str, start: int, end: int) -> tuple[int, int, str]:
    line_start = text.rfind("\n", 0, start) + 1
    return text.count("\n", 0, start) + 1, start - line_start + 1, text[start:end]


def _statement(name: str, line: int, column: int, piece: str) -> Statement | PolicyFault:
    try:
        parsed = cedar.parse(piece)
    except cedar.Malformed as fault:
        return PolicyFault(name, line, column, f"this is no policy: {fault}", "correct it")
    if parsed.get("templates"):
        return PolicyFault(name, line, column, "it is a template (`?principal`, `?resource`)", "write it out")
    policies = list(_object(parsed.get("staticPolicies")).values())
    if len(policies) != 1:
        return PolicyFault(name, line, column, "this is no single policy", "end each policy with `;`")
    return _of_parsed(name, line, column, piece, _object(policies[0]))


def _of_parsed(name: str, line: int, column: int, piece: str, parsed: JsonObject) -> Statement | PolicyFault:
    notes = _object(parsed.get("annotations"))
    given = notes.get("id")
    if given is not None and (not isinstance(given, str) or not _ID.fullmatch(given)):
        return PolicyFault(name, line, column, "its `@id` can't be used", "use letters, digits and `_./[]-`")
    effect = str(parsed.get("effect"))
    if effect == "permit" and "ask" in notes:
        fix = "write a forbid: `@ask(...) forbid (...) when {...} unless { context.approved };`"
        return PolicyFault(name, line, column, "`@ask` stands on a permit", fix)
    return Statement(
        id=f"{name}/{given}" if given else f"{name}:{line}",
        file=name,
        line=line,
        column=column,
        text=piece,
        effect=effect,
        action=_action(parsed.get("action")),
        mentions=frozenset(_mentions(parsed.get("conditions"))),
        ask=str(notes["ask"] or "") if "ask" in notes else None,
        reason=str(notes.get("reason") or ""),
        parsed=parsed,
    )


def _action(scope: Json) -> str | None:
    """The tool of `action == Action::"tool"`. Never that of `action in`, which groups could widen."""
    if not isinstance(scope, Mapping) or scope.get("op") != "==":
        return None
    entity = scope.get("entity")
    if not isinstance(entity, Mapping) or entity.get("type") != "Action":
        return None
    found = entity.get("id")
    return found if isinstance(found, str) else None


def _mentions(node: Json) -> Iterator[Path]:
    """Every part of the context that an expression looks at; what is not plainly a part counts as all of it."""
    if isinstance(node, Mapping):
        if node.get("Var") == "context":
            yield ()
            return
        chain = _chain(node)
        if chain is not None:
            yield chain
            return
        for inner in node.values():
            yield from _mentions(inner)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for inner in node:
            yield from _mentions(inner)


def _chain(node: Json) -> Path | None:
    """`context.a.b`, or `context.a has b`, as a path; None for anything else."""
    parts: list[str] = []
    while isinstance(node, Mapping) and len(node) == 1:
        if node.get("Var") == "context":
            return tuple(reversed(parts))
        access = node.get("has") if not parts and "has" in node else node.get(".")
        if not isinstance(access, Mapping) or not isinstance(access.get("attr"), str):
            return None
        parts.append(str(access["attr"]))
        node = access.get("left")
    return None


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, Mapping) else {}
