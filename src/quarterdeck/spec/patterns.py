"""Regular expressions that authors write, matched in time linear in the text: a stranger's words can't make one slow.

They are RE2's: no look-around, no backreferences; `\\d`, `\\w` and `\\b` mean ASCII, `\\p{L}` any letter.
"""

import re
from collections.abc import Iterator
from typing import Protocol, cast

import re2

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# The engine has no types of its own; nothing else imports it.

_MEMORY = 1 << 20
"""Bytes that one compiled expression may take."""


class BadPattern(ValueError):
    """It is no expression that RE2 takes, in its own words."""


class Pattern:
    """One expression. It looks at each line of a text by itself, so what begins on one line never ends on another."""

    def __init__(self, expression: str, *, ignore_case: bool = False) -> None:
        """Raises BadPattern."""
        self._compiled = _compiled(expression, ignore_case=ignore_case)
        # What matches in a line also does when the whole text is searched once, unless it asks for the text's ends.
        asks = _ENDS.search(expression) is not None
        self._anywhere = None if asks else _compiled(f"(?m){expression}", ignore_case=ignore_case, lines=True)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it matches, empty matches left out."""
        if self._anywhere is not None and self._anywhere.search(text) is None:
            return
        start = 0
        for line in text.split("\n"):
            for match in self._compiled.finditer(line):
                begin, end = match.span()
                if begin < end:
                    yield start + begin, start + end
            start += len(line) + 1


_ENDS = re.compile(r"\\[AzZ]|\(\?[a-zA-Z]*-")


class _Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class _Compiled(Protocol):
    def search(self, text: str) -> _Match | None: ...
    def finditer(self, text: str) -> Iterator[_Match]: ...


def _compiled(expression: str, *, ignore_case: bool, lines: bool = False) -> "_Compiled":
    """`lines`: no match goes over the end of a line."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not ignore_case
    options.never_nl = lines
    try:
        return cast("_Compiled", re2.compile(expression, options))
    except re2.error as fault:
        said = cast("object", fault.args[0] if fault.args else fault)
        raise BadPattern(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None
