"""What is said in the demo: the users' first words of every recorded conversation of the example agents."""

from collections.abc import Iterator
from pathlib import Path

import msgspec


class Asked(msgspec.Struct):
    """What a recorded question adds to the conversation: only the user's words are of interest here."""

    user: str | None = None


class Exchange(msgspec.Struct):
    """One recorded question and answer."""

    asked: list[Asked] = []


class Conversation(msgspec.Struct):
    """One recorded conversation."""

    id: str
    calls: list[Exchange]


class Cassette(msgspec.Struct):
    """A file of recorded conversations."""

    conversations: list[Conversation]


def conversations(folder: Path) -> Iterator[tuple[str, str]]:
    """The recorded conversations of an agent: their ids and the user's first words in them."""
    for file in sorted((folder / "cassettes").glob("*.json")):
        for one in msgspec.json.decode(file.read_bytes(), type=Cassette).conversations:
            said = [part.user for call in one.calls for part in call.asked if part.user]
            if said:
                yield one.id, said[0]
