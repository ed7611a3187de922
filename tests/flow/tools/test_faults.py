"""Tools that misbehave: none harms the worker, another run, or the truth about what happened."""

import asyncio
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.tools.host.processes import descendants, resident
from quarterdeck.tools.records import Answered, Failed, Unknown
from tests.flow.tools.conftest import marked_processes
from tests.flow.tools.test_host import failed, text
from tests.marks import as_root
from tests.toolbox import Code, a_request, tools_for

FAULTY = Code('''
    import asyncio, ctypes, os, signal, subprocess, sys, time

    @tool(effect="read")
    def host() -> str:
        """The host's process: in a sandbox its number says nothing."""
        return os.environ["QUARTERDECK_HOST"]

    @tool(effect="write")
    def note(words: str, after: float = 0.0) -> str:
        """An honest write."""
        time.sleep(after)
        return words

    @tool(effect="read", timeout=0.5)
    def hang() -> str:
        """Never answer."""
        time.sleep(3600)

    @tool(effect="write", timeout=0.5)
    def hang_writing() -> str:
        """Never answer."""
        time.sleep(3600)

    @tool(effect="write", timeout=0.5)
    async def wait_politely() -> str:
        """Never answer, but listen."""
        await asyncio.sleep(3600)

    @tool(effect="write", timeout=0.5)
    def watch_for_the_flag(context: Context) -> str:
        """Never answer, but look at the flag."""
        while not context.cancelled:
            time.sleep(0.01)
        return "stopped in time"

    @tool(effect="read")
    def flood() -> str:
        """Answer with 100 MB."""
        return "x" * 100_000_000

    @tool(effect="read")
    def shout() -> str:
        """Print 20 MB."""
        for _ in range(200_000):
            print("y" * 99)
        return "heard"

    @tool(effect="write")
    def segfault() -> str:
        """Die badly."""
        ctypes.string_at(0)

    @tool(effect="read")
    def leave() -> str:
        """End the process."""
        sys.exit("enough")

    @tool(effect="read")
    def babble() -> str:
        """Write what is no protocol wherever it can be written."""
        print('{"jsonrpc":"2.0","id":1,"result":{}}')
        os.write(1, b'{"jsonrpc":"2.0","id":2,"result":{"content":[]}}\\\\n')
        subprocess.run(["echo", "not the protocol"])
        return "unharmed"

    @tool(effect="read")
    def fork() -> str:
        """Fork, and let the child go on as if it were the host."""
        return "child" if os.fork() == 0 else "parent"

    @tool(effect="read")
    def leave_children() -> list:
        """Start processes that want to outlive everything."""
        def vanish():
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(3600)
                os._exit(0)
        vanish()
        loose = subprocess.Popen(["sleep", "3600"], start_new_session=True)
        plain = subprocess.Popen(["sleep", "3600"])
        time.sleep(0.2)
        return [loose.pid, plain.pid]

    @tool(effect="read")
    def multiply() -> int:
        """A fork bomb, as far as it gets."""
        born = 0
        for _ in range(10_000):
            try:
                if os.fork() == 0:
                    time.sleep(3600)
                    os._exit(0)
                born += 1
            except OSError:
                break
        return born

    @tool(effect="read", timeout=30)
    def multiply_slowly() -> str:
        """Many children, each of them small."""
        for _ in range(60):
            if os.fork() == 0:
                time.sleep(3600)
                os._exit(0)
        time.sleep(25)
        return "still here"

    @tool(effect="read")
    def pry() -> dict:
        """Look into the worker."""
        found = {}
        for what in ("environ", "mem", "maps", "fd/0", "cwd/."):
            path = f"/proc/{os.getppid()}/{what}"
            try:
                found[what] = str(os.listdir(path) if what == "cwd/." else open(path, "rb").read(10))
            except OSError as fault:
                found[what] = fault.strerror
        found["own"] = sorted(os.environ)
        try:
            os.kill(os.getppid(), 0)
            found["kill"] = "allowed"
        except PermissionError:
            found["kill"] = "Operation not permitted"
        return found

    @tool(effect="read")
    def knock(port: int) -> str:
        """Try a port of this machine."""
        import socket
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return "open"

    @tool(effect="read", timeout=60)
    def toil(seconds: float) -> str:
        """Use the processor."""
        while time.process_time() < seconds:
            pass
        return "done"

    @tool(effect="read", timeout=20)
    def gorge(size: int) -> int:
        """Take memory and hold it."""
        held = bytearray(size)
        for place in range(0, size, 4096):
            held[place] = 1
        time.sleep(15)
        return len(held)
''')


