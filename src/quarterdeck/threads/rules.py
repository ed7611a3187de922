"""What happens to a message that comes while an earlier one is still being answered. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from quarterdeck.core.ids import AgentName, RunId, UserId
from quarterdeck.http.records import Actor
from quarterdeck.runs.records import Status, Strategy
from quarterdeck.threads.records import OpenRun, OtherAgent, OtherUser, Thread, ThreadBusy


@dataclass(frozen=True, slots=True)
class Entrance:
    """The place of a new run in its thread, and the runs that are cancelled for it, the latest first."""

    position: int
    cancel: tuple[RunId, ...] = ()


def sees(actor: Actor, thread: Thread) -> bool:
    """Whether an actor may see a thread: every one in its tenant for those who read all, else what is its own."""
    if not actor.may_use(thread.agent):
        return False
    if actor.reads_all:
        return True
    return thread.user_id == actor.user_id if actor.for_one_user else thread.created_by == actor.subject


def check_belongs(thread: Thread, agent: AgentName, user_id: UserId) -> None:
    """Let a run into a thread of its own agent and user. Raises OtherAgent or OtherUser.

    A conversation is shown to the model as it stands: another user's would tell what was said to somebody else.
    """
    if agent != thread.agent:
        raise OtherAgent(thread_id=str(thread.id), thread_agent=thread.agent, agent=agent)
    if user_id != thread.user_id:
        raise OtherUser(thread_id=str(thread.id), user_id=user_id)


def judge_entrance(thread: Thread, open_runs: Sequence[OpenRun], strategy: Strategy) -> Entrance:
    """Where a new run goes, given the runs of its thread that have not ended. Raises ThreadBusy."""
    position = thread.run_count + 1
    if strategy is Strategy.REJECT and open_runs:
        first = min(open_runs, key=lambda run: run.position)
        raise ThreadBusy(thread_id=str(thread.id), run_id=str(first.id), run_status=first.status)
    if strategy is not Strategy.INTERRUPT:
        return Entrance(position)
    # The latest first, so that none of those that wait begins because the one before it has just ended.
    latest_first = sorted(open_runs, key=lambda run: run.position, reverse=True)
    return Entrance(position, tuple(run.id for run in latest_first if run.status is not Status.CANCELLING))
