import pytest

from quarterdeck.releases.manifest import digest_of
from quarterdeck.releases.rules import judge, needs_code
from tests.unit.releases.builders import FILES, SOUND, another_tool, manifest, prompted

REMOTE = {
    "name": "tools",
    "kind": "http",
    "module": "",
    "command": [],
    "environment": None,
    "url": "https://mcp.example.com/mcp",
    "headers": None,
    "lock_digest": "",
}
BIG = b"x" * 1_100_000
AGAIN = "build it again with `qd agent register`"

BAD = {
    "another prompt than its digest": (
        {"prompt.text": "Another one."},
        FILES,
        [("manifest.prompt.digest", "it is not the digest of the text")],
    ),
    "an undeclared variable": (
        prompted("Hello {{ nme }}"),
        FILES,
        [("manifest.prompt.text, line 1, column 7", "'{{ nme }}' is no declared variable")],
    ),
    "a default of another type": (
        {"variables.company.default": 3},
        FILES,
        [("manifest.variables.company", "its default has to be a string")],
    ),
    "a floating pin": ({"model.id": "gpt-4.1"}, FILES, [("manifest.model.id", None)]),
    "a behaviour from the future": (
        {"behaviour_version": 99},
        FILES,
        [("manifest.behaviour_version", "this deployment knows behaviours up to 3")],
    ),
    "a module that is not there": (
        {"servers.0.module": "other.py"},
        FILES,
        [("manifest.servers[0].module", "it is no Python file of this release")],
    ),
    "a lock that is not there": (
        {"servers.0.lock_digest": "0" * 64},
        FILES,
        [("manifest.servers[0].lock_digest", "no file of this release has this digest")],
    ),
    "a field of another kind": (
        {"servers.0.url": "https://example.com"},
        FILES,
        [("manifest.servers[0].url", "a python server has no such field")],
    ),
    "an address that is none": (
        {"servers.0": {**REMOTE, "url": "file:///etc/passwd"}},
        FILES,
        [("manifest.servers[0].url", "it has to begin with https:// (or http://) and name a host")],
    ),
    "an address that points inside": (
        {"servers.0": {**REMOTE, "url": "http://[::ffff:10.0.0.1]:8080/mcp"}},
        FILES,
        [("manifest.servers[0].url", "Outbound calls reach public addresses only")],
    ),
    "a credential in a header": (
        {"servers.0": {**REMOTE, "headers": {"authorization": "x"}}},
        FILES,
        [("manifest.servers[0].headers.authorization", None)],
    ),
    "a credential in an environment": (
        {"servers.0": {**REMOTE, "kind": "stdio", "url": "", "command": ["x"], "environment": {"A_TOKEN": "x"}}},
        FILES,
        [("manifest.servers[0].environment.A_TOKEN", None)],
    ),
    "two servers of one name": (
        {"servers": [SOUND["servers"][0], SOUND["servers"][0]]},
        FILES,
        [("manifest.servers", "'tools' is there 2 times")],
    ),
    "two tools of one name": (
        {"tools": [SOUND["tools"][0], another_tool(remote_name="other")]},
        FILES,
        [
            ("manifest.tools[0].name", "another tool has this name"),
            ("manifest.tools[1].name", "another tool has this name"),
        ],
    ),
    "a tool of no server": (
        {"tools.0.server": "elsewhere"},
        FILES,
        [("manifest.tools[0].server", "there is no such server")],
    ),
    "a schema that fetches": (
        {"tools.0.parameters": {"type": "object", "$ref": "http://169.254.169.254/"}},
        FILES,
        [("manifest.tools[0].parameters", None)],
    ),
    "a NUL in a description": (
        {"tools.0.description": "a\x00b"},
        FILES,
        [("manifest.tools[0].description", "it contains a NUL or a lone surrogate")],
    ),
    "a NUL in a name within a schema": (
        {"tools.0.parameters": {"type": "object", "properties": {"a\x00": {}}}},
        FILES,
        [("manifest.tools[0].parameters.properties", "it contains a NUL or a lone surrogate")],
    ),
    "a way out": (
        {"files": {**SOUND["files"], "../x": digest_of(b"x")}},
        {**FILES, "../x": b"x"},
        [("files['../x']", "it leaves the agent's folder or has empty parts")],
    ),
    "a clash": (
        {"files": {**SOUND["files"], "TOOLS.py": digest_of(b"x")}},
        {**FILES, "TOOLS.py": b"x"},
        [("files['tools.py']", "it clashes with another path")],
    ),
    "a recording in the manifest": (
        {"files": {**SOUND["files"], "cassettes/a.json": digest_of(b"x")}},
        {**FILES, "cassettes/a.json": b"x"},
        [("manifest.files['cassettes/a.json']", "recordings are no part of the id")],
    ),
    "a file that was not sent": (
        {},
        {"tools.py": FILES["tools.py"]},
        [("files['docs/a.md']", "the manifest names it but it was not sent")],
    ),
    "a file with other content": (
        {},
        {**FILES, "tools.py": b"import os\n"},
        [("files['tools.py']", "its content is not what the manifest says")],
    ),
    "a file too many": (
        {},
        {**FILES, "extra.py": b""},
        [("files['extra.py']", "the manifest does not name it")],
    ),
    "a file too big": (
        {},
        {**FILES, "cassettes/a.json": BIG},
        [("files['cassettes/a.json']", "it has 1,100,000 bytes")],
    ),
    "too much": (
        {},
        {**FILES, **{f"cassettes/{at}.json": BIG[:1_000_000] for at in range(3)}},
        [("files", "there are 5 files with 3,000,020 bytes")],
    ),
}


@pytest.mark.parametrize(("change", "files", "faults"), BAD.values(), ids=BAD.keys())
def test_nothing_that_was_sent_is_believed(change: dict, files: dict, faults: list):
    found = judge(manifest(change), files, "openai")
    assert [fault.place for fault in found] == [place for place, _ in faults]
    assert all(problem in {None, fault.problem} for fault, (_, problem) in zip(found, faults, strict=True))


def test_a_sound_release_passes_with_recordings_beside_it():
    assert judge(manifest(), {**FILES, "cassettes/a.json": b"{}"}, "openai") == ()


def test_at_most_twenty_faults_are_told():
    many = {f"cassettes/../{at}": b"" for at in range(50)}
    assert len(judge(manifest(), {**FILES, **many}, "openai")) == 20


def test_code_and_commands_are_code_and_addresses_are_not():
    assert needs_code(manifest())
    assert needs_code(manifest({"servers.0": {**REMOTE, "kind": "stdio", "url": "", "command": ["x"]}}))
    assert not needs_code(manifest({"servers.0": REMOTE}))
