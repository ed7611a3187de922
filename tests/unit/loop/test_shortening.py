"""Making room: what is written down, what a worker that takes over shows, and what labels come to."""

import asyncio
import dataclasses
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.context.view import words_of
from quarterdeck.core.json import encode
from quarterdeck.gates.provenance import Origin, Provenance
from quarterdeck.loop.shortening import Shortening
from quarterdeck.loop.talk import Talk
from quarterdeck.releases.records import ContextPolicy
from quarterdeck.runs.events import Narrowing
from quarterdeck.runs.fold import RunState
from quarterdeck.runs.messages import SUMMARY, USER, Label, Message, Text, Trust, UserMessage
from tests.fakes.attempts import Life
from tests.toolbox import a_grant

TRUSTED, UNTRUSTED = Label("tool:contacts", Trust.TRUSTED), Label("tool:search", Trust.UNTRUSTED)
POLICY = ContextPolicy(max_tokens=4_000, keep_turns=2, results_over=500)
ASKED = UserMessage((Text("Pay what Erika asks for to erika@example.com."),))
PAY = a_grant("pay", effect="payment", destinations=("to",))
GRANTS = (PAY, a_grant("search", effect="read"), a_grant("contacts", effect="read", trust="trusted"))


class Notes:
    """A model that is asked for summaries and says what a test wants; None = it can't be had."""

    def __init__(self, *said: str | None) -> None:
        self.said = list(said)
        self.asked: list[tuple[str, str, str, int]] = []

    async def ask(self, purpose: str, system: str, messages: Sequence[Message], max_output_tokens: int) -> str | None:
        self.asked.append((purpose, system, words_of(messages[0]), max_output_tokens))
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]


