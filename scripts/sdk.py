"""Writes the SDK's client without asyncio from the one with it, so that the two can't drift apart.

`python -m scripts.sdk` writes; with `--check` it only says whether what is there is what would be written.
"""

import re
import subprocess
import sys
from pathlib import Path

from scripts.findings import ROOT

SOURCE = ROOT / "src/quarterdeck/sdk/aio"
TARGET = ROOT / "src/quarterdeck/sdk/sync"
HEADER = "# Made by `python -m scripts.sdk` from sdk/aio; change that instead.\n"

# In this order. Names of ours lose their prefix; keywords and the library's names are replaced by their plain kin.
WORDS: tuple[tuple[str, str], ...] = (
    (r"from asyncio import sleep", "from time import sleep"),
    (r"quarterdeck\.sdk\.aio\b", "quarterdeck.sdk.sync"),
    (r"httpx\.AsyncClient", "httpx.Client"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\baclosing\b", "closing"),
    (r"\bAsync(Generator|Iterator|[A-Z]\w+)", r"\1"),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"__a(enter|exit|iter|next)__", r"__\1__"),
    (r"\.a(close|read|iter_raw)\b", r".\1"),
    (r", for programs with asyncio\.", "."),
    (r"it may be used by many tasks at once", "it may be used by many threads at once"),
)


def written(source: str) -> str:
    """A module of the one as a module of the other."""
    for pattern, plain in WORDS:
        source = re.sub(pattern, plain, source)
    return HEADER + source


def tidy(code: str, path: Path) -> str:
    """The same, its imports sorted and its lines laid out as everywhere."""
    for command in (
        ["check", "--fix-only", "--unsafe-fixes", "--quiet", "--select", "I,RET504,UP028,C416"],
        ["format", "--quiet"],
    ):
        done = subprocess.run(
            ["ruff", *command, "--stdin-filename", str(path), "-"],
            input=code,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={"PATH": str(Path(sys.executable).parent)},
        )
        code = done.stdout
    return code


def modules() -> dict[Path, str]:
    """Every module to be there, with its code."""
    found = {TARGET / file.name: written(file.read_text("utf-8")) for file in sorted(SOURCE.glob("*.py"))}
    found[TARGET / "__init__.py"] = HEADER + '"""The client for programs without asyncio."""\n'
    return {path: tidy(code, path) for path, code in found.items()}


def main(arguments: list[str]) -> int:
    """Write, or check; the exit status."""
    made = modules()
    stale = [path for path, code in made.items() if not path.is_file() or path.read_text("utf-8") != code]
    stale += [path for path in TARGET.glob("*.py") if path not in made]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what sdk/aio says: run `python -m scripts.sdk`")
        return 1 if stale else 0
    TARGET.mkdir(exist_ok=True)
    for path in stale:
        if path in made:
            path.write_text(made[path], "utf-8")
        else:
            path.unlink()
    print(f"{len(stale)} files written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
