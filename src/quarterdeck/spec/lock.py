"""Judges `requirements.lock`: every package exact and with its hashes, and nothing about where packages come from."""

import re
from collections.abc import Iterator

from quarterdeck.core.text import shorten
from quarterdeck.spec.findings import Finding, Place

_MOST = 500
_HASH = re.compile(r"--hash=(\S*)")
_GOOD_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_EXACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]*\])?\s*===?\s*[A-Za-z0-9][A-Za-z0-9._+!-]*")
_FIX = "write it with `pip-compile --generate-hashes` or `uv pip compile --generate-hashes`"


def lock_findings(text: str, file: str) -> Iterator[Finding]:
    """What is wrong with a lock file, line by line."""
    count = 0
    for number, line in _logical_lines(text):
        place = Place(file, number, 1)
        count += 1
        if line.startswith("-"):
            problem = f"`{shorten(line.split()[0], 40)}` is not accepted: where packages come from is the deployment's"
            yield Finding(place, problem, "remove the line")
            continue
        requirement = _HASH.split(line, maxsplit=1)[0].partition(";")[0].strip()
        hashes: list[str] = _HASH.findall(line)
        shown = f"`{shorten(requirement, 60)}`"
        if "@" in requirement or "://" in requirement:
            yield Finding(place, f"{shown} comes from an address of its own", "lock a published version with `==`")
        elif not _EXACT.fullmatch(requirement):
            yield Finding(place, f"{shown} is not one exact version", _FIX)
        elif not hashes:
            yield Finding(place, f"{shown} has no hash", _FIX)
        elif not all(_GOOD_HASH.fullmatch(one) for one in hashes):
            yield Finding(place, f"{shown} has a hash that is no `sha256:` with 64 digits", _FIX)
    if count > _MOST:
        yield Finding(Place(file), f"it locks {count} packages", f"keep it to {_MOST}")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, without comments and empty ones, each with the number it began in."""
    began, joined = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        began = began or number
        joined = f"{joined} {bare.removesuffix(chr(92)).strip()}".strip()
        if bare.endswith("\\"):
            continue
        if joined:
            yield began, joined
        began, joined = 0, ""
    if joined:
        yield began, joined
