"""`python -m quarterdeck` is the command `quarterdeck`, for children of a process that knows only its own Python."""

from quarterdeck.cli import main

if __name__ == "__main__":
    main()
