"""What happens to a message that comes while an earlier one is still being answered."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from quarterdeck.core.ids import AgentName, RunId, TenantId, ThreadId, UserId
from quarterdeck.runs.records import Status, Strategy
from quarterdeck.threads.records import OpenRun, OtherAgent, OtherUser, Thread, ThreadBusy
from quarterdeck.threads.rules import Entrance, check_belongs, judge_entrance

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = ThreadId(UUID(int=1))
THREAD = Thread(
    TenantId(UUID(int=2)), ID, AgentName("desk"), UserId("ann"), "", {}, run_count=4, created_by="", created_at=NOW,
    updated_at=NOW,
)  # fmt: skip


def open_run(position: int, status: Status) -> OpenRun:
    return OpenRun(ID, RunId(UUID(int=position)), position, status)


RUNNING, QUEUED = open_run(3, Status.RUNNING), open_run(4, Status.QUEUED)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_an_idle_thread_takes_the_next_run_whatever_the_strategy(strategy: Strategy):
    assert judge_entrance(THREAD, [], strategy) == Entrance(5)


def test_a_busy_thread_rejects_and_names_the_run_that_is_in_the_way():
    with pytest.raises(ThreadBusy) as busy:
        judge_entrance(THREAD, [QUEUED, RUNNING], Strategy.REJECT)
    assert busy.value.facts["run_id"] == str(RUNNING.id)
    assert busy.value.facts["run_status"] == "running"


def test_an_enqueued_run_goes_behind_the_others():
    assert judge_entrance(THREAD, [RUNNING, QUEUED], Strategy.ENQUEUE) == Entrance(5)


def test_an_interrupting_run_cancels_the_others_the_latest_first():
    assert judge_entrance(THREAD, [RUNNING, QUEUED], Strategy.INTERRUPT) == Entrance(5, (QUEUED.id, RUNNING.id))


def test_what_is_being_cancelled_is_not_cancelled_again():
    cancelling = open_run(3, Status.CANCELLING)
    assert judge_entrance(THREAD, [cancelling, QUEUED], Strategy.INTERRUPT) == Entrance(5, (QUEUED.id,))


def test_a_thread_takes_runs_of_its_own_agent_and_user_only():
    check_belongs(THREAD, AgentName("desk"), UserId("ann"))
    with pytest.raises(OtherAgent):
        check_belongs(THREAD, AgentName("other"), UserId("ann"))
    with pytest.raises(OtherUser):
        check_belongs(THREAD, AgentName("desk"), UserId("bob"))
