"""The embedded PostgreSQL: made, found again, killed in every way, and refusing what it must refuse."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from quarterdeck.core.errors import Unavailable
from quarterdeck.core.settings import Settings
from quarterdeck.db.embedded import EmbeddedPostgres, kept_url
from quarterdeck.db.embedded_binaries import find_installs
from quarterdeck.db.embedded_faults import (
    AlreadyRunning,
    FolderNotPermitted,
    HostDiskFull,
    OtherVersion,
    PortTaken,
    StartFailed,
)
from quarterdeck.db.faults import DatabaseAway, DatabaseFull
from quarterdeck.db.migrations import migrate
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from tests.db.db.conftest import eventually, query, servers_on
from tests.servers import SECRET

SUPERVISOR = """
import sys, time
from pathlib import Path
from quarterdeck.db.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.url, flush=True)
time.sleep(600)
"""


def start_supervisor(home: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that runs a server on this folder; answers it with the server's URL."""
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


async def test_a_first_start_makes_a_server_that_asks_for_its_password_on_tcp_only(home):
    async with EmbeddedPostgres(home) as server:
        assert await query(server.url, "SELECT current_setting('password_encryption')") == "scram-sha-256"
        assert await query(server.url, "SELECT current_setting('unix_socket_directories')") == ""
        listening = [c.laddr for c in psutil.Process(server.pid).net_connections("tcp") if c.status == "LISTEN"]
        assert listening == [("127.0.0.1", server.port)]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await query(f"postgresql://postgres:wrong@127.0.0.1:{server.port}/postgres", "SELECT 1")
        methods = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
        assert await query(server.url, methods) == ["scram-sha-256"]
        for file in ("postgres.password", "postgres.port", "postgres.lock", "postgres.log"):
            assert stat.S_IMODE((home / file).stat().st_mode) == 0o600, file
        assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700
    assert servers_on(home) == []


async def test_its_settings_keep_every_commit(home):
    async with EmbeddedPostgres(home) as server:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await query(server.url, f"SELECT current_setting('{name}')") == "on"
        assert await query(server.url, "SELECT current_setting('data_checksums')") == "on"


async def test_a_second_start_finds_port_password_and_data_again_and_is_quick(home):
    async with EmbeddedPostgres(home) as server:
        url = server.url
        await query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    took: list[float] = []
    for _ in range(3):
        began = time.monotonic()
        async with EmbeddedPostgres(home) as server:
            took.append(time.monotonic() - began)
            assert server.url == url
            assert await query(url, "SELECT answer FROM kept") == 42
    assert min(took) < 0.3


async def test_another_command_finds_the_servers_url_in_its_folder(home):
    assert kept_url(home) is None
    async with EmbeddedPostgres(home) as server:
        assert kept_url(home) == server.url
    assert kept_url(home) == server.url


async def test_after_kill_9_the_server_is_back_with_all_that_was_committed(home):
    deaths: list[int] = []
    async with EmbeddedPostgres(home, on_death=deaths.append) as server:
        settings = Settings.model_validate({"database_url": server.url, "secret_key": SECRET})
        await migrate(settings)
        database = await Database.open(urls_of(settings))
        tenant = "00000000-0000-7000-8000-000000000001"
        for number in range(20):
            async with database.system.transaction() as tx:
                await tx.execute(
                    "INSERT INTO qd.idempotency (tenant, key, digest) VALUES ($1, $2, '')", tenant, str(number)
                )
        first = server.pid
        os.kill(first, signal.SIGKILL)
        # Until its backends have noticed, one of them may still answer.
        await asyncio.to_thread(eventually, lambda: server.pid not in {0, first})
        seen = None
        async with asyncio.timeout(20):
            while seen is None:
                try:
                    async with database.system.transaction() as tx:
                        seen = await tx.fetchval("SELECT count(*) FROM qd.idempotency")
                except Unavailable:
                    await asyncio.sleep(0.02)
        assert seen == 20
        assert deaths == [-signal.SIGKILL]
        await database.close()


async def test_it_comes_back_as_often_as_it_dies(home):
    async with EmbeddedPostgres(home) as server:
        for _ in range(3):
            pid = server.pid
            os.kill(pid, signal.SIGKILL)
            await asyncio.to_thread(eventually, lambda pid=pid: server.pid not in {0, pid})
            assert await query(server.url, "SELECT 1") == 1


