"""Switches on every page, tools and policies, and the audit with its chain."""

import re

from playwright.sync_api import Page, expect

from tests.console.conftest import Console


def throwing(page: Page):
    return page.get_by_role("dialog", name="Throw a switch")


def test_a_switch_is_thrown_after_one_has_seen_what_it_hits_and_lifted_with_a_reason(console: Console) -> None:
    page = console.sign_in().open("/runs")
    page.get_by_role("table", name="Runs").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.get_by_role("button", name="Throw a switch").click()
    dialog, button = throwing(page), throwing(page).get_by_role("button", name="Throw it")
    dialog.get_by_role("combobox", name="Which").fill("orders.refund")
    expect(dialog.get_by_role("region", name="What it will hit")).to_contain_text("1 run under way")
    expect(button).to_be_disabled()
    dialog.get_by_role("textbox", name="Why").fill("pays twice")
    dialog.get_by_role("checkbox", name=re.compile("Cancel calls")).check()
    dialog.get_by_role("combobox", name="For how long").select_option("3600")
    expect(button).to_be_enabled()
    button.click()
    bar = page.get_by_role("status").filter(has_text="pays twice")
    expect(bar).to_contain_text("orders.refund")
    thrown = list(console.fixture.gate.switches.values())[-1]
    assert (thrown["in_flight"], thrown["why"]) == ("cancel", "pays twice")
    for place in ("/policy", "/audit"):
        console.open(place)
        expect(bar).to_be_visible()
    bar.get_by_role("button", name="Show or lift").click()
    page.get_by_role("button", name="Lift", exact=True).click()
    expect(page.get_by_role("button", name="Lift it")).to_be_disabled()
    page.get_by_label("Why it can be lifted").fill("fixed in 1.4")
    page.get_by_role("button", name="Lift it").click()
    expect(page.get_by_text("Nothing is thrown")).to_be_visible()
    expect(bar).to_have_count(0)
    page.get_by_role("link", name="All that were ever thrown").click()
    expect(page.get_by_role("row", name=re.compile("fixed in 1.4"))).to_contain_text("lifted")


def test_a_switch_that_would_hit_nothing_says_so_and_actions_fit_their_scope(console: Console) -> None:
    page = console.sign_in().open("/runs")
    page.get_by_role("table", name="Runs").wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Find").fill("throw")
    page.keyboard.press("Enter")
    dialog = throwing(page)
    dialog.get_by_role("combobox", name="Which").fill("no.such.tool")
    expect(dialog).to_contain_text("it would hit nothing")
    actions = dialog.get_by_role("combobox", name="Do")
    expect(actions.get_by_role("option", name="At most so many steps a run")).to_have_count(0)
    dialog.get_by_role("combobox", name="What").select_option("agent")
    actions.select_option("cap_steps")
    dialog.get_by_role("textbox", name="Steps").fill("many")
    expect(dialog).to_contain_text("Say what and which")


def test_a_call_that_goes_wrong_leads_to_the_lever(console: Console) -> None:
    page = console.sign_in().run("damaged lamp")
    page.get_by_role("treeitem", name=re.compile("^orders.refund")).last.click()
    page.get_by_role("button", name="Stop this tool").click()
    expect(throwing(page).get_by_role("combobox", name="Which")).to_have_value("orders.refund")
    expect(throwing(page).get_by_role("combobox", name="Only for")).to_have_value("refund-desk")


def test_who_may_only_look_finds_no_lever(console: Console) -> None:
    page = console.sign_in("auditor").open("/runs")
    page.get_by_role("button", name="Switches").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Throw a switch")).to_be_disabled()
    console.sign_in("nobody").open("/agents").get_by_role("heading", level=1).wait_for()
    expect(page.get_by_role("button", name="Switches")).to_have_count(0)


def test_the_catalogue_shows_what_is_declared_and_lowers_autonomy_on_the_evidence(console: Console) -> None:
    page = console.sign_in().open("/policy?agent=refund-desk")
    row = page.get_by_role("row", name=re.compile("orders.refund"))
    for words in ("money", "payment", "asks when risky", "card", "stripe_key", "10 a minute per user"):
        expect(row).to_contain_text(words)
    row.get_by_role("button").click()
    expect(page.get_by_text("approved 41 of 45")).to_be_visible()
    level = page.get_by_role("combobox", name="Level")
    expect(level.get_by_role("option", name="acts freely")).to_have_count(0)
    level.select_option("ask_always")
    page.get_by_role("textbox", name="Why").fill("after the incident")
    page.get_by_role("button", name="Set it").click()
    expect(row.first).to_contain_text("lowered")
    assert console.fixture.gate.levels["refund-desk", "orders.refund"]["why"] == "after the incident"


