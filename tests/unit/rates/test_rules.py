"""What a call counts against: its release's rates and its tenant's limits, the lower of those that count the same."""

import pytest

from quarterdeck.rates.records import BadRate, Limit, Scope, Subject
from quarterdeck.rates.rules import Limits, place_wants, rate_wants, settle
from quarterdeck.releases.records import ToolRate

ANN = Subject("refund", "desk", "ann", "run-1")


def limit(scope: Scope, target: str = "*", calls: int | None = 5, every: int | None = 60, **more) -> Limit:
    return Limit(f"{scope}-limit", scope, target, calls, every, more.get("concurrency"))


def test_a_release_counts_for_each_run_user_agent_or_the_tenant():
    rates = [ToolRate(1, 60, "run"), ToolRate(2, 60, "user"), ToolRate(3, 60, "agent"), ToolRate(4, 60)]
    wants = rate_wants(ANN, rates, Limits())
    assert [want.key for want in wants] == [
        '["tool","refund","run","run-1",60]',
        '["tool","refund","user","ann",60]',
        '["tool","refund","agent","desk",60]',
        '["tool","refund",60]',
    ]
    assert [want.words for want in wants] == [
        "at most 1 call a minute of `refund` for each run",
        "at most 2 calls a minute of `refund` for each user",
        "at most 3 calls a minute of `refund` for each agent",
        "at most 4 calls a minute of `refund`",
    ]


@pytest.mark.parametrize(("of_release", "of_tenant", "holds"), [(10, 3, 3), (3, 10, 3)])
def test_where_release_and_tenant_count_the_same_the_lower_holds(of_release: int, of_tenant: int, holds: int):
    limits = Limits([limit(Scope.TOOL, "refund", of_tenant)])
    wants = rate_wants(ANN, [ToolRate(of_release, 60)], limits)
    assert [want.calls for want in wants] == [holds]


def test_a_tenants_limit_never_takes_a_releases_away():
    limits = Limits([limit(Scope.USER, calls=100), limit(Scope.TENANT, calls=1000, every=3600)])
    wants = rate_wants(ANN, [ToolRate(2, 60, "user")], limits)
    assert {want.key: want.calls for want in wants} == {
        '["tool","refund","user","ann",60]': 2,
        '["user","ann",60]': 100,
        '["tenant","*",3600]': 1000,
    }


def test_a_star_holds_for_each_by_itself_and_a_name_for_that_one_only():
    limits = Limits([limit(Scope.USER, "bob"), limit(Scope.TOOL), limit(Scope.AGENT, "desk")])
    assert [want.key for want in rate_wants(ANN, [], limits)] == ['["tool","refund",60]', '["agent","desk",60]']


def test_places_are_wanted_under_the_lowest_number_at_once():
    limits = Limits([limit(Scope.TOOL, "refund", None, None, concurrency=2), limit(Scope.USER, concurrency=1)])
    assert [(want.key, want.most) for want in place_wants(ANN, 7, limits)] == [
        ('["tool","refund"]', 2),
        ('["user","ann"]', 1),
    ]
    assert place_wants(ANN, 0, Limits()) == ()


def test_no_two_things_share_a_count_whatever_their_names_are():
    tricky = Subject('refund","user', "desk", "ann", "run-1")
    plain = Subject("refund", "desk", 'ann","60', "run-1")
    wants = [rate_wants(who, [ToolRate(1, 60, "user")], Limits())[0].key for who in (tricky, plain, ANN)]
    assert len(set(wants)) == 3


@pytest.mark.parametrize(
    "bad",
    [
        Limit("Bad Name", Scope.TOOL, "*", 1, 60, None),
        Limit("a", Scope.TOOL, "", 1, 60, None),
        Limit("a", Scope.TOOL, "x\x00", 1, 60, None),
        Limit("a", Scope.TENANT, "acme", 1, 60, None),
        Limit("a", Scope.TOOL, "*", 1, None, None),
        Limit("a", Scope.TOOL, "*", None, 60, 3),
        Limit("a", Scope.TOOL, "*", None, None, None),
        Limit("a", Scope.TOOL, "*", 1, 32 * 86_400, None),
    ],
)
def test_a_limit_that_can_not_hold_is_refused(bad: Limit):
    with pytest.raises(BadRate):
        settle(bad)
