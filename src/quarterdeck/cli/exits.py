"""How commands end: exit codes that scripts may rely on, and errors as one line that says what to do."""

import signal
import sys
from collections.abc import Mapping
from enum import IntEnum
from typing import NoReturn, Protocol, cast

from quarterdeck.cli.facts import items, members
from quarterdeck.core.json import Json, encode_text


class Exit(IntEnum):
    """What an exit code means, for every command alike."""

    OK = 0
    ERROR = 1
    USAGE = 2
    RUN_FAILED = 3
    RUN_STOPPED = 4
    RUN_CANCELLED = 5
    RUN_WAITS = 6
    RUN_GOES_ON = 7
    CHAIN_BROKEN = 8
    BILL_DIFFERS = 9
    INTERRUPTED = 128 + signal.SIGINT


OF_STATUS = {
    "succeeded": Exit.OK,
    "failed": Exit.RUN_FAILED,
    "stopped": Exit.RUN_STOPPED,
    "cancelled": Exit.RUN_CANCELLED,
}
"""Exit codes of commands that wait for a run's end."""


FIXES = {
    "sdk.unreachable": "start it with `qd dev`, or set QUARTERDECK_URL to where it is",
    "auth.unauthenticated": "check QUARTERDECK_KEY; make a key with `qd key create`",
    "tenant.required": "name a tenant with --tenant SLUG",
}
"""What to do about errors whose own sentence can't know where it is read."""


class Told(Protocol):
    """An error that says what went wrong: the server's `Error` and the SDK's `QuarterdeckError` are alike here."""

    code: str
    detail: str
    facts: dict[str, Json]


def fail(error: Told, *, json: bool = False) -> NoReturn:
    """Print an error on standard error and exit with 1: one line, what else it lists, and the fix."""
    if json:
        shown = {"code": error.code, "detail": error.detail, **error.facts}
        print(encode_text({"error": shown}), file=sys.stderr)
        raise SystemExit(Exit.ERROR)
    for number, line in enumerate(faults_of(error)):
        print(line if number else f"error: {line}", file=sys.stderr)
    fix = FIXES.get(error.code)
    if fix is not None:
        print(f"  fix: {fix}", file=sys.stderr)
    raise SystemExit(Exit.ERROR)


def told(fault: BaseException) -> Told | None:
    """The fault as an error to be told, or None where it is a fault of this program."""
    from quarterdeck.core.errors import Error

    if isinstance(fault, Error):
        return cast("Told", fault)
    sdk = sys.modules.get("quarterdeck.sdk.errors")
    return cast("Told", fault) if sdk is not None and isinstance(fault, sdk.QuarterdeckError) else None


def faults_of(error: Told) -> list[str]:
    """An error in lines: what it says, or where it is nothing but a list of faults, each as `place: problem; fix`."""
    lines: list[str] = []
    for item in items(error.facts.get("errors")):
        words = members(item) or {"problem": item}
        said = "; ".join(str(words[name]) for name in ("problem", "fix") if words.get(name))
        lines.append(f"{_place(words)}{said}")
    return lines if len(lines) > 1 or error.code == "agent.invalid" else [error.detail]


def _place(words: Mapping[str, Json]) -> str:
    if words.get("file"):
        place = f"{words['file']}:{words.get('line')}:{words.get('column')}" if words.get("line") else words["file"]
        return f"{place}: {'warning: ' if words.get('warning') else ''}"
    return f"{words['place']}: " if words.get("place") else ""
