"""Questions, conversations passed on, and levels of autonomy, from the command line of a real deployment."""

import time

from tests.flow.cli.shell import Shell
from tests.flow.stage import Json, Tenant, until


def waiting(qd: Shell, run: str) -> Json:
    """The one question of a run, once it is in the inbox."""
    (found,) = until(lambda: qd("approval", "list", "--run", run, "--json").json, "the question is in the inbox")
    return found


def test_a_call_is_looked_at_changed_and_approved(tenant: Tenant, qd: Shell):
    what = f"books-{time.monotonic_ns()}"
    tenant.agent({"call": "pay_if_approved", "arguments": {"what": "wrong"}}, {"text": "paid"})
    run = tenant.submit()
    asked = waiting(qd, run)
    shown = qd("approval", "show", asked["approval_id"]).out
    assert "pay_if_approved: what = wrong" in shown
    assert asked["digest"] in shown
    stale = qd("approval", "approve", asked["approval_id"], "--digest", "0" * 64, "--json", code=1)
    assert "approval.changed" in stale.err
    refused = qd("approval", "approve", asked["approval_id"], "--arguments", "[1]", code=2)
    assert "JSON object" in refused.err
    edited = ("--arguments", f'{{"what": "{what}"}}', "--why", "that one")
    done = qd("approval", "approve", asked["approval_id"], *edited, "--json").json
    assert (done["state"], done["edited"]) == ("approved", {"what": what})
    assert tenant.until(run)["status"] == "succeeded"
    assert (tenant.stage.outside.books.effects(what), tenant.stage.outside.books.effects("wrong")) == (1, 0)
    told = qd("run", "watch", run, code=None)
    assert "needs a person's approval" in told.out + told.err
    assert qd("approval", "list", "--run", run, "--json").json == []


def test_a_denial_needs_its_reason_and_many_are_denied_at_once(tenant: Tenant, qd: Shell):
    tenant.agent({"call": "pay_if_approved", "arguments": {"what": "denied"}}, {"text": "so be it"})
    runs = [tenant.submit(), tenant.submit()]
    ids = [waiting(qd, run)["approval_id"] for run in runs]
    assert "why" in qd("approval", "deny", ids[0], code=2).err
    mixed = qd("approval", "batch", "approve", *ids, "--json", code=1).json
    assert {item["code"] for item in mixed} == {"approval.not_for_many"}
    denied = qd("approval", "batch", "deny", *ids, "--why", "end of the month", "--json").json
    assert [item["state"] for item in denied] == ["denied", "denied"]
    assert [tenant.until(run)["status"] for run in runs] == ["succeeded", "succeeded"]
    assert tenant.stage.outside.books.effects("denied") == 0


def test_a_conversation_is_passed_on_claimed_and_closed(tenant: Tenant, qd: Shell):
    tenant.agent({"call": "escalate", "arguments": {"summary": "Ann wants a person.", "reason": "she said so"}})
    run = tenant.submit()
    ended = tenant.until(run)
    assert (ended["status"], ended["reason"]) == ("stopped", "escalated")
    (found,) = qd("escalation", "list", "--state", "open", "--json").json
    assert (found["run_id"], found["summary"], found["owner"]) == (run, "Ann wants a person.", "tests")
    assert "Ann wants a person." in qd("escalation", "show", found["escalation_id"]).out
    early = qd("escalation", "close", found["escalation_id"], "--note", "done", "--json", code=1)
    assert "escalation.not_claimed" in early.err
    assert qd("escalation", "claim", found["escalation_id"], "--json").json["state"] == "claimed"
    closed = qd("escalation", "close", found["escalation_id"], "--note", "called her", "--json").json
    assert (closed["state"], closed["note"]) == ("closed", "called her")


def test_how_far_an_agent_may_go_is_set_with_a_reason_and_holds_at_once(tenant: Tenant, qd: Shell):
    what = f"level-{time.monotonic_ns()}"
    tenant.agent({"call": "pay", "arguments": {"what": what}}, {"text": "done"})
    line = next(one for one in qd("autonomy", "list", "--json").json if one["tool"] == "pay")
    assert (line["agent"], line["level"], line["ceiling"]) == ("clerk", "free", "free")
    lowered = qd("autonomy", "set", "clerk", "pay", "ask_always", "--why", "a new model", "--json").json
    assert lowered["level"] == "ask_always"
    time.sleep(1.5)  # every worker knows by then
    run = tenant.submit()
    qd("approval", "approve", waiting(qd, run)["approval_id"])
    assert tenant.until(run)["status"] == "succeeded"
    above = qd("autonomy", "set", "clerk", "pay_if_approved", "free", "--why", "x", "--json", code=1)
    assert "autonomy.above_ceiling" in above.err
    qd("autonomy", "forget", "clerk", "pay", "--why", "1 of 1")
    first, second = qd("autonomy", "changes", "clerk", "pay", "--json").json
    assert (first["level"], first["previous"], first["evidence"]["approved"]) == (None, "ask_always", 1)
    assert second["why"] == "a new model"
    time.sleep(1.5)
    assert tenant.until(tenant.submit())["status"] == "succeeded"
    assert tenant.stage.outside.books.effects(what) == 2
