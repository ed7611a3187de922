"""What a switch is said to hit before it is thrown."""

from typing import Any

import pytest

from quarterdeck.switches.reach import MOST_NAMES, reach
from quarterdeck.switches.records import Action, CallsUnderWay, Granted, LiveRuns, Reach, Scope
from tests.unit.switches.made import ACME, OTHER, wanted

GRANTED = [
    Granted(ACME, "acme", "desk", "r1", "p", "m-1", {"refund": "shop", "look": "shop", "mail": "post"}),
    Granted(ACME, "acme", "till", "r2", "p", "m-2", {"look": "shop"}, {"quick": ("p", "m-3")}),
    Granted(OTHER, "other", "desk", "r1", "q", "m-1", {"refund": "shop"}),
]


def runs(tenant: Any, agent: str, release: str, state: str, count: int, **more: bool) -> LiveRuns:
    background, fresh = more.get("background", False), more.get("fresh", False)
    return LiveRuns(tenant, agent, release, state, background, fresh, count)


RUNS = [
    runs(ACME, "desk", "r1", "running", 3),
    runs(ACME, "desk", "r1", "queued", 5, fresh=True),
    runs(ACME, "desk", "r1", "queued", 1, background=True),
    runs(ACME, "till", "r2", "waiting", 2),
    runs(OTHER, "desk", "r1", "running", 10),
]
CALLS = [
    CallsUnderWay(ACME, "desk", "r1", "refund", 2),
    CallsUnderWay(ACME, "desk", "r1", "mail", 1),
    CallsUnderWay(ACME, "desk", "r1", "", 4),
    CallsUnderWay(OTHER, "desk", "r1", "refund", 7),
]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (wanted(), Reach(("desk",), ("refund",), 3, 6, 0, 2)),
        (wanted(tenant=None), Reach(("acme/desk", "other/desk"), ("refund",), 13, 6, 0, 9)),
        (wanted(target="look", agent="till"), Reach(("till",), ("look",), 0, 0, 2, 0)),
        (wanted(Scope.SERVER, target="shop"), Reach(("desk", "till"), ("look", "refund"), 3, 6, 2, 2)),
        (wanted(Scope.MODEL, target="m-1"), Reach(("desk",), (), 3, 6, 0, 4)),
        (wanted(Scope.MODEL, target="q/m-1", tenant=None), Reach(("desk",), (), 10, 0, 0, 0)),
        (wanted(Scope.AGENT), Reach(("desk",), ("look", "mail", "refund"), 3, 6, 0, 7)),
        (wanted(Scope.AGENT, Action.PAUSE_NEW), Reach(("desk",), ("look", "mail", "refund"), 0, 5, 0, 0)),
        (wanted(Scope.AGENT, Action.STOP_BACKGROUND), Reach(("desk",), ("look", "mail", "refund"), 0, 1, 0, 0)),
        (wanted(Scope.TENANT), Reach(("desk", "till"), ("look", "mail", "refund"), 3, 6, 2, 7)),
        (
            wanted(Scope.EVERYTHING),
            Reach(("acme/desk", "acme/till", "other/desk"), ("look", "mail", "refund"), 13, 6, 2, 14),
        ),
        (wanted(target="refnud"), Reach((), (), 0, 0, 0, 0)),
        (wanted(Scope.ROUTE), Reach((), (), 0, 0, 0, 0)),
        (wanted(Scope.ROUTE, target="quick"), Reach(("till",), (), 0, 0, 2, 0)),
        (wanted(Scope.ROUTE, target="main"), Reach(("desk", "till"), (), 3, 6, 2, 4)),
        (wanted(Scope.MODEL, target="m-3"), Reach(("till",), (), 0, 0, 2, 0)),
        (wanted(Scope.MODEL, target="p/m-3"), Reach(("till",), (), 0, 0, 2, 0)),
    ],
)
def test_a_preview_counts_what_would_be_hit(wish: Any, expected: Reach):
    assert reach(wish, GRANTED, RUNS, CALLS) == expected


def test_names_are_capped_and_counts_are_not():
    many = [Granted(ACME, "acme", f"agent-{n}", f"r{n}", "p", "m", {}) for n in range(MOST_NAMES + 50)]
    busy = [runs(ACME, one.agent, one.release, "running", 1) for one in many]
    found = reach(wanted(Scope.TENANT), many, busy, [])
    assert (len(found.agents), found.running_runs) == (MOST_NAMES, MOST_NAMES + 50)
