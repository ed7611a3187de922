"""`qd run` against a real deployment: what it prints, how it ends, what happens to it when things break."""

import signal
from collections.abc import Mapping

import pytest

from tests.flow.cli.shell import Shell
from tests.flow.stage import PIN, Tenant, until

LOOK = {"call": "look", "arguments": {"what": "round {n}"}}

LONG = {"max_steps": 300, "max_tool_calls": 300}


def slow(tenant: Tenant, *steps: Mapping[str, object], latency_ms: int) -> None:
    """An agent whose model takes its time."""
    provider = tenant.script(*steps, name="slow", latency_ms=latency_ms)
    tenant.agent(model={"provider": provider, "id": PIN}, limits=LONG)


def test_a_pipe_gets_the_answer_and_nothing_else(tenant: Tenant, qd: Shell):
    tenant.agent(LOOK, {"text": "It is on\nits way.\x1b[2J"})
    said = qd("run", "submit", "clerk", "where is it?")
    assert (said.out, said.err) == ("It is on\nits way. [2J\n", "")
    assert qd("run", "submit", "clerk", "-", given="from a pipe\n").out == said.out
    assert [run["title"] for run in qd("run", "list", "--json").json] == ["from a pipe", "where is it?"]


def test_a_finished_run_as_json_is_the_whole_record(tenant: Tenant, qd: Shell):
    tenant.agent(LOOK, {"text": "done"})
    run = qd("run", "submit", "clerk", "go", "--json", "--tag", "a=b", "--user", "ann").json
    assert (run["status"], run["result"]["text"], run["tags"], run["user_id"]) == (
        "succeeded",
        "done",
        {"a": "b"},
        "ann",
    )
    assert qd("run", "show", "last", "--json").json == run
    events = qd("run", "events", run["run_id"], "--json").lines
    assert [event["seq"] for event in events] == list(range(1, run["last_seq"] + 1))
    watched = qd("run", "watch", run["run_id"], "--json").lines
    assert [(event["seq"], event["data"]) for event in watched] == [(one["seq"], one["data"]) for one in events]
    assert "look" in qd("run", "trace", "last").out
    assert qd("run", "trace", "last", "--json").json["run"]["run_id"] == run["run_id"]


def test_a_run_is_proven_from_its_log(tenant: Tenant, qd: Shell):
    tenant.agent(LOOK, {"text": "done"})
    qd("run", "submit", "clerk", "go")
    said = qd("run", "prove", "last")
    assert said.out.splitlines()[-1].startswith("proven: ")
    assert "[known, switch, schema, limits, depth, scope, permission, approval]" in said.out
    proof = qd("run", "prove", "last", "--json").json
    assert (proof["proven"], proof["gaps"]) == (True, [])
    assert [edge["edge"] for edge in proof["edges"]] == ["input", "model", "tool", "result", "model"]


def test_exit_codes_say_how_a_run_ended(tenant: Tenant, qd: Shell):
    tenant.agent({**LOOK, "times": 9}, {"text": "done"}, name="stops", limits={"max_steps": 2})
    assert qd("run", "submit", "stops", "go", code=4).err.startswith("stopped: ")
    tenant.agent({"fail": {"code": "bad_request", "message": "no"}}, name="fails")
    assert qd("run", "submit", "fails", "go", code=3).err.startswith("failed: ")
    assert qd("run", "watch", "last", code=3).out.splitlines()[-1].startswith("■ failed")
    tenant.agent({"text": "late"}, name="late")
    run = qd("run", "submit", "late", "go", "--delay", "600", "--detach").out.strip()
    assert qd("run", "watch", run, "--timeout", "0.5", code=7).err == f"It goes on: qd run watch {run}\n"
    assert qd("run", "cancel", run).out == "cancelled\n"
    qd("run", "watch", run, code=5)


def test_a_doubt_is_shown_with_the_command_that_settles_it(tenant: Tenant, qd: Shell):
    tenant.agent({"call": "pay", "arguments": {"what": tenant.slug}}, {"text": "paid"})
    with tenant.stage.outside.books.holding(tenant.slug):
        said = qd("run", "submit", "clerk", "pay", code=6)
    assert said.err.startswith("waiting_for_outcome: ")
    shown = qd("run", "show", "last").out
    assert (
        f"qd run outcome {tenant.must(tenant.client.get('/v1/runs'))['items'][0]['run_id']} happened --call " in shown
    )
    until(
        lambda: qd("run", "outcome", "last", "happened", "--result", "paid", code=None).code == 0, "it can be settled"
    )
    assert qd("run", "watch", "last").out.splitlines()[-2:] == ["■ succeeded", "paid"]
    assert tenant.stage.outside.books.effects(tenant.slug) == 1


