"""Agents, releases, keys, tenants, providers, threads, webhooks and workers from the command line."""

import json
import os
from pathlib import Path
from textwrap import dedent

import pytest

from tests.flow.cli.shell import Shell
from tests.flow.stage import PIN, Stage, Tenant

TOOLS = """\
    from quarterdeck.tools.author import tool

    @tool(effect="read", repeat="safe")
    def add(first: int, second: int) -> int:
        '''Add two numbers.'''
        return first + second
    """


def written(folder: Path, provider: str, prompt: str = "You add.", **more: object) -> Path:
    """An agent's folder."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    agent = {
        "name": "adder",
        "owner": "tests",
        "description": "Adds.",
        "prompt": "prompt.md",
        "model": {"provider": provider, "id": PIN},
        "tools": [{"python": "tools.py"}],
        **more,
    }
    (folder / "agent.yaml").write_text(json.dumps(agent))
    (folder / "prompt.md").write_text(prompt)
    (folder / "tools.py").write_text(dedent(TOOLS))
    return folder


def test_an_agent_goes_from_its_folder_into_service(tenant: Tenant, qd: Shell, admin: Shell):
    script = {"steps": [{"call": "add", "arguments": {"first": 2, "second": 3}}, {"text": "5"}]}
    provider = f"sums-{tenant.slug}"
    added = admin(
        "provider", "add", provider, "--kind", "scripted", "--option", f"script={json.dumps(script)}", "--json"
    )
    assert added.json["kind"] == "scripted"
    folder = written(qd.folder / "adder", provider)
    checked = qd("agent", "check", "adder", "--json").json
    assert [tool["tool"] for tool in checked["tools"]] == ["add"]
    assert checked["tools"][0]["effect"] == "read"

    refused = qd("agent", "register", "adder", code=1)
    assert "deployment admin" in refused.err
    registered = admin("agent", "register", "adder", "--label", "first", "--json").json
    assert registered["release"] == checked["release"]
    assert registered["created"]
    assert not admin("agent", "register", "adder", "--json").json["created"]
    assert qd("run", "submit", "adder", "2 + 3?").out == "5\n"

    written(folder, provider, prompt="You add carefully.")
    assert "prompt" in admin("agent", "register", "adder").out
    releases = qd("release", "list", "adder", "--json").json
    assert [release["current"] for release in releases] == [True, False]
    old, new = releases[1]["release"], releases[0]["release"]
    changes = qd("release", "diff", old[:12], new[:12]).out
    assert "prompt" in changes
    assert qd("release", "show", "adder@first", "--json").json["release"] == old
    assert f"release\t{new}" in qd("release", "show", new).out
    assert qd("agent", "show", "adder").out.startswith(f"agent\tadder@{new[:12]}\n")
    assert qd("agent", "list").out.split("\t")[:2] == ["adder", new[:12]]
    qd("agent", "disable", "adder")
    assert "disabled" in qd("run", "submit", "adder", "2 + 3?", code=1).err
    qd("agent", "enable", "adder")
    assert qd("run", "submit", "adder", "2 + 3?").out == "5\n"


def test_what_is_wrong_with_an_agent_is_said_with_file_line_and_fix(qd: Shell):
    folder = written(qd.folder / "adder", "openai")
    (folder / "agent.yaml").write_text(
        "name: adder\nowner: me\ndescription: Adds.\npromt: prompt.md\nprompt: prompt.md\n"
        "model: {provider: openai, id: gpt-4o}\ntools:\n  - python: tool.py\n"
    )
    said = qd("agent", "check", "adder", code=1)
    assert said.err.startswith("error: agent.yaml:4:1: there is no `promt`; did you mean `prompt`?")
    (folder / "agent.yaml").write_text((folder / "agent.yaml").read_text().replace("promt: prompt.md\n", ""))
    said = qd("agent", "check", "adder", code=1)
    assert "agent.yaml:5:" in said.err
    assert "gpt-4o-2024-08-06" in said.err
    assert "did you mean `tools.py`?" in said.err
    faults = json.loads(qd("agent", "check", "adder", "--json", code=1).err)["error"]["errors"]
    assert {fault["file"] for fault in faults} == {"agent.yaml"}
    (folder / "agent.yaml").write_text(
        (folder / "agent.yaml").read_text().replace("gpt-4o", PIN).replace("tool.py", "tools.py")
    )
    (folder / "tools.py").write_text("import no_such_module\n")
    assert "no_such_module" in qd("agent", "check", "adder", code=1).err


def test_hints_and_doubts_are_shown_and_hinder_nothing(qd: Shell):
    folder = written(qd.folder / "adder", "openai", variables={"unused": {"default": "x"}})
    (folder / "tools.py").write_text(
        "from quarterdeck.tools.author import tool\n@tool\ndef add(first: int) -> int:\n    return first\n"
    )
    said = qd("agent", "check", "adder").out
    assert "`unused` is not used" in said
    assert "declares no effect" in said
    assert "add\twrite\tnever\tuntrusted\t" in said


def test_what_a_careful_reader_would_say_hinders_who_asks_for_that_and_credentials_everybody(qd: Shell, admin: Shell):
    folder = written(qd.folder / "adder", "openai", prompt="Greet {{ name }}.", variables={"name": {}})
    assert "prompt.md:1:7: warning: callers fill `{{ name }}`" in qd("agent", "check", "adder").out
    said = qd("agent", "check", "adder", "--strict", code=1).err
    assert "callers fill" in said
    (folder / "prompt.md").write_text("Greet\n> {{ name }}\n")
    tools = (folder / "tools.py").read_text()
    (folder / "tools.py").write_text(
        tools + "\n\n@tool(effect='read')\ndef list_sums() -> list[int]:\n    'Lists sums.'\n    return [1]\n"
    )
    checked = qd("agent", "check", "adder", "--strict", "--json").json
    assert [(found["severity"], found["file"]) for found in checked["warnings"]] == [("hint", "tools.py")]
    (folder / "tools.py").write_text(tools + "\nKEY = 'ghp_" + "a1" * 20 + "'\n")
    assert "looks like a credential" in qd("agent", "check", "adder", code=1).err
    assert "looks like a credential" in admin("agent", "register", "adder", code=1).err


def test_a_tool_that_marks_nothing_is_shown_what_its_arguments_look_like(qd: Shell):
    folder = written(qd.folder / "adder", "openai")
    (folder / "tools.py").write_text(
        "from quarterdeck.tools.author import tool\n"
        "@tool(effect='payment')\ndef pay(account: str, amount: int, note: str) -> str:\n    return 'paid'\n"
    )
    said = qd("agent", "check", "adder")
    assert "write: destinations: [account], payload: [note]" in said.out
    found = qd("agent", "check", "adder", "--json").json["suggested"]
    assert found == {"pay": {"destinations": ["account"], "payload": ["note"]}}


def test_a_key_works_until_it_is_revoked_and_does_no_more_than_it_may(tenant: Tenant, qd: Shell):
    tenant.agent({"text": "done"})
    made = qd("key", "create", "shop", "--role", "caller", "--agent", "clerk", "--days", "1")
    secret = made.out.strip()
    assert secret.startswith("qd_")
    assert "shown this once" in made.err
    key_id = secret.split("_")[1]
    theirs = Shell(qd.folder, {**qd.variables, "QUARTERDECK_KEY": secret})
    assert theirs("run", "submit", "clerk", "go").out == "done\n"
    assert theirs("key", "list", code=1).err.startswith("error: ")
    listed = {key["id"]: key for key in qd("key", "list", "--json").json}
    assert (listed[key_id]["status"], listed[key_id]["agents"], listed[key_id]["secret"]) == ("active", ["clerk"], None)
    fresh = qd("key", "rotate", key_id).out.strip()
    assert fresh != secret
    qd("key", "revoke", fresh.split("_")[1])
    theirs = Shell(qd.folder, {**qd.variables, "QUARTERDECK_KEY": fresh})
    assert "revoked" in theirs("run", "list", code=1).err


def test_an_admin_founds_a_tenant_and_hands_it_over(stage: Stage, admin: Shell):
    slug = f"founded-{os.getpid()}"
    assert (
        admin("tenant", "create", slug, "--name", "Acme Ltd", "--max-running", "3", "--json").json["max_running"] == 3
    )
    assert "already" in admin("tenant", "create", slug, code=1).err
    owner = admin("key", "create", "first", "--role", "owner", "--tenant", slug).out.strip()
    theirs = Shell(admin.folder, {"QUARTERDECK_URL": stage.fleet.url, "QUARTERDECK_KEY": owner})
    assert theirs("run", "list", "--json").json == []
    assert slug in [tenant["slug"] for tenant in admin("tenant", "list", "--json").json]
    admin("tenant", "disable", slug)
    assert "disabled" in theirs("run", "list", code=1).err
    admin("tenant", "enable", slug)
    assert theirs("run", "list", "--json").json == []


def test_a_provider_is_connected_with_a_key_from_a_variable_and_never_shows_it(tenant: Tenant, admin: Shell):
    name = f"vendor-{tenant.slug}"
    with_key = Shell(admin.folder, {**admin.variables, "A_KEY": "sk-very-secret"})
    assert "A_KEY is not set" in admin("provider", "add", name, "--kind", "openai", "--key-from", "A_KEY", code=2).err
    added = with_key("provider", "add", name, "--kind", "openai", "--key-from", "A_KEY", "--json")
    assert added.json["has_key"]
    assert "sk-very-secret" not in added.out + with_key("provider", "list").out
    assert admin("provider", "update", name, "--option", "max_concurrency=3", "--json").json["options"] == {
        "max_concurrency": 3
    }
    moved = admin("provider", "update", name, "--url", "https://elsewhere.example/v1", code=1)
    assert "key" in moved.err
    admin("provider", "remove", name)
    assert name not in admin("provider", "list").out


def test_a_conversation_goes_on_from_message_to_message(tenant: Tenant, qd: Shell):
    tenant.agent({"text": "hello"})
    thread = qd("thread", "create", "clerk", "--user", "ann").out.strip()
    assert qd("thread", "say", thread, "good morning").out == "hello\n"
    assert qd("thread", "say", thread, "and again").out == "hello\n"
    said = qd("thread", "show", thread).out.splitlines()
    assert [line.split(maxsplit=1) for line in said[1:]] == [
        ["user", "good morning"],
        ["model", "hello"],
        ["user", "and again"],
        ["model", "hello"],
    ]
    assert qd("thread", "list", "--user", "ann", "--json").json[0]["run_count"] == 2
    assert len(qd("run", "list", "--thread", thread).out.splitlines()) == 2


def test_a_webhook_is_told_and_its_deliveries_are_seen(tenant: Tenant, qd: Shell):
    url = f"{tenant.stage.outside.letterbox.url}/{tenant.slug}"
    made = qd("webhook", "add", url, "--kind", "*")
    assert made.out.startswith("whsec_")
    webhook = qd("webhook", "list", "--json").json[0]
    qd("webhook", "test", webhook["id"])
    delivery = None
    for _ in range(100):
        delivery = qd("webhook", "deliveries", webhook["id"], "--json").json[0]
        if delivery["state"] != "pending":
            break
    assert delivery is not None
    assert (delivery["state"], delivery["last_status"]) == ("delivered", 204)
    letter = tenant.stage.outside.letterbox.to(f"/{tenant.slug}")[0]
    assert letter.is_signed_with(made.out.strip())
    qd("webhook", "disable", webhook["id"])
    assert qd("webhook", "list").out.split("\t")[3].strip() == "no"
    qd("webhook", "remove", webhook["id"])
    assert qd("webhook", "list").out == ""


def test_workers_are_listed_for_admins(admin: Shell, qd: Shell):
    workers = admin("worker", "list", "--json").json
    assert "alive" in {worker["state"] for worker in workers}
    assert qd("worker", "list", code=1).out == ""


@pytest.mark.parametrize(
    "command", [("tenant", "create"), ("run", "submit", "clerk"), ("nonsense",), ("run", "list", "--limit", "0")]
)
def test_wrong_usage_exits_with_2_and_prints_nothing_to_a_pipe(qd: Shell, command: tuple[str, ...]):
    assert qd(*command, code=2).out == ""


def test_a_conversation_is_recorded_and_replayed_without_the_model(tenant: Tenant, admin: Shell):
    provider, url = f"wire-{tenant.slug}", f"{tenant.stage.outside.provider.url}/v1"
    admin("provider", "add", provider, "--kind", "openai_compatible", "--url", url)
    tenant.agent(model={"provider": provider, "id": PIN}, tools=[])
    tapes = admin.folder / "tapes"
    said = admin("run", "submit", "clerk", "record me", "--record", "tapes")
    assert said.out == "hello\n"
    recorded = list(tapes.iterdir())
    assert said.err == f"recorded {recorded[0]}\n"
    assert admin("provider", "update", provider, "--json").json["options"] == {}
    admin("run", "submit", "clerk", "not me")
    assert list(tapes.iterdir()) == recorded

    admin("provider", "remove", provider)
    admin("provider", "add", provider, "--kind", "recorded", "--option", f"folder={tapes}")
    assert admin("run", "submit", "clerk", "record me").out == "hello\n"
    assert admin("run", "submit", "clerk", "something else", code=3).out == ""
    refused = admin("run", "submit", "clerk", "record me", "--record", "tapes", code=1)
    assert "asks no real model" in refused.err
