"""Which folders the database's user can walk to, judged by mode bits alone."""

import os
from pathlib import Path

import pytest

from quarterdeck.db.embedded_binaries import Install, choose
from quarterdeck.db.embedded_faults import NamelessUser, OtherVersion
from quarterdeck.db.embedded_owner import Owner

STRANGER = Owner(uid=54321, gid=54321, name=None, by_root=True)


def test_a_stranger_walks_only_through_folders_open_to_others(tmp_path: Path):
    tmp_path.chmod(0o755)
    here = [tmp_path, *tmp_path.parents]
    closed = [folder for folder in here if not folder.stat().st_mode & 0o001]
    inside = tmp_path / "data"
    inside.mkdir()
    assert STRANGER.reaches(inside) == (not closed)
    tmp_path.chmod(0o700)
    assert not STRANGER.reaches(inside)


def test_we_reach_our_own_closed_folders(tmp_path: Path):
    tmp_path.chmod(0o700)
    assert Owner(os.geteuid(), os.getegid(), "me", by_root=False).reaches(tmp_path / "data")


def test_a_folder_closed_to_its_group_is_closed_although_others_may_pass(tmp_path: Path):
    tmp_path.chmod(0o705)
    if tmp_path.stat().st_uid != os.geteuid():
        pytest.skip("the folder is not ours")
    of_the_group = Owner(uid=54321, gid=tmp_path.stat().st_gid, name=None, by_root=True)
    assert not of_the_group.reaches(tmp_path / "data")


def test_a_user_without_a_name_can_make_no_folder():
    with pytest.raises(NamelessUser) as caught:
        STRANGER.must_have_name()
    assert caught.value.facts == {"uid": 54321}


def test_a_new_folder_gets_the_newest_postgres_and_an_old_one_its_own():
    installs = (Install(Path("/b"), 18), Install(Path("/a"), 16))
    assert choose(installs, None).major == 18
    assert choose(installs, 16).major == 16


def test_a_folder_of_a_version_that_is_not_here_is_refused_with_both_versions():
    with pytest.raises(OtherVersion, match=r"made by PostgreSQL 15.*brings 18 and 16"):
        choose((Install(Path("/b"), 18), Install(Path("/a"), 16)), 15)
