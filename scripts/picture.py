"""Takes the README's picture anew: plays the demo, and photographs a run that another worker had to take over.

`python -m scripts.picture` needs a Chromium: the system's, or Playwright's own.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright
from rich.console import Console

from examples import demo
from quarterdeck.cli.fleet import Fleet
from quarterdeck.core import log
from quarterdeck.core.settings import Settings
from scripts.findings import ROOT

TARGET = ROOT / "docs" / "images" / "run.png"
SIZE = {"width": 1280, "height": 760}
MOST = 200_000
"""Bytes: a README is loaded by everybody."""


def main() -> int:
    """Write the picture; the exit status."""
    log.configure("error", json=False)
    with tempfile.TemporaryDirectory(prefix="quarterdeck-picture-") as folder:
        settings = Settings.model_validate({"data_dir": Path(folder), "lease": 5.0, "port": 0})
        with Fleet(settings, workers=2) as fleet:
            scene = demo.Scene(fleet, Console(file=sys.stderr))
            fleet.await_workers(2)
            demo.play(scene)
            return photograph(scene)


def photograph(scene: demo.Scene) -> int:
    """The page of the run with most to see among those that were taken over; answers in words before JSON."""
    taken = [(tenant, run) for tenant, run in scene.runs.values() if run.run_id in scene.held and run.attempt > 1]
    if not taken:
        print("no run was taken over this time: try again")
        return 1
    tenant, run = max(taken, key=lambda one: (one[1].agent != "ops-helper", one[1].last_seq))
    TARGET.parent.mkdir(exist_ok=True)
    with sync_playwright() as player, browser_of(player) as browser:
        page = browser.new_context(viewport=SIZE, color_scheme="light").new_page()  # pyright: ignore[reportArgumentType]  # a size
        page.goto(f"{scene.fleet.url}/sign-in")
        page.locator("input").first.fill(scene.keys[tenant])
        page.keyboard.press("Enter")
        page.wait_for_url("**/runs")
        page.goto(f"{scene.fleet.url}/runs/{run.run_id}")
        page.get_by_text("another took over").first.wait_for()
        page.wait_for_timeout(1000)
        page.screenshot(path=TARGET)
    size = TARGET.stat().st_size
    print(f"{TARGET.relative_to(ROOT)}: {size:,} bytes, {tenant}'s run of {run.agent}")
    return 0 if size < MOST else 1


def browser_of(player: Playwright) -> Browser:
    """A Chromium without a window."""
    own = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    return player.chromium.launch(executable_path=own, args=["--no-sandbox", "--disable-gpu"])


if __name__ == "__main__":
    raise SystemExit(main())
