"""When a conversation is shown in short, and how far."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.context import rules
from quarterdeck.context.records import WHOLE, Extent, Marks, Plan
from quarterdeck.context.view import assemble, short, size_of
from quarterdeck.releases.records import ContextPolicy
from quarterdeck.runs.messages import Message, ModelMessage, ToolMessage
from tests.talks import ASKED, is_whole, talk, talks, turn

POLICY = ContextPolicy(max_tokens=10_000, keep_turns=3)
OVER = POLICY.results_over


def extent(said: list[Message], fixed: int = 0) -> Extent:
    small = [size_of(short(message, at, OVER)) for at, message in enumerate(said)]
    return Extent([size_of(one) for one in said], small, rules.turns(said), fixed, 0, rules.BYTES_A_TOKEN)


def plan(said: list[Message], now: Marks = WHOLE, policy: ContextPolicy = POLICY, fixed: int = 0) -> Plan | None:
    return rules.plan(extent(said, fixed), now, 0, policy)


def test_a_conversation_that_fits_is_left_alone():
    assert plan(talk(9)) is None


def test_without_a_limit_nothing_is_ever_left_out():
    assert plan(talk(200), policy=ContextPolicy()) is None
    assert not rules.limited(ContextPolicy())


def test_old_results_become_references_first():
    said = talk(12)
    found = plan(said)
    assert found is not None
    assert not found.summarises
    assert found.messages_upto == 0
    assert found.results_upto == rules.turns(said)[-3]
    assert found.tokens_after <= POLICY.max_tokens * rules.AIM < found.tokens_before  # pyright: ignore[reportOptionalOperand]


def test_where_references_do_not_suffice_the_oldest_turns_are_summarised():
    said = talk(60, size=1_500)  # too small for references
    found = plan(said)
    assert found is not None
    assert found.summarises
    assert found.messages_upto in rules.turns(said)
    assert found.tokens_after <= 6_000


def test_the_last_turns_stay_whole():
    said = talk(60, size=1_500)
    found = plan(said)
    assert found is not None
    assert found.messages_upto <= rules.turns(said)[-3]


def test_last_turns_that_are_too_big_themselves_are_shown_in_short_but_the_very_last():
    said = talk(6, size=12_000)
    found = plan(said)
    assert found is not None
    assert rules.turns(said)[-3] < found.results_upto <= rules.turns(said)[-1]


def test_a_result_that_nobody_has_read_yet_is_never_a_reference():
    said = talk(1, size=90_000)
    assert plan(said) is None


def test_too_many_turns_are_summarised_however_short_they_are():
    policy = ContextPolicy(max_turns=10, keep_turns=3)
    assert plan(talk(9, size=5), policy=policy) is None
    said = talk(11, size=5)
    found = plan(said, policy=policy)
    assert found is not None
    assert found.summarises
    left = [at for at in rules.turns(said) if at >= found.messages_upto]
    assert len(left) == 6


def test_more_turns_to_keep_than_there_may_be_does_not_summarise_at_every_step():
    policy = ContextPolicy(max_turns=4, keep_turns=9)
    said, moved, marks = talk(0), 0, WHOLE
    for number in range(40):
        said += turn(number, 5)
        found = plan(said, marks, policy)
        if found is not None:
            moved += 1
            marks = Marks(found.results_upto, found.messages_upto)
    assert moved <= 20


def test_what_is_sent_beside_the_conversation_counts():
    assert plan(talk(5), fixed=0) is None
    assert plan(talk(5), fixed=24_000) is not None


def test_a_prompt_that_is_too_long_by_itself_does_not_shorten_at_every_step():
    said, moved, marks = [ASKED], 0, WHOLE
    for number in range(30):
        said += turn(number, 300)
        found = plan(said, marks, fixed=60_000)
        if found is not None:
            moved += 1
            marks = Marks(found.results_upto, found.messages_upto)
    assert moved <= 3


def test_the_prefix_stays_the_same_between_shortenings():
    said, marks, changes, sent = [ASKED], WHOLE, 0, []
    for number in range(200):
        said += turn(number)
        found = plan(said, marks)
        if found is not None:
            marks, changes = Marks(found.results_upto, found.messages_upto), changes + 1
        view = assemble(said, marks, 0, OVER)
        if found is None and sent:
            assert view[: len(sent)] == sent
        sent = view
    assert 20 <= changes <= 60  # each makes room for several turns


@pytest.mark.parametrize(("size", "counted", "bytes_a_token"), [(4_000, 1_000, 4.0), (100, 1, 8.0), (100, 99, 1.3)])
def test_how_long_a_token_is_follows_what_the_provider_counted(size: int, counted: int, bytes_a_token: float):
    assert rules.per_token(size, counted) == bytes_a_token


def test_without_a_count_a_token_has_a_usual_length():
    assert rules.per_token(0, 10) == rules.per_token(10, 0) == rules.BYTES_A_TOKEN


def test_a_turn_begins_where_nothing_is_parted():
    said = talk(2, calls=2)
    assert rules.turns(said) == [0, 4]


@given(talks(), st.integers(200, 9_000), st.integers(0, 8), st.none() | st.integers(1, 6))
def test_no_shortening_parts_a_call_from_its_result_or_drops_the_request(
    said: list[Message], most: int, keep: int, turns: int | None
):
    policy = ContextPolicy(max_tokens=most, max_turns=turns, keep_turns=keep)
    found = plan(said, policy=policy)
    if found is None:
        return
    view = assemble(said, Marks(found.results_upto, found.messages_upto), 0, OVER)
    assert is_whole(view)
    assert ASKED in view
    last = max(at for at, message in enumerate(said) if isinstance(message, ModelMessage))
    assert view[-(len(said) - last) :] == said[last:]  # the last turn as it is
    assert found.tokens_after <= found.tokens_before or turns is not None


@given(talks(), st.integers(200, 9_000))
def test_marks_only_move_forward(said: list[Message], most: int):
    policy, marks = ContextPolicy(max_tokens=most, keep_turns=2), WHOLE
    for upto in range(1, len(said) + 1):
        if isinstance(said[upto - 1], ToolMessage) and upto < len(said) and isinstance(said[upto], ToolMessage):
            continue
        found = plan(said[:upto], marks, policy)
        if found is not None:
            assert found.results_upto >= marks.results_upto
            assert found.messages_upto >= marks.messages_upto
            marks = Marks(found.results_upto, found.messages_upto)
