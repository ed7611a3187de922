"""What all pages share: their first line, tables, and texts that do not break a table."""

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `python -m scripts.reference` from the code; change that instead. -->"


def page(title: str, *parts: str) -> str:
    """A page of Markdown."""
    return "\n\n".join([f"# {title}", MADE, *(part.strip() for part in parts if part.strip())]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty where it has no rows."""
    lines = [f"| {' | '.join(cell(text) for text in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])


def cell(text: str) -> str:
    """A text within a table."""
    return " ".join(text.split()).replace("|", "\\|")


def sentence(doc: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((doc or "").split("\n\n")[0].split())


def paragraphs(doc: str | None) -> str:
    """A docstring's paragraphs, each on one line."""
    return "\n\n".join(" ".join(part.split()) for part in (doc or "").split("\n\n"))


def anchor(heading: str) -> str:
    """The anchor that a heading gets."""
    return "".join(char for char in heading.lower().replace(" ", "-") if char.isalnum() or char in "-_")
