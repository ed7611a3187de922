"""The inbox: the exact effect, where its values come from, and an answer that is never a slip."""

import re

from playwright.sync_api import Page, Route, expect

from tests.console.chronicle import Json
from tests.console.conftest import Console

SETTLING_MS = 750  # keys answer nothing sooner than this after a question has come into sight


def held(console: Console, words: str) -> Json:
    return next(one for one in console.fixture.gate.approvals.values() if words in one["summary"])


def opened(console: Console, words: str, word: str = "owner") -> Page:
    page = console.sign_in(word).open(f"/approvals?id={held(console, words)['approval_id']}")
    expect(effect(page).get_by_role("heading", name=words)).to_be_visible()
    return page


def effect(page: Page):
    return page.get_by_role("region", name="What it will do")


def test_a_question_shows_its_effect_beside_the_last_one_and_where_each_value_comes_from(console: Console) -> None:
    page = opened(console, "refund $640.00")
    table = effect(page).get_by_role("table", name="Arguments")
    row = table.get_by_role("row", name=re.compile("^card"))
    for words in ("card_9Zx2", "changed", "card_1Nq8", "untrusted"):
        expect(row).to_contain_text(words)
    expect(table.get_by_role("row", name=re.compile("^reason"))).to_contain_text("gone")
    why = page.get_by_role("complementary", name="Why it asks")
    for words in ("permission", "no-night-refunds/night", "Nobody watches refunds at night", "41 approved", "3 denied"):
        expect(why).to_contain_text(words)
    effect(page).get_by_role("link", name=re.compile("^run")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Refund order 1077")


def test_y_approves_what_was_seen_and_the_next_question_comes(console: Console) -> None:
    page = opened(console, "refund $640.00")
    page.wait_for_timeout(SETTLING_MS)
    page.keyboard.press("y")
    expect(page.get_by_role("list", name="Questions")).not_to_contain_text("refund $640.00")
    assert held(console, "refund $640.00")["state"] == "approved"
    expect(effect(page).get_by_role("heading", level=2)).not_to_contain_text("refund $640.00")
    page.keyboard.press("y")  # too soon: it was meant for the one before
    assert held(console, "send order.pdf")["state"] == "pending"
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_no_needs_a_reason(console: Console) -> None:
    page = opened(console, "refund $640.00")
    page.wait_for_timeout(SETTLING_MS)
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Deny")).to_be_disabled()
    dialog.get_by_label("Why not").fill("the card is not the customer's")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    asked = held(console, "refund $640.00")
    assert (asked["state"], asked["why"]) == ("denied", "the card is not the customer's")


def test_a_reason_that_is_typed_before_its_dialog_is_there_never_approves(console: Console) -> None:
    page = opened(console, "refund $640.00")
    page.wait_for_timeout(SETTLING_MS)
    page.keyboard.type("nyy")
    expect(page.get_by_role("dialog", name="Deny this call?")).to_be_visible()
    assert held(console, "refund $640.00")["state"] == "pending"


def test_other_arguments_are_approved_once_they_are_sound(console: Console) -> None:
    page = opened(console, "refund $640.00")
    page.get_by_role("button", name="Edit and approve").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The gate judges what you send anew")
    button, field = dialog.get_by_role("button", name="Approve these"), dialog.get_by_label("Arguments")
    expect(button).to_be_disabled()
    field.fill('{"order": 1077,')
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill('{"order": 1077, "amount": 25000, "currency": "usd", "card": "card_9Zx2"}')
    expect(dialog).to_contain_text("Changed: amount, note (gone)")
    button.click()
    expect(dialog).to_have_count(0)
    assert held(console, "refund $640.00")["edited"]["amount"] == 25000


def test_what_cant_be_undone_is_typed_and_a_second_person_completes_it(console: Console) -> None:
    page = opened(console, "delete the account")
    expect(effect(page)).to_contain_text("1 of 2 people have said yes")
    effect(page).get_by_role("button", name=re.compile(r"Approve \(2 of 2\)")).click()
    dialog = page.get_by_role("dialog")
    button = dialog.get_by_role("button", name="Approve")
    expect(button).to_be_disabled()
    dialog.get_by_label(re.compile("to confirm")).fill("crm.delete_account")
    button.click()
    expect(dialog).to_have_count(0)
    assert held(console, "delete the account")["state"] == "approved"


def test_low_risks_are_answered_together_and_others_are_not_offered(console: Console) -> None:
    page = opened(console, "refund $640.00")
    boxes = page.get_by_role("checkbox", name=re.compile("^Choose"))
    expect(boxes).to_have_count(2)
    for box in boxes.all():
        box.check()
    page.get_by_role("button", name="Approve them").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve them").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(boxes).to_have_count(0)
    assert {one["state"] for one in console.fixture.gate.approvals.values() if one["risk_level"] == "write"} == {
        "approved"
    }


def test_who_may_only_look_is_told_so(console: Console) -> None:
    page = opened(console, "refund $640.00", "auditor")
    expect(effect(page).get_by_role("button", name="Approve", exact=False).first).to_be_disabled()
    expect(effect(page)).to_contain_text("that takes the role reviewer")
    page.wait_for_timeout(SETTLING_MS)
    page.keyboard.press("y")
    assert held(console, "refund $640.00")["state"] == "pending"


def test_an_answer_that_came_meanwhile_is_shown_and_not_overwritten(console: Console) -> None:
    page = opened(console, "refund $640.00")

    def come_first(click: Route) -> None:
        console.fixture.gate.answer(held(console, "refund $640.00"), "denied", "chen (key:k9)", "seen before")
        click.continue_()

    # The other's answer comes just before the click arrives: the page could not have learned of it by itself.
    page.route(re.compile(r"/approve$"), come_first)
    effect(page).get_by_role("button", name="Approve", exact=False).first.click()
    expect(effect(page)).to_contain_text("Denied by chen (key:k9)")
    expect(effect(page).get_by_role("button", name="Deny")).to_have_count(0)
    console.expect_trouble("409")


def test_words_of_others_stay_text(console: Console) -> None:
    page = opened(console, "send order.pdf")
    expect(effect(page)).to_contain_text("<img src=x onerror=alert(1)>")
    expect(effect(page).get_by_text("U+202E")).to_be_visible()
    assert page.locator("#root img").count() == 0


def test_j_k_walk_the_queue_and_filters_are_a_link(console: Console) -> None:
    page = console.sign_in().open("/approvals")
    first = effect(page).get_by_role("heading", level=2)
    expect(first).to_contain_text("delete the account")
    page.keyboard.press("j")
    expect(first).to_contain_text("change the address")
    page.keyboard.press("k")
    expect(first).to_contain_text("delete the account")
    page.get_by_role("combobox", name="Tool").select_option("orders.refund")
    expect(page).to_have_url(re.compile(r"\?tool=orders\.refund$"))
    expect(page.get_by_role("list", name="Questions").get_by_role("listitem")).to_have_count(1)
    page.get_by_role("combobox", name="State").select_option("expired")
    expect(page).to_have_url(re.compile("state=expired"))
    expect(effect(page)).to_contain_text("That is not a denial")


def test_the_number_of_questions_stands_on_every_page_and_a_run_leads_to_its_own(console: Console) -> None:
    page = console.sign_in().open("/runs")
    expect(page.get_by_role("link", name=re.compile("^Approvals"))).to_contain_text("5 approvals waiting")
    expect(page.get_by_role("region", name="Waits for a person")).to_contain_text("delete the account")
    page.get_by_role("row", name=re.compile("Refund order 1077")).get_by_role("link", name="Needs approval").click()
    expect(effect(page).get_by_role("heading", level=2)).to_contain_text("refund $640.00")


def test_a_question_is_answered_where_it_stands_in_its_run(console: Console) -> None:
    page = console.sign_in().run("Refund order 1077")
    page.get_by_role("treeitem", name=re.compile("approval of orders.refund")).click()
    detail = page.get_by_role("complementary", name="Selected span")
    for words in ("untrusted", "base/dangerous", "permission"):
        expect(detail).to_contain_text(words)
    detail.get_by_role("button", name="Approve", exact=True).click()
    expect(detail).to_contain_text("Approved by owner key")
    expect(page.get_by_text("Queued", exact=True)).to_be_visible()


def test_a_run_tells_who_approved_what_and_which_run_carried_out_a_call(console: Console) -> None:
    page = console.sign_in().run("damaged lamp")
    detail = page.get_by_role("complementary", name="Selected span")
    page.get_by_role("treeitem", name=re.compile("approval of orders.refund")).click()
    for words in ("It was approved", "lukas", "With these arguments instead", '"amount": 25000'):
        expect(detail).to_contain_text(words)
    page.get_by_role("treeitem", name=re.compile("^ask_ops")).click()
    expect(detail.get_by_role("link", name=re.compile("^run "))).to_be_visible()
    page.get_by_role("treeitem", name=re.compile("run refund-desk")).click()
    expect(detail).to_contain_text("Other agents")


def test_an_escalation_is_claimed_and_closed_with_a_note(console: Console) -> None:
    page = console.sign_in("reviewer").open("/approvals?tab=escalations")
    page.get_by_role("button", name="Claim", exact=True).click()
    expect(page.get_by_role("heading", name="No agent has passed anything on")).to_be_visible()
    page.get_by_role("button", name="Claimed").click()
    card = page.get_by_role("listitem").filter(has_text="threatens to go to court")
    card.get_by_role("button", name="Close", exact=True).click()
    page.get_by_label("What came of it").fill("sent the right invoice")
    page.get_by_role("button", name="Close it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "sent the right invoice" in {one["note"] for one in console.fixture.gate.escalations.values()}


def test_an_empty_inbox_teaches_and_one_that_is_not_for_you_says_so(console: Console) -> None:
    page = console.sign_in("empty").open("/approvals")
    expect(page.get_by_role("heading", name="Nobody waits for you")).to_be_visible()
    page = console.sign_in("nobody").open("/approvals")
    expect(page.get_by_role("heading", name="You may not see the approvals of this tenant")).to_be_visible()
    expect(page.get_by_role("link", name="Approvals")).to_have_count(0)
    console.expect_trouble("403")
