"""Webhooks: signed, delivered whatever dies, and never to an address that points inside."""

from tests.flow.stage import LEASE, Json, Stage, Tenant, until


def register(tenant: Tenant, path: str, **more: Json) -> Json:
    url = f"{tenant.stage.outside.letterbox.url}{path}"
    return tenant.must(tenant.client.post("/v1/webhooks", json={"url": url, **more}))


def test_the_end_of_a_run_is_told_once_and_signed_though_its_worker_was_killed(stage: Stage, tenant: Tenant):
    hook = register(tenant, "/taken-over", kinds=["run.finished"])
    tenant.agent({"call": "look", "arguments": {"what": "before it is told"}}, {"text": "all well"})
    with stage.outside.books.holding("before it is told") as hold:
        run = tenant.submit(tags={"order": "1001"})
        hold.await_call()
        stage.kill(tenant.worker_of(run))
        until(lambda: tenant.run(run)["attempt"] == 2, "another worker takes over", LEASE + 5)
    tenant.until(run)
    box = stage.outside.letterbox
    until(lambda: box.to("/taken-over"), "the letter has come")
    until(lambda: deliveries(tenant, hook, "delivered"), "the delivery is noted")
    (letter,) = box.to("/taken-over")
    assert letter.is_signed_with(hook["secret"])
    assert not letter.is_signed_with("whsec_" + "A" * 44)
    assert letter.record["type"] == "run.finished"
    told = letter.record["data"]
    assert (told["run_id"], told["status"], told["tags"]) == (run, "succeeded", {"order": "1001"})
    assert told["result"]["text"] == "all well"


def deliveries(tenant: Tenant, hook: Json, state: str = "") -> list[Json]:
    wanted = f"?state={state}" if state else ""
    return tenant.must(tenant.client.get(f"/v1/webhooks/{hook['id']}/deliveries{wanted}"))["items"]


def test_a_letter_that_was_refused_is_brought_again_after_both_workers_were_killed(stage: Stage, tenant: Tenant):
    hook = register(tenant, "/later")
    box = stage.outside.letterbox
    box.statuses["/later"] = [503, 204]
    sent = tenant.must(tenant.client.post(f"/v1/webhooks/{hook['id']}/test"))
    until(lambda: [one for one in deliveries(tenant, hook, "pending") if one["last_status"] == 503], "it was refused")
    for name in ("worker-1", "worker-2"):
        stage.kill(name)
    until(lambda: deliveries(tenant, hook, "delivered"), "the letter was brought again", 40)
    first, second = box.to("/later")
    assert first.id == second.id == sent["id"]
    assert first.body == second.body
    assert second.at - first.at > 3.5
    assert second.is_signed_with(hook["secret"])


INSIDE = [
    "http://127.0.0.1/hook",
    "http://127.1/hook",
    "http://2130706433/hook",
    "http://0x7f000001/hook",
    "http://0177.0.0.1/hook",
    "http://localhost/hook",
    "http://localhost.:80/hook",
    "http://[::1]/hook",
    "http://[::]/hook",
    "http://[::ffff:127.0.0.1]/hook",
    "http://[::ffff:7f00:1]/hook",
    "http://[64:ff9b::7f00:1]/hook",
    "http://[fe80::1%25eth0]/hook",
    "http://[fd00::1]/hook",
    "http://0.0.0.0/hook",
    "http://10.0.0.1/hook",
    "http://172.16.0.1/hook",
    "http://192.168.1.1/hook",
    "http://100.64.0.1/hook",
    "http://169.254.169.254/latest/meta-data",
    "http://[fd00:ec2::254]/latest/meta-data",
    "http://metadata.google.internal/",
    "http://user:password@example.com/hook",
    "http://example.com@127.0.0.1/hook",
    "http://127.0.0.1\\@example.com/hook",
    "http://127.0.0.1#@example.com/hook",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/hook",
    "file:///etc/passwd",
    "gopher://127.0.0.1:25/",
    "ftp://example.com/",
    "//127.0.0.1/hook",
    "http:127.0.0.1/hook",
    "http:///hook",
    "javascript:alert(1)",
    "",
]


def test_no_webhook_can_be_registered_or_changed_to_an_address_that_points_inside(stage: Stage, tenant: Tenant):
    hook = register(tenant, "/stays")
    urls = [
        *INSIDE,
        f"http://127.0.0.1:{stage.fleet.settings.port}/v1/runs",
        f"http://localhost:{database_port(stage)}",
    ]
    for url in urls:
        for answer in (
            tenant.client.post("/v1/webhooks", json={"url": url}),
            tenant.client.patch(f"/v1/webhooks/{hook['id']}", json={"url": url}),
        ):
            assert answer.status_code == 422, f"{url}: {answer.status_code} {answer.text}"
            assert answer.headers["content-type"] == "application/problem+json"
            # Where a name leads inside is nobody's business: that would map our network.
            assert "127.0.0.1" not in answer.json()["detail"]
    (kept,) = tenant.must(tenant.client.get("/v1/webhooks"))["items"]
    assert kept["url"] == hook["url"]


def database_port(stage: Stage) -> int:
    return int((stage.fleet.folder / "postgres.port").read_text())


def test_a_receiver_can_not_send_a_letter_on_to_somewhere_else(stage: Stage, tenant: Tenant):
    box = stage.outside.letterbox
    targets = [f"{box.url}/elsewhere", f"http://127.0.0.1:{database_port(stage)}/", "http://169.254.169.254/latest"]
    for number, target in enumerate(targets):
        path = f"/redirects-{number}"
        box.redirects[path] = target
        hook = register(tenant, path)
        tenant.must(tenant.client.post(f"/v1/webhooks/{hook['id']}/test"))
        (tried,) = until(lambda hook=hook: [one for one in deliveries(tenant, hook) if one["last_error"]], "it failed")
        assert (tried["state"], tried["last_status"]) == ("pending", 307)
        assert len(box.to(path)) == 1
    assert not box.to("/elsewhere")
