"""The console on the real thing: API, database and worker are processes of their own, and nothing is made up."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.fakes.provider import Says
from tests.flow.outside import Outside
from tests.flow.stage import PIN, Json, Stage, Tenant, a_folder, staged
from tests.flow.test_streams import looking

T = TypeVar("T")

WORDS = "your parcel is on the van and should be with you before six"
EVIL = "<img src=x onerror=alert(1)> \u202edesrever"
LOOK: Json = {"call": "look", "arguments": {"what": "page {n}"}}
RULES: list[Json] = [
    {"when": "^fine", "steps": [{**LOOK, "times": 3}, {"text": "all is well"}]},
    {"when": "^broken", "steps": [LOOK, {"fault": "unauthenticated"}]},
    {"when": "^hostile", "steps": [{"call": "look", "arguments": {"what": EVIL}}, {"text": EVIL}]},
    {"when": "^pay", "steps": [{"call": "pay", "arguments": {"what": "the bill"}}, {"text": "paid"}]},
    {"when": "^ask", "steps": [{"call": "pay_if_approved", "arguments": {"what": "the rent"}}, {"text": "paid"}]},
    {"when": "^long", "steps": [{**LOOK, "times": 60}, {"text": "seen all"}]},
    {"when": "^slow", "steps": [{"text": "done", "latency_ms": 60_000}]},
]


def aside(work: Callable[[], T]) -> T:
    """Do it in a thread of its own: the browser's driver holds this thread's event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    world = Outside()
    world.open()
    yield world
    world.close()


@pytest.fixture(scope="module")
def stage(outside: Outside) -> Iterator[Stage]:
    with a_folder() as folder:
        deployment = staged(outside, folder, workers=1)
        yield aside(deployment.__enter__)
        aside(lambda: deployment.__exit__(None, None, None))


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> Tenant:
    """A tenant with a run of each kind that has come to its end, or as far as it comes by itself."""

    def furnish() -> Tenant:
        made = stage.tenant()
        provider = f"script-{made.slug}"
        options = {"script": {"steps": [{"text": "done"}], "rules": RULES}}
        made.must(made.admin.post("/v1/providers", json={"name": provider, "kind": "scripted", "options": options}))
        made.agent(model={"provider": provider, "id": PIN}, limits={"max_steps": 90, "max_tool_calls": 90})
        for words in ("fine, thank you", "broken, alas", f"hostile {EVIL}", "long, very long"):
            made.until(made.submit(words=words))
        with stage.outside.books.holding("the bill"):
            made.until(made.submit(words="pay the bill"), "waiting_for_outcome")
        return made

    return aside(furnish)


@pytest.fixture
def page(browser: Browser, stage: Stage, tenant: Tenant) -> Iterator[Page]:
    """A page of the tenant's owner, signed in as people do."""
    expect.set_options(timeout=10_000)
    context = browser.new_context(viewport={"width": 1440, "height": 860}, base_url=stage.fleet.url)
    opened, faults = context.new_page(), list[str]()

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not re.search("40[19]|412", message.text):
            faults.append(message.text)

    opened.on("console", said)
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    opened.goto("/")
    opened.get_by_label("API key", exact=True).fill(tenant.key)
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("table", name="Runs")).to_be_visible()
    yield opened
    context.close()
    assert faults == []


def find(page: Page, words: str) -> None:
    """Go to a run by what was asked of it."""
    page.get_by_role("table", name="Runs").get_by_role("link", name=re.compile(f"^{words}")).first.click()
    page.get_by_role("tablist").wait_for()


def test_the_list_shows_every_run_with_its_state_and_cause(page: Page, tenant: Tenant) -> None:
    row = page.get_by_role("row", name=re.compile("broken, alas"))
    expect(row).to_contain_text("Failed")
    expect(page.get_by_role("row", name=re.compile("pay the bill"))).to_contain_text("Needs outcome")
    facets = page.get_by_role("complementary", name="Filters")
    facets.get_by_role("button", name=re.compile("model.unauthenticated")).click()
    expect(page).to_have_url(re.compile(r"cause=model\.unauthenticated"))
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)


