"""Keys that are unknown, altered, expired, revoked or no keys at all, on every route there is."""

import base64
from collections.abc import Mapping
from uuid import uuid4

import httpx
import pytest

from tests.flow.routes import PUBLIC, Route, routes
from tests.flow.stage import Json, Stage, Tenant, until

IDS = {
    "run_id": "0198f0c2-0000-7000-8000-000000000000",
    "run": "0198f0c2-0000-7000-8000-000000000000",
    "thread_id": "0198f0c2-0000-7000-8000-000000000000",
    "webhook_id": "0198f0c2-0000-7000-8000-000000000000",
    "delivery_id": "0198f0c2-0000-7000-8000-000000000000",
    "key_id": "nobody",
    "name": "nobody",
    "version": "0" * 64,
    "key": "0" * 64,
    "slug": "nobody",
    "approval_id": "0198f0c2-0000-7000-8000-000000000000",
    "escalation_id": "0198f0c2-0000-7000-8000-000000000000",
    "switch_id": "0198f0c2-0000-7000-8000-000000000000",
    "alert_id": "0198f0c2-0000-7000-8000-000000000000",
    "row_id": "0198f0c2-0000-7000-8000-000000000000",
    "agent": "nobody",
    "tool": "nothing",
    "release": "0" * 64,
    "token": "nothing",
    "why": "nothing",
}


@pytest.fixture(scope="module")
def all_routes(the_stage: Stage) -> list[Route]:
    return list(routes(the_stage.admin))


def bad_credentials(tenant: Tenant) -> Mapping[str, Mapping[bytes, bytes]]:
    """Headers by what is wrong with them."""
    good = tenant.issue(roles=["owner"])["secret"]
    id_, _, _ = good.rpartition("_")
    expired = tenant.issue(roles=["owner"], expires_in_s=1)
    revoked = tenant.issue(roles=["owner"])
    tenant.client.delete(f"/v1/keys/{revoked['id']}")
    until(lambda: whoami(tenant.client_of(expired["secret"])) == 401, "the key has expired", 5)
    until(lambda: whoami(tenant.client_of(revoked["secret"])) == 401, "the key is revoked", 5)
    bearers = {
        "unknown": b"qd_" + b"z" * 16 + b"_" + b"z" * 43,
        "another secret": f"{id_}_{'A' * 43}".encode(),
        "cut short": good[:-1].encode(),
        "made longer": good.encode() + b"A",
        "another case": good.swapcase().encode(),
        "expired": expired["secret"].encode(),
        "revoked": revoked["secret"].encode(),
        "no key": b"x",
        "a token of nothing": b"qdt_" + base64.urlsafe_b64encode(b"\x00" * 64),
        "broken utf-8": b"qd_\xff\xfe_\xf0\x28\x8c\x28",
        "very long": b"qd_" + b"a" * 16_000,
        "sql": b"qd_' OR 1=1 --_x",
    }
    whole = {
        "nothing": {},
        "empty": {b"authorization": b"Bearer"},
        "another scheme": {b"authorization": b"Basic " + base64.b64encode(good.encode())},
        "a cookie of nobody": {b"cookie": b"__Host-quarterdeck=" + uuid4().hex.encode()},
        "the key as a cookie": {b"cookie": b"quarterdeck-session=" + good.encode(), b"origin": b"http://localhost"},
    }
    return {**{name: {b"authorization": b"Bearer " + value} for name, value in bearers.items()}, **whole}


def whoami(client: httpx.Client) -> int:
    return client.get("/v1/sessions/current").status_code


def test_no_route_answers_whom_it_does_not_know(stage: Stage, tenant: Tenant, all_routes: list[Route]):
    client = stage.client()
    for name, headers in bad_credentials(tenant).items():
        for route in all_routes:
            if (route.method, route.path) in PUBLIC:
                continue
            answer = route.send(client, IDS, headers=httpx.Headers(list(headers.items())))
            # A cookie that comes from nowhere is refused for where it comes from, before anybody asks whose it is.
            expected = {401, 403} if b"cookie" in headers else {401}
            assert answer.status_code in expected, f"{name}: {route}: {answer.status_code} {answer.text}"
            assert answer.headers["content-type"] == "application/problem+json"
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_in_the_address_is_no_key(tenant: Tenant, all_routes: list[Route], stage: Stage):
    """Addresses end up in logs: only tokens for one run may stand there."""
    client = stage.client()
    for route in all_routes:
        if (route.method, route.path) not in PUBLIC:
            answer = client.request(
                route.method, route.path.format(**IDS), params={"token": tenant.key}, json=route.body
            )
            assert answer.status_code == 401, f"{route}: {answer.status_code} {answer.text}"


def test_a_disabled_tenants_keys_open_nothing_until_it_is_enabled_again(tenant: Tenant, all_routes: list[Route]):
    tenant.agent({"text": "done"})
    change(tenant, disabled=True)
    for route in all_routes:
        if (route.method, route.path) not in PUBLIC and not route.by_link:
            answer = route.send(tenant.client, IDS)
            assert answer.status_code == 403, f"{route}: {answer.status_code} {answer.text}"
            assert answer.json()["code"] == "tenant.disabled"
    change(tenant, disabled=False)
    assert tenant.until(tenant.submit())["status"] == "succeeded"


def change(tenant: Tenant, **what: Json) -> None:
    tenant.must(tenant.stage.admin.patch(f"/v1/tenants/{tenant.slug}", json=what))


def test_every_answer_to_an_unknown_id_is_a_problem_and_none_is_a_fault_of_ours(
    tenant: Tenant, all_routes: list[Route]
):
    odd = [
        "nobody",
        "%00",
        "..%2f..%2fetc%2fpasswd",
        "%ff%fe",
        "%ed%a0%80",
        "'%20OR%201=1",
        "9" * 400,
        "%E2%80%AE",
        "-",
    ]
    for text in odd:
        ids = dict.fromkeys(IDS, text)
        for route in all_routes:
            if not route.places or route.makes_its_own:
                continue
            url = route.path.format(**ids)
            query = "&".join(f"{name}={text}" for name in route.query)
            answer = tenant.admin.request(route.method, f"{url}?{query}", json=route.body)
            expected = {404, 422, 401} if route.by_link else {404, 422}
            assert answer.status_code in expected, f"{route} {text}: {answer.status_code} {answer.text}"
            assert answer.headers["content-type"] == "application/problem+json"
