"""Attacks from inside a tool host, in real hosts: each meets a wall, and nothing else is harmed."""

import asyncio
import json
import os
import shutil
import socket
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.settings import Settings
from quarterdeck.releases.records import ToolServer
from quarterdeck.tools import sandbox
from quarterdeck.tools.errors import ServerUnavailable
from quarterdeck.tools.extract import extractor
from quarterdeck.tools.host.processes import descendants
from quarterdeck.tools.records import Answered
from quarterdeck.tools.sandbox import Bubblewrap, Missing, Mode, Wanted
from tests.flow.tools.conftest import marked_processes
from tests.flow.tools.test_host import failed, text
from tests.flow.tools.test_stdio import acting, older
from tests.marks import as_root
from tests.toolbox import Bundle, Code, a_request, tools_for

FOUND = sandbox.find()
walled = pytest.mark.skipif(isinstance(FOUND, Missing), reason=f"no sandbox here: {getattr(FOUND, 'why', '')}")

HOSTILE = Code('''
    import os, pathlib, signal, socket, subprocess

    def tried(work):
        try:
            return str(work())
        except OSError as fault:
            return fault.strerror or type(fault).__name__

    @tool(effect="read")
    def reach(host: str, port: int) -> str:
        """Connect somewhere."""
        def work():
            with socket.create_connection((host, port), timeout=2):
                return "open"
        return tried(work)

    @tool(effect="read")
    def read(path: str) -> str:
        """Read a file or a folder."""
        place = pathlib.Path(path)
        return tried(lambda: sorted(os.listdir(place)) if place.is_dir() else place.read_bytes()[:200])

    @tool(effect="read")
    def see() -> dict:
        """All processes, users and mounts that there are to be seen."""
        processes = [name for name in os.listdir("/proc") if name.isdigit()]
        return {"processes": len(processes), "ids": [os.getpid(), os.getppid()], "root": sorted(os.listdir("/"))}

    @tool(effect="write")
    def write(path: str) -> str:
        """Write a file."""
        return tried(lambda: pathlib.Path(path).write_text("mine"))

    @tool(effect="write")
    def write_own(context: Context) -> list:
        """Write where one may."""
        places = [context.scratch / "a", pathlib.Path("/tmp/b"), pathlib.Path("/dev/shm/c"), pathlib.Path.home() / "d"]
        return [tried(lambda place=place: place.write_text("mine")) for place in places]

    @tool(effect="write", timeout=60)
    def fill(context: Context) -> list:
        """Write until there is no room."""
        written, block = 0, b"x" * 1_000_000
        for number in range(100_000):
            try:
                (context.scratch / str(number)).write_bytes(block)
            except OSError as fault:
                return [written, fault.strerror]
            written += len(block)
        return [written, "no end"]

    @tool(effect="write")
    def signal_to(pid: int) -> str:
        """End somebody."""
        return tried(lambda: os.kill(pid, signal.SIGKILL))

    @tool(effect="write")
    def signal_all() -> str:
        """End everybody."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return tried(lambda: os.kill(-1, signal.SIGTERM))

    @tool(effect="read", timeout=30)
    def multiply() -> int:
        """A fork bomb, as far as it gets."""
        born = 0
        for _ in range(5_000):
            try:
                if os.fork() == 0:
                    signal.pause()
                    os._exit(0)
                born += 1
            except OSError:
                break
        return born

    @tool(effect="read")
    def call_the_kernel() -> dict:
        """System calls that no honest tool makes, and some that all make."""
        import ctypes, threading
        libc = ctypes.CDLL(None, use_errno=True)
        def said(*call):
            ctypes.set_errno(0)
            return os.strerror(ctypes.get_errno()) if libc.syscall(*call) < 0 else "done"
        arm = os.uname().machine == "aarch64"
        new_user = ctypes.c_ulong(0x10000000 | signal.SIGCHLD)
        found = {
            "unshare": said(97 if arm else 272, ctypes.c_ulong(0x10000000)),
            "clone": said(220 if arm else 56, new_user, 0, 0, 0, 0),
            "io_uring": said(425, 8, None),
            "ptrace": said(117 if arm else 101, 0, 0, 0, 0),
        }
        threads = [threading.Thread(target=lambda: None) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found["child"] = subprocess.run(["echo", "well"], capture_output=True, text=True).stdout.strip()
        return found

    @tool(effect="read")
    def rise() -> list:
        """Get rights."""
        mounted = subprocess.run(["mount", "-t", "tmpfs", "none", "/usr"], capture_output=True).returncode
        remounted = subprocess.run(["mount", "-o", "remount,rw", "/"], capture_output=True).returncode
        suid = subprocess.run(["su", "-c", "id"], stdin=subprocess.DEVNULL, capture_output=True).returncode
        return [mounted != 0, remounted != 0, suid != 0, tried(lambda: os.setuid(0)) if os.getuid() else "no need"]
''')