def test_a_run_is_sent_back_after_what_failed_it_is_put_right(tenant: Tenant, qd: Shell, admin: Shell):
    tenant.agent({"fail": {"code": "bad_request", "message": "no"}})
    qd("run", "submit", "clerk", "go", code=3)
    script = 'script={"steps":[{"text":"now it works"}]}'
    admin("provider", "update", f"clerk-{tenant.slug}", "--option", script)
    until(lambda: qd("run", "retry", "last", code=None).out == "now it works\n", "it works")


def test_watching_survives_the_death_of_the_api(tenant: Tenant, qd: Shell):
    slow(tenant, {**LOOK, "times": 12}, {"text": "done"}, latency_ms=250)
    run = qd("run", "submit", "clerk", "go", "--detach").out.strip()
    output = qd.folder / "watched.txt"
    with qd.started("run", "watch", run, output=output) as watching:
        until(lambda: "round 2" in output.read_text(), "it is under way")
        tenant.stage.kill("serve")
        assert watching.wait(60) == 0, output.read_text()
    lines = output.read_text().splitlines()
    assert [line for line in lines if line.startswith("→")] == [f'→ look(what="round {n}")' for n in range(1, 13)]
    assert lines[-2:] == ["■ succeeded", "done"]


def test_a_terminal_shows_the_run_live_and_ctrl_c_asks(tenant: Tenant, qd: Shell):
    slow(tenant, {**LOOK, "times": 200}, {"text": "done"}, latency_ms=100)
    with qd.terminal("run", "submit", "clerk", "go on") as terminal:
        terminal.see('→ look(what="round 2")')
        terminal.see("step ")
        terminal.interrupt()
        terminal.see("[l]eave it running, [c]ancel it, [w]atch on")
        terminal.type("w\n")
        before = len(terminal.shown)
        until(lambda: terminal._read(0.1) and "→ look(" in terminal.shown[before:], "it is watched on")
        terminal.interrupt()
        terminal.see("[w]atch on", 30)
        until(lambda: terminal._read(0.1) and terminal.shown.count("[w]atch on") == 2, "it asks again")
        terminal.type("c\n")
        terminal.see("■ cancelled")
        assert terminal.end() == 5


def test_ctrl_c_leaves_a_run_running(tenant: Tenant, qd: Shell):
    slow(tenant, {**LOOK, "times": 200}, {"text": "done"}, latency_ms=100)
    with qd.terminal("run", "submit", "clerk", "go on") as terminal:
        terminal.see('→ look(what="round 2")')
        terminal.interrupt()
        terminal.see("[w]atch on")
        terminal.type("\n")
        terminal.see("It goes on: qd run watch ")
        assert terminal.end() == 130
    assert qd("run", "show", "last", "--json").json["status"] == "running"
    output = qd.folder / "watched.txt"
    with qd.started("run", "watch", "last", output=output) as watching:
        until(lambda: "→" in output.read_text(), "it is watched")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 130
        assert "It goes on" in output.read_text()
    assert qd("run", "cancel", "last").out == "cancelled\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "show", "01a1f8ac-754b-7b05-9e8d-6618affab2b3"), "There is no such run"),
        (("run", "submit", "nobody", "go"), "There is no agent"),
        (("run", "show", "no-id"), "UUID"),
        (("key", "revoke", "nokey"), "There is no such key"),
        (("tenant", "list"), "only a deployment admin"),
    ],
)
def test_errors_are_one_line_that_says_what_is_wrong(qd: Shell, words: tuple[str, ...], said: str):
    failed = qd(*words, code=1)
    assert failed.out == ""
    assert failed.err.startswith("error: ")
    assert said in failed.err
    assert len(failed.err.splitlines()) == 1
    assert said in qd(*words, "--json", code=1).err
    assert "Traceback" not in failed.err


def test_wrong_input_is_wrong_usage(tenant: Tenant, qd: Shell):
    for words in (
        ("run", "submit", "clerk", "{", "--input-json"),
        ("run", "submit", "clerk", "go", "--tag", "nonsense"),
        ("run", "outcome", "last", "perhaps"),
        ("run", "show", "last"),
    ):
        assert qd(*words, code=2).out == ""


def test_a_key_that_is_wrong_and_a_deployment_that_is_away_are_told_with_the_fix(qd: Shell):
    wrong = Shell(qd.folder, {**qd.variables, "QUARTERDECK_KEY": "qd_nobody_nothing"})
    assert (
        wrong("run", "list", code=1).err.splitlines()[1]
        == "  fix: check QUARTERDECK_KEY; make a key with `qd key create`"
    )
    away = Shell(qd.folder, {**qd.variables, "QUARTERDECK_URL": "http://127.0.0.1:9"})
    assert "start it with `qd dev`" in away("run", "list", code=1).err
    nowhere = Shell(qd.folder)
    assert "run `qd dev` in this folder" in nowhere("run", "list", code=1).err
