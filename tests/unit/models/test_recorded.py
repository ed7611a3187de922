"""Replays: the n-th question gets the n-th answer; strict ones stop at the first difference, lenient ones note it."""

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from quarterdeck.core.ids import TenantId, new_run_id, uuid7
from quarterdeck.models.cassettes import Answer, CassetteInvalid, Conversation, Exchange, Said, read, write
from quarterdeck.models.library import FolderLibrary, ReleaseLibrary
from quarterdeck.models.recorded import TAG, Recorded, tool_digest
from quarterdeck.models.records import Fault, ModelFault, ModelRequest
from quarterdeck.runs.messages import Call, ModelMessage, Text, Usage
from tests.fakes.asking import LOOK, TENANT, asked, result, user

MODEL = "gpt-4.1-mini-2025-04-14"
REFUND = Conversation(
    id="refund",
    model=MODEL,
    calls=(
        Exchange(
            Answer((Text("Let me look."), Call("c1", "look", {"x": 1})), usage=Usage(100_000, 10_000)),
            (Said(user="I want my money back"),),
        ),
        Exchange(Answer((Text("Done, it is 49.50."),)), (Said(tool="look", text="paid {{*}}"),)),
    ),
)


def recorded(*conversations: Conversation, strict: bool = True, speed: float = 0.0) -> Recorded:
    async def files(_: ModelRequest) -> Mapping[str, bytes]:
        return {"cassettes/all.json": write(conversations), "tools.py": b"not a cassette", "cassettes/x.txt": b"no"}

    return Recorded(ReleaseLibrary(files), strict=strict, speed=speed)


def second(model: Recorded, text: str = "paid 49.50", **more):
    opening = user("I want my money back")
    said = ModelMessage(REFUND.calls[0].answer.content)
    return model.answer(asked(opening, said, result("c1", text), model=MODEL, step=2, **more), None)


async def fault_of(answering) -> ModelFault:
    with pytest.raises(ModelFault) as caught:
        await answering
    assert not caught.value.retryable
    return caught.value


async def test_questions_get_the_answers_in_order():
    model = recorded(REFUND)
    first = await model.answer(asked(user("I want my  money\nback"), model=MODEL), None)
    assert first.content == REFUND.calls[0].answer.content
    assert (first.finish, first.served_model, first.differences) == ("calls", MODEL, ())
    assert (await second(model)).content == (Text("Done, it is 49.50."),)


async def test_a_run_taken_over_in_its_middle_goes_on_where_it_is():
    assert (await second(recorded(REFUND))).finish == "stop"


async def test_a_replayed_call_has_its_price():
    first = await recorded(REFUND).answer(asked(user("I want my money back"), model=MODEL), None)
    assert first.cost == 56_000
    free = Conversation("c", (Exchange(Answer((Text("x"),), cost=7)),), starts="hi")
    assert (await recorded(free).answer(asked(), None)).cost == 7


async def test_a_difference_stops_a_strict_replay_and_is_shown():
    fault = await fault_of(second(recorded(REFUND), "lost 3.10"))
    assert fault.fault == Fault.DIVERGED
    assert "`refund` at answer 2" in fault.detail
    assert "look: [-paid {{*}}-] {+lost 3.10+}" in fault.detail


async def test_a_difference_is_noted_by_a_lenient_replay():
    answer = await second(recorded(REFUND, strict=False), "lost 3.10")
    assert answer.content == (Text("Done, it is 49.50."),)
    assert answer.differences == ("look: [-paid {{*}}-] {+lost 3.10+}",)


