"""Console: how soon a page is there, in a real browser, from a real server.

A run of some two thousand events is made by a worker first; then each page is opened anew several times with nothing in
the browser's cache, and once more with the files kept, as on the second day. Times are the browser's own; the work of
its main thread is told beside them, since that depends less on what else the machine does.
"""

import argparse
import os
import statistics
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from bench.stage import Stage, save, staged
from tests.console.conftest import FLAGS, chromium

GOAL_PAINT_MS, GOAL_RUN_MS = 500, 700
STEPS = 500
CODE = '''
from quarterdeck.tools.author import tool

@tool(effect="read", repeat="safe")
def look(n: int) -> str:
    """Look."""
    return "nothing new"
'''

SHOWN = ("paint", "shown", "trace", "work", "kilobytes")

# Milliseconds from the beginning of the navigation: the first words, and the moment at which the wanted thing stands
# on the screen, which is the frame after it came into the page.
WATCH = """
selector => {
  const seen = () => {
    if (document.querySelector(selector) === null) return false
    requestAnimationFrame(() => requestAnimationFrame(() => { window.shownAt ??= performance.now() }))
    return true
  }
  document.addEventListener('DOMContentLoaded', () => {
    if (seen()) return
    const watcher = new MutationObserver(() => { if (seen()) watcher.disconnect() })
    watcher.observe(document, { childList: true, subtree: true })
  })
}
"""
TIMES = """
() => ({
  paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
  shown: window.shownAt,
  trace: performance.getEntriesByType('resource').find(entry => entry.name.endsWith('/trace'))?.duration,
  kilobytes: performance.getEntriesByType('resource').reduce((sum, entry) => sum + entry.encodedBodySize, 0) / 1024,
})
"""


def prepare(stage: Stage, steps: int) -> str:
    """A finished run of about four events a step; its id."""
    script = {"steps": [{"call": "look", "arguments": {"n": "{n}"}, "times": steps}, {"text": "done"}]}
    stage.provider("script", "scripted", script=script)
    limits = {"max_steps": steps + 10, "max_tool_calls": steps + 10, "max_seconds": 600, "max_tokens": 100_000_000}
    tools = [{"name": "own", "python": "tools.py"}]
    stage.register("busy", tools, {"tools.py": CODE}, limits=limits)
    run = stage.client.post("/v1/runs", json={"agent": "busy", "input": "look at everything"}).json()["run_id"]
    while (record := stage.client.get(f"/v1/runs/{run}/wait?seconds=30").json())["finished_at"] is None:
        pass
    assert record["status"] == "succeeded", record["why"]
    return run


def opened(browser: Browser, stage: Stage, path: str, selector: str, times: int) -> dict[str, Any]:
    """The median of some first visits to a page, and of as many with the files kept."""
    key = stage.client.headers["authorization"].removeprefix("Bearer ")
    first, again = [], []
    for _ in range(times):
        context = browser.new_context(viewport={"width": 1440, "height": 860})
        signed = context.request.post(f"{stage.fleet.url}/v1/sessions", data={"key": key})
        assert signed.ok, signed.text()
        page = context.new_page()
        page.add_init_script(f"({WATCH})({selector!r})")
        first.append(_visit(page, stage.fleet.url + path))
        again.append(_visit(page, stage.fleet.url + path))
        context.close()
    return {"first": _median(first), "again": _median(again)}


def _visit(page: Page, url: str) -> dict[str, float]:
    browser = page.context.new_cdp_session(page)
    browser.send("Performance.enable")
    page.goto(url)
    page.wait_for_function("() => window.shownAt !== undefined", timeout=20_000)
    measured = {one["name"]: one["value"] for one in browser.send("Performance.getMetrics")["metrics"]}
    browser.detach()
    return {**page.evaluate(TIMES), "work": measured["TaskDuration"] * 1000}


def _median(visits: list[dict[str, float]]) -> dict[str, float]:
    names = [name for name in visits[0] if visits[0][name] is not None]
    return {name: round(statistics.median(visit[name] for visit in visits), 1) for name in names}


def main(arguments: list[str], *, quick: bool = False) -> bool:
    """`python -m bench console [--visits N]`. Both goals are judged."""
    parser = argparse.ArgumentParser(prog="python -m bench console", description=__doc__)
    parser.add_argument("--visits", type=int, default=3 if quick else 9)
    parser.add_argument("--steps", type=int, default=50 if quick else STEPS)
    chosen = parser.parse_args(arguments)
    with staged(1, log_level="error") as stage:
        run = prepare(stage, chosen.steps)
        spans = len(stage.client.get(f"/v1/runs/{run}/trace").json()["spans"])
        events = stage.client.get(f"/v1/runs/{run}").json()["last_seq"]
        with sync_playwright() as playwright:
            executable = chromium(playwright.chromium.executable_path)
            browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
            figures = {
                "runs": opened(browser, stage, "/runs", "[role=table] [role=cell]", chosen.visits),
                "run": opened(browser, stage, f"/runs/{run}", "[role=treeitem]", chosen.visits),
            }
            browser.close()
    title = f"{spans} spans, {events} events; milliseconds; load {os.getloadavg()[0]:.1f}"
    table = Table("page", "visit", "first paint", "shown", "of it the trace", "work", "KB", title=title)
    for page, visits in figures.items():
        for visit, times in visits.items():
            cells = [f"{times[name]:.0f}" if name in times else "–" for name in SHOWN]
            table.add_row(page, visit, *cells)
    Console().print(table)
    paint = max(visits["first"]["paint"] for visits in figures.values())
    shown = figures["run"]["first"]["shown"]
    Console().print(
        f"first paint {paint:.0f} ms (goal {GOAL_PAINT_MS}), {spans} spans {shown:.0f} ms (goal {GOAL_RUN_MS})"
    )
    load = round(os.getloadavg()[0], 1)
    save("console", {"spans": spans, "events": events, "visits": chosen.visits, "load": load, "ms": figures})
    return paint <= GOAL_PAINT_MS and shown <= GOAL_RUN_MS
