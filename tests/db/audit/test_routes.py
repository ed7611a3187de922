"""`/v1/audit` as auditors see it, and exports that are checked far from the server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quarterdeck.audit.job import prune, seal_round
from quarterdeck.audit.keys import Keys
from quarterdeck.audit.records import Entry
from quarterdeck.audit.store import write
from quarterdeck.cli.exits import Exit
from quarterdeck.cli.root import run as cli
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import encode
from quarterdeck.sdk import AsyncQuarterdeck
from quarterdeck.sdk.proof import check_export
from tests.api import HERE, Deployment


@pytest.fixture
async def acme(deployment: Deployment):
    return await deployment.tenant("acme")


@pytest.fixture
async def tenant(deployment: Deployment, acme) -> TenantId:
    async with deployment.parts.database.system.transaction() as tx:
        return TenantId(await tx.fetchval("SELECT tenant FROM qd.tenants WHERE slug = 'acme'"))


@pytest.fixture
def keys(settings) -> Keys:
    return Keys.of(settings)


def read(line: bytes) -> dict[str, Any]:
    return msgspec.json.decode(line)


async def did(deployment: Deployment, tenant: TenantId, *names: str) -> None:
    async with deployment.parts.database.tenant(tenant) as tx:
        await write(
            tx,
            [Entry(tenant=tenant, kind="thing.done", actor="key:k", action=name, inputs={"n": name}) for name in names],
        )


async def sealed(deployment: Deployment, keys: Keys) -> None:
    await seal_round(deployment.parts.database, keys)


async def test_rows_are_listed_newest_first_whether_sealed_or_not(deployment, acme, tenant, keys):
    await did(deployment, tenant, "one")
    await sealed(deployment, keys)
    await did(deployment, tenant, "two")
    items = (await acme.get("/v1/audit", params={"kind": "thing.done"})).json()["items"]
    assert [(item["action"], item["position"] is None) for item in items] == [("two", True), ("one", False)]


async def test_pages_neither_skip_nor_repeat_while_rows_are_sealed(deployment, acme, tenant, keys):
    for number in range(7):
        await did(deployment, tenant, f"a{number}")
    seen, cursor = [], None
    while True:
        query = {"limit": 2, "kind": "thing.done"} | ({"cursor": cursor} if cursor else {})
        page = (await acme.get("/v1/audit", params=query)).json()
        seen += [item["action"] for item in page["items"]]
        cursor = page["next_cursor"]
        await sealed(deployment, keys)
        if cursor is None:
            break
    assert sorted(seen) == [f"a{number}" for number in range(7)]


async def test_rows_are_filtered_by_what_they_say(deployment, acme, tenant, keys):
    entry = Entry(tenant=tenant, kind="tool.denied", actor="agent:desk", action="refund", verdict="deny", rule="scope")
    async with deployment.parts.database.tenant(tenant) as tx:
        await write(tx, [entry])
    await did(deployment, tenant, "other")
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    ago = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    for _ in range(2):
        for query, wanted in (
            ({"verdict": "deny"}, ["refund"]),
            ({"tool": "refund"}, ["refund"]),
            ({"actor": "agent:desk"}, ["refund"]),
            ({"kind": "tool.denied", "since": ago, "until": soon}, ["refund"]),
            ({"tool": "refund", "since": soon}, []),
            ({"tool": "refund", "until": ago}, []),
            ({"run": "01a1f92d-f4fa-7c70-8349-54cf2e2e5398"}, []),
        ):
            items = (await acme.get("/v1/audit", params=query)).json()["items"]
            assert [item["action"] for item in items] == wanted, query
        await sealed(deployment, keys)
    assert (await acme.get("/v1/audit", params={"verdit": "deny"})).status_code == 422


async def test_a_payload_is_shown_with_its_row_and_erased_by_an_owner_only(deployment, acme, tenant, keys):
    await did(deployment, tenant, "one")
    await sealed(deployment, keys)
    row = (await acme.get("/v1/audit", params={"kind": "thing.done"})).json()["items"][0]
    whole = (await acme.get(f"/v1/audit/{row['id']}")).json()
    assert (whole["payload"], whole["payload_state"]) == ({"inputs": {"n": "one"}, "outputs": None}, "kept")
    auditor = await deployment.client(await deployment.key("acme", roles=["auditor"]))
    refused = await auditor.post(f"/v1/audit/{row['id']}/erase", json={"why": "asked to"})
    assert refused.status_code == 403
    assert (await acme.post(f"/v1/audit/{row['id']}/erase", json={"why": "asked to"})).status_code == 204
    gone = (await auditor.get(f"/v1/audit/{row['id']}")).json()
    assert (gone["payload"], gone["payload_state"], gone["hash"]) == (None, "erased", whole["hash"])
    assert (await auditor.get("/v1/audit/verify")).json()["erased"] == 1


async def test_only_auditors_and_owners_see_the_audit(deployment, acme):
    for role in ("operator", "developer", "reviewer", "caller"):
        other = await deployment.client(await deployment.key("acme", roles=[role]))
        for path in ("", "/head", "/verify", "/export", "/01a1f92d-f4fa-7c70-8349-54cf2e2e5398"):
            assert (await other.get(f"/v1/audit{path}")).status_code == 403


async def test_another_tenants_audit_does_not_exist(deployment, acme, tenant, keys):
    await did(deployment, tenant, "a deed of acme")
    await sealed(deployment, keys)
    row = (await acme.get("/v1/audit")).json()["items"][0]["id"]
    umbra = await deployment.tenant("umbra")
    assert (await umbra.get(f"/v1/audit/{row}")).status_code == 404
    assert (await umbra.post(f"/v1/audit/{row}/erase", json={"why": "x"})).status_code == 404
    assert "a deed of acme" not in (await umbra.get("/v1/audit")).text
    assert "a deed of acme" not in (await umbra.get("/v1/audit/export")).text


async def exported(client: httpx.AsyncClient, **query) -> list[bytes]:
    answer = await client.get("/v1/audit/export", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/jsonl")
    return answer.content.splitlines(keepends=True)


async def test_an_export_is_checked_with_the_public_key_alone(deployment, acme, tenant, keys):
    for number in range(3):
        await did(deployment, tenant, f"a{number}", f"b{number}")
        await sealed(deployment, keys)
    key = (await acme.get("/v1/audit/head")).json()["public_key"]
    lines = await exported(acme)
    proof = check_export(lines, [key])
    assert (proof.valid, proof.findings) == (True, ())
    assert proof.kept >= 6
    assert proof.head is not None
    assert proof.head.position == proof.sealed
    assert [finding.fault for finding in check_export(lines, ["00" * 32]).findings][:1] == ["bad_signature"]
    assert "audit.exported" in (await acme.get("/v1/audit")).text


async def test_an_export_goes_on_behind_the_head_that_the_one_before_ended_with(deployment, acme, tenant, keys):
    await did(deployment, tenant, "one")
    await sealed(deployment, keys)
    first = check_export(await exported(acme), [keys.signer.public.hex()])
    assert first.head is not None
    await did(deployment, tenant, "two")
    await sealed(deployment, keys)
    second = check_export(await exported(acme, after=first.head.position), [keys.signer.public.hex()])
    assert second.valid
    assert second.after is not None
    assert second.first == first.head.position + 1
    assert second.after.hash == first.head.hash
    assert (await acme.get("/v1/audit/export", params={"after": 10**6})).status_code == 409


async def test_an_erased_payload_is_not_in_the_export_nor_is_the_key_to_guess_it_by(deployment, acme, tenant, keys):
    await did(deployment, tenant, "one")
    await sealed(deployment, keys)
    row = (await acme.get("/v1/audit", params={"kind": "thing.done"})).json()["items"][0]["id"]
    await acme.post(f"/v1/audit/{row}/erase", json={"why": "asked to"})
    lines = await exported(acme)
    line = next(read(line) for line in lines if row.encode() in line)
    assert set(line) == {"row", "hash"}
    proof = check_export(lines, [keys.signer.public.hex()])
    assert (proof.valid, proof.erased) == (True, 1)


async def test_an_export_of_what_was_pruned_begins_at_the_signed_floor(deployment, acme, tenant, keys):
    for number in range(3):
        await did(deployment, tenant, f"a{number}")
        await sealed(deployment, keys)
    await prune(deployment.parts.database, keys, datetime.now(UTC))
    await sealed(deployment, keys)
    proof = check_export(await exported(acme), [keys.signer.public.hex()])
    assert proof.valid
    assert proof.after is not None
    assert proof.first == proof.after.position + 1 > 3


async def test_any_single_change_to_an_export_is_found(deployment, acme, tenant, keys):
    for number in range(4):
        await did(deployment, tenant, f"a{number}", f"b{number}")
        await sealed(deployment, keys)
    lines, key = await exported(acme), keys.signer.public.hex()
    assert check_export(lines, [key]).valid
    numbers = [number for number, line in enumerate(lines) if b'"row"' in line]

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sampled_from(numbers), st.sampled_from(["drop", "swap", "double", "garble", "payload", "actor", "cut"]))
    def tampered(at: int, how: str) -> None:
        proof = check_export(tamper(lines, at, how), [key])
        assert not proof.valid
        position = read(lines[at])["row"]["position"]
        assert proof.findings[0].first <= position + 1
        assert proof.findings[0].last >= position or how == "double"

    tampered()


def tamper(lines: list[bytes], at: int, how: str) -> list[bytes]:
    row = read(lines[at])
    match how:
        case "drop":
            return [*lines[:at], *lines[at + 1 :]]
        case "swap":
            return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        case "double":
            return [*lines[: at + 1], lines[at], *lines[at + 1 :]]
        case "garble":
            return [*lines[:at], lines[at][:20] + b"\n", *lines[at + 1 :]]
        case "payload":
            row["payload"] = '{"inputs":"other","outputs":null}'
        case "actor":
            row["row"]["actor"] = "key:innocent"
        case _:
            return lines[: at + 1]
    return [*lines[:at], encode(row) + b"\n", *lines[at + 1 :]]


@pytest.mark.parametrize("lines", [[], [b"\n"], [b"{}\n"], [b"[1]\n", b"2\n"], [b"\xff\xfe\n"]])
def test_what_is_no_export_proves_nothing(lines):
    assert not check_export(lines, ["00" * 32]).valid


async def test_the_client_reads_checks_and_takes_along(deployment, acme, tenant, keys):
    await did(deployment, tenant, "one")
    await sealed(deployment, keys)
    async with AsyncQuarterdeck(HERE, acme.headers["authorization"].split()[1], http=acme) as deck:
        head = await deck.audit.head()
        assert head.head is not None
        found = await deck.audit.verify()
        assert (found.valid, found.sealed, found.public_key) == (True, head.head.position, head.public_key)
        assert (await deck.audit.verify(head.head.position, head.head.hash)).valid
        rows = [row async for row in deck.audit.list(kind="thing.done")]
        whole = await deck.audit.get(rows[0].id)
        assert whole.payload == {"inputs": {"n": "one"}, "outputs": None}
        lines = [line async for line in deck.audit.export()]
        assert check_export(lines, [head.public_key]).valid
        await deck.audit.erase(rows[0].id, "asked to")


async def test_the_command_exits_with_8_when_an_export_was_tampered_with(
    deployment, acme, tenant, keys, tmp_path, capsys
):
    await did(deployment, tenant, "one", "two")
    await sealed(deployment, keys)
    lines, key = await exported(acme), keys.signer.public.hex()
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_bytes(b"".join(lines))
    bad.write_bytes(b"".join(lines).replace(b"two", b"six"))
    assert _exit(["audit", "verify", "--key", key, "--file", str(good)]) == Exit.OK
    assert "valid\tyes" in capsys.readouterr().out
    assert _exit(["audit", "verify", "--key", key, "--file", str(bad)]) == Exit.CHAIN_BROKEN
    assert "changed\t" in capsys.readouterr().out
    assert _exit(["audit", "verify", "--file", str(good)]) == Exit.USAGE


async def test_what_was_done_to_the_deployment_is_its_admins_to_see(deployment, acme, keys):
    admin = await deployment.admin()
    await admin.patch("/v1/tenants/acme", json={"name": "Acme"})
    await admin.post("/v1/providers", json={"name": "openai", "kind": "openai", "key": "sk-canary-0123456789"})
    await sealed(deployment, keys)
    items = (await admin.get("/v1/audit")).json()["items"]
    wanted = ["provider.added", "tenant.changed", "tenant.founded", "key.issued"]
    assert [item["kind"] for item in items] == wanted
    assert (await admin.get("/v1/audit/verify")).json()["valid"]
    assert "sk-canary" not in (await admin.get("/v1/audit/export")).text
    assert (await acme.get("/v1/audit", params={"kind": "provider.added"})).json()["items"] == []


async def test_what_is_administered_in_a_tenant_is_audited_with_who_did_it(deployment, acme, keys):
    issued = (await acme.post("/v1/keys", json={"name": "a key", "roles": ["auditor"]})).json()
    rotated = (await acme.post(f"/v1/keys/{issued['id']}/rotate")).json()
    await acme.delete(f"/v1/keys/{rotated['id']}")
    await acme.put("/v1/secrets/stripe", json={"value": "sk-canary-0123456789"})
    await acme.delete("/v1/secrets/stripe")
    me = (await acme.get("/v1/sessions/current")).json()["key_id"]
    items = (await acme.get("/v1/audit", params={"actor": f"key:{me}"})).json()["items"]
    done = [(item["kind"], item["target"]) for item in reversed(items)]
    assert done == [
        ("key.issued", f"key:{issued['id']}"),
        ("key.issued", f"key:{rotated['id']}"),
        ("key.rotated", f"key:{issued['id']}"),
        ("key.revoked", f"key:{rotated['id']}"),
        ("secret.set", "secret:stripe"),
        ("secret.removed", "secret:stripe"),
    ]
    await sealed(deployment, keys)
    assert "sk-canary" not in (await acme.get("/v1/audit/export")).text


def _exit(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        cli(arguments)
    return int(ended.value.code or 0)
