"""The table of commands: quick to show, true to what the commands say of themselves."""

import subprocess
import sys

import pytest
import typer
from typer.core import TyperGroup

from quarterdeck.cli.root import COMMANDS, build, load, run

HEAVY = ("httpx", "pydantic", "fastapi", "asyncpg", "uvicorn", "pydantic_ai", "aiohttp", "quarterdeck.sdk", "rich.live")


def leaves(command, path: str):
    if isinstance(command, TyperGroup):
        for name, part in command.commands.items():
            yield from leaves(part, f"{path} {name}")
    if not isinstance(command, TyperGroup) or command.invoke_without_command:
        yield path, command


EVERY = [found for name in COMMANDS for found in leaves(load(name), name)]


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['qd', '--help']\n"
        "from quarterdeck.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: []" in done.stdout
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize(("path", "command"), EVERY, ids=[path for path, _ in EVERY])
def test_every_command_explains_itself_with_an_example(path: str, command):
    assert command.help, path
    assert (command.epilog or "").startswith("Example: "), path
    for parameter in command.params:
        assert (
            getattr(parameter, "hidden", False)
            or getattr(parameter, "help", "")
            or parameter.param_type_name == "argument"
        )


@pytest.mark.parametrize(("path", "command"), EVERY, ids=[path for path, _ in EVERY])
def test_every_command_that_prints_results_can_print_json(path: str, command):
    options = {option for parameter in command.params for option in parameter.opts}
    # What stays in the foreground prints none, and an export is lines of JSON already.
    assert "--json" in options or path in {"dev", "serve", "worker", "completion", "audit export"}


@pytest.mark.parametrize(
    ("wrong", "said"), [(["nouns"], "No such command"), (["run", "shwo"], "Did you mean"), ([], "")]
)
def test_wrong_usage_is_told_apart_from_errors(wrong: list[str], said: str, capsys):
    with pytest.raises(SystemExit) as ended:
        run(wrong)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert said in captured.err + captured.out


def test_the_version_is_the_packages(capsys):
    import quarterdeck

    with pytest.raises(SystemExit) as ended:
        run(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"quarterdeck {quarterdeck.__version__}\n"


def test_a_typo_of_a_noun_is_answered_with_the_nearest(capsys):
    with pytest.raises(SystemExit):
        run(["rnu"])
    assert "'run'" in capsys.readouterr().err


def test_completion_scripts_are_made_for_each_shell(capsys):
    for shell in ("bash", "zsh", "fish"):
        with pytest.raises(SystemExit) as ended:
            run(["completion", shell])
        assert ended.value.code == 0
        assert "_QD_COMPLETE" in capsys.readouterr().out


def test_every_name_in_the_table_is_a_command():
    context = typer.Context(build())
    assert build().list_commands(context) == list(COMMANDS)
