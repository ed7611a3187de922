"""A tool's answer as content of the run."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from quarterdeck.core.json import encode
from quarterdeck.mcp import wire
from quarterdeck.runs.messages import Stored, Text
from quarterdeck.secrets.redaction import Cleaning, Redactor
from quarterdeck.tools.content import NOTHING, outcome_of
from quarterdeck.tools.records import Answered, Failed
from quarterdeck.tools.schemas import Schema
from tests.toolbox import Kept, a_grant, a_release, a_request


async def told(answer: dict, *, limit: int = 1000, schema: dict | None = None, kept: Kept | None = None) -> Any:
    request = a_request(a_release(a_grant("look", max_output=limit)), "look")
    result = wire.read_call_result(encode(answer))
    return await outcome_of(
        result, request, Schema(schema) if schema else None, (Kept() if kept is None else kept).put, 7
    )


def text(value: str) -> dict:
    return {"type": "text", "text": value}


async def test_text_is_text():
    outcome = await told({"content": [text("one"), text("two")]})
    assert outcome == Answered((Text("one"), Text("two")), None, is_error=False, ms=7, size=6, truncated=False)


async def test_an_answer_without_anything_says_so():
    assert (await told({"content": []})).content == (Text(NOTHING),)
    assert (await told({"content": [text("")]})).content == (Text(NOTHING),)


async def test_what_is_cut_is_told_with_its_size_and_never_in_the_middle_of_a_character():
    outcome = await told({"content": [text("ä" * 400), text("never seen"), text("x" * 5000)]}, limit=701)
    assert outcome.truncated
    assert outcome.size == 5810
    assert outcome.content == (
        Text("ä" * 350),
        Text("[Cut: the tool answered with 5,810 bytes of text, of which the first 701 are shown.]"),
    )


async def test_what_our_own_host_cut_before_is_told_with_its_real_size():
    outcome = await told({"content": [text("x" * 1000)], "_meta": {"quarterdeck/size": 10**8}}, limit=1000)
    assert outcome.truncated
    assert outcome.size == 10**8
    assert "100,000,000 bytes" in outcome.content[-1].text


async def test_images_and_blobs_are_kept_and_stand_in_the_run_as_a_line():
    kept = Kept()
    image = {"type": "image", "data": base64.b64encode(b"png").decode(), "mimeType": "image/png"}
    file = {"type": "resource", "resource": {"uri": "x:y", "blob": base64.b64encode(b"zip").decode()}}
    outcome = await told({"content": [image, file]}, kept=kept)
    first, second = outcome.content
    assert isinstance(first, Stored)
    assert isinstance(second, Stored)
    assert kept[first.key] == b"png"
    assert (first.size, first.media_type, first.begins) == (3, "image/png", "[image: image/png, 3 bytes]")
    assert second.media_type == "application/octet-stream"


async def test_a_file_of_text_is_text_and_is_cut_like_any_other():
    """The model reads it whole: kept as a blob it would have gone around the limit."""
    kept = Kept()
    content = base64.b64encode(b"a line of it\n" * 1000).decode()
    file = {"type": "resource", "resource": {"uri": "x:y", "blob": content, "mimeType": "text/csv"}}
    outcome = await told({"content": [file]}, kept=kept, limit=100)
    assert outcome.truncated
    assert outcome.content[0].text.startswith("[resource x:y: text/csv]\na line of it\n")
    assert outcome.content[1].text.startswith("[Cut: ")
    assert kept == {}


SECRET = "canary-9Zk3x7w5R1mT8vB2nL6pD4sG0"


async def cleaned(answer: dict, *, limit: int = 1000, kept: Kept | None = None) -> Any:
    """What is told to a run that knows a secret, and what was taken out of it."""
    request = a_request(a_release(a_grant("look", max_output=limit)), "look")
    request = replace(request, cleaning=Cleaning(Redactor({"API": [SECRET]})))
    result = wire.read_call_result(encode(answer))
    outcome = await outcome_of(result, request, None, (Kept() if kept is None else kept).put, 7)
    return outcome, request.cleaning.found


async def test_a_secret_is_taken_out_before_anything_is_cut():
    outcome, found = await cleaned({"content": [text("x" * 90 + SECRET + "y" * 100)]}, limit=100)
    assert SECRET[:8] not in str(outcome)
    assert outcome.content[0].text == "x" * 90 + "[secret AP"
    assert found == {"API": 1}


async def test_the_beginning_of_a_secret_that_our_own_host_has_cut_goes_too():
    answer = {"content": [text("x" * 90 + SECRET[:12])], "_meta": {"quarterdeck/size": 10**6}}
    outcome, _ = await cleaned(answer)
    assert outcome.content[0].text == "x" * 90 + "[secret, cut off]"


async def test_bytes_that_hold_a_secret_are_left_out_and_others_kept_as_they_are():
    kept = Kept()
    good, bad = b"\x00\xffpng", b"\x00\xff" + SECRET.encode() + b"\xfe"
    images = [{"type": "image", "data": base64.b64encode(one).decode(), "mimeType": "image/png"} for one in (good, bad)]
    outcome, found = await cleaned({"content": images}, kept=kept)
    assert list(kept.values()) == [good]
    assert outcome.content[1] == Text("[image: image/png, 35 bytes] [left out: [secret API] stands in it]")
    assert found == {"API": 1}


async def test_structured_answers_are_cleaned_as_well():
    outcome, found = await cleaned({"structuredContent": {"key": SECRET, SECRET: [1]}})
    assert outcome.structured == {"key": "[secret API]", "[secret API]": [1]}
    assert SECRET not in str(outcome)
    assert found["API"] >= 2


async def test_links_and_text_resources_become_text():
    link = {"type": "resource_link", "uri": "file:///a", "name": "manual", "description": "How to."}
    inside = {"type": "resource", "resource": {"uri": "file:///b", "text": "words"}}
    outcome = await told({"content": [link, inside]})
    assert outcome.content == (Text("[resource file:///a] manual How to."), Text("[resource file:///b]\nwords"))


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "data": "not base64!", "mimeType": "image/png"},
        {"type": "hologram", "data": "x"},
        {"type": "image", "data": "A" * 12_000_000, "mimeType": "image/png"},
    ],
    ids=["nonsense", "unknown", "huge"],
)
async def test_a_part_that_can_not_be_taken_is_told_as_left_out(block):
    outcome = await told({"content": [block]})
    assert "left out" in outcome.content[0].text


async def test_unstorable_characters_do_not_reach_the_run():
    outcome = await told({"content": [{"type": "text", "text": "a\0b"}]})
    assert outcome.content == (Text("a\ufffdb"),)


async def test_a_structured_answer_that_fits_is_kept_and_shown_where_there_is_no_text():
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    outcome = await told({"content": [], "structuredContent": {"n": 1}}, schema=schema)
    assert outcome.structured == {"n": 1}
    assert outcome.content == (Text('{"n":1}'),)


@pytest.mark.parametrize("answer", [{"structuredContent": {"n": "one"}}, {}], ids=["misfit", "missing"])
async def test_a_broken_promise_is_told(answer):
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    outcome = await told({"content": [text("words")], **answer}, schema=schema)
    assert outcome.structured is None
    assert "promised" in outcome.content[-1].text


async def test_an_error_owes_no_structure():
    outcome = await told({"content": [text("no")], "isError": True}, schema={"type": "object"})
    assert outcome == Answered((Text("no"),), None, is_error=True, ms=7, size=2, truncated=False)


async def test_a_tool_that_asks_to_come_later_has_failed_without_effect():
    outcome = await told({"content": [text("busy")], "isError": True, "_meta": {"quarterdeck/try_later": 2.5}})
    assert outcome == Failed("rate_limited", "busy", 7, retryable=True, retry_after=2.5)


async def test_a_request_for_more_input_is_an_error_that_says_so():
    outcome = await told({"resultType": "input_required", "content": []})
    assert outcome.is_error
    assert "input" in outcome.content[0].text


async def test_nulls_where_the_protocol_has_nothing_are_no_fault():
    outcome = await told(
        {"content": [{"type": "text", "text": "x", "mimeType": None}], "structuredContent": None, "isError": None}
    )
    assert outcome.content == (Text("x"),)
