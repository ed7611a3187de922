"""A tenant's policies from the command line, and what a running worker makes of them."""

from tests.flow.cli.shell import Shell
from tests.flow.stage import Tenant, until

NEVER = '@reason("No looking at secrets.")\nforbid(principal, action == Action::"look", resource)\n'
NEVER += 'when { context.arguments.what == "the secret" };\n'


def test_a_policy_is_tried_set_and_felt_by_the_next_run_at_once(tenant: Tenant, qd: Shell):
    agent = tenant.agent({"call": "look", "arguments": {"what": "the secret"}}, {"text": "done"})
    before = tenant.submit(agent)
    assert tenant.until(before)["status"] == "succeeded"
    assert tenant.of_kind(before, "tool.denied") == []

    (qd.folder / "secret.cedar").write_text(NEVER)
    (qd.folder / "bad.cedar").write_text(NEVER + "permit(principal, action, resource);")
    refused = qd("policy", "check", "bad.cedar", code=1)
    assert "bad.cedar:4:1: " in refused.out
    assert qd("policy", "check", "secret.cedar").out == (
        "forbids `look` when `what` is `the secret` (No looking at secrets.)\n"
    )
    (tried,) = qd("policy", "simulate", "secret", "secret.cedar", "--days", "1", "--json").lines
    assert [(call["run"], call["before"], call["after"]) for call in tried["changed"]] == [(before, "allow", "deny")]

    made = qd("policy", "set", "secret", "secret.cedar", "--why", "They leaked.", "--json").json
    assert (made["version"], made["why"], made["warnings"]) == (1, "They leaked.", [])
    assert "policy.invalid" in qd("policy", "set", "bad", "bad.cedar", "--why", "x", "--json", code=1).err
    assert "They leaked." in qd("policy", "list").out

    def denied():
        run = tenant.submit(agent)
        tenant.until(run)
        return tenant.of_kind(run, "tool.denied")

    (denial,) = until(denied, "the policy is felt")
    assert denial["decision"]["rule"].startswith("permission")
    assert denial["decision"]["policies"] == ["secret:1"]
    assert "No looking at secrets." in denial["decision"]["reason"]

    explained = qd("policy", "explain", agent, "look", "-a", "what=the secret", "--json").json
    assert (explained["verdict"], explained["policies"][0]["id"]) == ("deny", "secret:1")
    assert qd("policy", "explain", agent, "look", "-a", "what=weather", "--json").json["verdict"] == "allow"
    (look,) = qd("policy", "who", "--agent", agent, "--tool", "look", "--json").json
    assert look["verdict"] == "depends"
    assert "look" not in {tool["tool"] for tool in qd("policy", "unused", "--agent", agent, "--json").json}
    assert "patterns" in qd("policy", "--help").out
    assert qd("policy", "patterns", "--agent", agent, "--json").json == []

    qd("policy", "remove", "secret", "--why", "They no longer leak.")
    assert qd("policy", "diff", "secret").out.startswith("no longer forbids `look`")
    assert [each["version"] for each in qd("policy", "history", "secret", "--json").json] == [2, 1]
    assert "policy.not_found" in qd("policy", "show", "secret", "--json", code=1).err
    assert "No looking" in qd("policy", "show", "secret", "--version", "1").out
    assert "base.cedar" in qd("policy", "print", agent).out
    assert 'action "look"' in qd("policy", "schema", agent).out
