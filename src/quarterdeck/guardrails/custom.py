"""Checks that an agent's author wrote: a function of the release, run in its tool host, or a service asked over HTTP.

Both are told the text and answer what they found. They are code of others: an answer that can't be understood counts as
a check that broke, and what they say is only passed on as far as it can't hold what was found.
"""

import re
from collections.abc import Mapping, Sequence

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.core.text import shorten
from quarterdeck.guardrails import settings as read
from quarterdeck.guardrails.records import NOTHING, Hit, Ports, Seen, Subject, Unusable

FOUND = "custom"
"""What is found where a check gives no name for it."""
_SECONDS = 2.0
_NAME = re.compile(r"[\w][\w .:/-]{0,59}")
_AROUND = frozenset({"found", "text", "advice"})
_MOST_HITS = 50
_LONGEST_ADVICE = 300


class NotUnderstood(Unusable):
    """What a check of this release answered is not what such a check may answer."""

    code, status = "guardrail.not_understood", 422


class Python:
    """A function of the release's folder, never run in the process that asks."""

    def __init__(self, settings: read.Settings) -> None:
        self._function = read.text(settings, "function")
        self._seconds = read.number(settings, "seconds", _SECONDS)

    async def look(self, subject: Subject, ports: Ports) -> Seen:
        """What it finds. Raises NotUnderstood, and what the call raises."""
        if ports.call is None:
            raise Unusable("Functions of a release can't be called here.")
        return understood(await ports.call(self._function, told(subject), self._seconds), subject.text)


class Http:
    """A service, asked with a signed request."""

    def __init__(self, settings: read.Settings) -> None:
        self._url = read.text(settings, "url")
        self._headers = {name: str(value) for name, value in read.mapping(settings, "headers").items()}
        self._seconds = read.number(settings, "seconds", _SECONDS)

    async def look(self, subject: Subject, ports: Ports) -> Seen:
        """What it finds. Raises NotUnderstood, and what the request raises."""
        if ports.hook is None:
            raise Unusable("Services can't be asked here.")
        return understood(await ports.hook(self._url, self._headers, told(subject), self._seconds), subject.text)


def told(subject: Subject) -> JsonObject:
    """What a check of others learns: the text, whose it is, and what the answer was made of."""
    return {
        "text": subject.text,
        "agent": subject.agent,
        "user": subject.user,
        "run": str(subject.run),
        "sources": list(subject.sources),
    }


def understood(answer: Json, text: str) -> Seen:
    """What a check's answer says. Raises NotUnderstood.

    Nothing was found: null, true, "" or an empty list. Something was: false, a name for it, an object (`what`, and if
    wanted `count`, `score`, `where`), or a list of names and objects. An object around any of these, `{found: ...,
    text: ..., advice: ...}`, may give the text without what was found and a sentence for whoever wrote it.
    """
    if not isinstance(answer, Mapping) or "what" in answer:
        hits = _hits(answer, text, "")
        return Seen(hits) if hits else NOTHING
    strange = answer.keys() - _AROUND
    if strange:
        raise NotUnderstood("An object has to have `found` or `what`.")
    left, advice = answer.get("text"), answer.get("advice", "")
    if (left is not None and not isinstance(left, str)) or not isinstance(advice, str):
        raise NotUnderstood("`text` and `advice` have to be texts.")
    hits = _hits(answer.get("found"), text, shorten(advice, _LONGEST_ADVICE))
    return Seen(hits, left) if hits else NOTHING


def _hits(found: Json, text: str, advice: str) -> tuple[Hit, ...]:
    if found is None or found is True or found == "":
        return ()
    if found is False:
        return (Hit(FOUND, advice=advice),)
    if isinstance(found, str | Mapping):
        return (_hit(found, text, advice),)
    if isinstance(found, Sequence) and len(found) <= _MOST_HITS:
        return tuple(_hit(one, text, advice) for one in found)
    raise NotUnderstood("It has to answer null, false, a name, a list of names, or an object with these as `found`.")


def _hit(found: Json, text: str, advice: str) -> Hit:
    if isinstance(found, str):
        return Hit(_named(found, text), advice=advice)
    if not isinstance(found, Mapping):
        raise NotUnderstood("What it found has to be a name, or an object with `what`.")
    count, score = found.get("count", 1), found.get("score", 1.0)
    if isinstance(count, bool) or not isinstance(count, int) or isinstance(score, bool):
        raise NotUnderstood("`count` has to be a whole number.")
    if not isinstance(score, int | float) or not 0 <= score <= 1:
        raise NotUnderstood("`score` has to be a number from 0 to 1.")
    where = found.get("where", "")
    named = _named(str(where), text) if where else ""
    return Hit(_named(str(found.get("what", FOUND)), text), max(1, count), float(score), named, advice)


def _named(name: str, text: str) -> str:
    """A name that tells nothing of what the text says: a check that answers with what it found gives it away."""
    return name if _NAME.fullmatch(name) and name.casefold() not in text.casefold() else FOUND
