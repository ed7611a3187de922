"""The lock files fit pyproject.toml, every pin has a hash, and no file ties an installation to one registry."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.findings import ROOT, Finding

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
REMEDY = "run `make lock`"


def check(files: Iterable[Path]) -> Iterator[Finding]:
    """A finding for each requirement that a lock file doesn't meet, pin without hash, or registry address."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["google"]]
    yield from unmet(ROOT / "requirements.lock", runtime)
    yield from unmet(ROOT / "requirements-dev.lock", [*runtime, *project["dependency-groups"]["dev"]])
    for file in files:
        if file.name == "package-lock.json":
            yield from tied(file)


def unmet(lock: Path, requirements: list[str]) -> Iterator[Finding]:
    """What this lock file lacks for these requirements."""
    pins: dict[str, Version] = {}
    text = lock.read_text(encoding="utf-8")
    if re.search(r"https?://|--index-url|--find-links", text):
        yield Finding(lock, 1, f"names a registry or an address; {REMEDY}")
    for entry in re.split(r"\n(?=\S)", text):
        pin = PIN.match(entry)
        if pin:
            pins[canonicalize_name(pin[1])] = Version(pin[2])
            if "--hash=sha256:" not in entry:
                yield Finding(lock, 1, f"{pin[1]} has no hash; {REMEDY}")
    for requirement in map(Requirement, requirements):
        held = pins.get(canonicalize_name(requirement.name))
        if held is None or not requirement.specifier.contains(held, prereleases=True):
            yield Finding(lock, 1, f"holds {held or 'no'} {requirement.name}, and {requirement} is asked for; {REMEDY}")


def tied(lock: Path) -> Iterator[Finding]:
    """The packages of an npm lock file that come with a registry's address."""
    packages: dict[str, dict[str, object]] = json.loads(lock.read_text(encoding="utf-8")).get("packages", {})
    for name, entry in packages.items():
        if "://" in str(entry.get("resolved", "")):
            yield Finding(lock, 1, f"{name} names a registry; set omit-lockfile-registry-resolved=true in web/.npmrc")
