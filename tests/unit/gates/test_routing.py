"""Which model takes a step, by tables, and what holds whatever the routes are."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.gates.routing import MAIN, Choice, choose, route_of
from quarterdeck.releases.records import Limits, ModelPin, Release, Route

BARE = Release(
    tenant=TenantId(UUID(int=1)),
    id=ReleaseId("0" * 64),
    agent=AgentName("desk"),
    owner="team",
    description="",
    prompt="Help.",
    variables={},
    model=ModelPin("openai", "big-2026-01-01"),
    servers=(),
    tools=(),
    limits=Limits(),
    output_schema=None,
    behaviour=3,
    files={},
    label=None,
    registered_by="a",
    registered_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def route(name: str, **conditions: object) -> Route:
    return Route(name, ModelPin("openai", f"{name}-2026-01-01"), **conditions)  # pyright: ignore[reportArgumentType]


FAQ = route("faq", tasks=("faq", "delivery"))
SHORT = route("short", input_under=2000, first_steps=2, without_tools=True)
SUMS = route("sums", purposes=("summary", "judge"))
BACKUP = route("backup")
SPARE = route("spare")
ROUTED = replace(BARE, routes=(FAQ, SHORT, SUMS, BACKUP, SPARE), fallbacks=("backup", "spare"), cheaper="sums")


def asked(
    release: Release = ROUTED,
    *,
    purpose: str = "",
    step: int = 1,
    task: str = "",
    tokens: int = 5000,
    tools: bool = True,
    degree: str = "",
    closed: Mapping[str, str] | None = None,
) -> Choice:
    shut = closed or {}
    return choose(
        release, purpose, step, task, tokens, has_tools=tools, closed=lambda one: shut.get(one.name), degree=degree
    )


TAKES = {
    # what is asked; which route takes it; why
    "nothing fits": ({}, "main", "the release's own model"),
    "the task": ({"task": "faq"}, "faq", "`faq` takes task `faq`"),
    "its other task": ({"task": "delivery", "step": 9}, "faq", "`faq` takes task `delivery`"),
    "the closing answer belongs to the conversation": (
        {"task": "faq", "purpose": "closing"},
        "faq",
        "`faq` takes task `faq`",
    ),
    "a summary does not": (
        {"task": "faq", "purpose": "summary"},
        "sums",
        "`sums` takes what is asked as summary",
    ),
    "all conditions": (
        {"tokens": 1999, "step": 2, "tools": False},
        "short",
        "`short` takes fewer than 2,000 input tokens and the first 2 steps and what needs no tools",
    ),
    "too long": ({"tokens": 2000, "tools": False}, "main", "the release's own model"),
    "too late": ({"tokens": 100, "step": 3, "tools": False}, "main", "the release's own model"),
    "with tools": ({"tokens": 100}, "main", "the release's own model"),
    "the first that fits": ({"task": "faq", "tokens": 1, "tools": False}, "faq", "`faq` takes task `faq`"),
    "money gets short": (
        {"task": "faq", "degree": "cheaper"},
        "sums",
        "`sums` saves money, which gets short (cheaper)",
    ),
    "and shorter": ({"degree": "no_tools"}, "sums", "`sums` saves money, which gets short (no_tools)"),
    "main is shut": (
        {"closed": {"main": "its circuit is open"}},
        "backup",
        "`main` can't be asked (its circuit is open): falls back to `backup`",
    ),
    "so is the first fallback": (
        {"closed": {"main": "off", "backup": "off"}},
        "spare",
        "`main` can't be asked (off): falls back to `spare`",
    ),
    "a route is shut": (
        {"task": "faq", "closed": {"faq": "off"}},
        "main",
        "`faq` can't be asked (off): the release's own model",
    ),
    "the cheaper one is shut": (
        {"task": "faq", "degree": "cheaper", "closed": {"sums": "off"}},
        "faq",
        "`sums` can't be asked (off): `faq` takes task `faq`",
    ),
}


@pytest.mark.parametrize(("what", "name", "why"), TAKES.values(), ids=TAKES.keys())
def test_each_step_is_taken_by_the_right_model_and_the_log_says_why(what: dict, name: str, why: str):
    choice = asked(**what)
    found = route_of(ROUTED, name)
    assert found is not None
    assert (choice.route, choice.pin, choice.why, choice.closed) == (name, found.pin, why, None)


def test_where_nothing_can_be_asked_the_wanted_one_is_named_with_all_that_was_tried():
    shut: dict[str, str] = dict.fromkeys(("main", "backup", "spare", "faq"), "off")
    choice = asked(task="faq", closed=shut)
    assert choice.route == "faq"
    assert choice.closed == "`faq` can't be asked (off), nor any of `main`, `backup`, `spare`"


def test_a_route_that_is_not_listed_never_stands_in():
    listed = replace(ROUTED, fallbacks=())
    choice = asked(listed, closed={"main": "off"})
    assert (choice.route, choice.closed) == (MAIN, "`main` can't be asked (off)")


def test_a_release_without_routes_asks_its_own_model_whatever_is_asked():
    assert asked(BARE, task="faq", degree="closing") == Choice(MAIN, BARE.model, "the release's own model")


NAMES = ("a", "b", "c", "d")
conditions = st.fixed_dictionaries(
    {},
    optional={
        "tasks": st.sampled_from([("faq",), ("faq", "x")]),
        "purposes": st.sampled_from([("step",), ("summary", "closing")]),
        "input_under": st.integers(1, 3000),
        "first_steps": st.integers(1, 5),
        "without_tools": st.booleans(),
    },
)
releases = st.builds(
    lambda made, fallbacks, cheaper: replace(
        BARE,
        routes=tuple(route(name, **one) for name, one in zip(NAMES, made, strict=False)),
        fallbacks=tuple(name for name in fallbacks if name in NAMES[: len(made)]),
        cheaper=cheaper if cheaper in NAMES[: len(made)] else None,
    ),
    st.lists(conditions, max_size=4),
    st.permutations(NAMES).map(lambda names: names[:2]),
    st.sampled_from([None, *NAMES]),
)
questions = st.fixed_dictionaries(
    {
        "purpose": st.sampled_from(["", "closing", "summary", "judge"]),
        "step": st.integers(1, 8),
        "task": st.sampled_from(["", "faq", "x"]),
        "tokens": st.integers(0, 4000),
        "tools": st.booleans(),
        "degree": st.sampled_from(["", "cheaper", "closing"]),
    }
)
shutters = st.dictionaries(st.sampled_from([MAIN, *NAMES]), st.just("off"))


@given(releases, questions, shutters)
def test_only_models_of_the_release_are_asked_and_none_that_is_shut_while_another_may_stand_in(
    release: Release, question: dict, shut: dict[str, str]
):
    choice = asked(release, **question, closed=shut)
    found = route_of(release, choice.route)
    assert found is not None
    assert choice.pin == found.pin
    assert choice == asked(release, **question, closed=shut)
    if choice.closed is None:
        assert choice.route not in shut
    else:
        # Whatever might have stood in is shut as well.
        assert {choice.route, MAIN, *release.fallbacks} <= set(shut)


@given(releases, questions, shutters)
def test_who_takes_over_is_the_saver_who_fits_the_own_model_or_listed(
    release: Release, question: dict, shut: dict[str, str]
):
    wanted = asked(release, **question)
    calm = asked(release, **{**question, "degree": ""})
    taken = asked(release, **question, closed=shut)
    assert taken.route in {wanted.route, calm.route, MAIN, *release.fallbacks}
    if wanted.route not in shut:
        assert taken == wanted
