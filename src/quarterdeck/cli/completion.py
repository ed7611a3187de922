"""`quarterdeck completion`: the script that teaches a shell to complete commands and options."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

SHELLS = ("bash", "zsh", "fish")


@app.command(epilog="Example: qd completion bash > ~/.local/share/bash-completion/completions/qd")
def command(shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the completion script for a shell. `qd --install-completion` puts it in place by itself."""
    from typer._completion_shared import get_completion_script

    if shell not in SHELLS:
        raise typer.BadParameter(f"there are {', '.join(SHELLS)}", param_hint="SHELL")
    for name in ("qd", "quarterdeck"):
        print(get_completion_script(prog_name=name, complete_var=f"_{name.upper()}_COMPLETE", shell=shell))
