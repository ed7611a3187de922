"""The deployment that lives in a folder, and how commands find it."""

import os
import stat
from pathlib import Path

import pytest

from quarterdeck.cli.configured import SettingsInvalid, altered, read_settings, with_secret
from quarterdeck.cli.connect import NoDeployment, deck
from quarterdeck.cli.local import FOLDER, Access, find_folder, recall, remember, write_private
from quarterdeck.cli.presence import settings_here
from quarterdeck.core.settings import Settings
from quarterdeck.db.faults import SecretMissing
from quarterdeck.sdk import Quarterdeck

ACCESS = Access("http://127.0.0.1:7410", "dev", "qd_tenant_key", "qd_admin_key")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("URL", "KEY", "TENANT", "DATA_DIR"):
        monkeypatch.delenv(f"QUARTERDECK_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def opened(client: Quarterdeck) -> tuple[str, str, str]:
    options = client._transport.options
    return options.base_url, options.key, options.tenant


def test_secrets_are_files_that_only_their_owner_reads(tmp_path: Path):
    write_private(tmp_path / "a" / "key", b"x")
    remember(tmp_path, ACCESS)
    for file in (tmp_path / "a" / "key", tmp_path / "access.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    write_private(tmp_path / "a" / "key", b"y")
    assert (tmp_path / "a" / "key").read_bytes() == b"y"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["key"]


def test_a_secret_is_made_once_and_kept(tmp_path: Path):
    first = with_secret(Settings(data_dir=tmp_path))
    again = with_secret(Settings(data_dir=tmp_path))
    assert first.secret_key == again.secret_key
    assert len(first.secret_key.get_secret_value()) >= 43
    assert (
        with_secret(altered(first, secret_key="set by hand, and long")).secret_key.get_secret_value().startswith("set")
    )


def test_each_setting_that_is_wrong_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("QUARTERDECK_LEASE", "soon")
    monkeypatch.setenv("QUARTERDECK_PORT", "99999999")
    with pytest.raises(SettingsInvalid) as refused:
        read_settings()
    assert "QUARTERDECK_LEASE: input should be a valid number" in refused.value.detail
    assert "QUARTERDECK_PORT: " in refused.value.detail
    assert "soon" not in refused.value.detail


def test_altering_keeps_what_was_set_and_what_was_not():
    settings = altered(Settings(port=1), host="::1")
    assert (settings.port, settings.host) == (1, "::1")
    assert settings.model_fields_set == {"port", "host"}


def test_what_was_remembered_is_recalled_and_nonsense_is_not(tmp_path: Path):
    assert recall(tmp_path) is None
    remember(tmp_path, ACCESS)
    assert recall(tmp_path) == ACCESS
    (tmp_path / "access.json").write_text("{")
    assert recall(tmp_path) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_strangers_file_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    remember(tmp_path, ACCESS)
    os.chown(tmp_path / "access.json", 12345, 12345)
    assert recall(tmp_path) is None


def test_the_nearest_folder_above_is_meant(here: Path):
    below = here / "a" / "b"
    below.mkdir(parents=True)
    assert find_folder(below) == below / FOLDER
    remember(here / FOLDER, ACCESS)
    assert find_folder(below) == here / FOLDER
    remember(here / "a" / FOLDER, ACCESS)
    assert find_folder(below) == here / "a" / FOLDER
    assert find_folder(below, "elsewhere") == Path("elsewhere")


def test_commands_use_the_key_of_this_folder_and_the_admins_where_it_takes_one(here: Path):
    remember(here / FOLDER, ACCESS)
    assert opened(deck()) == (ACCESS.url, ACCESS.key, "")
    assert opened(deck(admin=True)) == (ACCESS.url, ACCESS.admin_key, "dev")
    assert opened(deck(tenant="acme")) == (ACCESS.url, ACCESS.admin_key, "acme")
    assert opened(deck(tenant="dev")) == (ACCESS.url, ACCESS.key, "")


def test_a_key_that_was_set_by_hand_is_used_for_everything(here: Path, monkeypatch: pytest.MonkeyPatch):
    remember(here / FOLDER, ACCESS)
    monkeypatch.setenv("QUARTERDECK_KEY", "qd_mine_x")
    assert opened(deck(admin=True)) == (ACCESS.url, "qd_mine_x", "")
    monkeypatch.setenv("QUARTERDECK_URL", "https://deck.test")
    assert opened(deck(tenant="acme")) == ("https://deck.test", "qd_mine_x", "acme")


def test_the_folders_key_is_not_sent_to_another_deployment(here: Path, monkeypatch: pytest.MonkeyPatch):
    remember(here / FOLDER, ACCESS)
    monkeypatch.setenv("QUARTERDECK_URL", "https://elsewhere.test")
    with pytest.raises(NoDeployment, match="QUARTERDECK_KEY"):
        deck()


def test_without_any_deployment_the_way_out_is_said(here: Path):
    with pytest.raises(NoDeployment, match="qd dev"):
        deck()


def test_a_process_without_a_secret_does_not_start(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("QUARTERDECK_SECRET_KEY", raising=False)
    monkeypatch.setenv("QUARTERDECK_APP_URL", "postgresql://qd_app:x@db/q")
    with pytest.raises(SecretMissing):
        settings_here()
    with_secret(Settings(data_dir=here / FOLDER))
    with pytest.raises(SecretMissing):  # the folder's own belongs to another deployment
        settings_here()
    monkeypatch.setenv("QUARTERDECK_SECRET_KEY", "short")
    with pytest.raises(SecretMissing):
        settings_here()
