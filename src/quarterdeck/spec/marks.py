"""Which arguments of a tool look like destinations and which like payload: a suggestion that its author confirms.

Names, descriptions and formats tell most of it, and none of it for sure: a suggestion is shown and never taken over.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from quarterdeck.core.json import Json, JsonObject

_DEEPEST = 5
_GOES_TO = frozenset({
    "to", "cc", "bcc", "recipient", "receiver", "payee", "beneficiary", "creditor", "account", "iban", "email",
    "mail", "phone", "mobile", "number", "url", "uri", "href", "link", "webhook", "callback", "endpoint",
    "host", "hostname", "domain", "server", "bucket", "path", "file", "filename", "folder", "directory",
    "repository", "repo", "branch", "channel", "room", "group", "team", "participant", "attendee", "invitee",
    "guest", "member", "user", "username", "owner", "assignee", "contact", "person", "customer", "destination",
    "target", "id", "key", "password", "passphrase", "address", "street", "city", "zip", "postcode",
    "environment", "table", "index", "topic", "queue",
})  # fmt: skip
_CARRIES = frozenset({
    "subject", "body", "text", "content", "message", "note", "title", "headline", "description", "comment",
    "summary", "attachment", "html", "markdown", "caption", "reason", "memo", "purpose", "reference", "details",
    "signature", "snippet", "data", "payload",
})  # fmt: skip
_FORMATS = frozenset(
    {"email", "idn-email", "uri", "url", "iri", "uri-reference", "hostname", "idn-hostname", "ipv4", "ipv6"}
)
_TOLD = re.compile(
    r"\b(?:iban|e-?mail address(?:es)?|recipients?|url|web address|phone number|account number|file path|"
    r"i[dD]s? of (?:the|an?)|name of the (?:file|user|channel|recipient))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Marks:
    """Paths of arguments as `agent.yaml` names them: `to`, `items[].account`."""

    destinations: tuple[str, ...] = ()
    payload: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """As one writes them in `agent.yaml`."""
        parts = (("destinations", self.destinations), ("payload", self.payload))
        return ", ".join(f"{mark}: [{', '.join(paths)}]" for mark, paths in parts if paths)


def suggest(parameters: JsonObject) -> Marks:
    """What looks like a mark among a tool's arguments, by its JSON Schema. For tools that change something."""
    found = list(_judged(parameters, parameters, "", _DEEPEST))
    return Marks(
        tuple(path for path, goes in found if goes),
        tuple(path for path, goes in found if not goes),
    )


def _judged(schema: JsonObject, whole: JsonObject, prefix: str, depth: int) -> Iterator[tuple[str, bool]]:
    """Each argument that is a destination (True) or payload (False), members of objects and of lists of them too."""
    for name, member in _object(schema.get("properties")).items():
        path = f"{prefix}{name}"
        shape, is_list = _resolved(_object(member), whole)
        carried = _goes(name, shape, _object(member))
        if _object(shape.get("properties")) and carried is not False:
            if depth:
                yield from _judged(shape, whole, f"{path}[]." if is_list else f"{path}.", depth - 1)
        elif carried is not None:
            yield path, carried


def _resolved(schema: JsonObject, whole: JsonObject) -> tuple[JsonObject, bool]:
    """The schema that counts: past references, `or null` and one list; and whether there was a list."""
    is_list = False
    for _ in range(_DEEPEST):
        if isinstance(target := schema.get("$ref"), str):
            schema = _object(_object(whole.get("$defs")).get(target.rpartition("/")[2]))
        elif choices := [one for one in _several(schema.get("anyOf")) if one.get("type") != "null"]:
            schema = choices[0]
        elif schema.get("type") == "array" and not is_list:
            schema, is_list = _object(schema.get("items")), True
        else:
            break
    return schema, is_list


def _goes(name: str, shape: JsonObject, declared: JsonObject) -> bool | None:
    """True for a destination, False for payload, None for neither. The last word of a name says what a thing is."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]
    kind = shape.get("type")
    if "enum" in shape or "const" in shape or kind in {"boolean", "null"}:
        return None
    if kind in {"integer", "number"} and not {"id", "ids", "number", "account"} & set(words[-1:]):
        return None
    if shape.get("format") in _FORMATS:
        return True
    for word in reversed(words):
        if _is_in(word, _CARRIES):
            return False
        if _is_in(word, _GOES_TO):
            return True
    told = f"{declared.get('description', '')} {shape.get('description', '')}"
    return True if _TOLD.search(told) else None


def _is_in(word: str, words: frozenset[str]) -> bool:
    return word in words or word.removesuffix("s") in words or word.removesuffix("es") in words


def _object(value: Json) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, Mapping) else {}


def _several(value: Json) -> list[JsonObject]:
    return [_object(one) for one in value] if isinstance(value, list) else []
