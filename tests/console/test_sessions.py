"""Signing in, signing out, and coming back to where one wanted to go."""

import re

from playwright.sync_api import expect

from tests.console.conftest import Console


def test_a_key_signs_in_and_leads_to_the_runs(console: Console) -> None:
    page = console.open("/")
    page.get_by_label("API key", exact=True).fill("qd_owner")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("table", name="Runs")).to_be_visible()
    expect(page).to_have_url(f"{console.url}/runs")
    console.expect_trouble("401")


def test_a_key_that_nobody_knows_is_refused_in_words(console: Console) -> None:
    page = console.open("/sign-in")
    page.get_by_label("API key", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This key is not known here")).to_be_visible()
    console.expect_trouble("401")


def test_a_link_that_was_sent_is_opened_after_signing_in(console: Console) -> None:
    path = "/runs?status=failed&agent=refund-desk"
    page = console.open(path)
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    page.get_by_label("API key", exact=True).fill("qd_owner")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{console.url}{path}")
    expect(page.get_by_role("button", name="Remove the filter failed")).to_be_visible()
    console.expect_trouble("401")


def test_signing_in_never_leads_to_another_site(console: Console) -> None:
    for elsewhere in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        page = console.open(f"/sign-in?next={elsewhere}")
        page.get_by_label("API key", exact=True).fill("qd_owner")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{console.url}/runs")
        page.context.clear_cookies()
    console.expect_trouble("401")


def test_signing_out_ends_the_session(console: Console) -> None:
    page = console.sign_in().open("/runs")
    page.get_by_role("button", name=re.compile("^Account")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Quarterdeck")).to_be_visible()
    console.open("/runs")
    expect(page).to_have_url(re.compile("/sign-in"))
    console.expect_trouble("401")


def test_a_session_that_ends_meanwhile_leads_back_to_the_door(console: Console) -> None:
    page = console.sign_in().open("/runs")
    expect(page.get_by_role("table", name="Runs")).to_be_visible()
    page.context.clear_cookies()
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    console.expect_trouble("401")


def test_a_deployment_admin_looks_into_one_tenant_at_a_time(console: Console) -> None:
    page = console.sign_in("admin").open("/runs")
    page.get_by_role("button", name=re.compile("^Account")).click()
    page.get_by_role("menuitem", name="globex").click()
    expect(page).to_have_url(f"{console.url}/runs?tenant=globex")
    with page.expect_request(lambda request: "/v1/runs" in request.url) as asked:
        page.get_by_role("button", name="Failed").first.click()
    assert asked.value.headers["quarterdeck-tenant"] == "globex"
    expect(page).to_have_url(re.compile("tenant=globex"))


def test_every_address_of_the_console_can_be_reloaded(console: Console) -> None:
    page = console.sign_in().open("/runs")
    page.get_by_role("link", name="Keys").wait_for()
    links = [link.get_attribute("href") or "" for link in page.get_by_role("navigation").get_by_role("link").all()]
    assert len(links) == 8
    for link in links:
        console.open(link)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
