"""The console and the API share one address and never answer for each other."""

from tests.api import Deployment


async def test_an_unknown_address_of_the_api_is_a_problem_and_not_a_page(deployment: Deployment):
    anybody = await deployment.client(accept="text/html")
    for path in ("/v1/nothing", "/v1", "/v1/runs/", "/nothing", "/metrics/x"):
        answer = await anybody.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path


async def test_a_wrong_method_is_405_with_the_right_ones_for_api_and_console_alike(deployment: Deployment):
    anybody = await deployment.client()
    for method, path, allowed in (
        ("PUT", "/v1/runs", "GET, POST"),
        ("PATCH", "/v1/keys/x", "GET, DELETE"),
        ("POST", "/runs", "GET, HEAD"),
        ("GET", "/v1/switches/preview", "POST"),
        ("PUT", "/v1/secrets/rotate-key", "POST"),
        ("DELETE", "/v1/approvals/batch", "POST"),
        ("POST", "/v1/policies/who", "GET"),
        ("DELETE", "/", "GET, HEAD"),
    ):
        answer = await anybody.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed), path


async def test_the_consoles_addresses_give_its_page_under_its_own_policy(deployment: Deployment):
    anybody = await deployment.client()
    for path in ("/", "/runs", "/sign-in"):
        answer = await anybody.get(path)
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.status_code in (200, 503)
        if answer.status_code == 200:
            assert "script-src 'self'" in answer.headers["content-security-policy"]