def listed(outcome) -> list:
    return json.loads(text(outcome))


def walls_of(host) -> dict[str, str]:
    return {name: words for name, _, words in (measure.partition("=") for measure in host.isolation)}


@walled
async def test_a_tool_reaches_neither_the_database_nor_the_clouds_metadata_nor_anybody(tmp_path):
    async with tools_for(tmp_path, HOSTILE) as tools:
        with socket.create_server(("127.0.0.1", 0)) as database:
            port = database.getsockname()[1]
            for host in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "8.8.8.8"):
                told = text(await tools.perform(a_request(HOSTILE.release, "reach", host=host, port=port)))
                assert told in {"Connection refused", "Network is unreachable"}, (host, told)
        assert walls_of(tools.statistics().hosts[0])["network"] == "none"


@walled
async def test_what_a_release_declares_is_reached_and_that_it_is_not_held_to_it_is_said(tmp_path):
    server = replace(HOSTILE.release.servers[0], network=("127.0.0.1:5432",))
    release = replace(HOSTILE.release, servers=(server,))
    async with tools_for(tmp_path, Bundle(release, HOSTILE.files)) as tools:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            assert text(await tools.perform(a_request(release, "reach", host="127.0.0.1", port=port))) == "open"
        assert walls_of(tools.statistics().hosts[0])["network"] == "declared hosts, not enforced by address"


@walled
async def test_a_tool_sees_no_process_but_its_own_and_not_the_workers_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET_OF_THE_WORKER", "swordfish")
    async with tools_for(tmp_path, HOSTILE) as tools:
        seen = (await tools.perform(a_request(HOSTILE.release, "see"))).structured
        assert seen["processes"] == 2
        assert seen["ids"][1] == 1
        for pid in (os.getpid(), os.getppid(), tools.statistics().hosts[0].pid):
            for what in ("environ", "mem", "cmdline", "root/etc/passwd"):
                told = text(await tools.perform(a_request(HOSTILE.release, "read", path=f"/proc/{pid}/{what}")))
                assert told in {"No such file or directory", "Permission denied"}, (pid, what, told)
        first = text(await tools.perform(a_request(HOSTILE.release, "read", path="/proc/1/environ")))
        assert "swordfish" not in first


@walled
async def test_files_of_the_machine_and_of_other_releases_are_not_there(tmp_path):
    other = Code('@tool(effect="read")\ndef other() -> str:\n    """Another release."""\n    return "x"')
    (tmp_path / "secret.key").write_text("swordfish")
    async with tools_for(tmp_path, HOSTILE, other) as tools:
        assert text(await tools.perform(a_request(other.release, "other"))) == "x"
        theirs = tmp_path / "releases" / other.release.id
        assert (theirs / "tools.py").exists()
        gone = ["/etc/shadow", "/root/.ssh", "/home", "/var/log", "/run", "/sys/class", "/boot", "/proc/kcore"]
        for path in (*gone, str(theirs / "tools.py"), str(tmp_path / "secret.key"), str(Path.cwd() / "pyproject.toml")):
            told = text(await tools.perform(a_request(HOSTILE.release, "read", path=path)))
            assert told in {"No such file or directory", "Permission denied"}, (path, told)
        own = str(tmp_path / "releases")
        assert text(await tools.perform(a_request(HOSTILE.release, "read", path=own))) == f"['{HOSTILE.release.id}']"
        assert text(await tools.perform(a_request(HOSTILE.release, "read", path=str(tmp_path)))) == "['releases']"


