"""Switches from the command line."""

from tests.flow.cli.shell import Shell
from tests.flow.stage import Tenant


def test_a_switch_is_previewed_thrown_listed_and_lifted(tenant: Tenant, qd: Shell):
    seen = qd("switch", "preview", "tool", "refund", "--disable", "--json").json
    assert (seen["agents"], seen["running_runs"], seen["calls_in_flight"]) == ([], 0, 0)
    words = ("switch", "throw", "tool", "refund", "--disable", "--why", "double refunds", "--for", "1h", "--cancel")
    made = qd(*words, "--json").json
    assert (made["words"], made["why"], made["in_flight"]) == (
        "tool refund is switched off",
        "double refunds",
        "cancel",
    )
    assert made["until"] > made["thrown_at"]
    assert [switch["switch_id"] for switch in qd("switch", "list", "--json").json] == [made["switch_id"]]
    assert "double refunds" in qd("switch", "list").out
    lifted = qd("switch", "lift", made["switch_id"], "--why", "fixed", "--json").json
    assert (lifted["state"], lifted["lifted_why"]) == ("lifted", "fixed")
    assert qd("switch", "list", "--json").json == []
    assert [switch["state"] for switch in qd("switch", "list", "--all", "--json").json] == ["lifted"]
    assert "switch.lifted" in qd("switch", "lift", made["switch_id"], "--json", code=1).err


def test_values_are_given_with_the_action(tenant: Tenant, qd: Shell):
    capped = qd("switch", "throw", "tenant", "--cap-steps", "3", "--why", "x", "--json").json
    assert (capped["action"], capped["value"], capped["tenant"]) == ("cap_steps", 3, tenant.slug)
    saving = qd("switch", "throw", "tenant", "--cap-budget", "0.25", "--why", "x", "--json").json
    assert (saving["action"], saving["value"]) == ("cap_budget", 0.25)
    lowered = qd("switch", "throw", "tool", "refund", "--lower-autonomy", "suggest", "--why", "x", "--json").json
    assert (lowered["action"], lowered["value"]) == ("lower_autonomy", "suggest")
    refused = qd("switch", "throw", "tenant", "--switch-model", "nowhere/gpt-4", "--why", "x", code=1)
    assert "nowhere" in refused.err


def test_what_can_not_be_meant_is_refused_before_anything_is_sent(tenant: Tenant, qd: Shell):
    assert "--disable" in qd("switch", "throw", "tool", "refund", "--why", "x", code=2).err
    both = qd("switch", "throw", "tool", "refund", "--disable", "--force-review", "--why", "x", code=2)
    assert "one of" in both.err
    assert "30m" in qd("switch", "throw", "tool", "refund", "--disable", "--why", "x", "--for", "soon", code=2).err
    assert "why" in qd("switch", "throw", "tool", "refund", "--disable", code=2).err
    assert qd("switch", "list", "--json").json == []


def test_everything_is_stopped_by_a_deployment_admin_alone(tenant: Tenant, qd: Shell, admin: Shell):
    refused = qd("switch", "throw", "everything", "--pause-new", "--why", "drill", "--json", code=1)
    assert "auth.forbidden" in refused.err
    # For a tool that nobody has, so that the tests beside this one go on.
    made = admin("switch", "throw", "tool", "no-such-tool", "--disable", "--why", "drill", "--json").json
    assert made["deployment"]
    assert "auth.forbidden" in qd("switch", "lift", made["switch_id"], "--json", code=1).err
    assert admin("switch", "lift", made["switch_id"], "--deployment", "--json").json["state"] == "lifted"
