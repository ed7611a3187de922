"""How it looks: light and dark, wide and narrow, and within reach of everybody."""

import re

import pytest
from playwright.sync_api import Browser, expect

from scripts.findings import ROOT
from tests.console.conftest import Console

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
PLACES = (
    "/sign-in",
    "/runs",
    "/runs?group=cause",
    "/runs?q=nothing+like+it",
    "/approvals",
    "/approvals?state=all",
    "/approvals?tab=escalations",
    "/policy",
    "/policy?tab=who",
    "/policy?tab=explain",
    "/policy?tab=policies",
    "/policy?tab=advice",
    "/budgets",
    "/budgets?name=each-user",
    "/budgets?tab=alerts&state=all",
    "/budgets?tab=near",
    "/usage",
    "/usage?by=user&pick=maria",
    "/usage?tab=who",
    "/usage?tab=outliers",
    "/usage?tab=savings",
    "/switches",
    "/audit",
    "/agents",
    "/keys",
)
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TABS = ("waterfall", "conversation", "effects", "cost", "raw")


def offences(console: Console, *rules: str) -> list[str]:
    """What axe finds against WCAG 2.2 AA and its own advice, or against some rules only.

    It is evaluated from outside, where the page's policy does not reach.
    """
    wanted = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": LEVELS}
    console.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = console.page.evaluate("wanted => axe.run({ runOnly: wanted, resultTypes: ['violations'] })", wanted)
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary'].splitlines()[-1].strip()}"
        for violation in found["violations"]
        for node in violation["nodes"][:3]
    ]


@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
def test_every_page_is_within_reach_of_everybody(console: Console, scheme: str, rules: tuple[str, ...]) -> None:
    console.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    console.sign_in()
    failed = console.chronicle("parcel never came").id
    waiting = f"/runs/{console.chronicle('second of two').id}"
    asking = console.chronicle("Refund order 1077")
    asks = f"/runs/{asking.id}?span={next(span['id'] for span in asking.spans if span['kind'] == 'approval')}"
    console.fixture.gate.throw(scope="tool", target="orders.refund", why="pays twice")
    found: list[str] = []
    for place in (*PLACES, *(f"/runs/{failed}?tab={tab}" for tab in TABS), waiting, asks):
        console.open(place).get_by_role("heading").first.wait_for()
        console.page.wait_for_timeout(250)
        found += [f"{place}: {offence}" for offence in offences(console, *rules)]
    assert not found, "\n".join(found)


def test_dialogs_are_within_reach_of_everybody(console: Console) -> None:
    page = console.sign_in().run("second of two")
    page.get_by_role("button", name="Say what happened").first.click()
    page.get_by_role("dialog").wait_for()
    page.wait_for_timeout(200)
    assert not (found := offences(console)), "\n".join(found)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Switches").click()
    page.get_by_role("button", name="Throw a switch").click()
    page.get_by_role("button", name="Throw it").wait_for()
    page.wait_for_timeout(200)
    assert not (found := offences(console)), "\n".join(found)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    page.get_by_role("listbox").get_by_role("option").first.wait_for()
    page.wait_for_timeout(200)
    assert not (found := offences(console)), "\n".join(found)


def test_the_system_decides_between_light_and_dark_until_one_does(console: Console) -> None:
    console.page.emulate_media(color_scheme="dark")
    page = console.sign_in().open("/runs")
    html = page.locator("html")
    expect(html).to_have_attribute("data-mantine-color-scheme", "dark")
    page.get_by_role("button", name="Use light colours").click()
    expect(html).to_have_attribute("data-mantine-color-scheme", "light")
    page.reload()
    expect(html).to_have_attribute("data-mantine-color-scheme", "light")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_dark_is_dark_from_the_first_paint(console: Console) -> None:
    console.page.emulate_media(color_scheme="dark")
    page = console.sign_in().page
    page.route("**/assets/*", lambda route: route.abort())
    console.open("/runs")
    assert page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor") == "rgb(15, 17, 20)"
    expect(page.get_by_text("Quarterdeck")).to_be_visible()
    console.expect_trouble("ERR_FAILED")


@pytest.mark.parametrize("width", [390, 820, 1180])
def test_nothing_is_cut_off_on_a_narrow_screen(browser: Browser, console: Console, width: int) -> None:
    console.page.set_viewport_size({"width": width, "height": 844})
    console.sign_in()
    run = f"/runs/{console.chronicle('parcel never came').id}"
    for path in ("/runs", run, "/approvals", "/policy", "/policy?tab=explain", "/audit", "/switches", "/sign-in"):
        page = console.open(path)
        page.get_by_role("heading").first.wait_for()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        heading = page.get_by_role("heading", level=1).bounding_box()
        assert heading is not None
        assert heading["x"] + heading["width"] <= width


def test_a_key_is_made_and_its_secret_shown_once(console: Console) -> None:
    page = console.sign_in().open("/keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name", exact=True).fill("backend 2")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("dialog")).to_contain_text("qd_k2_")
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_text("qd_k2_x")).to_have_count(0)


def test_an_agent_shows_its_tools_and_releases(console: Console) -> None:
    page = console.sign_in().open("/agents")
    page.get_by_role("button", name="support-desk").click()
    expect(page.get_by_text("orders.refund")).to_be_visible()
    expect(page.get_by_text(re.compile("by deployment admin"))).to_be_visible()
    page.get_by_role("row", name=re.compile("^support-desk")).get_by_role("link", name="Runs").click()
    expect(page).to_have_url(f"{console.url}/runs?agent=support-desk")
