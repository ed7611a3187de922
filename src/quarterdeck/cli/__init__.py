"""The command line: `quarterdeck`, short `qd`. One file a noun; each is loaded when it is asked for."""


def main() -> None:
    """Run the command of this process's arguments and exit with its status."""
    import atexit
    import gc

    from quarterdeck.cli.root import run

    # At its end the interpreter looks for cycles in all that was loaded: half a second, for memory that goes anyway.
    atexit.register(gc.freeze)
    run()
