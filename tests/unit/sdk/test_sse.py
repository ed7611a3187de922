"""Frames come out whole, however the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.sdk.sse import Frame, Parser

TEXT = (
    b": still here\n\n"
    b'id: 1\nevent: run.admitted\ndata: {"a": "\xc3\xa9"}\n\n'
    b"event: message.delta\r\ndata: {}\r\n\r\n"
    b"id: 2\nevent: x\ndata: one\ndata: two\n\n"
    b"id: 3\nevent: cut off\ndata: {"
)
FRAMES = [
    Frame("run.admitted", '{"a": "é"}', "1"),
    Frame("message.delta", "{}"),
    Frame("x", "one\ntwo", "2"),
]


@given(st.lists(st.integers(0, len(TEXT)), max_size=30))
def test_any_cut_gives_the_same_frames(cuts: list[int]):
    parser, found, begin = Parser(), [], 0
    for end in [*sorted(cuts), len(TEXT)]:
        found += parser.feed(TEXT[begin:end])
        begin = end
    assert found == FRAMES


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_one(end: str):
    parser = Parser()
    assert parser.feed(f"event: a{end}data: b{end}{end}".encode()) + parser.feed(b"\n") == [Frame("a", "b")]


def test_a_frame_without_data_is_none():
    assert Parser().feed(b"id: 9\nevent: a\n\n") == []
