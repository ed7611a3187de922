"""What is recorded once can be replayed for ever, and holds no secrets."""

from pathlib import Path

from quarterdeck.core.ids import new_run_id
from quarterdeck.models.cassettes import read
from quarterdeck.models.library import FolderLibrary
from quarterdeck.models.recorded import Recorded
from quarterdeck.models.recording import Recorder
from quarterdeck.models.records import Model
from quarterdeck.models.scripted import Reply, Scripted, call, say
from quarterdeck.runs.messages import Call, Message, ModelMessage, Text, Thinking
from tests.fakes.asking import asked, result, user

KEY = "a-provider-key-of-ours"


def scripted() -> Scripted:
    replies = [call("look", {"x": 1, "token": f"use {KEY}"}), Reply((Thinking("hm", "sig"), Text("It is 7.")))]
    return Scripted(lambda request: replies[min(request.step, 2) - 1])


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def converse(model: Model, run=None, tags=None, result_text: str = "found 7") -> list[Message]:
    run = run or new_run_id()
    messages: list[Message] = [user("find x with sk-abcdefghijklmnopqrst")]
    first = await model.answer(asked(*messages, run=run, step=1, tags=tags), None)
    messages += [ModelMessage(first.content), result("call_1", result_text)]
    second = await model.answer(asked(*messages, run=run, step=2, tags=tags), None)
    return [*messages, ModelMessage(second.content)]


async def test_a_recorded_conversation_replays_strictly(tmp_path: Path):
    recorder = Recorder(scripted(), tmp_path, [KEY])
    original = await converse(recorder)
    replayed = await converse(Recorded(FolderLibrary(tmp_path)))
    assert replayed[-1] == original[-1]


async def test_no_secret_stands_in_a_cassette(tmp_path: Path):
    await converse(Recorder(scripted(), tmp_path, [KEY]), result_text=f"the key is {KEY}")
    text = "".join(path.read_text() for path in files(tmp_path))
    assert KEY not in text
    assert "sk-abcdefghijklmnopqrst" not in text
    assert "[secret removed]" in text


async def test_a_file_is_whole_after_each_answer_and_named_by_its_tag(tmp_path: Path):
    recorder = Recorder(scripted(), tmp_path)
    tags = {"quarterdeck.conversation": "../../etc/a b"}
    request = asked(user("find x"), tags=tags, run=new_run_id())
    await recorder.answer(request, None)
    [path] = files(tmp_path)
    assert path.name == "-..-etc-a-b.json"
    [conversation] = read(path.name, path.read_bytes())
    assert (conversation.id, len(conversation.calls)) == ("../../etc/a b", 1)
    assert conversation.tools is not None
    assert (conversation.model, conversation.system, list(conversation.tools)) == (
        "scripted-1",
        "You are brief.",
        ["look"],
    )


async def test_the_same_question_again_replaces_its_answer(tmp_path: Path):
    said = iter([say("lost with its worker"), say("It is 7.")])
    recorder = Recorder(Scripted(lambda _: next(said)), tmp_path)
    request = asked(user("find x"), run=new_run_id())
    await recorder.answer(request, None)
    await recorder.answer(request, None)
    [conversation] = read("x", files(tmp_path)[0].read_bytes())
    assert [exchange.answer.content[-1] for exchange in conversation.calls] == [Text("It is 7.")]


async def test_a_run_whose_beginning_was_not_seen_is_not_recorded(tmp_path: Path):
    recorder = Recorder(scripted(), tmp_path)
    said = ModelMessage((Call("call_1", "look", {}),))
    await recorder.answer(asked(user("find x"), said, result("call_1", "7"), run=new_run_id(), step=2), None)
    assert files(tmp_path) == []


async def test_a_cassette_that_can_not_be_written_costs_the_run_nothing(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    recorder = Recorder(Scripted(lambda _: say("fine")), blocked / "folder")
    assert (await recorder.answer(asked(run=new_run_id()), None)).content == (Text("fine"),)
