"""A tenant's limits from the command line."""

from tests.flow.cli.shell import Shell
from tests.flow.stage import Tenant


def test_a_limit_is_set_shown_listed_and_removed(tenant: Tenant, qd: Shell):
    words = ("rate", "set", "refunds", "--scope", "tool", "--target", "refund", "--calls", "5", "--every", "2m")
    made = qd(*words, "--why", "The bank asks for it.", "--json").json
    assert (made["scope"], made["target"], made["calls"], made["every"]) == ("tool", "refund", 5, 120)
    assert qd("rate", "show", "refunds", "--json").json == made
    assert [rate["name"] for rate in qd("rate", "list", "--json").json] == ["refunds"]
    assert "bank" in qd("rate", "list").out
    refused = qd(*words[:-1], "soon", code=2)
    assert "12h" in refused.err
    alone = qd("rate", "set", "refunds", "--scope", "tool", "--calls", "5", code=1)
    assert "every" in alone.err
    qd("rate", "remove", "refunds")
    assert "rate.not_found" in qd("rate", "show", "refunds", "--json", code=1).err
