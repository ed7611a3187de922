"""Keys are long, of letters only, and hashed under a pepper."""

from pydantic import SecretStr

from quarterdeck.core.settings import Settings
from quarterdeck.tenants.minting import Peppers, hash_key, hash_session, mint_key, mint_session, parse_key

ONE = Peppers.of(Settings(secret_key=SecretStr("one secret of a deployment")))
OTHER = Peppers.of(Settings(secret_key=SecretStr("another secret of another")))


def test_a_key_is_selected_by_a_double_click_and_names_its_id():
    texts = set()
    for _ in range(200):
        key_id, text = mint_key()
        prefix, middle, secret = text.split("_")
        assert (prefix, middle) == ("qd", key_id)
        assert secret.isalnum()
        assert secret.isascii()
        assert len(secret) == 43
        assert parse_key(text) == key_id
        texts.add(text)
    assert len(texts) == 200


def test_what_is_no_key_is_not_looked_up():
    _, text = mint_key()
    for wrong in (
        "",
        "qd_",
        "qd__",
        text[:-1],
        text + "x",
        text.replace("qd_", "qx_"),
        text.upper() + "_",
        "qd_" + "é" * 12,
    ):
        assert parse_key(wrong) is None


def test_a_hash_is_good_for_one_deployment_one_kind_and_one_key():
    _, one = mint_key()
    _, two = mint_key()
    hashes = {hash_key(ONE, one), hash_key(OTHER, one), hash_key(ONE, two), hash_session(ONE, one)}
    assert len(hashes) == 4
    assert all(len(found) == 32 for found in hashes)


def test_a_session_is_kept_as_a_hash_only():
    cookie, kept = mint_session(ONE)
    assert kept == hash_session(ONE, cookie)
    assert cookie.encode() not in kept
    assert hash_session(ONE, "\udcff") != kept
