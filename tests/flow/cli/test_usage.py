"""What runs cost, from the command line: what a real run used is in the report to the last micro-USD."""

import csv
import io
from datetime import UTC, datetime

from quarterdeck.core.json import encode
from tests.flow.cli.shell import Shell
from tests.flow.stage import PIN, Tenant

USAGE = {"input": 1000, "output": 100, "cache_read": 400}
STEPS = ({"call": "look", "arguments": {"page": 1}, "usage": USAGE}, {"text": "done", "usage": USAGE})
PRICES = {"*": {"input": 2, "output": 8, "cache_read": 0.5}}
COST = 600 * 2 + 200 + 100 * 8
"""Of one call: 600 fresh tokens, 400 that were cached at half a dollar a million, 100 written."""


def spend(tenant: Tenant) -> str:
    """A run of two calls, the second of which is the first to read a result."""
    provider = tenant.script(*STEPS, prices=PRICES)
    tenant.agent(model={"provider": provider, "id": PIN})
    run = tenant.submit(tags={"plan": "=gold"})
    assert tenant.until(run)["status"] == "succeeded"
    return provider


def test_what_a_run_used_is_told_by_anything(tenant: Tenant, qd: Shell):
    provider = spend(tenant)
    found = qd("usage", "report", "--by", "agent,tag:plan,provider,served_model,purpose", "--json").json
    (line,) = found["lines"]
    assert line["keys"] == {
        "agent": "clerk",
        "tag:plan": "=gold",
        "provider": provider,
        "served_model": PIN,
        "purpose": "step",
    }
    assert (line["calls"], line["input_tokens"], line["cache_read_tokens"]) == (2, 2000, 800)
    assert line["cost_micro_usd"] == found["total"]["cost_micro_usd"] == 2 * COST
    assert line["saved_cache_micro_usd"] == 2 * 400 * 3 // 2

    by_tool = qd("budget", "report", "--by", "tool", "--json").json["lines"]
    assert {line["keys"]["tool"]: line["cost_micro_usd"] for line in by_tool} == {"look": COST, "(none)": COST}

    table = qd("usage", "report", "--by", "tag:plan", "--where", "agent=clerk", "--csv").out
    (row,) = list(csv.DictReader(io.StringIO(table)))
    assert (row["tag:plan"], row["cost_micro_usd"]) == ("'=gold", str(2 * COST))
    assert qd("usage", "report", "--where", "tag:plan=tin").out == ""


def test_who_spends_most_and_what_was_saved_are_told_to_people(tenant: Tenant, qd: Shell):
    spend(tenant)
    with qd.terminal("usage", "concentration") as terminal:
        terminal.see("100 %")
        terminal.see("1 of 1 users makes 100 % of the cost.")
        assert terminal.end() == 0
    with qd.terminal("usage", "savings") as terminal:
        terminal.see("800 tokens (40 % of all read)")
        assert terminal.end() == 0
    with qd.terminal("usage", "outliers") as terminal:
        terminal.see("no run stands out")
        assert terminal.end() == 0


def test_a_bill_that_agrees_ends_with_0_and_one_that_differs_with_9(tenant: Tenant, qd: Shell):
    provider = spend(tenant)
    day = datetime.now(UTC).date().isoformat()
    right = {"date": day, "model": PIN, "input_tokens": 2000, "output_tokens": 200, "cost": 2 * COST / 1e6}
    (qd.folder / "right.jsonl").write_bytes(encode(right))
    (qd.folder / "wrong.csv").write_text(f"date,model,input_tokens\n{day},{PIN},3000\n{day},{PIN}\n")
    assert "1 agree, 0 differ" in qd("usage", "reconcile", "right.jsonl", "--provider", provider).err

    refused = qd("usage", "reconcile", "wrong.csv", "--provider", provider, code=1)
    assert "wrong.csv:3: it has 2 columns and the head 3" in refused.err
    told = qd("usage", "reconcile", "wrong.csv", "--provider", provider, "--skip-bad-lines", "--json", code=9).json
    (difference,) = told["differences"]
    assert (difference["kind"], difference["ours"]["input_tokens"]) == ("tokens_differ", 2000)


def test_a_question_that_makes_no_sense_is_refused(qd: Shell):
    assert "there is no 'planet'" in qd("usage", "report", "--where", "planet=mars", code=2).err
    assert "is no time" in qd("usage", "report", "--since", "yesterday", code=2).err
    assert "send some of tenant, user" in qd("usage", "report", "--by", "planet", code=1).err


def test_an_admin_sees_all_tenants_and_a_tenant_does_not(tenant: Tenant, qd: Shell, admin: Shell):
    spend(tenant)
    found = admin("usage", "report", "--deployment", "--by", "tenant", "--top", "1000", "--json").json
    assert {line["keys"]["tenant"]: line["cost_micro_usd"] for line in found["lines"]}[tenant.slug] == 2 * COST
    assert "only a deployment admin" in qd("usage", "report", "--deployment", code=2).err
    assert "name no tenant" in admin("usage", "report", "--deployment", "--tenant", tenant.slug, code=2).err
