"""Log lines of child processes as a terminal shows them: who, what, and the facts, as much as a person wants."""

from collections.abc import Mapping

import msgspec

from quarterdeck.core.json import Json, decode_object, encode_text

_NOISE = frozenset({"http.request", "worker.pulse", "model.opened"})
_QUIET_LOGGERS = ("uvicorn", "pgqueuer")
_GRAVE = frozenset({"warning", "error", "critical"})
_HIDDEN = frozenset({"event", "level", "logger", "timestamp", "exception"})
_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}


def show(line: str, *, everything: bool = False) -> tuple[str, str] | None:
    """A line of a log as (text, colour); None for one that is left out unless `everything` is wanted.

    What is no JSON, such as the last words of a process, is shown as it is.
    """
    try:
        fields = decode_object(line)
    except msgspec.MsgspecError:
        return (line, "") if line.strip() else None
    level = str(fields.get("level", ""))
    if not everything and level not in _GRAVE and _is_noise(fields):
        return None
    facts = " ".join(f"{name}={_fact(value)}" for name, value in fields.items() if name not in _HIDDEN)
    trace = str(fields.get("exception") or "")
    text = f"{fields.get('event', '')} {facts}".strip()
    return (f"{text}\n{trace}" if trace else text), _COLOURS.get(level, "")


def _is_noise(fields: Mapping[str, Json]) -> bool:
    logger = str(fields.get("logger", ""))
    return fields.get("event") in _NOISE or logger.startswith(_QUIET_LOGGERS) or fields.get("level") == "debug"


def _fact(value: Json) -> str:
    return value if isinstance(value, str) and " " not in value else encode_text(value)
