"""What stands live beside every release, opened once a worker process: switches, tenants' policies, autonomy, rates,
budgets.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from quarterdeck.autonomy.book import AutonomyBook
from quarterdeck.budgets.service import Budgets
from quarterdeck.core.clock import Clock
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import Wakes
from quarterdeck.gates.gathering import CountCalls, Live
from quarterdeck.gates.sending import Sending
from quarterdeck.gates.tool import ToolGate
from quarterdeck.pacing.service import Pacer
from quarterdeck.policies.book import PolicyBook
from quarterdeck.rates.circuits import Circuits
from quarterdeck.rates.service import Rates
from quarterdeck.switches.board import Board


@dataclass(frozen=True, slots=True)
class Books:
    """The live books of one process."""

    switches: Board
    policies: PolicyBook
    autonomy: AutonomyBook
    rates: Rates
    budgets: Budgets
    pacer: Pacer
    circuits: Circuits
    clock: Clock

    def tool_gate(self, sending: Sending, count: CountCalls) -> ToolGate:
        """The tool gate over these books."""
        live = Live(self.switches, self.policies, self.autonomy, count)
        return ToolGate(sending, live, self.rates, self.circuits, self.clock)


async def open_books(
    database: Database, wakes: Wakes, clock: Clock, settings: Settings, stack: AsyncExitStack
) -> Books:
    """Read all books and follow them until the stack closes. Raises what the database raises, and BudgetsNotKept.

    A worker that can't follow them any more says "not now" to whatever they would have to allow.
    """
    books = Books(
        Board(database, wakes, clock),
        PolicyBook(database, wakes),
        AutonomyBook(database, wakes),
        Rates(database),
        Budgets(database, wakes, clock, settings),
        Pacer(database, wakes),
        Circuits(clock),
        clock,
    )
    for book in (books.switches, books.policies, books.autonomy, books.rates, books.budgets, books.pacer):
        await book.start()
        stack.push_async_callback(book.close)
    await books.budgets.self_test()
    return books