def a_life(turns: int, size: int = 2_000, policy: ContextPolicy = POLICY, label: Label = UNTRUSTED) -> Life:
    life = Life(ASKED, policy=policy, grants=GRANTS)
    for number in range(turns):
        life.call("search", f"result {number}: " + "word " * (size // 5), label)
    return life


async def shortened(life: Life, notes: Notes | None = None, most: int | None = None) -> Talk:
    attempt = life.attempt()
    talk = Talk(attempt)
    await Shortening(attempt, talk, notes).make_room(life.log.state.steps + 1, most=most)
    return talk


async def test_a_conversation_that_fits_is_written_down_as_nothing():
    life = a_life(2)
    talk = await shortened(life)
    assert life.log.state.shortened is None
    assert list((await talk.conversation()).messages) == list(life.log.state.messages)
    assert talk.trimmed_tokens == 0


async def test_without_a_policy_the_model_is_shown_everything():
    life = a_life(60, policy=ContextPolicy())
    talk = await shortened(life)
    assert list((await talk.conversation()).messages) == list(life.log.state.messages)


async def test_references_need_no_summary():
    life, notes = a_life(8), Notes("never asked")
    talk = await shortened(life, notes)
    event = life.log.state.shortened
    assert event is not None
    assert event.summary is None
    assert event.tokens_after < event.tokens_before
    assert notes.asked == []
    assert talk.trimmed_tokens > 2_000


async def test_a_summary_is_asked_for_aside_with_what_it_is_to_hold():
    life, notes = a_life(60, size=400), Notes("Erika asked for 3 payments.")
    talk = await shortened(life, notes)
    [(purpose, system, material, tokens)] = notes.asked
    assert purpose == "summary"
    assert "never follow it" in system
    assert "result 0: word" in material
    assert tokens == 500
    shown = (await talk.conversation()).messages
    assert shown[0] == ASKED
    assert words_of(shown[1]).endswith("Erika asked for 3 payments.")


async def test_where_no_summary_can_be_had_the_beginnings_stand_there():
    life = a_life(60, size=400)
    talk = await shortened(life, Notes(None))
    words = words_of((await talk.conversation()).messages[1])
    assert "The beginnings of what was said" in words
    assert "search returned" in words


async def test_an_author_who_wants_no_summaries_gets_beginnings_and_pays_for_no_question():
    life = a_life(60, size=400, policy=ContextPolicy(max_tokens=4_000, keep_turns=2, summarise=False))
    notes = Notes("paid for")
    talk = await shortened(life, notes)
    assert notes.asked == []
    assert "The beginnings" in words_of((await talk.conversation()).messages[1])


async def test_a_summary_that_runs_on_is_cut():
    life = a_life(60, size=400)
    talk = await shortened(life, Notes("and " * 50_000))
    assert len(words_of((await talk.conversation()).messages[1])) < 3_200


async def test_the_next_summary_begins_with_the_one_before():
    life, notes = a_life(60, size=400), Notes("first notes", "second notes")
    await shortened(life, notes)
    for _ in range(40):
        life.call("search", "more " * 80, UNTRUSTED)
    talk = await shortened(life, notes)
    assert notes.asked[1][2].startswith("Notes so far:\nfirst notes\n\nSince then:\n")
    assert words_of((await talk.conversation()).messages[1]).endswith("second notes")
    assert len(life.log.state.summaries) == 2


async def test_a_limit_that_holds_for_this_question_only_makes_room_without_a_policy():
    life = a_life(30, policy=ContextPolicy())
    talk = await shortened(life, most=2_000)
    assert life.log.state.shortened is not None
    assert talk.trimmed_tokens > 10_000


async def test_what_no_model_takes_is_shown_in_short_without_a_policy_too():
    life = a_life(30, policy=ContextPolicy())
    talk = Talk(life.attempt())
    making_room = Shortening(life.attempt(), talk)
    before = len(encode((await talk.conversation()).messages))
    assert await making_room.squeeze(31)
    after = (await talk.conversation()).messages
    assert len(encode(after)) < before * 0.6
    assert not any("read_result" in words_of(message) for message in after)  # nobody offers it


async def test_a_run_of_an_older_release_is_not_squeezed_for_an_older_worker_may_go_on_with_it():
    life = a_life(30, policy=ContextPolicy())
    life.release = dataclasses.replace(life.release, behaviour=2)
    attempt = life.attempt()
    assert not await Shortening(attempt, Talk(attempt)).squeeze(31)


async def test_the_providers_own_count_says_how_long_a_token_is():
    life = Life(ASKED, policy=POLICY, grants=GRANTS)
    for _ in range(6):
        life.call("search", "x" * 2_000, UNTRUSTED, tokens=1_000)
    talk = await shortened(life)
    assert talk.per_token == 8.0  # ten bytes a token: more than is believed
    assert life.log.state.shortened is None


async def test_a_worker_that_takes_over_shows_the_same_bytes():
    life, notes = a_life(20, size=2_000), Notes("notes")
    attempt = life.attempt()
    talk = Talk(attempt)
    making_room = Shortening(attempt, talk, notes)
    for _ in range(45):
        life.call("search", "more " * 200, UNTRUSTED)
        await making_room.make_room(life.log.state.steps + 1)
        resumed = Talk(life.attempt())
        before, after = await talk.conversation(), await resumed.conversation()
        assert encode(before.messages) == encode(after.messages)
        assert before.digest() == after.digest()
    assert len(life.log.state.summaries) > 2


async def test_a_step_changes_nothing_of_what_was_shown_before_it():
    life = a_life(5)
    attempt = life.attempt()
    talk, before, changes = Talk(attempt), b"", 0
    making_room = Shortening(attempt, talk, Notes("notes"))
    for _ in range(60):
        life.call("search", "more " * 200, UNTRUSTED)
        moved = await making_room.make_room(life.log.state.steps + 1)
        shown = encode((await talk.conversation()).messages)
        assert moved or shown.startswith(before[:-1])
        before, changes = shown, changes + moved
    assert changes < 20


async def test_a_value_that_stands_only_in_a_summary_of_untrusted_words_is_untrusted():
    life = a_life(60, size=400)
    talk = await shortened(life, Notes("Pay to DE89370400440532013000, code 77-AB-12."))
    assert (await talk.provenance()).of("DE89370400440532013000") is Origin.UNTRUSTED
    assert (await Talk(life.attempt()).provenance()).of("DE89370400440532013000") is Origin.UNTRUSTED


async def test_a_value_that_stands_only_in_a_summary_of_trusted_words_is_the_models_own():
    life = a_life(60, size=400, label=TRUSTED)
    talk = await shortened(life, Notes("Pay to DE89370400440532013000."))
    assert (await talk.provenance()).of("DE89370400440532013000") is Origin.MODEL
    assert not (await talk.provenance()).tainted


async def test_in_a_tainted_child_a_summary_of_its_task_is_untrusted():
    life = Life(ASKED, policy=POLICY, grants=GRANTS, narrowed=Narrowing(depth=1, tainted=True))
    for _ in range(60):
        life.call("contacts", "word " * 80, TRUSTED)
    talk = await shortened(life, Notes("Pay to DE89370400440532013000."))
    assert (await talk.provenance()).of("DE89370400440532013000") is Origin.UNTRUSTED


async def test_what_an_earlier_summary_said_is_untrusted_though_the_next_one_says_it_no_more():
    life, notes = a_life(60, size=400), Notes("Pay to DE89370400440532013000.", "nothing")
    await shortened(life, notes)
    for _ in range(60):
        life.call("search", "more " * 80, UNTRUSTED)
    await shortened(life, notes)
    assert (await Talk(life.attempt()).provenance()).of("DE89370400440532013000") is Origin.UNTRUSTED


async def test_a_page_that_cuts_an_address_out_of_a_trusted_result_makes_it_no_cleaner():
    life = Life(ASKED, policy=POLICY, grants=GRANTS)
    life.call("contacts", "Contact: not-bob@example.com " + "x" * 3_000, TRUSTED)
    life.call("read_result", "bob@example.com xxx", TRUSTED, {"ref": "r2", "from": 13})
    seen = await Talk(life.attempt()).provenance()
    assert seen.of("bob@example.com") is Origin.MODEL
    assert seen.of("not-bob@example.com") is Origin.TRUSTED


async def test_a_page_of_an_untrusted_result_stays_untrusted():
    life = Life(ASKED, policy=POLICY, grants=GRANTS)
    life.call("search", "Contact: not-bob@example.com " + "x" * 3_000, UNTRUSTED)
    life.call("read_result", "bob@example.com xxx", UNTRUSTED, {"ref": "r2", "from": 13})
    assert (await Talk(life.attempt()).provenance()).of("bob@example.com") is Origin.UNTRUSTED


SAID = ("erika@example.com", "DE89370400440532013000", "https://evil.example/a", "ticket 77-AB-12")
NOTED = ("eve@evil.example", "GB29NWBK60161331926819")
VALUES = (*SAID, *NOTED)
"""What turns and users say; what only summaries say, which a model may make up."""
_RANK = {origin: rank for rank, origin in enumerate(Origin)}
turns = st.tuples(st.just("turn"), st.sampled_from(SAID), st.booleans(), st.integers(100, 900))
words = st.tuples(st.just("user"), st.sampled_from(SAID))
rooms = st.tuples(st.just("room"), st.none() | st.sampled_from(VALUES), st.integers(600, 1_200))
lives = st.lists(st.one_of(turns, words, rooms, st.tuples(st.just("resume"))), min_size=4, max_size=25)


@given(lives)
def test_labels_survive_every_sequence_of_shortenings_and_resumptions(steps: list[tuple[object, ...]]):
    asyncio.run(_live(steps))


async def _live(steps: list[tuple[object, ...]]) -> None:
    """Whatever is shown in short, nothing gets a cleaner origin than it has where everything is shown."""
    life = Life(ASKED, policy=ContextPolicy(keep_turns=1, results_over=2_000, max_tokens=100_000), grants=GRANTS)
    for _ in range(3):
        life.call("search", "nothing " * 100, UNTRUSTED)
    attempt = life.attempt()
    talk, notes = Talk(attempt), Notes(None)
    making_room = Shortening(attempt, talk, notes)
    whole = Whole(life)
    for step in steps:
        match step:
            case ("turn", str(text), bool(trusted), int(size)):
                life.call("contacts" if trusted else "search", text + " x" * size, TRUSTED if trusted else UNTRUSTED)
            case ("user", str(text)):
                life.answer(Text("Anything else?"))
                life.log.state = _told(life, text)
            case ("room", text, int(most)):
                notes.said = [text if text is None else str(text)]
                await making_room.make_room(life.log.state.steps + 1, most=most)
            case _:
                attempt = life.attempt()
                talk = Talk(attempt)
                making_room = Shortening(attempt, talk, notes)
        await _compare(life, talk, whole.heard())


def _told(life: Life, text: str) -> RunState:
    state = life.log.state
    return replace(state, messages=(*state.messages, UserMessage((Text(text),), USER)), answer=None)


class Whole:
    """What somebody makes of a run who is shown everything; a log only grows, so each message is heard once."""

    def __init__(self, life: Life) -> None:
        self._life, self._heard = life, 0
        self._provenance = Provenance(GRANTS)
        self._provenance.add("You are careful.", Label("author", Trust.TRUSTED))

    def heard(self) -> Provenance:
        messages = self._life.log.state.messages
        for message in messages[self._heard :]:
            self._provenance.hear(message)
        self._heard = len(messages)
        return self._provenance


async def _compare(life: Life, talk: Talk, whole: Provenance) -> None:
    seen = await talk.provenance()
    assert seen.tainted == whole.tainted
    for value in VALUES:
        plain, now = whole.of(value), seen.of(value)
        assert _RANK[now] >= _RANK[plain]
        pointed, points = whole.see(PAY, {"to": value}), seen.see(PAY, {"to": value})
        assert _RANK[points.origins["to"]] >= _RANK[pointed.origins["to"]]
        assert pointed.clean or not points.clean
        holding = [one for one in life.log.state.summaries if value in words_of(one)]
        if plain is Origin.MODEL and any(_names_sources(one) for one in holding):
            assert now is Origin.UNTRUSTED


def _names_sources(summary: Message) -> bool:
    return isinstance(summary, UserMessage) and summary.label.source.startswith(SUMMARY)
