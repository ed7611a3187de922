"""One small process a worker that outlives it: when the worker is killed, what its hosts left behind is ended.

A host dies with its worker by itself; what its tools had started would not. The worker names each host on this
process's input when it starts and when it has ended; the input ends when the worker does, however it does.
"""

import shutil
import sys

from quarterdeck.tools.host.processes import end_all


def main() -> None:
    """Keep the list of hosts until the worker is gone, then end them all."""
    hosts: dict[str, tuple[int, str]] = {}
    for line in sys.stdin:
        match line.rstrip("\n").split("\t"):
            case ["+", token, pid, scratch]:
                hosts[token] = (int(pid), scratch)
            case ["-", token]:
                hosts.pop(token, None)
            case _:
                continue
    for token, (pid, scratch) in hosts.items():
        end_all(pid, token)
        shutil.rmtree(scratch, ignore_errors=True)
