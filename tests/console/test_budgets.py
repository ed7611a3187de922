"""Money in the console: budgets that are set and changed, alerts, who spends what, and how a run met its limit."""

import re

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Console
from tests.console.test_looks import offences


def test_budgets_show_what_is_spent_and_which_are_near_their_end(console: Console) -> None:
    page = console.sign_in().open("/budgets")
    row = page.get_by_role("row", name=re.compile("^each-user"))
    for words in ("near its limit", "$2.00 a day", "$1.910 of $2.000", "maria, of 214 accounts", "in 2 h"):
        expect(row).to_contain_text(words)
    spent = page.get_by_role("row", name=re.compile("^refund-desk-hour"))
    for words in ("overspent", "$0.120 uncovered"):
        expect(spent).to_contain_text(words)
    expect(page.get_by_role("row", name=re.compile("^support-desk:run:total"))).to_contain_text("release")
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile("name=calls"))


def test_a_budget_tells_who_spends_most_of_it_page_by_page(console: Console) -> None:
    page = console.sign_in().open("/budgets?name=each-user&source=tenant")
    pane = page.get_by_role("complementary", name="Budget")
    accounts = pane.get_by_role("list", name="Accounts").get_by_role("listitem")
    expect(accounts).to_have_count(20)
    expect(accounts.first).to_contain_text("maria")
    pane.get_by_role("button", name="Show more accounts").click()
    expect(accounts).to_have_count(40)
    pane.get_by_role("button", name="tokens").click()
    expect(accounts.first).to_contain_text("180,000 tokens of 400,000 tokens")
    accounts.first.get_by_role("link").click()
    expect(page).to_have_url(f"{console.url}/runs?user=maria")


def test_a_budget_is_suggested_from_use_judged_and_set(console: Console) -> None:
    page = console.sign_in().open("/budgets")
    page.get_by_role("button", name="Set a budget").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Set it").click()
    expect(dialog.get_by_text("Say at least one limit.")).to_be_visible()
    dialog.get_by_label("Name").fill("each-user")
    expect(dialog.get_by_text("There is one of this name: open it to change it.")).to_be_visible()
    dialog.get_by_label("Name").fill("per-person")
    dialog.get_by_role("button", name="Suggest from use").click()
    evidence = dialog.get_by_role("status", name="What it rests on")
    for words in ("Twice what 99 of 100 users stayed under", "3 of 2,104", "26 times the median"):
        expect(evidence).to_contain_text(words)
    expect(dialog.get_by_label("US dollars", exact=True)).to_have_value("1.68")
    dialog.get_by_label("US dollars", exact=True).fill("1.123456789")
    expect(dialog.get_by_text("at most six decimals")).to_be_visible()
    dialog.get_by_label("US dollars", exact=True).fill("1.50")
    dialog.get_by_role("button", name="Set it").click()
    expect(page.get_by_role("complementary", name="Budget")).to_contain_text("each user: $1.50 a day")
    made = console.fixture.money.budgets["tenant", "per-person"]
    assert (made["max_budget"], made["max_tokens"], made["alert_at"]) == (1.5, 142_000, [50, 80, 100])


def test_whoever_changes_a_budget_second_learns_of_the_first_change(console: Console) -> None:
    page = console.sign_in().open("/budgets?name=tenant-month&source=tenant")
    page.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("US dollars", exact=True).fill("900")
    kept = console.fixture.money.budgets["tenant", "tenant-month"]
    before, kept["updated_at"] = kept["updated_at"], "2026-11-20T12:00:00Z"
    dialog.get_by_role("button", name="Change it").click()
    expect(dialog.get_by_text("Somebody has changed it meanwhile.")).to_be_visible()
    console.expect_trouble("412")
    kept["updated_at"] = before
    dialog.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("complementary", name="Budget")).to_contain_text("$900.00 a month")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("row", name=re.compile("^tenant-month"))).to_have_count(0)
    assert ("tenant", "tenant-month") not in console.fixture.money.budgets


