import os
from pathlib import Path

import pytest

from quarterdeck.spec.values import LARGEST_FILE
from tests.unit.spec.folders import HEAD, TOOLS, complaints, read, write

FILES = {
    "an empty prompt": (
        {"prompt_dot_md": " \n"},
        "",
        ["agent.yaml:4:9: `prompt.md` is empty; write what the agent is to do"],
    ),
    "a prompt that is not UTF-8": (
        {"prompt_dot_md": b"Help\n\xff"},
        "",
        ["prompt.md:2:1: byte 0xff is not UTF-8; save the file as UTF-8"],
    ),
    "a prompt with NUL": (
        {"prompt_dot_md": b"Help\n\x00"},
        "",
        ["prompt.md:2:1: there is a control character (U+0000); remove it"],
    ),
    "a huge prompt": (
        {"prompt_dot_md": b"x" * 200_000},
        "",
        ["agent.yaml:4:9: `prompt.md` has more than 131,072 bytes; make it smaller, or leave it out"],
    ),
    "a huge module": (
        {"tools_dot_py": b"#" * (LARGEST_FILE + 1)},
        "tools: [{python: tools.py}]",
        ["agent.yaml:6:18: `tools.py` has more than 1,048,576 bytes; make it smaller, or leave it out"],
    ),
    "a module that does not parse": (
        {"tools_dot_py": "import os\ndef (:\n"},
        "tools: [{python: tools.py}]",
        ["tools.py:2:5: this is no Python: invalid syntax; correct it"],
    ),
    "an output file that is no JSON": (
        {"out_dot_json": '{"type":\n oops}'},
        "output: out.json",
        ["out.json:2:2: this is no JSON object: JSON is malformed: invalid character (byte 10); correct its form"],
    ),
    "a lock without hashes": (
        {"tools_dot_py": TOOLS, "requirements_dot_lock": "# two\nrequests==2.34.2\n"},
        "tools: [{python: tools.py}]\nrequirements: requirements.lock",
        [
            (
                "requirements.lock:2:1: `requests==2.34.2` has no hash; write it with `pip-compile "
                "--generate-hashes` or "
                "`uv pip compile --generate-hashes`"
            )
        ],
    ),
    "more than a release holds": (
        {f"docs__{at}_dot_txt": b"x" * 900_000 for at in range(3)},
        "files: [docs/**]",
        [
            (
                "agent.yaml:6:1: this agent comes to 3 files with 2,700,000 bytes; "
                "a release holds at most 300 with 2,500,000"
            )
        ],
    ),
    "too many files": (
        {f"docs__{at}_dot_txt": b"x" for at in range(301)},
        "files: [docs/**]",
        ["agent.yaml:6:9: `docs/**` means too many files: a release holds 300 at most; use a narrower pattern"],
    ),
}


@pytest.mark.parametrize(("files", "lines", "said"), FILES.values(), ids=FILES.keys())
def test_files_are_judged_too(tmp_path: Path, files: dict[str, str | bytes], lines: str, said: list[str]):
    assert complaints(write(tmp_path, f"{HEAD}{lines}\n", **files)) == said


def test_a_folder_without_an_agent_says_so(tmp_path: Path):
    said = "agent.yaml: there is no file `agent.yaml`; `qd init` makes one to start from"
    assert complaints(tmp_path) == [said]
    assert complaints(tmp_path / "nowhere") == [said]


def test_a_link_is_not_followed(tmp_path: Path):
    outside = tmp_path / "secret.txt"
    outside.write_text("the key")
    folder = tmp_path / "agent"
    folder.mkdir()
    write(folder, HEAD.replace("prompt.md", "link.md") + "files: [sub/secret.txt]\n")
    (folder / "link.md").symlink_to(outside)
    (folder / "sub").symlink_to(tmp_path)
    assert complaints(folder) == [
        "agent.yaml:4:9: `link.md` leads over a symbolic link; put the file itself into the folder",
        "agent.yaml:6:9: `sub/secret.txt` leads over a symbolic link; put the file itself into the folder",
    ]


def test_patterns_pass_over_links_hidden_files_and_what_tools_leave_behind(tmp_path: Path):
    hidden = {"docs__a_dot_md": "a", "docs___dot_env": "KEY=1", "docs____pycache____x_dot_pyc": b"x"}
    folder = write(tmp_path, HEAD + "files: ['**']\n", **hidden)
    (folder / "docs" / "link.md").symlink_to("/etc/passwd")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    assert list(read(folder).files) == ["docs/a.md"]


def test_a_pipe_is_refused_and_does_not_hang(tmp_path: Path):
    folder = write(tmp_path, HEAD.replace("prompt.md", "pipe"))
    os.mkfifo(folder / "pipe")
    assert complaints(folder) == ["agent.yaml:4:9: `pipe` is no plain file; name a plain file"]


def test_recordings_go_along_apart_from_the_files(tmp_path: Path):
    recording = {"cassettes__a_dot_json": "{}", "cassettes__notes_dot_txt": "x", "docs__b_dot_md": "b"}
    folder = read(write(tmp_path, HEAD + "files: ['**']\n", **recording))
    assert list(folder.recordings) == ["cassettes/a.json"]
    assert list(folder.files) == ["docs/b.md"]
