"""The page of a run: the sentence leads to the span, the span to its request, answer and rule; and one can act."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Console
from tests.console.made_up import HOSTILE


def selected(page: Page):
    return page.locator("[role=treeitem][aria-selected=true]")


def detail(page: Page):
    return page.get_by_role("complementary", name="Selected span")


def test_the_page_opens_where_it_went_wrong(console: Console) -> None:
    page = console.sign_in().run("parcel never came")
    expect(page.get_by_role("region", name="What happened")).to_contain_text(
        "stripe.refund returned 409 on all 3 tries"
    )
    expect(selected(page)).to_contain_text("stripe.refund · try 3")
    pane = detail(page)
    for words in ('"amount": 124000', "409 Conflict", "None: the call failed", "schema · limits", "repeated by key"):
        expect(pane).to_contain_text(words)


def test_a_clause_of_the_sentence_leads_to_its_span_and_the_span_is_in_the_address(console: Console) -> None:
    page = console.sign_in().run("parcel never came", tab="cost")
    page.get_by_role("link", name="lukas@acme had approved it").click()
    expect(selected(page)).to_contain_text("waiting for approval")
    expect(page).to_have_url(re.compile(r"\?span=[0-9a-f]{16}$"))
    page.reload()
    expect(selected(page)).to_contain_text("waiting for approval")
    expect(detail(page)).to_contain_text("needs a reviewer")


def test_waiting_for_people_is_set_apart(console: Console) -> None:
    page = console.sign_in().run("parcel never came")
    expect(page.get_by_text("of it waiting for people")).to_be_visible()
    strip = page.get_by_role("img", name=re.compile("Where the time went"))
    assert re.search(r"model 13 s, .*tools 16 s, .*waiting for people 1m 00s", strip.get_attribute("aria-label") or "")
    page.get_by_role("button", name="Show waiting to scale").click()
    expect(page.get_by_role("button", name="Cut out waiting")).to_be_visible()


def test_the_waterfall_is_walked_by_keyboard(console: Console) -> None:
    page = console.sign_in().run("parcel never came")
    expect(selected(page)).to_contain_text("try 3")
    page.keyboard.press("e")
    expect(selected(page)).to_have_text(re.compile("^stripe.refund *money"))
    page.keyboard.press("j")
    expect(selected(page)).to_contain_text("policy stripe.refund")
    page.keyboard.press("k")
    page.keyboard.press("ArrowLeft")
    expect(selected(page)).to_contain_text("attempt 2")
    page.keyboard.press("ArrowLeft")
    expect(selected(page)).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_role("treeitem", name=re.compile("try 2"))).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("treeitem", name=re.compile("try 2"))).to_have_count(1)
    page.keyboard.press("Enter")
    expect(detail(page)).to_be_focused()


def test_c_copies_a_link_to_the_span(console: Console) -> None:
    page = console.sign_in().run("parcel never came")
    expect(selected(page)).to_contain_text("try 3")
    page.keyboard.press("c")
    link = page.evaluate("() => navigator.clipboard.readText()")
    page.keyboard.press("k")
    page.goto(link)
    expect(selected(page)).to_contain_text("try 3")


def test_spans_are_filtered(console: Console) -> None:
    page = console.sign_in().run("one by one")
    page.keyboard.press("/")
    page.keyboard.type("error")
    expect(page.get_by_role("treeitem")).to_have_count(8)
    page.keyboard.press("Escape")
    expect(page.get_by_role("treeitem", name=re.compile("model turn 1 "))).to_be_visible()


def test_two_thousand_spans_are_shown_of_which_few_exist(console: Console) -> None:
    page = console.sign_in().run("one by one")
    expect(page.get_by_role("tab", name=re.compile("Waterfall"))).to_contain_text("2,000")
    expect(page.get_by_role("treeitem").first).to_be_visible()
    assert page.get_by_role("treeitem").count() < 80
    page.keyboard.press("Shift+G")
    expect(selected(page)).to_contain_text("finished: succeeded")
    for _ in range(6):
        page.keyboard.press("e")
    expect(selected(page)).to_contain_text("logs.search")
    expect(detail(page)).to_contain_text("timed out after 5 s")


@pytest.mark.parametrize(
    ("tab", "words"),
    [
        ("conversation", ("I look the order up first.", "order=88121", "untrusted", "409 Conflict")),
        ("effects", ("failed", "stripe.refund", "payment", "keyed")),
        ("cost", ("gpt-4o-2024-11-20", "5,120", "3 answers", "$0.045")),
        ("raw", ("run.admitted", "tool.failed", "run.finished", "20 events")),
    ],
)
def test_each_tab_shows_its_part(console: Console, tab: str, words: tuple[str, ...]) -> None:
    page = console.sign_in().run("parcel never came", tab=tab)
    panel = page.get_by_role("tabpanel")
    for each in words:
        expect(panel).to_contain_text(each)


def test_an_event_is_read_and_copied_as_it_is_kept(console: Console) -> None:
    page = console.sign_in().run("parcel never came", tab="raw")
    page.get_by_role("button", name=re.compile("run.parked")).click()
    expect(page.get_by_label("event 9", exact=True)).to_contain_text('"status": "waiting_for_approval"')
    page.get_by_role("button", name="Copy event 9").click()
    assert '"seq": 9' in page.evaluate("() => navigator.clipboard.readText()")
    page.get_by_role("button", name="Show it in the waterfall").click()
    expect(selected(page)).to_contain_text("waiting for approval")


def test_what_others_wrote_stays_text_everywhere(console: Console) -> None:
    console.sign_in()
    console.page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    for tab in ("", "conversation", "effects", "cost", "raw"):
        page = console.run("hostile", tab=tab)
        expect(page.get_by_role("heading", level=1)).to_contain_text("<script>")
        for each in page.get_by_role("button", name=re.compile("^(Reasoning|tool.answered|model.answered)")).all():
            each.click()
        assert page.locator("#root :is(script, iframe, img, object, embed, style)").count() == 0
        assert page.locator("#root a[href*='evil'], #root a[href^='javascript']").count() == 0
    console.open("/runs?q=hostile")
    expect(console.page.get_by_role("table").get_by_text("<script>").first).to_be_visible()
    assert console.page.title() == "Quarterdeck"
    assert "evil.example" in HOSTILE
    assert not [url for url in console.asked if "evil" in url]


def test_what_reverses_the_order_of_words_is_shown_by_its_code(console: Console) -> None:
    page = console.sign_in().run("hostile", tab="conversation")
    expect(page.get_by_role("region", name="What happened")).to_contain_text("U+202E")
    expect(page.get_by_role("log", name="Conversation").get_by_text("U+202E").first).to_be_visible()


def test_words_of_the_model_appear_while_they_come_and_the_run_ends_by_itself(console: Console) -> None:
    page = console.sign_in().run("Where is order 88121? It", tab="conversation")
    conversation = page.get_by_role("log", name="Conversation")
    expect(conversation.get_by_text("answering")).to_be_visible()
    expect(conversation).to_contain_text("Your order 88121 left our")
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible(timeout=15_000)
    expect(conversation.get_by_text("answering")).to_be_hidden()
    expect(conversation.get_by_text("I am sorry for the wait.")).to_have_count(1)


def test_a_lost_stream_is_told_and_resumed_without_gap_or_double(console: Console) -> None:
    page = console.sign_in().run("Where is order 88121? It", tab="raw")
    expect(page.get_by_text("6 events")).to_be_visible()
    console.fixture.cut = True
    expect(page.get_by_text(re.compile("Stale: the stream was lost"))).to_be_visible(timeout=15_000)
    console.fixture.cut = False
    expect(page.get_by_text(re.compile("Stale"))).to_be_hidden(timeout=15_000)
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible(timeout=20_000)
    expect(page.get_by_text("9 events")).to_be_visible()
    console.expect_trouble("500", "ERR_")


def test_a_run_is_cancelled_with_a_reason(console: Console) -> None:
    page = console.sign_in().run("second of two identical")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_label("Why").fill("wrong customer")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
    assert console.chronicle("second of two identical").events[-2]["data"]["why"] == "wrong customer"


def test_a_failed_run_is_sent_back(console: Console) -> None:
    page = console.sign_in().run("parcel never came")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("dialog")).to_contain_text("not repeated")
    page.get_by_role("button", name="Retry the run").click()
    expect(page.get_by_text("Queued", exact=True)).to_be_visible()


def test_an_unknown_outcome_is_resolved_by_typing_the_tools_name(console: Console) -> None:
    page = console.sign_in().run("second of two identical")
    page.get_by_role("button", name="Say what happened").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text('"amount": 4990')
    dialog.get_by_role("radio", name=re.compile("did not take place")).check()
    button = dialog.get_by_role("button", name="It did not take place")
    expect(button).to_be_disabled()
    dialog.get_by_label(re.compile("to confirm")).fill("orders.refund")
    button.click()
    expect(page.get_by_text("Queued", exact=True)).to_be_visible()
    assert console.chronicle("second of two identical").effects[0]["state"] == "did_not_happen"


def test_who_may_only_look_is_told_so(console: Console) -> None:
    page = console.sign_in("auditor").run("second of two identical")
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_disabled()
    page.keyboard.press("Shift+X")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_run_that_does_not_exist_is_told_without_a_fault(console: Console) -> None:
    page = console.sign_in().open("/runs/01a1f8a8-87bd-7a1f-9256-f9bac68e8064")
    expect(page.get_by_role("heading", name="There is no such run here")).to_be_visible()
    console.expect_trouble("404")