def test_limits_that_others_set_are_seen_and_not_touched(console: Console) -> None:
    page = console.sign_in().open("/budgets?name=acme-cap&source=deployment")
    pane = page.get_by_role("complementary", name="Budget")
    expect(pane).to_contain_text("the deployment")
    expect(pane.get_by_role("button", name="Change")).to_have_count(0)
    page = console.sign_in("auditor").open("/budgets?name=each-user")
    expect(pane).to_contain_text("maria")
    expect(pane.get_by_role("button", name="Change")).to_have_count(0)
    expect(page.get_by_role("button", name="Set a budget")).to_have_count(0)


def test_alerts_are_counted_told_and_acknowledged(console: Console) -> None:
    page = console.sign_in().open("/runs")
    expect(page.get_by_role("link", name=re.compile("Budgets"))).to_contain_text("2 alerts, 1 critical")
    page.keyboard.press("g")
    page.keyboard.press("b")
    strip = page.get_by_role("region", name="Alerts")
    expect(strip.get_by_role("listitem").first).to_contain_text("critical")
    strip.get_by_role("button", name=re.compile("^Acknowledge: Budget refund-desk-hour")).click()
    expect(strip.get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("link", name=re.compile("Budgets"))).to_contain_text("1 alert")
    page.keyboard.press("2")
    expect(page.get_by_text("seen by owner key (key:k1)")).to_be_visible()
    page.get_by_role("button", name="Over").click()
    expect(page.get_by_text("no run waits any longer")).to_be_visible()


def test_runs_near_a_limit_tell_the_cause_and_offer_the_lever(console: Console) -> None:
    page = console.sign_in().open("/budgets?tab=near")
    row = page.get_by_role("row").nth(1)
    for words in ("48 of 50 steps", "96 %", "goes round in circles", "called 4 times with the same arguments"):
        expect(row).to_contain_text(words)
    row.get_by_role("button", name="Stop this tool").click()
    expect(page.get_by_role("dialog").get_by_label("Which")).to_have_value("logs.search")


def test_cost_is_read_over_time_with_the_arrow_keys_and_one_can_stand_out(console: Console) -> None:
    page = console.sign_in().open("/usage")
    chart = page.get_by_role("slider", name=re.compile("Cost over time"))
    page.get_by_role("button", name="User", exact=True).click()
    page.get_by_role("button", name="maria").click()
    expect(page).to_have_url(re.compile("by=user&pick=maria"))
    chart.focus()
    page.keyboard.press("Home")
    expect(chart).to_have_attribute("aria-valuenow", "0")
    first = chart.get_attribute("aria-valuetext") or ""
    page.keyboard.press("ArrowRight")
    expect(chart).to_have_attribute("aria-valuenow", "1")
    second = chart.get_attribute("aria-valuetext") or ""
    assert first != second
    assert re.fullmatch(r"\d+ \w+ \d{4}: \$[\d.]+, \d+ calls; maria \$[\d.]+", second)
    page.get_by_text("The bars as a table").click()
    assert page.get_by_role("table").first.get_by_role("row").count() in {31, 32}
    with page.expect_download() as export:
        page.get_by_role("link", name="Export as CSV").click()
    assert export.value.suggested_filename.endswith(".csv")


def test_who_spends_most_which_runs_stand_out_and_what_was_saved(console: Console) -> None:
    page = console.sign_in().open("/usage?tab=who")
    expect(page.get_by_text("0.1 % of users (3 of 2,913) make 40 % of the cost.")).to_be_visible()
    expect(page.get_by_role("link", name="<b>mallory</b>")).to_be_visible()
    page.keyboard.press("3")
    row = page.get_by_role("row").nth(1)
    for words in ("25.7 ×", "steps", "8.2 times as many as usual"):
        expect(row).to_contain_text(words)
    page.keyboard.press("4")
    for words in ("Caching", "Trimming", "Routing", "980,000 tokens not sent"):
        expect(page.get_by_text(words).first).to_be_visible()


