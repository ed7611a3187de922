"""Every relative link in the documentation leads to a file, and every `#anchor` to a heading."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from scripts.findings import Finding

INLINE = re.compile(r"!?\[(?:[^\]\\]|\\.)*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINED = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)")
FENCE = re.compile(r"^\s*(```|~~~)")
CODE = re.compile(r"`[^`]*`")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
OUTSIDE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)


def check(files: Iterable[Path]) -> Iterator[Finding]:
    """A finding for each link of a Markdown file that leads nowhere. Addresses of other sites are not looked up."""
    for file in files:
        if file.suffix == ".md":
            for line, target in links(file):
                if not OUTSIDE.match(target) and not leads_somewhere(file, target):
                    yield Finding(file, line, f"this link leads nowhere: {target}")


def links(file: Path) -> Iterator[tuple[int, str]]:
    """Line and target of every link outside code."""
    for number, line in prose(file):
        text = CODE.sub("", line)
        yield from ((number, found) for found in INLINE.findall(text))
        yield from ((number, found) for found in DEFINED.findall(text))


def leads_somewhere(file: Path, target: str) -> bool:
    """Whether path and anchor of a link exist, seen from the file that holds it."""
    path, _, anchor = target.partition("#")
    aim = (file.parent / path).resolve() if path else file
    if not aim.exists():
        return False
    return not anchor or aim.suffix != ".md" or anchor.lower() in anchors(aim)


@cache
def anchors(file: Path) -> frozenset[str]:
    """The anchors of a file's headings: lower case, punctuation dropped, blanks as dashes, doubles numbered."""
    seen: dict[str, int] = {}
    found: set[str] = set()
    for _, line in prose(file):
        heading = HEADING.match(line)
        if heading:
            plain = re.sub(r"[^\w\- ]", "", heading[1].replace("`", "").lower()).replace(" ", "-")
            found.add(f"{plain}-{seen[plain]}" if plain in seen else plain)
            seen[plain] = seen.get(plain, 0) + 1
    return frozenset(found)


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a Markdown file without those in fenced code."""
    fenced = False
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line
