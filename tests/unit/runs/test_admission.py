"""Who goes next: shares by tenant, then by user, within every limit."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.runs.admission import Candidate, Limits, Use, choose

NOW = frozenset({1})


def waiting(
    tenant: int, number: int, *, agent: str = "a", user: str = "u", priority: int = 0, **more: int
) -> Candidate:
    return Candidate(UUID(int=tenant), UUID(int=tenant * 1000 + number), agent, user, priority, 1, more.get("own"))


def tenants(chosen: list[Candidate]) -> list[int]:
    return [one.tenant.int for one in chosen]


def test_tenants_take_turns_however_long_their_queues_are():
    queue = [waiting(1, n) for n in range(10)] + [waiting(2, n) for n in range(2)]
    assert tenants(choose(queue, Use(), Limits(), 5, NOW)) == [1, 2, 1, 2, 1]


def test_who_has_least_running_goes_first():
    use = Use()
    use.add(UUID(int=1), "a", "u", 3)
    queue = [waiting(1, n) for n in range(5)] + [waiting(2, n) for n in range(5)]
    assert tenants(choose(queue, use, Limits(), 8, NOW)) == [2, 2, 2, 1, 2]


def test_within_a_tenant_users_take_turns():
    queue = [waiting(1, n, user="ann") for n in range(5)] + [waiting(1, 9, user="bob")]
    assert [one.user_id for one in choose(queue, Use(), Limits(), 3, NOW)] == ["ann", "bob", "ann"]


def test_priority_goes_before_the_share_of_users():
    queue = [waiting(1, 1, user="ann", priority=5), waiting(1, 2, user="ann", priority=5), waiting(1, 3, user="bob")]
    assert [one.user_id for one in choose(queue, Use(), Limits(), 2, NOW)] == ["ann", "ann"]


def test_a_user_at_the_limit_does_not_hold_up_the_others():
    queue = [waiting(1, n, user="ann", priority=9) for n in range(3)] + [waiting(1, 9, user="bob")]
    chosen = choose(queue, Use(), Limits(user=1), 10, NOW)
    assert [one.user_id for one in chosen] == ["ann", "bob"]


def test_what_no_worker_understands_is_passed_over():
    assert choose([waiting(1, 1)], Use(), Limits(), 5, frozenset({2})) == []


def test_no_places_no_deliveries():
    assert choose([waiting(1, 1)], Use(), Limits(), 0, NOW) == []


candidates = st.lists(
    st.builds(
        waiting,
        st.integers(1, 4),
        st.integers(0, 200),
        agent=st.sampled_from("ab"),
        user=st.sampled_from("xyz"),
        priority=st.integers(-2, 2),
        own=st.sampled_from([None, 1, 3]),
    ),
    max_size=40,
    unique_by=lambda one: one.id,
)
small = st.integers(0, 5)


@given(candidates, small, small, small, small, st.integers(0, 12))
def test_no_limit_is_ever_exceeded_and_nothing_is_left_that_fits(
    queue: list[Candidate], everywhere: int, tenant: int, user: int, agent: int, places: int
):
    # A tenant's own limit is one for all its runs.
    own = {one.tenant: one.max_running for one in queue}
    queue = [Candidate(*_with_own(one, own[one.tenant])) for one in queue]
    limits, use = Limits(everywhere, tenant, user, agent), Use()
    chosen = choose(queue, use, limits, places, NOW)
    assert len({one.id for one in chosen}) == len(chosen) == use.total
    assert len(chosen) <= places
    assert not everywhere or len(chosen) <= everywhere
    for at, count in Counter(one.tenant for one in chosen).items():
        most = own[at] or tenant
        assert not most or count <= most
    assert not user or max(Counter((one.tenant, one.user_id) for one in chosen).values(), default=0) <= user
    assert not agent or max(Counter((one.tenant, one.agent) for one in chosen).values(), default=0) <= agent
    left = [one for one in queue if one not in chosen]
    if len(chosen) < min(places, everywhere or places):
        assert choose(left, use, limits, places, NOW) == []


def _with_own(one: Candidate, own: int | None) -> tuple[UUID, UUID, str, str, int, int, int | None]:
    return one.tenant, one.id, one.agent, one.user_id, one.priority, one.behaviour, own