def test_who_may_do_what_is_told_with_its_reasons(console: Console) -> None:
    page = console.sign_in().open("/policy?tab=who&agent=refund-desk")
    row = page.get_by_role("row", name=re.compile("^orders.refund"))
    for words in ("depends", "denied if context.arguments.amount > 50000", "no-night-refunds/cap"):
        expect(row).to_contain_text(words)
    row.get_by_role("link", name="Explain").click()
    expect(page).to_have_url(re.compile("tab=explain"))


def test_a_call_that_nobody_makes_is_explained(console: Console) -> None:
    page = console.sign_in().open("/policy?tab=explain&agent=refund-desk&tool=orders.refund")
    field = page.get_by_role("textbox", name="Arguments")
    expect(field).to_have_value(re.compile('"amount": 1'))
    field.fill('{"order": 7, "amount": 90000, "card": "c"}')
    page.get_by_role("combobox", name=re.compile("^card")).select_option("untrusted")
    page.get_by_role("button", name="Explain", exact=True).last.click()
    said = page.get_by_role("region", name="Verdict")
    for words in ("Denied", "no-night-refunds/cap", "Refunds above $500 are made by people", '"card": "untrusted"'):
        expect(said).to_contain_text(words)


def test_a_policy_is_checked_at_its_line_tried_on_past_calls_and_kept_with_a_reason(console: Console) -> None:
    page = console.sign_in().open("/policy?tab=policies&name=no-night-refunds")
    page.get_by_role("button", name="Edit").click()
    text, keep = page.get_by_label("Text, in Cedar"), page.get_by_role("button", name="Put in force")
    page.get_by_label("Why").fill("a smaller cap")
    text.fill("forbid (principal, action, resource)\nwhen { context.arguments.amuont > 1 };")
    expect(page.get_by_label("Text with what was found")).to_contain_text("2:26 no tool has an argument")
    expect(keep).to_be_disabled()
    text.fill("forbid (principal, action, resource)\nwhen { context.arguments.amount > 1 };")
    expect(page.get_by_text("It can be put in force")).to_be_visible()
    page.get_by_role("button", name="Try it on past calls").click()
    page.get_by_role("button", name="Try it", exact=True).click()
    expect(page.get_by_text(re.compile("6,300 calls of 1,200 runs looked at"))).to_contain_text("3 judged differently")
    keep.click()
    expect(page.get_by_text("version 3", exact=True)).to_be_visible()
    assert console.fixture.gate.policies["no-night-refunds"][-1]["why"] == "a smaller cap"


def test_who_saves_second_learns_of_the_first(console: Console) -> None:
    page = console.sign_in().open("/policy?tab=policies&name=no-night-refunds")
    page.get_by_role("button", name="Edit").click()
    console.fixture.gate.keep("no-night-refunds", "forbid (principal, action, resource);", "somebody else's")
    page.get_by_label("Text, in Cedar").fill("forbid (principal, action, resource); // mine")
    page.get_by_label("Why").fill("mine")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_text("Somebody has saved another version meanwhile")).to_be_visible()
    assert len(console.fixture.gate.policies["no-night-refunds"]) == 3
    console.expect_trouble("412")


def test_the_audit_is_searched_and_a_row_shows_its_payload(console: Console) -> None:
    page = console.sign_in().open("/audit")
    table = page.get_by_role("table", name="Audit")
    expect(table).to_contain_text("not sealed")
    page.get_by_role("combobox", name="Verdict").select_option("deny")
    expect(page).to_have_url(re.compile("verdict=deny"))
    expect(table.get_by_role("row").nth(1)).to_contain_text("mail.send")
    table.get_by_role("row").nth(1).get_by_role("button").click()
    pane = page.get_by_role("complementary", name="Row")
    for words in ("tool.denied", "agent:support-desk", "as it was sealed", '"order": 1077'):
        expect(pane).to_contain_text(words)
    page.keyboard.press("x")
    expect(page).to_have_url(f"{console.url}/audit")


def test_the_chain_is_verified_and_a_broken_one_is_located(console: Console) -> None:
    page = console.sign_in("auditor").open("/audit")
    expect(page.get_by_text("Sealed up to position")).to_be_visible()
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text(re.compile("^Whole: "))).to_be_visible()
    expect(page.get_by_text("4 erased on purpose")).to_be_visible()
    console.fixture.gate.broken = True
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text("Broken: 2 faults")).to_be_visible()
    expect(page.get_by_text("rows are missing, between positions 140 and 143")).to_be_visible()
    with page.expect_download() as export:
        page.get_by_role("link", name="Export as JSON lines").click()
    assert export.value.suggested_filename == "audit.jsonl"


def test_the_audit_is_for_auditors(console: Console) -> None:
    page = console.sign_in().open("/runs")
    expect(page.get_by_role("link", name="Audit")).to_be_visible()
    page = console.sign_in("nobody").open("/audit")
    expect(page.get_by_role("heading", name="You may not see the audit of this tenant")).to_be_visible()
    console.expect_trouble("403")
