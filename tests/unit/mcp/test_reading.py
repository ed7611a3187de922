"""Reading what comes over an MCP connection."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from quarterdeck.mcp import wire
from quarterdeck.mcp.events import ServerEvent, server_events
from quarterdeck.mcp.http import seconds
from quarterdeck.mcp.records import rejection


async def pieces(whole: bytes, size: int):
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


STREAM = (
    b": a comment\r\n\r\n"
    b"event: message\r\nid: 1\r\ndata: one\r\n\r\n"
    b"data: two\ndata: lines\n\n"
    b"retry: 1500\nid: 2\ndata:\n\n"
    b"data: never finished"
)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_events_are_read_however_they_are_cut(size):
    events = [event async for event in server_events(pieces(STREAM, size))]
    assert events == [
        ServerEvent(),
        ServerEvent(b"one", "1"),
        ServerEvent(b"two\nlines"),
        ServerEvent(b"", "2", 1.5),
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("search", "search"),
        ("get order", "get order"),
        ("größe", "=?base64?Z3LDtsOfZQ==?="),
        (" edge", "=?base64?IGVkZ2U=?="),
        ("a\nb", "=?base64?YQpi?="),
        ("=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?="),
    ],
)
def test_a_name_goes_into_a_header_as_the_protocol_writes_it(text, written):
    assert wire.header_value(text) == written


def test_retry_after_is_read_in_both_forms():
    assert seconds("7") == 7
    at = datetime.now(UTC) + timedelta(seconds=30)
    assert seconds(format_datetime(at, usegmt=True)) == pytest.approx(30, abs=2)
    assert seconds(format_datetime(at - timedelta(seconds=60), usegmt=True)) == 0
    assert seconds("soon") is None
    assert seconds(None) is None
    assert seconds("") is None


@pytest.mark.parametrize(
    ("body", "why", "sent"),
    [
        (b'{"code":-32001,"message":"late","data":{"quarterdeck":"too_late"}}', "too_late", False),
        (b'{"code":-32001,"message":"x","data":{"quarterdeck":"interrupted"}}', "interrupted", True),
        (b'{"code":-32001,"message":"x","data":"text"}', None, True),
        (b'{"code":-32602,"message":"x"}', None, False),
        (b'{"code":-32603,"message":"x"}', None, True),
        (b'{"code":7,"message":"x","data":{"quarterdeck":"too_late"}}', None, True),
    ],
)
def test_only_some_errors_say_that_nothing_was_done(body, why, sent):
    message = wire.read_message(b'{"jsonrpc":"2.0","id":1,"error":' + body + b"}")
    assert message.error is not None
    fault = rejection(message.error)
    assert (fault.why, fault.sent) == (why, sent)


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"nonsense", b'{"id":{}}', b"\xff", b'{"id":1,"result":' + b"[" * 100_000, b'{"id":1.5}'],
    ids=["nothing", "a list", "words", "an odd id", "no utf-8", "a deep one", "a fraction"],
)
def test_what_can_not_be_read_raises_one_of_the_known_faults(line):
    with pytest.raises(wire.Faulty):
        wire.read_message(line)
