"""Budgets and alerts from the command line."""

from tests.flow.cli.shell import Shell
from tests.flow.stage import Tenant


def test_a_budget_is_set_shown_listed_and_removed(tenant: Tenant, qd: Shell):
    words = ("budget", "set", "each-user", "--scope", "user", "--max-budget", "0.50", "--duration", "1d")
    made = qd(*words, "--max-tokens", "200000", "--why", "The board asks for it.", "--json").json
    assert (made["scope"], made["target"], made["max_budget"], made["max_tokens"]) == ("user", "*", 0.5, 200_000)
    assert (made["budget_duration"], made["alert_at"]) == ("1d", [50, 80, 100])
    assert qd("budget", "show", "each-user", "--json").json == made
    assert "each-user" in [one["name"] for one in qd("budget", "list", "--json").json]
    lines = qd("budget", "list").out.splitlines()
    assert [line.split("\t")[1:3] for line in lines if line.startswith("each-user")] == [
        ["each user", "$0.5000/day"],
        ["each user", "200,000 tokens/day"],
    ]
    assert "The board asks for it." in qd("budget", "show", "each-user").out
    assert qd("budget", "accounts", "each-user", "--json").json == []
    refused = qd(*words[:-1], "30d", code=1)
    assert "send 1d or month" in refused.err
    assert "0.50" in qd(*words[:-3], "a lot", code=1).err
    assert "max_budget" in qd("budget", "set", "x", "--scope", "user", code=1).err
    qd("budget", "remove", "each-user")
    assert "budget.not_found" in qd("budget", "show", "each-user", "--json", code=1).err


def test_nothing_is_suggested_where_nothing_was_used(tenant: Tenant, qd: Shell):
    refused = qd("budget", "suggest", "user", code=1)
    assert "too little" in refused.err
    assert "total" in qd("budget", "suggest", "run", "--duration", "1d", code=1).err


def test_alerts_and_runs_near_a_limit_are_listed(tenant: Tenant, qd: Shell):
    assert qd("alert", "list", "--json").json == []
    assert qd("alert", "list", "--all", "--severity", "critical").out == ""
    assert qd("alert", "near-limits", "--json").json == []
    assert "alert.missing" in qd("alert", "acknowledge", "0198f0c2-0000-7000-8000-000000000000", "--json", code=1).err
