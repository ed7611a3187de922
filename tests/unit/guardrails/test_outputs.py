"""The rules of the output edge together: what goes on, what is told to whom, and that nothing found is kept."""

import asyncio
import base64
import string
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.core.json import Json
from quarterdeck.guardrails import presidio
from quarterdeck.guardrails.leaks import canary_of, marked
from quarterdeck.guardrails.outputs import MAKERS, judge
from quarterdeck.guardrails.records import Judgement, Ports, Subject, Unusable, Verdict
from quarterdeck.releases.records import GuardrailRule, ReleaseId
from quarterdeck.runs.parts import Finding
from quarterdeck.spec.checks import CHECKS, OUTPUT
from tests.unit.guardrails.answers import Asked, rule, said

TEXT = "Write to ann@example.org or call (415) 555-2671. Key: sk-proj-abcdefghijklmnop1234567890"
SYSTEM = "You are the desk of Acme. " + " ".join(
    f"Rule {word} says what to do about it." for word in string.ascii_lowercase
)


def judged(subject: Subject | str, *rules: GuardrailRule, ports: Ports | None = None) -> Judgement:
    subject = said(subject) if isinstance(subject, str) else subject
    return asyncio.run(judge(rules, subject, ports or Ports()))


def test_every_check_that_can_be_named_for_the_output_is_there():
    assert set(MAKERS) == {name for name, kind in CHECKS.items() if OUTPUT in kind.actions}


def test_what_rules_take_out_adds_up():
    judgement = judged(
        TEXT, rule("pii", "redact", kinds=["email"]), rule("secrets", "redact"), rule("pii", "redact", "phones")
    )
    assert judgement.verdict is Verdict.REDACT
    assert judgement.text == "Write to [e-mail removed] or call [phone number removed]. Key: [api key removed]"
    assert judgement.rule == "pii"
    assert judgement.checks == ("pii", "secrets", "phones")


def test_the_first_rule_that_blocks_ends_it_and_the_user_reads_a_neutral_sentence():
    judgement = judged(TEXT, rule("pii", "redact"), rule("secrets", "block", "keys"), rule("links", "block"))
    assert (judgement.verdict, judgement.text, judgement.rule) == (Verdict.DENY, "", "keys")
    assert judgement.reason == "The answer is not shown: it did not pass the check 'keys' of this agent."
    assert judgement.checks == ("pii", "keys")


def test_the_author_s_own_words_take_its_place():
    assert judged(TEXT, rule("secrets", "block", message="Ask the desk.")).reason == "Ask the desk."


def test_a_person_reads_the_answer_and_the_user_that_one_does():
    judgement = judged(TEXT, rule("pii", "ask"))
    assert (judgement.verdict, judgement.text) == (Verdict.ASK, TEXT)
    assert "person" in judgement.reason


def test_for_a_second_try_the_model_is_told_what_to_leave_out_and_never_what_was_found():
    judgement = judged(TEXT, rule("secrets", "retry"))
    assert judgement.verdict is Verdict.RETRY
    assert judgement.reason == "Leave out keys, tokens, passwords and other credentials."


def test_a_rule_that_records_changes_nothing():
    judgement = judged(TEXT, rule("pii", "record"))
    assert (judgement.verdict, judgement.text) == (Verdict.RECORD, TEXT)
    assert judgement.findings == (
        Finding(check="pii", action="record", what="e-mail", count=1, score=1.0),
        Finding(check="pii", action="record", what="phone number", count=1, score=0.85),
    )


def test_what_an_author_allows_is_no_finding():
    text = "Write to desk@acme.example or ann@example.org."
    judgement = judged(text, rule("pii", "redact", allow=["*@acme.example"]))
    assert judgement.text == "Write to desk@acme.example or [e-mail removed]."


def test_patterns_are_told_by_number():
    judgement = judged(
        "See PRJ-17 and prj-18.", rule("patterns", "redact", patterns=["zzz", r"PRJ-\d+"], ignore_case=True)
    )
    assert judgement.text == "See [pattern 2 removed] and [pattern 2 removed]."
    assert [(one.what, one.count) for one in judgement.findings] == [("pattern 2", 2)]


