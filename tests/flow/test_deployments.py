"""Deployments that come to grief: two on one folder, one killed as a whole, a full disk, a run that kills workers."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from quarterdeck.cli.child import COMMAND
from quarterdeck.cli.fleet import Fleet, FolderInUse
from quarterdeck.core.settings import Settings
from quarterdeck.db import driver
from tests.flow.outside import Outside
from tests.flow.stage import PIN, Json, Stage, Tenant, a_folder, staged, until
from tests.manifests import manifest
from tests.marks import as_root


def test_a_second_deployment_on_a_folder_is_told_who_is_there_and_harms_nothing(stage: Stage, tenant: Tenant):
    tenant.agent({"text": "done"})
    fleet = Fleet(Settings.model_validate({"data_dir": stage.fleet.folder, "port": 0}))
    with pytest.raises(FolderInUse, match=f"Process {os.getpid()} "):
        fleet.start()
    environ = {**os.environ, "QUARTERDECK_DATA_DIR": str(stage.fleet.folder), "QUARTERDECK_PORT": "0"}
    second = subprocess.run([*COMMAND, "dev"], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert f"Process {os.getpid()} runs Quarterdeck in" in second.stderr
    assert "Traceback" not in second.stderr
    assert tenant.until(tenant.submit())["status"] == "succeeded"


@contextmanager
def dev(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`quarterdeck dev` on a folder, once it welcomes its user; ended in good order unless it was killed."""
    environ = {**os.environ, "QUARTERDECK_DATA_DIR": str(folder / "data"), "QUARTERDECK_PORT": "0"}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen([*COMMAND, "dev"], env=environ, cwd=folder, stdout=out, stderr=out)
    family: list[psutil.Process] = []
    try:
        until(lambda: b"is running" in (folder / "out").read_bytes() or process.poll() is not None, "dev is up", 60)
        assert process.poll() is None, (folder / "out").read_text()
        family = psutil.Process(process.pid).children(recursive=True)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def test_a_deployment_whose_supervisor_was_killed_comes_up_again_with_everything_that_it_had():
    with a_folder() as folder, dev(folder) as first:
        access = json.loads((folder / "data" / "access.json").read_text())
        headers = {"authorization": f"Bearer {access['admin_key']}", "quarterdeck-tenant": "dev"}
        with httpx.Client(base_url=access["url"], headers=headers, timeout=30) as client:
            script = {"name": "script", "kind": "scripted", "options": {"script": {"steps": [{"text": "done"}]}}}
            Tenant.must(client.post("/v1/providers", json=script))
            register(client)
            waiting = submit(client, delay_s=2)
        first.kill()
        first.wait()
        with dev(folder):
            again = json.loads((folder / "data" / "access.json").read_text())
            assert (again["key"], again["admin_key"]) == (access["key"], access["admin_key"])
            with httpx.Client(base_url=again["url"], headers=headers, timeout=30) as client:
                for run in (waiting, submit(client)):
                    ended = client.get(f"/v1/runs/{run}/wait?seconds=30").json()
                    assert ended["status"] == "succeeded"


def register(client: httpx.Client) -> None:
    body = {"manifest": {**manifest(), "model": {"provider": "script", "id": PIN}}}
    Tenant.must(client.post("/v1/agents", json=body))


def submit(client: httpx.Client, **more: Json) -> str:
    return Tenant.must(client.post("/v1/runs", json={"agent": "desk", "input": "hello", **more}))["run_id"]


KILLER = '''
import os, signal
from quarterdeck.tools.author import tool

@tool(effect="read", repeat="safe")
def strike() -> str:
    """Kill the worker that calls."""
    os.kill(os.getppid(), signal.SIGKILL)
'''