async def test_a_frozen_server_can_still_be_stopped(home):
    server = EmbeddedPostgres(home)
    await asyncio.to_thread(server.start)
    os.kill(server.pid, signal.SIGSTOP)
    asyncio.get_running_loop().call_later(1.0, os.kill, server.pid, signal.SIGCONT)
    await asyncio.to_thread(server.stop)
    assert servers_on(home) == []


async def test_wait_dead_tells_when_the_server_has_ended(home):
    async with EmbeddedPostgres(home) as server:
        assert not await asyncio.to_thread(server.wait_dead, 0.05)
        os.kill(server.pid, signal.SIGKILL)
        assert await asyncio.to_thread(server.wait_dead, 10)


@pytest.mark.parametrize("postgres_too", [False, True])
async def test_after_kill_9_of_the_supervisor_the_next_one_takes_the_folder_over(home, postgres_too):
    process, url = await asyncio.to_thread(start_supervisor, home)
    await query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    orphan = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    process.kill()
    process.wait()
    if postgres_too:
        os.kill(orphan, signal.SIGKILL)
    else:
        assert await query(url, "SELECT answer FROM kept") == 42, "the orphan goes on serving"
    async with EmbeddedPostgres(home) as server:
        assert server.url == url
        assert server.pid != orphan
        assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE
        assert await query(url, "SELECT answer FROM kept") == 42


