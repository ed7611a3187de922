"""The command line: `quarterdeck`, short `qd`. One file a noun; each is loaded when it is asked for."""


def main() -> None:
    """Run the command of this process's arguments and exit with its status."""
    from quarterdeck.cli.root import run

    run()
