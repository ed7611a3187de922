"""The build hook knows when the console has to be built anew, and never leaves half of it in place."""

from pathlib import Path

import pytest

import hatch_build


def source(root: Path) -> Path:
    web = root / "web"
    (web / "src").mkdir(parents=True)
    (web / "package.json").write_text("{}")
    (web / "src" / "main.ts").write_text("1")
    return web


@pytest.mark.parametrize("change", ["src/main.ts", "src/new.ts", "package.json", ".npmrc"])
def test_a_change_of_any_source_changes_the_digest(tmp_path: Path, change: str):
    web = source(tmp_path)
    before = hatch_build.digest_of(web)
    (web / change).write_text("2")
    assert hatch_build.digest_of(web) != before


def test_a_renamed_source_changes_the_digest(tmp_path: Path):
    web = source(tmp_path)
    before = hatch_build.digest_of(web)
    (web / "src" / "main.ts").rename(web / "src" / "mainest.ts")
    assert hatch_build.digest_of(web) != before


def test_what_npm_and_the_build_leave_behind_does_not_change_the_digest(tmp_path: Path):
    web = source(tmp_path)
    before = hatch_build.digest_of(web)
    for made in ("node_modules/a/index.js", "dist/index.html", "coverage/lcov", "src/main.tsbuildinfo"):
        (web / made).parent.mkdir(parents=True, exist_ok=True)
        (web / made).write_text("x")
    assert hatch_build.digest_of(web) == before


def test_new_files_replace_all_the_old_ones(tmp_path: Path):
    built, assets = tmp_path / "dist", tmp_path / "package" / "assets"
    for folder, name in ((built, "new.js"), (assets, "old.js")):
        folder.mkdir(parents=True)
        (folder / "index.html").write_text(name)
        (folder / name).write_text("x")
    hatch_build.put_in_place(built, assets)
    assert sorted(file.name for file in assets.iterdir()) == ["index.html", "new.js"]
    assert [folder.name for folder in assets.parent.iterdir()] == ["assets"]


def test_a_build_without_a_page_is_refused_and_leaves_the_old_files(tmp_path: Path):
    built, assets = tmp_path / "dist", tmp_path / "assets"
    built.mkdir()
    assets.mkdir()
    (assets / "index.html").write_text("old")
    with pytest.raises(hatch_build.BuildFailed, match=r"index\.html"):
        hatch_build.put_in_place(built, assets)
    assert (assets / "index.html").read_text() == "old"


def test_the_build_can_be_skipped_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source(tmp_path)
    assert hatch_build.build_console(tmp_path, {hatch_build.SKIP: "1"}) is False
    assert hatch_build.SKIP in capsys.readouterr().out


def test_a_source_tree_without_a_console_is_no_error(tmp_path: Path):
    assert hatch_build.build_console(tmp_path, {}) is False


def test_a_console_without_a_lock_file_is_refused(tmp_path: Path):
    source(tmp_path)
    with pytest.raises(hatch_build.BuildFailed, match=r"package-lock\.json"):
        hatch_build.build_console(tmp_path, {})
