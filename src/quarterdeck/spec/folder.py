"""Reads an agent's folder and nothing outside it: no links, no devices, no hidden files, nothing without a bound."""

import os
import re
import stat
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from quarterdeck.core.text import shorten
from quarterdeck.spec.agent import FILE
from quarterdeck.spec.findings import AgentInvalid, Finding, Place
from quarterdeck.spec.paths import path_fault
from quarterdeck.spec.values import LARGEST_FILE

_MOST_ENTRIES = 5000
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "venv", "site-packages"})


class Folder:
    """One agent's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str, place: Place, *, limit: int = LARGEST_FILE) -> bytes:
        """The content of a file. `place` is where it is named. Raises AgentInvalid when it is not a plain file here."""
        fault = path_fault(path)
        if fault is not None:
            raise _wrong(place, f"`{shorten(path, 120)}` can't be used: {fault}", "name a file inside this folder")
        try:
            self._require_plain(path, place)
            descriptor = os.open(self.root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                content = file.read(limit + 1)
        except OSError as fault:
            raise _wrong(place, f"`{path}` can't be read: {fault.strerror}", "make it readable") from None
        if len(content) > limit:
            raise _wrong(place, f"`{path}` has more than {limit:,} bytes", "make it smaller, or leave it out")
        return content

    def paths(self) -> list[str]:
        """Every plain file that a release may hold, in order. Raises AgentInvalid when there are too many."""
        found: list[str] = []
        for seen, path in enumerate(self._walk("")):
            if seen >= _MOST_ENTRIES:
                problem = f"the folder holds more than {_MOST_ENTRIES:,} files"
                raise _wrong(Place(FILE), problem, "keep an agent in a folder of its own")
            found.append(path)
        return sorted(found)

    def matching(self, pattern: str, place: Place, paths: list[str]) -> list[str]:
        """Those of `paths` that a pattern means. Raises AgentInvalid when it is malformed or means none of them."""
        fault = path_fault(pattern.replace("*", "x").replace("?", "x"))
        if fault is not None:
            raise _wrong(place, f"`{shorten(pattern, 120)}` can't be used: {fault}", "name files inside this folder")
        matcher = _matcher(pattern)
        found = [path for path in paths if matcher.fullmatch(path)]
        if found:
            return found
        if "*" not in pattern and "?" not in pattern:
            self._require_plain(pattern, place)
        raise _wrong(place, f"`{pattern}` means no file here", "correct the pattern, or remove it")

    def _require_plain(self, path: str, place: Place) -> None:
        at, mode = self.root, 0
        for part in path.split("/"):
            at = at / part
            try:
                mode = os.lstat(at).st_mode
            except (FileNotFoundError, NotADirectoryError):
                raise _wrong(place, f"there is no file `{path}`", self._near(path)) from None
            if stat.S_ISLNK(mode):
                raise _wrong(place, f"`{path}` leads over a symbolic link", "put the file itself into the folder")
        if stat.S_ISDIR(mode):
            raise _wrong(place, f"`{path}` is a folder", f"name a file; in `files` you can write `{path}/**`")
        if not stat.S_ISREG(mode):
            raise _wrong(place, f"`{path}` is no plain file", "name a plain file")

    def _near(self, path: str) -> str:
        """The fix for a file that is not there: the one that was probably meant, else to make it."""
        try:
            near = get_close_matches(path, self.paths(), 1, 0.6)
        except (AgentInvalid, OSError):
            near = []
        if near:
            return f"did you mean `{near[0]}`?"
        return "`qd init` makes one to start from" if path == FILE else "create it, or correct the name"

    def _walk(self, under: str) -> Iterator[str]:
        """Plain files below a folder. Links, hidden entries and what tools leave behind are passed over."""
        with os.scandir(self.root / under) as entries:
            listed = list(entries)
        for entry in listed:
            if entry.name.startswith(".") or entry.name in _PASSED_OVER or entry.name.endswith((".pyc", ".pyo")):
                continue
            path = f"{under}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if under.count("/") < 16:
                    yield from self._walk(f"{path}/")
            elif entry.is_file(follow_symlinks=False):
                yield path


def _matcher(pattern: str) -> re.Pattern[str]:
    """`**` is any number of folders (at the end: everything below), `*` and `?` stay within a name."""
    text = ""
    parts = pattern.split("/")
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        if part == "**":
            text += ".+" if last else "(?:[^/]+/)*"
        else:
            text += re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") + ("" if last else "/")
    return re.compile(text)


def _wrong(place: Place, problem: str, fix: str) -> AgentInvalid:
    return AgentInvalid([Finding(place, problem, fix)])
