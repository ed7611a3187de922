"""Malformed and hostile agents: as folders before the author's command line, as manifests before the API."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from quarterdeck.releases.manifest import digest_of
from tests.flow.stage import Json, Stage, Tenant
from tests.flow.test_webhooks import INSIDE
from tests.manifests import manifest

HEAD = """\
name: desk
owner: team
description: Answers.
prompt: prompt.md
model: {provider: openai, id: gpt-4.1-mini-2025-04-14}
"""


def text(content: str | bytes, file: str = "agent.yaml") -> Callable[[Path], None]:
    """A folder in which one file is this."""

    def write(folder: Path) -> None:
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def instead(file: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """A folder in which something else stands in a file's place."""

    def put(folder: Path) -> None:
        (folder / file).unlink()
        make(folder / file)

    return put


def both(first: Callable[[Path], None], second: Callable[[Path], None]) -> Callable[[Path], None]:
    """A folder with two changes."""

    def change(folder: Path) -> None:
        first(folder)
        second(folder)

    return change


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
TOOL = "tools: [{python: tools.py}]\n"
FOLDERS: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "nothing": (text(""), "agent.yaml"),
    "no yaml": (text("name: [desk\nowner: team"), "agent.yaml:"),
    "aliases that unfold into gigabytes": (text(BOMB + HEAD), "agent.yaml:"),
    "nesting without end": (text(HEAD + "output: " + "[" * 20_000), "agent.yaml:"),
    "a tag that makes an object": (
        text(HEAD + "files: !!python/object/apply:os.system [touch owned]"),
        "tags such as",
    ),
    "the same key twice": (text(HEAD + "owner: other"), "agent.yaml:6:1"),
    "two documents": (text(HEAD + "---\n" + HEAD), "second document"),
    "a tab": (text(HEAD + "limits:\n\tmax_steps: 3"), "agent.yaml:7"),
    "no utf-8": (text(HEAD.encode() + b"# \xff\xfe"), "agent.yaml"),
    "utf-16": (text(HEAD.encode("utf-16")), "agent.yaml"),
    "nul": (text(HEAD + "limits: {max_steps: \x00}"), "agent.yaml"),
    "a megabyte": (text(HEAD + "# " + "x" * 1_000_000), "has more than 262,144 bytes"),
    "a prompt outside": (text(HEAD.replace("prompt.md", "../../etc/passwd")), "agent.yaml:4:9"),
    "a prompt from the root": (text(HEAD.replace("prompt.md", "/etc/passwd")), "agent.yaml:4:9"),
    "a prompt over a link": (instead("prompt.md", lambda path: path.symlink_to("/etc/passwd")), "symbolic link"),
    "a prompt without an end": (instead("prompt.md", lambda path: path.symlink_to("/dev/zero")), "symbolic link"),
    "a prompt that is a pipe": (instead("prompt.md", os.mkfifo), "no plain file"),
    "a prompt that is a folder": (instead("prompt.md", Path.mkdir), "is a folder"),
    "an agent over a link": (instead("agent.yaml", lambda path: path.symlink_to("/etc/hostname")), "symbolic link"),
    "a floating model": (text(HEAD.replace("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini")), "gpt-4.1-mini-2025-04-14"),
    "a key in a header": (
        text(HEAD + "tools: [{name: s, mcp: {url: 'https://e.com', headers: {authorization: 'Bearer x'}}}]"),
        "credential",
    ),
    "tools inside": (text(HEAD + "tools: [{name: s, mcp: {url: 'http://127.0.0.1:1/mcp'}}]"), "public addresses"),
    "tools at the metadata service": (
        text(HEAD + "tools: [{name: s, mcp: {url: 'http://169.254.169.254/mcp'}}]"),
        "public addresses",
    ),
    "code that is none": (both(text(HEAD + TOOL), text("def broken(:\n", "tools.py")), "tools.py:1:12"),
    "code that ends its process": (
        both(text(HEAD + TOOL), text("import os\nos._exit(7)\n", "tools.py")),
        "did not start",
    ),
    "code that fails": (both(text(HEAD + TOOL), text("raise ValueError('not today')\n", "tools.py")), "not today"),
}
CHECK = """
import sys
from quarterdeck.cli import main
for folder in sys.argv[1:]:
    print(f"=== {folder}", file=sys.stderr, flush=True)
    sys.argv = ["quarterdeck", "agent", "check", folder]
    try:
        main()
    except SystemExit as ended:
        print(f"--- {ended.code}", file=sys.stderr, flush=True)
"""