def test_words_find_a_run(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("alas")
    page.keyboard.press("Enter")
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row", name=re.compile("broken, alas"))).to_be_visible()


def test_a_failed_run_says_what_happened_and_leads_there(page: Page) -> None:
    find(page, "broken")
    story = page.get_by_role("region", name="What happened")
    expect(story).to_contain_text(re.compile("^Failed"))
    story.get_by_role("link").first.click()
    expect(page.locator("[role=treeitem][aria-selected=true]")).to_contain_text("model turn 2")
    expect(page.get_by_role("complementary", name="Selected span")).to_contain_text("The model did not answer")


@pytest.mark.parametrize(
    ("tab", "words"),
    [
        ("Waterfall", ("run clerk", "attempt 1", "look(what=page 1)", "model turn 4")),
        ("Conversation", ("fine, thank you", "look", "what=", "all is well")),
        ("Effects", ("This run changed nothing in the world",)),
        ("Cost", (PIN, "4 answers")),
        ("Raw", ("run.admitted", "tool.answered", "run.finished")),
    ],
)
def test_each_tab_shows_the_run(page: Page, tab: str, words: tuple[str, ...]) -> None:
    find(page, "fine")
    page.get_by_role("tab", name=re.compile(f"^{tab}")).click()
    for each in words:
        expect(page.get_by_role("tabpanel")).to_contain_text(each)


def test_a_call_shows_its_request_its_answer_and_the_rule_that_decided(page: Page) -> None:
    find(page, "fine")
    page.get_by_role("treeitem", name=re.compile(r"look\(what=page 2\)")).click()
    detail = page.get_by_role("complementary", name="Selected span")
    for words in ('"what": "page 2"', "look: page 2", "Verdict", "allow", "safe to repeat"):
        expect(detail).to_contain_text(words)


def test_what_a_tool_and_a_model_wrote_stays_text(page: Page) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    find(page, "hostile")
    page.get_by_role("tab", name=re.compile("^Conversation")).click()
    conversation = page.get_by_role("log", name="Conversation")
    expect(conversation).to_contain_text("<img src=x")
    expect(conversation.get_by_text("U+202E").first).to_be_visible()
    assert page.locator("#root img, #root script").count() == 0


def test_words_of_a_real_wire_appear_while_they_come(page: Page, stage: Stage, tenant: Tenant) -> None:
    """The agent looks around until somebody watches: what nobody watches is not streamed."""
    watched = threading.Event()
    stage.outside.plans["tell me slowly"] = lambda asked: (
        Says(WORDS, between=0.25) if watched.is_set() else looking(asked)
    )

    def submit() -> str:
        url = f"{stage.outside.provider.url}/v1"
        wire = {"name": f"wire-{tenant.slug}", "kind": "openai_compatible", "base_url": url}
        tenant.must(tenant.admin.post("/v1/providers", json=wire))
        limits = {"max_steps": 200, "max_tool_calls": 200}
        tenant.agent(name="teller", model={"provider": wire["name"], "id": PIN}, limits=limits)
        return tenant.submit("teller", "tell me slowly")

    page.goto(f"/runs/{aside(submit)}?tab=conversation")
    conversation = page.get_by_role("log", name="Conversation")
    expect(conversation.get_by_text("still looking").first).to_be_visible()
    watched.set()
    expect(conversation).to_contain_text("your parcel")
    expect(conversation.get_by_text("answering")).to_be_visible()
    expect(conversation).to_contain_text("your parcel")
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible(timeout=20_000)
    expect(conversation.get_by_text(WORDS)).to_have_count(1)
    expect(conversation.get_by_text("answering")).to_be_hidden()


def test_a_run_is_cancelled_from_its_page_and_the_page_sees_it_end(page: Page, tenant: Tenant) -> None:
    page.goto(f"/runs/{tenant.submit(words='slow going')}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_label("Why").fill("changed my mind")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible(timeout=15_000)
    expect(page.get_by_role("region", name="What happened")).to_contain_text("changed my mind")
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("button", name="Retry the run").click()
    expect(page.get_by_text(re.compile("^(Queued|Running)$"))).to_be_visible()
    tenant.must(tenant.client.post(f"/v1/runs/{page.url.split('/')[-1].split('?')[0]}/cancel", json={}))


def test_an_unknown_outcome_is_settled_from_its_page(page: Page, stage: Stage) -> None:
    find(page, "pay")
    expect(page.get_by_role("treeitem", name=re.compile("pay"))).to_have_count(2)
    page.get_by_role("button", name="Say what happened").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("the bill")
    dialog.get_by_role("radio", name=re.compile("^took place")).check()
    dialog.get_by_role("textbox", name="Result").fill("paid on Friday")
    dialog.get_by_label(re.compile("to confirm")).fill("pay")
    dialog.get_by_role("button", name="It took place").click(timeout=20_000)
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible(timeout=15_000)
    page.get_by_role("tab", name=re.compile("^Effects")).click()
    expect(page.get_by_role("tabpanel")).to_contain_text("happened")
    assert stage.outside.books.effects("the bill") == 1


def test_a_question_is_answered_in_the_inbox_and_its_run_goes_on(page: Page, stage: Stage, tenant: Tenant) -> None:
    run = tenant.submit(words="ask before you pay the rent")
    page.get_by_role("link", name=re.compile(r"^Approvals.*1 approval waiting")).click()
    effect = page.get_by_role("region", name="What it will do")
    expect(effect.get_by_role("table", name="Arguments")).to_contain_text("the rent")
    why = page.get_by_role("complementary", name="Why it asks")
    expect(why).to_contain_text("permission")
    expect(why.get_by_label(re.compile("^Text of"))).to_contain_text("@ask(")
    effect.get_by_role("link", name=re.compile("^run")).click()
    page.get_by_role("treeitem", name=re.compile("approval of pay_if_approved")).click()
    detail = page.get_by_role("complementary", name="Selected span")
    expect(detail).to_contain_text("Waits for an answer")
    page.get_by_role("link", name="Answer", exact=True).click()
    effect.get_by_role("button", name="Approve", exact=False).first.click()
    expect(page.get_by_role("heading", name="Nobody waits for you")).to_be_visible()
    page.goto(f"/runs/{run}")
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible(timeout=20_000)
    assert stage.outside.books.effects("the rent") == 1


def test_a_switch_stops_a_real_tool_until_it_is_lifted(page: Page, tenant: Tenant) -> None:
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.get_by_role("button", name="Throw a switch").click()
    dialog = page.get_by_role("dialog", name="Throw a switch")
    dialog.get_by_role("combobox", name="Which").fill("look")
    expect(dialog.get_by_role("region", name="What it will hit")).to_contain_text("clerk")
    dialog.get_by_role("textbox", name="Why").fill("it lies")
    dialog.get_by_role("button", name="Throw it").click()
    bar = page.get_by_role("status").filter(has_text="it lies")
    expect(bar).to_be_visible()
    page.goto(f"/runs/{tenant.submit(words='fine again')}")
    expect(page.get_by_role("treeitem", name=re.compile("policy look")).first).to_contain_text("deny")
    bar.get_by_role("button", name="Show or lift").click()
    page.get_by_role("button", name="Lift", exact=True).click()
    page.get_by_label("Why it can be lifted").fill("it was me")
    page.get_by_role("button", name="Lift it").click()
    expect(bar).to_have_count(0)


def test_tools_policies_and_the_audit_are_those_of_the_deployment(page: Page, tenant: Tenant) -> None:
    page.get_by_role("link", name="Tools & policy").click()
    page.get_by_role("combobox", name="Agent").select_option("clerk")
    expect(page.get_by_role("row", name=re.compile("^pay_if_approved"))).to_contain_text("money")
    page.get_by_role("button", name="Who may do what").click()
    row = page.get_by_role("row", name=re.compile("^pay_if_approved"))
    expect(row).to_contain_text("ask")
    row.get_by_role("link", name="Explain").click()
    page.get_by_role("textbox", name="Arguments").fill('{"what": "the rent"}')
    page.get_by_role("button", name="Explain", exact=True).last.click()
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("A person is asked")
    page.get_by_role("button", name="Own policies").click()
    page.get_by_role("button", name="New policy").click()
    page.get_by_label("Name").fill("no-rent")
    text = '@reason("No rent.")\nforbid (principal, action == Action::"pay", resource)\nwhen { %s == "the rent" };'
    page.get_by_label("Text, in Cedar").fill(text % "context.arguments.waht")
    expect(page.get_by_label("Text with what was found")).to_contain_text("waht")
    page.get_by_label("Text, in Cedar").fill(text % "context.arguments.what")
    expect(page.get_by_text("It can be put in force")).to_be_visible()
    page.get_by_role("button", name="Try it on past calls").click()
    page.get_by_role("button", name="Try it", exact=True).click()
    expect(page.get_by_text(re.compile("calls? of .* looked at"))).to_be_visible()
    page.get_by_label("Why").fill("it is paid by hand")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_text("version 1", exact=True)).to_be_visible()
    page.get_by_role("button", name="Advice").click()
    expect(page.get_by_text("Granted and not used")).to_be_visible()
    page.get_by_role("link", name="Audit").click()
    expect(page.get_by_role("table", name="Audit")).to_contain_text("policy.set")
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text(re.compile("^Whole: "))).to_be_visible()
    tenant.client.delete("/v1/policies/no-rent", params={"why": "the test is over"}).raise_for_status()