@pytest.mark.parametrize(
    ("conversation", "says"),
    [
        (Conversation("c", REFUND.calls, starts="hi", model="gpt-4o-2024-05-13"), "model: [-gpt-4o-2024-05-13-]"),
        (Conversation("c", REFUND.calls, starts="hi", system="You are loud."), "[-loud.-] {+brief.+}"),
        (Conversation("c", REFUND.calls, starts="hi", tools={}), "tool look: was not offered"),
        (
            Conversation("c", REFUND.calls, starts="hi", tools={"look": "0" * 16}),
            "tool look: its description or schema",
        ),
        (
            Conversation("c", REFUND.calls, starts="hi", tools={"look": tool_digest(LOOK), "send": ""}),
            "tool send: was offered",
        ),
        (Conversation("c", REFUND.calls, starts="hi"), "user: [-I want my money back-] {+hi+}"),
        (
            Conversation("c", (Exchange(Answer((Text("x"),)), (Said(user="hi"), Said(user="ho"))),)),
            "messages: 2 recorded (user, user), 1 now (user)",
        ),
        (
            Conversation("c", (Exchange(Answer((Text("x"),)), (Said(tool="look"),)),), starts="hi"),
            "a result of look was recorded, now it is a user's message",
        ),
    ],
)
async def test_every_part_that_the_cassette_tells_is_compared(conversation: Conversation, says: str):
    fault = await fault_of(recorded(conversation).answer(asked(model=MODEL), None))
    assert fault.fault == Fault.DIVERGED
    assert says in fault.detail


async def test_what_the_cassette_does_not_tell_is_not_compared():
    bare = Conversation("bare", (Exchange(Answer((Text("x"),))),), starts="hi")
    answer = await recorded(bare).answer(asked(system="anything", model="another-model"), None)
    assert answer.served_model == "another-model"


async def test_a_failed_tool_that_worked_when_recorded_is_a_difference():
    model = recorded(REFUND)
    opening, said = user("I want my money back"), ModelMessage(REFUND.calls[0].answer.content)
    request = asked(opening, said, result("c1", "paid 1", is_error=True), model=MODEL, step=2)
    assert "look: worked when recorded, not now" in (await fault_of(model.answer(request, None))).detail


async def test_a_conversation_is_named_by_a_tag():
    other = Conversation("other", (Exchange(Answer((Text("from the tag"),))),))
    model = recorded(REFUND, other)
    answer = await model.answer(asked(tags={TAG: "other"}), None)
    assert answer.content == (Text("from the tag"),)
    fault = await fault_of(model.answer(asked(tags={TAG: "nope"}, run=new_run_id()), None))
    assert (fault.fault, "Recorded: refund, other." in fault.detail) == (Fault.NOT_RECORDED, True)


async def test_an_opening_that_nobody_recorded_is_told_with_what_there_is():
    fault = await fault_of(recorded(REFUND).answer(asked(user("I want my money now")), None))
    assert fault.fault == Fault.NOT_RECORDED
    assert "The nearest opens with: 'I want my money back'" in fault.detail
    empty = await fault_of(recorded().answer(asked(), None))
    assert "There are no cassettes" in empty.detail


async def test_a_lenient_replay_takes_the_opening_that_is_most_alike_and_says_so():
    answer = await recorded(REFUND, strict=False).answer(asked(user("I want my money now"), model=MODEL), None)
    assert answer.content == REFUND.calls[0].answer.content
    assert answer.differences[0] == "answered from `refund`, which opens alike: I want my money [-back-] {+now+}"
    with pytest.raises(ModelFault):
        await recorded(REFUND, strict=False).answer(asked(user("completely unlike"), model=MODEL), None)


async def test_a_conversation_that_goes_on_longer_than_it_was_recorded_ends_there():
    model = recorded(REFUND, strict=False)
    opening, said = user("I want my money back"), ModelMessage(REFUND.calls[0].answer.content)
    request = asked(opening, said, result("c1", "paid 1"), said, result("c1", "paid 2"), model=MODEL, step=3)
    fault = await fault_of(model.answer(request, None))
    assert (fault.fault, "has 2 answers; this run asks for number 3" in fault.detail) == (Fault.NOT_RECORDED, True)


