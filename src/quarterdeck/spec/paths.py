"""Names of files inside a release: one rule for the author's machine and for the server, which writes them out."""

import unicodedata

from quarterdeck.core.text import is_storable

LONGEST = 240
CASSETTES = "cassettes/"
"""Recorded conversations travel with a release under this folder but are no part of its id."""

_RESERVED = frozenset('<>:"|?*\\')


def path_fault(path: str) -> str | None:
    """What is wrong with a file's name, as a clause (`it ...`); None when it is a plain relative path.

    Hidden names are refused because they are where credentials lie (`.env`, `.git`).
    """
    if not path or len(path) > LONGEST:
        return f"it has to have 1 to {LONGEST} characters"
    if path.startswith("/") or path.endswith("/"):
        return "it has to be the path of a file relative to the agent's folder"
    if not is_storable(path) or any(unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} for char in path):
        return "it contains control or invisible characters"
    if _RESERVED & set(path):
        return "it contains one of the characters < > : \" | ? * \\, which don't work everywhere"
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            return "it leaves the agent's folder or has empty parts"
        if part.startswith("."):
            return "hidden files and folders are never part of a release"
        if part != part.strip() or part.endswith("."):
            return "a part of it begins or ends with a space or ends with a dot"
    return None


def clash(paths: list[str]) -> str | None:
    """The first path that is a file and also a folder of another one, or that differs from another only in case."""
    seen: dict[str, str] = {}
    for path in sorted(paths):
        folded = unicodedata.normalize("NFC", path).casefold()
        if folded in seen:
            return path
        seen[folded] = path
    for folded, path in seen.items():
        parts = folded.split("/")
        if any("/".join(parts[:end]) in seen for end in range(1, len(parts))):
            return path
    return None