def test_agents_and_keys_are_shown(page: Page, tenant: Tenant) -> None:
    page.get_by_role("link", name="Agents").click()
    page.get_by_role("button", name="clerk").click()
    expect(page.get_by_text("Made by a test.")).to_be_visible()
    expect(page.get_by_text("current", exact=True)).to_be_visible()
    page.get_by_role("link", name="Keys").click()
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name", exact=True).fill("console")
    page.get_by_role("checkbox", name=re.compile("^auditor")).check()
    page.get_by_role("checkbox", name=re.compile("^caller")).uncheck()
    page.get_by_role("button", name="Make the key").click()
    secret = page.get_by_role("dialog").locator("code").inner_text()
    assert tenant.must(tenant.client_of(secret).get("/v1/sessions/current"))["roles"] == ["auditor"]
    page.get_by_role("button", name="I have it").click()
    page.get_by_role("row", name=re.compile("console")).get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("row", name=re.compile("console"))).to_contain_text("revoked")


def test_a_budget_is_set_holds_and_is_changed_by_whoever_saw_it_last(page: Page, tenant: Tenant) -> None:
    page.goto("/budgets")
    expect(page.get_by_role("heading", name="Nothing limits spending yet")).to_be_visible()
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("each-clerk")
    dialog.get_by_role("combobox", name="For", exact=True).select_option("agent")
    dialog.get_by_label("Which agent").fill("clerk")
    dialog.get_by_label("Tokens", exact=True).fill("0")
    dialog.get_by_role("button", name="Set it").click()
    pane = page.get_by_role("complementary", name="Budget")
    expect(pane).to_contain_text("agent clerk: 0 tokens a day")

    def spend() -> str:
        run = tenant.submit(words="fine, once more")
        tenant.until(run, "stopped")
        return run

    stopped = aside(spend)
    expect(page.get_by_role("row", name=re.compile("^each-clerk"))).to_contain_text("used up")
    page.get_by_role("button", name="Change").click()
    tenant.must(tenant.admin.put("/v1/budgets/each-clerk", json={"scope": "agent", "target": "clerk", "max_tokens": 1}))
    dialog.get_by_label("Tokens", exact=True).fill("900000")
    dialog.get_by_role("button", name="Change it").click()
    expect(dialog.get_by_text("Somebody has changed it meanwhile.")).to_be_visible()
    page.goto("/budgets?name=each-clerk")
    page.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("heading", name="Nothing limits spending yet")).to_be_visible()
    page.goto(f"/runs/{stopped}?tab=cost")
    expect(page.get_by_role("region", name="What happened")).to_contain_text(re.compile("^Stopped"))


