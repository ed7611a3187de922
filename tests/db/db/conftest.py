"""What the tests of the embedded server share: folders of their own, and a look at the processes on them."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.servers import quick_folder


@pytest.fixture
def home():
    """A data folder that root alone may enter, as fresh folders of root's are. Nothing may run on it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-embedded-", dir=quick_folder()))
    yield folder
    left = servers_on(folder)
    for process in left:
        process.kill()
    shutil.rmtree(folder)
    assert left == [], "a server was left running"


def servers_on(home: Path) -> list[psutil.Process]:
    """The PostgreSQL processes whose data lies in this data folder."""
    folder = home / "postgres"
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.name().startswith("postgres") and os.path.samefile(process.cwd(), folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


async def query(url: str, statement: str) -> object:
    """The first value of a statement, on a connection of its own."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def eventually(condition: Callable[[], bool], *, within: float = 20.0) -> None:
    """Wait until `condition` holds; fails when it does not come to."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.02)