@walled
async def test_a_tool_writes_to_its_scratch_and_nowhere_else(tmp_path):
    async with tools_for(tmp_path, HOSTILE) as tools:
        release = str(tmp_path / "releases" / HOSTILE.release.id / "tools.py")
        forbidden = ["/usr/bin/evil", "/etc/evil", "/evil", "/dev/evil", "/proc/sys/kernel/hostname", "/var/tmp/evil"]
        for path in (*forbidden, release, f"{Path.cwd()}/src/quarterdeck/evil.py", f"{sys.prefix}/evil"):
            told = text(await tools.perform(a_request(HOSTILE.release, "write", path=path)))
            assert told in {"Read-only file system", "Permission denied", "No such file or directory"}, (path, told)
        assert listed(await tools.perform(a_request(HOSTILE.release, "write_own"))) == ["4"] * 4
    assert not os.path.exists("/tmp/b"), "its /tmp is its own"  # noqa: ASYNC240  # quick


@walled
async def test_folders_that_the_deployment_opens_can_be_read_and_written(tmp_path):
    kept, shared = tmp_path / "kept", tmp_path / "shared"
    kept.mkdir()
    kept.chmod(0o777 | stat.S_ISVTX)
    shared.mkdir()
    (shared / "table").write_text("common")
    reads = f"{shared}, /nowhere"
    async with tools_for(tmp_path / "data", HOSTILE, tool_host_writes=str(kept), tool_host_reads=reads) as tools:
        assert text(await tools.perform(a_request(HOSTILE.release, "write", path=str(kept / "note")))) == "4"
        assert "common" in text(await tools.perform(a_request(HOSTILE.release, "read", path=str(shared / "table"))))
        told = text(await tools.perform(a_request(HOSTILE.release, "write", path=str(shared / "note"))))
        assert told == "Read-only file system"
        assert walls_of(tools.statistics().hosts[0])["files"] == f"read-only but for {kept}"
    assert (kept / "note").read_text() == "mine"


@walled
async def test_a_disk_can_not_be_filled(tmp_path):
    room = shutil.disk_usage("/tmp").used
    async with tools_for(tmp_path, HOSTILE, tool_host_scratch=20_000_000) as tools:
        told = listed(await tools.perform(a_request(HOSTILE.release, "fill")))
        assert told[1] == "No space left on device"
        assert told[0] <= 20_000_000
        assert shutil.disk_usage("/tmp").used - room < 10_000_000
        assert isinstance(await tools.perform(a_request(HOSTILE.release, "see")), Answered)


@walled
async def test_signals_reach_nobody_outside(tmp_path):
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        async with tools_for(tmp_path, HOSTILE) as tools:
            host = tools.statistics
            for pid in (os.getpid(), bystander.pid):
                told = text(await tools.perform(a_request(HOSTILE.release, "signal_to", pid=pid)))
                assert told == "No such process"
            await tools.perform(a_request(HOSTILE.release, "signal_all"))
            assert bystander.returncode is None
            assert (await tools.perform(a_request(HOSTILE.release, "see"))).structured["processes"] == 2
            assert host().started == 1
    finally:
        bystander.kill()
        await bystander.wait()


