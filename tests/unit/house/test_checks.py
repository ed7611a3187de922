"""The small checks of `make check`."""

from pathlib import Path

import pytest

from scripts import lengths, links, locks, names
from scripts.findings import ROOT, Finding, report

LOCKED = "aiohttp==3.14.5 \\\n    --hash=sha256:00\n    # via quarterdeck\n"


def lines(count: int, first: str = "x = 1") -> str:
    return "\n".join([first, *["x = 1"] * (count - 1)])


@pytest.mark.parametrize(("count", "fatal"), [(350, None), (351, False), (500, False), (501, True)])
def test_a_file_is_advised_above_350_lines_and_refused_above_500(tmp_path: Path, count: int, fatal: bool | None):
    file = tmp_path / "long.py"
    file.write_text(lines(count))
    assert [finding.fatal for finding in lengths.check([file])] == ([] if fatal is None else [fatal])


def test_a_generated_file_may_have_any_length(tmp_path: Path):
    file = tmp_path / "schema.ts"
    file.write_text(lines(900, "// @generated from openapi.json"))
    assert list(lengths.check([file])) == []


@pytest.mark.parametrize("name", ["RunManager", "parse_info", "utils", "HTTPHandler", "_helpers", "DataRow"])
def test_a_name_that_says_nothing_is_banned(name: str):
    assert names.banned_word(name)


@pytest.mark.parametrize("name", ["admit", "metadata", "Database", "information", "utilise", "test_data_of_another"])
def test_a_word_that_only_looks_like_a_banned_one_is_free(name: str):
    assert names.banned_word(name) is None


def test_classes_and_functions_are_found_wherever_they_are_nested(tmp_path: Path):
    file = tmp_path / "one.py"
    file.write_text("class A:\n    async def helper(self):\n        def info(): ...\n")
    assert [name for _, name in names.defined(file)] == ["A", "helper", "info"]


def test_links_are_followed_to_files_and_headings(tmp_path: Path):
    (tmp_path / "there.md").write_text("# It's `here` now\n\n## Twice\n\n## Twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#its-here-now) [c](there.md#twice-1) [d](https://example.com/none)\n"
        "`[code](none.md)`\n```\n[fenced](none.md)\n```\n"
        "[lost](none.md)\n[wrong](there.md#thrice)\n[ref]: gone.md\n"
    )
    found = [(finding.line, finding.what.split()[-1]) for finding in links.check([page])]
    assert found == [(6, "none.md"), (7, "there.md#thrice"), (8, "gone.md")]


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        (LOCKED, 0),
        (LOCKED.replace("3.14.5", "3.13.0"), 1),
        (LOCKED.replace("    --hash=sha256:00\n", ""), 1),
        ("--index-url https://mirror.example/simple\n" + LOCKED, 1),
        ("", 1),
    ],
)
def test_a_lock_file_fits_its_requirements_with_hashes_and_without_a_registry(
    tmp_path: Path, text: str, complaints: int
):
    lock = tmp_path / "requirements.lock"
    lock.write_text(text)
    assert len(list(locks.unmet(lock, ["aiohttp>=3.14"]))) == complaints


def test_an_npm_lock_file_may_not_name_a_registry(tmp_path: Path):
    lock = tmp_path / "package-lock.json"
    lock.write_text(
        '{"packages": {"": {}, "a": {"resolved": "https://registry.example/a.tgz"}, "b": {"version": "1"}}}'
    )
    assert [finding.what.split()[0] for finding in locks.check([lock]) if finding.file == lock] == ["a"]


def test_advice_does_not_fail_a_check():
    advice = Finding(ROOT / "a.py", 3, "long", fatal=False)
    assert report([advice]) == (True, ["a.py:3: (advice) long"])
    assert report([advice, Finding(ROOT / "a.py", 4, "wrong")])[0] is False