def test_usage_tells_what_the_runs_have_read(page: Page) -> None:
    page.goto("/usage")
    expect(page.get_by_role("row", name=re.compile("^clerk"))).to_be_visible()
    page.get_by_role("button", name="User", exact=True).click()
    expect(page.get_by_role("slider", name=re.compile("Cost over time"))).to_be_visible()
    for key, words in (("2", "in all · Gini"), ("3", "No run stands out"), ("4", "of what it would have cost")):
        page.keyboard.press(key)
        expect(page.get_by_text(words).or_(page.get_by_role("row").nth(1)).first).to_be_visible()


def test_a_run_proves_its_edges_from_its_log(page: Page) -> None:
    find(page, "fine")
    page.get_by_role("treeitem").first.click()
    expect(page.get_by_role("complementary", name="Selected span")).to_contain_text("Every edge is proven")


def test_an_unknown_address_of_the_api_is_a_problem_and_never_a_page(page: Page) -> None:
    for path in ("/v1/nothing", "/v1/runs/nothing/at/all", "/nothing"):
        answer = page.request.get(path)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


def test_signing_out_closes_the_session_at_the_server(page: Page) -> None:
    assert page.request.get("/v1/sessions/current").ok
    page.get_by_role("button", name=re.compile("^Account")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_label("API key", exact=True)).to_be_visible()
    assert page.request.get("/v1/sessions/current").status == 401


def test_a_deployment_admin_looks_into_a_tenant(browser: Browser, stage: Stage, tenant: Tenant) -> None:
    context = browser.new_context(base_url=stage.fleet.url)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("API key", exact=True).fill(stage.admin_key)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("^Account")).click()
    page.get_by_role("menuitem", name=tenant.slug, exact=True).click()
    expect(page.get_by_role("row", name=re.compile("broken, alas"))).to_be_visible()
    context.close()
