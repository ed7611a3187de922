"""Hosts on the machine: they die with their worker, have their own dependencies, and are asked for their schemas."""

import asyncio
import base64
import contextlib
import hashlib
import io
import os
import signal
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from quarterdeck.core.settings import Settings
from quarterdeck.releases.records import ToolServer
from quarterdeck.tools.errors import ServerUnavailable, ToolsUnprepared
from quarterdeck.tools.extract import extractor
from quarterdeck.tools.folders import place_of, write_out
from quarterdeck.tools.host.processes import resident
from tests.flow.tools.conftest import marked_processes
from tests.flow.tools.test_host import failed, text
from tests.toolbox import Code, a_request, tools_for

ROOT = Path(__file__).parents[3]


async def gone(*pids: int) -> bool:
    for _ in range(100):
        if not any(resident(pid) for pid in pids):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_host_and_what_it_started_end_with_a_worker_that_is_killed(tmp_path):
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.flow.tools.doomed_worker", str(tmp_path),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert worker.stdout is not None
    try:
        told = (await worker.stdout.readline()).decode().split()
        (host, child), scratch = [int(pid) for pid in told[:-1]], told[-1]
        assert resident(host)
        assert resident(child)
        await asyncio.sleep(0.3)
    finally:
        with contextlib.suppress(ProcessLookupError):
            worker.send_signal(signal.SIGKILL)
        await worker.wait()
    assert await gone(host, child)
    assert not marked_processes(worker.pid)
    assert await without(scratch)


async def without(folder: str) -> bool:
    for _ in range(100):
        if not os.path.exists(folder):  # noqa: ASYNC240  # quick
            return True
        await asyncio.sleep(0.05)
    return False


def a_wheel(name: str, version: str, source: str) -> bytes:
    """A wheel of one module, as small as they come."""
    files = {
        f"{name}.py": source,
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
        for path, content in files.items()
    }
    record = "".join(f"{path},sha256={digests[path]},{len(content)}\n" for path, content in files.items())
    whole = {**files, f"{name}-{version}.dist-info/RECORD": record + f"{name}-{version}.dist-info/RECORD,,\n"}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in whole.items():
            archive.writestr(path, content)
    return packed.getvalue()


def a_lock(folder: Path, *, digest: str | None = None) -> bytes:
    """A lock file that names one wheel, to be found in the folder."""
    wheel = a_wheel("qd_locked", "1.0", "WORD = 'locked'\n")
    (folder / "qd_locked-1.0-py3-none-any.whl").write_bytes(wheel)
    found = digest or hashlib.sha256(wheel).hexdigest()
    return f"--no-index\n--find-links {folder}\nqd_locked==1.0 --hash=sha256:{found}\n".encode()


LOCKED = '''
    @tool(effect="read")
    def word() -> dict:
        """Where the dependency comes from."""
        import sys
        import qd_locked
        return {"word": qd_locked.WORD, "file": qd_locked.__file__, "prefix": sys.prefix}
'''


async def test_locked_dependencies_are_installed_once_and_before_any_call(tmp_path):
    code = Code(LOCKED, lock=a_lock(tmp_path))
    async with tools_for(tmp_path / "state", code) as tools:
        await asyncio.gather(*(tools.prepare(code.release) for _ in range(3)))
        outcome = await tools.perform(a_request(code.release, "word"))
        assert outcome.structured["word"] == "locked", outcome
        digest = code.release.servers[0].lock_digest
        assert outcome.structured["prefix"] == str(tmp_path / "state" / "envs" / digest)
        assert outcome.structured["file"].startswith(outcome.structured["prefix"])
        for path in tmp_path.glob("*.whl"):
            path.unlink()
        await tools.prepare(code.release)


@pytest.mark.parametrize(
    "lock",
    [b"qd_locked==1.0\n", b"qd_missing==1.0 --hash=sha256:" + b"0" * 64 + b"\n"],
    ids=["without hashes", "not to be had"],
)
async def test_a_lock_that_can_not_be_installed_says_why(tmp_path, lock):
    code = Code(LOCKED, lock=b"--no-index\n--find-links " + str(tmp_path).encode() + b"\n" + lock)
    async with tools_for(tmp_path / "state", code) as tools:
        with pytest.raises(ToolsUnprepared, match=r"(?i)hash|no matching distribution|could not find"):
            await tools.prepare(code.release)
        assert failed(await tools.perform(a_request(code.release, "word"))) == "host_failed"


