"""Lists: an iterator over all items, page by page, and a single page for who wants to turn them."""

from collections.abc import AsyncIterator, Mapping
from typing import Generic, TypeVar

from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import Query, get
from quarterdeck.sdk.records import Page

T = TypeVar("T")

PAGE = 100


class AsyncListing(Generic[T]):
    """A list on the deployment. Nothing is asked before it is iterated or `page` is called.

    Iterating asks for page after page, up to `limit` items where one was given. Items that are added meanwhile neither
    shift nor repeat the others.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        answer: type[Page[T]],
        path: str,
        query: Mapping[str, Query],
        limit: int | None = None,
    ) -> None:
        self._transport = transport
        self._answer = answer
        self._path = path
        self._query = query
        self._limit = limit

    async def page(self, cursor: str | None = None, size: int | None = None) -> Page[T]:
        """One page: the first, or the one behind a cursor."""
        wanted = size or min(self._limit or PAGE, PAGE)
        query = {**self._query, "limit": wanted, "cursor": cursor}
        return await self._transport.send(get(self._answer, self._path, query))

    async def all(self) -> list[T]:
        """All items at once."""
        return [item async for item in self]

    async def __aiter__(self) -> AsyncIterator[T]:
        left = self._limit
        cursor: str | None = None
        while left is None or left > 0:
            page = await self.page(cursor, PAGE if left is None else min(left, PAGE))
            for item in page.items[:left]:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return
            left = None if left is None else left - len(page.items)