def a_folder(place: Path, change: Callable[[Path], None] | None = None) -> Path:
    place.mkdir()
    text(HEAD)(place)
    text("You are kind.", "prompt.md")(place)
    if change is not None:
        change(place)
    return place


def test_every_bad_folder_is_told_by_place_and_fix_and_none_breaks_the_command(tmp_path: Path):
    folders = {name: a_folder(tmp_path / str(at), one) for at, (name, (one, _)) in enumerate(FOLDERS.items())}
    environ = {**os.environ, "QUARTERDECK_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-c", CHECK, *map(str, folders.values())],
        env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    answers = done.stderr.split("=== ")[1:]
    assert len(answers) == len(FOLDERS), done.stderr
    for name, answer in zip(FOLDERS, answers, strict=True):
        assert "--- 1" in answer, f"{name}: {answer}"
        assert FOLDERS[name][1] in answer, f"{name}: {answer}"
        assert "Traceback" not in answer, name
    assert not (tmp_path / "owned").exists()
    assert "root:" not in done.stderr + done.stdout


def remote(url: str = "https://mcp.example.com/mcp", **tool: Json) -> dict[str, Json]:
    """A manifest with one tool at a server of somebody else's."""
    described = {"name": "look", "server": "s", "remote_name": "look", "description": "Look.", **tool}
    plain = {"parameters": {"type": "object"}, "effect": "read", "repeat": "safe", "trust": "untrusted", **described}
    return manifest(servers=[{"name": "s", "kind": "http", "url": url}], tools=[plain])


def ladder(steps: int) -> dict[str, Json]:
    """A schema in which each step asks for the next one twice."""
    twice = {f"s{n}": {"anyOf": [{"$ref": f"#/$defs/s{n + 1}"}, {"$ref": f"#/$defs/s{n + 1}"}]} for n in range(steps)}
    return {"type": "object", "$ref": "#/$defs/s0", "$defs": {**twice, f"s{steps}": {"required": ["z"]}}}


HOSTILE: Mapping[str, Json] = {
    "another digest of the prompt": {"manifest": {**manifest(), "prompt": {"text": "x", "digest": "0" * 64}}},
    "another id": {"manifest": manifest(), "release": "0" * 64},
    "a path outside": {"manifest": manifest(files={"../out.py": digest_of(b"x")}), "files": {"../out.py": "eA=="}},
    "a path from the root": {"manifest": manifest(files={"/x.py": digest_of(b"x")}), "files": {"/x.py": "eA=="}},
    "a recording outside": {"manifest": manifest(), "files": {"cassettes/../../x.json": "eA=="}},
    "a file that was not named": {"manifest": manifest(), "files": {"x.py": "eA=="}},
    "a file that is another": {"manifest": manifest(files={"x.py": "0" * 64}), "files": {"x.py": "eA=="}},
    "no base64": {"manifest": manifest(), "files": {"x.py": "?"}},
    "too many files": {"manifest": manifest(), "files": {f"x{n}.py": "eA==" for n in range(5_000)}},
    "an unknown member": {"manifest": manifest(policy={})},
    "another behaviour": {"manifest": manifest(behaviour_version=10**9)},
    "a schema from elsewhere": {"manifest": remote(parameters={"type": "object", "$ref": "http://169.254.169.254/x"})},
    "a schema that multiplies": {"manifest": remote(parameters=ladder(40))},
    "an output that multiplies": {"manifest": manifest(output_schema=ladder(40))},
    "a schema in itself": {"manifest": remote(parameters={"type": "object", "allOf": [{"$ref": "#"}]})},
    "a name with markup": {"manifest": manifest(agent="<script>")},
    "nul in the prompt": {"manifest": manifest(prompt="a\x00b")},
    "half a character": {"manifest": manifest(description="\ud800")},
    "a name that is a path": {"manifest": manifest(agent="../desk")},
    "no manifest": {"manifest": {}},
    "a manifest in itself": {"manifest": {"manifest": manifest()}},
    "an integer too big to be exact": {"manifest": manifest(limits={"max_steps": 2**60})},
    "another tenant": {"manifest": manifest(), "tenant": "somebody-else"},
}


