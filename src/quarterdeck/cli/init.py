"""`quarterdeck init`: an agent to begin with, in a folder of its own."""

from importlib.resources import as_file, files
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag
from quarterdeck.cli.screen import Screen
from quarterdeck.core.errors import Conflict

app = typer.Typer(add_completion=False)

TEMPLATE = "assistant"


class FolderNotEmpty(Conflict):
    """There is something in this folder already; name one that is empty or not there yet."""

    code = "init.folder_not_empty"


@app.command(epilog="Example: qd init my-agent && qd dev --agent my-agent")
def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if it is not there.")] = Path(TEMPLATE),
    json: JsonFlag = False,
) -> None:
    """Write an agent to begin with: an assistant that answers from documents and names its sources.

    It runs at once from recorded conversations, without key or network. Change prompt, documents and tools, then pin a
    model of yours.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderNotEmpty(
            f"There is something in {folder} already; name a folder that is empty.", folder=str(folder)
        )
    with as_file(files("quarterdeck") / "templates" / TEMPLATE) as template:
        copytree(template, folder, dirs_exist_ok=True, ignore=ignore_patterns("__pycache__", "*.pyc"))
    written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    screen = Screen(json=json)
    if json:
        screen.value({"folder": str(folder), "files": written})
        return
    screen.line(f"{folder}: {len(written)} files, begin with {folder / 'agent.yaml'}")
    screen.line("")
    screen.line("Run everything on this machine, this agent included:")
    screen.line(f"  qd dev --agent {folder}")
    screen.line("Then, in another terminal in this folder:")
    screen.line(f"  qd run submit {TEMPLATE} 'words'")
