"""Where recorded conversations are found: in a folder, or among the files of a release."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from quarterdeck.core.ids import TenantId
from quarterdeck.models import cassettes
from quarterdeck.models.cassettes import CassetteInvalid, Conversation
from quarterdeck.models.differences import is_wild, matches, plain
from quarterdeck.models.records import ModelRequest

_KEPT_RELEASES = 256


class Shelf:
    """Conversations that are read together, found by id or by how they open."""

    def __init__(self, conversations: Iterable[Conversation]) -> None:
        self.by_id: dict[str, Conversation] = {}
        self.by_opening: dict[str, Conversation] = {}
        for conversation in conversations:
            if conversation.id in self.by_id:
                raise CassetteInvalid(
                    f"two conversations have the id `{conversation.id}`", conversation=conversation.id
                )
            self.by_id[conversation.id] = conversation
            if conversation.opening is not None:
                _ = self.by_opening.setdefault(plain(conversation.opening), conversation)
        self._wild = [opening for opening in self.by_opening if is_wild(opening)]

    def opening_with(self, text: str) -> Conversation | None:
        """The conversation that opens with this text; one that says it word for word before one with wildcards."""
        exact = self.by_opening.get(plain(text))
        if exact is not None:
            return exact
        return next((self.by_opening[opening] for opening in self._wild if matches(opening, text)), None)


class Library(Protocol):
    """Where the conversations for a request are."""

    async def shelf(self, request: ModelRequest) -> Shelf:
        """Those that may answer it. Raises CassetteInvalid."""
        ...


class FolderLibrary:
    """Every cassette of one folder, read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shelf: Shelf | None = None

    async def shelf(self, request: ModelRequest) -> Shelf:  # noqa: ARG002  # the same for all
        """The folder's conversations."""
        if self._shelf is None:
            self._shelf = await asyncio.to_thread(self._read)
        return self._shelf

    def _read(self) -> Shelf:
        paths = sorted(self._folder.glob("*.json"))
        return Shelf(conversation for path in paths for conversation in cassettes.read(path.name, path.read_bytes()))


class ReleaseLibrary:
    """The cassettes that a release carries, read once for each release."""

    def __init__(self, files: Callable[[ModelRequest], Awaitable[Mapping[str, bytes]]]) -> None:
        self._files = files
        self._shelves: OrderedDict[tuple[TenantId, str], Shelf] = OrderedDict()

    async def shelf(self, request: ModelRequest) -> Shelf:
        """The conversations of the request's release."""
        # Equal manifests have equal ids, whoever registered them; recordings are each tenant's own.
        key = (request.tenant, request.release)
        shelf = self._shelves.get(key)
        if shelf is None:
            files = await self._files(request)
            found = {path: data for path, data in sorted(files.items()) if _is_cassette(path)}
            shelf = Shelf(one for path, data in found.items() for one in cassettes.read(path, data))
            self._shelves[key] = shelf
            if len(self._shelves) > _KEPT_RELEASES:
                _ = self._shelves.popitem(last=False)
        return shelf


def _is_cassette(path: str) -> bool:
    return path.startswith("cassettes/") and path.endswith(".json")
