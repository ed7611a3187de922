"""`python -m bench NAME`: one bench, or `all`. Each prints a table and writes its figures to bench/results."""

import argparse
import sys
from importlib import import_module

BENCHES = (
    "engine",
    "agentdojo",
    "load",
    "chaos",
    "takeover",
    "console",
    "tools",
    "gate",
    "context",
    "faults",
    "guardrails",
    "budget",
    "peers-budget",
    "usage",
)


def main() -> int:
    """Run what was asked for. 0 = every goal that the benches judge themselves was met."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("bench", choices=[*BENCHES, "all"])
    parser.add_argument("--quick", action="store_true", help="a smaller run, to see that it works")
    wanted, rest = parser.parse_known_args()
    names = BENCHES if wanted.bench == "all" else (wanted.bench,)
    fine = [import_module(f"bench.{name.replace('-', '_')}").main(rest, quick=wanted.quick) for name in names]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
