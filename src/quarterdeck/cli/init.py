"""`quarterdeck init`: an agent to begin with, in a folder of its own."""

import re
from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag
from quarterdeck.cli.screen import Screen
from quarterdeck.core.errors import Conflict
from quarterdeck.spec.starter import starter_files
from quarterdeck.spec.values import NAME

app = typer.Typer(add_completion=False)

TEMPLATE = "assistant"


class FolderNotEmpty(Conflict):
    """There is something in this folder already; name one that is empty or not there yet."""

    code = "init.folder_not_empty"


@app.command(epilog="Example: qd init my-agent && qd dev --agent my-agent")
def command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to; made if it is not there. The agent is called like it.")
    ] = Path(TEMPLATE),
    owner: Annotated[str, typer.Option(help="The person or team that answers for it.")] = "you@example.com",
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
    called = folder.resolve().name
    name = called if re.fullmatch(NAME, called) else TEMPLATE
    written = sorted(starter_files(name, owner, TEMPLATE).items())
    for path, content in written:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    screen = Screen(json=json)
    if json:
        screen.value({"folder": str(folder), "files": [path for path, _ in written]})
        return
    screen.line(f"{folder}: {len(written)} files, begin with {folder / 'agent.yaml'}")
    screen.line("")
    screen.line("Run everything on this machine, this agent included:")
    screen.line(f"  qd dev --agent {folder}")
    screen.line("Then, in another terminal in this folder:")
    screen.line(f"  qd run submit {name} 'How many days of leave can I carry over?'")
