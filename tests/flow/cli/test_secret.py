"""`qd secret`: values go in by pipe, variable or prompt, and never come out."""

from dataclasses import replace

from tests.flow.cli.shell import Shell
from tests.flow.stage import Tenant

CANARY = "canary-of-the-command-line-1"


def test_a_secret_is_set_listed_rotated_and_removed_and_never_shown(tenant: Tenant, qd: Shell):
    kept = qd("secret", "set", "API", "--due-in", "90", "--description", "for the API", "--json", given=CANARY + "\n")
    assert (kept.json["version"], kept.json["reference"], kept.json["due"]) == (1, "secret://API", False)
    named = replace(qd, variables={**qd.variables, "MY_TOKEN": "another-value-0002"})
    again = named("secret", "set", "API", "--from", "MY_TOKEN", "--json")
    assert again.json["version"] == 2
    listed = qd("secret", "list")
    assert "API" in listed.out
    assert qd("secret", "due", "--json").json == []
    assert qd("secret", "set", "API", "--keep", "--due-in", "0", "--json").json["due_at"] is None
    assert qd("secret", "rotate-key", "--json").json["values"] == 2
    assert CANARY not in kept.out + again.out + listed.out
    qd("secret", "remove", "API")
    assert qd("secret", "list", "--json").json == []


def test_a_secret_is_no_argument_and_no_secret_is_no_value(qd: Shell):
    assert "unexpected extra argument" in qd("secret", "set", "API", CANARY, code=2).err.lower()
    assert "holds no value" in qd("secret", "set", "API", code=2).err
    assert "MY_TOKEN is not set" in qd("secret", "set", "API", "--from", "MY_TOKEN", code=2).err
    short = qd("secret", "set", "API", given="short", code=1)
    assert "fewer than 8 bytes" in short.err
    assert "short" not in short.err.replace("fewer than 8 bytes", "")


def test_a_provider_is_given_a_secret_of_the_deployment(tenant: Tenant, admin: Shell, qd: Shell):
    admin("secret", "set", "WIRE", "--deployment", given=CANARY)
    assert "WIRE" in admin("secret", "list", "--deployment").out
    assert "WIRE" not in qd("secret", "list").out
    name = f"named-{tenant.slug}"
    added = admin("provider", "add", name, "--kind", "openai", "--secret", "WIRE")
    assert CANARY not in added.out
    assert "sealed" in added.out
    admin("provider", "add", name + "-2", "--kind", "openai", "--secret", "WIRE", "--key-from", "X", code=2)
