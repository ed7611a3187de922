import pytest

from quarterdeck.spec.paths import clash, path_fault

BAD = [
    "",
    "/etc/passwd",
    "a/",
    "../a",
    "a/../b",
    "./a",
    "a//b",
    ".env",
    "a/.git/config",
    "a\\b",
    "C:/a",
    "a\x00b",
    "a\nb",
    "a\u202eb",
    "a\ud800",
    "a /b",
    " a",
    "a.",
    "x" * 241,
    "a?b",
    "a*b",
]


@pytest.mark.parametrize("path", BAD)
def test_paths_that_could_lead_astray_are_refused(path: str):
    assert path_fault(path)


@pytest.mark.parametrize("path", ["tools.py", "docs/a b.md", "données/é.txt", "a-b_c/d.e.f", "cassettes/a.json"])
def test_plain_paths_are_fine(path: str):
    assert path_fault(path) is None


CLASHES = {
    "case": (["a.md", "A.md"], "a.md"),
    "a file that is a folder": (["a", "a/b"], "a/b"),
    "forms of one letter": (["\u00e9", "e\u0301"], "\u00e9"),
    "none": (["a", "b/a", "b/c"], None),
}


@pytest.mark.parametrize(("paths", "found"), CLASHES.values(), ids=CLASHES.keys())
def test_paths_that_some_file_systems_take_for_one_clash(paths: list[str], found: str | None):
    assert clash(paths) == found
