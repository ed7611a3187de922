"""What fits in a switch, and what several come to."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.switches.records import (
    CLEAR,
    LEVELS,
    Action,
    InFlight,
    Scope,
    Standing,
    Subject,
    Switch,
    SwitchUnfit,
)
from quarterdeck.switches.rules import FITS, check_pin, holding, index, settle, standing
from quarterdeck.switches.wording import held_words, says, state_of
from tests.unit.switches.made import ACME, CALL, NOW, OTHER, QUESTION, STEP, subjects, switch, switches, wanted

PIN = {"provider": "openai", "id": "gpt-4.1-mini-2025-04-14"}
VALUES: dict[Action, Any] = {
    Action.CAP_STEPS: 5,
    Action.CAP_BUDGET: 0.25,
    Action.LOWER_AUTONOMY: "suggest",
    Action.SWITCH_MODEL: PIN,
}


def of(*thrown: Switch, subject: Subject = CALL) -> Standing:
    return standing(index(thrown), subject)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("scope", Scope)
def test_what_fits_is_taken_and_what_does_not_names_what_would(scope: Scope, action: Action):
    wish = wanted(scope, action, value=VALUES.get(action))
    if scope in FITS[action]:
        assert settle(wish, NOW) == wish
        return
    with pytest.raises(SwitchUnfit) as refused:
        settle(wish, NOW)
    fits = [str(one) for one in Action if scope in FITS[one]]
    assert refused.value.facts["fits"] == fits
    assert all(one in refused.value.detail for one in fits)


@pytest.mark.parametrize(
    ("scope", "action", "more", "place"),
    [
        (Scope.TOOL, Action.DISABLE, {"why": "  "}, "why"),
        (Scope.TOOL, Action.DISABLE, {"why": "x" * 1001}, "why"),
        (Scope.TOOL, Action.DISABLE, {"target": ""}, "target"),
        (Scope.TOOL, Action.DISABLE, {"target": "a\x00"}, "target"),
        (Scope.EVERYTHING, Action.DISABLE, {"target": "refund"}, "target"),
        (Scope.EVERYTHING, Action.DISABLE, {"tenant": ACME}, "target"),
        (Scope.AGENT, Action.DISABLE, {"agent": "desk"}, "agent"),
        (Scope.TENANT, Action.DISABLE, {"agent": "desk"}, "agent"),
        (Scope.AGENT, Action.DISABLE, {"tenant": None}, "tenant"),
        (Scope.TOOL, Action.DISABLE, {"until": NOW}, "until"),
        (Scope.TOOL, Action.DISABLE, {"value": 3}, "value"),
        (Scope.AGENT, Action.CAP_STEPS, {"value": -1}, "value"),
        (Scope.AGENT, Action.CAP_STEPS, {"value": True}, "value"),
        (Scope.AGENT, Action.CAP_STEPS, {"value": "5"}, "value"),
        (Scope.AGENT, Action.CAP_BUDGET, {"value": None}, "value"),
        (Scope.AGENT, Action.CAP_BUDGET, {"value": -0.01}, "value"),
        (Scope.AGENT, Action.CAP_BUDGET, {"value": True}, "value"),
        (Scope.AGENT, Action.CAP_BUDGET, {"value": "0.5"}, "value"),
        (Scope.AGENT, Action.CAP_BUDGET, {"value": float("nan")}, "value"),
        (Scope.AGENT, Action.CAP_BUDGET, {"value": 1_000_001}, "value"),
        (Scope.AGENT, Action.LOWER_AUTONOMY, {"value": "free"}, "value"),
        (Scope.AGENT, Action.LOWER_AUTONOMY, {"value": None}, "value"),
        (Scope.AGENT, Action.SWITCH_MODEL, {"value": "gpt-4"}, "value"),
        (Scope.AGENT, Action.SWITCH_MODEL, {"value": {"provider": "p", "id": "m", "temperature": 1}}, "value"),
        (Scope.AGENT, Action.FORCE_REVIEW, {"in_flight": InFlight.CANCEL}, "in_flight"),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused_at_its_place(
    scope: Scope, action: Action, more: dict[str, Any], place: str
):
    with pytest.raises(SwitchUnfit) as refused:
        settle(wanted(scope, action, **more), NOW)
    assert refused.value.facts["place"] == place


def test_a_tools_switch_without_a_tenant_hits_every_tenant():
    assert settle(wanted(tenant=None), NOW).tenant is None


@pytest.mark.parametrize(
    ("kind", "model", "words"),
    [
        ("openai", "gpt-4", "floating alias"),
        ("anthropic", "claude-3-opus", "claude-3-opus-20240229"),
        (None, "gpt-4-turbo-2024-04-09", "no provider connection"),
    ],
)
def test_a_model_that_is_no_exact_one_is_refused_with_exact_ones(kind: str | None, model: str, words: str):
    with pytest.raises(SwitchUnfit, match=words):
        check_pin({"provider": "p", "id": model}, kind)


def test_an_exact_model_passes():
    check_pin(PIN, "openai")


def test_nothing_thrown_leaves_everything_as_it_is():
    assert of() is CLEAR


@pytest.mark.parametrize(
    ("thrown", "expected"),
    [
        (switch(), {"denied": "tool refund is switched off"}),
        (switch(agent="desk"), {"denied": "tool refund for agent desk is switched off"}),
        (switch(tenant=None, deployment=True), {"denied": "tool refund is switched off"}),
        (switch(Scope.SERVER), {"denied": "server shop is switched off"}),
        (switch(Scope.AGENT), {"paused": "agent desk is switched off: because"}),
        (switch(Scope.TENANT), {"paused": "tenant acme is switched off: because"}),
        (switch(Scope.EVERYTHING), {"paused": "everything is switched off: because"}),
        (switch(Scope.SERVER, Action.READ_ONLY), {"read_only": True}),
        (switch(Scope.TOOL, Action.FORCE_REVIEW), {"force_review": True}),
        (switch(Scope.TOOL, Action.LOWER_AUTONOMY), {"max_autonomy": "ask_always"}),
        (switch(Scope.AGENT, Action.CAP_STEPS), {"max_steps": 5}),
        (switch(Scope.AGENT, Action.SWITCH_MODEL), {"model": ("p", "m-2")}),
        (
            switch(in_flight=InFlight.CANCEL),
            {"denied": "tool refund is switched off", "cancel": "tool refund is switched off"},
        ),
        (
            switch(Scope.AGENT, Action.READ_ONLY, in_flight=InFlight.CANCEL),
            {"read_only": True, "cancel_writes": "agent desk may only read"},
        ),
    ],
)
def test_one_switch_does_what_it_says_and_no_more(thrown: Switch, expected: dict[str, Any]):
    assert of(thrown) == Standing(**expected, switches=(str(thrown.id),))


@pytest.mark.parametrize(
    "thrown",
    [
        switch(target="look"),
        switch(agent="till"),
        switch(tenant=OTHER),
        switch(Scope.SERVER, target="mail"),
        switch(Scope.AGENT, target="till"),
        switch(Scope.TENANT, tenant=OTHER),
        switch(Scope.MODEL),
        switch(Scope.ROUTE),
    ],
)
def test_a_switch_for_something_else_is_nothing_to_this_call(thrown: Switch):
    assert of(thrown) == CLEAR


@pytest.mark.parametrize(("target", "hit"), [("m-1", True), ("p/m-1", True), ("q/m-1", False), ("m-2", False)])
def test_a_model_is_named_with_or_without_its_provider(target: str, hit: bool):
    found = of(switch(Scope.MODEL, target=target), subject=QUESTION)
    assert (found.denied is not None) == hit


def test_new_runs_are_paused_without_harm_to_those_that_run():
    assert of(switch(Scope.AGENT, Action.PAUSE_NEW), subject=STEP) == CLEAR


def test_background_runs_are_stopped_and_others_not():
    thrown = switch(Scope.AGENT, Action.STOP_BACKGROUND)
    assert of(thrown, subject=STEP) == CLEAR
    found = of(thrown, subject=replace(STEP, background=True))
    assert found.paused == "background runs of agent desk are stopped: because"
    assert found.switches == (str(thrown.id),)


def test_the_least_autonomy_and_the_fewest_steps_hold():
    found = of(
        switch(Scope.AGENT, Action.LOWER_AUTONOMY, value="ask_when_risky"),
        switch(Scope.TOOL, Action.LOWER_AUTONOMY, value="suggest"),
        switch(Scope.AGENT, Action.CAP_STEPS, value=9),
        switch(Scope.EVERYTHING, Action.CAP_STEPS, value=3),
    )
    assert (found.max_autonomy, found.max_steps) == ("suggest", 3)
    assert len(found.switches) == 4


def test_the_smallest_budget_of_a_run_holds_in_micro_usd():
    found = of(switch(Scope.AGENT, Action.CAP_BUDGET, value=0.1), switch(Scope.EVERYTHING, Action.CAP_BUDGET, value=2))
    assert found.max_run_micro_usd == 100_000
    assert of(switch(Scope.AGENT, Action.CAP_BUDGET, value=0)).max_run_micro_usd == 0
    assert CLEAR.max_run_micro_usd is None


def test_a_budget_is_said_in_dollars():
    assert says(switch(Scope.AGENT, Action.CAP_BUDGET, value=0.5)) == "runs of agent desk spend at most $0.5000 each"


def test_the_words_for_a_model_do_not_hold_the_operators_reason():
    found = of(switch(why="we suspect customer 4711"))
    assert found.denied is not None
    assert "4711" not in found.denied


def test_a_model_that_another_is_switched_to_may_be_off_itself():
    found = of(
        switch(Scope.AGENT, Action.SWITCH_MODEL), switch(Scope.MODEL, Action.DISABLE, target="m-2"), subject=QUESTION
    )
    assert found.model == ("p", "m-2")
    assert found.denied == "model m-2 is switched off"


def test_switching_a_model_does_not_open_what_was_off():
    off = switch(Scope.MODEL)
    found = of(off, switch(Scope.MODEL, Action.SWITCH_MODEL), subject=QUESTION)
    assert found.denied == "model m-1 is switched off"


def test_of_several_models_the_deployments_goes_first_then_the_nearest_then_the_latest():
    def pin(scope: Scope, model: str, **more: Any) -> Switch:
        return switch(scope, Action.SWITCH_MODEL, value={"provider": "p", "id": model}, **more)

    agent, model = pin(Scope.AGENT, "a"), pin(Scope.MODEL, "m")
    later = pin(Scope.MODEL, "l", thrown_at=NOW + timedelta(seconds=1))
    deployment = pin(Scope.TENANT, "d", deployment=True)
    assert of(agent, model, subject=QUESTION).model == ("p", "m")
    assert of(later, agent, model, subject=QUESTION).model == ("p", "l")
    assert of(later, agent, deployment, model, subject=QUESTION).model == ("p", "d")


def test_calls_under_way_are_cancelled_only_where_that_was_chosen():
    assert of(switch()).interrupts(reads=True) is None
    assert of(switch(in_flight=InFlight.CANCEL)).interrupts(reads=True) == "tool refund is switched off"
    reading = of(switch(Scope.AGENT, Action.READ_ONLY, in_flight=InFlight.CANCEL))
    assert reading.interrupts(reads=True) is None
    assert reading.interrupts(reads=False) == "agent desk may only read"


def as_narrow(one: Standing, other: Standing) -> bool:
    """Whether `one` allows nothing that `other` forbids."""

    def level(found: Standing) -> int:
        return len(LEVELS) if found.max_autonomy is None else LEVELS.index(found.max_autonomy)

    def steps(found: Standing) -> float:
        return float("inf") if found.max_steps is None else found.max_steps

    def money(found: Standing) -> float:
        return float("inf") if found.max_run_micro_usd is None else found.max_run_micro_usd

    return (
        (one.denied is not None) >= (other.denied is not None)
        and (one.paused is not None) >= (other.paused is not None)
        and one.read_only >= other.read_only
        and one.force_review >= other.force_review
        and level(one) <= level(other)
        and steps(one) <= steps(other)
        and money(one) <= money(other)
        and (one.model is not None) >= (other.model is not None)
        and (one.cancel is not None) >= (other.cancel is not None)
        and (one.cancel_writes is not None) >= (other.cancel_writes is not None)
    )


@given(st.lists(switches(), max_size=6), switches(), subjects)
def test_adding_a_switch_never_widens(thrown: list[Switch], added: Switch, subject: Subject):
    assert as_narrow(of(*thrown, added, subject=subject), of(*thrown, subject=subject))


def test_a_second_model_does_not_open_what_the_first_one_ran_into():
    closed = [switch(Scope.AGENT, Action.SWITCH_MODEL), switch(Scope.MODEL, target="m-2")]
    other = switch(Scope.MODEL, Action.SWITCH_MODEL, value={"provider": "p", "id": "m-3"})
    found = of(*closed, other, subject=QUESTION)
    assert (found.model, found.denied) == (("p", "m-3"), "model m-2 is switched off")


@given(st.lists(switches(), max_size=6), subjects)
def test_the_order_of_throwing_does_not_change_what_is_allowed(thrown: list[Switch], subject: Subject):
    one, other = of(*thrown, subject=subject), of(*reversed(thrown), subject=subject)
    assert as_narrow(one, other)
    assert as_narrow(other, one)
    assert (one.model, one.switches) == (other.model, other.switches)


@given(st.lists(switches(), max_size=6), subjects)
def test_only_switches_that_stand_in_the_answer_have_a_say(thrown: list[Switch], subject: Subject):
    found = of(*thrown, subject=subject)
    rest = [one for one in thrown if str(one.id) in found.switches]
    assert of(*rest, subject=subject) == found


@pytest.mark.parametrize(
    ("action", "fresh", "background", "held"),
    [
        (Action.DISABLE, False, False, True),
        (Action.PAUSE_NEW, True, False, True),
        (Action.PAUSE_NEW, False, True, False),
        (Action.STOP_BACKGROUND, False, True, True),
        (Action.STOP_BACKGROUND, True, False, False),
        (Action.READ_ONLY, True, True, False),
        (Action.CAP_STEPS, True, True, False),
    ],
)
@pytest.mark.parametrize("scope", [Scope.AGENT, Scope.TENANT, Scope.EVERYTHING])
def test_a_queued_run_is_held_by_what_would_pause_it(
    scope: Scope, action: Action, fresh: bool, background: bool, held: bool
):
    one = switch(scope, action)
    found = holding(index([one]), ACME, "desk", fresh=fresh, background=background)
    assert found == (one if held else None)


def test_no_queued_run_is_held_by_a_tools_switch():
    assert holding(index([switch()]), ACME, "desk", fresh=True, background=True) is None


def test_a_held_run_says_by_what_and_why():
    one = switch(Scope.TENANT, Action.PAUSE_NEW)
    assert held_words(one) == f"held by switch {one.id}: new runs of tenant acme are paused: because"


@pytest.mark.parametrize("action", Action)
def test_every_switch_can_be_said_in_words(action: Action):
    for scope in FITS[action]:
        assert "because" not in says(switch(scope, action))


def test_a_switch_stands_until_its_time_or_until_it_is_lifted():
    hour = timedelta(hours=1)
    assert state_of(switch(), NOW) == "standing"
    assert state_of(switch(until=NOW + hour), NOW) == "standing"
    assert state_of(switch(until=NOW), NOW) == "expired"
    assert state_of(switch(until=NOW, lifted_at=NOW, lifted_by="clock"), NOW + hour) == "expired"
    assert state_of(switch(lifted_at=NOW, lifted_by="key:k"), NOW) == "lifted"
