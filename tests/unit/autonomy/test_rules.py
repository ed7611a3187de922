"""Levels: the lower one holds, and what can't be told is little."""

import pytest

from quarterdeck.autonomy import rules
from quarterdeck.autonomy.records import AboveCeiling, Autonomy, Evidence, Granted, NeedsNoLevel, ReasonMissing
from quarterdeck.core.errors import Error
from quarterdeck.core.ids import AgentName


@pytest.mark.parametrize("ceiling", rules.LADDER)
@pytest.mark.parametrize("live", [*rules.LADDER, None])
def test_the_lower_of_what_was_granted_and_what_was_set_holds(ceiling: Autonomy, live: Autonomy | None):
    order = rules.LADDER.index
    expected = ceiling if live is None else min(ceiling, live, key=order)
    assert rules.lowest(ceiling, live) == expected


@pytest.mark.parametrize("levels", [("nonsense",), ("free", "nonsense"), ("nonsense", "free"), ("",)])
def test_a_word_that_is_no_level_is_the_least(levels: tuple[str, ...]):
    assert rules.lowest(*levels) == "suggest"


@pytest.mark.parametrize(
    ("effect", "ceiling", "level", "why", "refused"),
    [
        ("payment", Autonomy.ASK_WHEN_RISKY, Autonomy.ASK_ALWAYS, "a new tool", None),
        ("payment", Autonomy.FREE, Autonomy.FREE, "200 of 200", None),
        ("payment", Autonomy.ASK_WHEN_RISKY, Autonomy.FREE, "200 of 200", AboveCeiling),
        ("payment", Autonomy.FREE, Autonomy.FREE, " ", ReasonMissing),
        ("read", Autonomy.FREE, Autonomy.SUGGEST, "why not", NeedsNoLevel),
    ],
)
def test_what_may_be_set(effect: str, ceiling: Autonomy, level: Autonomy, why: str, refused: type[Error] | None):
    granted = Granted(AgentName("desk"), "refund", effect, ceiling)
    if refused is None:
        rules.check_level(granted, level, why)
    else:
        with pytest.raises(refused):
            rules.check_level(granted, level, why)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (Evidence(), "nobody was asked in 90 days"),
        (Evidence(expired=3), "nobody was asked in 90 days"),
        (Evidence(approved=200), "approved 200 of 200 in 90 days"),
        (Evidence(approved=9, edited=2, denied=1), "approved 9 of 10 in 90 days, 2 of them edited"),
    ],
)
def test_evidence_in_words(evidence: Evidence, words: str):
    assert evidence.words == words