def test_a_run_that_kills_every_worker_that_takes_it_ends_as_failed_with_the_evidence(outside: Outside):
    """Only a tool without a sandbox, as the worker's own user, can do that: where the deployment is so set."""
    with (
        a_folder() as folder,
        staged(outside, folder, 1, lease=1.0, max_attempts=2, tool_sandbox="off", tool_host_uid=0) as stage,
    ):
        tenant = stage.tenant()
        model = {"provider": tenant.script({"call": "strike"}, {"text": "done"}), "id": PIN}
        tenant.register("killer", {"tools.py": KILLER}, tools=[{"python": "tools.py"}], model=model)
        tenant.agent({"text": "fine"}, name="neighbour")
        run = tenant.submit("killer")
        failed = tenant.until(run, within=60)
        assert (failed["status"], failed["error_code"]) == ("failed", "run.poison")
        assert "2 workers in a row" in failed["why"]
        deaths = [event for event in stage.happened if event.child == "worker-1" and event.status == -signal.SIGKILL]
        kinds = tenant.kinds(run)
        assert kinds.count("run.claimed") == len(deaths) + 1 == 4
        assert kinds.count("run.released") == 3
        assert failed["result"]["handoff"]["left"]
        assert tenant.until(tenant.submit("neighbour"), within=60)["status"] == "succeeded"


@contextmanager
def a_small_disk(size: str) -> Iterator[Path]:
    """A file system with so much room and no more."""
    with a_folder() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "quarterdeck-flow", str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(ballast: Path) -> None:
    """Take all the room that is left."""
    with ballast.open("ab", buffering=0) as file:
        block = bytes(1024 * 1024)
        while block:
            try:
                file.write(block)
            except OSError:
                block = block[: len(block) // 2]


@as_root
def test_a_full_disk_is_answered_with_503_and_loses_nothing_that_was_accepted(outside: Outside):
    with a_small_disk("400m") as folder, staged(outside, folder, 1) as stage:
        tenant = stage.tenant()
        tenant.agent({"call": "look", "arguments": {"what": "the disk is full"}}, {"text": "done"})
        accepted: set[str] = set()
        with outside.books.holding("the disk is full") as hold:
            accepted.add(tenant.submit())
            hold.await_call()
            fill(folder / "ballast")
            refused = submit_until_refused(tenant, accepted)
            hold.released.set()
            for answer in (refused, *(try_to_submit(tenant) for _ in range(5))):
                assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
                assert answer.json()["code"] in {"database.full", "database.away", "database.commit_unknown"}
                assert int(answer.headers["retry-after"]) >= 1
            assert stage.admin.get("/healthz").status_code == 200
            # Worse: no room for the write-ahead log, without which the server can't go on nor come back.
            with contextlib.suppress(Exception):
                asyncio.run(_begin_another_log_file(stage.fleet.urls.owner))
            until(lambda: try_to_submit(tenant).json().get("code") == "database.away", "the database is down")
            log = folder / "data" / "postgres.log"
            until(lambda: "xlogtemp" in log.read_text(), "it tries to come back, in vain")
            (folder / "ballast").unlink()
        stage.recover()
        for run in accepted:
            assert tenant.until(run, within=60)["status"] == "succeeded"
            tenant.events(run)
        assert tenant.until(tenant.submit(), within=60)["status"] == "succeeded"


async def _begin_another_log_file(url: str) -> None:
    connection = await driver.connect(url)
    try:
        await connection.execute("SELECT pg_switch_wal()")
        await connection.execute("CREATE TABLE public.needs_a_log ()")
    finally:
        await connection.close()


def try_to_submit(tenant: Tenant) -> httpx.Response:
    words = random.randbytes(300_000).hex()
    return tenant.client.post("/v1/runs", json={"agent": "clerk", "input": words})


def submit_until_refused(tenant: Tenant, accepted: set[str]) -> httpx.Response:
    """The first answer that is not 202. What stands on the disk already takes a few runs more."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = try_to_submit(tenant)
        if answer.status_code != 202:
            return answer
        accepted.add(answer.json()["run_id"])
    raise AssertionError("the disk never became full")
