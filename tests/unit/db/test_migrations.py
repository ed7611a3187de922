"""How migration files are read and held against what a database has applied."""

from pathlib import Path

import pytest

from quarterdeck.db.faults import MigrationChanged, MigrationFailed
from quarterdeck.db.migrations import FOLDER, Applied, Migration, compare, read_migrations


def applied(*migrations: Migration) -> tuple[Applied, ...]:
    return tuple(Applied(m.version, m.name, m.sha256, m.oldest_code) for m in migrations)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0000_roles.sql").write_text("SELECT 0;")
    (tmp_path / "0001_first.sql").write_text("SELECT 1;")
    (tmp_path / "0002_second.sql").write_text("-- oldest code: 0001\nSELECT 2;")
    return tmp_path


def test_files_are_read_in_order_with_their_digests_and_headers(folder):
    files = read_migrations(folder)
    assert [(m.version, m.name, m.oldest_code) for m in files] == [
        (0, "0000_roles.sql", 0),
        (1, "0001_first.sql", 0),
        (2, "0002_second.sql", 1),
    ]
    assert len({m.sha256 for m in files}) == 3


def test_line_ends_of_another_system_are_the_same_file(folder):
    before = read_migrations(folder)
    (folder / "0002_second.sql").write_bytes(b"-- oldest code: 0001\r\nSELECT 2;")
    assert read_migrations(folder) == before


@pytest.mark.parametrize("name", ["1_short.sql", "0003-dash.sql", "0003_Upper.sql", "notes.sql"])
def test_a_file_with_another_kind_of_name_is_refused(folder, name):
    (folder / name).write_text("SELECT 3;")
    with pytest.raises(MigrationFailed, match=name):
        read_migrations(folder)


def test_two_files_with_one_number_are_refused(folder):
    (folder / "0002_twin.sql").write_text("SELECT 3;")
    with pytest.raises(MigrationFailed, match=r"0002_twin\.sql has the number of 0002_second\.sql"):
        read_migrations(folder)


def test_an_empty_database_has_everything_pending(folder):
    verdict = compare(read_migrations(folder), ())
    assert verdict.pending == ("0000_roles.sql", "0001_first.sql", "0002_second.sql")
    assert not verdict.ready


def test_an_up_to_date_database_is_ready(folder):
    files = read_migrations(folder)
    assert compare(files, applied(*files)).ready


def test_a_changed_file_is_named(folder):
    files = read_migrations(folder)
    (folder / "0001_first.sql").write_text("SELECT 'other';")
    with pytest.raises(MigrationChanged, match=r"0001_first\.sql"):
        compare(read_migrations(folder), applied(*files))


def test_the_bootstrap_may_change_since_it_runs_every_time(folder):
    files = read_migrations(folder)
    (folder / "0000_roles.sql").write_text("SELECT 'other';")
    assert compare(read_migrations(folder), applied(*files)).ready


def test_a_database_one_version_ahead_is_accepted_and_said(folder):
    files = read_migrations(folder)
    verdict = compare(files[:2], applied(*files))
    assert verdict.ready
    assert verdict.ahead == ("0002_second.sql",)


def test_a_database_that_has_contracted_beyond_this_code_is_not(folder):
    files = read_migrations(folder)
    verdict = compare(files[:1], applied(*files))
    assert verdict.too_old
    assert not verdict.ready


def test_the_files_we_ship_are_numbered_without_gaps():
    assert [m.version for m in read_migrations(FOLDER)] == list(range(len(read_migrations(FOLDER))))
