import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.blobs import rules
from quarterdeck.blobs.records import BlobKey
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.seal import SealBroken

DEPLOYMENT = bytes(range(32))
TENANT, OTHER = TenantId(uuid7()), TenantId(uuid7())
KEY, OTHER_KEY = b"k" * 32, b"o" * 32


@given(st.binary(max_size=3000))
def test_what_is_closed_opens_again(content: bytes):
    key = rules.key_of(KEY, content)
    assert rules.reopen(KEY, TENANT, key, rules.close(KEY, TENANT, key, content)) == content


def test_a_payload_opens_only_with_its_key_in_its_tenant_under_its_name():
    key = rules.key_of(KEY, b"content")
    closed = rules.close(KEY, TENANT, key, b"content")
    for wrong in ((OTHER_KEY, TENANT, key), (KEY, OTHER, key), (KEY, TENANT, BlobKey(b"x" * 32))):
        with pytest.raises(SealBroken):
            rules.reopen(*wrong, closed)
    with pytest.raises(SealBroken):
        rules.reopen(KEY, TENANT, key, closed[:-1] + bytes([closed[-1] ^ 1]))


def test_a_name_tells_nothing_without_the_tenants_key():
    assert rules.key_of(KEY, b"content") == rules.key_of(KEY, b"content")
    assert rules.key_of(KEY, b"content") != rules.key_of(OTHER_KEY, b"content")


def test_the_same_payload_looks_different_each_time_it_is_sealed():
    key = rules.key_of(KEY, b"content")
    assert rules.close(KEY, TENANT, key, b"content") != rules.close(KEY, TENANT, key, b"content")


def test_a_tenants_key_opens_only_for_its_tenant_and_deployment():
    sealed = rules.new_tenant_key(DEPLOYMENT, TENANT)
    assert len(rules.open_tenant_key(DEPLOYMENT, TENANT, sealed)) == 32
    with pytest.raises(SealBroken):
        rules.open_tenant_key(DEPLOYMENT, OTHER, sealed)
    with pytest.raises(SealBroken):
        rules.open_tenant_key(bytes(32), TENANT, sealed)
