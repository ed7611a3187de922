"""How commands end: exit codes that scripts may rely on, and errors as one line that says what to do."""

import signal
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from quarterdeck.core.errors import Error


class Exit(IntEnum):
    """What an exit code means, for every command alike."""

    OK = 0
    ERROR = 1
    USAGE = 2
    RUN_FAILED = 3
    RUN_STOPPED = 4
    RUN_CANCELLED = 5
    INTERRUPTED = 128 + signal.SIGINT


OF_STATUS = {
    "succeeded": Exit.OK,
    "failed": Exit.RUN_FAILED,
    "stopped": Exit.RUN_STOPPED,
    "cancelled": Exit.RUN_CANCELLED,
}
"""Exit codes of commands that wait for a run's end."""


def fail(error: "Error", *, json: bool = False) -> NoReturn:
    """Print an error on standard error and exit with 1: one line, then a line for each fault that it lists."""
    from quarterdeck.core.json import encode_text

    if json:
        shown = {"code": error.code, "detail": error.detail, **error.facts}
        print(encode_text({"error": shown}), file=sys.stderr)
    else:
        print(f"error: {error.detail}", file=sys.stderr)
        for line in _faults(error.facts.get("errors")):
            print(f"  {line}", file=sys.stderr)
    raise SystemExit(Exit.ERROR)


def _faults(errors: object) -> list[str]:
    """The members of a list of faults, each as `place: what (fix)`."""
    lines: list[str] = []
    for item in errors if isinstance(errors, list) else []:  # pyright: ignore[reportUnknownVariableType]  # facts are JSON
        if isinstance(item, dict):
            words: dict[str, object] = {str(key): value for key, value in item.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # facts are JSON
            place = words.get("place") or words.get("loc") or ""
            said = words.get("detail") or words.get("message") or words.get("title") or ""
            fix = words.get("fix")
            lines.append(f"{place}: {said}" + (f" ({fix})" if fix else ""))
        else:
            lines.append(str(item))  # pyright: ignore[reportUnknownArgumentType]  # facts are JSON
    return lines
