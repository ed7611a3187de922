"""Anti-patterns of a release: found where they are, and not where they aren't."""

import pytest

from quarterdeck.policies.rules import patterns
from quarterdeck.releases.records import ToolServer
from tests.toolbox import a_grant, a_release


def properties(*names: str) -> dict[str, object]:
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}}


def kinds(*grants, servers=()) -> list[str]:
    return [found.kind for found in patterns(a_release(*grants, servers=servers))]


def remote(name: str, **headers: str) -> ToolServer:
    return ToolServer(name, "http", url=f"https://{name}.example.com/mcp", headers=headers)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"Authorization": "Bearer secret://shop"}, {"Authorization": "Bearer secret://shop"}, ["shared_key"]),
        ({"Authorization": "Bearer secret://shop"}, {"X-Api-Key": "secret://shop"}, ["shared_key"]),
        ({"Authorization": "Bearer secret://shop"}, {"Authorization": "Bearer secret://crm"}, []),
        ({"X-Api-Key": "0123456789abcdef"}, {"X-Api-Key": "0123456789abcdef"}, ["shared_key"]),
        ({"Accept": "text/plain"}, {"Accept": "text/plain"}, []),
        ({}, {}, []),
    ],
)
def test_one_credential_for_all_remote_servers_is_found(one: dict, other: dict, expected: list[str]):
    assert kinds(servers=(remote("shop", **one), remote("crm", **other))) == expected


def test_one_server_alone_shares_nothing():
    assert kinds(servers=(remote("shop", Authorization="secret://shop"),)) == []


def test_a_shared_key_is_named_and_its_value_is_not():
    value = "0123456789abcdef"
    (found,) = patterns(a_release(servers=(remote("a", **{"X-Api-Key": value}), remote("b", **{"X-Api-Key": value}))))
    assert found.about == ("a", "b")
    assert "`X-Api-Key`" in found.problem
    assert value not in str(found)


@pytest.mark.parametrize(
    ("server", "secrets", "wide"),
    [
        (remote("shop", Authorization="secret://admin-key"), (), True),
        (remote("shop", **{"X-Admin-Token": "secret://shop"}), (), True),
        (remote("shop"), ("shop/service_role",), True),
        (ToolServer("shop", "stdio", environment={"DB_ROOT": "secret://db"}), (), True),
        (remote("shop", Authorization="secret://shop-read"), ("badminton",), False),
    ],
)
def test_a_credential_that_reads_like_an_administrators_is_found(server: ToolServer, secrets: tuple, wide: bool):
    grant = a_grant("look", "shop", secrets=secrets)
    assert ("admin_key" in kinds(grant, servers=(server,))) is wide


@pytest.mark.parametrize(
    ("name", "changes", "found"),
    [
        ("tenant_id", {}, True),
        ("tenant_id", {"scope": {"tenant_id": {"of": "tenant"}}}, False),
        ("tenant_id", {"destinations": ("tenant_id",)}, True),
        ("account", {}, True),
        ("account", {"destinations": ("account",)}, False),
        ("workspace", {}, True),
        ("tenancy_agreement", {}, False),
        ("order", {}, False),
    ],
)
def test_a_tool_whose_tenant_the_model_chooses_is_found(name: str, changes: dict, found: bool):
    grant = a_grant("look", effect="read", parameters=properties(name), trust="trusted", **changes)
    assert ("any_tenant" in kinds(grant)) is found


@pytest.mark.parametrize(
    ("trust", "effect", "destinations", "found"),
    [
        ("untrusted", "payment", (), True),
        ("untrusted", "payment", ("to",), False),
        ("trusted", "payment", (), False),
        ("untrusted", "write", (), False),
    ],
)
def test_untrusted_content_before_a_dangerous_tool_without_destinations_is_found(
    trust: str, effect: str, destinations: tuple, found: bool
):
    reads = a_grant("inbox", effect="read", trust=trust)
    acts = a_grant("pay", effect=effect, trust="trusted", parameters=properties("to"), destinations=destinations)
    assert ("untrusted_input" in kinds(reads, acts)) is found
