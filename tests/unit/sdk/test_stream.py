"""Streams go on behind the last event, whatever happens to the connection."""

import httpx
import pytest

from quarterdeck.sdk import Delta, Event, Reset, errors
from tests.unit.sdk.wire import Wire, event, problem, stream

DELTA = b'event: message.delta\ndata: {"step":1,"attempt":1,"offset":0,"kind":"text","text":"Hel"}\n\n'
RESET = b'event: message.reset\ndata: {"step":1,"attempt":1}\n\n'
END = event(4, "run.finished", status="succeeded")


async def events(wire: Wire, **wanted) -> list[int]:
    return [item.seq async for item in wire.client.runs.stream("r1", **wanted) if isinstance(item, Event)]


async def test_a_whole_stream_ends_with_the_run():
    wire = Wire(stream(event(1), event(2), event(3), END))
    assert await events(wire) == [1, 2, 3, 4]
    assert len(wire.asked) == 1
    assert wire.asked[0].headers["accept"] == "text/event-stream"


async def test_a_cut_is_met_with_a_new_connection_behind_the_last_event():
    wire = Wire(
        stream(event(1), event(2)[:-5], fault=httpx.RemoteProtocolError("peer closed")),
        httpx.ConnectError("refused"),
        problem(503),
        stream(event(2), event(3)),
        stream(END),
    )
    cuts: list[str] = []
    assert await events(wire, on_cut=lambda fault: cuts.append(fault.code)) == [1, 2, 3, 4]
    assert [request.headers.get("last-event-id") for request in wire.asked] == [None, "1", "1", "1", "3"]
    assert cuts == ["sdk.unreachable", "sdk.unreachable", "some.code", "sdk.unreachable"]


async def test_what_comes_twice_is_given_once():
    wire = Wire(stream(event(1), event(2), event(1), event(2), event(3), END))
    assert await events(wire) == [1, 2, 3, 4]


async def test_it_begins_behind_what_one_has():
    wire = Wire(stream(event(3), END))
    assert await events(wire, after=2) == [3, 4]
    assert wire.asked[0].headers["last-event-id"] == "2"


async def test_a_run_that_ended_before_gives_nothing():
    assert await events(Wire(httpx.Response(204)), after=4) == []


async def test_tokens_come_in_between():
    wire = Wire(stream(event(1), DELTA, RESET, END))
    kinds = [type(item) async for item in wire.client.runs.stream("r1")]
    assert kinds == [Event, Delta, Reset, Event]


async def test_tokens_can_be_left_out():
    wire = Wire(stream(event(1), DELTA, RESET, END))
    assert [type(item) async for item in wire.client.runs.stream("r1", deltas=False)] == [Event, Event]


async def test_kinds_that_nobody_knows_yet_are_passed_over_or_on():
    passing = b"event: something.new\ndata: {}\n\n"
    wire = Wire(stream(event(1, "policy.judged"), passing, END))
    found = [item async for item in wire.client.runs.stream("r1")]
    assert [item.kind for item in found if isinstance(item, Event)] == ["policy.judged", "run.finished"]


@pytest.mark.parametrize("status", [401, 403, 404, 422])
async def test_what_stays_refused_is_raised(status: int):
    with pytest.raises(errors.Refused) as refused:
        await events(Wire(stream(event(1)), problem(status)))
    assert refused.value.status == status


async def test_patience_ends_while_nobody_answers():
    wire = Wire(stream(event(1)), httpx.ConnectError("refused"))
    with pytest.raises(errors.Unreachable):
        await events(wire, patience=0.1)
    assert len(wire.asked) > 2


async def test_a_stream_ends_when_the_time_to_watch_is_over():
    wire = Wire(lambda request: stream(event(1), fault=httpx.ReadTimeout("")))
    assert await events(wire, timeout=0.02) == [1]
    assert await events(Wire(stream(event(1))), timeout=0.0) == []


async def test_nonsense_is_said_to_be_nonsense():
    with pytest.raises(errors.NotUnderstood):
        await events(Wire(stream(b"id: 1\nevent: x\ndata: {nonsense\n\n")))


def test_the_plain_client_resumes_too():
    wire = Wire(stream(event(1), event(2), fault=httpx.ReadError("cut")), stream(event(3), END))
    found = [item.seq for item in wire.plain_client.runs.stream("r1") if isinstance(item, Event)]
    assert found == [1, 2, 3, 4]
