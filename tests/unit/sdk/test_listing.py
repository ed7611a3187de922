"""Lists turn their own pages."""

import httpx

from tests.unit.sdk.wire import RUN, Wire


def pages(request: httpx.Request) -> httpx.Response:
    """250 runs, as many on a page as asked for."""
    size, begin = int(request.url.params["limit"]), int(request.url.params.get("cursor", "0"))
    end = min(begin + size, 250)
    items = [{**RUN, "run_id": str(number)} for number in range(begin, end)]
    return httpx.Response(200, json={"items": items, "next_cursor": str(end) if end < 250 else None})


async def test_iterating_gives_every_item_once_and_in_order():
    wire = Wire(pages)
    assert [run.run_id async for run in wire.client.runs.list()] == [str(number) for number in range(250)]
    assert len(wire.asked) == 3


async def test_a_limit_asks_for_no_more_than_it_needs():
    wire = Wire(pages)
    assert len(await wire.client.runs.list(limit=120).all()) == 120
    assert [request.url.params["limit"] for request in wire.asked] == ["100", "20"]


async def test_filters_go_along_on_every_page():
    wire = Wire(pages)
    await wire.client.runs.list(status=["failed", "stopped"], agent="desk", limit=150).all()
    assert {tuple(request.url.params.get_list("status")) for request in wire.asked} == {("failed", "stopped")}
    assert all("user_id" not in request.url.params for request in wire.asked)


async def test_a_page_can_be_turned_by_hand():
    listing = Wire(pages).client.runs.list()
    first = await listing.page(size=10)
    second = await listing.page(first.next_cursor, size=10)
    assert [run.run_id for run in second.items] == [str(number) for number in range(10, 20)]


def test_the_plain_client_turns_pages_too():
    assert len(Wire(pages).plain_client.runs.list(limit=130).all()) == 130
