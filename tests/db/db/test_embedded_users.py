"""The embedded PostgreSQL under other users: started by root, by two users with names, and by one without."""

import asyncio
import os
import pwd
import shutil
import stat
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from quarterdeck.db import embedded_binaries
from quarterdeck.db.embedded import EmbeddedPostgres
from quarterdeck.db.embedded_binaries import Install, find_installs
from quarterdeck.db.embedded_faults import FolderNotPermitted, NamelessUser
from tests.db.db.conftest import query, servers_on
from tests.marks import as_root
from tests.servers import quick_folder

pytestmark = [as_root, pytest.mark.root]

NAMELESS = 54321


def as_user(uid: int, gid: int, work: Callable[[], str]) -> str:
    """What `work` answers in a child process that runs as this user and nothing more; its error's name if it raises."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            answer = work()
        except Exception as fault:
            traceback.print_exc(file=sys.stderr)
            answer = f"{type(fault).__name__}: {fault}"
        os.write(write_end, answer.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return answer


@pytest.fixture
def open_dir():
    """A folder that belongs to nobody yet and that everybody can walk to."""
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-users-", dir=quick_folder()))
    folder.chmod(0o755)
    yield folder
    left = servers_on(folder / "data")
    for process in left:
        process.kill()
    shutil.rmtree(folder)
    assert left == []


def start_twice(home: Path) -> str:
    """Start, write, stop, start again, read; answers what was read and as whom the server ran."""
    server = EmbeddedPostgres(home)
    server.start()
    asyncio.run(query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer"))
    server.stop()
    return start_again(home)


def start_again(home: Path) -> str:
    server = EmbeddedPostgres(home)
    server.start()
    answer = asyncio.run(query(server.url, "SELECT answer FROM kept"))
    uid = psutil.Process(server.pid).uids().effective
    server.stop()
    return f"{answer} as {uid}"


def reachable_by_others() -> None:
    if any(not folder.stat().st_mode & stat.S_IXOTH for folder in find_installs()[0].program("postgres").parents):
        pytest.skip("this installation lies where other users can't reach it")


@pytest.mark.parametrize("name", ["daemon", "nobody"])
def test_an_ordinary_user_runs_it_as_itself(open_dir, name):
    reachable_by_others()
    user = pwd.getpwnam(name)
    (open_dir / "data").mkdir(mode=0o700)
    os.chown(open_dir / "data", user.pw_uid, user.pw_gid)
    assert as_user(user.pw_uid, user.pw_gid, lambda: start_twice(open_dir / "data")) == f"42 as {user.pw_uid}"


def test_a_user_without_a_name_is_told_what_to_do_and_leaves_nothing_behind(open_dir):
    reachable_by_others()
    (open_dir / "data").mkdir(mode=0o700)
    os.chown(open_dir / "data", NAMELESS, NAMELESS)
    answer = as_user(NAMELESS, NAMELESS, lambda: start_twice(open_dir / "data"))
    assert answer.startswith(f"{NamelessUser.__name__}: PostgreSQL makes a new data folder only for a user")
    assert not (open_dir / "data" / "postgres").exists()


def test_a_user_without_a_name_can_serve_a_folder_that_was_made_before(open_dir):
    reachable_by_others()
    assert start_twice(open_dir / "data").startswith("42 as ")
    for path in [open_dir / "data", *(open_dir / "data").rglob("*")]:
        os.chown(path, NAMELESS, NAMELESS)
    assert as_user(NAMELESS, NAMELESS, lambda: start_again(open_dir / "data")) == f"42 as {NAMELESS}"


def test_root_hands_it_to_another_user_and_keeps_the_password_to_itself(open_dir):
    answer = start_twice(open_dir / "data")
    owner = (open_dir / "data" / "postgres").stat()
    assert answer == f"42 as {owner.st_uid}"
    assert owner.st_uid != 0
    assert pwd.getpwuid(owner.st_uid).pw_name != "nobody"
    password = (open_dir / "data" / "postgres.password").stat()
    assert (password.st_uid, stat.S_IMODE(password.st_mode)) == (0, 0o600)


def test_root_may_keep_its_data_where_nobody_else_can_walk_to(home):
    """`home` itself is root's and closed; no mode of any folder on the way is changed for the database's user."""
    inner = home / "closed" / "project"
    inner.mkdir(parents=True)
    (home / "closed").chmod(0o700)
    folders = [inner, *inner.parents]
    before = [folder.stat().st_mode for folder in folders]
    assert start_twice(inner).startswith("42 as ")
    assert [folder.stat().st_mode for folder in folders] == before


@pytest.fixture
def closed_install(home: Path) -> Install:
    """The wheel's newest PostgreSQL in a folder that only root may enter, as in an environment under /root."""
    original = find_installs()[0]
    closed = home / "venv"
    closed.mkdir(mode=0o700)
    package = original.folder.parent
    shutil.copytree(original.folder, closed / package.name / original.folder.name, symlinks=True)
    if (package.parent / f"{package.name}.libs").is_dir():
        shutil.copytree(package.parent / f"{package.name}.libs", closed / f"{package.name}.libs")
    return Install(closed / package.name / original.folder.name, original.major)


def test_programs_that_the_user_can_not_reach_are_copied_once(home, open_dir, closed_install, monkeypatch):
    monkeypatch.setattr(embedded_binaries, "SHELVES", (open_dir / "shelf",))
    server = EmbeddedPostgres(home, installs=[closed_install])
    server.start()
    assert Path(psutil.Process(server.pid).exe()).is_relative_to(open_dir / "shelf")
    assert asyncio.run(query(server.url, "SELECT 1")) == 1
    server.stop()
    (copy,) = (open_dir / "shelf").iterdir()
    made = copy.stat().st_ctime_ns
    server.start()
    server.stop()
    assert [(path, path.stat().st_ctime_ns) for path in (open_dir / "shelf").iterdir()] == [(copy, made)]
    assert all(path.stat().st_uid == 0 for path in (open_dir / "shelf").rglob("*"))
    assert stat.S_IMODE(closed_install.folder.parents[1].stat().st_mode) == 0o700


def test_a_shelf_that_others_may_write_to_is_not_trusted(home, open_dir, closed_install, monkeypatch):
    monkeypatch.setattr(embedded_binaries, "SHELVES", (open_dir / "shelf",))
    (open_dir / "shelf").mkdir()
    (open_dir / "shelf").chmod(0o777)
    with pytest.raises(FolderNotPermitted, match="no copy could be put"):
        EmbeddedPostgres(home, installs=[closed_install]).start()
    assert list((open_dir / "shelf").iterdir()) == []


def test_somebody_elses_folder_is_refused_by_name(open_dir):
    reachable_by_others()
    daemon, other = pwd.getpwnam("daemon"), pwd.getpwnam("nobody")
    folder = open_dir / "data" / "postgres"
    folder.mkdir(parents=True)
    os.chown(open_dir / "data", other.pw_uid, other.pw_gid)
    os.chown(folder, daemon.pw_uid, daemon.pw_gid)
    answer = as_user(other.pw_uid, other.pw_gid, lambda: start_twice(open_dir / "data"))
    assert answer.startswith("FolderNotPermitted: ")
    assert "belongs to daemon and this process runs as nobody" in answer


def test_a_folder_that_may_not_be_written_is_refused(open_dir):
    user = pwd.getpwnam("nobody")
    answer = as_user(user.pw_uid, user.pw_gid, lambda: start_twice(open_dir / "data"))
    assert answer.startswith("FolderNotPermitted: ")
    assert "Permission denied" in answer
