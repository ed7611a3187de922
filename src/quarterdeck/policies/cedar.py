"""The Cedar engine behind a surface of our own: parsed handles in, plain records out. Nothing else imports it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import cedarpy

from quarterdeck.core.json import Json, JsonObject, decode_object, encode_text

# pyright: reportUnknownMemberType=false
# Its functions take bare `dict`s, whose contents a type checker can't know.

Policies: TypeAlias = cedarpy.PolicySet
Entities: TypeAlias = cedarpy.Entities


class Malformed(ValueError):
    """What was given is no Cedar, in Cedar's own words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Cedar says: whether it is allowed, which policies decided, and what could not be evaluated.

    `allowed` is never True together with an error: Cedar itself passes over what it can't evaluate, forbids too.
    """

    allowed: bool
    decided: tuple[str, ...]
    errors: tuple[str, ...]


def parse(text: str) -> JsonObject:
    """Cedar text as Cedar's JSON: `staticPolicies` and `templates`. Raises Malformed."""
    try:
        return decode_object(cedarpy.policies_to_json_str(text))
    except ValueError as fault:
        raise Malformed(one_line(str(fault))) from None


def count(text: str) -> int:
    """How many policies Cedar reads in a text. Raises Malformed."""
    try:
        return len(cedarpy.PolicySet.from_str(text))
    except ValueError as fault:
        raise Malformed(one_line(str(fault))) from None


def load(policies: Mapping[str, Json]) -> Policies:
    """Policies, each as `parse` gives it, under ids of our own. Raises ValueError."""
    return cedarpy.PolicySet.from_json_str(
        encode_text({"templates": {}, "templateLinks": [], "staticPolicies": policies})
    )


def entities(listed: Json) -> Entities:
    """Entities, as Cedar's JSON lists them. Raises ValueError."""
    return cedarpy.Entities.from_json_str(encode_text(listed))


def joined(known: Entities, more: str) -> Entities:
    """Entities and some more of them, as Cedar's JSON. Raises ValueError."""
    return known.with_added_json_str(more)


def decide(policies: Policies, known: Entities, agent: str, tool: str, context: str) -> Outcome:
    """What policies say of a tool that an agent calls; `context` is JSON text. No decision is an error."""
    request: dict[str, object] = {
        "principal": {"type": "Agent", "id": agent},
        "action": {"type": "Action", "id": tool},
        "resource": {"type": "Tool", "id": tool},
        "context": context,
    }
    result = cedarpy.is_authorized(request, policies, known)
    errors = tuple(one_line(error) for error in result.diagnostics.errors)
    if result.decision is cedarpy.Decision.NoDecision and not errors:
        errors = ("there is no decision",)
    return Outcome(result.allowed and not errors, tuple(sorted(result.diagnostics.reasons)), errors)


def misfits(text: str, schema: str) -> tuple[str, ...]:
    """What in the text of one policy does not fit a schema, in Cedar's words. Raises Malformed for a faulty schema."""
    found = cedarpy.validate_policies(text, _schema(schema))
    return tuple(dict.fromkeys(one_line(error.error).removeprefix("for policy `policy0`, ") for error in found.errors))


@lru_cache(maxsize=256)
def _schema(text: str) -> cedarpy.Schema:
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as fault:
        raise Malformed(one_line(str(fault))) from None


def one_line(text: str) -> str:
    """A fault as a clause."""
    return " ".join(text.split())[:300]