async def test_a_killed_servers_busy_backends_do_not_keep_the_next_one_from_starting(home):
    process, url = await asyncio.to_thread(start_supervisor, home)
    busy = await asyncpg.connect(url)
    working = asyncio.create_task(busy.execute("SELECT count(*) FROM generate_series(1, 1000000000)"))
    await asyncio.sleep(0.2)
    process.kill()
    process.wait()
    os.kill(int((home / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    async with EmbeddedPostgres(home) as server:
        assert await query(server.url, "SELECT 1") == 1
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await working
    busy.terminate()


async def test_two_at_once_on_one_folder_are_refused_and_the_holder_is_named(home):
    async with EmbeddedPostgres(home) as server:
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} ") as caught:
            EmbeddedPostgres(home).start()
        assert caught.value.facts["folder"] == str(home)
        assert await query(server.url, "SELECT 1") == 1, "the first is not disturbed"


async def test_two_processes_on_one_folder_are_refused_too(home):
    process, url = await asyncio.to_thread(start_supervisor, home)
    with pytest.raises(AlreadyRunning, match=f"process {process.pid} "):
        await asyncio.to_thread(EmbeddedPostgres(home).start)
    assert await query(url, "SELECT 1") == 1
    process.terminate()
    process.wait()
    async with EmbeddedPostgres(home) as server:
        assert server.url == url


async def test_a_wanted_port_that_is_taken_is_an_error_and_a_kept_one_is_left_for_another(home):
    async with EmbeddedPostgres(home) as server:
        kept = server.port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", kept))
        other.listen()
        with pytest.raises(PortTaken, match=str(kept)):
            await asyncio.to_thread(EmbeddedPostgres(home, port=kept).start)
        async with EmbeddedPostgres(home) as server:
            moved = server.port
            assert moved != kept
            assert await query(server.url, "SELECT 1") == 1
    async with EmbeddedPostgres(home) as server:
        assert server.port == moved


async def test_a_folder_of_an_older_version_in_the_wheel_is_served_by_that_version(home):
    installs = find_installs()
    if len(installs) < 2:
        pytest.skip("the wheel brings one version only")
    async with EmbeddedPostgres(home, installs=installs[1:]) as server:
        await query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    async with EmbeddedPostgres(home) as server:
        version = await query(server.url, "SELECT current_setting('server_version_num')::int / 10000")
        assert version == installs[1].major
        assert await query(server.url, "SELECT answer FROM kept") == 42


async def test_a_folder_of_a_version_that_is_not_here_is_refused_and_left_alone(home):
    (home / "postgres").mkdir(mode=0o700)
    (home / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(OtherVersion, match="made by PostgreSQL 12"):
        await asyncio.to_thread(EmbeddedPostgres(home).start)
    assert [file.name for file in (home / "postgres").iterdir()] == ["PG_VERSION"]


async def test_a_pid_file_that_means_another_process_by_now_is_forgotten(home):
    """After a container's restart the numbers begin anew: PostgreSQL itself would refuse to start."""
    async with EmbeddedPostgres(home) as server:
        alive = (home / "postgres" / "postmaster.pid").read_text().split("\n")
    alive[0] = str(os.getpid())
    (home / "postgres" / "postmaster.pid").write_text("\n".join(alive))
    async with EmbeddedPostgres(home) as server:
        assert await query(server.url, "SELECT 1") == 1


async def test_a_folder_half_made_by_a_crash_is_made_anew(home):
    (home / "postgres.new" / "base").mkdir(parents=True)
    async with EmbeddedPostgres(home) as server:
        assert await query(server.url, "SELECT 1") == 1
    assert not (home / "postgres.new").exists()


async def test_a_lost_password_is_replaced_and_the_data_is_kept(home):
    async with EmbeddedPostgres(home) as server:
        lost = server.url
        await query(lost, "CREATE TABLE kept AS SELECT 42 AS answer")
    (home / "postgres.password").unlink()
    async with EmbeddedPostgres(home) as server:
        assert server.url != lost
        assert await query(server.url, "SELECT answer FROM kept") == 42


async def test_a_data_dir_that_is_a_file_is_refused_in_plain_words(home):
    (home / "file").write_text("")
    with pytest.raises(FolderNotPermitted, match="file"):
        await asyncio.to_thread(EmbeddedPostgres(home / "file").start)


async def test_a_server_that_will_not_start_tells_what_it_said_and_lets_the_folder_go(home):
    with pytest.raises(StartFailed, match="no_such_setting"):
        await asyncio.to_thread(EmbeddedPostgres(home, settings={"no_such_setting": "1"}).start)
    async with EmbeddedPostgres(home) as server:
        assert await query(server.url, "SELECT 1") == 1


async def test_a_big_log_is_put_aside(home):
    with (home / "postgres.log").open("wb") as log:
        log.truncate(11 * 1024 * 1024)
    async with EmbeddedPostgres(home):
        pass
    assert (home / "postgres.log.1").stat().st_size == 11 * 1024 * 1024
    assert (home / "postgres.log").stat().st_size < 100_000


@pytest.fixture
def small_disk(home):
    """A file system that can be filled."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    mounted = home / "disk"
    mounted.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "none", mounted], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("this machine does not let us mount")
    yield mounted
    subprocess.run(["umount", "--lazy", mounted], check=True)


async def test_a_full_disk_is_named_at_the_first_start(small_disk):
    with (small_disk / "ballast").open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, 185 * 1024 * 1024)
    with pytest.raises(HostDiskFull):
        await asyncio.to_thread(EmbeddedPostgres(small_disk).start)
    (small_disk / "ballast").unlink()
    async with EmbeddedPostgres(small_disk) as server:
        assert await query(server.url, "SELECT 1") == 1
        for process in servers_on(small_disk):
            assert process.is_running()


async def test_a_disk_that_fills_up_is_an_error_in_plain_words_and_heals_with_space(small_disk):
    async with EmbeddedPostgres(small_disk, settings={"max_wal_size": "32MB", "min_wal_size": "32MB"}) as server:
        settings = Settings.model_validate({"database_url": server.url, "secret_key": SECRET})
        await migrate(settings)
        await query(server.url, "CREATE TABLE public.fill (bytes bytea)")
        await query(server.url, "GRANT ALL ON public.fill TO qd_app")
        database = await Database.open(urls_of(settings))
        with (small_disk / "ballast").open("wb") as ballast:
            free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
            os.posix_fallocate(ballast.fileno(), 0, free - 6 * 1024 * 1024)

        async def fill(count: int) -> None:
            async with database.app.transaction() as tx:
                await tx.execute(
                    "INSERT INTO public.fill SELECT gen_random_uuid()::text::bytea FROM generate_series(1, $1)", count
                )

        async def fill_up() -> None:
            for _ in range(100):
                await fill(20_000)

        # Which of the two depends on what meets the end of the disk first: a table, or the WAL, which is a crash.
        with pytest.raises((DatabaseFull, DatabaseAway)):
            await fill_up()
        (small_disk / "ballast").unlink()
        async with asyncio.timeout(20):
            while True:
                try:
                    await fill(1)
                    break
                except Unavailable:
                    await asyncio.sleep(0.05)
        await database.close()