def test_a_run_that_met_its_budget_tells_how_it_ended(console: Console) -> None:
    page = console.sign_in().run("Compare every parcel")
    expect(page.get_by_text("Closed by its budget, with a last answer for $0.0090")).to_be_visible()
    detail = page.get_by_role("complementary", name="Selected span")
    for words in ("A limit is reached", "DPD billed 3 parcels twice", "Claim $41.70 from DPD"):
        expect(detail).to_contain_text(words)
    page.get_by_role("treeitem", name=re.compile("guardrails output")).click()
    for words in ("What was to go out", "redact", "email", "pii · secrets · links"):
        expect(detail).to_contain_text(words)
    page.get_by_role("treeitem", name=re.compile("conversation shortened")).click()
    for words in ("24,180 → 6,240 tokens", "74 % less", "380 were found"):
        expect(detail).to_contain_text(words)
    page.keyboard.press("4")
    against = page.get_by_role("region", name="Against its budget")
    for words in ("$0.221", "of $0.25", "support-desk:run:total", "near its limit", "$0.018 presumed"):
        expect(against).to_contain_text(words)
    third = page.get_by_role("row", name=re.compile("^Step 3"))
    for words in ("quick", "cheaper route", "$0.044", "$0.018 presumed + $0.041"):
        expect(third).to_contain_text(words)
    expect(page.get_by_text("told the model: About $0.05 of $0.25 is left")).to_be_visible()


def test_a_runs_proof_names_the_edge_that_has_none(console: Console) -> None:
    page = console.sign_in().run("Compare every parcel")
    tree, detail = page.get_by_role("tree"), page.get_by_role("complementary", name="Selected span")
    tree.get_by_role("treeitem").first.click()
    expect(detail).to_contain_text(re.compile(r"Every edge is proven: 1 input, 4 model, 3 tool, 3 result, 1 output"))
    console.fixture.money.gaps.append({"seq": 4, "edge": "model", "what": "asked without the limits check"})
    page.reload()
    tree.get_by_role("treeitem").first.click()
    expect(detail).to_contain_text("1 edge without the decision that had to come before")
    detail.get_by_role("button", name="model, event 4").click()
    expect(detail.get_by_role("heading", level=2)).to_contain_text("model turn 1")


def test_runs_are_sorted_by_cost_as_far_as_they_are_loaded_and_that_is_said(console: Console) -> None:
    page = console.sign_in().open("/runs")
    page.get_by_role("button", name="Cost", exact=True).click()
    expect(page).to_have_url(f"{console.url}/runs?sort=cost")
    expect(page.get_by_text("The newest 100 runs, the dearest first.")).to_be_visible()
    expect(page.get_by_role("table", name="Runs").get_by_role("row").nth(1)).to_contain_text("all 2000 alerts")
    page.get_by_role("button", name="Newest first").click()
    expect(page).to_have_url(f"{console.url}/runs")


def test_nothing_yet_and_not_permitted_are_told_apart(console: Console) -> None:
    page = console.sign_in("empty").open("/budgets")
    expect(page.get_by_role("heading", name="Nothing limits spending yet")).to_be_visible()
    page = console.open("/usage")
    expect(page.get_by_role("heading", name="No model was called in this time")).to_be_visible()
    console.expect_trouble("403")
    page = console.sign_in("nobody").open("/budgets")
    expect(page.get_by_role("heading", name="You may not see the budgets of this tenant")).to_be_visible()
    page = console.open("/usage")
    expect(page.get_by_role("heading", name="You may not see the usage of this tenant")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_and_a_closed_run_are_within_reach_of_everybody(console: Console, scheme: str) -> None:
    console.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page = console.sign_in().open("/budgets")
    page.get_by_role("button", name="Set a budget").click()
    page.get_by_role("dialog").get_by_role("button", name="Suggest from use").click()
    page.get_by_role("dialog").get_by_role("button", name="Set it").click()
    page.get_by_role("status", name="What it rests on").wait_for()
    assert not (found := offences(console)), "\n".join(found)
    console.run("Compare every parcel")
    page.get_by_role("treeitem", name=re.compile("guardrails input")).click()
    page.get_by_text("indirect order").wait_for()
    assert not (found := offences(console)), "\n".join(found)
    page.keyboard.press("4")
    page.get_by_role("region", name="Against its budget").wait_for()
    assert not (found := offences(console)), "\n".join(found)
