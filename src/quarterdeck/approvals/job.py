"""What workers do for questions: end those whose time is over, remind of those at half time, tidy up behind runs.

Every worker does so; rows are locked or skipped, so none gets in another's way and none is needed.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from quarterdeck.approvals import store
from quarterdeck.approvals.links import Links
from quarterdeck.approvals.service import Approvals
from quarterdeck.core import log as logs
from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Error, Unavailable
from quarterdeck.db.pool import Database
from quarterdeck.runs.service import Wakes

MOST = 200
"""Of each kind in one round; the next round goes on."""
STRANDED_AFTER = timedelta(seconds=5)
"""Time for whoever just parked a run to notice by itself that its answer was there already."""

TIDY_EVERY = 30
"""Seconds between two looks at everything that waits: who ends a run withdraws its questions, and who parks one looks
whether its answer is there, so what is found here was missed by both."""

_log = logs.get("quarterdeck.approvals")


async def round(database: Database, wakes: Wakes, clock: Clock, links: Links | None = None) -> int:
    """One round; how many questions and runs something was done about. For about once a second in each worker.

    With `links` a reminder holds a link that answers. What one question's transaction runs into keeps nobody else's
    waiting: it is logged, and tried again in the next round.
    """
    approvals = Approvals(database, wakes, clock, links)
    async with database.system.transaction() as tx:
        overdue = await store.due(tx, MOST)
    done = 0
    for tenant, approval in overdue:
        done += await _trying(str(approval), lambda t=tenant, a=approval: approvals.expire(t, a))
    if int(clock.boot()) % TIDY_EVERY == 0:
        done += await _tidy(database, approvals)
    return done + await _remind(database, clock, links)


async def _tidy(database: Database, approvals: Approvals) -> int:
    """Withdraw what runs have left behind, and let runs go on that nobody can answer any more."""
    async with database.system.transaction() as tx:
        done = await store.withdraw_ended(tx, MOST)
        stranded = await store.stranded(tx, STRANDED_AFTER, MOST)
    for tenant, run in stranded:
        done += await _trying(str(run), lambda t=tenant, r=run: approvals.revive(t, r))
    return done


async def _remind(database: Database, clock: Clock, links: Links | None) -> int:
    async with database.system.transaction() as tx:
        reminded = await store.remind(tx, MOST)
        for approval in reminded:
            await store.announce(tx, approval, "approval.reminder", clock.now(), links)
    return len(reminded)


async def _trying(about: str, work: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await work()
    except Unavailable:
        raise
    except Error as error:
        _log.warning("approval.not_ended", about=about, error=error.code)
    except Exception:
        _log.exception("approval.not_ended", about=about)
    return False
