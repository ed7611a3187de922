"""What is printed: for people, for pipes, as JSON, and never what a terminal would act on."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from quarterdeck.cli.screen import Screen, age, harmless, span, usd
from quarterdeck.sdk.records import Run

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)
RUN = Run(run_id="r1", agent="desk", status="failed", title="a\x1b[31m\nb", tags={"a": "b"})
COLUMNS = [("run", lambda run: run.run_id), ("status", lambda run: run.status), ("title", lambda run: run.title)]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0004, "0 ms"),
        (0.34, "340 ms"),
        (2.44, "2.4 s"),
        (59, "59 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (3 * 86_400, "3 d"),
    ],
)
def test_durations_say_enough_and_no_more(seconds: float, words: str):
    assert span(seconds) == words


def test_times_are_told_from_now():
    assert age(NOW - timedelta(minutes=3), NOW) == "3 min ago"
    assert age(NOW + timedelta(hours=2), NOW) == "in 2 h"


def test_small_money_shows_more_digits():
    assert [usd(micro) for micro in (0, 1_200, 1_230_000, 5_000_000_000)] == ["$0.00", "$0.0012", "$1.23", "$5,000.00"]


@pytest.mark.parametrize("evil", ["\x1b]0;owned\x07", "\x1b[2J", "a\rb", "\x9b31m", "\u202egnp.exe"])
def test_what_a_terminal_would_act_on_is_not_printed(evil: str):
    assert harmless(evil).isprintable()


def test_lines_are_kept_where_text_is_shown_whole():
    assert harmless("a\nb") == "a\nb"


def test_pipes_get_tabs_and_nothing_else(capsys):
    Screen().table([RUN], COLUMNS)
    assert capsys.readouterr().out == "r1\tfailed\ta [31m b\n"


def test_on_a_narrow_terminal_sentences_are_broken_and_ids_are_whole(monkeypatch, capsys):
    screen = Screen()
    screen.person = True
    monkeypatch.setenv("COLUMNS", "80")
    run = Run(run_id="01a1f967-edaf-7f27-a338-6043401f3bd3", agent="desk", status="failed", title="a few words " * 20)
    screen.table([run], COLUMNS)
    shown = capsys.readouterr().out
    assert run.run_id in shown
    assert shown.count("few") == 20


def test_pipes_get_nothing_for_nothing(capsys):
    Screen().table([], COLUMNS, empty="no runs")
    assert capsys.readouterr().out == ""


def test_json_is_the_whole_record(capsys):
    Screen(json=True).table([RUN], COLUMNS)
    assert json.loads(capsys.readouterr().out)[0]["tags"] == {"a": "b"}


def test_facts_that_are_not_there_take_no_line(capsys):
    Screen().facts(
        RUN, [("run", "r1"), ("label", None), ("error", ""), ("at", NOW), ("done", True), ("of", ["a", "b"])]
    )
    assert capsys.readouterr().out == "run\tr1\nat\t2026-06-09T12:00:00+00:00\ndone\tyes\nof\ta, b\n"


def test_json_keeps_notes_and_lines_to_itself(capsys):
    screen = Screen(json=True)
    screen.line("for people")
    screen.note("for people")
    assert capsys.readouterr() == ("", "")
