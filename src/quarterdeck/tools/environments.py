"""A release's locked dependencies on this machine: one virtual environment a lock, built before any call needs it.

Only wheels whose hashes stand in the lock are installed, so that nothing of a package runs here: its first code runs in
a tool host.
"""

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import shutil
import sys
import time
import venv
from collections.abc import Mapping
from pathlib import Path

from quarterdeck.core.log import get
from quarterdeck.core.text import shorten
from quarterdeck.tools.errors import ToolsUnprepared

log = get(__name__)

BUILD_WITHIN = 900.0
_READY = ".ready"
# How pip finds its index and proves whom it talks to; nothing else of our environment is its business.
_FOR_PIP = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXIES = frozenset({"http_proxy", "https_proxy", "no_proxy", "all_proxy"})


def interpreter_of(root: Path, digest: str) -> Path:
    """The Python of a lock's environment, which may not be built yet."""
    return root / "envs" / digest / "bin" / "python"


def is_ready(root: Path, digest: str) -> bool:
    """Whether a lock's environment is complete."""
    return (root / "envs" / digest / _READY).is_file()


async def build(root: Path, digest: str, lock: bytes) -> Path:
    """Build a lock's environment where it is not there yet, and answer its Python.

    One process builds at a time; the others wait for it. Raises ToolsUnprepared with pip's own words.
    """
    place = root / "envs" / digest
    if is_ready(root, digest):
        return interpreter_of(root, digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f".{digest}.lock").open("w") as held:
        await asyncio.to_thread(fcntl.flock, held, fcntl.LOCK_EX)
        if not is_ready(root, digest):
            await _build(place, lock)
    return interpreter_of(root, digest)


async def _build(place: Path, lock: bytes) -> None:
    began = time.monotonic()
    shutil.rmtree(place, ignore_errors=True)
    own_pip = importlib.util.find_spec("pip") is not None
    # Linked, not copied: the environment belongs to this very Python, and is worth nothing without it.
    await asyncio.to_thread(venv.create, place, with_pip=not own_pip, symlinks=True)
    requirements = place / "requirements.lock"
    requirements.write_bytes(lock)
    python = str(place / "bin" / "python")
    pip = [sys.executable, "-I", "-m", "pip", "--python", python] if own_pip else [python, "-I", "-m", "pip"]
    arguments = ["install", "--require-hashes", "--only-binary", ":all:", "--no-input", "--no-cache-dir", "--quiet"]
    process = await asyncio.create_subprocess_exec(
        *pip,
        *arguments,
        "--disable-pip-version-check",
        "--requirement",
        str(requirements),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_environment(os.environ),
    )
    try:
        async with asyncio.timeout(BUILD_WITHIN):
            said, _ = await process.communicate()
    except BaseException as fault:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if isinstance(fault, TimeoutError):
            raise ToolsUnprepared(f"The locked dependencies did not install in {BUILD_WITHIN:g} s.") from fault
        raise
    if process.returncode:
        words = shorten(said.decode("utf-8", "replace").strip(), 3000)
        raise ToolsUnprepared(f"The locked dependencies can't be installed: {words}")
    (place / _READY).write_text("")
    log.info("tools.environment_built", digest=place.name, seconds=round(time.monotonic() - began, 1))


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in ours.items() if name.startswith(_FOR_PIP) or name.lower() in _PROXIES}
    return {"PATH": ours.get("PATH", os.defpath), "HOME": ours.get("HOME", "/"), "LANG": "C.UTF-8", **kept}
