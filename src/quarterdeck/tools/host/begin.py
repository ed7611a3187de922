"""How a child process becomes a tool host, or the command of a local tool server: confined first, then itself."""

import importlib
import importlib.util
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypedDict

from quarterdeck.tools.host.confine import confine, stay_undumpable
from quarterdeck.tools.host.processes import MARK
from quarterdeck.tools.host.syscalls import refuse_dangerous

SET_ASIDE = "QUARTERDECK_SET_"
"""Before the names of variables that are the release's: the dynamic linker and Python obey some as soon as they start,
and this process starts with the rights of its worker.
"""


class Plan(TypedDict):
    """What the worker tells the child, as JSON on its command line: nothing secret.

    `filtered` = dangerous system calls are refused. `sandbox` names the walls that it stands in, by measure; empty =
    none. `interpreter` serves in the end, where that is not the Python that this is.
    """

    parent: int
    uid: int
    filtered: bool
    sandbox: dict[str, str]
    interpreter: str
    scratch: str
    needs: list[str]
    limits: dict[str, int]
    folder: str
    module: str
    paths: list[str]
    command: list[str]


class Unloadable(Exception):
    """The release's code or command can't be started; says why."""


class Unconfined(Exception):
    """A wall that this process was to stand in is not there."""


def main() -> None:
    """Confine this process, say what is in force, and go on as what the plan says."""
    plan: Plan = json.loads(sys.argv[1])  # noqa: TID251  # only the standard library is there in front of a command
    try:
        in_force = [
            *_walls(plan["sandbox"]),
            *confine(
                parent=plan["parent"],
                uid=plan["uid"],
                scratch=plan["scratch"],
                needs=plan["needs"],
                limits=plan["limits"],
            ),
        ]
        if plan["filtered"] and refuse_dangerous():
            in_force.append("syscalls=filtered")
        _take_environment()
        if plan["command"]:
            _say({"quarterdeck": "confined", "in_force": in_force})
            # Only here: what was mounted before has other folders under the same names.
            os.chdir(plan["folder"])
            _become_command(plan["command"])
        if stay_undumpable():
            in_force.append("undumpable")
        _say({"quarterdeck": "confined", "in_force": in_force})
        if plan["interpreter"]:
            _become_interpreter(plan)
        _serve(plan)
    except Exception as fault:
        _say({"quarterdeck": "failed", "why": f"{type(fault).__name__}: {fault}"})
        raise SystemExit(3) from fault


def go_on() -> None:
    """What the release's own interpreter does, confined already. Its packages run code as soon as it starts."""
    try:
        stay_undumpable()
        _serve(json.loads(sys.argv[1]))  # noqa: TID251  # as above
    except Exception as fault:
        _say({"quarterdeck": "failed", "why": f"{type(fault).__name__}: {fault}"})
        raise SystemExit(3) from fault


def _walls(sandbox: Mapping[str, str]) -> list[str]:
    """The walls that this process stands in, each looked at: what is not there must not be said."""
    if not sandbox:
        return ["network=open"]
    if not os.statvfs("/").f_flag & os.ST_RDONLY:
        raise Unconfined("the file system is not read-only")
    if os.getppid() != 1:
        raise Unconfined("other processes can be seen")
    if sandbox["network"] == "none" and any(name != "lo" for _, name in socket.if_nameindex()):
        raise Unconfined("the network is open")
    return [f"{measure}={words}" for measure, words in sandbox.items()]


def _take_environment() -> None:
    """Give the release's variables their names, now that this process has no rights to lend them."""
    os.environ.pop("PWD", None)
    for aside in [name for name in os.environ if name.startswith(SET_ASIDE)]:
        value, name = os.environ.pop(aside), aside.removeprefix(SET_ASIDE)
        if name != MARK:
            os.environ[name] = value


def _become_interpreter(plan: Plan) -> None:
    begin = (
        f"import sys; sys.path.append({plan['paths'][0]!r}); from quarterdeck.tools.host.begin import go_on; go_on()"
    )
    os.execv(plan["interpreter"], [plan["interpreter"], "-I", "-B", "-c", begin, sys.argv[1]])  # noqa: S606  # no shell


def _serve(plan: Plan) -> None:
    """Serve a module's tools until the worker closes the pipe; of `checks.py:one,two` the functions that are named."""
    # Behind everything: what the release's own environment holds goes first, ours stands in for the rest.
    sys.path.extend(path for path in plan["paths"] if path not in sys.path)
    from quarterdeck.tools.host.checks import checks_of
    from quarterdeck.tools.host.functions import tools_of
    from quarterdeck.tools.host.serve import Server, take_pipes

    source, sink = take_pipes()
    file, _, names = plan["module"].partition(":")
    module = vars(load(Path(plan["folder"]), file))
    tools = checks_of(module, names.split(",")) if names else tools_of(module)
    Server(tools, source, sink, Path(plan["scratch"])).run()


def load(folder: Path, named: str) -> ModuleType:
    """Import the release's module, given as a file (`tools.py`) or dotted name, with its folder importable.

    The folder stands behind the standard library and before installed packages.
    """
    dotted = named.removesuffix(".py").replace("/", ".")
    installed = next((place for place, path in enumerate(sys.path) if path.endswith("-packages")), len(sys.path))
    sys.path.insert(installed, str(folder))
    if "." in dotted:
        return importlib.import_module(dotted)
    if dotted in sys.stdlib_module_names:
        raise Unloadable(f"`{named}` has the name of a module of Python itself; rename it")
    # By its file, so that no installed package of the same name can come in its place.
    place = next((path for path in (folder / f"{dotted}.py", folder / dotted / "__init__.py") if path.is_file()), None)
    if place is None:
        raise Unloadable(f"there is no `{named}` in the release's files")
    spec = importlib.util.spec_from_file_location(dotted, place)
    if spec is None or spec.loader is None:
        raise Unloadable(f"`{named}` is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[dotted] = module
    spec.loader.exec_module(module)
    return module


def _become_command(command: Sequence[str]) -> None:
    try:
        os.execvp(command[0], list(command))  # noqa: S606  # no shell is wanted
    except OSError as fault:
        raise Unloadable(f"`{command[0]}` can't be started: {fault.strerror}") from fault


def _say(words: Mapping[str, object]) -> None:
    """One line to the worker, on standard error."""
    sys.stderr.write(json.dumps(words) + "\n")  # noqa: TID251  # as above
    sys.stderr.flush()
