"""A budget that runs out is told by workers that nobody asked: to the tenant's people, and to its webhooks."""

from tests.flow.stage import Json, Tenant, until


def spending(tenant: Tenant) -> Json:
    budget = tenant.must(tenant.client.get("/v1/budgets/all-day"))
    return budget["spending"][0] if budget["spending"] else None


def test_a_budget_that_is_nearly_used_up_is_told_and_so_is_that_its_limit_was_raised(tenant: Tenant):
    box = tenant.stage.outside.letterbox
    hook = {"url": f"{box.url}/alerts", "kinds": ["alert.raised", "alert.resolved"]}
    tenant.must(tenant.client.post("/v1/webhooks", json=hook))
    daily = {"scope": "tenant", "budget_duration": "1d", "alert_at": [80]}
    tenant.must(tenant.client.put("/v1/budgets/all-day", json={**daily, "max_tokens": 1_000_000}))
    tenant.agent({"call": "look", "arguments": {"what": "it up"}}, {"text": "done"})
    run = tenant.submit()
    tenant.until(run)
    until(lambda: (spending(tenant) or {}).get("reserved") == 0, "all is settled")
    used = spending(tenant)["spent"]
    assert used > 0
    tenant.must(tenant.client.put("/v1/budgets/all-day", json={**daily, "max_tokens": used * 10 // 9}))

    def letters() -> list[tuple[str, str]]:
        return [(one.record["type"], one.record["data"]["kind"]) for one in box.to("/alerts")]

    until(lambda: ("alert.raised", "budget.threshold") in letters(), "it is told")
    (alert,) = tenant.must(tenant.client.get("/v1/alerts?kind=budget.threshold"))["items"]
    assert (alert["state"], alert["severity"], alert["facts"]["level"]) == ("raised", "warning", 80)
    tenant.must(tenant.client.put("/v1/budgets/all-day", json={**daily, "max_tokens": 1_000_000}))
    until(lambda: ("alert.resolved", "budget.threshold") in letters(), "that it is over is told")
    assert letters().count(("alert.raised", "budget.threshold")) == 1
