"""What an author writes to spend less, in a deployment of real processes: reads not sent twice, short conversations."""

from tests.flow.stage import Json, Stage, Tenant

LOOK = {"call": "look", "arguments": {"what": "the price"}}
DONE = {"text": "done"}


def clerk(tenant: Tenant, name: str, *steps: Json, **look: Json) -> str:
    """An agent whose look may be answered from what it saw before."""
    books = tenant.books("look", "pay")
    books["tools"]["look"] = {**books["tools"]["look"], **look}
    return tenant.agent(*steps, name=name, tools=[books])


def went_out(tenant: Tenant, agent: str, user: str) -> bool:
    """Whether the look of one run was sent."""
    run = tenant.submit(agent, user_id=user)
    assert tenant.until(run)["status"] == "succeeded"
    [answer] = tenant.of_kind(run, "tool.answered")
    return not answer.get("cached", False)


def test_a_read_is_sent_once_for_each_user_until_something_changes(stage: Stage, tenant: Tenant):
    looker = clerk(tenant, "looker", LOOK, DONE, cache="5m")
    payer = clerk(tenant, "payer", {"call": "pay", "arguments": {"what": "the bill"}}, DONE)
    before = stage.outside.books.asked["the price"]
    assert [went_out(tenant, looker, "erika") for _ in range(4)] == [True, False, False, False]
    assert went_out(tenant, looker, "bob")
    assert tenant.until(tenant.submit(payer, user_id="erika"))["status"] == "succeeded"
    assert went_out(tenant, looker, "erika")
    assert not went_out(tenant, looker, "bob")
    assert stage.outside.books.asked["the price"] == before + 3


def test_an_answer_that_is_given_again_was_decided_on_like_any_other(tenant: Tenant):
    looker = clerk(tenant, "looker", LOOK, DONE, cache="5m")
    runs = [tenant.submit(looker, user_id="erika")]
    tenant.until(runs[0])
    runs.append(tenant.submit(looker, user_id="erika"))
    tenant.until(runs[1])
    first, again = (tenant.of_kind(run, "tool.called")[0] for run in runs)
    assert again["decision"] == first["decision"]
    shown, shown_again = (tenant.of_kind(run, "tool.answered")[0] for run in runs)
    assert shown_again["cached"]
    assert (shown_again["content"], shown_again["label"]) == (shown["content"], shown["label"])


def test_a_long_conversation_is_shown_in_short_as_its_author_says(tenant: Tenant):
    looks = {**LOOK, "arguments": {"what": "page {n}"}, "times": 20}
    context = {"max_turns": 10, "keep_turns": 3, "summarise": False}
    tenant.agent(looks, DONE, context=context)
    run = tenant.submit()
    assert tenant.until(run)["status"] == "succeeded"
    shortened = tenant.of_kind(run, "context.shortened")
    asked = [one["messages"] for one in tenant.of_kind(run, "model.called")]
    assert 2 <= len(shortened) <= 5
    assert max(asked) <= 2 * 11 + 2  # of more than forty
    assert "page 1" in shortened[0]["summary"]["content"][0]["text"]