@walled
async def test_a_fork_bomb_meets_its_limit_and_is_gone_with_its_host(tmp_path):
    if os.geteuid() == 0 and isinstance(FOUND, Bubblewrap) and FOUND.own_users:
        pytest.skip("root without a user of its own for the host has no limit on processes here")
    release = replace(HOSTILE.release, tenant=TenantId(uuid7()))
    async with tools_for(tmp_path, HOSTILE, tool_host_memory=16 * 1024**3) as tools:
        assert 1 < int(text(await tools.perform(a_request(release, "multiply")))) < 256
        born = descendants(tools.statistics().hosts[0].pid)
        assert born
        assert not [pid for pid in born if pid == os.getpid()]
    assert not marked_processes()


@walled
async def test_rights_can_not_be_had_inside(tmp_path):
    async with tools_for(tmp_path, HOSTILE) as tools:
        result = listed(await tools.perform(a_request(HOSTILE.release, "rise")))
        assert result[:3] == [True, True, True]
        assert result[3] in {"Operation not permitted", "no need"}


@pytest.mark.parametrize("found", [FOUND, Missing("a test does without", "nothing")], ids=["here", "without walls"])
@pytest.mark.skipif(os.uname().machine not in {"x86_64", "aarch64"}, reason="the filter knows these two only")
async def test_calls_that_attacks_on_the_kernel_are_made_of_are_refused(tmp_path, monkeypatch, found):
    monkeypatch.setattr(sandbox, "find", lambda: found)
    async with tools_for(tmp_path, HOSTILE) as tools:
        said = (await tools.perform(a_request(HOSTILE.release, "call_the_kernel"))).structured
        assert said.pop("child") == "well"
        assert set(said.values()) == {"Operation not permitted"}, said
        assert walls_of(tools.statistics().hosts[0])["syscalls"] == "filtered"


@walled
@as_root
async def test_root_without_another_user_is_held_by_the_walls_too(tmp_path):
    async with tools_for(tmp_path, HOSTILE, tool_host_uid=0) as tools:
        for path in ("/etc/shadow", str(tmp_path / "secret.key")):
            assert "No such file" in text(await tools.perform(a_request(HOSTILE.release, "read", path=path)))
        for path in ("/usr/bin/evil", "/proc/sys/vm/swappiness", "/proc/sysrq-trigger"):
            told = text(await tools.perform(a_request(HOSTILE.release, "write", path=path)))
            assert told in {"Read-only file system", "Permission denied", "No such file or directory"}, (path, told)
        result = listed(await tools.perform(a_request(HOSTILE.release, "rise")))
        assert result[:2] == [True, True]


@walled
async def test_a_command_stands_in_the_same_walls(tmp_path):
    look = """
import os, socket
def tried(work):
    try: return str(work())
    except OSError as fault: return fault.strerror
told = [
    tried(lambda: socket.create_connection(("127.0.0.1", 9), timeout=1)),
    tried(lambda: open("/etc/shadow").read()),
    tried(lambda: open("/usr/evil", "w")),
    str(os.getppid()),
    os.environ.get("LD_PRELOAD", ""),
]
say(id=id, result={"content": [{"type": "text", "text": "; ".join(told)}]})
""".strip().replace("\n", "\n        ")
    server = replace(older(look), environment={"LD_PRELOAD": "/nowhere/evil.so"})
    async with tools_for(tmp_path) as tools:
        outcome = text(await tools.perform(a_request(acting(server), "act")))
        refused, shadow, usr, parent, preload = outcome.split("; ")
        assert refused in {"Connection refused", "Network is unreachable"}
        assert shadow == "No such file or directory"
        assert usr in {"Read-only file system", "Permission denied"}
        assert parent == "1"
        # It is the command's own variable, and nobody's who starts with the worker's rights.
        assert preload == "/nowhere/evil.so"
        assert walls_of(tools.statistics().hosts[0])["network"] == "none"


