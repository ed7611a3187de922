"""`/v1/runs/{id}/trace` as the console sees it."""

import time

from quarterdeck.core.json import encode
from quarterdeck.core.settings import Settings
from quarterdeck.runs import events as e
from quarterdeck.runs.log import Departure
from quarterdeck.runs.messages import Call, Text
from quarterdeck.runs.records import Status
from tests.api import Deployment
from tests.db.runs.api import Stage, run_id, staged
from tests.db.runs.test_service import asked, sent
from tests.logs import long_log


async def failed(stage: Stage, code: str = "model.refused", release: str | None = None) -> str:
    """A run that failed after a refund was made."""
    run = await stage.submit(release=release)
    worker = await stage.scene.worker()
    await stage.scene.admit()
    hold = await worker.claim(run_id(run))
    assert hold is not None
    recorder = await worker.recorder(hold)
    recorder.emit(*asked(Call("c1", "refund", {"order": 1001})), sent(stage.scene, "c1"))
    await recorder.flush()
    recorder.emit(e.ToolAnswered(call="c1", content=(Text("Refund 7 made."),), ms=3))
    await recorder.flush()
    finish = e.RunFinished(status="failed", error_code=code, error="it was refused")
    await recorder.leave(Departure(Status.FAILED, error_code=code, why="it was refused", ended=True), finish)
    await worker.die()
    return str(run["run_id"])


async def test_a_trace_tells_everything_in_one_answer(stage: Stage):
    run = await failed(stage)
    answer = await stage.owner.get(f"/v1/runs/{run}/trace")
    assert answer.status_code == 200, answer.text
    trace = answer.json()
    assert trace["run"]["run_id"] == run
    assert trace["story"]["tone"] == "failed"
    assert trace["story"]["sentence"] == "Failed: it was refused. No other recent run shows it."
    assert trace["story"]["sentence"] == " ".join(clause["text"] for clause in trace["story"]["clauses"])
    kinds = [span["kind"] for span in trace["spans"]]
    assert kinds[:3] == ["run", "queue", "attempt"]
    assert {"model", "policy", "tool", "checkpoint"} <= set(kinds)
    tool = next(span for span in trace["spans"] if span["kind"] == "tool")
    assert (tool["name"], tool["risk"], tool["status"]) == ("refund(order=1001)", "money", "ok")
    assert [turn["role"] for turn in trace["conversation"]] == ["user", "model", "tool"]
    assert trace["conversation"][1]["content"] == [
        {"type": "call", "id": "c1", "tool": "refund", "arguments": {"order": 1001}, "raw": None}
    ]
    assert [(row["call"], row["state"]) for row in trace["effects"]] == [("1/c1", "happened")]
    assert trace["cost"][0]["cost"] == 7
    facts = trace["facts"]
    assert (facts["tool_calls"], facts["failed_calls"], facts["model_calls"], facts["attempts"]) == (1, 0, 1, 1)
    assert abs(sum(facts["time"].values()) - facts["duration_ms"]) <= 6
    assert trace["trace_id"] == run.replace("-", "")
    assert trace["blast"] == {
        "cause": "model.refused",
        "same_cause_this_release": 0,
        "same_cause_previous_release": 0,
    }


async def test_the_blast_radius_counts_this_release_and_the_one_before(stage: Stage):
    old = await stage.register()
    new = await stage.register(prompt="You help better.")
    await failed(stage, release=old[:12])
    for _ in range(2):
        await failed(stage, release=new[:12])
    await failed(stage, "model.timeout", release=new[:12])
    run = await failed(stage, release=new[:12])
    trace = (await stage.owner.get(f"/v1/runs/{run}/trace")).json()
    assert trace["blast"]["same_cause_this_release"] == 2
    assert trace["blast"]["same_cause_previous_release"] == 1
    assert trace["story"]["sentence"].endswith("2 other runs on this release show it, 1 on the one before.")


async def test_a_run_that_goes_on_has_a_trace_too(stage: Stage):
    run = await stage.submit()
    trace = (await stage.owner.get(f"/v1/runs/{run['run_id']}/trace")).json()
    assert trace["story"]["tone"] == "running"
    assert [span["end"] for span in trace["spans"]] == [None, None]
    assert trace["blast"] is None


async def test_traces_and_effects_of_others_do_not_exist(stage: Stage):
    run = await failed(stage)
    umbra = await staged(stage.deployment, "umbra")
    caller = await stage.key("caller")
    for client in (umbra.owner, caller):
        for path in ("trace", "effects"):
            assert (await client.get(f"/v1/runs/{run}/{path}")).status_code == 404
    effects = (await stage.owner.get(f"/v1/runs/{run}/effects")).json()["items"]
    assert [effect["tool"] for effect in effects] == ["refund"]


async def test_a_run_of_two_thousand_events_is_told_quickly(stage: Stage, deployment: Deployment, settings: Settings):
    run = run_id(await stage.submit())
    log = long_log(2_000)
    async with deployment.parts.database.system.transaction() as tx:
        await tx.executemany(
            "INSERT INTO qd.run_events (tenant, run, seq, attempt, kind, v, at, data)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)",
            [
                (stage.scene.tenant, run, row.seq, row.attempt, row.kind, row.v, row.at, row.data)
                for row in log
                if row.seq > 1
            ],
        )
        await tx.execute("UPDATE qd.runs SET last_seq = $2 WHERE id = $1", run, len(log))
    answer = await stage.owner.get(f"/v1/runs/{run}/trace")
    assert len(answer.json()["spans"]) > 2_000
    assert len(encode(answer.json())) < 4_000_000
    times: list[float] = []
    for _ in range(3):
        began = time.process_time()
        again = await stage.owner.get(f"/v1/runs/{run}/trace")
        times.append(time.process_time() - began)
        assert again.status_code == 200
    # CPU and not wall time: other tests may share this machine. Measured: 0.09 s; the goal is 0.15.
    assert min(times) < 0.3
    print(f"trace of {len(log)} events: {min(times) * 1000:.0f} ms of CPU, client included")
