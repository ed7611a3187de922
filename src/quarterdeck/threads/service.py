"""The verbs of threads. Runs enter a thread one after the other: its row is locked while one does."""

from collections.abc import Sequence

from quarterdeck.core.ids import TenantId, ThreadId
from quarterdeck.db.records import Tx
from quarterdeck.http.records import Actor
from quarterdeck.runs import log
from quarterdeck.runs.entries import opened
from quarterdeck.runs.messages import Message
from quarterdeck.runs.records import Run, Strategy, Submission
from quarterdeck.runs.rules import title
from quarterdeck.runs.service import Runs
from quarterdeck.runs.turns import Turn, turns
from quarterdeck.threads import rules, store
from quarterdeck.threads.records import NoSuchThread, Thread


class Threads:
    """The threads of all tenants. Every verb works in the caller's transaction, which has to be the tenant's."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def start(self, tx: Tx, thread: Thread) -> Thread:
        """Start a conversation."""
        return await store.add(tx, thread)

    async def find(self, tx: Tx, tenant: TenantId, thread: ThreadId) -> Thread:
        """One thread. Raises NoSuchThread, also for another tenant's."""
        found = await store.get(tx, tenant, thread)
        if found is None:
            raise NoSuchThread
        return found

    async def submit(
        self, tx: Tx, submission: Submission, messages: Sequence[Message], strategy: Strategy, actor: Actor
    ) -> tuple[Run, bool]:
        """Admit a run into its thread. True where it is new: the same dedup key gives the run that it made before.

        With `reject` it raises ThreadBusy while an earlier run has not ended; with `enqueue` the run waits for those
        before it; with `interrupt` they are cancelled, and it waits until what they had in flight is accounted for.
        Raises NoSuchThread, also for one that the actor may not see, OtherAgent, OtherUser, and what submitting a run
        raises.
        """
        assert submission.thread is not None, "only runs of threads come here"
        thread = await store.hold(tx, submission.tenant, submission.thread)
        if thread is None or not rules.sees(actor, thread):
            raise NoSuchThread
        # Before it is judged: a repeated request must not be refused because of the run that it made itself.
        before = await self._runs.repeated(tx, submission)
        if before is not None:
            return before, False
        rules.check_belongs(thread, submission.agent, submission.user_id)
        open_runs = await store.open_runs(tx, submission.tenant, [thread.id])
        entrance = rules.judge_entrance(thread, open_runs, strategy)
        for run in entrance.cancel:
            await self._runs.cancel(
                submission.tenant, run, submission.submitted_by, "a newer message took its place", tx=tx
            )
        await store.enter(tx, submission.tenant, thread.id, entrance.position, title(messages))
        return await self._runs.submit(submission, messages, position=entrance.position, tx=tx)

    async def conversation(
        self, tx: Tx, tenant: TenantId, thread: ThreadId, after: int, runs: int
    ) -> list[tuple[Run, list[Turn]]]:
        """What was said, run by run from a position on, whatever became of the runs."""
        found = await store.runs(tx, tenant, thread, after, runs)
        return [(run, turns(opened(await log.read(tx, tenant, run.id)))) for run in found]
