"""No known secret is shown to a model, and none is in its words when anybody reads them."""

from dataclasses import replace

from quarterdeck.gates import discretion
from quarterdeck.models.records import Fault, ModelAnswer, ModelFault
from quarterdeck.runs.messages import Call, ModelMessage, Text, Thinking, Usage
from quarterdeck.secrets.redaction import Cleaning, Redactor
from tests.fakes.asking import asked, result, user

SECRET = "canary-9Zk3x7w5R1mT8vB2nL6pD4sG0"


def cleaning() -> Cleaning:
    return Cleaning(Redactor({"API": [SECRET]}))


def an_answer(*content) -> ModelAnswer:
    return ModelAnswer(content, "stop", "scripted-1", Usage(), None, None, 1, differences=(f"was {SECRET}",))


def test_a_question_is_asked_without_secrets_and_its_other_messages_stay_the_same_objects():
    clean, dirty, call = user("hello"), user(f"use {SECRET}"), ModelMessage((Call("c", "look", {"key": SECRET}),))
    request = asked(clean, dirty, call, result("c", f"is {SECRET}"), system=f"You know {SECRET}.")
    shown = discretion.asked(request, cleaning())
    assert SECRET not in str(shown)
    assert shown.messages[0] is clean
    assert shown.messages[1] == user("use [secret API]")
    assert shown.system == "You know [secret API]."
    untouched = discretion.asked(asked(clean), cleaning())
    assert untouched.messages[0] is clean


def test_without_secrets_nothing_is_looked_at():
    request = asked(user("hello"))
    assert discretion.asked(request, Cleaning()) is request
    answer = an_answer(Text(SECRET))
    assert discretion.answered(answer, Cleaning()) is answer


def test_an_answer_is_heard_without_secrets_in_words_thoughts_and_arguments():
    kept = Text("plain")
    answer = an_answer(
        kept,
        Text(f"it is {SECRET}"),
        Thinking(f"so {SECRET}", signature="signed"),
        Thinking("hm", signature="signed"),
        Call("c", "pay", {"to": {"key": [SECRET]}, SECRET: 1}, raw=None),
        Call("d", "pay", {}, raw=f"broken {SECRET}"),
    )
    counted = cleaning()
    heard = discretion.answered(answer, counted)
    assert SECRET not in str(heard)
    assert heard.content[0] is kept
    assert heard.content[2] == Thinking("so [secret API]"), "what was signed is not that any more"
    assert heard.content[3] == Thinking("hm", signature="signed")
    assert heard.content[4] == Call("c", "pay", {"to": {"key": ["[secret API]"]}, "[secret API]": 1})
    assert counted.found["API"] == 6


def test_a_fault_quotes_no_key():
    fault = ModelFault(
        f"bad key {SECRET}", code=Fault.UNAUTHENTICATED, retryable=False, status=401, raw=f"{{{SECRET}}}"
    )
    told = discretion.failed(fault, cleaning())
    assert (told.detail, told.raw) == ("bad key [secret API]", "{[secret API]}")
    assert (told.fault, told.retryable, told.http_status) == (Fault.UNAUTHENTICATED, False, 401)


def test_a_stream_holds_back_what_may_be_a_secret_and_gives_the_rest_at_its_end():
    shown: list[tuple[str, str]] = []
    streamed = discretion.Streamed(lambda kind, piece: shown.append((kind, piece)), cleaning())
    for piece in ("it is can", "ary-9Zk3x7w5R", "1mT8vB2nL6pD4sG0", " and can"):
        streamed.take("text", piece)
    streamed.take("thinking", "hm")
    streamed.end()
    assert "".join(piece for kind, piece in shown if kind == "text") == "it is [secret API] and can"
    assert ("thinking", "hm") in shown
    assert shown[0] == ("text", "it is ")
    assert replace(asked(), mark="x").mark == "x"
