"""`openapi.json`, and from it `http.md`: what can be asked of the API and what it answers."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import cast

import msgspec

from quarterdeck.core.json import decode_object, encode
from quarterdeck.core.settings import Settings
from quarterdeck.serve.app import build_app
from scripts.reference.pages import anchor, page, paragraphs, table

Node = dict[str, object]

INTRODUCTION = """
JSON over HTTP. The exact description is [openapi.json](openapi.json), which a deployment also serves at `/openapi.json`
and shows at `/docs`; this page is the same for reading.

**Who asks.** `Authorization: Bearer qd_...`. A deployment admin's key acts in a tenant with `Quarterdeck-Tenant: SLUG`;
a key that may, names the end user with `Quarterdeck-User: ID`. Browsers trade a key for a cookie: `POST /v1/sessions`.

**Sent twice.** A POST that creates takes an `Idempotency-Key`: the same key with the same body is answered as the first
time (with `idempotency-replayed: true`), with another body by 422, while the first is under way by 409. An answer is
kept for 24 hours, that to a submitted run for as long as the run is; it belongs to the API key that sent it.

**Lists** come in pages: `{"items": [...], "next_cursor": ...}`; give the cursor back as `?cursor=` until it is null.

**Versions.** A thing that is configured comes with an `ETag`; send it back as `If-Match` with a change, and you get 412
where somebody else has made one in between.

**Errors** are problem details: see [errors](errors.md). Every answer carries `x-request-id`.
"""

_WORDS = {"None": "any JSON", "string": "text", "boolean": "true or false", "date-time": "time", "uuid": "UUID"}
_SKIPPED_HEADERS = frozenset({"Idempotency-Key"})


@cache
def description() -> Node:
    """The description of the API as it is served."""
    return cast("Node", decode_object(encode(build_app(Settings()).openapi())))


def openapi() -> str:
    """The file, indented, for tools and for diffs."""
    return msgspec.json.format(encode(description()), indent=1).decode() + "\n"


def written() -> str:
    """The page."""
    document = description()
    schemas = cast("dict[str, Node]", cast("Node", document["components"])["schemas"])
    by_tag: dict[str, list[str]] = {}
    for path, method, operation in operations(document):
        tag = cast("list[str]", operation["tags"])[0]
        by_tag.setdefault(tag, []).append(section(path, method, operation, schemas))
    parts = [f"## {tag.capitalize()}\n\n" + "\n\n".join(found) for tag, found in by_tag.items()]
    records = [record(name, schema) for name, schema in sorted(schemas.items(), key=lambda item: plain(item[0]))]
    return page("HTTP API", INTRODUCTION, *parts, "## Records", *records)


def operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    """Every path with its methods."""
    for path, methods in cast("dict[str, dict[str, Node]]", document["paths"]).items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def section(path: str, method: str, operation: Node, schemas: Mapping[str, Node]) -> str:
    """One operation: what it does, what it takes, what it answers."""
    asked = [
        (f"`{parameter['name']}`", str(parameter["in"]), *shape(cast("Node", parameter.get("schema", {})), parameter))
        for parameter in cast("list[Node]", operation.get("parameters", []))
        if parameter["name"] not in _SKIPPED_HEADERS
    ]
    parts = [
        f"### {method} {path}",
        paragraphs(str(operation.get("description", ""))),
        table(("parameter", "in", "is", "meaning"), asked),
        body(operation, schemas),
        f"Answers {answers(operation)}.",
    ]
    return "\n\n".join(part for part in parts if part)


def body(operation: Node, schemas: Mapping[str, Node]) -> str:
    """What is sent, member by member."""
    request = cast("Node", operation.get("requestBody", {}))
    sent = media(request)
    if not sent:
        return ""
    named = next((name for name in referred(sent) if name in schemas), "")
    return members(schemas[named], sent=True) if named else f"Sends {words(sent)}."


def answers(operation: Node) -> str:
    """The successful answers, by status."""
    told: list[str] = []
    for status, response in sorted(cast("dict[str, Node]", operation["responses"]).items()):
        if status.startswith("2"):
            sent = media(response)
            told.append(f"{status} with {words(sent)}" if sent else f"{status} without a body")
    return ", ".join(told)


def media(part: Node) -> Node:
    """The schema of a body, JSON before anything else; empty where there is none."""
    content = cast("dict[str, Node]", part.get("content", {}))
    for kind in ("application/json", *content):
        if kind in content:
            return cast("Node", content[kind].get("schema", {})) or {"type": f"`{kind}`"}
    return {}


def record(name: str, schema: Node) -> str:
    """One schema that operations refer to."""
    return "\n\n".join(
        part for part in (f"### {plain(name)}", paragraphs(str(schema.get("description", ""))), members(schema)) if part
    )


def members(schema: Node, *, sent: bool = False) -> str:
    """An object's members, or the words of an enumeration. Of what is `sent`, those that are needed say so."""
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in cast("list[str]", schema["enum"]))
    needed = cast("list[str]", schema.get("required", [])) if sent else []
    rows = [
        (f"`{name}`", *shape(member, {**member, "required": name in needed}))
        for name, member in cast("dict[str, Node]", schema.get("properties", {})).items()
    ]
    return table(("member", "is", "meaning"), rows)


def shape(schema: Node, around: Node) -> tuple[str, str]:
    """What a value is, and what is said of it."""
    meaning = str(around.get("description") or schema.get("description") or "")
    default = schema.get("default")
    if default not in (None, "", [], {}):
        meaning += f" Default: `{encode(default).decode()}`."
    elif around.get("required") and around.get("in") != "path":
        meaning = f"Needed. {meaning}"
    return words(schema), meaning


def words(schema: Node) -> str:
    """A schema in words, with links to those that have a place of their own."""
    if "$ref" in schema:
        name = plain(str(schema["$ref"]).rpartition("/")[2])
        return "any JSON" if name == "JsonValue" else f"[{name}](#{anchor(name)})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(words(one) for one in cast("list[Node]", schema[several])))
    if "const" in schema or "enum" in schema:
        return " or ".join(f"`{one}`" for one in cast("list[object]", schema.get("enum", [schema.get("const")])))
    match schema.get("type"):
        case "array":
            return f"list of {words(cast('Node', schema.get('items', {})))}"
        case "object":
            of = schema.get("additionalProperties")
            return f"object of {words(cast('Node', of))}" if isinstance(of, dict) and of else "object"
        case kind:
            named = str(schema.get("format", kind))
            return _WORDS.get(named, _WORDS.get(str(kind), str(kind)))


def referred(schema: Node) -> Iterator[str]:
    """The names of the schemas that one is, or may be."""
    if "$ref" in schema:
        yield str(schema["$ref"]).rpartition("/")[2]
    for one in cast("list[Node]", schema.get("anyOf", [])):
        yield from referred(one)


def plain(name: str) -> str:
    """A schema's name as the page has it: where two packages use one name, the framework adds the package's."""
    package, _, own = name.removeprefix("quarterdeck__").rpartition("__")
    return f"{own} of {package.partition('__')[0]}" if package else own
