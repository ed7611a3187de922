"""Hosts that a test starts may not outlive it."""

import os
import time
from pathlib import Path

import pytest
import structlog.testing

from quarterdeck.tools.host.processes import MARK


def marked_processes(worker: int | None = None) -> set[int]:
    """Every host of a worker (by default this very process), and all that they have started."""
    mark = f"{MARK}={worker or os.getpid()}-".encode()
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark in (folder / "environ").read_bytes():
                    found.add(int(folder.name))
            except OSError:
                continue
    return found


@pytest.fixture
def logged():
    """What is logged while a test runs."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = marked_processes()
    yield
    deadline = time.monotonic() + 5
    while (left := marked_processes() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, 9)
    assert not left, f"processes left behind: {left}"
