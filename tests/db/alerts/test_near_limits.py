"""The report of runs that are near a limit of their release, with what brought each there."""

import httpx

from quarterdeck.core.ids import ReleaseId
from quarterdeck.runs.events import Decision, MessageAdded, ModelAnswered, ModelCalled, ToolAnswered, ToolCalled
from quarterdeck.runs.messages import Text, Usage, UserMessage
from tests.api import Deployment
from tests.db.runs.api import Stage
from tests.db.runs.scene import Worker

ALLOW = Decision("allow", "default")


def step(number: int, cost: int, tokens: int = 1_000) -> list[object]:
    call = f"model_{number}"
    return [
        ModelCalled(step=number, call=call, provider="p", model="m", decision=ALLOW),
        ModelAnswered(
            step=number,
            call=call,
            content=(Text("words"),),
            finish="stop",
            served_model="m",
            usage=Usage(input=tokens, output=10),
            cost=cost,
        ),
    ]


def tool(number: int, word: str, *, failed: bool = False) -> list[object]:
    call = f"call_{number}"
    intent = ToolCalled(
        step=number, call=call, tool="search", arguments={"q": word}, effect="read", repeat="safe", decision=ALLOW
    )
    return [intent, ToolAnswered(call=call, content=(Text("found"),), is_error=failed)]


async def near(client: httpx.AsyncClient, **query: str) -> list[dict[str, object]]:
    answer = await client.get("/v1/alerts/near-limits", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def worker_of(stage: Stage) -> Worker:
    return await stage.scene.worker()


async def run_of(stage: Stage, worker: Worker, release: str, *events: object) -> str:
    """A run of a release in a worker's hands, with these events."""
    run = await stage.scene.submit(release=ReleaseId(release))
    await stage.scene.admit()
    hold = await worker.claim(run.id)
    assert hold is not None
    await worker.append(hold, *events)  # pyright: ignore[reportArgumentType]  # events, drawn up above
    # Totals are those of the log before an append: the next one writes them.
    await worker.append(hold, MessageAdded(message=UserMessage((Text("go on"),)), cause="a test"))
    return str(run.id)


async def test_a_run_near_its_budget_is_told_with_its_dear_step(stage: Stage):
    release = await stage.register(budgets=[{"scope": "run", "max_micro_usd": 500_000}])
    worker = await worker_of(stage)
    dear = await run_of(stage, worker, release, *step(1, 40_000), *step(2, 50_000), *step(3, 350_000))
    await run_of(stage, worker, release, *step(1, 40_000))
    (found,) = await near(stage.owner)
    assert (found["run_id"], found["cause"], found["tool"]) == (dear, "dear_step", None)
    assert found["limits"] == [{"limit": "budget", "used": 440_000, "most": 500_000, "used_percent": 88}]
    assert found["words"] == "The last step cost $0.3500, 80 % of these steps."
    assert (found["agent"], found["status"], found["release"]) == ("desk", "running", release)


async def test_a_run_that_asks_the_same_again_and_again_is_told_with_its_tool(stage: Stage):
    release = await stage.register(limits={"max_steps": 5, "max_tool_calls": 60})
    events = [event for n in range(1, 5) for event in (*step(n, 10), *tool(n, "same"))]
    looping = await run_of(stage, await worker_of(stage), release, *events)
    (found,) = await near(stage.owner)
    assert (found["run_id"], found["cause"], found["tool"]) == (looping, "looping_tool", "search")
    assert found["limits"] == [{"limit": "steps", "used": 4, "most": 5, "used_percent": 80}]


async def test_a_run_whose_tool_fails_or_whose_conversation_grows_is_told_so(stage: Stage):
    release = await stage.register(limits={"max_steps": 4, "max_tool_calls": 60})
    worker = await worker_of(stage)
    failing = [event for n in range(1, 5) for event in (*step(n, 10), *tool(n, str(n), failed=True))]
    growing = [event for n in range(1, 5) for event in step(n, 10, tokens=1_000 * n)]
    runs = [await run_of(stage, worker, release, *failing), await run_of(stage, worker, release, *growing)]
    found = {one["run_id"]: one["cause"] for one in await near(stage.owner)}
    assert found == {runs[0]: "failing_tool", runs[1]: "growing_context"}


async def test_the_report_comes_in_pages_and_shows_nothing_of_others(stage: Stage, deployment: Deployment):
    release = await stage.register(limits={"max_steps": 1, "max_tool_calls": 60})
    worker = await worker_of(stage)
    runs = [await run_of(stage, worker, release, *step(1, 10)) for _ in range(3)]
    first = (await stage.owner.get("/v1/alerts/near-limits", params={"limit": 2})).json()
    rest = (await stage.owner.get("/v1/alerts/near-limits", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["run_id"] for one in (*first["items"], *rest["items"])] == sorted(runs, reverse=True)
    assert rest["next_cursor"] is None
    assert await near(stage.owner, agent="nobody") == []
    umbra = await deployment.tenant("umbra")
    await stage.register("till")
    assert await near(umbra) == []
    assert await near(await stage.key("operator", agents=["till"])) == []
    assert len(await near(await stage.key("auditor", agents=["desk"]))) == 3
    assert (await (await deployment.admin()).get("/v1/alerts/near-limits")).json()["code"] == "tenant.required"