@pytest.mark.parametrize(("text", "verdict"), [("Cast your Ballot.", "deny"), ("Balloting. A vote.", "allow")])
def test_a_topic_is_found_by_whole_words(text: str, verdict: str):
    assert judged(text, rule("topics", "block", topics={"elections": ["ballot", "polling station"]})).verdict == verdict


def test_a_topic_may_want_several_different_words():
    elections = rule("topics", "block", topics={"elections": ["ballot", "polling station"]}, matches=2)
    assert judged("A ballot, another ballot.", elections).verdict is Verdict.ALLOW
    assert judged("A ballot at the Polling  station.", elections).verdict is Verdict.DENY


def test_a_word_inside_a_longer_one_still_counts_for_its_own_topic():
    topics: Json = {"elections": ["polling station"], "traffic": ["station"]}
    found = judged("The polling station.", rule("topics", "record", topics=topics)).findings
    assert {one.what for one in found} == {"topic elections", "topic traffic"}


def test_the_shape_of_an_answer_is_told_in_the_words_for_the_model_only():
    schema = {"type": "object", "required": ["total"], "properties": {"total": {"type": "integer"}}}
    judgement = judged('{"total": "4111 1111 1111 1111"}', rule("schema", "retry", schema=schema))
    assert judgement.reason.startswith("It has to be JSON that fits the schema: total:")
    assert judgement.findings == (Finding(check="schema", action="retry", what="schema", count=1, score=1.0),)
    assert judged('```json\n{"total": 4}\n```', rule("schema", "retry", schema=schema)).verdict is Verdict.ALLOW


class TestPromptLeak:
    """The instructions stay inside."""

    canary = canary_of(ReleaseId("ab" * 32))

    def leak(self, text: str, action: str = "redact", threshold: float = 0.3) -> Judgement:
        return judged(said(text, system=SYSTEM, canary=self.canary), rule("prompt_leak", action, threshold=threshold))

    def test_its_code_is_found_plain_in_capitals_and_encoded(self):
        encoded = base64.b64encode(f"my code is {self.canary}!".encode()).decode()
        for form in (self.canary, self.canary.upper(), self.canary.encode().hex(), encoded):
            assert self.leak(f"It is {form} I think.", "block").verdict is Verdict.DENY

    def test_the_code_stands_in_what_the_model_is_told(self):
        assert self.canary in marked(SYSTEM, self.canary)
        assert self.canary == canary_of(ReleaseId("ab" * 32)) != canary_of(ReleaseId("cd" * 32))

    def test_a_long_passage_is_found_whatever_its_share_is(self):
        told = SYSTEM[26:].split(". Rule e")[0].lower()
        judgement = self.leak(f"Sure: {told}. Anything else?")
        assert judgement.text == "Sure: [passage of the instructions removed]. Anything else?"

    def test_a_few_words_in_common_are_none(self):
        assert self.leak("Rule a says what to do about it, you know.", "block").verdict is Verdict.ALLOW
        assert self.leak("Rule a says what to do about it, you know.", "block", threshold=0.01).verdict is Verdict.DENY

    def test_an_agent_without_instructions_gives_none_away(self):
        assert judged(said("Rule a says what to do about it."), rule("prompt_leak", "block")).verdict is Verdict.ALLOW