async def test_a_read_that_hangs_fails_and_its_host_is_replaced(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        first = text(await tools.perform(a_request(FAULTY.release, "host")))
        began = time.monotonic()
        outcome = await tools.perform(a_request(FAULTY.release, "hang"))
        assert failed(outcome) == "timeout"
        assert outcome.retryable
        assert 2.4 < time.monotonic() - began < 6
        assert text(await tools.perform(a_request(FAULTY.release, "host"))) != first


async def test_a_write_that_hangs_is_unknown_and_the_others_of_its_host_may_finish(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        other = asyncio.create_task(tools.perform(a_request(FAULTY.release, "note", words="kept", after=4.0)))
        hanging = asyncio.create_task(tools.perform(a_request(FAULTY.release, "hang_writing")))
        assert isinstance(await hanging, Unknown)
        assert text(await tools.perform(a_request(FAULTY.release, "note", words="elsewhere"))) == "elsewhere"
        assert tools.statistics().started == 2
        assert text(await other) == "kept"


async def test_a_tool_that_listens_is_cancelled_and_its_host_stays(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        began = time.monotonic()
        assert isinstance(await tools.perform(a_request(FAULTY.release, "wait_politely")), Unknown)
        assert text(await tools.perform(a_request(FAULTY.release, "watch_for_the_flag"))) == "stopped in time"
        assert time.monotonic() - began < 4
        assert tools.statistics().started == 1


@pytest.mark.parametrize(
    ("name", "kind"), [("hang", Failed), ("hang_writing", Unknown), ("watch_for_the_flag", Answered)]
)
async def test_a_person_may_interrupt_a_call_in_flight(tmp_path, name, kind):
    cancel = asyncio.Event()
    code = Code(SOURCE_OF_SLOW_ONES)
    async with tools_for(tmp_path, code) as tools:
        await tools.perform(a_request(code.release, "ready"))
        calling = asyncio.create_task(tools.perform(a_request(code.release, name), cancel))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        cancel.set()
        assert isinstance(await calling, kind)
        assert time.monotonic() - began < 3.5


SOURCE_OF_SLOW_ONES = '''
    import time

    @tool(effect="read")
    def ready() -> str:
        """Be there."""
        return "yes"

    @tool(effect="read", timeout=60)
    def hang() -> str:
        """Never answer."""
        time.sleep(3600)

    @tool(effect="write", timeout=60)
    def hang_writing() -> str:
        """Never answer."""
        time.sleep(3600)

    @tool(effect="write", timeout=60)
    def watch_for_the_flag(context: Context) -> str:
        """Never answer, but look at the flag."""
        while not context.cancelled:
            time.sleep(0.01)
        return "stopped in time"
'''


async def test_a_call_that_was_cancelled_before_it_began_surely_had_no_effect(tmp_path):
    cancel = asyncio.Event()
    cancel.set()
    async with tools_for(tmp_path, FAULTY) as tools:
        outcome = await tools.perform(a_request(FAULTY.release, "note", words="x"), cancel)
        assert failed(outcome) == "cancelled"
        assert tools.statistics().started == 0


async def test_a_caller_that_goes_away_leaves_no_hanging_call_behind(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        first = text(await tools.perform(a_request(FAULTY.release, "host")))
        calling = asyncio.create_task(tools.perform(a_request(FAULTY.release, "hang")))
        await asyncio.sleep(0.1)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.sleep(2.5)
        assert text(await tools.perform(a_request(FAULTY.release, "host"))) != first


async def test_an_answer_of_100_mb_is_cut_and_the_worker_stays_small(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        await tools.perform(a_request(FAULTY.release, "host"))
        before = resident(os.getpid())
        outcome = await tools.perform(a_request(FAULTY.release, "flood"))
        assert isinstance(outcome, Answered)
        assert outcome.truncated
        assert outcome.size == 100_000_000
        assert "100,000,000 bytes" in str(outcome.content[-1])
        assert resident(os.getpid()) - before < 30_000_000


async def test_printing_without_end_drowns_neither_the_log_nor_the_worker(tmp_path, logged):
    async with tools_for(tmp_path, FAULTY) as tools:
        before = resident(os.getpid())
        outcome = await tools.perform(a_request(FAULTY.release, "shout"))
        assert isinstance(outcome, Answered | Failed)
        assert resident(os.getpid()) - before < 30_000_000
    said = [entry for entry in logged if entry["event"] == "tool.said"]
    assert 10 < len(said) < 1000
    assert sum(entry.get("dropped", 0) for entry in said) > 1000


async def test_a_segmentation_fault_is_unknown_for_a_write_and_costs_only_that_host(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        assert isinstance(await tools.perform(a_request(FAULTY.release, "segfault")), Unknown)
        assert text(await tools.perform(a_request(FAULTY.release, "note", words="on"))) == "on"
        assert tools.statistics().ended == {"crash": 1}


async def test_a_host_that_crashes_again_and_again_is_left_alone_for_a_while(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        for _ in range(2):
            assert isinstance(await tools.perform(a_request(FAULTY.release, "segfault")), Unknown)
        outcome = await tools.perform(a_request(FAULTY.release, "host"))
        assert failed(outcome) == "host_failed"
        assert outcome.retryable
        assert 0 < outcome.retry_after <= 0.5
        await asyncio.sleep(outcome.retry_after)
        assert text(await tools.perform(a_request(FAULTY.release, "host")))


async def test_leaving_the_interpreter_is_an_error_and_not_the_end_of_the_host(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        outcome = await tools.perform(a_request(FAULTY.release, "leave"))
        assert isinstance(outcome, Answered)
        assert outcome.is_error
        assert tools.statistics().hosts[0].state == "ready"


async def test_nonsense_on_every_output_does_not_reach_the_protocol(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        calls = [a_request(FAULTY.release, name) for name in ("babble", "host", "babble", "host")]
        outcomes = [text(outcome) for outcome in await asyncio.gather(*map(tools.perform, calls))]
        assert outcomes[0] == outcomes[2] == "unharmed"
        assert outcomes[1] == outcomes[3]


async def test_a_forked_copy_of_the_host_can_not_answer_in_its_place(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        outcomes = [text(await tools.perform(a_request(FAULTY.release, "fork"))) for _ in range(5)]
        assert outcomes == ["parent"] * 5


async def test_processes_that_a_tool_leaves_behind_end_with_its_host(tmp_path):
    async with tools_for(tmp_path, FAULTY) as tools:
        await tools.perform(a_request(FAULTY.release, "leave_children"))
        left = descendants(tools.statistics().hosts[0].pid)
        assert len(left) >= 3
        assert all(_lives(pid) for pid in left)
    assert not any(_lives(pid) for pid in left)
    assert not marked_processes()


def _lives(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@as_root
async def test_a_fork_bomb_is_stopped_by_its_limit_and_swept_away(tmp_path):
    # As a tenant, and so a user, of its own: others would meet the limit too, until the last child has been reaped.
    release = replace(FAULTY.release, tenant=TenantId(uuid7()))
    async with tools_for(tmp_path, FAULTY, tool_host_memory=16 * 1024**3) as tools:
        assert 1 < int(text(await tools.perform(a_request(release, "multiply")))) < 256
        assert len(marked_processes()) > 2
    assert not marked_processes()


async def test_the_memory_of_all_that_a_tool_has_started_counts(tmp_path):
    async with tools_for(tmp_path, FAULTY, tool_host_memory=100_000_000) as tools:
        assert failed(await tools.perform(a_request(FAULTY.release, "multiply_slowly"))) == "crashed"
        assert tools.statistics().ended["memory"] == 1


@as_root
@pytest.mark.parametrize("uid", [61200, 0], ids=["another_user", "the_same_user"])
async def test_without_a_sandbox_a_tool_can_not_look_into_the_worker_either(tmp_path, uid, monkeypatch):
    monkeypatch.setenv("A_SECRET_OF_THE_WORKER", "swordfish")
    async with tools_for(tmp_path, FAULTY, tool_host_uid=uid, tool_sandbox="off") as tools:
        outcome = await tools.perform(a_request(FAULTY.release, "pry"))
        found = outcome.structured
        assert found["own"] == ["HOME", "LANG", "PATH", "QUARTERDECK_HOST", "TMPDIR"]
        assert {found[what] for what in ("environ", "mem", "maps", "fd/0", "cwd/.")} == {"Permission denied"}
        if uid:
            assert found["kill"] == "Operation not permitted"
        assert "swordfish" not in str(found)


@as_root
async def test_without_a_sandbox_a_host_says_what_is_in_force_and_that_the_network_is_open(tmp_path):
    """What a host can reach, its tools can. That must not be hidden."""
    async with tools_for(tmp_path, FAULTY, tool_sandbox="off") as tools:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            assert (
                text(await tools.perform(a_request(FAULTY.release, "knock", port=listening.getsockname()[1]))) == "open"
            )
        (host,) = tools.statistics().hosts
        measures = {measure.partition("=")[0] for measure in host.isolation}
        assert {"uid", "nproc", "core", "data", "no_new_privs", "dies_with_worker", "undumpable"} <= measures
        assert "network=open" in host.isolation
        assert not measures & {"sandbox", "files", "processes"}


async def test_a_host_that_takes_too_much_memory_ends_and_its_read_fails(tmp_path):
    async with tools_for(tmp_path, FAULTY, tool_host_memory=100_000_000) as tools:
        outcome = await tools.perform(a_request(FAULTY.release, "gorge", size=300_000_000))
        assert failed(outcome) == "crashed"
        assert tools.statistics().ended["memory"] == 1


async def test_a_host_that_has_used_its_processor_time_is_replaced_and_loses_no_call(tmp_path):
    async with tools_for(tmp_path, FAULTY, tool_host_cpu=1.0, tool_host_memory=16 * 1024**3) as tools:
        first = text(await tools.perform(a_request(FAULTY.release, "host")))
        assert text(await tools.perform(a_request(FAULTY.release, "toil", seconds=1.5))) == "done"
        async with asyncio.timeout(10):
            while tools.statistics().ended.get("cpu") != 1:
                await asyncio.sleep(0.05)
        assert text(await tools.perform(a_request(FAULTY.release, "host"))) != first
        assert failed(await tools.perform(a_request(FAULTY.release, "toil", seconds=8.0))) == "crashed"


async def test_what_allocates_faster_than_anybody_looks_meets_a_wall(tmp_path):
    async with tools_for(tmp_path, FAULTY, tool_host_memory=100_000_000) as tools:
        outcome = await tools.perform(a_request(FAULTY.release, "gorge", size=2_000_000_000))
        assert isinstance(outcome, Answered)
        assert outcome.is_error
        assert "MemoryError" in text(outcome)


async def test_a_host_a_little_over_its_limit_takes_no_new_calls_and_lets_the_others_finish(tmp_path):
    async with tools_for(tmp_path, FAULTY, tool_host_memory=100_000_000) as tools:
        first = text(await tools.perform(a_request(FAULTY.release, "host")))
        gorging = asyncio.create_task(tools.perform(a_request(FAULTY.release, "gorge", size=100_000_000)))
        await asyncio.sleep(3)
        assert text(await tools.perform(a_request(FAULTY.release, "host"))) != first
        gorging.cancel()
        await asyncio.wait({gorging})
