"""The list of runs: found by keyboard, counted, grouped, live, and honest about what it does not show."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Console
from tests.console.made_up import conflict


def rows(page: Page):
    return page.get_by_role("table", name="Runs").get_by_role("row")


def test_the_list_is_filtered_by_keyboard_and_the_filter_is_a_link(console: Console) -> None:
    page = console.sign_in().open("/runs")
    rows(page).nth(5).wait_for()
    page.keyboard.press("/")
    page.keyboard.type("VAT number")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?q=VAT\+number$"))
    expect(rows(page).nth(1)).to_contain_text("The invoice for October")
    expect(page.get_by_role("table").get_by_text("Refund for order")).to_have_count(0)
    page.reload()
    expect(rows(page).nth(1)).to_contain_text("The invoice for October")
    page.keyboard.press("x")
    expect(page).to_have_url(f"{console.url}/runs")


def test_digits_choose_a_view_and_j_k_enter_open_a_run(console: Console) -> None:
    page = console.sign_in().open("/runs")
    rows(page).nth(5).wait_for()
    page.keyboard.press("4")
    expect(page).to_have_url(re.compile("status=failed"))
    expect(rows(page).nth(1)).to_contain_text("Failed")
    for key in "jjk":
        page.keyboard.press(key)
    chosen = page.locator("[data-chosen]")
    expect(chosen).to_have_count(1)
    title = chosen.get_by_role("link").inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(title[:30])
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}"))


def test_brackets_go_to_the_runs_beside_it_in_that_list_and_u_goes_back(console: Console) -> None:
    page = console.sign_in().open("/runs?status=failed")
    rows(page).nth(3).wait_for()
    ids = [(row.get_by_role("link").get_attribute("href") or "").split("/")[-1] for row in rows(page).all()[1:4]]
    console_path = re.compile(rf"/runs/{ids[0]}")
    rows(page).nth(1).get_by_role("link").click()
    expect(page).to_have_url(console_path)
    page.get_by_role("tablist").wait_for()
    page.keyboard.press("]")
    expect(page).to_have_url(re.compile(ids[1]))
    page.get_by_role("tablist").wait_for()
    page.keyboard.press("[")
    expect(page).to_have_url(console_path)
    page.get_by_role("tablist").wait_for()
    page.keyboard.press("u")
    expect(page).to_have_url(f"{console.url}/runs?status=failed")


def test_facets_count_and_filter(console: Console) -> None:
    page = console.sign_in().open("/runs")
    failed = sum(made.run["status"] == "failed" for made in console.fixture.runs.values())
    facets = page.get_by_role("complementary", name="Filters")
    line = facets.get_by_role("button", name=re.compile("^Failed"))
    expect(line).to_contain_text(str(failed))
    line.click()
    expect(line).to_have_attribute("aria-pressed", "true")
    facets.get_by_role("button", name=re.compile("^support-desk")).click()
    expect(page).to_have_url(re.compile(r"status=failed&agent=support-desk"))
    expect(rows(page).nth(1)).to_contain_text("hostile")


def test_runs_are_grouped_by_what_they_have_in_common(console: Console) -> None:
    page = console.sign_in().open("/runs?group=cause")
    first = page.get_by_role("button", name=re.compile("stripe.refund returned 409 on all 3 tries"))
    expect(first).to_contain_text("16")
    expect(page.get_by_text(re.compile("^Counted over all"))).to_be_visible()
    first.click()
    page.get_by_role("link", name=re.compile("Refund for order 88121")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Refund for order 88121")


def test_older_runs_come_as_one_scrolls(console: Console) -> None:
    page = console.sign_in().open("/runs")
    table = page.get_by_role("table", name="Runs")
    rows(page).nth(5).wait_for()
    oldest = next(iter(console.fixture.runs.values()))
    for _ in range(40):
        table.evaluate("table => { table.scrollTop = table.scrollHeight }")
        page.wait_for_timeout(100)
        if page.locator(f"a[href$='{oldest.id}']").count():
            break
    expect(page.locator(f"a[href$='{oldest.id}']")).to_be_attached()
    assert len(rows(page).all()) < 120, "only what is in sight is there"


def test_a_new_run_appears_by_itself_and_what_one_reads_stays_in_place(console: Console) -> None:
    page = console.sign_in().open("/runs")
    rows(page).nth(5).wait_for()
    table = page.get_by_role("table", name="Runs")
    table.evaluate("table => { table.scrollTop = 280 }")
    reading = page.locator("[role=row] a").nth(14)
    href, before = reading.get_attribute("href"), reading.bounding_box()
    newest = list(console.fixture.runs.values())[-1]
    made = conflict(9001, newest.began)
    made.run |= {"title": "came while one was reading"}
    console.fixture.runs[made.id] = made
    page.wait_for_function("() => document.querySelector('[role=table]').scrollTop === 308")
    after = page.locator(f"a[href='{href}']").bounding_box()
    assert before is not None
    assert after is not None
    assert after["y"] == pytest.approx(before["y"], abs=1)
    table.evaluate("table => { table.scrollTop = 0 }")
    expect(page.get_by_text("came while one was reading")).to_be_visible()


def test_nothing_yet_is_told_with_a_command_to_copy(console: Console) -> None:
    page = console.sign_in("empty").open("/runs")
    expect(page.get_by_role("heading", name="No run yet")).to_be_visible()
    page.get_by_role("button", name="Copy command").click()
    assert page.evaluate("() => navigator.clipboard.readText()").startswith("qd run submit")


def test_filtered_away_is_told_apart_from_nothing_yet(console: Console) -> None:
    page = console.sign_in().open("/runs?q=nobody+says+this&status=failed")
    expect(page.get_by_role("heading", name="No run fits these filters")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(rows(page).nth(3)).to_be_visible()


def test_not_permitted_is_told_apart_from_nothing_yet(console: Console) -> None:
    page = console.sign_in("nobody").open("/runs")
    expect(page.get_by_role("heading", name="You may not see the runs of this tenant")).to_be_visible()
    expect(page.get_by_text("Lists of all runs are for operators")).to_be_visible()
    console.expect_trouble("403")


def test_a_server_that_is_away_leaves_the_list_in_sight_and_says_how_old_it_is(console: Console) -> None:
    page = console.sign_in().open("/runs")
    rows(page).nth(5).wait_for()
    console.fixture.cut = True
    expect(page.get_by_text(re.compile("Stale · last heard"))).to_be_visible(timeout=15_000)
    expect(rows(page).nth(5)).to_be_visible()
    console.fixture.cut = False
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=15_000)
    console.expect_trouble("500", "ERR_")


def test_the_palette_finds_runs_agents_and_a_pasted_id(console: Console) -> None:
    page = console.sign_in().open("/runs")
    rows(page).nth(5).wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Find").fill("VAT")
    expect(page.get_by_role("listbox").get_by_role("option").first).to_contain_text("VAT number")
    page.get_by_role("combobox", name="Find").fill("ops-h")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("agent=ops-helper"))
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Find").fill(console.chronicle("one by one").id.upper())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("alerts of last night")


def test_the_help_lists_what_can_be_pressed_here(console: Console) -> None:
    page = console.sign_in().open("/runs")
    rows(page).nth(5).wait_for()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog.get_by_text("Group by cause")).to_be_visible()
    expect(dialog.get_by_text("Go to Agents")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page).to_have_url(f"{console.url}/agents")
