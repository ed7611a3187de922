"""The questions that people put to the ledger, each answered from one look at it."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from quarterdeck.db.pool import Database
from quarterdeck.db.records import Tx
from quarterdeck.spec.exports import ExportDay
from quarterdeck.usage import reconciling, rules, store_reports, store_spenders
from quarterdeck.usage.reconciling import Reconciliation
from quarterdeck.usage.records import Filters, Question, Reader, Report, Spread
from quarterdeck.usage.rules import Outlier


@dataclass(frozen=True, slots=True)
class Usage:
    """Reads what every call cost. A reader of all tenants must have been let through by whoever calls this."""

    database: Database

    async def report(self, reader: Reader, question: Question) -> Report:
        """What was used, told apart as asked. Raises Invalid for a question with too many answers."""
        checked = rules.check_size(question)
        async with self._open(reader) as tx:
            groups, total = await store_reports.report(tx, reader, checked)
        return Report(checked, tuple(groups), total)

    async def spread(self, reader: Reader, filters: Filters, among: str, top: int) -> Spread:
        """How cost is spread over users, agents, threads or tenants, and who spends most."""
        async with self._open(reader) as tx:
            return await store_spenders.spread(tx, reader, filters, among, top)

    async def outliers(self, reader: Reader, filters: Filters, threshold: float, limit: int) -> list[Outlier]:
        """Runs that cost far more than their agent's usually do, the farthest first, with why."""
        async with self._open(reader) as tx:
            found = await store_spenders.outliers(tx, reader, filters, threshold, rules.TIMES, rules.LEAST_RUNS, limit)
            models = await store_spenders.usual_models(tx, reader, filters, [run.agent for run, _ in found])
        return [rules.judge(run, usual, models.get(run.agent, "")) for run, usual in found]

    async def reconcile(
        self, reader: Reader, filters: Filters, theirs: list[ExportDay], tolerance: float
    ) -> Reconciliation:
        """What a provider's export says beside what the ledger says."""
        async with self._open(reader) as tx:
            ours = await store_spenders.days(tx, reader, filters)
        return reconciling.compare(ours, theirs, tolerance, whole=reader.tenant is None)

    def _open(self, reader: Reader) -> AbstractAsyncContextManager[Tx]:
        if reader.tenant is None:
            return self.database.system.transaction()
        return self.database.tenant(reader.tenant)