def test_every_hostile_manifest_is_refused_with_what_is_wrong_and_nothing_is_kept(stage: Stage, tenant: Tenant):
    for name, body in HOSTILE.items():
        refused = tenant.admin.post(
            "/v1/agents", content=json.dumps(body), headers={"content-type": "application/json"}
        )
        assert refused.status_code == 422, f"{name}: {refused.status_code} {refused.text}"
        assert refused.json()["errors"], name
        assert all(error["problem"] and error["fix"] for error in refused.json()["errors"]), name
    assert tenant.must(tenant.client.get("/v1/agents"))["items"] == []
    assert stage.admin.get("/healthz").status_code == 200


def test_an_agent_whose_dependencies_can_not_be_had_says_so_in_its_runs(tenant: Tenant):
    code = b"from quarterdeck.tools.author import tool\n"
    lock = b"--no-index\nqd_missing==1.0 --hash=sha256:" + b"0" * 64 + b"\n"
    files = {"tools.py": code, "requirements.lock": lock}
    server = {"name": "s", "kind": "python", "module": "tools.py", "lock_digest": digest_of(lock)}
    body = {
        "manifest": manifest(
            agent="clerk", servers=[server], files={path: digest_of(one) for path, one in files.items()}
        ),
        "files": {path: base64.b64encode(one).decode() for path, one in files.items()},
    }
    tenant.must(tenant.admin.post("/v1/agents", json=body))
    waiting = tenant.until(tenant.submit(), "waiting_for_retry")
    assert "qd_missing" in waiting["why"]
    tenant.must(tenant.client.post(f"/v1/runs/{waiting['run_id']}/cancel"))


def test_only_a_deployment_admin_may_bring_code_or_commands(tenant: Tenant):
    code = b"print('owned')"
    python = {"name": "s", "kind": "python", "module": "tools.py"}
    command = {"name": "s", "kind": "stdio", "command": ["sh", "-c", "touch /tmp/owned"]}
    files = {"tools.py": digest_of(code)}
    for body in (
        {"manifest": manifest(servers=[python], files=files), "files": {"tools.py": base64.b64encode(code).decode()}},
        {"manifest": manifest(servers=[command])},
    ):
        refused = tenant.client.post("/v1/agents", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "release.code_refused"), refused.text
        assert tenant.admin.post("/v1/agents", json=body).status_code == 201


def test_no_tool_server_can_be_registered_at_an_address_that_points_inside(tenant: Tenant):
    literal = [url for url in INSIDE if "localhost" not in url and "metadata.google" not in url]
    for url in literal:
        refused = tenant.admin.post("/v1/agents", json={"manifest": remote(url)})
        assert refused.status_code == 422, f"{url}: {refused.status_code} {refused.text}"
        assert refused.json()["errors"][0]["place"].startswith("manifest.servers[0].url"), url
    assert tenant.must(tenant.client.get("/v1/agents"))["items"] == []


def test_a_name_that_leads_inside_and_a_redirect_there_are_refused_at_the_call(stage: Stage, tenant: Tenant):
    port = int((stage.fleet.folder / "postgres.port").read_text())
    letterbox = stage.outside.letterbox
    letterbox.redirects["/mcp"] = f"http://127.0.0.1:{port}/mcp"
    for at, url in enumerate((f"http://localhost:{port}/mcp", f"{letterbox.url}/mcp")):
        agent = f"clerk-{at}"
        script = tenant.script({"call": "look", "arguments": {}}, {"text": "done"}, name=agent)
        body = {**remote(url), "agent": agent, "model": {"provider": script, "id": "gpt-4.1-mini-2025-04-14"}}
        tenant.must(tenant.admin.post("/v1/agents", json={"manifest": body}))
        run = tenant.submit(agent)
        assert tenant.until(run)["status"] == "succeeded"
        (failed,) = tenant.of_kind(run, "tool.failed")
        said = str(failed["content"])
        assert ("HTTP 307" if at else "public addresses") in said, said
        assert str(port) not in said
