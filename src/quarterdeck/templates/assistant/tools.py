"""The handbook: search it, read a page of it, find out who can help. Nothing here changes anything."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from quarterdeck.tools.author import ToolError, tool

DOCS = Path(__file__).parent / "docs"
COMMON = frozenset({"and", "are", "can", "does", "for", "from", "how", "our", "the", "what", "who", "with", "you"})


@dataclass(frozen=True)
class Passage:
    """A section of a page. `cite` is how an answer refers to it."""

    cite: str
    title: str
    text: str


@tool(effect="read", trust="trusted")
def search_handbook(
    query: Annotated[str, Field(description="A few words that the passage might hold.", min_length=2, max_length=200)],
    limit: Annotated[int, Field(description="Passages to show.", ge=1, le=5)] = 3,
) -> list[dict[str, str]]:
    """Search the handbook for the passages that fit best, each with the reference to cite; none where nothing fits."""
    wanted = _words(query)
    scored = [(_score(wanted, passage), at, passage) for at, passage in enumerate(_passages())]
    best = sorted((-score, at, passage) for score, at, passage in scored if score > 0)[:limit]
    return [{"cite": passage.cite, "title": passage.title, "text": passage.text} for _, _, passage in best]


@tool(effect="read", trust="trusted")
def read_page(page: Annotated[str, Field(description="A page's file, such as leave.md.")]) -> str:
    """Read a whole page of the handbook."""
    found = {path.name: path for path in _pages()}
    if page not in found:
        raise ToolError(f"There is no page {page!r}. There are: {', '.join(found)}.")
    return found[page].read_text()


@tool(effect="read", trust="trusted")
def who_can_help(topic: Annotated[str, Field(description="What it is about, in a word or two.")]) -> dict[str, str]:
    """Find the person to ask when the handbook has no answer."""
    contacts = [passage for passage in _passages() if passage.cite.startswith("contacts.md#")]
    best = max(contacts, key=lambda passage: (_score(_words(topic), passage), passage.title == "Anything else"))
    return {"cite": best.cite, "title": best.title, "text": best.text}


def _pages() -> list[Path]:
    return sorted(DOCS.glob("*.md"))


@cache
def _passages() -> tuple[Passage, ...]:
    """Every section of every page, in order."""
    found: list[Passage] = []
    for path in _pages():
        for section in re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]:
            title, _, text = section.partition("\n")
            anchor = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
            found.append(Passage(f"{path.name}#{anchor}", title.strip(), text.strip()))
    return tuple(found)


def _score(wanted: frozenset[str], passage: Passage) -> int:
    """How well a passage fits: a word in its title counts three times."""
    return 3 * len(wanted & _words(passage.title)) + len(wanted & _words(passage.text))


def _words(text: str) -> frozenset[str]:
    """The words of a text that tell something, without their endings."""
    words = re.findall(r"\w+", text.lower())
    return frozenset(word.removesuffix("s").removesuffix("e") for word in words if len(word) > 2 and word not in COMMON)
