"""A real browser in front of the console, on made-up runs; and an eye on what no page may ever do."""

import os
import shutil
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright
from starlette.applications import Starlette

from quarterdeck.console.assets import BUILT
from tests.console.chronicle import Chronicle
from tests.console.fixture_server import Fixture, make_app

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = "no Chromium: `apt-get install chromium`, or `.venv/bin/playwright install chromium`"


def chromium(own: str) -> str | None:
    """The system's Chromium, else the one that Playwright has fetched."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or (own if Path(own).exists() else None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not (BUILT / "index.html").is_file():
        pytest.fail("the console is not built: `make console`")
    with sync_playwright() as playwright:
        executable = chromium(playwright.chromium.executable_path)
        if executable is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW)
        started = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield started
        started.close()


@contextmanager
def served(app: Starlette) -> Generator[str]:
    """An application on a port of its own, for as long as the block lasts."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@dataclass
class Console:
    """The console in a browser, and the API behind it."""

    page: Page
    url: str
    fixture: Fixture
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def sign_in(self, word: str = "owner") -> "Console":
        """A session without the page: what the page itself does has a test of its own."""
        assert self.page.context.request.post(f"{self.url}/v1/sessions", data={"key": f"qd_{word}"}).ok
        return self

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.url}{path}")
        return self.page

    def run(self, words: str, tab: str = "", span: str = "") -> Page:
        """The page of the newest run whose title holds these words."""
        chronicle = self.chronicle(words)
        search = "&".join(f"{name}={value}" for name, value in (("tab", tab), ("span", span)) if value)
        page = self.open(f"/runs/{chronicle.id}?{search}")
        page.get_by_role("tablist").wait_for()
        return page

    def chronicle(self, words: str) -> Chronicle:
        return next(made for made in reversed(self.fixture.runs.values()) if words in made.title)

    def expect_trouble(self, *words: str) -> None:
        """Overlook complaints that a test brings about on purpose; any other still counts."""
        self.expected.extend(words)

    @property
    def unexpected(self) -> list[str]:
        return [fault for fault in self.faults if not any(word in fault for word in self.expected)]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1440, "height": 860}, reduced_motion="reduce")
    opened.grant_permissions(["clipboard-read", "clipboard-write"])
    yield opened
    opened.close()


@pytest.fixture
def console(context: BrowserContext) -> Iterator[Console]:
    """The console on a fresh set of runs. Whatever the test, no page may break its policy, throw, or ask elsewhere."""
    expect.set_options(timeout=8_000)
    fixture = Fixture()
    with served(make_app(fixture)) as url:
        console = Console(context.new_page(), url, fixture)

        def said(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                console.faults.append(f"{message.type}: {message.text}")

        def asked(request: Request) -> None:
            console.asked.append(request.url)

        console.page.on("console", said)
        console.page.on("pageerror", lambda fault: console.faults.append(f"thrown: {fault}"))
        console.page.on("request", asked)
        yield console
        console.page.close()
    assert console.unexpected == []
    assert [elsewhere for elsewhere in console.asked if not elsewhere.startswith(url)] == []