async def test_a_wheel_with_another_hash_is_not_installed(tmp_path):
    code = Code(LOCKED, lock=a_lock(tmp_path, digest="0" * 64))
    async with tools_for(tmp_path / "state", code) as tools:
        with pytest.raises(ToolsUnprepared, match="HASHES"):
            await tools.prepare(code.release)


async def test_written_out_files_are_readable_and_can_not_be_changed(tmp_path):
    files = {"tools.py": b"x", "parts/more.py": b"y"}
    folder = write_out(tmp_path, "a" * 64, files, {})
    assert folder == place_of(tmp_path, "a" * 64)
    assert (folder / "parts/more.py").read_bytes() == b"y"
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o222 for path in [folder, *folder.rglob("*")])
    assert write_out(tmp_path, "a" * 64, {}, {}) == folder
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["a" * 64]


@pytest.mark.parametrize("name", ["../out.py", "/etc/out.py", "a/../../out.py", "", "a\0b"])
async def test_a_file_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    with pytest.raises(ToolsUnprepared, match="leads out"):
        write_out(tmp_path, "a" * 64, {name: b"x"}, {})
    assert not list((tmp_path / "releases").iterdir())


async def test_schemas_are_extracted_with_the_authors_marks(tmp_path):
    code = Code('''
        @tool(effect="payment", repeat="keyed", timeout=5)
        def refund(order: str, amount: int = 1) -> str:
            """Pay back."""
            return "paid"

        @tool
        async def look(order: str) -> str:
            """Look."""
            return "seen"
    ''')
    extract = extractor(Settings.model_validate({"data_dir": tmp_path}))
    found = await extract(code.release.servers, code.files)
    refund, look = found["code"]
    assert (refund.name, refund.description) == ("refund", "Pay back.")
    assert refund.parameters["required"] == ["order"]
    assert refund.marks == {"effect": "payment", "repeat": "keyed", "timeout": 5}
    assert look.marks == {}
    async with tools_for(tmp_path, code) as tools:
        assert text(await tools.perform(a_request(code.release, "refund", order="o"))) == "paid"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import not_there\n", "not_there"),
        ("from quarterdeck.tools.author import tool\n@tool\ndef act(x: object, *y): 'Act.'\n", "act"),
        ("raise RuntimeError('not today')\n", "not today"),
        ("import os\nos._exit(7)\n", "did not start"),
    ],
)
async def test_code_that_can_not_be_loaded_is_told_to_its_author(tmp_path, source, words):
    extract = extractor(Settings.model_validate({"data_dir": tmp_path}))
    with pytest.raises(ServerUnavailable, match=words):
        await extract([ToolServer("code", "python", module="tools.py")], {"tools.py": source.encode()})


@pytest.mark.parametrize("module", ["missing.py", "json.py"])
async def test_a_module_that_is_not_there_or_hides_a_standard_one_is_told(tmp_path, module):
    extract = extractor(Settings.model_validate({"data_dir": tmp_path}))
    with pytest.raises(ServerUnavailable, match=module):
        await extract([ToolServer("code", "python", module=module)], {"tools.py": b"", "json.py": b""})


async def test_modules_in_folders_are_found_by_file_and_by_name(tmp_path):
    files = {
        "desk/__init__.py": b"",
        "desk/orders.py": b"from quarterdeck.tools.author import tool\nfrom desk.parts import WORD\n"
        b"@tool\ndef say() -> str:\n    'Say.'\n    return WORD\n",
        "desk/parts.py": b"WORD = 'x'\n",
    }
    extract = extractor(Settings.model_validate({"data_dir": tmp_path}))
    for module in ("desk/orders.py", "desk.orders"):
        found = await extract([ToolServer("code", "python", module=module)], files)
        assert [tool.name for tool in found["code"]] == ["say"]
