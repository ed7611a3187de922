"""Sessions: a browser's cookie, worth no more than its key and useless to other sites."""

import httpx

from tests.api import HERE, Deployment


async def sign_in(deployment: Deployment, key: str) -> httpx.AsyncClient:
    browser = await deployment.client()
    answer = await browser.post("/v1/sessions", json={"key": key})
    assert answer.status_code == 201, answer.text
    return browser


async def test_a_key_is_traded_for_a_cookie_that_no_script_sees(deployment: Deployment):
    browser = await deployment.client()
    answer = await browser.post("/v1/sessions", json={"key": deployment.admin_key})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("quarterdeck-session=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Max-Age=43200" in cookie
    assert deployment.admin_key not in answer.text + cookie
    assert (await browser.get("/v1/sessions/current")).json()["admin"] is True
    async with deployment.parts.database.system.transaction() as tx:
        stored = await tx.fetchval("SELECT hash FROM qd.sessions")
    assert stored.hex() not in cookie


async def test_over_https_the_cookie_is_held_to_its_host(deployment: Deployment):
    browser = await deployment.client()
    answer = await browser.post("https://deck.example/v1/sessions", json={"key": deployment.admin_key})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-quarterdeck=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


async def test_over_plain_http_only_this_machine_signs_in(deployment: Deployment):
    browser = await deployment.client()
    for origin, status in (
        ("http://192.168.1.5:7410", 403),
        ("http://127.0.0.1:7410", 201),
        ("http://[::1]:7410", 201),
    ):
        assert (await browser.post(f"{origin}/v1/sessions", json={"key": deployment.admin_key})).status_code == status


async def test_a_wrong_key_gets_no_cookie(deployment: Deployment):
    browser = await deployment.client()
    for key in (
        "nonsense",
        deployment.admin_key[:-1] + "!",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ):
        answer = await browser.post("/v1/sessions", json={"key": key})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


async def test_what_is_done_by_cookie_must_come_from_our_own_pages(deployment: Deployment):
    browser = await sign_in(deployment, deployment.admin_key)
    for origin in (None, "https://evil.example", "http://localhost:9999", "https://localhost:7410", "null"):
        headers = {"origin": origin} if origin else {}
        refused = await browser.post("/v1/tenants", json={"slug": "acme"}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "auth.wrong_origin"), origin
    assert (await browser.get("/v1/tenants")).status_code == 200
    assert (await browser.post("/v1/tenants", json={"slug": "acme"}, headers={"origin": HERE})).status_code == 201


async def test_no_other_site_signs_a_browser_in(deployment: Deployment):
    browser = await deployment.client()
    answer = await browser.post(
        "/v1/sessions", json={"key": deployment.admin_key}, headers={"origin": "https://evil.example"}
    )
    assert answer.status_code == 403


async def test_signing_out_ends_the_session_and_not_only_the_cookie(deployment: Deployment):
    browser = await sign_in(deployment, deployment.admin_key)
    stolen = await deployment.client()
    stolen.cookies = httpx.Cookies(browser.cookies)
    assert (await stolen.get("/v1/sessions/current")).status_code == 200
    gone = await browser.delete("/v1/sessions/current", headers={"origin": HERE})
    assert gone.status_code == 204
    assert not browser.cookies
    answer = await stolen.get("/v1/sessions/current")
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.session_ended")


async def test_a_session_ends_with_its_key(deployment: Deployment, acme):
    issued = (await acme.post("/v1/keys", json={"name": "ann", "roles": ["operator"]})).json()
    browser = await sign_in(deployment, issued["secret"])
    who = (await browser.get("/v1/sessions/current")).json()
    assert (who["user_id"], who["tenant"], who["roles"]) == ("ann", "acme", ["operator"])
    await acme.delete(f"/v1/keys/{issued['id']}")
    assert (await browser.get("/v1/sessions/current")).json()["code"] == "auth.key_revoked"


async def test_a_session_lasts_twelve_hours_or_as_long_as_its_key(deployment: Deployment, acme):
    issued = (await acme.post("/v1/keys", json={"name": "ann", "roles": ["caller"], "expires_in_s": 60})).json()
    browser = await deployment.client()
    answer = await browser.post("/v1/sessions", json={"key": issued["secret"]})
    assert answer.json()["expires_at"] == issued["expires_at"]
    async with deployment.parts.database.system.transaction() as tx:
        await tx.execute("UPDATE qd.sessions SET expires_at = now()")
    # A fresh process has nothing in memory.
    deployment.app.state.authenticator.forget()
    assert (await browser.get("/v1/sessions/current")).json()["code"] == "auth.session_ended"


async def test_an_authorization_header_goes_before_the_cookie(deployment: Deployment, acme):
    browser = await sign_in(deployment, deployment.admin_key)
    key = await deployment.key("acme", roles=["caller"], name="batch")
    who = await browser.get("/v1/sessions/current", headers={"authorization": f"Bearer {key}"})
    assert who.json()["name"] == "batch"
