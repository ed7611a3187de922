"""The base policy by itself: four levels of autonomy over seven effects."""

import pytest

from quarterdeck.policies.base import base
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.validation import validate
from tests.unit.policies.granting import granted, request

DANGEROUS = ("external_message", "payment", "deletion", "access_change", "production_change")

# (level, effect, marks destinations, clean destinations, tainted run) -> verdict
TABLE = [
    *[(level, "read", False, True, True, "allow") for level in ("suggest", "ask_always", "ask_when_risky", "free")],
    ("suggest", "write", True, True, False, "deny"),
    *[("suggest", effect, True, True, False, "deny") for effect in DANGEROUS],
    ("ask_always", "write", True, True, False, "ask"),
    *[("ask_always", effect, True, True, False, "ask") for effect in DANGEROUS],
    ("ask_when_risky", "write", True, True, False, "allow"),
    ("ask_when_risky", "write", True, True, True, "allow"),
    ("ask_when_risky", "write", True, False, False, "ask"),
    ("ask_when_risky", "write", False, True, False, "allow"),
    ("ask_when_risky", "write", False, True, True, "ask"),
    *[("ask_when_risky", effect, True, True, False, "ask") for effect in DANGEROUS],
    ("free", "write", True, True, True, "allow"),
    ("free", "write", True, False, True, "ask"),
    ("free", "write", False, True, True, "allow"),
    *[("free", effect, True, True, True, "allow") for effect in DANGEROUS],
    *[("free", effect, True, False, True, "ask") for effect in DANGEROUS],
    *[("free", effect, False, True, True, "ask") for effect in DANGEROUS],
    *[("free", effect, False, True, False, "allow") for effect in DANGEROUS],
    ("ask_when_risky", "read", True, False, True, "ask"),
    ("", "write", True, True, False, "deny"),
    ("FREE", "read", True, True, False, "deny"),
]


@pytest.mark.parametrize(("level", "effect", "marked", "clean", "tainted", "verdict"), TABLE)
def test_what_each_level_lets_an_agent_do(
    level: str, effect: str, marked: bool, clean: bool, tainted: bool, verdict: str
):
    release = granted(effect=effect, destinations=("to",) if marked else ())
    asked = request(effect=effect, autonomy=level, clean=clean, tainted=tainted)
    answer = PolicySet.of(release).judge(asked)
    assert (answer.verdict, answer.errors) == (verdict, ())
    assert all(one.startswith("base.cedar/") for one in answer.policies)
    assert bool(answer.reason) == (verdict != "allow")


@pytest.mark.parametrize("effect", ["write", *DANGEROUS])
@pytest.mark.parametrize("level", ["ask_always", "ask_when_risky", "free"])
def test_a_yes_lifts_every_question_of_the_base_policy(level: str, effect: str):
    policies = PolicySet.of(granted(effect=effect, destinations=()))
    assert (
        policies.judge(request(effect=effect, autonomy=level, clean=False, tainted=True, approved=True)).verdict
        == "allow"
    )


def test_a_yes_does_not_lift_suggest():
    policies = PolicySet.of(granted(effect="payment"))
    assert policies.judge(request(effect="payment", autonomy="suggest", approved=True)).verdict == "deny"


def test_the_effect_is_that_of_the_grant_whatever_the_request_says():
    policies = PolicySet.of(granted(effect="payment"))
    assert policies.judge(request(effect="read")).verdict == "ask"


def test_the_base_policy_fits_every_schema():
    assert validate(granted(), [base()]) == ()
    assert validate(granted(parameters={"type": "object"}), [base()]) == ()
