"""Whether a text is JSON of a wanted shape: what an agent promises to answer, or what it wants to be told."""

from dataclasses import dataclass

from quarterdeck.core.json import Json, JsonObject, decode
from quarterdeck.core.text import shorten
from quarterdeck.guardrails import settings as read
from quarterdeck.guardrails.records import NOTHING, Hit, Ports, Seen, Subject
from quarterdeck.spec.schemas import Compiled

_LONGEST_ADVICE = 1_500


@dataclass(frozen=True, slots=True)
class Fits:
    """The text is JSON of the wanted shape."""

    value: Json


@dataclass(frozen=True, slots=True)
class Misfits:
    """The text is not; each error names its place."""

    errors: tuple[str, ...]


class OutputCheck:
    """A schema, compiled once."""

    def __init__(self, schema: JsonObject) -> None:
        self._schema = Compiled(schema)

    def judge(self, text: str) -> Fits | Misfits:
        """Whether a text is JSON that fits. One fenced code block around it is accepted: models do that."""
        try:
            value = decode(_unfenced(text))
        except ValueError as error:
            return Misfits((f"not JSON: {error}",))
        found = self._schema.misfits(value)
        if isinstance(found, str):
            return Misfits((f"the whole answer: {found}",))
        errors = tuple(
            f"{'/'.join(str(part) for part in error.instance_path) or 'the whole answer'}: {error.message}"
            for error in found[:10]
        )
        return Misfits(errors) if errors else Fits(value)


class Shape:
    """The same as a check of an edge."""

    def __init__(self, settings: read.Settings) -> None:
        self._check = OutputCheck(read.mapping(settings, "schema"))

    async def look(self, subject: Subject, _ports: Ports) -> Seen:
        """Whether the text fits. What does not is told in the advice only: it quotes the text."""
        judged = self._check.judge(subject.text)
        if isinstance(judged, Fits):
            return NOTHING
        advice = "It has to be JSON that fits the schema: " + shorten("; ".join(judged.errors), _LONGEST_ADVICE)
        return Seen((Hit("schema", len(judged.errors), advice=advice),))


def _unfenced(text: str) -> str:
    lines = text.strip().splitlines()
    if len(lines) >= 2 and lines[0].startswith("```") and lines[-1].strip() == "```":
        return "\n".join(lines[1:-1])
    return text