async def test_each_run_of_a_thread_is_a_conversation_of_its_own():
    model = recorded(REFUND, Conversation("thanks", (Exchange(Answer((Text("Gladly."),))),), starts="thank you"))
    before = [user("I want my money back"), ModelMessage((Text("Done."),))]
    answer = await model.answer(asked(*before, user("thank you"), model=MODEL), None)
    assert answer.content == (Text("Gladly."),)
    said = ModelMessage(REFUND.calls[0].answer.content)
    later = [user("hello"), ModelMessage((Text("Hi."),)), user("I want my money back"), said, result("c1", "paid 1")]
    answer = await model.answer(asked(*later, model=MODEL, step=2, run=new_run_id()), None)
    assert answer.content == (Text("Done, it is 49.50."),)


async def test_a_listener_hears_the_words_piece_by_piece():
    pieces: list[str] = []
    answer = await recorded(REFUND).answer(
        asked(user("I want my money back"), model=MODEL), lambda kind, text: pieces.append(f"{kind}:{text}")
    )
    assert pieces == ["text:Let me look."]
    assert answer.first_token_ms is not None


async def test_recorded_time_is_replayed_when_wanted():
    slow = Conversation("slow", (Exchange(Answer((Text("a b c"),), ms=400, first_token_ms=100)),), starts="hi")
    started = time.monotonic()
    answer = await recorded(slow, speed=2.0).answer(asked(), lambda _kind, _text: None)
    assert 0.18 < time.monotonic() - started < 1.0
    assert 150 < answer.ms < 1000


async def test_cassettes_of_a_folder_are_read_together(tmp_path):
    (tmp_path / "a.json").write_bytes(write([REFUND]))
    (tmp_path / "b.json").write_bytes(write([Conversation("hi", (Exchange(Answer((Text("hello"),))),), starts="hi")]))
    model = Recorded(FolderLibrary(tmp_path))
    assert (await model.answer(asked(), None)).content == (Text("hello"),)


async def test_recordings_of_equal_releases_stay_with_their_tenants():
    async def files(request: ModelRequest) -> Mapping[str, bytes]:
        said = "mine" if request.tenant == TENANT else "yours"
        return {"cassettes/a.json": write([Conversation("a", (Exchange(Answer((Text(said),))),), starts="hi")])}

    model = Recorded(ReleaseLibrary(files))
    mine = await model.answer(asked(run=new_run_id()), None)
    yours = await model.answer(replace(asked(run=new_run_id()), tenant=TenantId(uuid7())), None)
    assert (mine.content, yours.content) == ((Text("mine"),), (Text("yours"),))


async def test_a_broken_cassette_is_told_with_its_place():
    async def files(_: ModelRequest) -> Mapping[str, bytes]:
        return {"cassettes/broken.json": b'{"cassette": 1, "conversations": [{"id": 7, "calls": []}]}'}

    fault = await fault_of(Recorded(ReleaseLibrary(files)).answer(asked(), None))
    assert fault.fault == Fault.UNCONFIGURED
    assert "cassettes/broken.json" in fault.detail
    assert "$.conversations[0].id" in fault.detail


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "(?i)input data was truncated"),
        (b"\xff", "broken.json"),
        (b'{"cassette": 2, "conversations": []}', "format 2 is not known"),
        (b'{"cassette": 1, "conversations": [], "extra": 1}', "extra"),
        (b'{"cassette": 1, "conversations": [{"id": "a", "calls": [{"answer": {"content": [{"type": "x"}]}}]}]}', "x"),
    ],
)
def test_what_is_no_cassette_is_refused(data: bytes, says: str):
    with pytest.raises(CassetteInvalid, match=says):
        read("broken.json", data)


def test_a_call_id_names_one_call_within_a_conversation():
    twice = Conversation("twice", (REFUND.calls[0], REFUND.calls[0]))
    with pytest.raises(CassetteInvalid, match="uses the call id `c1` twice"):
        read("twice.json", write([twice]))


def test_a_cassette_survives_writing_and_reading():
    assert read("all.json", write([REFUND])) == (REFUND,)


async def test_two_conversations_of_one_id_are_refused():
    fault = await fault_of(recorded(REFUND, REFUND).answer(asked(), None))
    assert "two conversations have the id `refund`" in fault.detail
