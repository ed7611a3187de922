"""Workers at their posts on a real database, with scripted models and tools that do what a test says."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from quarterdeck.budgets.estimates import Factors
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.ids import AgentName, ReleaseId, RunId, TenantId, ThreadId, UserId, new_run_id, uuid7
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Urls
from quarterdeck.db.wakes import DELTAS, Heard, Wakes
from quarterdeck.gates.guards import Guards
from quarterdeck.gates.model import ModelGate
from quarterdeck.gates.sending import Sending
from quarterdeck.loop.attempt import Surroundings
from quarterdeck.models.service import Models
from quarterdeck.net.client import Outbound
from quarterdeck.providers.records import Connection, Kind
from quarterdeck.releases.errors import NoSuchAgent
from quarterdeck.releases.records import (
    BEHAVIOUR_VERSION,
    BudgetLimit,
    GuardrailRule,
    Limits,
    ModelPin,
    Release,
    Route,
    ToolGrant,
    ToolServer,
)
from quarterdeck.runs import log, store
from quarterdeck.runs.events import Event, read
from quarterdeck.runs.messages import Text, UserMessage
from quarterdeck.runs.records import ENDED, Run, Status, StoredEvent, Submission
from quarterdeck.runs.service import Runs
from quarterdeck.worker.post import Post
from quarterdeck.worker.standing import open_books
from tests.fakes.toolbox import Bench

RELEASE = ReleaseId("cd" * 32)
HELPER = ReleaseId("ef" * 32)
OPEN: JsonObject = {"type": "object"}
ORDERED: JsonObject = {
    "type": "object",
    "properties": {"order": {"type": "integer"}, "amount": {"type": "integer"}, "n": {"type": "integer"}},
}


def grant(name: str, effect: str = "read", repeat: str = "never", autonomy: str = "free") -> ToolGrant:
    return ToolGrant(
        name, "s", name, f"The tool {name}.", OPEN, effect, repeat, "trusted", timeout=2.0, autonomy=autonomy
    )


TOOLS = (
    grant("look"),
    grant("write", "write"),
    grant("pay", "payment"),
    grant("pay_keyed", "payment", "keyed"),
    grant("touch", "write", "safe"),
    replace(grant("refund", "payment", "never", "ask_when_risky"), parameters=ORDERED),
    replace(grant("alone"), concurrency=1),
    replace(grant("delegate", repeat="keyed"), server="agent-helper", trust="untrusted"),
    replace(grant("nobody", repeat="keyed"), server="agent-nobody", trust="untrusted"),
)


def release(tenant: TenantId, limits: Limits, output_schema: JsonObject | None) -> Release:
    return Release(
        tenant=tenant,
        id=RELEASE,
        agent=AgentName("desk"),
        owner="team",
        description="",
        prompt="You help {{who}}.",
        variables={"who": {"type": "string", "required": False, "default": "everybody", "description": ""}},
        model=ModelPin("script", "scripted-1"),
        servers=(
            ToolServer("agent-helper", "agent", agent="helper", narrowed={"tools": ["look"], "autonomy": "ask_always"}),
            ToolServer("agent-nobody", "agent", agent="nobody"),
        ),
        tools=TOOLS,
        limits=limits,
        output_schema=output_schema,
        behaviour=BEHAVIOUR_VERSION,
        files={},
        label=None,
        registered_by="test",
        registered_at=datetime.now(UTC),
    )


def second_release(tenant: TenantId, limits: Limits) -> Release:
    """Another agent that the desk can call. Its prompt is how a script tells the two apart."""
    grants = (grant("look"), replace(grant("refund", "payment"), parameters=ORDERED))
    plain = release(tenant, limits, None)
    return replace(plain, id=HELPER, agent=AgentName("helper"), tools=grants, servers=(), model=ModelPin("help", "h-1"))


@dataclass
class Scripts:
    """The connections of a model service: one with a script, and one for the helper."""

    script: Mapping[str, Json]
    latency_ms: float = 0
    helper: Mapping[str, Json] = field(default_factory=lambda: {"steps": [{"text": "helped"}]})
    prices: Mapping[str, Json] | None = None

    async def all(self) -> Sequence[Connection]:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        options: dict[str, Json] = {"script": self.script, "latency_ms": self.latency_ms}
        helped: dict[str, Json] = {"script": self.helper}
        if self.prices is not None:
            options["prices"] = helped["prices"] = self.prices
        return [
            Connection("script", Kind.SCRIPTED, "", options, None, None, None, now, now),
            Connection("help", Kind.SCRIPTED, "", helped, None, None, None, now, now),
        ]

    def open_key(self, connection: Connection) -> str:
        del connection
        return ""


@dataclass
class Station:
    """One tenant, and as many workers as a test starts."""

    database: Database
    settings: Settings
    urls: Urls
    tenant: TenantId
    wakes: Wakes
    tools: Bench = field(default_factory=Bench)
    limits: Limits = field(default_factory=Limits)
    output_schema: JsonObject | None = None
    budgets: tuple[BudgetLimit, ...] = ()
    routes: tuple[Route, ...] = ()
    fallbacks: tuple[str, ...] = ()
    cheaper: str | None = None
    guardrails: tuple[GuardrailRule, ...] = ()
    prices: Mapping[str, Json] | None = None
    """What models cost, in USD per million tokens, as a connection's option says it; None = nothing is known."""
    prompt: str | None = None
    listening: bool = False
    """Whether somebody listens to what models say while they say it: what is heard stands in `heard`."""
    heard: list[str] = field(default_factory=list)
    unready: list[Exception] = field(default_factory=list)
    """What goes wrong, one after the other, when a release is made ready."""

    def __post_init__(self) -> None:
        self.runs = Runs(self.database, self.wakes, SystemClock(), queue_limit=10_000)

    async def submit(
        self,
        words: str = "hello",
        thread: ThreadId | None = None,
        position: int | None = None,
        claims: JsonObject | None = None,
    ) -> RunId:
        submission = Submission(
            tenant=self.tenant,
            id=new_run_id(),
            agent=AgentName("desk"),
            release=RELEASE,
            behaviour=BEHAVIOUR_VERSION,
            user_id=UserId("ann"),
            submitted_by="test",
            variables={},
            thread=thread,
            priority=0,
            tags={},
            available_at=None,
            dedup_key=None,
            dedup_digest=None,
            traceparent=None,
            claims=claims or {},
        )
        run, _ = await self.runs.submit(submission, [UserMessage((Text(words),))], position=position)
        return run.id

    @asynccontextmanager
    async def worker(
        self,
        script: Mapping[str, Json],
        *,
        latency_ms: float = 0,
        grace: float = 2.0,
        helper: Mapping[str, Json] | None = None,
    ) -> AsyncIterator["Shift"]:
        """A worker at its post until the block ends; then it drains."""
        helped = helper or {"steps": [{"text": "helped"}]}
        models = Models(Scripts(script, latency_ms, helped, self.prices), _no_files)
        await models.start()
        wakes = Wakes(self.urls.listen)
        await wakes.start()
        stack = AsyncExitStack()
        books = await open_books(self.database, wakes, SystemClock(), self.settings, stack)
        around = Surroundings(
            db=self.database,
            wakes=wakes,
            clock=SystemClock(),
            models=ModelGate(models, books.switches),
            tools=books.tool_gate(Sending(self.tools, _keep, SystemClock(), books.circuits), _never_called),
            switches=books.switches,
            budgets=books.budgets,
            factors=Factors(),
            guards=Guards(self.tools, Outbound(), SystemClock()),
            runs=Runs(self.database, wakes, SystemClock(), queue_limit=10_000),
            resolve=self._resolve,
            read_blobs=_no_texts,
            watched=lambda _: self.listening,
            max_attempts=3,
        )
        stack.callback(self.wakes.listen(DELTAS, self._hear))
        settings = self.settings.model_copy(update={"drain_grace": grace})
        shift = Shift(Post(settings, self.urls, around, wakes, self._find), asyncio.Event())
        shift.task = asyncio.create_task(shift.post.serve(shift.stop))
        try:
            yield shift
        finally:
            shift.stop.set()
            await shift.task
            await stack.aclose()
            await wakes.close()
            await models.close()

    def _hear(self, heard: Heard) -> None:
        for one in heard.items:
            if isinstance(one, Mapping):
                self.heard.append("(reset)" if one.get("reset") else str(one.get("text")))

    async def _find(self, tenant: TenantId, wanted: ReleaseId) -> Release:
        if self.unready:
            raise self.unready.pop(0)
        if wanted == HELPER:
            return second_release(tenant, self.limits)
        plain = release(tenant, self.limits, self.output_schema)
        return replace(
            plain,
            prompt=plain.prompt if self.prompt is None else self.prompt,
            budgets=self.budgets,
            routes=self.routes,
            fallbacks=self.fallbacks,
            cheaper=self.cheaper,
            guardrails=self.guardrails,
        )

    async def _resolve(self, tenant: TenantId, name: str) -> Release:
        if name != "helper":
            raise NoSuchAgent(f"There is no agent '{name}' here.")
        return second_release(tenant, self.limits)

    async def until(self, run: RunId, *wanted: Status, within: float = 15.0) -> Run:
        """The run, once it has one of these statuses (any ended one by default)."""
        async with asyncio.timeout(within):
            while True:
                found = await self.runs.get(self.tenant, run)
                if found.status in (wanted or ENDED):
                    return found
                await asyncio.sleep(0.01)

    async def rows(self, run: RunId) -> list[StoredEvent]:
        async with self.database.tenant(self.tenant) as tx:
            return await log.read(tx, self.tenant, run)

    async def events(self, run: RunId) -> list[Event]:
        return [read(row.kind, row.v, row.data) for row in await self.rows(run)]

    async def kinds(self, run: RunId) -> list[str]:
        rows = await self.rows(run)
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "the log has a gap or a double"
        return [row.kind for row in rows]

    async def ledger(self, run: RunId) -> dict[str, str]:
        async with self.database.tenant(self.tenant) as tx:
            return {row["tool"]: row["state"] for row in await tx.fetch(store.EFFECTS, self.tenant, run)}

    async def expire_leases(self) -> None:
        """Every worker's lease has run out, as far as the database knows."""
        async with self.database.system.transaction() as tx:
            await tx.execute("UPDATE qd.workers SET lease_until = clock_timestamp() - interval '1 second'")


@dataclass
class Shift:
    """One worker's time at its post."""

    post: Post
    stop: asyncio.Event
    task: "asyncio.Task[bool] | None" = None

    def post_is_over(self) -> bool:
        """Whether it has left its post, because it was told to or because its lease was lost."""
        return self.task is not None and self.task.done()


async def make_tenant(database: Database) -> TenantId:
    tenant = TenantId(uuid7())
    async with database.system.transaction() as tx:
        await tx.execute(
            "INSERT INTO qd.tenants (tenant, slug, name, blob_key) VALUES ($1, $2, $2, '')",
            tenant,
            f"t{tenant.hex[-10:]}",
        )
    return tenant


async def _no_files(*_: object) -> Mapping[str, bytes]:
    return {}


async def _no_texts(*_: object) -> Mapping[str, str]:
    return {}


async def _never_called(*_: object) -> int:
    return 0


async def _keep(*_: object) -> str:
    return "00"