async def test_a_release_can_not_run_code_before_its_host_is_confined(tmp_path):
    code = Code('''
        import os

        @tool(effect="read")
        def environment() -> dict:
            """What is set."""
            return dict(os.environ)
    ''')
    theirs = {"LD_PRELOAD": "/nowhere/evil.so", "REGION": "eu", "QUARTERDECK_HOST": "another"}
    server = replace(code.release.servers[0], environment=theirs)
    release = replace(code.release, servers=(server,))
    async with tools_for(tmp_path, Bundle(release, code.files)) as tools:
        found = (await tools.perform(a_request(release, "environment"))).structured
        host = tools.statistics().hosts[0]
    assert (found["REGION"], found["LD_PRELOAD"]) == ("eu", "/nowhere/evil.so")
    assert found["QUARTERDECK_HOST"] != "another"
    assert host.isolation


async def test_where_a_sandbox_is_required_and_there_is_none_no_tool_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "find", lambda: Missing("bubblewrap is not installed", "install it"))
    async with tools_for(tmp_path, HOSTILE, tool_sandbox="require") as tools:
        outcome = await tools.perform(a_request(HOSTILE.release, "see"))
        assert failed(outcome) == "host_failed"
        assert not outcome.retryable
        assert "bubblewrap is not installed" in outcome.message
        assert not tools.statistics().hosts
    extract = extractor(Settings.model_validate({"data_dir": tmp_path, "tool_sandbox": "require"}))
    with pytest.raises(ServerUnavailable, match="QUARTERDECK_TOOL_SANDBOX=require"):
        await extract([ToolServer("code", "python", module="tools.py")], HOSTILE.files)
    async with tools_for(tmp_path, HOSTILE, tool_sandbox="auto") as tools:
        assert isinstance(await tools.perform(a_request(HOSTILE.release, "see")), Answered)
        assert walls_of(tools.statistics().hosts[0])["network"] == "open"


async def test_a_wall_that_is_missing_keeps_the_host_from_starting(tmp_path, monkeypatch):
    """A bubblewrap that builds nothing, as a broken one might: the host looks at its walls itself."""
    broken = tmp_path / "bwrap"
    broken.write_text('#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done\nshift\nexec "$@"\n')
    broken.chmod(0o755)
    monkeypatch.setattr(sandbox, "find", lambda: Bubblewrap(str(broken), "0", ()))
    async with tools_for(tmp_path, HOSTILE) as tools:
        outcome = await tools.perform(a_request(HOSTILE.release, "see"))
        assert failed(outcome) == "host_failed"
        assert "Unconfined" in outcome.message


@walled
@pytest.mark.skipif(os.geteuid() != 0, reason="tries another way than its own user's")
async def test_it_also_holds_in_a_user_namespace_as_for_workers_that_are_not_root(tmp_path, monkeypatch):
    program = shutil.which("bwrap") or ""
    flags = next((flags for flags in sandbox._ways()[1:] if sandbox._try(program, flags)[0]), None)
    if flags is None:
        pytest.skip(f"no user namespaces here: {sandbox._try(program, ('--unshare-user',))[1]}")
    monkeypatch.setattr(sandbox, "find", lambda: Bubblewrap(program, "of a user namespace", flags))
    async with tools_for(tmp_path, HOSTILE) as tools:
        seen = (await tools.perform(a_request(HOSTILE.release, "see"))).structured
        assert seen["processes"] == 2
        told = text(await tools.perform(a_request(HOSTILE.release, "reach", host="127.0.0.1", port=5432)))
        assert told in {"Connection refused", "Network is unreachable"}
        assert "No such file" in text(await tools.perform(a_request(HOSTILE.release, "read", path="/etc/shadow")))
        assert listed(await tools.perform(a_request(HOSTILE.release, "write_own"))) == ["4"] * 4


def test_what_the_settings_say_of_sandboxes():
    plain = Wanted.of(Settings())
    assert (plain.mode, plain.reads, plain.writes) == (Mode.AUTO, (), ())
    said = {"tool_sandbox": "require", "tool_host_reads": "/a, /b,", "tool_host_writes": "/c"}
    chosen = Wanted.of(Settings.model_validate(said))
    assert (chosen.mode, chosen.reads, chosen.writes) == (Mode.REQUIRE, ("/a", "/b"), ("/c",))
