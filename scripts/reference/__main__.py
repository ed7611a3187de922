"""Writes the reference from the code: `python -m scripts.reference`; with `--check` it only says what would change."""

import sys
from collections.abc import Callable, Mapping

from scripts.findings import ROOT
from scripts.reference import cli, errors, events, http, sdk, settings

FOLDER = ROOT / "docs" / "reference"
PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": cli.written,
    "errors.md": errors.written,
    "events.md": events.written,
    "http.md": http.written,
    "openapi.json": http.openapi,
    "sdk.md": sdk.written,
    "settings.md": settings.written,
}


def main(arguments: list[str]) -> int:
    """Write, or check; the exit status."""
    status = 0
    for name, written in PAGES.items():
        file, text = FOLDER / name, written()
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        if "--check" in arguments:
            print(f"docs/reference/{name} is not what the code says now: run `python -m scripts.reference`")
            status = 1
        else:
            file.write_text(text, encoding="utf-8")
            print(f"wrote docs/reference/{name}")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
