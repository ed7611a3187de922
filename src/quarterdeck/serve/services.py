"""The packages' services, made once a process and put where their routes look for them."""

from contextlib import AsyncExitStack

from fastapi import FastAPI

from quarterdeck.approvals.links import Links
from quarterdeck.approvals.service import Approvals
from quarterdeck.audit.service import Audit
from quarterdeck.autonomy.service import Levels
from quarterdeck.blobs.service import Blobs
from quarterdeck.budgets.service import Budgets
from quarterdeck.http.parts import Parts
from quarterdeck.net.client import Outbound
from quarterdeck.policies.service import Policies
from quarterdeck.releases.service import Releases
from quarterdeck.releases.shelf import ReleaseShelf
from quarterdeck.runs.past import CallLog
from quarterdeck.runs.service import Runs
from quarterdeck.runs.waits import Waits
from quarterdeck.secrets.service import Vault
from quarterdeck.serve.grants import PresentBudgets, PresentGrants
from quarterdeck.serve.live import live_streams
from quarterdeck.serve.store import RunLog
from quarterdeck.switches.board import Board
from quarterdeck.threads.service import Threads
from quarterdeck.usage.service import Usage
from quarterdeck.webhooks.service import Webhooks


async def open_services(app: FastAPI, parts: Parts, stack: AsyncExitStack) -> None:
    """Make the services, to be closed with the stack."""
    settings, database, wakes = parts.settings, parts.database, parts.wakes
    state = app.state
    state.board = Board(database, wakes, parts.clock)
    stack.push_async_callback(state.board.close)
    await state.board.start()
    await Budgets(database, wakes, parts.clock, settings).self_test()
    state.vault = Vault.of(database, settings)
    state.blobs = Blobs.of(settings)
    state.audit = Audit.of(database, settings)
    state.releases = Releases(state.blobs)
    state.runs = Runs(database, wakes, parts.clock, settings.queue_limit)
    state.policies = Policies(wakes, ReleaseShelf(state.releases), CallLog())
    state.threads = Threads(state.runs)
    state.approvals = Approvals(database, wakes, parts.clock, Links.of(settings))
    state.declarations = PresentBudgets(ReleaseShelf(state.releases))
    state.levels = Levels(PresentGrants(state.releases), wakes, parts.clock)
    state.waits = Waits(state.runs, wakes, parts.closing)
    stack.callback(state.waits.close)
    state.usage = Usage(database)
    state.webhooks = Webhooks.of(await stack.enter_async_context(Outbound.of(settings)), settings)
    state.live = await stack.enter_async_context(live_streams(RunLog(database), wakes, parts.closing))
    state.metrics.attend(database, state.live)