class TestCustom:
    """What checks of others answer."""

    @pytest.mark.parametrize("answer", [None, True, "", [], {}, {"found": None}, {"found": []}, {"found": True}])
    def test_nothing_was_found(self, answer: object):
        asked = Asked(custom=answer)  # pyright: ignore[reportArgumentType]
        judgement = judged("Hello.", rule("python", "block", function="checks.py:judge", seconds=3), ports=asked.ports)
        assert judgement.verdict is Verdict.ALLOW
        assert asked.calls[0][0] == "checks.py:judge"
        assert asked.calls[0][1]["text"] == "Hello."
        assert asked.calls[0][2] == 3.0

    @pytest.mark.parametrize(
        ("answer", "what", "count", "score"),
        [
            (False, "custom", 1, 1.0),
            ("tone", "tone", 1, 1.0),
            (["tone"], "tone", 1, 1.0),
            ([{"what": "rude words", "count": 3, "score": 0.7}], "rude words", 3, 0.7),
            ({"what": "rude words", "count": 2}, "rude words", 2, 1.0),
            ({"found": False}, "custom", 1, 1.0),
            ({"found": {"what": "tone"}, "advice": "Be kind."}, "tone", 1, 1.0),
        ],
    )
    def test_something_was_found(self, answer: object, what: str, count: int, score: float):
        asked = Asked(custom=answer)  # pyright: ignore[reportArgumentType]
        judgement = judged("Hello.", rule("http", "block", url="https://checks.example.com"), ports=asked.ports)
        assert judgement.verdict is Verdict.DENY
        (finding,) = judgement.findings
        assert (finding.what, finding.count, finding.score) == (what, count, score)

    @pytest.mark.parametrize("what", ["Umbra Corp", "ann@example.org", "a" * 100, "x\ny"])
    def test_a_check_that_answers_with_what_it_found_gives_nothing_away(self, what: str):
        asked = Asked(custom=[{"what": what, "where": what}])
        text = f"Buy at Umbra Corp, says {what}."
        judgement = judged(text, rule("python", "record", function="c.py:f"), ports=asked.ports)
        assert [(one.what, one.where) for one in judgement.findings] == [("custom", "custom")]

    @pytest.mark.parametrize(
        "answer", [7, {"ok": False}, {"found": 7}, {"text": 1}, [7], [{"count": "x"}], [{"score": 3}], ["x"] * 51]
    )
    def test_an_answer_that_is_none_counts_as_a_check_that_broke(self, answer: object):
        asked = Asked(custom=answer)  # pyright: ignore[reportArgumentType]
        judgement = judged("Hello.", rule("python", "block", function="c.py:f"), ports=asked.ports)
        assert (judgement.verdict, judgement.findings[0].what) == (Verdict.DENY, "fault")
        opened = judged("Hello.", rule("python", "block", function="c.py:f", fail="open"), ports=asked.ports)
        assert opened.verdict is Verdict.RECORD

    def test_where_there_is_no_way_to_it_the_rule_is_broken(self):
        assert judged("Hello.", rule("python", "block", function="c.py:f")).verdict is Verdict.DENY
        assert judged("Hello.", rule("http", "block", url="https://x.example")).verdict is Verdict.DENY

    def test_what_ends_the_attempt_comes_out(self):
        asked = Asked(custom=LookupError("the run was lost"), signals=(LookupError,))
        with pytest.raises(LookupError):
            judged("Hello.", rule("python", "block", function="c.py:f"), ports=asked.ports)


@pytest.mark.skipif(presidio.is_installed(), reason="Presidio is installed here")
def test_without_presidio_a_rule_that_needs_it_blocks_and_says_how_to_get_it():
    assert judged("Hello Ann.", rule("pii", "redact", kinds=["name"], engine="presidio")).verdict is Verdict.DENY
    with pytest.raises(Unusable, match=r"quarterdeck\[presidio\]"):
        presidio.Presidio(["name"])


@dataclass
class Named:
    """What Presidio answers for each thing."""

    entity_type: str
    start: int
    end: int
    score: float


def test_presidio_finds_names_and_our_own_scanner_what_has_a_form(monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[str, list[str]]] = []

    class Engine:
        def analyze(self, text: str, language: str, entities: list[str]) -> list[Named]:
            asked.append((language, entities))
            return [Named("PERSON", 6, 9, 0.85)]

    monkeypatch.setattr(presidio, "is_installed", lambda: True)
    monkeypatch.setattr(presidio, "_analyzer", Engine)
    judgement = judged("Hello Ann, ann@example.org", rule("pii", "redact", kinds=["name", "email"], engine="presidio"))
    assert judgement.text == "Hello [name removed], [e-mail removed]"
    assert [(one.what, one.score) for one in judgement.findings] == [("name", 0.85), ("e-mail", 1.0)]
    assert asked == [("en", ["PERSON"])]


SECRETS = ("ann@example.org", "4111 1111 1111 1111", "sk-proj-abcdefghijklmnop1234567890", "https://evil.example/x")


@settings(max_examples=100)
@given(st.lists(st.sampled_from((*SECRETS, "Hello. ", "and ", "\n")), max_size=12).map(" ".join))
def test_a_finding_never_holds_what_was_found(text: str):
    rules = [rule(check, "record") for check in ("pii", "secrets", "links")]
    judgement = judged(text, *rules)
    told = repr((judgement.findings, judgement.reason, judgement.rule))
    assert not any(secret in told for secret in SECRETS)
